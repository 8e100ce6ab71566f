//! Settings: flag over environment over file over default, checked as a whole before anything is bound.
//!
//! *Invariants.* Every setting can be given in every layer under one name (see [`SETTINGS`]). A wrong value is a problem also
//! where a higher layer overrides it. All problems are found in one go. No secret is ever part of a text.
//!
//! *Limits.* [`FILE_BYTES_MAX`], [`TOKEN_FILE_BYTES_MAX`], [`TOKENS_MAX`].
//!
//! *Deliberately not here.* What a setting does: each stage owns its own settings type, and this module only fills them in.

mod file;
mod otel;
mod problem;
mod sources;
mod table;
mod tokens;
mod value;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::api::Token;
use crate::budget::{Budget, Policy};
use crate::domain::PeriodKind;
use crate::telemetry::{LogFormat, LogSettings, OtlpSettings};
use crate::views::SeriesLimits;
use crate::{api, ingest, ledger};

pub use file::FILE_BYTES_MAX;
pub use problem::{Origin, Problem, Problems};
pub use sources::Sources;
pub use table::{SETTINGS, Setting};
pub use tokens::{TOKEN_FILE_BYTES_MAX, TOKENS_MAX};

use otel::Wrong;
use table::{BudgetDraft, Draft, Shape};

/// Everything the program was told, valid as a whole.
#[derive(Clone, Debug)]
pub struct Config {
    /// The log.
    pub log: LogSettings,
    /// Name of the deployment (`ENVIRONMENT`).
    pub environment: String,
    /// Budgets and gate.
    pub policy: Policy,
    /// The HTTP surface.
    pub api: api::Settings,
    /// Events and requests.
    pub ingest: ingest::Limits,
    /// The ledger.
    pub ledger: ledger::Settings,
    /// The series of the metrics.
    pub series: SeriesLimits,
    /// The push over OTLP.
    pub otlp: OtlpSettings,
    /// Every setting as it holds, for people to read.
    pub shown: Vec<Shown>,
    /// What is allowed and probably not meant.
    pub warnings: Vec<String>,
}

/// One setting as it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The setting's key.
    pub key: &'static str,
    /// The text that won; `None` when it is not set. Secrets are dots.
    pub value: Option<String>,
    /// Where it came from.
    pub origin: Origin,
}

/// Reads every layer and checks the whole.
///
/// # Errors
/// Everything that is wrong, with where it was written.
pub fn load(sources: &Sources) -> Result<Config, Problems> {
    let mut layers = Layers::read(sources);
    let tokens = layers.tokens();
    layers.check_relations();
    let otlp = layers.otlp(sources);
    if !layers.problems.is_empty() {
        return Err(Problems(layers.problems));
    }
    Ok(layers.into_config(tokens, otlp, sources.terminal))
}

/// Where the agent with these settings listens. Problems elsewhere are let be: a probe must not fail on a setting it has no use
/// for.
///
/// # Errors
/// What is wrong with the address.
pub fn load_address(sources: &Sources) -> Result<SocketAddr, Problems> {
    let layers = Layers::read(sources).only_about(&["metrics_host", "metrics_port"])?;
    Ok(SocketAddr::new(layers.draft.host, layers.draft.port))
}

/// A token that allows writing to the agent with these settings, if any is set; the first one. Problems elsewhere are let be.
///
/// # Errors
/// What is wrong with the tokens.
pub fn load_token(sources: &Sources) -> Result<Option<Token>, Problems> {
    let mut layers = Layers::read(sources);
    let token = layers.tokens().into_iter().next();
    layers.only_about(&["api_token", "api_token_file"])?;
    Ok(token)
}

/// The layers put on top of each other, with what was wrong on the way.
struct Layers {
    draft: Draft,
    /// By key: the text that won, and where it came from.
    winners: BTreeMap<&'static str, (String, Origin)>,
    problems: Vec<Problem>,
    warnings: Vec<String>,
}

impl Layers {
    fn read(sources: &Sources) -> Self {
        let mut layers =
            Self { draft: Draft::default(), winners: BTreeMap::new(), problems: Vec::new(), warnings: Vec::new() };
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
        let (entries, problems) = file::read(&path, named_by);
        self.problems.extend(problems);
        for entry in entries {
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
        // A brake that silently is not there is worse than a refusal to start.
        for name in sources.environment.keys() {
            if file::is_cap(&name.to_ascii_lowercase()) && sources.variable(name).is_some() {
                let detail = "limits of single services are not supported by this version".into();
                self.problems.push(Problem { setting: None, origin: Origin::Environment(name.clone()), detail });
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

    /// Fails on problems with these settings only.
    fn only_about(mut self, keys: &[&str]) -> Result<Self, Problems> {
        self.problems.retain(|problem| problem.setting.is_some_and(|setting| keys.contains(&setting)));
        if self.problems.is_empty() { Ok(self) } else { Err(Problems(self.problems)) }
    }

    fn problem(&mut self, setting: &'static Setting, origin: Origin, detail: String) {
        self.problems.push(Problem { setting: Some(setting.key), origin, detail });
    }

    /// All tokens of both settings; what is wrong with the file of tokens is noted.
    fn tokens(&mut self) -> Vec<Token> {
        let mut tokens: Vec<Token> = self.draft.token.clone().into_iter().collect();
        let Some(path) = self.draft.token_file.clone() else { return tokens };
        match tokens::read(&path) {
            Ok(found) => {
                self.warnings.extend(tokens::exposure(&path));
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
    fn otlp(&mut self, sources: &Sources) -> OtlpSettings {
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

    /// Rules between settings.
    fn check_relations(&mut self) {
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

    fn into_config(self, tokens: Vec<Token>, otlp: OtlpSettings, terminal: bool) -> Config {
        let Self { draft, mut winners, warnings, .. } = self;
        let format = draft.log_format.unwrap_or(LogFormat::default_for(terminal));
        let format_word = if format == LogFormat::Text { "text" } else { "json" };
        winners.entry("log_format").or_insert_with(|| (format_word.into(), Origin::Default));
        let budgets: Vec<Budget> =
            [("daily", PeriodKind::Daily, draft.daily), ("monthly", PeriodKind::Monthly, draft.monthly)]
                .into_iter()
                .filter_map(|(name, period, parts)| global_budget(name, period, &parts))
                .collect();
        let reserved: Arc<[_]> = budgets.iter().filter_map(|budget| budget.service.clone()).collect();
        let shown = SETTINGS.iter().map(|setting| match winners.remove(setting.key) {
            Some((value, origin)) => Shown { key: setting.key, value: Some(value), origin },
            None => Shown { key: setting.key, value: None, origin: Origin::Default },
        });
        Config {
            shown: shown.collect(),
            log: LogSettings { level: draft.log_level, format },
            environment: draft.environment,
            policy: Policy { zone: draft.zone, budgets, gate_enabled: draft.gate_enabled },
            api: api::Settings { listen: SocketAddr::new(draft.host, draft.port), tokens, ..draft.api },
            ingest: draft.ingest,
            ledger: draft.ledger,
            series: SeriesLimits { reserved, ..draft.series },
            otlp,
            warnings,
        }
    }
}

/// A limit of `none` makes no budget.
fn global_budget(name: &str, period: PeriodKind, parts: &BudgetDraft) -> Option<Budget> {
    let limit = parts.limit?;
    Some(Budget { name: name.into(), service: None, period, limit, warn_at: parts.warn_at, gate_at: parts.gate_at })
}

/// A value as it is repeated in a problem: quoted, not endless, and of a URL no part that could be a secret.
fn quoted(text: &str) -> String {
    const CHARS_MAX: usize = 60;
    let text = match text.split_once("://") {
        Some((scheme, rest)) if rest.contains(['@', '?', '#']) => format!("{scheme}://…"),
        _ => text.to_owned(),
    };
    match text.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

#[cfg(test)]
mod tests;
