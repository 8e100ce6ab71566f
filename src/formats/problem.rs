//! Why a body is not taken, in words for whoever sent it.
//!
//! *Limits.* [`REASONS_MAX`] problems are told, however bad and long the body.

use crate::ingest::{Invalid, REASONS_MAX, Reason};
use crate::wire::ProblemEntry;

/// Why the events of a body are not taken. None of them was. The same body will never succeed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
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
    #[error("{total} of {events_seen} events are invalid")]
    Invalid {
        /// The first problems, in the order of the events; one event may have several.
        errors: Vec<ProblemEntry>,
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
    #[error("the request is invalid")]
    Invalid(Vec<ProblemEntry>),
}

/// The problems of a body, as they are found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems {
    listed: Vec<ProblemEntry>,
    bad_events: usize,
}

/// Of problems in the order of their events, those that are told: [`REASONS_MAX`] at most. Each event has one before any has a second, so that a
/// sender learns of as many bad events as possible.
pub fn first_problems(problems: Vec<ProblemEntry>) -> Vec<ProblemEntry> {
    let is_first: Vec<bool> = std::iter::once(true)
        .chain(problems.windows(2).map(|pair| pair[0].index.is_none() || pair[0].index != pair[1].index))
        .collect();
    let events = is_first.iter().zip(&problems).filter(|(is_first, _)| **is_first).count();
    let (mut firsts, mut others) = (REASONS_MAX, REASONS_MAX.saturating_sub(events));
    let problems = problems.into_iter().zip(is_first).filter(|(_, is_first)| {
        let room = if *is_first { &mut firsts } else { &mut others };
        let has_room = *room > 0;
        *room = room.saturating_sub(1);
        has_room
    });
    problems.map(|(problem, _)| problem).collect()
}

// === impl BodyError ===

impl BodyError {
    /// One key for several events: it would be the id of each of them.
    pub fn one_key(events_seen: usize) -> Self {
        let detail =
            format!("Idempotency-Key stands for one event, but the request has {events_seen}; give each an id of its own");
        let entry = ProblemEntry { field: Some("Idempotency-Key".into()), detail, ..ProblemEntry::default() };
        Self::Invalid { errors: vec![entry], total: events_seen, events_seen }
    }

    /// How many events the request had, as far as it was read. For counting events, not requests.
    pub const fn events_seen(&self) -> usize {
        match self {
            Self::Malformed { events_seen, .. } | Self::Invalid { events_seen, .. } => *events_seen,
            Self::TooManyEvents { limit } => limit.saturating_add(1),
        }
    }
}

// === impl Problems ===

impl Problems {
    /// Notes an event that breaks rules.
    pub fn invalid(&mut self, index: usize, invalid: Invalid) {
        self.bad_events += 1;
        let Invalid { id, reasons } = invalid;
        let listed = reasons.into_iter().map(|Reason { field, detail }| ProblemEntry {
            index: Some(index),
            id: id.clone(),
            field: Some(field),
            detail,
        });
        let room = REASONS_MAX.saturating_sub(self.listed.len()).max(usize::from(self.bad_events <= REASONS_MAX));
        self.listed.extend(listed.take(room));
    }

    /// Notes something that stands in an event's place. `detail` is only made when there is room for it.
    pub fn no_event(&mut self, index: usize, detail: impl FnOnce() -> String) {
        self.bad_events += 1;
        if self.bad_events <= REASONS_MAX {
            self.listed.push(ProblemEntry { index: Some(index), detail: detail(), ..ProblemEntry::default() });
        }
    }

    /// Whether nothing is wrong so far.
    pub const fn is_empty(&self) -> bool {
        self.bad_events == 0
    }

    /// How many events are bad.
    pub const fn bad_events(&self) -> usize {
        self.bad_events
    }

    /// The first problems, in the order of the events.
    pub fn into_listed(self) -> Vec<ProblemEntry> {
        first_problems(self.listed)
    }

    /// The answer for a request with `events_seen` events, none of which is taken.
    pub fn into_error(self, events_seen: usize) -> BodyError {
        BodyError::Invalid { errors: first_problems(self.listed), total: self.bad_events, events_seen }
    }
}

// === impl RequestError ===

impl From<Invalid> for RequestError {
    fn from(invalid: Invalid) -> Self {
        let problem = |Reason { field, detail }| ProblemEntry { field: Some(field), detail, ..ProblemEntry::default() };
        Self::Invalid(invalid.reasons.into_iter().map(problem).collect())
    }
}
