//! The only place that asks what time it is.
//!
//! Everything else takes a [`Timestamp`] or a [`Now`] as an argument, so that any instant can be tested.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::domain::{Now, Steady};

/// Where the time comes from.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// The system's clocks.
    #[default]
    System,
    /// Clocks that stand still, for tests that move them.
    Manual(Arc<Mutex<Now>>),
}

impl Clock {
    /// Clocks that show `start` until they are moved.
    pub fn manual(start: Timestamp) -> Self {
        Self::Manual(Arc::new(Mutex::new(Now { time: start, steady: Steady::default() })))
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        match self {
            #[expect(clippy::disallowed_methods, reason = "this is the place")]
            Self::System => microseconds(Timestamp::now()),
            Self::Manual(now) => now.lock().unwrap_or_else(PoisonError::into_inner).time,
        }
    }

    /// What both clocks show now.
    pub fn instant(&self) -> Now {
        match self {
            Self::System => Now { time: self.now(), steady: Steady::since_start(uptime()) },
            Self::Manual(now) => *now.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// Sets a manual wall clock, as an operator or a time server does; the system's is left alone.
    pub fn set(&self, to: Timestamp) {
        if let Self::Manual(now) = self {
            now.lock().unwrap_or_else(PoisonError::into_inner).time = to;
        }
    }

    /// Lets time pass on manual clocks.
    pub fn advance(&self, by: Duration) {
        if let Self::Manual(now) = self {
            let mut now = now.lock().unwrap_or_else(PoisonError::into_inner);
            now.steady = now.steady + by;
            now.time += SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
        }
    }
}

/// Since this was first asked, which the start does. Time in which the machine sleeps is time: what is promised to others for so long, such as a
/// share of a fleet's budget, ends then as well.
#[cfg(target_os = "linux")]
fn uptime() -> Duration {
    static START: OnceLock<Duration> = OnceLock::new();
    let boot = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let now = Duration::new(boot.tv_sec.unsigned_abs(), u32::try_from(boot.tv_nsec).unwrap_or(0));
    now.saturating_sub(*START.get_or_init(|| now))
}

/// Since this was first asked, which the start does.
#[cfg(not(target_os = "linux"))]
fn uptime() -> Duration {
    static START: OnceLock<std::time::Instant> = OnceLock::new();
    START.get_or_init(std::time::Instant::now).elapsed()
}

/// As fine as the date types of most languages: Python's and PostgreSQL's stop at microseconds, and some readers refuse more.
fn microseconds(time: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(time.as_microsecond()).unwrap_or(time)
}
