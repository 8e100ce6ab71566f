//! An instant, on the two clocks that a machine has.

use std::ops::Add;
use std::time::Duration;

use jiff::Timestamp;

/// Time since the process began. Setting the wall clock does not move it, so what must last so long is measured by it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Steady {
    nanoseconds: u64,
}

/// What both clocks show at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// The wall clock: which day it is, and what is written down.
    pub time: Timestamp,
    /// The steady clock: how much time has passed.
    pub steady: Steady,
}

impl Steady {
    /// So long after the process began.
    pub fn since_start(elapsed: Duration) -> Self {
        Self { nanoseconds: nanoseconds(elapsed) }
    }

    /// How long it is from `earlier` to here; zero when it is not earlier.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.nanoseconds.saturating_sub(earlier.nanoseconds))
    }
}

impl Add<Duration> for Steady {
    type Output = Self;

    fn add(self, length: Duration) -> Self {
        Self { nanoseconds: self.nanoseconds.saturating_add(nanoseconds(length)) }
    }
}

/// 584 years at most.
fn nanoseconds(length: Duration) -> u64 {
    u64::try_from(length.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_passes_forward_only_and_ends_at_its_bound() {
        let at = |seconds| Steady::since_start(Duration::from_secs(seconds));
        assert_eq!(at(7).since(at(3)), Duration::from_secs(4));
        assert_eq!(at(3).since(at(7)), Duration::ZERO);
        assert_eq!(at(3) + Duration::from_secs(4), at(7));
        assert!(at(3) + Duration::from_nanos(1) > at(3));
        let last = Steady::since_start(Duration::MAX);
        assert_eq!((last + Duration::MAX, last.since(at(0))), (last, Duration::from_nanos(u64::MAX)));
    }
}
