//! The list of all settings, and the tables that the file may have. Flags, environment names, keys of the file, `--help` and
//! `check-config` are made from it. A default stands where the value goes: in the settings of the stage, or in [`Draft`](super::draft::Draft).

use std::sync::LazyLock;

use super::draft::Setting;
use super::kinds::{
    boolean, call_key, cost_from, count, days_or_none, event_usd, host, hosts, label, level, limit, listen, log_format,
    operations, path, port, roads, seconds, share, shares, socket, timeout, token, webhook_format, webhook_url, zone,
};
use super::{budgets, fleet, otel, prices, webhooks};
use crate::ledger::RETENTION_DAYS_MIN;

/// Every setting that all layers may have, in the order in which they are shown.
pub static SETTINGS: LazyLock<Vec<Setting>> = LazyLock::new(|| {
    let own = [process(), budget(), access(), bounds(), calls(), kept(), webhook(), fleet::settings::all()];
    own.into_iter().flatten().chain(otel::settings::all()).collect()
});

/// What only the file may have.
pub(super) static TABLES: LazyLock<Vec<Setting>> = LazyLock::new(|| {
    vec![budgets::fields::setting().reloaded(), prices::resolve::setting().reloaded(), webhooks::fields::setting()]
});

impl Setting {
    /// The setting with this key.
    pub fn find(key: &str) -> Option<&'static Self> {
        SETTINGS.iter().find(|setting| setting.key == key)
    }
}

fn process() -> Vec<Setting> {
    vec![
        Setting::new("metrics_host", "Address to listen on", host(), |to| &mut to.host),
        Setting::new("metrics_port", "Port to listen on; 0 picks a free one", port(), |to| &mut to.port),
        Setting::new("log_level", "Least severe level that is logged", level(), |to| &mut to.log_level),
        Setting::new(
            "log_format",
            "How the log is written; default: text on a terminal, otherwise json",
            log_format().optional(),
            |to| &mut to.log_format,
        ),
        Setting::new(
            "environment",
            "Name of the deployment, shown in lead_factory_build_info and in webhooks",
            label(),
            |to| &mut to.environment,
        ),
        Setting::new(
            "agent_name",
            "Name of this agent, shown in webhooks; default: the host's name",
            label().optional(),
            |to| &mut to.agent_name,
        ),
        Setting::new("db_path", "File of the ledger; its folder is created if missing", path(), |to| &mut to.ledger.path),
    ]
}

fn budget() -> Vec<Setting> {
    let settings = vec![
        Setting::new("daily_budget", "Limit per day for all services together", limit(), |to| &mut to.daily.limit),
        Setting::new("monthly_budget", "Limit per month for all services together", limit(), |to| &mut to.monthly.limit),
        Setting::new(
            "daily_alert_threshold",
            "Share of the daily limit at which its state becomes warning",
            shares(),
            |to| &mut to.daily.budget.warn_at,
        ),
        Setting::new(
            "monthly_alert_threshold",
            "Share of the monthly limit at which its state becomes warning",
            shares(),
            |to| &mut to.monthly.budget.warn_at,
        ),
        Setting::new(
            "scaling_gate_enabled",
            "Whether the scaling gate may become active; false only watches",
            boolean(),
            |to| &mut to.gate_enabled,
        ),
        Setting::new(
            "scaling_gate_daily_threshold",
            "Share of the daily limit at which the gate becomes active",
            share(),
            |to| &mut to.daily.budget.gate_at,
        ),
        Setting::new(
            "scaling_gate_monthly_threshold",
            "Share of the monthly limit at which the gate becomes active",
            share(),
            |to| &mut to.monthly.budget.gate_at,
        ),
    ];
    let mut settings: Vec<_> = settings.into_iter().map(Setting::reloaded).collect();
    settings
        .push(Setting::new("budget_timezone", "Time zone in which days and months are counted", zone(), |to| &mut to.zone));
    settings.push(
        Setting::new(
            "critical_operations",
            "Operations that are never refused, whatever the gate and the budgets say",
            operations(),
            |to| &mut to.critical,
        )
        .reloaded(),
    );
    settings
}

fn access() -> Vec<Setting> {
    vec![
        Setting::new(
            "api_token",
            "Token that allows writing; better given in a file, where no process list shows it",
            token(),
            |to| &mut to.token,
        )
        .reloaded(),
        Setting::new(
            "api_token_file",
            "File of tokens that allow writing, one per line; in addition to api_token",
            path().optional(),
            |to| &mut to.token_file,
        )
        .reloaded(),
        Setting::new(
            "loopback_needs_token",
            "Whether writes from this host need a token too, where tokens are set",
            boolean(),
            |to| &mut to.api.loopback_needs_token,
        ),
        Setting::new(
            "write_socket",
            "Unix socket at which everything is answered without a token; for its owner and group",
            socket(),
            |to| &mut to.net.write_socket,
        ),
        Setting::new(
            "web_config_file",
            "File of TLS, logins and headers, as Prometheus and its exporters take it (--web.config.file)",
            path().optional(),
            |to| &mut to.web_file,
        )
        .reloaded(),
        Setting::new(
            "health_without_login",
            "Whether /-/healthy and /-/ready answer without a login, where reading asks for one",
            boolean(),
            |to| &mut to.api.health_without_login,
        ),
        Setting::new(
            "allowed_hosts",
            "Host names, besides IP addresses and localhost, that writes may be addressed to",
            hosts(),
            |to| &mut to.api.allowed_hosts,
        ),
    ]
}

fn bounds() -> Vec<Setting> {
    vec![
        Setting::new("max_event_usd", "Largest amount of one event, positive or negative", event_usd(), |to| {
            &mut to.ingest.event_usd_max
        }),
        Setting::new("max_events_per_request", "Events in one request", count("COUNT", 1, 100_000), |to| {
            &mut to.ingest.events_max
        }),
        Setting::new("max_body_bytes", "Bytes of one body, after decompression", count("BYTES", 1_024, 64 << 20), |to| {
            &mut to.ingest.body_bytes_max
        }),
        Setting::new(
            "max_body_bytes_in_flight",
            "Bytes of bodies held at once, over all requests",
            count("BYTES", 1_024, 1 << 30),
            |to| &mut to.api.body_bytes_in_flight_max,
        )
        .allowing("max_body_bytes to 1073741824"),
        Setting::new("max_event_age_seconds", "How old a charge's time may be", seconds(60, 34_560_000), |to| {
            &mut to.ingest.age_max
        })
        .allowing("60 to 34560000 (400 days)"),
        Setting::new(
            "max_credit_age_seconds",
            "How old a credit's time may be; never older than retention_days keeps events",
            seconds(60, 34_560_000),
            |to| &mut to.ingest.credit_age_max,
        )
        .allowing("60 to 34560000 (400 days)"),
        Setting::new(
            "max_event_ahead_seconds",
            "How far ahead of the clock an event's time may be",
            seconds(0, 86_400),
            |to| &mut to.ingest.ahead_max,
        ),
        Setting::new("max_connections", "Connections served at once", count("COUNT", 1, 65_536), |to| {
            &mut to.net.connections_max
        }),
        Setting::new(
            "max_writes_in_progress",
            "Writes in progress at once; always fewer than max_connections, so that reads find room",
            count("COUNT", 1, 65_535),
            |to| &mut to.api.writes_in_progress_max,
        ),
        Setting::new("header_timeout_seconds", "How long a request's headers may take", timeout(), |to| {
            &mut to.net.header_timeout
        }),
        Setting::new("body_timeout_seconds", "How long a request's body may take", timeout(), |to| &mut to.api.body_timeout),
        Setting::new("idle_timeout_seconds", "How long a connection may stay idle between requests", timeout(), |to| {
            &mut to.net.idle_timeout
        }),
    ]
}

fn calls() -> Vec<Setting> {
    vec![
        Setting::new(
            "prices_file",
            "File of prices that go before the program's own: [[price]] tables, LiteLLM's JSON or models.dev's",
            path().optional(),
            |to| &mut to.prices_file,
        )
        .reloaded(),
        Setting::new(
            "otlp_http_listen",
            "Address and port at which only OTLP over HTTP is taken, such as 127.0.0.1:4318",
            listen(),
            |to| &mut to.net.otlp_http_listen,
        ),
        Setting::new(
            "otlp_grpc_listen",
            "Address and port at which OTLP over gRPC is taken, such as 127.0.0.1:4317",
            listen(),
            |to| &mut to.net.otlp_grpc_listen,
        ),
        Setting::new("cost_from", "Which cost of a call is recorded, where both are known", cost_from(), |to| {
            &mut to.calls.cost_from
        }),
        Setting::new(
            "charge_from",
            "Which road charges a provider's calls, where several tell them under different ids",
            roads(),
            |to| &mut to.calls.charge_from,
        ),
        Setting::new("ingest_batch_key", "Attribute or metadata that names a call's batch", call_key(), |to| {
            &mut to.calls.keys.batch
        }),
        Setting::new("ingest_lead_key", "Attribute or metadata that names a call's lead", call_key(), |to| {
            &mut to.calls.keys.lead
        }),
        Setting::new(
            "max_ingest_body_bytes",
            "Bytes of one body of calls, after decompression",
            count("BYTES", 1_024, 1 << 30),
            |to| &mut to.api.ingest_body_bytes_max,
        ),
    ]
}

fn kept() -> Vec<Setting> {
    vec![
        Setting::new(
            "retention_days",
            "Days that single events are kept; sums are kept for ever",
            days_or_none(RETENTION_DAYS_MIN),
            |to| &mut to.ledger.retention_days,
        ),
        Setting::new(
            "metric_services_max",
            "Services with a name of their own in metrics; the rest is summed up under other",
            count("COUNT", 1, 2_000),
            |to| &mut to.series.services_max,
        ),
        Setting::new(
            "metric_pairs_max",
            "Pairs of service and operation with a name of their own in metrics",
            count("COUNT", 1, 20_000),
            |to| &mut to.series.pairs_max,
        )
        .allowing("metric_services_max to 20000"),
        Setting::new("max_open_reservations", "Reservations that may be open at once", count("COUNT", 1, 1_000_000), |to| {
            &mut to.holds_max
        }),
        Setting::new(
            "budget_keys_max",
            "Keys of budgets with each that are kept in memory",
            count("COUNT", 1_000, 10_000_000),
            |to| &mut to.budget_keys_max,
        ),
    ]
}

fn webhook() -> Vec<Setting> {
    vec![
        Setting::new(
            "webhook_url",
            "Where messages about budgets and the gate are sent; more in the file, as [[webhook]]",
            webhook_url(),
            |to| &mut to.webhook.url,
        ),
        Setting::new("webhook_format", "How messages to webhook_url are written", webhook_format(), |to| {
            &mut to.webhook.format
        }),
        Setting::new(
            "webhook_secret_file",
            "File of the secret that messages to webhook_url are signed with",
            path().optional(),
            |to| &mut to.webhook.secret_file,
        ),
    ]
}
