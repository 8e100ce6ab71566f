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
            Self::System => Timestamp::now(),
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
