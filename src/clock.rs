//! The only place that asks what time it is.
//!
//! Everything else takes a [`Timestamp`] as an argument, so that any instant can be tested.

use jiff::Timestamp;

/// Where the time comes from.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// The system's clock.
    #[default]
    System,
    /// A clock that stands still, for tests that set it.
    Manual(std::sync::Arc<std::sync::Mutex<Timestamp>>),
}

impl Clock {
    /// A clock that shows `start` until it is set.
    pub fn manual(start: Timestamp) -> Self {
        Self::Manual(std::sync::Arc::new(std::sync::Mutex::new(start)))
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        match self {
            #[expect(clippy::disallowed_methods, reason = "this is the place")]
            Self::System => microseconds(Timestamp::now()),
            Self::Manual(time) => *time.lock().unwrap_or_else(std::sync::PoisonError::into_inner),
        }
    }

    /// Sets a manual clock; the system's is left alone.
    pub fn set(&self, to: Timestamp) {
        if let Self::Manual(time) = self {
            *time.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = to;
        }
    }
}

/// As fine as the date types of most languages: Python's and PostgreSQL's stop at microseconds, and some readers refuse more.
fn microseconds(time: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(time.as_microsecond()).unwrap_or(time)
}
