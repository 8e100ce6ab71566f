//! A problem as the answer that a client reads.

use std::borrow::Cow;

use warp::http::StatusCode;
use warp::http::header::{ALLOW, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use warp::reply::Response;

use super::cause::Problem;
use super::kind::{self, Kind};
use crate::api::answer;
use crate::budget::{Refusal, Rest};
use crate::formats::{Answer, first_problems};
use crate::ingest::REASONS_MAX;
use crate::wire::{ProblemDocument, ProblemEntry};
use crate::writer::Conflict;

/// A browser then asks whoever sits before it.
const ASK_FOR_PASSWORD: &str = "Basic realm=\"lead-factory-metrics\", charset=\"UTF-8\"";

impl Problem {
    /// The answer.
    pub fn into_response(self) -> Response {
        if let Self::InOtherTerms(problem, tell) = self {
            let Answer { media_type, body } = tell(problem.kind().status, &problem.detail());
            let (parts, _) = problem.into_response().into_parts();
            let mut response = answer::uncached(media_type, body);
            *response.status_mut() = parts.status;
            let kept = [RETRY_AFTER, ALLOW, WWW_AUTHENTICATE];
            let kept = kept.into_iter().filter_map(|name| parts.headers.get(&name).map(|value| (name, value.clone())));
            response.headers_mut().extend(kept);
            return response;
        }
        let Kind { status, slug, title, retry_after } = self.kind();
        let document = ProblemDocument {
            r#type: format!("/problems/{slug}").into(),
            title: title.into(),
            status: status.as_u16(),
            detail: self.detail().into_owned().into(),
            errors: self.errors(),
            state: if let Self::ReservationFinished(stage) = &self { Some((*stage).into()) } else { None },
            ..ProblemDocument::default()
        };
        let document = match &self {
            Self::Refused(refusal) => document.with_refusal(refusal),
            Self::Barred(refusal) => document.with_refusal(refusal),
            _ => document,
        };
        // Our own types always serialize; if not, there is still the status.
        let text = answer::json_text(&document).unwrap_or_default();
        let mut response = answer::uncached("application/problem+json", text);
        *response.status_mut() = status;
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static(seconds));
        }
        if let Some((name, value)) = self.header() {
            response.headers_mut().insert(name, value);
        }
        response
    }

    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        self.kind().status
    }

    /// After how many seconds the same may be sent again; `None`: never, or there is no need to wait.
    pub fn retry_after(&self) -> Option<&'static str> {
        self.kind().retry_after
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Malformed(_) => kind::MALFORMED,
            Self::Unauthorized | Self::NotLoggedIn => kind::UNAUTHORIZED,
            Self::Forbidden(_) => kind::FORBIDDEN,
            Self::Misdirected => kind::MISDIRECTED,
            Self::NotFound | Self::UnknownReservation | Self::UnknownBudget | Self::NoFleet => kind::NOT_FOUND,
            Self::FleetUnreachable(_) => kind::FLEET_UNREACHABLE,
            Self::MethodNotAllowed { .. } => kind::METHOD_NOT_ALLOWED,
            Self::Timeout => kind::TIMEOUT,
            Self::InOtherTerms(problem, _) => problem.kind(),
            Self::IdConflict(_) | Self::ReservationConflict(_) => kind::ID_CONFLICT,
            Self::Refused(refusal) => refused(refusal),
            Self::Barred(refusal) => Kind { status: StatusCode::FORBIDDEN, ..refused(refusal) },
            Self::ReservationFinished(_) => kind::RESERVATION_FINISHED,
            Self::TooLarge(_) => kind::TOO_LARGE,
            Self::UnsupportedMediaType(_) => kind::UNSUPPORTED_MEDIA_TYPE,
            Self::InvalidEvent { .. } => kind::INVALID_EVENT,
            Self::InvalidRequest(_) => kind::INVALID_REQUEST,
            Self::UnpricedModel { .. } => kind::UNPRICED_MODEL,
            Self::SettingsInvalid(_) => kind::SETTINGS_INVALID,
            Self::Overloaded | Self::TooSlow => kind::OVERLOADED,
            Self::LedgerUnavailable | Self::NotReady(_) | Self::CannotTell => kind::LEDGER_UNAVAILABLE,
            Self::ShuttingDown => kind::SHUTTING_DOWN,
            Self::Internal => kind::INTERNAL,
        }
    }

    /// What went wrong, for the client.
    pub fn detail(&self) -> Cow<'_, str> {
        const RETRY: &str = "The request was not confirmed. Retry it unchanged, with the same IDs.";
        match self {
            Self::Malformed(detail) | Self::TooLarge(detail) | Self::UnsupportedMediaType(detail) => detail.as_ref().into(),
            Self::Unauthorized => "Send a valid token: Authorization: Bearer <token>.".into(),
            Self::NotLoggedIn => {
                "Log in: with a name and a password, or with a token (Authorization: Bearer <token>).".into()
            }
            Self::Forbidden(detail) => (*detail).into(),
            Self::Misdirected => "For writes, Host must be an IP address, localhost or a name in allowed_hosts.".into(),
            Self::NotFound => "GET / lists all endpoints.".into(),
            Self::UnknownReservation => "There is no reservation with this ID, or it ended too long ago.".into(),
            Self::UnknownBudget => "There is no budget with this name. GET /budgets lists them.".into(),
            Self::NoFleet => "This agent belongs to no fleet: FLEET_URL is not set.".into(),
            Self::FleetUnreachable(why) => why.as_str().into(),
            Self::MethodNotAllowed { allow } => format!("This path supports {allow}.").into(),
            Self::Timeout => "The request body took too long to arrive. Nothing was recorded.".into(),
            Self::TooSlow => "The request body took too long to arrive. Nothing was recorded; send it again.".into(),
            Self::InOtherTerms(problem, _) => problem.detail(),
            Self::IdConflict(conflicts) => match conflicts.len() {
                1 => "1 event uses an ID that was already used with different content. Nothing was recorded.".into(),
                count => {
                    format!("{count} events use an ID that was already used with different content. Nothing was recorded.")
                        .into()
                }
            },
            Self::ReservationConflict(_) => {
                "This ID belongs to another reservation or event with different content. Nothing was changed.".into()
            }
            Self::Refused(refusal) => refusal.reason().into(),
            Self::Barred(refusal) => refusal.reason().into(),
            Self::ReservationFinished(stage) => {
                format!("The reservation is already {}. Nothing was changed.", stage.as_str()).into()
            }
            Self::InvalidEvent { total: 1, .. } => "1 event is invalid. Nothing was recorded.".into(),
            Self::InvalidEvent { total, .. } => format!("{total} events are invalid. Nothing was recorded.").into(),
            Self::UnpricedModel { service, model, instead } => {
                let of = if service.is_empty() { String::new() } else { format!(" of {service:?}") };
                let instead = instead.map_or_else(String::new, |field| format!("send {field}, or "));
                format!("There is no price for {model:?}{of}: {instead}add a [[price]].").into()
            }
            Self::SettingsInvalid(why) => format!("The previous ones stay in force. {why}").into(),
            Self::InvalidRequest(_) => "The request is invalid. Nothing was changed.".into(),
            Self::Overloaded | Self::LedgerUnavailable | Self::ShuttingDown => RETRY.into(),
            Self::NotReady(why) => format!("Cost cannot be recorded: {why}.").into(),
            Self::CannotTell => "Cost cannot be recorded now, so it is not known whether this fits the budgets.".into(),
            Self::Internal => "The agent failed to complete the request; its log has the details.".into(),
        }
    }

    /// The header that belongs to it besides the usual ones.
    fn header(&self) -> Option<(HeaderName, HeaderValue)> {
        match self {
            Self::Unauthorized => Some((WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))),
            Self::NotLoggedIn => Some((WWW_AUTHENTICATE, HeaderValue::from_static(ASK_FOR_PASSWORD))),
            Self::MethodNotAllowed { allow } => HeaderValue::from_str(allow).ok().map(|allow| (ALLOW, allow)),
            _ => None,
        }
    }

    fn errors(&self) -> Vec<ProblemEntry> {
        match self {
            Self::InvalidEvent { errors, .. } | Self::InvalidRequest(errors) => errors.clone(),
            Self::ReservationConflict(fields) => fields.iter().map(|field| difference(field)).collect(),
            Self::IdConflict(conflicts) => {
                first_problems(conflicts.iter().take(REASONS_MAX).flat_map(differences).collect())
            }
            _ => Vec::new(),
        }
    }
}

fn refused(refusal: &Refusal) -> Kind {
    match refusal {
        Refusal::BudgetExhausted(_) => kind::BUDGET_EXHAUSTED,
        Refusal::GateActive { .. } => kind::GATE_ACTIVE,
        Refusal::BeyondAllowance { rest: Rest::Unreachable, .. } => kind::FLEET_UNREACHABLE,
        Refusal::BeyondAllowance { .. } => kind::BUDGET_LEASED_ELSEWHERE,
    }
}

/// A field in which a request differs from the first one under its id.
fn difference(field: &str) -> ProblemEntry {
    let detail = "differs from what was recorded".into();
    ProblemEntry { field: Some(field.into()), detail, ..ProblemEntry::default() }
}

/// One entry for each field in which an event differs from the recorded one.
pub(in crate::api) fn differences(conflict: &Conflict) -> impl Iterator<Item = ProblemEntry> + '_ {
    conflict.fields.iter().map(|field| ProblemEntry {
        index: Some(conflict.index),
        id: Some(conflict.id.to_string()),
        ..difference(field)
    })
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use jiff::Timestamp;

    use super::*;
    use crate::budget::{BudgetLeft, Measure, Unit};
    use crate::domain::{ReservationStage, Span, Usd};
    use crate::writer::{RecordError, ReservationError};

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
        let errors = document["errors"].as_array().unwrap();
        assert_eq!((errors.len(), &errors[99]["index"]), (REASONS_MAX, &99.into()));
    }

    #[tokio::test]
    async fn a_refusal_names_the_budget_and_what_is_left() {
        let left = BudgetLeft {
            name: "daily".into(),
            key: None,
            remaining: Measure { unit: Unit::Usd, parts: Usd::parse("-0.5").unwrap().pico() },
            span: Span { start: Timestamp::MIN, end: "2026-11-23T00:00:00Z".parse().unwrap() },
        };
        let (response, document) = read(Problem::Refused(Box::new(Refusal::BudgetExhausted(left.clone())))).await;
        assert_eq!((response.status().as_u16(), &document["type"]), (409, &"/problems/budget-exhausted".into()));
        assert_eq!((&document["budget"], &document["remaining_usd"]), (&"daily".into(), &(-0.5).into()));
        assert_eq!(document["period_end"], "2026-11-23T00:00:00Z");
        assert!(document.get("state").is_none() && document.get("errors").is_none());

        let closed = |budget| Refusal::GateActive { reason: "sale".into(), budget };
        let (response, document) = read(Problem::Refused(Box::new(closed(None)))).await;
        assert_eq!((response.status().as_u16(), &document["type"]), (409, &"/problems/gate-active".into()));
        assert_eq!(document["detail"], "Scaling gate is active: sale");
        for member in ["budget", "remaining_usd", "period_end"] {
            assert_eq!(document.get(member), Some(&serde_json::Value::Null), "{member}");
        }
        let (_, document) = read(Problem::Refused(Box::new(closed(Some(left))))).await;
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
