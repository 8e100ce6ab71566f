//! Errors at the edge, as RFC 9457 problems. The only place that knows their status codes.
//!
//! *Invariants.* What a client reads here was written for clients: no paths, no SQL, no type names. Each problem says by its
//! status whether the same request may be sent again: 408 and 503 yes, everything else no. (A refused reservation may be asked for
//! later, when there is money again.)

use std::borrow::Cow;

use warp::http::StatusCode;
use warp::http::header::{ALLOW, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use warp::reply::Response;

use super::answer;
use crate::budget::Refusal;
use crate::domain::ReservationStage;
use crate::ingest::{EventProblem, IngestError, PROBLEMS_LISTED_MAX, RequestError};
use crate::wire::{ProblemDocument, ProblemEntry};
use crate::writer::{Conflict, RecordError, ReservationError};

/// Why a request was not served.
#[derive(Debug)]
pub(super) enum Problem {
    /// It cannot be read.
    Malformed(Cow<'static, str>),
    /// It carries no valid token. One answer for a missing and a wrong one.
    Unauthorized,
    /// Whoever sends it may not write, whatever it says.
    Forbidden(&'static str),
    /// It is addressed to another host.
    Misdirected,
    /// No such path.
    NotFound,
    /// No reservation under the id in the path.
    UnknownReservation,
    /// The path knows other methods only.
    MethodNotAllowed {
        /// Those methods, as `Allow` lists them.
        allow: String,
    },
    /// The body came too slowly.
    Timeout,
    /// Ids are known with other content.
    IdConflict(Vec<Conflict>),
    /// A reservation's id is known with other content; the fields that differ.
    ReservationConflict(Vec<&'static str>),
    /// It may not be spent.
    Refused(Refusal),
    /// The reservation is over, and not in the way that was asked for.
    ReservationFinished(ReservationStage),
    /// Body or batch passes a bound.
    TooLarge(Cow<'static, str>),
    /// Not a content type or coding that is understood here.
    UnsupportedMediaType(Cow<'static, str>),
    /// Events break rules.
    InvalidEvent {
        /// The first of them.
        errors: Vec<EventProblem>,
        /// How many events are bad.
        total: usize,
    },
    /// A request without events breaks rules.
    InvalidRequest(Vec<EventProblem>),
    /// Too much is under way.
    Overloaded,
    /// The ledger cannot record now.
    LedgerUnavailable,
    /// The agent is stopping.
    ShuttingDown,
    /// A fault of ours.
    Internal,
}

impl Problem {
    /// Something that cannot be read, and what.
    pub fn malformed(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::Malformed(detail.into())
    }

    /// Status, slug and title.
    fn kind(&self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::Malformed(_) => (StatusCode::BAD_REQUEST, "malformed", "The request cannot be read"),
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, "unauthorized", "A valid token is needed"),
            Self::Forbidden(_) => (StatusCode::FORBIDDEN, "forbidden", "Writing is not allowed from here"),
            Self::Misdirected => (StatusCode::MISDIRECTED_REQUEST, "misdirected", "The request is for another host"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not-found", "There is nothing here"),
            Self::UnknownReservation => (StatusCode::NOT_FOUND, "not-found", "There is no such reservation"),
            Self::MethodNotAllowed { .. } => {
                (StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "The method is not allowed here")
            }
            Self::Timeout => (StatusCode::REQUEST_TIMEOUT, "timeout", "The body came too slowly"),
            Self::Refused(Refusal::BudgetExhausted(_)) => {
                (StatusCode::CONFLICT, "budget-exhausted", "The budget has no room for it")
            }
            Self::Refused(Refusal::GateActive { .. }) => (StatusCode::CONFLICT, "gate-active", "The scaling gate is active"),
            Self::ReservationFinished(_) => (StatusCode::CONFLICT, "reservation-finished", "The reservation is over"),
            Self::IdConflict(_) | Self::ReservationConflict(_) => {
                (StatusCode::CONFLICT, "id-conflict", "An id is known with other content")
            }
            Self::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "too-large", "The request is too large"),
            Self::UnsupportedMediaType(_) => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", "The body's type or coding is not known here")
            }
            Self::InvalidEvent { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "invalid-event", "An event breaks a rule"),
            Self::InvalidRequest(_) => (StatusCode::UNPROCESSABLE_ENTITY, "invalid-request", "The request breaks a rule"),
            Self::Overloaded => (StatusCode::SERVICE_UNAVAILABLE, "overloaded", "Too much is under way"),
            Self::LedgerUnavailable => {
                (StatusCode::SERVICE_UNAVAILABLE, "ledger-unavailable", "The ledger is not available at the moment")
            }
            Self::ShuttingDown => (StatusCode::SERVICE_UNAVAILABLE, "shutting-down", "The agent is shutting down"),
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal", "The agent failed"),
        }
    }

    fn detail(&self) -> Cow<'_, str> {
        const AGAIN: &str = "Nothing was acknowledged. Send the same request again, under the same ids.";
        match self {
            Self::Malformed(detail) | Self::TooLarge(detail) | Self::UnsupportedMediaType(detail) => detail.as_ref().into(),
            Self::Unauthorized => "Send the header Authorization: Bearer <token> with a token that is valid here.".into(),
            Self::Forbidden(detail) => (*detail).into(),
            Self::Misdirected => {
                "A write is accepted for an IP address, localhost or a name in the setting allowed_hosts.".into()
            }
            Self::NotFound => "GET / lists what is served here.".into(),
            Self::UnknownReservation => {
                "No reservation was made under this id, or it ended longer ago than reservations are remembered.".into()
            }
            Self::MethodNotAllowed { allow } => format!("This path answers to {allow}.").into(),
            Self::Timeout => "The whole body has to arrive within the time that the agent allows. Nothing was recorded.".into(),
            Self::IdConflict(conflicts) => format!(
                "{} of the events carry an id that was used before, or twice in this request, with other content. Nothing was \
                 recorded.",
                conflicts.len()
            )
            .into(),
            Self::ReservationConflict(_) => {
                "The id is known with other content: it belongs to another reservation or to an event. Nothing was changed.".into()
            }
            Self::Refused(refusal) => refusal.reason().into(),
            Self::ReservationFinished(stage) => {
                format!("The reservation is {} already. Nothing was changed.", stage.as_str()).into()
            }
            Self::InvalidRequest(_) => "The request is not valid. Nothing was changed.".into(),
            Self::InvalidEvent { total, .. } => {
                format!("{total} of the events are not valid. Nothing was recorded.").into()
            }
            Self::Overloaded | Self::LedgerUnavailable | Self::ShuttingDown => AGAIN.into(),
            Self::Internal => "The request was not completed because of a fault in the agent; its log says more.".into(),
        }
    }

    /// The headers that belong to it besides the usual ones.
    fn header(&self) -> Option<(HeaderName, HeaderValue)> {
        match self {
            Self::Unauthorized => Some((WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))),
            Self::MethodNotAllowed { allow } => HeaderValue::from_str(allow).ok().map(|allow| (ALLOW, allow)),
            // A full queue drains within a commit; a disk or a restart takes longer.
            Self::Overloaded => Some((RETRY_AFTER, HeaderValue::from_static("1"))),
            Self::LedgerUnavailable | Self::ShuttingDown => Some((RETRY_AFTER, HeaderValue::from_static("5"))),
            Self::Malformed(_)
            | Self::Forbidden(_)
            | Self::Misdirected
            | Self::NotFound
            | Self::UnknownReservation
            | Self::Timeout
            | Self::IdConflict(_)
            | Self::ReservationConflict(_)
            | Self::Refused(_)
            | Self::ReservationFinished(_)
            | Self::TooLarge(_)
            | Self::UnsupportedMediaType(_)
            | Self::InvalidEvent { .. }
            | Self::InvalidRequest(_)
            | Self::Internal => None,
        }
    }

    fn errors(&self) -> Vec<ProblemEntry> {
        match self {
            Self::InvalidEvent { errors, .. } | Self::InvalidRequest(errors) => {
                errors.iter().cloned().map(ProblemEntry::from).collect()
            }
            Self::ReservationConflict(fields) => fields.iter().map(|field| difference(field)).collect(),
            Self::IdConflict(conflicts) => conflicts.iter().flat_map(differences).take(PROBLEMS_LISTED_MAX).collect(),
            _ => Vec::new(),
        }
    }

    /// The answer.
    pub fn into_response(self) -> Response {
        let (status, slug, title) = self.kind();
        let document = ProblemDocument {
            r#type: format!("/problems/{slug}").into(),
            title: title.into(),
            status: status.as_u16(),
            detail: self.detail().into_owned().into(),
            errors: self.errors(),
            state: if let Self::ReservationFinished(stage) = &self { Some((*stage).into()) } else { None },
            ..ProblemDocument::default()
        };
        let document = if let Self::Refused(refusal) = &self { document.with_refusal(refusal) } else { document };
        let mut response = answer::json(&document);
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some((name, value)) = self.header() {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

impl From<RecordError> for Problem {
    fn from(error: RecordError) -> Self {
        match error {
            RecordError::Conflict(conflicts) => Self::IdConflict(conflicts),
            RecordError::Overloaded => Self::Overloaded,
            RecordError::Unavailable => Self::LedgerUnavailable,
            RecordError::ShuttingDown => Self::ShuttingDown,
        }
    }
}

impl From<IngestError> for Problem {
    fn from(error: IngestError) -> Self {
        match error {
            IngestError::Malformed { detail, .. } => Self::Malformed(detail.into()),
            IngestError::TooManyEvents { limit } => Self::TooLarge(format!("A request may have {limit} events.").into()),
            IngestError::Invalid { errors, total, .. } => Self::InvalidEvent { errors, total },
        }
    }
}

impl From<RequestError> for Problem {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::Malformed(detail) => Self::Malformed(detail.into()),
            RequestError::Invalid(errors) => Self::InvalidRequest(errors),
        }
    }
}

impl From<ReservationError> for Problem {
    fn from(error: ReservationError) -> Self {
        match error {
            ReservationError::NotFound => Self::UnknownReservation,
            ReservationError::Refused(refusal) => Self::Refused(refusal),
            ReservationError::Finished(stage) => Self::ReservationFinished(stage),
            ReservationError::Conflict(fields) => Self::ReservationConflict(fields),
            ReservationError::NotRecorded(error) => error.into(),
        }
    }
}

impl From<EventProblem> for ProblemEntry {
    fn from(EventProblem { index, id, field, detail }: EventProblem) -> Self {
        Self { index, id, field, detail }
    }
}

/// A field in which a request differs from the first one under its id.
fn difference(field: &str) -> ProblemEntry {
    let detail = "differs from what is on record under this id".into();
    ProblemEntry { field: Some(field.into()), detail, ..ProblemEntry::default() }
}

/// One entry for each field in which an event differs from the recorded one.
fn differences(conflict: &Conflict) -> impl Iterator<Item = ProblemEntry> + '_ {
    conflict.fields.iter().map(|field| ProblemEntry {
        index: Some(conflict.index),
        id: Some(conflict.id.to_string()),
        field: Some((*field).into()),
        detail: "differs from the event that was recorded under this id".into(),
    })
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;
    use crate::budget::BudgetLeft;
    use crate::domain::Usd;

    async fn read(problem: Problem) -> (Response, serde_json::Value) {
        let (parts, body) = problem.into_response().into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        (Response::from_parts(parts, warp::reply::Response::default().into_body()), serde_json::from_slice(&bytes).unwrap())
    }

    #[tokio::test]
    async fn a_problem_is_a_document_of_rfc_9457() {
        let (response, document) = read(Problem::MethodNotAllowed { allow: "GET, HEAD".into() }).await;
        assert_eq!(response.status(), 405);
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        assert_eq!(response.headers()["cache-control"], "no-store");
        assert_eq!(response.headers()["x-content-type-options"], "nosniff");
        assert_eq!(response.headers()["allow"], "GET, HEAD");
        assert_eq!(document["type"], "/problems/method-not-allowed");
        assert_eq!(document["status"], 405);
        assert!(document["title"].is_string() && document["detail"].is_string());
        assert!(document.get("errors").is_none());
    }

    #[tokio::test]
    async fn a_conflict_names_index_id_and_every_field() {
        let conflict = |index| Conflict { index, id: "call-1".into(), fields: vec!["amount_usd", "model"] };
        let (response, document) = read(Problem::IdConflict(vec![conflict(3)])).await;
        assert_eq!(response.status(), 409);
        let errors = document["errors"].as_array().unwrap();
        assert_eq!(errors.len(), 2);
        assert_eq!(errors[1]["index"], 3);
        assert_eq!(errors[1]["id"], "call-1");
        assert_eq!(errors[1]["field"], "model");

        let (_, document) = read(Problem::IdConflict((0..200).map(conflict).collect())).await;
        assert_eq!(document["errors"].as_array().unwrap().len(), PROBLEMS_LISTED_MAX);
    }

    #[tokio::test]
    async fn a_refusal_names_the_budget_and_what_is_left() {
        let left = BudgetLeft {
            name: "daily".into(),
            remaining: Usd::parse("-0.5").unwrap(),
            period_end: "2026-11-23T00:00:00Z".parse().unwrap(),
        };
        let (response, document) = read(Problem::Refused(Refusal::BudgetExhausted(left.clone()))).await;
        assert_eq!((response.status().as_u16(), &document["type"]), (409, &"/problems/budget-exhausted".into()));
        assert_eq!((&document["budget"], &document["remaining_usd"]), (&"daily".into(), &(-0.5).into()));
        assert_eq!(document["period_end"], "2026-11-23T00:00:00Z");
        assert!(document.get("state").is_none() && document.get("errors").is_none());

        let closed = |budget| Refusal::GateActive { reason: "sale".into(), budget };
        let (response, document) = read(Problem::Refused(closed(None))).await;
        assert_eq!((response.status().as_u16(), &document["type"]), (409, &"/problems/gate-active".into()));
        assert_eq!(document["detail"], "Scaling gate is active: sale");
        for member in ["budget", "remaining_usd", "period_end"] {
            assert_eq!(document.get(member), Some(&serde_json::Value::Null), "{member}");
        }
        let (_, document) = read(Problem::Refused(closed(Some(left)))).await;
        assert_eq!(document["budget"], "daily");
    }

    #[tokio::test]
    async fn what_became_of_a_reservation_is_told_by_status_and_members() {
        for (error, status, slug) in [
            (ReservationError::NotFound, 404, "not-found"),
            (ReservationError::Finished(ReservationStage::Released), 409, "reservation-finished"),
            (ReservationError::Conflict(vec!["service", "ttl_seconds"]), 409, "id-conflict"),
            (ReservationError::NotRecorded(RecordError::Unavailable), 503, "ledger-unavailable"),
        ] {
            let (response, document) = read(error.into()).await;
            assert_eq!(response.status().as_u16(), status);
            assert_eq!(document["type"], format!("/problems/{slug}"));
            assert_eq!(document.get("state").is_some(), slug == "reservation-finished");
            assert!(document.get("budget").is_none());
        }
        let (_, document) = read(Problem::ReservationFinished(ReservationStage::Expired)).await;
        assert_eq!(document["state"], "expired");
        let (_, document) = read(Problem::ReservationConflict(vec!["service", "ttl_seconds"])).await;
        assert_eq!(document["errors"][1]["field"], "ttl_seconds");
        assert!(document["errors"][1].get("index").is_none());
    }

    #[tokio::test]
    async fn what_may_be_sent_again_says_when() {
        for (problem, seconds) in
            [(Problem::Overloaded, "1"), (Problem::LedgerUnavailable, "5"), (Problem::ShuttingDown, "5")]
        {
            let (response, _) = read(problem).await;
            assert_eq!(response.status(), 503);
            assert_eq!(response.headers()["retry-after"], seconds);
        }
        let (response, _) = read(Problem::Unauthorized).await;
        assert_eq!(
            (response.status().as_u16(), &response.headers()["www-authenticate"]),
            (401, &HeaderValue::from_static("Bearer"))
        );
    }
}
