//! Choices from a few words.

use tracing::level_filters::LevelFilter;

use super::super::kind::{Kind, Shape, word};
use crate::domain::PeriodKind;
use crate::notify::WebhookFormat;
use crate::telemetry::LogFormat;

/// true/false in the spellings of compose files, unit files and shells.
pub fn boolean() -> Kind<bool> {
    let words = &[
        ("true", true),
        ("1", true),
        ("yes", true),
        ("on", true),
        ("false", false),
        ("0", false),
        ("no", false),
        ("off", false),
    ];
    let allowed = "true or false (also 1/0, yes/no, on/off)";
    word("BOOL", allowed, "is neither true nor false", words).shaped(Shape::Boolean)
}

/// A level by its Rust or Python name.
pub fn level() -> Kind<LevelFilter> {
    let words = &[
        ("OFF", LevelFilter::OFF),
        ("ERROR", LevelFilter::ERROR),
        ("CRITICAL", LevelFilter::ERROR),
        ("FATAL", LevelFilter::ERROR),
        ("WARNING", LevelFilter::WARN),
        ("WARN", LevelFilter::WARN),
        ("INFO", LevelFilter::INFO),
        ("DEBUG", LevelFilter::DEBUG),
        ("TRACE", LevelFilter::TRACE),
    ];
    let allowed = "OFF, CRITICAL, ERROR, WARNING, INFO, DEBUG or TRACE, in any case";
    word("LEVEL", allowed, "is not a level", words)
}

/// How a line of the log looks.
pub fn log_format() -> Kind<LogFormat> {
    word("FORMAT", "text or json", "is not a format", &[("text", LogFormat::Text), ("json", LogFormat::Json)])
}

/// How often a budget begins anew.
pub fn period() -> Kind<PeriodKind> {
    let parse = |text: &str| text.parse().map_err(|_| "is not a period".into());
    Kind::new(Shape::Text, "PERIOD", "hourly, daily, weekly, monthly, quarterly, yearly or total", parse)
        .shown_as(|period: &PeriodKind| period.as_str().into())
}

/// How a webhook's messages are written.
pub fn webhook_format() -> Kind<WebhookFormat> {
    let parse = |text: &str| text.parse().map_err(|_| "is not a supported format".into());
    Kind::new(Shape::Text, "FORMAT", "json or slack", parse).shown_as(|format: &WebhookFormat| format.as_str().into())
}
