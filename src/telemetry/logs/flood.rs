//! A bound on what OpenTelemetry's own messages may write. That an export failed is left out altogether: the push says it itself,
//! with the number of failures, and less often.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Filter};

/// Lines of OpenTelemetry's libraries that are written in one [`WINDOW`]; the rest of it is silent.
pub(super) const LINES_PER_WINDOW_MAX: u32 = 10;
/// How long a bound counts.
const WINDOW: Duration = Duration::from_secs(60);
/// The targets that are bounded begin with this.
const TARGET_PREFIX: &str = "opentelemetry";

/// Names of messages about single exports begin with this.
const EXPORT_PREFIX: &str = "Export.";

/// Lets everything pass but the flood.
#[derive(Debug, Default)]
pub(super) struct FloodFilter(Mutex<Option<Window>>);

#[derive(Debug)]
struct Window {
    began: Instant,
    lines: u32,
}

impl FloodFilter {
    /// Whether a further line may be written at `now`; counts it.
    fn admits(&self, now: Instant) -> bool {
        let mut current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let window = match &mut *current {
            Some(window) if now.saturating_duration_since(window.began) < WINDOW => window,
            expired => expired.insert(Window { began: now, lines: 0 }),
        };
        window.lines = window.lines.saturating_add(1);
        window.lines <= LINES_PER_WINDOW_MAX
    }
}

impl<S: Subscriber> Filter<S> for FloodFilter {
    fn enabled(&self, _metadata: &Metadata<'_>, _context: &Context<'_, S>) -> bool {
        true
    }

    fn event_enabled(&self, event: &Event<'_>, _context: &Context<'_, S>) -> bool {
        let metadata = event.metadata();
        if !metadata.target().starts_with(TARGET_PREFIX) {
            return true;
        }
        !metadata.name().starts_with(EXPORT_PREFIX) && self.admits(Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_cut_and_the_next_window_begins_anew() {
        let filter = FloodFilter::default();
        let start = Instant::now();
        let admitted = |at: Instant| (0..100).filter(|_| filter.admits(at)).count();
        assert_eq!(admitted(start), LINES_PER_WINDOW_MAX as usize);
        assert_eq!(admitted(start + WINDOW - Duration::from_millis(1)), 0);
        assert_eq!(admitted(start + WINDOW), LINES_PER_WINDOW_MAX as usize);
    }
}
