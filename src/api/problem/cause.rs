//! Why a request was not served, in the words of those who found out.

use std::borrow::Cow;

use warp::http::StatusCode;

use crate::budget::Refusal;
use crate::domain::ReservationStage;
use crate::fleet::FleetError;
use crate::formats::{Answer, BodyError, RequestError};
use crate::query::ReadError;
use crate::wire::ProblemEntry;
use crate::writer::{Conflict, RecordError, ReservationError};

/// Why a request was not served.
#[derive(Debug)]
pub(in super::super) enum Problem {
    /// It cannot be read.
    Malformed(Cow<'static, str>),
    /// It carries no valid token. One answer for a missing and a wrong one, so that neither tells anything.
    Unauthorized,
    /// It reads without a login, and reading asks for one.
    NotLoggedIn,
    /// Whoever sends it may not write, whatever it says.
    Forbidden(&'static str),
    /// It is addressed to another host.
    Misdirected,
    /// No such path.
    NotFound,
    /// No reservation under the id in the path.
    UnknownReservation,
    /// No budget has the name in the path.
    UnknownBudget,
    /// The agent belongs to no fleet.
    NoFleet,
    /// The fleet's database does not answer, and why.
    FleetUnreachable(String),
    /// The path knows other methods only.
    MethodNotAllowed {
        /// Those methods, as `Allow` lists them.
        allow: String,
    },
    /// The body came too slowly.
    Timeout,
    /// The body of calls came too slowly. Their senders give up on 408, so they are told to send it again.
    TooSlow,
    /// Another problem, told as a protocol has it.
    InOtherTerms(Box<Problem>, fn(StatusCode, &str) -> Answer),
    /// Ids are known with other content.
    IdConflict(Vec<Conflict>),
    /// A reservation's id is known with other content; the fields that differ.
    ReservationConflict(Vec<&'static str>),
    /// It may not be spent.
    Refused(Box<Refusal>),
    /// The same, told to a gateway, which turns its caller away only for 401 and 403.
    Barred(Box<Refusal>),
    /// The reservation is over, and not in the way that was asked for.
    ReservationFinished(ReservationStage),
    /// Body or batch passes a bound.
    TooLarge(Cow<'static, str>),
    /// Not a content type or coding that is understood here.
    UnsupportedMediaType(Cow<'static, str>),
    /// Events break rules.
    InvalidEvent {
        /// The first of them.
        errors: Vec<ProblemEntry>,
        /// How many events are bad.
        total: usize,
    },
    /// A request without events breaks rules.
    InvalidRequest(Vec<ProblemEntry>),
    /// Nothing says what this model costs.
    UnpricedModel {
        /// The paid service; empty where none was named.
        service: String,
        /// The model.
        model: String,
        /// The field that may be sent in place of a model; none where only its price was asked for.
        instead: Option<&'static str>,
    },
    /// The settings or the prices on the disk are wrong, so that they were not taken.
    SettingsInvalid(String),
    /// Too much is under way.
    Overloaded,
    /// The ledger cannot record now.
    LedgerUnavailable,
    /// The same, said to whoever asks how it is: why.
    NotReady(&'static str),
    /// Because of that, nobody knows what was spent.
    CannotTell,
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
}

impl Problem {
    /// One field of a request without events breaks a rule; `message` goes on after its name.
    pub fn field(field: &str, message: &str) -> Self {
        let detail = format!("{field} {message}");
        Self::InvalidRequest(vec![ProblemEntry { field: Some(field.into()), detail, ..ProblemEntry::default() }])
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

impl From<BodyError> for Problem {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::Malformed { detail, .. } => Self::Malformed(detail.into()),
            BodyError::TooManyEvents { limit } => {
                Self::TooLarge(format!("A request may carry at most {limit} events.").into())
            }
            BodyError::Invalid { errors, total, .. } => Self::InvalidEvent { errors, total },
        }
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Unavailable => Self::LedgerUnavailable,
            ReadError::Panicked => Self::Internal,
            ReadError::Overloaded => Self::Overloaded,
        }
    }
}

impl From<FleetError> for Problem {
    fn from(error: FleetError) -> Self {
        Self::FleetUnreachable(error.to_string())
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
            ReservationError::Refused(refusal) => Self::Refused(Box::new(refusal)),
            ReservationError::Finished(stage) => Self::ReservationFinished(stage),
            ReservationError::Conflict(fields) => Self::ReservationConflict(fields),
            ReservationError::NotRecorded(error) => error.into(),
        }
    }
}
