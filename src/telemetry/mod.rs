//! What leaves as numbers, spans and log lines: the meter provider, the Prometheus text, the instruments over the views, the
//! logs, and the push of all three over OTLP.
//!
//! *Invariants.* Every number about money comes from the published views, and all series of one scrape from a single one of
//! them at a single time (`moment`). A scrape begins after it was asked for, so a client whose events were acknowledged finds
//! them in it. No instrument can end the others: a panic in one costs its own series in that scrape.
//!
//! *Limits.* One text is made at a time, however many ask ([`Scraper`]). Each instrument's series are bounded by the views; the
//! SDK's own limit is set above that bound, so it never folds anything. [`LOG_LINES_QUEUED_MAX`] log lines wait for a slow
//! reader, then lines are dropped and counted.
//!
//! *Deliberately not here.* Instruments of other stages: each makes its own in its constructor from [`Telemetry::meter`].

mod instruments;
mod logs;
mod moment;
pub mod otlp;
mod provider;
mod reload;
mod scrape;
mod settings;
pub mod spans;

pub use logs::{LOG_LINES_QUEUED_MAX, LogFlush, LogFormat, LogSettings, LogsAlreadySetUp, set_up_logs};
pub use otlp::{ExportsFailing, Otlp, OtlpSettings};
pub use provider::{Telemetry, TelemetryError};
pub use reload::ReloadStatus;
pub use scrape::{ScrapeError, Scraper};
pub use settings::Settings;

#[cfg(test)]
mod tests;
