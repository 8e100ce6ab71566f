use std::path::Path;

use super::*;
use crate::api::Token;
use crate::budget::{Budget, CriticalOperations};
use crate::domain::{Name, Usd};
use crate::telemetry::{LogFormat, LogSettings, OtlpSettings};
use crate::views::{HOLDS_MAX, SeriesLimits};
use crate::{api, ingest, ledger, net};

mod budgets;
mod fleet;
mod prices;
mod tables;
mod webhooks;

fn environment(pairs: &[(&str, &str)]) -> Sources {
    let environment = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Sources { environment, ..Sources::default() }
}

fn with_file(folder: &Path, text: &str) -> Sources {
    let path = folder.join("agent.toml");
    std::fs::write(&path, text).unwrap();
    Sources { config_flag: Some(path), ..Sources::default() }
}

/// What `load` says about a file, without the file's path.
#[track_caller]
fn file_problems(text: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let prefix = format!("{}/", folder.path().display());
    let problems = load(&with_file(folder.path(), text)).unwrap_err();
    problems.0.iter().map(|problem| problem.to_string().replace(&prefix, "")).collect()
}

#[track_caller]
fn environment_problems(pairs: &[(&str, &str)]) -> Vec<String> {
    load(&environment(pairs)).unwrap_err().0.iter().map(ToString::to_string).collect()
}

fn limits(config: &Config) -> Vec<(String, String)> {
    config.policy.budgets.iter().map(|budget| (budget.name.clone(), budget.limit.usd().unwrap().to_string())).collect()
}

/// The lowest alert threshold, in percent.
fn warn_at(budget: &Budget) -> f64 {
    budget.warn_at[0].percent()
}

/// A value besides the default, for every setting.
fn example(key: &str) -> &'static str {
    match key {
        "metrics_host" => "::1",
        "metrics_port" => "9000",
        "log_level" => "warning",
        "log_format" => "text",
        "environment" => "staging",
        "agent_name" => "factory-7",
        "db_path" => "/tmp/ledger.db",
        "daily_budget" => "0.1",
        "monthly_budget" => "none",
        "scaling_gate_enabled" | "loopback_needs_token" => "false",
        "health_without_login" => "true",
        "budget_timezone" => "Europe/Berlin",
        "critical_operations" => "openai:chat,admin_*",
        "api_token" => "abc#1",
        "allowed_hosts" => "Agent.internal, other",
        "max_event_usd" => "5.5",
        "write_socket" => "/run/lfm/agent.sock",
        "otlp_http_listen" | "otlp_grpc_listen" => "127.0.0.1:4318",
        "cost_from" => "prices",
        "charge_from" => "anthropic=otlp:com.anthropic.sdk,openai=litellm",
        "ingest_batch_key" | "ingest_lead_key" => "job.id",
        "retention_days" => "40",
        "max_body_bytes_in_flight" => "33554432",
        "webhook_url" => "https://hooks.example/s3cret",
        "webhook_format" => "slack",
        "webhook_secret_file" => "secret",
        "fleet_url" => "postgres://a:b@c/d",
        "fleet_budgets" => "daily,monthly",
        "fleet_lease_ttl" => "10m",
        key if key.ends_with("threshold") => "0.5",
        key if key.ends_with("timeout_seconds") => "2.5",
        "max_event_age_seconds" => "7200",
        "otel_bsp_max_export_batch_size" | "otel_blrp_max_export_batch_size" => "100",
        "metric_services_max" => "100",
        "budget_keys_max" => "5000",
        key if key.starts_with("m") => "2048",
        key if key.starts_with("otel_") => otel_example(key),
        other => panic!("give {other} an example"),
    }
}

fn otel_example(key: &str) -> &'static str {
    match key {
        "otel_sdk_disabled" => "true",
        "otel_service_name" => "costs",
        "otel_resource_attributes" => "host.name=a,team=b%20c",
        "otel_exporter_otlp_metrics_temporality_preference" => "DELTA",
        "otel_traces_sampler" => "parentbased_traceidratio",
        "otel_traces_sampler_arg" => "0.25",
        "otel_propagators" => "tracecontext,baggage",
        key if key.ends_with("endpoint") => "http://collector.example:4318",
        key if key.ends_with("protocol") => "grpc",
        key if key.ends_with("headers") => "authorization=Bearer%20s3cret",
        key if key.ends_with("compression") => "gzip",
        key if key.ends_with("certificate") || key.ends_with("key") => "file.pem",
        key if key.ends_with("exporter") => "none",
        _ => "1000",
    }
}

#[test]
fn without_any_source_the_defaults_of_each_stage_hold() {
    let config = load(&Sources::default()).unwrap();
    assert_eq!(format!("{:?}", config.net), format!("{:?}", net::Settings::default()));
    assert_eq!(format!("{:?}", config.api), format!("{:?}", api::Settings::default()));
    assert_eq!(format!("{:?}", config.ingest), format!("{:?}", ingest::Limits::default()));
    assert_eq!(format!("{:?}", config.ledger), format!("{:?}", ledger::Settings::default()));
    assert_eq!(format!("{:?}", config.writer.series), format!("{:?}", SeriesLimits::default()));
    assert_eq!(limits(&config), [("daily".into(), "50".into()), ("monthly".into(), "1000".into())]);
    let percents: Vec<_> = config.policy.budgets.iter().map(|budget| (warn_at(budget), budget.gate_at.percent())).collect();
    assert_eq!(percents, [(80.0, 90.0); 2]);
    assert_eq!(config.telemetry.environment, "production");
    assert_eq!(format!("{:?}", config.otlp), format!("{:?}", OtlpSettings::default()));
    assert!(config.policy.gate_enabled);
    assert!(config.webhooks.is_empty() && config.warnings.is_empty());
    assert_eq!(config.writer.holds_max, HOLDS_MAX);
    let critical = ["health_check", "metrics", "scaling_gate_status", "billing_status", "admin_*"];
    assert_eq!(config.policy.critical, CriticalOperations::new(critical));
    assert_eq!(config.log, LogSettings { level: tracing::level_filters::LevelFilter::INFO, format: LogFormat::Json });
    assert_eq!(load(&Sources { terminal: true, ..Sources::default() }).unwrap().log.format, LogFormat::Text);
}

#[test]
fn every_setting_works_in_every_layer_and_the_higher_one_wins() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = folder.path().join("tokens");
    std::fs::write(&tokens, "one\n").unwrap();
    let tokens = tokens.display().to_string();
    let prices = folder.path().join("prices.toml");
    std::fs::write(&prices, "").unwrap();
    let prices = prices.display().to_string();
    let fleet = folder.path().join("fleet-url");
    std::fs::write(&fleet, example("fleet_url")).unwrap();
    let fleet = fleet.display().to_string();
    let web = folder.path().join("web.yml");
    std::fs::write(&web, "").unwrap();
    let web = web.display().to_string();
    for setting in SETTINGS.iter() {
        let text = match setting.key {
            "api_token_file" => &tokens,
            "prices_file" => &prices,
            "fleet_url_file" => &fleet,
            "web_config_file" => &web,
            key => example(key),
        };
        let shown = if setting.is_secret() { "•••" } else { text };
        let mut sources = with_file(folder.path(), &format!("{} = {text:?}", setting.key));
        if setting.key == "fleet_budgets" {
            sources.environment.insert("FLEET_URL".into(), example("fleet_url").into());
        }
        let origin_of = |sources: &Sources| {
            let config = load(sources).unwrap_or_else(|problems| panic!("{}: {problems}", setting.key));
            let found = config.shown.into_iter().find(|shown| shown.key == setting.key).unwrap();
            assert_eq!(found.value.as_deref(), Some(shown), "{}", setting.key);
            found.origin
        };
        assert!(matches!(origin_of(&sources), Origin::File { line: 1, .. }), "{}", setting.key);
        sources.environment.insert(setting.environment_name(), text.into());
        assert_eq!(origin_of(&sources), Origin::Environment(setting.environment_name()));
        sources.flags.push((setting.key.into(), text.into()));
        assert_eq!(origin_of(&sources), Origin::Flag(setting.key.replace('_', "-")));
    }
}

#[test]
fn the_highest_layer_that_speaks_is_heard() {
    let folder = tempfile::tempdir().unwrap();
    let mut sources = with_file(folder.path(), "daily_budget = 1\nmonthly_budget = 1\nmetrics_port = 1");
    sources.environment = environment(&[("MONTHLY_BUDGET", "2"), ("METRICS_PORT", "2")]).environment;
    sources.flags = vec![("metrics_port".into(), "3".into())];
    let config = load(&sources).unwrap();
    assert_eq!(limits(&config), [("daily".into(), "1".into()), ("monthly".into(), "2".into())]);
    assert_eq!(config.net.listen.port(), 3);
}

#[test]
fn the_file_is_named_by_flag_or_environment() {
    let folder = tempfile::tempdir().unwrap();
    let path = with_file(folder.path(), "\u{feff}# comment\r\nmetrics_port = 7\r\n").config_flag.unwrap();
    let sources = environment(&[("CONFIG_FILE", path.to_str().unwrap())]);
    assert_eq!(load(&sources).unwrap().net.listen.port(), 7);
    assert_eq!(
        environment_problems(&[("CONFIG_FILE", "/nowhere/at-all.toml")]),
        ["environment CONFIG_FILE: cannot read /nowhere/at-all.toml: No such file or directory (os error 2)"]
    );
}

#[test]
fn amounts_in_the_file_are_read_from_their_digits() {
    for (written, limit) in [
        ("50", "50"),
        ("50.0", "50"),
        ("\"50\"", "50"),
        ("+1_000", "1000"),
        ("0.1", "0.1"),
        ("123456789012.123456789012", "123456789012.123456789012"),
        ("5e-3", "0.005"),
        ("' 7 '", "7"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let config = load(&with_file(folder.path(), &format!("daily_budget = {written}"))).unwrap();
        assert_eq!(limits(&config)[0].1, limit, "{written}");
    }
}

#[test]
fn a_limit_of_none_removes_the_budget_and_zero_keeps_it() {
    let config = load(&environment(&[("DAILY_BUDGET", "None"), ("MONTHLY_BUDGET", "0")])).unwrap();
    assert_eq!(limits(&config), [("monthly".into(), "0".into())]);
}

#[test]
fn what_is_wrong_in_the_file_is_said_with_its_place() {
    for (text, said) in [
        ("daily_buget = 5", "agent.toml:1:1: \"daily_buget\" is not a setting; did you mean daily_budget?"),
        ("\nDAILY_BUDGET = 5", "agent.toml:2:1: \"DAILY_BUDGET\" is not a setting; did you mean daily_budget?"),
        ("colour = 5", "agent.toml:1:1: \"colour\" is not a setting; check-config --help lists them all"),
        ("log_level = 5", "agent.toml:1:13: log_level must be a string, in quotes, not an integer"),
        ("metrics_port = true", "agent.toml:1:16: metrics_port must be a number or a string, not a boolean"),
        ("metrics_port = 0x50", "agent.toml:1:16: metrics_port must be written in decimal digits"),
        ("metrics_port = 8000.5", "agent.toml:1:16: metrics_port \"8000.5\" is not a whole number; allowed: 0 to 65535"),
        ("allowed_hosts = [1]", "agent.toml:1:17: allowed_hosts must be a string, or an array of strings"),
        (
            "daily_budget = nan",
            "agent.toml:1:16: daily_budget \"nan\" is not an amount in USD such as 50 or 0.25; allowed: an amount in USD from 0, or none",
        ),
        ("prices = 'x'", "agent.toml:1:1: \"prices\" is not a setting; did you mean price?"),
        ("[metrics_port]\na = 1", "agent.toml:1:1: metrics_port must be a number or a string, not a table"),
        (
            "environment = ''",
            "agent.toml:1:15: environment must not be empty; allowed: 1 to 128 bytes without control characters",
        ),
    ] {
        assert_eq!(file_problems(text), [said], "{text}");
    }
    assert!(file_problems("metrics_port = 1\nmetrics_port = 2")[0].starts_with("agent.toml:2:1: duplicate key"));
    assert!(!file_problems("api_token = s3cret\napi_token_file = 5")[0].contains("s3cret"));
    assert!(file_problems("metrics_port = = 1")[0].starts_with("agent.toml:1:"));
}

#[test]
fn what_is_wrong_in_the_environment_is_said_by_name() {
    for (name, value, said) in [
        ("DAILY_BUDGET", "-1", "\"-1\" is negative; allowed: an amount in USD from 0, or none"),
        ("DAILY_BUDGET", "1e400", "\"1e400\" is out of range; allowed: an amount in USD from 0, or none"),
        (
            "DAILY_ALERT_THRESHOLD",
            "80",
            "\"80\" is not a share of the limit (1 is the whole limit); for 80 percent write 0.8; allowed: a share above 0 and at most 10, where 1 is the whole limit; or up to 10 of them",
        ),
        (
            "DAILY_ALERT_THRESHOLD",
            "12.5%",
            "\"12.5%\" is not a share of the limit (1 is the whole limit); for 12.5 percent write 0.125; allowed: a share above 0 and at most 10, where 1 is the whole limit; or up to 10 of them",
        ),
        (
            "SCALING_GATE_ENABLED",
            "maybe",
            "\"maybe\" is neither true nor false; allowed: true or false (also 1/0, yes/no, on/off)",
        ),
        ("METRICS_PORT", "65536", "\"65536\" is above 65535; allowed: 0 to 65535"),
        ("METRICS_PORT", "99999999999999999999999", "\"99999999999999999999999\" is above 65535; allowed: 0 to 65535"),
        (
            "METRICS_HOST",
            "agent.local",
            "\"agent.local\" is not an IP address; allowed: an IPv4 or IPv6 address, or localhost",
        ),
        (
            "LOG_LEVEL",
            "loud",
            "\"loud\" is not a level; allowed: OFF, CRITICAL, ERROR, WARNING, INFO, DEBUG or TRACE, in any case",
        ),
        (
            "BUDGET_TIMEZONE",
            "Mars/Base",
            "\"Mars/Base\" is not in the time zone database; allowed: an IANA name such as UTC or Europe/Berlin",
        ),
        (
            "MAX_EVENT_USD",
            "1000001",
            "\"1000001\" is not above 0 and at most 1000000 USD; allowed: an amount above 0 and at most 1000000",
        ),
        ("RETENTION_DAYS", "35", "\"35\" is below 36; allowed: 36 to 36500, or none to keep all"),
        (
            "ALLOWED_HOSTS",
            "http://a",
            "\"http://a\" has \"http://a\", which is not a host name (without scheme and port); allowed: host names separated by commas",
        ),
        ("BODY_TIMEOUT_SECONDS", "NaN", "\"NaN\" is not between 0.1 and 3600 seconds; allowed: 0.1 to 3600"),
        (
            "API_TOKEN",
            "two words",
            "contains a space or another character that a header cannot carry; allowed: text without spaces",
        ),
    ] {
        assert_eq!(environment_problems(&[(name, value)]), [format!("environment {name}: {said}")]);
    }
}

#[test]
fn all_problems_come_at_once_also_overridden_ones() {
    let folder = tempfile::tempdir().unwrap();
    let mut sources = with_file(folder.path(), "metrics_port = 'x'\nnonsense = 1");
    sources.environment = environment(&[("METRICS_PORT", "8000"), ("LOG_LEVEL", "x")]).environment;
    sources.flags = vec![("daily_budget".into(), "x".into())];
    let problems = load(&sources).unwrap_err();
    assert_eq!(problems.0.len(), 4, "{problems}");
    assert!(problems.to_string().starts_with("4 configuration errors:\n  "));
}

#[test]
fn an_empty_variable_is_not_set() {
    let sources = environment(&[("DAILY_BUDGET", ""), ("API_TOKEN", " "), ("CONFIG_FILE", ""), ("A_DAILY_CAP", "")]);
    let config = load(&sources).unwrap();
    assert_eq!(limits(&config)[0].1, "50");
    assert!(config.api.tokens.is_empty());
}

#[test]
fn settings_that_contradict_each_other_are_refused() {
    for (pairs, said) in [
        (
            [("MAX_BODY_BYTES", "20000000"), ("LOG_LEVEL", "info")],
            "environment MAX_BODY_BYTES: max_body_bytes_in_flight (16777216) is below max_body_bytes (20000000), so no body of that size could be accepted",
        ),
        (
            [("METRIC_PAIRS_MAX", "100"), ("LOG_LEVEL", "info")],
            "environment METRIC_PAIRS_MAX: metric_pairs_max (100) is below metric_services_max (200), but each service needs a pair",
        ),
        (
            [("RETENTION_DAYS", "40"), ("MAX_EVENT_AGE_SECONDS", "3456000")],
            "environment RETENTION_DAYS: retention_days (40) is too short for max_event_age_seconds: an id must be remembered as long as its retry may come, 41 days",
        ),
    ] {
        assert_eq!(environment_problems(&pairs), [said]);
    }
}

#[test]
fn spellings_of_levels_addresses_and_booleans() {
    use tracing::level_filters::LevelFilter;
    for (text, level) in [
        ("INFO", LevelFilter::INFO),
        ("Warning", LevelFilter::WARN),
        ("warn", LevelFilter::WARN),
        ("CRITICAL", LevelFilter::ERROR),
        ("trace", LevelFilter::TRACE),
        ("off", LevelFilter::OFF),
    ] {
        assert_eq!((kinds::level().parse)(text), Ok(level));
    }
    for (text, address) in [("localhost", "127.0.0.1"), ("[::1]", "::1"), ("::", "::"), ("10.0.0.1", "10.0.0.1")] {
        assert_eq!((kinds::host().parse)(text).unwrap().to_string(), address);
    }
    for text in ["true", "YES", "1", "On"] {
        assert_eq!((kinds::boolean().parse)(text), Ok(true));
    }
    assert_eq!((kinds::hosts().parse)("A.example, b").unwrap(), ["a.example", "b"]);
}

#[test]
fn critical_operations_are_in_force() {
    let folder = tempfile::tempdir().unwrap();
    let config = load(&with_file(folder.path(), "critical_operations = ['mail:*', 'refund']")).unwrap();
    let critical =
        |service, operation| config.policy.critical.contains(&Name::new(service).unwrap(), &Name::new(operation).unwrap());
    assert!(critical("mail", "send") && critical("any", "refund"));
    assert!(!critical("any", "send") && !critical("any", "health_check"), "the default is replaced, not added to");
}

#[test]
fn a_pattern_for_every_operation_is_told() {
    for (patterns, is_told) in [("*", true), ("admin_*,*:**", true), ("mail:*", false), ("*:send", false), ("", false)] {
        let mut sources = environment(&[("CRITICAL_OPERATIONS", patterns)]);
        let warnings = load(&sources).unwrap().warnings;
        let told = warnings.iter().filter(|warning| warning.ends_with("neither a limit nor the gate refuses anything"));
        assert_eq!(told.count(), usize::from(is_told), "{patterns}: {warnings:?}");
        sources.strict = true;
        assert_eq!(load(&sources).is_err(), is_told, "{patterns}");
    }
}

#[test]
fn open_reservations_have_a_bound_of_choice() {
    assert_eq!(load(&environment(&[("MAX_OPEN_RESERVATIONS", "1")])).unwrap().writer.holds_max, 1);
    for text in ["0", "1000001"] {
        assert_eq!(environment_problems(&[("MAX_OPEN_RESERVATIONS", text)]).len(), 1, "{text}");
    }
}

#[test]
fn tokens_come_from_both_settings_and_never_show() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens");
    std::fs::write(&path, "first#s3cret\r\n\nsecond-s3cret\n").unwrap();
    let sources = environment(&[("API_TOKEN", "third-s3cret"), ("API_TOKEN_FILE", path.to_str().unwrap())]);
    let config = load(&sources).unwrap();
    let tokens: Vec<&[u8]> = config.api.tokens.iter().map(Token::expose).collect();
    assert_eq!(tokens, [&b"third-s3cret"[..], b"first#s3cret", b"second-s3cret"]);
    assert!(!format!("{config:?}").contains("s3cret"));
    assert_eq!(load_recording_token(&sources).unwrap().unwrap(), "third-s3cret");
}

#[test]
fn a_client_sends_the_first_token_that_allows_what_it_asks() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens");
    let sources = environment(&[("API_TOKEN_FILE", path.to_str().unwrap())]);
    for (content, to_record, to_change) in [
        ("reserve:w:a\nrecord:w:b\nadmin+record:ops:c\nd", "b", "c"),
        ("reserve:w:a\nd", "d", "d"),
        ("read:w:a\nreserve:w:b", "a", "a"),
    ] {
        std::fs::write(&path, content).unwrap();
        assert_eq!(load_recording_token(&sources).unwrap().as_deref(), Some(to_record), "{content}");
        assert_eq!(load_admin_token(&sources).unwrap().as_deref(), Some(to_change), "{content}");
    }
}

#[test]
fn writes_never_take_every_connection() {
    for (connections, wanted, bounded, waiting, warnings) in [
        ("512", None, 256, 128, 0),
        ("64", None, 32, 16, 0),
        ("8", None, 4, 16, 0),
        ("1", None, 1, 16, 0),
        ("512", Some("500"), 500, 16, 0),
        ("512", Some("300"), 300, 106, 0),
        ("512", Some("512"), 511, 16, 1),
    ] {
        let mut settings = vec![("MAX_CONNECTIONS", connections)];
        settings.extend(wanted.map(|wanted| ("MAX_WRITES_IN_PROGRESS", wanted)));
        let config = load(&environment(&settings)).unwrap();
        assert_eq!((config.api.writes_in_progress_max, config.api.writes_waiting_max), (bounded, waiting), "{settings:?}");
        assert_eq!(config.warnings.len(), warnings, "{settings:?}");
    }
}

#[test]
fn the_path_of_a_socket_fits_the_system() {
    for (bytes, is_right) in [(1, true), (107, true), (108, false)] {
        let path = "s".repeat(bytes);
        assert_eq!(load(&environment(&[("WRITE_SOCKET", &path)])).is_ok(), is_right, "{bytes}");
    }
}

#[test]
fn a_bad_file_of_tokens_is_refused_without_showing_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens");
    let name = path.to_str().unwrap();
    for (content, said) in [
        ("", "contains no token, so nobody could write"),
        ("\n \n", "contains no token, so nobody could write"),
        ("good\nwith s3cret\n", ": the token on line 2 contains a space or another character that a header cannot carry"),
    ] {
        std::fs::write(&path, content).unwrap();
        let problems = environment_problems(&[("API_TOKEN_FILE", name)]);
        assert_eq!(problems.len(), 1);
        assert!(problems[0].ends_with(said) && !problems[0].contains("s3cret"), "{problems:?}");
    }
    std::fs::remove_file(&path).unwrap();
    assert!(environment_problems(&[("API_TOKEN_FILE", name)])[0].contains("cannot be read"));
}

#[cfg(unix)]
#[test]
fn a_file_of_tokens_that_everybody_can_read_is_a_warning() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens");
    std::fs::write(&path, "one\n").unwrap();
    for (mode, warnings) in [(0o644, 1), (0o640, 0)] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let config = load(&environment(&[("API_TOKEN_FILE", path.to_str().unwrap())])).unwrap();
        assert_eq!(config.warnings.len(), warnings, "{mode:o}");
    }
}

#[test]
fn a_client_asks_only_for_what_it_needs() {
    let broken_elsewhere = environment(&[("METRICS_PORT", "9"), ("DAILY_BUDGET", "x")]);
    assert_eq!(load_address(&broken_elsewhere).unwrap().to_string(), "0.0.0.0:9");
    assert!(load_recording_token(&broken_elsewhere).unwrap().is_none());
    assert!(load_address(&environment(&[("METRICS_PORT", "x")])).is_err());
    assert!(load_recording_token(&environment(&[("API_TOKEN_FILE", "/nowhere/at-all")])).is_err());
}

#[test]
fn what_only_a_restart_takes_is_known() {
    let before = load(&environment(&[("DAILY_BUDGET", "1"), ("METRICS_PORT", "1")])).unwrap();
    let after = environment(&[
        ("DAILY_BUDGET", "2"),
        ("METRICS_PORT", "2"),
        ("BUDGET_TIMEZONE", "Asia/Tokyo"),
        ("WEBHOOK_URL", "https://a.example/"),
        ("API_TOKEN", "new"),
    ]);
    let waiting = before.waiting_for_a_restart(&load(&after).unwrap());
    assert_eq!(waiting, ["metrics_port", "budget_timezone", "webhook_url", "webhook"]);
    assert!(before.waiting_for_a_restart(&before).is_empty());
}

#[test]
fn every_default_is_written_as_its_setting_reads_it() {
    for setting in SETTINGS.iter().filter(|setting| !setting.default.is_empty()) {
        let sources = Sources { flags: vec![(setting.key.into(), setting.default.clone())], ..Sources::default() };
        let config = load(&sources).unwrap_or_else(|problems| panic!("{}: {problems}", setting.key));
        let shown = config.shown.iter().find(|shown| shown.key == setting.key).unwrap();
        assert_eq!(shown.value.as_ref(), Some(&setting.default));
        let [told, untold] = [config, load(&Sources::default()).unwrap()]
            .map(|config| format!("{:?}{:?}{:?}{:?}", config.policy, config.net, config.api, (config.ingest, config.otlp)));
        assert_eq!(told, untold, "{}", setting.key);
    }
    let default = |key| Setting::find(key).unwrap().default.as_str();
    assert_eq!(
        ["daily_budget", "daily_alert_threshold", "scaling_gate_daily_threshold"].map(default),
        ["50.0", "0.8", "0.9"]
    );
    assert_eq!(["retention_days", "header_timeout_seconds", "allowed_hosts"].map(default), ["none", "5", ""]);
}

#[test]
fn keys_are_unique_and_make_good_names() {
    let mut keys: Vec<&str> = SETTINGS.iter().map(|setting| setting.key).collect();
    assert!(keys.iter().all(|key| key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')));
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), SETTINGS.len());
    assert_eq!(Setting::find("daily_budget").unwrap().flag(), "daily-budget");
    assert_eq!(Usd::parse(&Setting::find("max_event_usd").unwrap().default), Ok(ingest::Limits::default().event_usd_max));
}
