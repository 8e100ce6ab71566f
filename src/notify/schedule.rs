//! When an attempt that failed is repeated.
//!
//! *Invariants.* Pauses grow. The last attempt is made when the time is over, not before: whoever comes back within it is told.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::time::Duration;

use jiff::fmt::rfc2822;
use jiff::{SignedDuration, Timestamp};

/// The pauses that Standard Webhooks recommends, as far as they fit into a day; but finer in the first five minutes, in which a
/// receiver that is being restarted comes back.
const PAUSES: &[Duration] = &[
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(20),
    Duration::from_secs(40),
    Duration::from_secs(80),
    Duration::from_secs(160),
    Duration::from_secs(5 * 60),
    Duration::from_secs(30 * 60),
    Duration::from_secs(2 * 3_600),
    Duration::from_secs(5 * 3_600),
    Duration::from_secs(10 * 3_600),
];
/// How long a message is tried, from when it came about.
const TRIED_FOR: Duration = Duration::from_secs(24 * 3_600);
/// Thousandths by which a pause is longer, at most: messages that failed together do not come back together.
const SPREAD_PERMILLE_MAX: u64 = 100;

/// When attempts are made.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// Pauses after the first, second, … failed attempt; the last one repeats.
    pub pauses: &'static [Duration],
    /// How long a message is tried, from when it came about.
    pub tried_for: Duration,
}

impl Default for Schedule {
    fn default() -> Self {
        Self { pauses: PAUSES, tried_for: TRIED_FOR }
    }
}

impl Schedule {
    /// When to try again after so many attempts at the message `id`, the last of which failed just now; `None`: give it up.
    /// `asked` is the pause that the receiver asked for; it may be longer than ours, but does not prolong the whole.
    pub fn next(
        &self,
        id: &str,
        created_at: Timestamp,
        attempts: u32,
        asked: Option<Duration>,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let end = add(created_at, self.tried_for);
        if now >= end {
            return None;
        }
        let index = usize::try_from(attempts).unwrap_or(usize::MAX).saturating_sub(1);
        let pause = self.pauses.get(index).or(self.pauses.last()).copied().unwrap_or_default();
        let spread = u32::try_from(hash(id, attempts) % (SPREAD_PERMILLE_MAX + 1)).unwrap_or_default();
        let pause = (pause + pause * spread / 1_000).max(asked.unwrap_or_default());
        Some(add(now, pause).min(end))
    }

    /// Whether an attempt is due. One farther ahead than any pause was planned by a clock that ran ahead.
    pub fn is_due(&self, next_attempt_at: Timestamp, now: Timestamp) -> bool {
        next_attempt_at <= now || next_attempt_at > add(now, self.tried_for)
    }
}

/// Reads `Retry-After`: seconds or a date.
pub(super) fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = rfc2822::parse(value.trim()).ok()?.timestamp();
    Duration::try_from(date.duration_since(now)).ok()
}

fn add(time: Timestamp, length: Duration) -> Timestamp {
    let length = SignedDuration::try_from(length).unwrap_or(SignedDuration::MAX);
    time.checked_add(length).unwrap_or(Timestamp::MAX)
}

/// Chance is not needed: ids differ.
fn hash(id: &str, attempts: u32) -> u64 {
    let mut hasher = DefaultHasher::new();
    (id, attempts).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn seconds_between(earlier: Timestamp, later: Timestamp) -> i64 {
        later.duration_since(earlier).as_secs()
    }

    #[test]
    fn pauses_grow_for_a_day_and_the_last_attempt_is_at_its_end() {
        let schedule = Schedule::default();
        let created_at = at("2026-11-22T10:00:00Z");
        let (mut now, mut pauses) = (created_at, Vec::new());
        for attempts in 1.. {
            let Some(next) = schedule.next("msg_1", created_at, attempts, None, now) else { break };
            pauses.push(seconds_between(now, next));
            now = next;
        }
        assert_eq!(seconds_between(created_at, now), 24 * 3_600);
        let expected = [2, 5, 10, 20, 40, 80, 160, 300, 1_800, 7_200, 18_000, 36_000];
        assert_eq!(pauses.len(), expected.len() + 1);
        for (pause, least) in pauses.iter().zip(expected) {
            assert!((least..=least + least / 10).contains(pause), "{pauses:?}");
        }
    }

    #[test]
    fn messages_that_failed_together_do_not_come_back_together() {
        let now = at("2026-11-22T10:00:00Z");
        let next = |id: &str| Schedule::default().next(id, now, 3, None, now).unwrap();
        let times: std::collections::BTreeSet<_> = (0..20).map(|number| next(&format!("msg_{number}"))).collect();
        assert!(times.len() > 5, "{times:?}");
    }

    #[test]
    fn the_receiver_may_ask_for_a_longer_pause_within_the_day() {
        let now = at("2026-11-22T10:00:00Z");
        for (asked, seconds) in [(1, 2), (3_600, 3_600), (90_000, 86_400)] {
            let next = Schedule::default().next("msg_1", now, 1, Some(Duration::from_secs(asked)), now).unwrap();
            assert_eq!(seconds_between(now, next), seconds, "{asked}");
        }
    }

    #[test]
    fn retry_after_is_read_in_both_of_its_forms() {
        let now = at("2026-11-22T10:00:00Z");
        let read = |value| retry_after(value, now);
        assert_eq!(read("120"), Some(Duration::from_secs(120)));
        assert_eq!(read("Sun, 22 Nov 2026 10:01:00 GMT"), Some(Duration::from_secs(60)));
        for value in ["Sun, 22 Nov 2026 09:59:00 GMT", "soon", "-5", "1.5", ""] {
            assert_eq!(read(value), None, "{value}");
        }
    }

    #[test]
    fn an_attempt_planned_by_a_clock_that_ran_ahead_is_due() {
        let schedule = Schedule::default();
        let now = at("2026-11-22T10:00:00Z");
        assert!(schedule.is_due(now, now));
        assert!(!schedule.is_due(at("2026-11-22T20:00:00Z"), now));
        assert!(schedule.is_due(at("2027-11-22T10:00:00Z"), now));
    }
}
