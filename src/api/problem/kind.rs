//! Every kind of problem there is, as data. The only place that knows the status codes of errors.

use warp::http::StatusCode;

/// What the problems of one kind have in common: `type` ends in the slug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Kind {
    pub status: StatusCode,
    pub slug: &'static str,
    pub title: &'static str,
    /// When the same request may be sent again, in seconds.
    pub retry_after: Option<&'static str>,
}

const fn kind(status: StatusCode, slug: &'static str, title: &'static str) -> Kind {
    Kind { status, slug, title, retry_after: None }
}

const fn unavailable(slug: &'static str, title: &'static str, retry_after: &'static str) -> Kind {
    Kind { status: StatusCode::SERVICE_UNAVAILABLE, slug, title, retry_after: Some(retry_after) }
}

pub(super) const MALFORMED: Kind = kind(StatusCode::BAD_REQUEST, "malformed", "Malformed request");
pub(super) const UNAUTHORIZED: Kind = kind(StatusCode::UNAUTHORIZED, "unauthorized", "Unauthorized");
pub(super) const FORBIDDEN: Kind = kind(StatusCode::FORBIDDEN, "forbidden", "Forbidden");
pub(super) const NOT_FOUND: Kind = kind(StatusCode::NOT_FOUND, "not-found", "Not found");
pub(super) const METHOD_NOT_ALLOWED: Kind = kind(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "Method not allowed");
pub(super) const TIMEOUT: Kind = kind(StatusCode::REQUEST_TIMEOUT, "timeout", "Request timeout");
pub(super) const ID_CONFLICT: Kind = kind(StatusCode::CONFLICT, "id-conflict", "ID already used with different content");
pub(super) const BUDGET_EXHAUSTED: Kind = kind(StatusCode::CONFLICT, "budget-exhausted", "Budget exceeded");
pub(super) const GATE_ACTIVE: Kind = kind(StatusCode::CONFLICT, "gate-active", "Scaling gate is active");
pub(super) const RESERVATION_FINISHED: Kind =
    kind(StatusCode::CONFLICT, "reservation-finished", "Reservation already finished");
pub(super) const TOO_LARGE: Kind = kind(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "Request too large");
pub(super) const UNSUPPORTED_MEDIA_TYPE: Kind =
    kind(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", "Unsupported media type");
pub(super) const MISDIRECTED: Kind = kind(StatusCode::MISDIRECTED_REQUEST, "misdirected", "Misdirected request");
pub(super) const INVALID_EVENT: Kind = kind(StatusCode::UNPROCESSABLE_ENTITY, "invalid-event", "Invalid event");
pub(super) const INVALID_REQUEST: Kind = kind(StatusCode::UNPROCESSABLE_ENTITY, "invalid-request", "Invalid request");
pub(super) const UNPRICED_MODEL: Kind = kind(StatusCode::UNPROCESSABLE_ENTITY, "unpriced-model", "No price for this model");
pub(super) const SETTINGS_INVALID: Kind = kind(StatusCode::CONFLICT, "settings-invalid", "Settings not reloaded");
pub(super) const INTERNAL: Kind = kind(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal error");
// One that gives back does so within a second.
pub(super) const BUDGET_LEASED_ELSEWHERE: Kind = Kind {
    retry_after: Some("1"),
    ..kind(StatusCode::CONFLICT, "budget-leased-elsewhere", "Other agents have what is left of the budget")
};
pub(super) const FLEET_UNREACHABLE: Kind = unavailable("fleet-unreachable", "Fleet unreachable", "5");
// A full queue drains within a commit; a disk or a restart takes longer.
pub(super) const OVERLOADED: Kind = unavailable("overloaded", "Too many requests", "1");
pub(super) const LEDGER_UNAVAILABLE: Kind = unavailable("ledger-unavailable", "Ledger unavailable", "5");
pub(super) const SHUTTING_DOWN: Kind = unavailable("shutting-down", "Shutting down", "5");

/// All of them.
#[cfg(test)]
pub(in super::super) const KINDS: [Kind; 23] = [
    MALFORMED,
    UNAUTHORIZED,
    FORBIDDEN,
    NOT_FOUND,
    METHOD_NOT_ALLOWED,
    TIMEOUT,
    ID_CONFLICT,
    BUDGET_EXHAUSTED,
    BUDGET_LEASED_ELSEWHERE,
    FLEET_UNREACHABLE,
    GATE_ACTIVE,
    RESERVATION_FINISHED,
    TOO_LARGE,
    UNSUPPORTED_MEDIA_TYPE,
    MISDIRECTED,
    INVALID_EVENT,
    INVALID_REQUEST,
    UNPRICED_MODEL,
    SETTINGS_INVALID,
    INTERNAL,
    OVERLOADED,
    LEDGER_UNAVAILABLE,
    SHUTTING_DOWN,
];
