//! Waiting for a state, with a deadline.

use std::thread;
use std::time::{Duration, Instant};

/// Between two looks: short against every deadline, long against a look's own cost.
const PAUSE: Duration = Duration::from_millis(3);

/// Looks until `probe` has an answer.
#[track_caller]
pub fn within<T>(limit: Duration, what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(begin.elapsed() < limit, "not within {limit:?}: {what}");
        thread::sleep(PAUSE);
    }
}
