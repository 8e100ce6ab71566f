//! What became of attempts: counted each time, said once a minute.
//!
//! *Limits.* One line a [`WINDOW`] for each receiver, however many attempts fail.

use std::time::Duration;

use super::instruments::{MessageResult, ReceiverInstruments};
use crate::domain::Steady;

/// How long after a line about a receiver no other one is written.
const WINDOW: Duration = Duration::from_secs(60);

/// FailureCounts what becomes of one receiver's messages, and says it.
#[derive(Debug)]
pub(super) struct DeliveryLog {
    host: String,
    instruments: ReceiverInstruments,
    state: LogState,
}

/// What the log knows.
#[derive(Debug, Default)]
struct LogState {
    at: Option<Steady>,
    /// What no line has told of yet.
    untold: FailureCounts,
    /// Whether the last line was about failures.
    bad_news: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct FailureCounts {
    failed: u64,
    given_up: u64,
}

// === impl DeliveryLog ===

impl DeliveryLog {
    pub fn new(host: &str, instruments: ReceiverInstruments) -> Self {
        Self { host: host.to_owned(), instruments, state: LogState::default() }
    }

    pub fn set_pending(&self, count: usize) {
        self.instruments.set_pending(count);
    }

    pub fn delivered(&mut self, now: Steady) {
        self.instruments.count(MessageResult::Delivered);
        if let Some(FailureCounts { failed, given_up }) = self.state.after_success(now) {
            let host = &self.host;
            tracing::info!(
                host,
                failed,
                given_up,
                "webhook delivery recovered; the counts are of the failures since the previous line"
            );
        }
    }

    /// An attempt failed, and there will be another.
    pub fn failed(&mut self, why: &str, now: Steady) {
        self.instruments.count(MessageResult::Failed);
        let line = self.state.after_failure(FailureCounts { failed: 1, given_up: 0 }, now);
        self.complain(why, line);
    }

    /// The last attempt failed, or the receiver said that there is no point in another.
    pub fn given_up(&mut self, why: &str, now: Steady) {
        self.instruments.count(MessageResult::Failed);
        self.instruments.count(MessageResult::GivenUp);
        let line = self.state.after_failure(FailureCounts { failed: 1, given_up: 1 }, now);
        self.complain(why, line);
    }

    /// The outbox could not be read.
    pub fn unreadable(&mut self, why: &str, now: Steady) {
        let line = self.state.after_failure(FailureCounts::default(), now);
        self.complain(why, line);
    }

    fn complain(&self, why: &str, line: Option<FailureCounts>) {
        if let Some(FailureCounts { failed, given_up }) = line {
            tracing::warn!(
                host = self.host,
                error = why,
                failed,
                given_up,
                "webhook delivery is failing; the counts are since the previous line, at most one a minute"
            );
        }
    }
}

// === impl LogState ===

impl LogState {
    fn after_failure(&mut self, counts: FailureCounts, now: Steady) -> Option<FailureCounts> {
        self.untold.failed += counts.failed;
        self.untold.given_up += counts.given_up;
        self.line(true, now)
    }

    fn after_success(&mut self, now: Steady) -> Option<FailureCounts> {
        if self.bad_news { self.line(false, now) } else { None }
    }

    fn line(&mut self, bad_news: bool, now: Steady) -> Option<FailureCounts> {
        if self.at.is_some_and(|at| now.since(at) < WINDOW) {
            return None;
        }
        self.at = Some(now);
        self.bad_news = bad_news;
        Some(std::mem::take(&mut self.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_told_once_a_minute_with_their_number_and_so_is_the_end_of_them() {
        let mut state = LogState::default();
        let at = |seconds| Steady::since_start(Duration::from_secs(seconds));
        let failed = |failed, given_up| FailureCounts { failed, given_up };
        assert_eq!(state.after_success(at(0)), None);
        assert_eq!(state.after_failure(failed(1, 0), at(1)), Some(failed(1, 0)));
        for second in 2..60 {
            assert_eq!(state.after_failure(failed(1, second % 2), at(second)), None);
        }
        assert_eq!(state.after_success(at(60)), None, "back within the minute: the news waits");
        assert_eq!(state.after_success(at(61)), Some(failed(58, 29)));
        assert_eq!(state.after_success(at(500)), None);
    }
}
