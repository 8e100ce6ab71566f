//! The one table of settings. Flags, environment names, keys of the file, `--help` and `check-config` are all made from it, so
//! they cannot drift apart.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::LazyLock;

use jiff::SignedDuration;
use tracing::level_filters::LevelFilter;

use super::otel::{self, OtelDraft};
use super::value;
use super::webhooks::WebhookDraft;
use crate::api::{self, Token};
use crate::budget::CriticalOperations;
use crate::domain::{BudgetZone, Threshold, Usd};
use crate::ledger::{self, RETENTION_DAYS_MIN};
use crate::telemetry::LogFormat;
use crate::views::{HOLDS_MAX, SeriesLimits};
use crate::{ingest, net};

/// What a value in the file may be written as, besides a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Text,
    Number,
    Boolean,
    List,
    /// A string that is never shown.
    Secret,
}

/// One setting.
#[derive(Debug)]
pub struct Setting {
    /// Its key in the file, such as `daily_budget`. The environment's name is the same in upper case.
    pub key: &'static str,
    /// What holds when nobody sets it, as it would be written; empty: not set.
    pub default: &'static str,
    /// A word for the value, such as `USD`.
    pub value_name: &'static str,
    /// Its effect, in a line.
    pub doc: &'static str,
    /// What may be written.
    pub allowed: &'static str,
    pub(super) shape: Shape,
    pub(super) set: fn(&mut Draft, &str) -> Result<(), String>,
}

/// What one global budget is made of.
#[derive(Clone, Debug)]
pub(super) struct BudgetDraft {
    pub limit: Option<Usd>,
    pub warn_at: Threshold,
    pub gate_at: Threshold,
}

/// The values while layers are put on top of each other.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub host: IpAddr,
    pub port: u16,
    pub log_level: LevelFilter,
    pub log_format: Option<LogFormat>,
    pub environment: String,
    pub zone: BudgetZone,
    pub daily: BudgetDraft,
    pub monthly: BudgetDraft,
    pub gate_enabled: bool,
    pub token: Option<Token>,
    pub token_file: Option<PathBuf>,
    pub net: net::Settings,
    pub api: api::Settings,
    pub ingest: ingest::Limits,
    pub ledger: ledger::Settings,
    pub series: SeriesLimits,
    pub critical: CriticalOperations,
    pub holds_max: usize,
    pub webhook: WebhookDraft,
    pub otel: OtelDraft,
}

impl Setting {
    /// The name of the environment variable.
    pub fn environment_name(&self) -> String {
        self.key.to_ascii_uppercase()
    }

    /// The name of the flag, without the dashes in front.
    pub fn flag(&self) -> &'static str {
        static FLAGS: LazyLock<Vec<String>> =
            LazyLock::new(|| SETTINGS.iter().map(|setting| setting.key.replace('_', "-")).collect());
        let position = SETTINGS.iter().position(|setting| setting.key == self.key);
        position.and_then(|position| FLAGS.get(position)).map_or(self.key, String::as_str)
    }

    /// Whether its value must not be shown.
    pub fn is_secret(&self) -> bool {
        self.shape == Shape::Secret
    }

    /// Whether it is one of the standard names of OpenTelemetry, of which there are many.
    pub fn is_otel(&self) -> bool {
        self.key.starts_with("otel_")
    }

    /// The setting with this key.
    pub fn find(key: &str) -> Option<&'static Self> {
        SETTINGS.iter().find(|setting| setting.key == key)
    }
}

impl Default for Draft {
    /// A start that the defaults of the table are then written over.
    fn default() -> Self {
        let budget = BudgetDraft { limit: None, warn_at: Threshold::FULL, gate_at: Threshold::FULL };
        Self {
            host: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            port: 0,
            log_level: LevelFilter::INFO,
            log_format: None,
            environment: String::new(),
            zone: BudgetZone::UTC,
            daily: budget.clone(),
            monthly: budget,
            gate_enabled: true,
            token: None,
            token_file: None,
            net: net::Settings::default(),
            api: api::Settings::default(),
            ingest: ingest::Limits::default(),
            ledger: ledger::Settings::default(),
            series: SeriesLimits::default(),
            critical: CriticalOperations::default(),
            holds_max: HOLDS_MAX,
            webhook: WebhookDraft::default(),
            otel: OtelDraft::default(),
        }
    }
}

macro_rules! settings {
    ($($key:literal $shape:ident $value_name:literal = $default:literal, $doc:literal, $allowed:expr, $set:expr;)*) => {
        [$(Setting {
            key: $key,
            default: $default,
            value_name: $value_name,
            doc: $doc,
            allowed: $allowed,
            shape: Shape::$shape,
            set: $set,
        }),*]
    };
}

/// Puts a parsed value into its place.
pub(super) fn put<T>(place: &mut T, parsed: Result<T, String>) -> Result<(), String> {
    parsed.map(|value| *place = value)
}

/// Every setting, in the order in which they are shown.
pub static SETTINGS: LazyLock<Vec<Setting>> = LazyLock::new(|| OWN.into_iter().chain(otel::settings()).collect());

/// The settings that are this program's own.
const OWN: [Setting; 36] = settings! {
    "metrics_host" Text "ADDRESS" = "0.0.0.0", "Address to listen on", "an IPv4 or IPv6 address, or localhost",
        |draft, text| put(&mut draft.host, value::host(text));
    "metrics_port" Number "PORT" = "8000", "Port to listen on; 0 takes a free one", "0 to 65535",
        |draft, text| put(&mut draft.port, value::whole(text, 0, 65_535).map(|port| u16::try_from(port).unwrap_or(0)));
    "log_level" Text "LEVEL" = "INFO", "Least serious level that is logged",
        "OFF, CRITICAL, ERROR, WARNING, INFO, DEBUG or TRACE, in any case",
        |draft, text| put(&mut draft.log_level, value::level(text));
    "log_format" Text "FORMAT" = "", "How the log is written; default: text on a terminal, else json", "text or json",
        |draft, text| put(&mut draft.log_format, value::log_format(text).map(Some));
    "environment" Text "NAME" = "production", "Name of the deployment, shown in lead_factory_build_info",
        "1 to 128 bytes without control characters",
        |draft, text| put(&mut draft.environment, value::label(text));
    "db_path" Text "FILE" = "data/lead_factory.db", "File of the ledger; its folder is made when missing", "a path",
        |draft, text| put(&mut draft.ledger.path, value::path(text));
    "daily_budget" Number "USD" = "50.0", "Limit of a day over all services", value::LIMIT,
        |draft, text| put(&mut draft.daily.limit, value::limit(text));
    "monthly_budget" Number "USD" = "1000.0", "Limit of a month over all services", value::LIMIT,
        |draft, text| put(&mut draft.monthly.limit, value::limit(text));
    "daily_alert_threshold" Number "SHARE" = "0.8", "Share of the daily limit from which its state is warning",
        value::SHARE,
        |draft, text| put(&mut draft.daily.warn_at, value::threshold(text));
    "monthly_alert_threshold" Number "SHARE" = "0.8", "Share of the monthly limit from which its state is warning",
        value::SHARE,
        |draft, text| put(&mut draft.monthly.warn_at, value::threshold(text));
    "scaling_gate_enabled" Boolean "BOOL" = "true", "Whether the scaling gate may ever be active; false only watches",
        "true or false (also 1/0, yes/no, on/off)",
        |draft, text| put(&mut draft.gate_enabled, value::boolean(text));
    "scaling_gate_daily_threshold" Number "SHARE" = "0.9", "Share of the daily limit from which the gate is active",
        value::SHARE,
        |draft, text| put(&mut draft.daily.gate_at, value::threshold(text));
    "scaling_gate_monthly_threshold" Number "SHARE" = "0.9", "Share of the monthly limit from which the gate is active",
        value::SHARE,
        |draft, text| put(&mut draft.monthly.gate_at, value::threshold(text));
    "budget_timezone" Text "ZONE" = "UTC", "Time zone whose days and months are counted",
        "an IANA name such as UTC or Europe/Berlin",
        |draft, text| put(&mut draft.zone, value::zone(text));
    "critical_operations" List "PATTERNS" = "health_check,metrics,scaling_gate_status,billing_status,admin_*",
        "Operations that are never refused, whatever the gate and the budgets say",
        "operation or service:operation, separated by commas, * for any text",
        |draft, text| put(&mut draft.critical, value::operations(text).map(CriticalOperations::new));
    "api_token" Secret "TOKEN" = "", "Token that allows writing; better given in a file, where no process list shows it",
        "a text without blanks",
        |draft, text| put(&mut draft.token, value::token(text).map(Some));
    "api_token_file" Text "FILE" = "", "File of tokens that allow writing, one a line; added to api_token", "a path",
        |draft, text| put(&mut draft.token_file, value::path(text).map(Some));
    "loopback_needs_token" Boolean "BOOL" = "true", "Whether writes from this host need a token too, where tokens are set",
        "true or false (also 1/0, yes/no, on/off)",
        |draft, text| put(&mut draft.api.loopback_needs_token, value::boolean(text));
    "allowed_hosts" List "HOSTS" = "", "Host names, besides IP addresses and localhost, that writes may be addressed to",
        "host names separated by commas",
        |draft, text| put(&mut draft.api.allowed_hosts, value::hosts(text));
    "max_event_usd" Number "USD" = "10000", "Largest size of one event's amount, of either sign",
        "an amount above 0 and at most 1000000",
        |draft, text| put(&mut draft.ingest.event_usd_max, value::event_usd(text));
    "max_events_per_request" Number "COUNT" = "10000", "Events in one request", "1 to 100000",
        |draft, text| put(&mut draft.ingest.events_max, value::count(text, 1, 100_000));
    "max_body_bytes" Number "BYTES" = "4194304", "Bytes of one body, after decompression", "1024 to 67108864",
        |draft, text| put(&mut draft.ingest.body_bytes_max, value::count(text, 1_024, 64 * 1024 * 1024));
    "max_body_bytes_in_flight" Number "BYTES" = "16777216", "Bytes of bodies held at once over all requests",
        "max_body_bytes to 1073741824",
        |draft, text| put(&mut draft.api.body_bytes_in_flight_max, value::count(text, 1_024, 1024 * 1024 * 1024));
    "max_event_age_seconds" Number "SECONDS" = "3024000", "How old an event's time may be", "60 to 34560000 (400 days)",
        |draft, text| put(&mut draft.ingest.age_max, seconds(text, 60, 34_560_000));
    "max_event_ahead_seconds" Number "SECONDS" = "300", "How far ahead of the clock an event's time may be", "0 to 86400",
        |draft, text| put(&mut draft.ingest.ahead_max, seconds(text, 0, 86_400));
    "max_connections" Number "COUNT" = "512", "Connections served at once", "1 to 65536",
        |draft, text| put(&mut draft.net.connections_max, value::count(text, 1, 65_536));
    "header_timeout_seconds" Number "SECONDS" = "5", "How long a request's headers may take", "0.1 to 3600",
        |draft, text| put(&mut draft.net.header_timeout, value::timeout(text));
    "body_timeout_seconds" Number "SECONDS" = "10", "How long a request's body may take", "0.1 to 3600",
        |draft, text| put(&mut draft.api.body_timeout, value::timeout(text));
    "idle_timeout_seconds" Number "SECONDS" = "60", "How long a connection may stay without a request", "0.1 to 3600",
        |draft, text| put(&mut draft.net.idle_timeout, value::timeout(text));
    "retention_days" Number "DAYS" = "none", "Days that single events are kept; sums are kept for ever",
        "36 to 36500, or none to keep all",
        |draft, text| put(&mut draft.ledger.retention_days, value::retention_days(text, RETENTION_DAYS_MIN));
    "metric_services_max" Number "COUNT" = "200", "Services that metrics name; the rest is added up under other", "1 to 2000",
        |draft, text| put(&mut draft.series.services_max, value::count(text, 1, 2_000));
    "metric_pairs_max" Number "COUNT" = "2000", "Pairs of service and operation that metrics name",
        "metric_services_max to 20000",
        |draft, text| put(&mut draft.series.pairs_max, value::count(text, 1, 20_000));
    "max_open_reservations" Number "COUNT" = "200000", "Reservations that are open at once", "1 to 1000000",
        |draft, text| put(&mut draft.holds_max, value::count(text, 1, 1_000_000));
    "webhook_url" Secret "URL" = "", "Where messages about budgets and the gate are sent; more in the file, as [[webhook]]",
        value::WEBHOOK_URL,
        |draft, text| put(&mut draft.webhook.url, value::webhook_url(text).map(Some));
    "webhook_format" Text "FORMAT" = "json", "How the messages to webhook_url are written", value::WEBHOOK_FORMAT,
        |draft, text| put(&mut draft.webhook.format, value::webhook_format(text));
    "webhook_secret_file" Text "FILE" = "", "File of the secret that the messages to webhook_url are signed with", "a path",
        |draft, text| put(&mut draft.webhook.secret_file, value::path(text).map(Some));
};

fn seconds(text: &str, least: u64, most: u64) -> Result<SignedDuration, String> {
    value::whole(text, least, most).map(|seconds| SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX)))
}
