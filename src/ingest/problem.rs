//! Why a body holds no valid events, in words for whoever sent it.
//!
//! *Limits.* [`PROBLEMS_LISTED_MAX`] problems are kept and the text of each is short, however bad and long the body.

use serde::Serialize;

/// Problems that an answer lists; further bad events are only counted (contract, section 2).
pub const PROBLEMS_LISTED_MAX: usize = 100;

/// Characters of a client's own text that a problem repeats.
const SHOWN_CHARS_MAX: usize = 200;

/// Why the events of a body are not taken. None of them was. The same body will never succeed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IngestError {
    /// It cannot be read, so nothing is known of the events in it.
    #[error("{detail}")]
    Malformed {
        /// What is wrong, and where.
        detail: String,
        /// Events that were begun before reading stopped.
        events_seen: usize,
    },
    /// More events than one request may have. The rest was not looked at.
    #[error("the request has more than {limit} events")]
    TooManyEvents {
        /// Events that a request may have.
        limit: usize,
    },
    /// It was read, and some events break a rule.
    #[error("{total} of {events_seen} events are not valid")]
    Invalid {
        /// The first problems, in the order of the events; one event may have several.
        errors: Vec<EventProblem>,
        /// How many events are bad.
        total: usize,
        /// How many events the request has, good ones included.
        events_seen: usize,
    },
}

/// Why a body that is one object is not taken. The same body will never succeed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// It cannot be read.
    #[error("{0}")]
    Malformed(String),
    /// It was read, and breaks rules.
    #[error("the request is not valid")]
    Invalid(Vec<EventProblem>),
}

/// One rule that one event, or a request without events, breaks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EventProblem {
    /// The event's position in the request, from 0. Blank lines do not count. `None`: the request has no events.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<usize>,
    /// Its id, where it has one that can be read; cut when too long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The top-level field in question; `None` when there is no object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// A sentence for people.
    pub detail: String,
}

/// The problems of a request, as they are found.
#[derive(Debug, Default)]
pub(super) struct Problems {
    listed: Vec<EventProblem>,
    bad_events: usize,
    last_bad: Option<usize>,
}

impl IngestError {
    /// How many events the request had, as far as it was read. For counting events, not requests.
    pub const fn events_seen(&self) -> usize {
        match self {
            Self::Malformed { events_seen, .. } | Self::Invalid { events_seen, .. } => *events_seen,
            Self::TooManyEvents { limit } => limit.saturating_add(1),
        }
    }
}

impl Problems {
    /// Notes a problem. `detail` is only written when there is room for it.
    pub(super) fn add(&mut self, index: usize, id: Option<&str>, field: Option<&str>, detail: impl FnOnce() -> String) {
        if self.last_bad != Some(index) {
            self.last_bad = Some(index);
            self.bad_events += 1;
        }
        if !self.is_full() {
            let detail = detail();
            self.listed.push(EventProblem { index: Some(index), id: id.map(shown), field: field.map(shown), detail });
        }
    }

    /// Whether nothing is wrong so far.
    pub(super) fn is_empty(&self) -> bool {
        self.bad_events == 0
    }

    /// Whether further problems are only counted.
    pub(super) fn is_full(&self) -> bool {
        self.listed.len() >= PROBLEMS_LISTED_MAX
    }

    /// Whether the event at this position has a problem.
    pub(super) fn has(&self, index: usize) -> bool {
        self.last_bad == Some(index)
    }

    /// The answer for a request that has no events, only fields.
    pub(super) fn into_request_error(self) -> RequestError {
        let without_place = |problem| EventProblem { index: None, id: None, ..problem };
        RequestError::Invalid(self.listed.into_iter().map(without_place).collect())
    }

    /// The answer for a request with `events_seen` events.
    pub(super) fn into_error(self, events_seen: usize) -> IngestError {
        IngestError::Invalid { errors: self.listed, total: self.bad_events, events_seen }
    }
}

/// A client's text, cut to a length that does no harm in an answer.
pub(super) fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
