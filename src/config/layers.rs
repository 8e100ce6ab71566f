//! The layers of settings put on top of each other: default, file, environment, flags.
//!
//! *Invariants.* A wrong value leaves what was there and is noted, so that everything wrong is found in one go.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use jiff::SignedDuration;

use super::budgets::{self, BudgetTable, Budgets};
use super::caps::{Cap, is_cap};
use super::otel::{self, Wrong};
use super::problem::{Origin, Problem, Problems, quoted};
use super::section::Section;
use super::table::{Draft, SETTINGS, Setting, Shape};
use super::webhooks::{self, WebhookDraft, Webhooks};
use super::{Config, Shown, ShownBudget, ShownWebhook, Sources, file, tokens};
use crate::api::{self, Token};
use crate::budget::Policy;
use crate::telemetry::{self, LogFormat, LogSettings, OtlpSettings};
use crate::views::SeriesLimits;
use crate::{net, notify, writer};

/// The layers put on top of each other, with what was wrong on the way.
#[derive(Default)]
pub(super) struct Layers {
    pub draft: Draft,
    /// By key: the text that won, and where it came from.
    winners: BTreeMap<&'static str, (String, Origin)>,
    /// Those of the file before those of the environment.
    caps: Vec<Cap>,
    budget_tables: Vec<Section<BudgetTable>>,
    webhook_tables: Vec<Section<WebhookDraft>>,
    problems: Vec<Problem>,
    warnings: Vec<String>,
}

/// What is made from several settings at once.
pub(super) struct Resolved {
    pub tokens: Vec<Token>,
    pub otlp: OtlpSettings,
    pub budgets: Budgets,
    pub webhooks: Webhooks,
}

impl Layers {
    /// Reads every layer, the lowest first.
    pub fn read(sources: &Sources) -> Self {
        let mut layers = Self::default();
        for setting in SETTINGS.iter().filter(|setting| !setting.default.is_empty()) {
            layers.put(setting, setting.default, Origin::Default);
        }
        layers.put_file(sources);
        layers.put_environment(sources);
        for (key, text) in &sources.flags {
            if let Some(setting) = Setting::find(key) {
                layers.put(setting, text, Origin::Flag(setting.flag().into()));
            }
        }
        layers
    }

    fn put_file(&mut self, sources: &Sources) {
        let Some(path) = sources.config_path() else { return };
        let named_by = match &sources.config_flag {
            Some(_) => Origin::Flag("config".into()),
            None => Origin::Environment("CONFIG_FILE".into()),
        };
        let written = file::read(&path, named_by);
        self.problems.extend(written.problems);
        self.caps = written.caps;
        self.budget_tables = written.budgets;
        self.webhook_tables = written.webhooks;
        for entry in written.entries {
            self.put(entry.setting, &entry.text, entry.origin);
        }
    }

    fn put_environment(&mut self, sources: &Sources) {
        for setting in SETTINGS.iter() {
            let name = setting.environment_name();
            if sources.not_utf8.contains(&name) {
                self.problem(setting, Origin::Environment(name), "is not UTF-8 text".into());
            } else if let Some(text) = sources.variable(&name) {
                self.put(setting, text, Origin::Environment(name));
            }
        }
        // Caps are no settings of the table: their names are the operator's own.
        for name in sources.environment.keys().chain(&sources.not_utf8) {
            let key = name.to_lowercase();
            let text = match sources.variable(name) {
                _ if !is_cap(&key) => continue,
                _ if sources.not_utf8.contains(name) => Err("is not UTF-8 text".to_owned()),
                None => continue,
                Some(text) => Ok(text.to_owned()),
            };
            match Cap::read(&key, text, Origin::Environment(name.clone())) {
                Ok(cap) => self.caps.push(cap),
                Err(problem) => self.problems.push(problem),
            }
        }
    }

    /// Puts one value over what was there; a wrong one leaves it and is noted.
    fn put(&mut self, setting: &'static Setting, text: &str, origin: Origin) {
        // Blanks around a value come from hand-written env files. In a secret they are looked at, not dropped.
        let text = if setting.shape == Shape::Secret { text } else { text.trim() };
        match (setting.set)(&mut self.draft, text) {
            Ok(()) => {
                let shown = if setting.is_secret() { "•••".to_owned() } else { text.to_owned() };
                self.winners.insert(setting.key, (shown, origin));
            }
            Err(wrong) => {
                let value =
                    if setting.is_secret() || text.is_empty() { String::new() } else { format!("{} ", quoted(text)) };
                self.problem(setting, origin, format!("{value}{wrong}; allowed: {}", setting.allowed));
            }
        }
    }

    /// Fails on any problem.
    pub fn sound(self) -> Result<Self, Problems> {
        if self.problems.is_empty() { Ok(self) } else { Err(Problems(self.problems)) }
    }

    /// Fails on problems with these settings only.
    pub fn only_about(mut self, keys: &[&str]) -> Result<Self, Problems> {
        self.problems.retain(|problem| problem.setting.is_some_and(|setting| keys.contains(&setting)));
        self.sound()
    }

    fn problem(&mut self, setting: &'static Setting, origin: Origin, detail: String) {
        self.problems.push(Problem { setting: Some(setting.key), origin, detail });
    }

    /// All tokens of both settings; what is wrong with the file of tokens is noted.
    pub fn tokens(&mut self) -> Vec<Token> {
        let mut tokens: Vec<Token> = self.draft.token.clone().into_iter().collect();
        let Some(path) = self.draft.token_file.clone() else { return tokens };
        match tokens::read(&path) {
            Ok(found) => {
                self.warnings.extend(file::exposure("api_token_file", &path));
                tokens.extend(found);
            }
            Err(details) => {
                for detail in details {
                    let origin = self.origin_of("api_token_file");
                    self.problems.push(Problem { setting: Some("api_token_file"), origin, detail });
                }
            }
        }
        tokens
    }

    /// What is pushed. Broken rules between its settings are noted, and what is set without effect.
    pub fn otlp(&mut self, sources: &Sources) -> OtlpSettings {
        let (otlp, wrong) = otel::resolve(&self.draft.otel, &self.draft.environment, self.draft.port);
        for Wrong { keys: [first, second], detail } in wrong {
            let named = if self.origin_of(first) == Origin::Default { second } else { first };
            self.problems.push(Problem { setting: Some(named), origin: self.origin_of(named), detail });
        }
        let asked = ["otel_metrics_exporter", "otel_traces_exporter", "otel_logs_exporter"];
        for (key, pushed) in asked.into_iter().zip([&otlp.metrics, &otlp.traces, &otlp.logs]) {
            if pushed.is_none() && self.winners.get(key).is_some_and(|(text, _)| text.eq_ignore_ascii_case("otlp")) {
                self.warnings.push(format!("{key} is otlp, but without an endpoint nothing is pushed"));
            }
        }
        let pushed = [&otlp.metrics, &otlp.traces, &otlp.logs].into_iter().flatten();
        for endpoint in otel::suspicious(pushed) {
            self.warnings.push(format!("{endpoint}: port 4317 is the one of gRPC, and the protocol is http/protobuf"));
        }
        let unknown =
            sources.environment.keys().filter(|name| name.starts_with("OTEL_") && sources.variable(name).is_some());
        for name in unknown.filter(|name| Setting::find(&name.to_ascii_lowercase()).is_none()) {
            self.warnings.push(format!("{name} has no effect on this agent"));
        }
        otlp
    }

    /// All budgets. Names that are taken are noted, and what is probably not meant.
    pub fn budgets(&mut self) -> Budgets {
        let mut found = budgets::resolve(budgets::Written {
            daily: (self.draft.daily.clone(), self.origin_of("daily_budget")),
            monthly: (self.draft.monthly.clone(), self.origin_of("monthly_budget")),
            tables: std::mem::take(&mut self.budget_tables),
            caps: std::mem::take(&mut self.caps),
        });
        self.problems.append(&mut found.problems);
        self.warnings.append(&mut found.warnings);
        found
    }

    /// Who is told. What is wrong with the secrets is noted, and what is set without effect.
    pub fn webhooks(&mut self) -> Webhooks {
        let draft = self.draft.webhook.clone();
        // A URL that is wrong is noted already; its secret is looked at all the same, so that all mistakes are told at once.
        let is_wrong = self.problems.iter().any(|problem| problem.setting == Some("webhook_url"));
        let is_there = draft.url.is_some() || is_wrong;
        if !is_there {
            for key in ["webhook_format", "webhook_secret_file"] {
                if self.origin_of(key) != Origin::Default {
                    self.warnings.push(format!("{key} has no effect without webhook_url"));
                }
            }
        }
        let mut found = webhooks::resolve(webhooks::Written {
            single: is_there.then(|| Section { draft, origin: self.origin_of("webhook_url") }),
            single_secret: self.origin_of("webhook_secret_file"),
            tables: std::mem::take(&mut self.webhook_tables),
        });
        self.problems.append(&mut found.problems);
        self.warnings.append(&mut found.warnings);
        found
    }

    /// Rules between settings.
    pub fn check_relations(&mut self) {
        let draft = &self.draft;
        let (body, in_flight) = (draft.ingest.body_bytes_max, draft.api.body_bytes_in_flight_max);
        let (services, pairs) = (draft.series.services_max, draft.series.pairs_max);
        let age_days = draft.ingest.age_max.as_secs().div_euclid(86_400) + 1;
        let retention = draft.ledger.retention_days;
        if body > in_flight {
            let detail = format!("{in_flight} is below max_body_bytes ({body}): no body of that size could ever be taken");
            self.relation("max_body_bytes_in_flight", "max_body_bytes", detail);
        }
        if services > pairs {
            let detail = format!("{pairs} is below metric_services_max ({services}): each service needs a pair");
            self.relation("metric_pairs_max", "metric_services_max", detail);
        }
        if let Some(days) = retention.filter(|days| i64::from(*days) < age_days) {
            let detail = format!(
                "{days} is too short for max_event_age_seconds: an id must be remembered while its retry may come, \
                 {age_days} days"
            );
            self.relation("retention_days", "max_event_age_seconds", detail);
        }
    }

    /// A broken rule between two settings is told about the one that somebody set.
    fn relation(&mut self, first: &'static str, second: &'static str, detail: String) {
        let origin = match self.origin_of(first) {
            Origin::Default => self.origin_of(second),
            origin => origin,
        };
        self.problems.push(Problem { setting: None, origin, detail: format!("{first} {detail}") });
    }

    fn origin_of(&self, key: &str) -> Origin {
        self.winners.get(key).map_or(Origin::Default, |(_, origin)| origin.clone())
    }

    /// The settings, when nothing is wrong with them.
    pub fn into_config(self, resolved: Resolved, terminal: bool) -> Config {
        let Self { draft, mut winners, warnings, .. } = self;
        let format = draft.log_format.unwrap_or(LogFormat::default_for(terminal));
        let format_word = if format == LogFormat::Text { "text" } else { "json" };
        winners.entry("log_format").or_insert_with(|| (format_word.into(), Origin::Default));
        let shown = SETTINGS.iter().map(|setting| match winners.remove(setting.key) {
            Some((value, origin)) => Shown { key: setting.key, value: Some(value), origin },
            None => Shown { key: setting.key, value: None, origin: Origin::Default },
        });
        let Resolved { tokens, otlp, budgets, webhooks } = resolved;
        let shown_budgets = budgets.list.iter().map(|(budget, origin)| ShownBudget::of(budget, origin.clone())).collect();
        let shown_webhooks =
            webhooks.list.iter().map(|(webhook, origin)| ShownWebhook::of(webhook, origin.clone())).collect();
        let reserved: Arc<[_]> = budgets.list.iter().filter_map(|(budget, _)| budget.service.clone()).collect();
        let webhooks: Vec<_> = webhooks.list.into_iter().map(|(webhook, _)| webhook).collect();
        let series = SeriesLimits { reserved, ..draft.series };
        Config {
            shown: shown.collect(),
            shown_budgets,
            shown_webhooks,
            log: LogSettings { level: draft.log_level, format },
            policy: Arc::new(Policy {
                zone: draft.zone,
                budgets: budgets.list.into_iter().map(|(budget, _)| budget).collect(),
                gate_enabled: draft.gate_enabled,
                critical: draft.critical,
            }),
            net: net::Settings { listen: SocketAddr::new(draft.host, draft.port), ..draft.net },
            api: api::Settings { tokens, ..draft.api },
            writer: writer::Settings {
                series: series.clone(),
                age_max: draft.ingest.age_max,
                ahead_max: draft.ingest.ahead_max,
                holds_max: draft.holds_max,
                receivers: notify::receivers(&webhooks),
                retention: draft.ledger.retention_days.map(|days| SignedDuration::from_hours(24 * i64::from(days))),
            },
            ingest: draft.ingest,
            ledger: draft.ledger,
            telemetry: telemetry::Settings { environment: draft.environment, series, ..telemetry::Settings::default() },
            otlp,
            webhooks,
            warnings,
        }
    }
}
