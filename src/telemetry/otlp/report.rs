//! What became of exports: counted each time, said once a minute.
//!
//! *Limits.* One line a [`WINDOW`] for all signals together, however many exports fail; another one for what collectors hint at.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use opentelemetry::KeyValue;
use opentelemetry::metrics::Meter;

/// How long after a line about exports no other one is written.
const WINDOW: Duration = Duration::from_secs(60);

/// What is pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    Metrics,
    Traces,
    Logs,
}

/// Counts exports, and says what became of them.
#[derive(Debug, Default)]
pub(super) struct Report {
    signals: [Counts; Signal::ALL.len()],
    told: Mutex<Told>,
    /// When a collector's hint was last passed on.
    hinted: Mutex<Option<Instant>>,
}

#[derive(Debug, Default)]
struct Counts {
    ok: AtomicU64,
    failed: AtomicU64,
}

/// What the log knows.
#[derive(Debug, Default)]
struct Told {
    at: Option<Instant>,
    /// Failures that no line has told of yet.
    failed: [u64; Signal::ALL.len()],
    /// Whether each signal's last export failed.
    failing: [bool; Signal::ALL.len()],
    /// Whether the last line was about failures.
    bad_news: bool,
}

/// A line to write.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    Failing([u64; Signal::ALL.len()]),
    Recovered([u64; Signal::ALL.len()]),
}

impl Signal {
    pub const ALL: [Self; 3] = [Self::Metrics, Self::Traces, Self::Logs];

    /// The word used as a label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Metrics => "metrics",
            Self::Traces => "traces",
            Self::Logs => "logs",
        }
    }

    /// What an export of it consists of.
    pub const fn items(self) -> &'static str {
        match self {
            Self::Metrics => "data points",
            Self::Traces => "spans",
            Self::Logs => "log lines",
        }
    }
}

impl Report {
    /// Shows the counts of these signals as `lead_factory_otlp_exports_total`.
    pub fn show(self: &Arc<Self>, signals: Vec<Signal>, meter: &Meter) {
        let report = Arc::clone(self);
        meter
            .u64_observable_counter("lead_factory_otlp_exports")
            .with_description("Exports over OTLP since the process started, by what became of them.")
            .with_callback(move |observer| {
                for signal in &signals {
                    let counts = &report.signals[*signal as usize];
                    for (result, count) in [("failed", &counts.failed), ("ok", &counts.ok)] {
                        let labels = [KeyValue::new("result", result), KeyValue::new("signal", signal.as_str())];
                        observer.observe(count.load(Ordering::Relaxed), &labels);
                    }
                }
            })
            .build();
    }

    /// Notes one export, and why it failed if it did.
    pub fn note(&self, signal: Signal, failure: Option<&str>) {
        let counts = &self.signals[signal as usize];
        let count = if failure.is_none() { &counts.ok } else { &counts.failed };
        count.fetch_add(1, Ordering::Relaxed);
        let line = {
            let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            told.next_line(signal, failure.is_none(), Instant::now())
        };
        match line {
            Some(Line::Failing([metrics, traces, logs])) => tracing::warn!(
                error = failure.unwrap_or("the export of another signal failed"),
                last = signal.as_str(),
                metrics,
                traces,
                logs,
                "exports over OTLP fail; counted here since the last such line, which comes once a minute at most"
            ),
            Some(Line::Recovered([metrics, traces, logs])) => {
                tracing::info!(metrics, traces, logs, "exports over OTLP succeed again; counted here are the failed ones");
            }
            None => {}
        }
    }
}

impl Report {
    /// The signals whose last export failed.
    pub fn failing(&self) -> Vec<&'static str> {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let signals = Signal::ALL.into_iter().zip(told.failing);
        signals.filter(|(_, fails)| *fails).map(|(signal, _)| signal.as_str()).collect()
    }

    /// Passes on what a collector says of what it took, such as that a name will be refused one day; once a [`WINDOW`].
    pub fn hint(&self, signal: Signal, said: &str) {
        let now = Instant::now();
        {
            let mut hinted = self.hinted.lock().unwrap_or_else(PoisonError::into_inner);
            if hinted.is_some_and(|at| now.saturating_duration_since(at) < WINDOW) {
                return;
            }
            *hinted = Some(now);
        }
        tracing::warn!(
            signal = signal.as_str(),
            said,
            "the collector took an export over OTLP and has something to say about it"
        );
    }
}

impl Told {
    fn next_line(&mut self, signal: Signal, ok: bool, now: Instant) -> Option<Line> {
        self.failing[signal as usize] = !ok;
        self.failed[signal as usize] += u64::from(!ok);
        if self.at.is_some_and(|at| now.saturating_duration_since(at) < WINDOW) {
            return None;
        }
        let any_fails = self.failing.contains(&true);
        let untold = self.failed.iter().any(|count| *count > 0);
        if !(untold || self.bad_news && !any_fails) {
            return None;
        }
        self.at = Some(now);
        self.bad_news = any_fails;
        let failed = std::mem::take(&mut self.failed);
        Some(if any_fails { Line::Failing(failed) } else { Line::Recovered(failed) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_told_once_a_minute_with_their_number_and_so_is_the_end_of_them() {
        let mut told = Told::default();
        let start = Instant::now();
        let mut at = |signal, ok, seconds| told.next_line(signal, ok, start + Duration::from_secs(seconds));
        assert_eq!(at(Signal::Metrics, true, 0), None);
        assert_eq!(at(Signal::Metrics, false, 1), Some(Line::Failing([1, 0, 0])));
        for second in 2..61 {
            assert_eq!(at(Signal::Metrics, false, second), None);
            assert_eq!(at(Signal::Traces, second % 2 == 0, second), None);
        }
        assert_eq!(at(Signal::Metrics, false, 61), Some(Line::Failing([60, 29, 0])));
        // Back within the minute: the news waits.
        assert_eq!(at(Signal::Metrics, true, 62), None);
        assert_eq!(at(Signal::Traces, true, 100), None);
        assert_eq!(at(Signal::Metrics, true, 121), Some(Line::Recovered([0, 0, 0])));
        assert_eq!(at(Signal::Metrics, true, 500), None);
    }

    #[test]
    fn what_fails_is_known_until_it_succeeds() {
        let report = Report::default();
        assert!(report.failing().is_empty());
        report.note(Signal::Logs, Some("refused"));
        report.note(Signal::Metrics, Some("refused"));
        report.note(Signal::Traces, None);
        assert_eq!(report.failing(), ["metrics", "logs"]);
        report.note(Signal::Metrics, None);
        assert_eq!(report.failing(), ["logs"]);
    }

    #[test]
    fn a_signal_that_works_does_not_hide_one_that_does_not() {
        let mut told = Told::default();
        let start = Instant::now();
        assert_eq!(told.next_line(Signal::Logs, false, start), Some(Line::Failing([0, 0, 1])));
        let later = start + WINDOW;
        assert_eq!(told.next_line(Signal::Metrics, true, later), None);
        assert_eq!(told.next_line(Signal::Logs, false, later), Some(Line::Failing([0, 0, 1])));
    }
}
