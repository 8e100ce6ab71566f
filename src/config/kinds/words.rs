//! Choices from a few words.

use jiff::civil::Weekday;
use tracing::level_filters::LevelFilter;

use super::super::kind::{Kind, Shape, word};
use crate::budget::{Action, BudgetScope};
use crate::domain::{Facet, PeriodKind};
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

/// What happens to work that would pass a limit.
pub fn action() -> Kind<Action> {
    word("ACTION", "block or watch", "is neither", &[("block", Action::Block), ("watch", Action::Watch)])
}

/// Who keeps a budget.
pub fn scope() -> Kind<BudgetScope> {
    word("SCOPE", "agent or fleet", "is neither", &[("agent", BudgetScope::Agent), ("fleet", BudgetScope::Fleet)])
}

/// What a limit holds for each value of.
pub fn facet() -> Kind<Option<Facet>> {
    let words = &[
        ("worker", Facet::Worker),
        ("batch", Facet::Batch),
        ("lead", Facet::Lead),
        ("model", Facet::Model),
        ("service", Facet::Service),
        ("operation", Facet::Operation),
    ];
    word("WORD", "worker, batch, lead, model, service or operation", "is none of these", words).optional()
}

/// A day of the week.
pub fn weekday() -> Kind<Option<Weekday>> {
    let words = &[
        ("monday", Weekday::Monday),
        ("tuesday", Weekday::Tuesday),
        ("wednesday", Weekday::Wednesday),
        ("thursday", Weekday::Thursday),
        ("friday", Weekday::Friday),
        ("saturday", Weekday::Saturday),
        ("sunday", Weekday::Sunday),
    ];
    word("DAY", "monday to sunday", "is not a day of the week", words).optional()
}

/// How a webhook's messages are written.
pub fn webhook_format() -> Kind<WebhookFormat> {
    let parse = |text: &str| text.parse().map_err(|_| "is not a supported format".into());
    Kind::new(Shape::Text, "FORMAT", "json or slack", parse).shown_as(|format: &WebhookFormat| format.as_str().into())
}
