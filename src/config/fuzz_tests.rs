//! Settings and the web configuration, whatever somebody writes: what is accepted is shown, and means the same when it is written down again.
#![allow(clippy::panic, reason = "what does not hold stops whoever looks")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use warp::http::HeaderValue;

use super::problem::{Origin, Problem};
use super::{Config, Problems, SETTINGS, Setting, ShownBudget, Sources, load, web as web_file};
use crate::api::PasswordHash;
use crate::domain::Usd;

/// A file of settings; below a line `===` lines `NAME=value` for the environment and `--key=value` for flags.
pub fn settings(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (file, others) = text.split_once("\n===\n").unwrap_or((text, ""));
    let Some(folder) = tempfile::tempdir().ok() else { return };
    let Some(sources) = sources(folder.path(), file, others) else { return };
    let config = match load(&sources) {
        Ok(config) => config,
        Err(Problems(problems)) => {
            assert!(!problems.is_empty());
            problems.iter().for_each(|problem| check_problem(problem, file, &sources));
            return;
        }
    };
    check_origins(&config, &sources);
    check_secrets(&config, &sources);
    check_strict(&config, &sources);
    check_moved(&config, &sources, file);
    // As it is shown, over what was there: the layers below say nothing else then.
    let told = config.shown.iter().filter(|shown| shown.origin != Origin::Default && !is_secret(shown.key));
    let flags: Vec<(String, String)> = told.filter_map(|shown| Some((shown.key.to_owned(), shown.value.clone()?))).collect();
    let as_shown = flags.clone();
    assert_same(&config, load(&Sources { flags, ..sources.clone() }), "as flags");
    // And in place of what the environment says.
    let mut environment = sources.environment.clone();
    let variable = |(key, value): &(String, String)| Some((Setting::find(key)?.environment_name(), value.clone()));
    environment.extend(as_shown.iter().filter_map(variable));
    // An empty variable counts as none.
    if as_shown.iter().all(|(_, value)| !value.is_empty()) {
        let flags = sources.flags.iter().filter(|(key, _)| is_secret(key)).cloned().collect();
        assert_same(&config, load(&Sources { environment, flags, ..sources }), "in the environment");
    }
    check_budgets(&config, folder.path());
}

fn sources(folder: &Path, file: &str, others: &str) -> Option<Sources> {
    let path = folder.join("agent.toml");
    fs::write(&path, file).ok()?;
    let mut sources = Sources { config_flag: Some(path), ..Sources::default() };
    for line in others.lines() {
        match (line.strip_prefix("--"), line.split_once('=')) {
            (Some("strict"), _) => sources.strict = true,
            (Some(flag), _) => {
                let (key, value) = flag.split_once('=')?;
                sources.flags.push((key.to_owned(), value.to_owned()));
            }
            (None, Some((name, value))) => drop(sources.environment.insert(name.to_owned(), value.to_owned())),
            (None, None) => {}
        }
    }
    // Nothing but the file that was written above.
    sources.environment.remove("CONFIG_FILE");
    Some(sources)
}

fn is_secret(key: &str) -> bool {
    Setting::find(key).is_none_or(Setting::is_secret)
}

/// A problem names a place that is there.
fn check_problem(problem: &Problem, file: &str, sources: &Sources) {
    assert!(!problem.detail.is_empty());
    match &problem.origin {
        Origin::File { line, column, path } if path.ends_with("agent.toml") => {
            let said = file.split('\n').nth(line - 1);
            assert!(said.is_some_and(|said| *column <= said.chars().count() + 1), "{problem}");
        }
        Origin::Environment(name) => assert!(sources.environment.contains_key(name), "{problem}"),
        Origin::File { .. } | Origin::Flag(_) | Origin::Default => {}
    }
}

/// Flags win over the environment, and that over the file.
fn check_origins(config: &Config, sources: &Sources) {
    assert_eq!(config.shown.len(), SETTINGS.len());
    for (shown, setting) in config.shown.iter().zip(SETTINGS.iter()) {
        assert_eq!(shown.key, setting.key);
        let flag = sources.flags.iter().rfind(|(key, _)| key == setting.key).map(|(_, text)| text.as_str());
        let variable = sources.variable(&setting.environment_name());
        match (&shown.origin, flag, variable) {
            (Origin::Flag(_), Some(text), _) | (Origin::Environment(_), None, Some(text)) => {
                assert!(is_secret(setting.key) || shown.value.as_deref() == Some(text.trim()), "{shown:?}");
            }
            (Origin::Flag(_) | Origin::Environment(_), ..) | (_, Some(_), _) | (_, _, Some(_)) => panic!("{shown:?}"),
            (Origin::File { .. }, None, None) => {}
            (Origin::Default, None, None) => {
                // Which format the log has is for the terminal to say.
                let is_default = shown.value.as_deref().unwrap_or_default() == setting.default;
                assert!(is_default || setting.key == "log_format", "{shown:?}");
            }
        }
    }
}

/// No secret is printed.
fn check_secrets(config: &Config, sources: &Sources) {
    let printed = [format!("{:?}", config.shown), stages(config), format!("{sources:?}")].concat();
    let secret = |setting: &&Setting| setting.is_secret();
    for setting in SETTINGS.iter().filter(secret) {
        let Some(text) = sources.variable(&setting.environment_name()) else { continue };
        // A short one may be there for another reason, and so may one that is said elsewhere.
        let in_file = sources.config_flag.as_ref().and_then(|path| fs::read_to_string(path).ok()).unwrap_or_default();
        let said = sources.environment.values().chain(sources.flags.iter().map(|(_, value)| value)).chain([&in_file]);
        let is_telling = text.len() > 12 && said.filter(|said| said.contains(text)).count() == 1;
        assert!(!is_telling || !printed.contains(text), "{text}");
    }
}

/// Where a setting is written makes no difference.
fn check_moved(config: &Config, sources: &Sources, file: &str) {
    let Some(path) = &sources.config_flag else { return };
    if fs::write(path, format!("# moved\n{file}")).is_ok() {
        assert_same(config, load(sources), "a line further down");
    }
}

/// What is doubtful is a warning, or where the operator wants it so wrong; nothing else changes.
fn check_strict(config: &Config, sources: &Sources) {
    let strict = load(&Sources { strict: true, ..sources.clone() });
    match strict {
        Ok(strict) => assert_eq!(stages(&strict), stages(config)),
        Err(Problems(problems)) => assert!(!config.warnings.is_empty() && !sources.strict, "{problems:?}"),
    }
}

/// The settings of the stages, but for the prices, which nothing shown says.
fn stages(config: &Config) -> String {
    let Config { log, policy, net, api, ingest, calls, ledger, writer, telemetry, otlp, fleet, webhooks, .. } = config;
    format!(
        "{log:?} {policy:?} {net:?} {api:?} {ingest:?} {calls:?} {ledger:?} {writer:?} {telemetry:?} {otlp:?} {fleet:?} {webhooks:?}"
    )
}

#[track_caller]
fn assert_same(config: &Config, again: Result<Config, Problems>, how: &str) {
    let again = again.unwrap_or_else(|problems| panic!("{how}: {problems:?}"));
    assert_eq!(stages(&again), stages(config), "{how}");
    assert_eq!(config.waiting_for_a_restart(&again), Vec::<&str>::new(), "{how}");
    let values = |config: &Config| config.shown.iter().map(|shown| shown.value.clone()).collect::<Vec<_>>();
    assert_eq!(values(&again), values(config), "{how}");
    let budgets = |config: &Config| config.shown_budgets.iter().map(without_origin).collect::<Vec<_>>();
    assert_eq!(budgets(&again), budgets(config), "{how}");
}

fn without_origin(budget: &ShownBudget) -> ShownBudget {
    ShownBudget { origin: Origin::Default, ..budget.clone() }
}

/// Budgets of the file, written down as they are shown, are the same.
fn check_budgets(config: &Config, folder: &Path) {
    let is_table = |budget: &&ShownBudget| matches!(budget.origin, Origin::File { .. }) && budget.scope.is_none();
    let shown: Vec<&ShownBudget> = config.shown_budgets.iter().filter(is_table).collect();
    let mut names: Vec<&str> = shown.iter().map(|budget| &*budget.name).collect();
    names.retain(|name| !["daily", "monthly"].contains(name));
    let file: String = shown.iter().filter(|budget| names.contains(&&*budget.name)).map(|budget| table(budget)).collect();
    let file = format!("budget_timezone = {}\n{file}", quoted(config.policy.zone.name()));
    let Some(sources) = sources(folder, &file, "") else { return };
    let again = load(&sources).unwrap_or_else(|problems| panic!("{file}\n{problems:?}"));
    for name in names {
        let of = |config: &Config| {
            config.policy.budgets.iter().find(|budget| budget.name == name).map(|budget| format!("{budget:?}"))
        };
        assert_eq!(of(&again), of(config), "{file}");
    }
}

fn table(budget: &ShownBudget) -> String {
    let mut text = format!("[[budget]]\nname = {}\nperiod = {:?}\n", quoted(&budget.name), budget.period.as_str());
    let mut line = |key: &str, value: Option<String>| {
        if let Some(value) = value {
            // Writing to memory does not fail.
            let _ = writeln!(text, "{key} = {value}");
        }
    };
    line("service", budget.service.as_deref().map(quoted));
    line("week_starts", budget.week_starts.as_deref().map(quoted));
    line("start_day", budget.start_day.map(|day| day.to_string()));
    let listed = |patterns: &[String]| patterns.iter().map(|pattern| quoted(pattern)).collect::<Vec<_>>().join(", ");
    let cover: Vec<String> =
        budget.cover.iter().map(|(facet, patterns)| format!("{facet} = [{}]", listed(patterns))).collect();
    line("match", (!cover.is_empty()).then(|| format!("{{ {} }}", cover.join(", "))));
    line("each", budget.each.map(|facet| quoted(facet.as_str())));
    // As a text: a number of TOML is a double.
    line("limit_usd", budget.limit_usd.map(|limit: Usd| quoted(&limit.to_string())));
    let usage: BTreeMap<String, String> =
        budget.limit_usage.iter().map(|(name, count)| (quoted(name), count.to_string())).collect();
    let usage: Vec<String> = usage.iter().map(|(name, count)| format!("{name} = {count}")).collect();
    line("limit_usage", (!usage.is_empty()).then(|| format!("{{ {} }}", usage.join(", "))));
    // The digits of the percent figure, two places on.
    let share = |percent: f64| format!("{percent}e-2");
    let shares = budget.warn_at_percents.iter().map(|percent| share(*percent)).collect::<Vec<_>>().join(", ");
    let warn_at = if shares.is_empty() { share(budget.warn_at_percent) } else { format!("[{shares}]") };
    line("warn_at", Some(warn_at));
    line("gate_at", Some(share(budget.gate_at_percent)));
    line("action", budget.action.map(|action| quoted(action.as_str())));
    text
}

/// A text as TOML has it between quotation marks.
fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

// === the web configuration ===

/// Passwords are never looked at here, so any will do.
const HASHES: [&str; 2] = [
    "$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi",
    "$2b$04$9G1WxjoV6nzp5ctZ8sVbQOB7MMWnpuMJ9fWF7ztbUhaXxlr4VbQjO",
];
const HEADERS: [&str; 3] = ["Content-Security-Policy", "Strict-Transport-Security", "X-XSS-Protection"];

/// A web configuration. Of an even first byte as it is, else made of the lines that follow: three values of headers, and users.
pub fn web(data: &[u8]) {
    let Some((choice, rest)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(rest) else { return };
    if choice % 2 == 0 { check_any(text) } else { check_made(text, choice & 2 != 0) }
}

fn read(text: &str) -> Option<Result<web_file::Web, Vec<Problem>>> {
    let folder = tempfile::tempdir().ok()?;
    let path = folder.path().join("web.yml");
    fs::write(&path, text).ok()?;
    Some(web_file::load(&path, Origin::Default))
}

/// Everything that is wrong has its place, and no hash is repeated.
fn check_any(text: &str) {
    let Some(Err(problems)) = read(text) else { return };
    assert!(!problems.is_empty());
    let lines = text.split(['\n', '\r']).count() + 1;
    let words = text.split(|char: char| !(char.is_ascii_alphanumeric() || "$./".contains(char)));
    let hashes: Vec<&str> = words.filter(|word| word.len() > 20 && word.starts_with("$2")).collect();
    for problem in problems {
        assert!(!matches!(problem.origin, Origin::File { line, .. } if line > lines), "{problem}");
        assert!(!hashes.iter().any(|hash| problem.detail.contains(hash)), "{problem}");
    }
}

/// What is written without a doubt is what is read.
fn check_made(text: &str, in_blocks: bool) {
    let mut lines = text.split('\n');
    let headers: Vec<(&str, &str)> =
        HEADERS.into_iter().zip(lines.by_ref()).filter(|(_, value)| !value.is_empty()).collect();
    let users: Vec<(&str, &str)> = lines.zip(HASHES.into_iter().cycle()).collect();
    // A key in YAML has no more than 1,024 characters.
    if users.iter().any(|(name, _)| name.chars().count() > 100) {
        return;
    }
    let map = |entries: &[(&str, &str)], indent: &str| {
        let entries = entries.iter().map(|(key, value)| format!("{}: {}", in_yaml(key), in_yaml(value)));
        let entries: Vec<String> = entries.collect();
        match (in_blocks, entries.is_empty()) {
            (true, false) => entries.iter().map(|entry| format!("\n{indent}{entry}")).collect(),
            _ => format!("{{{}}}", entries.join(", ")),
        }
    };
    let file =
        format!("http_server_config:\n  headers: {}\nbasic_auth_users: {}\n", map(&headers, "    "), map(&users, "  "));
    let are_headers_good = headers.iter().all(|(_, value)| HeaderValue::from_str(value).is_ok());
    let are_users_good = users.iter().enumerate().all(|(at, (name, _))| {
        !name.is_empty() && !name.contains(':') && !users[..at].iter().any(|(other, _)| other == name)
    });
    match read(&file) {
        Some(Ok(read)) => {
            assert!(are_headers_good && are_users_good, "{file}");
            let values: Vec<(String, &[u8])> =
                read.headers.iter().map(|(name, value)| (name.to_string(), value.as_bytes())).collect();
            let expected = headers.iter().map(|(name, value)| (name.to_lowercase(), value.as_bytes()));
            assert_eq!(values, expected.collect::<Vec<_>>());
            let expected =
                users.iter().filter_map(|(name, hash)| Some(((*name).to_owned(), PasswordHash::parse(hash).ok()?)));
            assert_eq!(read.users, expected.collect::<Vec<_>>());
        }
        Some(Err(problems)) => assert!(!are_headers_good || !are_users_good, "{file}\n{problems:?}"),
        None => {}
    }
}

/// A text between YAML's quotation marks, where everything but plain characters is a number.
fn in_yaml(text: &str) -> String {
    let mut quoted = String::from('"');
    for char in text.chars() {
        match char {
            '"' | '\\' => quoted.extend(['\\', char]),
            ' '..='~' => quoted.push(char),
            other => {
                let _ = write!(quoted, "\\U{:08X}", u32::from(other));
            }
        }
    }
    quoted + "\""
}
