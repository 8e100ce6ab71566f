//! From the layers to each stage's settings: files that settings name are read, and what was written in parts is put together.

use std::net::SocketAddr;
use std::sync::Arc;

use jiff::SignedDuration;

use super::budgets::resolve::{self as budgets, Budgets};
use super::draft::Setting;
use super::layers::Layers;
use super::loaded::Config;
use super::prices::resolve as prices;
use super::problem::{self, Placed, Problem, Problems};
use super::shown::{ShownBudget, ShownWebhook};
use super::sources::Sources;
use super::web;
use super::webhooks::resolve::{self as webhooks, Webhooks};
use super::{fleet, lookalikes, otel, page, relations, tokens};
use crate::api::{self, Token};
use crate::budget::{CriticalOperations, Policy};
use crate::error_chain::ErrorChain;
use crate::pricing::Book;
use crate::telemetry::otlp::host_name;
use crate::telemetry::{self, LogFormat, LogSettings, OtlpSettings};
use crate::views::SeriesLimits;
use crate::wire::Origin;
use crate::{net, notify, writer};

/// Everything the program was told, when nothing is wrong with it.
pub(super) fn finish(mut layers: Layers, sources: &Sources) -> Result<Config, Problems> {
    let tokens = read_tokens(&mut layers);
    resolve_web(&mut layers, &tokens);
    for conflict in relations::broken(&layers.draft) {
        layers.conflict(conflict);
    }
    let otlp = resolve_otlp(&mut layers, sources);
    let mut budgets = resolve_budgets(&mut layers);
    let agent = layers.draft.agent_name.clone().or_else(host_name);
    let fleet = fleet::resolve::resolve(&mut layers, &mut budgets, agent.as_deref());
    let webhooks = resolve_webhooks(&mut layers, &budgets);
    let book = resolve_prices(&mut layers);
    bound_writes(&mut layers);
    doubt_critical(&mut layers);
    judge_doubts(&mut layers, sources);
    let config = config(layers.sound()?, tokens, otlp, budgets, webhooks, book, sources.terminal);
    Ok(Config { fleet, ..config })
}

/// A pattern that matches every operation takes the brake off: probably it was meant for fewer.
fn doubt_critical(layers: &mut Layers) {
    let is_any = |pattern: &str| !pattern.is_empty() && pattern.bytes().all(|byte| byte == b'*');
    let is_all = |text: &&String| {
        let (service, operation) = text.split_once(':').unwrap_or(("*", text));
        is_any(service) && is_any(operation)
    };
    if let Some(pattern) = layers.draft.critical.iter().find(is_all) {
        let detail = format!("critical_operations has {pattern:?}: neither a limit nor the gate refuses anything");
        layers.doubts.push(detail);
    }
}

/// What is probably not meant is told, or wrong where the operator wants it to be.
fn judge_doubts(layers: &mut Layers, sources: &Sources) {
    let mut doubts: Vec<String> = lookalikes::find(sources).iter().map(ToString::to_string).collect();
    doubts.append(&mut layers.doubts);
    if sources.strict {
        let problem = |detail| Problem { setting: None, origin: problem::Origin::Flag("strict".into()), detail };
        layers.problems.extend(doubts.into_iter().map(problem));
    } else {
        layers.warnings.splice(0..0, doubts);
    }
}

/// Writes never take every connection; half of them at most, unless somebody wants more.
fn bound_writes(layers: &mut Layers) {
    let connections = layers.draft.net.connections_max;
    let is_wished = layers.text_of("max_writes_in_progress").is_some();
    let wanted = layers.draft.api.writes_in_progress_max;
    layers.draft.api.bound_waiting(connections, if is_wished { connections - 1 } else { connections.div_ceil(2) });
    let bounded = layers.draft.api.writes_in_progress_max;
    if bounded < wanted && is_wished {
        layers
            .warnings
            .push(format!("max_writes_in_progress ({wanted}) is not below max_connections ({connections}): {bounded} hold"));
    }
}

/// All tokens of both settings; what is wrong with the file of tokens is noted.
pub(super) fn read_tokens(layers: &mut Layers) -> Vec<Token> {
    let mut tokens: Vec<Token> = layers.draft.token.clone().into_iter().collect();
    if tokens.iter().any(tokens::looks_scoped) {
        layers
            .doubts
            .push("api_token looks like scope:name:token, which only api_token_file takes: it allows everything".into());
    }
    let Some(path) = layers.draft.token_file.clone() else { return tokens };
    match tokens::read(&path) {
        Ok(found) => {
            layers.warnings.extend(page::exposure("api_token_file", &path));
            if found.iter().any(|token| tokens.iter().any(|known| tokens::contradict(known, token))) {
                layers.wrong(
                    "api_token_file",
                    format!("{} has the token of api_token, and for something else", path.display()),
                );
            }
            tokens.extend(found);
        }
        Err(details) => details.into_iter().for_each(|detail| layers.wrong("api_token_file", detail)),
    }
    tokens
}

/// TLS, logins and headers. What is wrong with their file is noted, and what is probably not meant.
fn resolve_web(layers: &mut Layers, tokens: &[Token]) {
    let Some(path) = layers.draft.web_file.clone() else { return };
    let origin = layers.origin_of("web_config_file");
    let found = match web::load(&path, origin) {
        Ok(found) => found,
        Err(mut problems) => return layers.problems.append(&mut problems),
    };
    layers.warnings.extend(found.warnings);
    let others_write = !layers.draft.api.loopback_needs_token || layers.draft.net.write_socket.is_some();
    if !found.users.is_empty() && tokens.is_empty() && !others_write {
        let file = path.display();
        layers.warnings.push(format!("{file} has users and no token is set: nobody can write over the network"));
    }
    layers.draft.net.tls = found.tls;
    (layers.draft.api.users, layers.draft.api.headers) = (found.users, found.headers);
}

/// What is pushed. Broken rules between its settings are noted, and what is set without effect.
fn resolve_otlp(layers: &mut Layers, sources: &Sources) -> OtlpSettings {
    let (otlp, broken) = otel::resolve::resolve(&layers.draft.otel, &layers.draft.environment, layers.draft.port);
    broken.into_iter().for_each(|conflict| layers.conflict(conflict));
    let asked = ["otel_metrics_exporter", "otel_traces_exporter", "otel_logs_exporter"];
    for (key, pushed) in asked.into_iter().zip([&otlp.metrics, &otlp.traces, &otlp.logs]) {
        if pushed.is_none() && layers.text_of(key).is_some_and(|text| text.eq_ignore_ascii_case("otlp")) {
            layers.warnings.push(format!("{key} is otlp, but nothing is pushed without an endpoint"));
        }
    }
    let pushed = [&otlp.metrics, &otlp.traces, &otlp.logs].into_iter().flatten();
    for endpoint in otel::resolve::suspicious(pushed) {
        layers.warnings.push(format!("{endpoint}: port 4317 is usually gRPC, but the protocol is http/protobuf"));
    }
    let ours = |name: &str| Setting::find(&name.to_ascii_lowercase()).is_some();
    for name in sources.environment.keys().filter(|name| name.starts_with("OTEL_") && !ours(name)) {
        if sources.variable(name).is_some() {
            layers.warnings.push(format!("{name} has no effect on this agent"));
        }
    }
    otlp
}

/// All budgets. Names that are taken are noted, and what is probably not meant.
fn resolve_budgets(layers: &mut Layers) -> Budgets {
    let draft = &mut layers.draft;
    let (tables, caps) = (std::mem::take(&mut draft.budgets), std::mem::take(&mut draft.caps));
    let global = [
        Placed { value: layers.draft.daily.clone(), origin: layers.origin_of("daily_budget") },
        Placed { value: layers.draft.monthly.clone(), origin: layers.origin_of("monthly_budget") },
    ];
    let mut found = budgets::resolve(global, tables, caps);
    layers.problems.append(&mut found.problems);
    layers.doubts.append(&mut found.doubts);
    found
}

/// Who is told. What is wrong with the secrets is noted, and what is set without effect.
fn resolve_webhooks(layers: &mut Layers, budgets: &Budgets) -> Webhooks {
    let value = layers.draft.webhook.clone();
    // A URL that is wrong is noted already; its secret is looked at all the same, so that all mistakes are told at once.
    let is_wrong = layers.problems.iter().any(|problem| problem.setting == Some("webhook_url"));
    let is_there = value.url.is_some() || is_wrong;
    if !is_there {
        for key in ["webhook_format", "webhook_secret_file"] {
            if layers.text_of(key).is_some() {
                layers.warnings.push(format!("{key} has no effect without webhook_url"));
            }
        }
    }
    let single = Placed { value, origin: layers.origin_of("webhook_url") };
    let single = is_there.then(|| (single, layers.origin_of("webhook_secret_file")));
    let mut found = webhooks::resolve(single, std::mem::take(&mut layers.draft.webhooks));
    layers.problems.append(&mut found.problems);
    layers.warnings.append(&mut found.warnings);
    layers.doubts.extend(found.doubts(budgets.list.iter().map(|(budget, _)| budget.name.as_str())));
    found
}

/// What calls cost. What is wrong with the prices is noted, and what is probably not meant.
fn resolve_prices(layers: &mut Layers) -> Arc<Book> {
    let path = layers.draft.prices_file.clone();
    let file = path.as_deref().map(|path| (path, layers.origin_of("prices_file")));
    let mut found = prices::resolve(std::mem::take(&mut layers.draft.prices), file);
    // Where anything is wrong, a table may be without its price, and there is nothing to start with.
    let book = if layers.problems.is_empty() && found.problems.is_empty() { found.book() } else { Ok(Arc::default()) };
    layers.problems.append(&mut found.problems);
    layers.doubts.append(&mut found.doubts);
    book.unwrap_or_else(|error| {
        let detail = format!("cannot be read: {}", ErrorChain(&error));
        layers.problems.push(Problem { setting: Some("price"), origin: problem::Origin::Default, detail });
        Arc::default()
    })
}

fn config(
    layers: Layers,
    tokens: Vec<Token>,
    otlp: OtlpSettings,
    budgets: Budgets,
    webhooks: Webhooks,
    book: Arc<Book>,
    terminal: bool,
) -> Config {
    let mut shown = layers.shown();
    let Layers { draft, warnings, .. } = layers;
    let format = draft.log_format.unwrap_or(LogFormat::default_for(terminal));
    for log_format in shown.iter_mut().filter(|shown| shown.key == "log_format") {
        let word = if format == LogFormat::Text { "text" } else { "json" };
        log_format.value.get_or_insert_with(|| word.into());
    }
    let shown_budgets = budgets.list.iter().map(|(budget, origin)| ShownBudget::of(budget, origin.clone())).collect();
    let shown_webhooks = webhooks.list.iter().map(|(webhook, origin)| ShownWebhook::of(webhook, origin.clone())).collect();
    let budgets: Vec<_> = budgets.list.into_iter().map(|(budget, _)| budget).collect();
    let webhooks: Vec<_> = webhooks.list.into_iter().map(|(webhook, _)| webhook).collect();
    let policy = Policy {
        zone: draft.zone,
        budgets,
        gate_enabled: draft.gate_enabled,
        critical: CriticalOperations::new(draft.critical),
    };
    let series = SeriesLimits { reserved: policy.services().collect(), ..draft.series };
    Config {
        log: LogSettings { level: draft.log_level, format },
        policy: Arc::new(policy),
        net: net::Settings { listen: SocketAddr::new(draft.host, draft.port), ..draft.net },
        api: api::Settings { tokens, ..draft.api },
        writer: writer::Settings {
            series: series.clone(),
            age_max: draft.ingest.age_max,
            ahead_max: draft.ingest.ahead_max,
            holds_max: draft.holds_max,
            budget_keys_max: draft.budget_keys_max,
            receivers: notify::receivers(&webhooks),
            origin: Origin {
                agent: draft.agent_name.or_else(host_name).unwrap_or_else(|| env!("CARGO_PKG_NAME").to_owned()),
                environment: draft.environment.clone(),
            },
            retention: draft.ledger.retention_days.map(|days| SignedDuration::from_hours(24 * i64::from(days))),
        },
        calls: draft.calls,
        ingest: draft.ingest.within_retention(draft.ledger.retention_days),
        book,
        ledger: draft.ledger,
        telemetry: telemetry::Settings { environment: draft.environment, series, ..telemetry::Settings::default() },
        otlp,
        fleet: None,
        webhooks,
        shown,
        shown_budgets,
        shown_webhooks,
        warnings,
    }
}
