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

/// Whether answers took no longer than that, but for 2 % of them: a machine that does something else for a second says nothing of the
/// agent.
#[track_caller]
pub fn assert_within(mut took: Vec<Duration>, max: Duration) {
    took.sort_unstable_by(|one, other| other.cmp(one));
    let [slowest, nearly] = [0, took.len() / 50].map(|rank| took[rank]);
    println!("{} answers: slowest {slowest:?}, but for 2 % {nearly:?}", took.len());
    assert!(nearly < max && slowest < 5 * max, "{slowest:?}, {nearly:?}");
}
