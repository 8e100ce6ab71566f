//! Settings: flag over environment over file over default; every problem at once, before anything is bound.

use std::fs;
use std::os::unix::fs::OpenOptionsExt;
use std::process::Output;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Setup, TestAgent, run, within};

fn limit_of_the_day(agent: &TestAgent) -> Value {
    let budgets = agent.get("/budgets").expect(200).json();
    let daily = budgets.as_array().unwrap().iter().find(|budget| budget["name"] == "daily");
    daily.map_or(Value::Null, |budget| budget["limit_usd"].clone())
}

fn check(setup: &Setup, settings: &str) -> (Option<i32>, String) {
    let file = setup.folder().join("checked.toml");
    fs::write(&file, settings).unwrap();
    let output: Output = setup.verb(&["check-config", "--config", file.to_str().unwrap()]);
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    (output.status.code(), said)
}

#[test]
fn a_flag_wins_over_the_environment_that_over_the_file_and_that_over_the_default() {
    let mut setup = Setup::new();
    assert_eq!(limit_of_the_day(&setup.start()), 50);
    setup = setup.setting("daily_budget = \"60\"");
    assert_eq!(limit_of_the_day(&setup.start()), 60);
    setup = setup.env("DAILY_BUDGET", "70.5");
    assert_eq!(limit_of_the_day(&setup.start()).to_string(), "70.5");
    setup = setup.flag("daily-budget", "80");
    assert_eq!(limit_of_the_day(&setup.start()), 80);
    setup = setup.flag("daily-budget", "none");
    assert_eq!(limit_of_the_day(&setup.start()), Value::Null);
}

#[test]
fn the_file_may_also_be_named_by_the_environment() {
    let setup = Setup::new();
    let file = setup.folder().join("named.toml");
    fs::write(&file, "no_such_key = 1").unwrap();
    let output = setup.env("CONFIG_FILE", file.as_os_str()).verb(&["check-config"]);
    assert_eq!(output.status.code(), Some(78));
}

#[test]
fn every_problem_is_reported_at_once_with_78() {
    let setup = Setup::new()
        .env("METRICS_PORT", "99999")
        .env("MONTHLY_BUDGET", "-5")
        .env("BUDGET_TIMEZONE", "Mars/Olympus")
        .env("SCALING_GATE_ENABLED", "perhaps")
        .setting("daily_budgett = \"50\"")
        .setting("max_event_usd = \"2000000\"")
        .setting("daily_alert_threshold = \"-1\"")
        .setting("max_connections = 0");
    let refused = setup.try_start().err().expect("does not start");
    assert_eq!(refused.status.code(), Some(78), "{}", refused.log);
    let said = refused.log.to_ascii_lowercase();
    for name in [
        "metrics_port",
        "monthly_budget",
        "budget_timezone",
        "scaling_gate_enabled",
        "daily_budgett",
        "max_event_usd",
        "daily_alert_threshold",
        "max_connections",
    ] {
        assert!(said.contains(name), "{name} is not reported: {said}");
    }
    let unknown = said.lines().find(|line| line.contains("daily_budgett")).unwrap();
    assert!(unknown.replace("daily_budgett", "").contains("daily_budget"), "suggests the near name: {unknown}");
    assert!(!said.contains("listening"), "nothing was bound");
    assert!(!setup.ledger().exists(), "no ledger was made");
}

#[test]
fn good_settings_are_said_to_be_good_and_secrets_do_not_print() {
    let setup = Setup::new().env("API_TOKEN", "very-secret-token").env("LOG_LEVEL", "WARNING");
    let (code, said) = check(&setup, "daily_budget = 12.5\nbudget_timezone = \"Europe/Berlin\"\n");
    assert_eq!(code, Some(0), "{said}");
    assert!(!said.contains("very-secret-token"), "{said}");
}

#[test]
fn what_looks_like_a_setting_and_is_none_is_told_and_refused_where_that_is_wanted() {
    let wrong = [
        ("OPENAI_WEEKLY_CAP", "OPENAI_DAILY_CAP"),
        ("OPENAI_DAILY_CAPS", "OPENAI_DAILY_CAP"),
        ("DAILY_BUDGTE", "DAILY_BUDGET"),
        ("DAILY_BUDGET_USD", "DAILY_BUDGET"),
        ("SCALING_GATE_DAILY_TRESHOLD", "SCALING_GATE_DAILY_THRESHOLD"),
    ];
    let setup = wrong.iter().fold(Setup::new(), |setup, (name, _)| setup.env(name, "0.5"));
    let (code, said) = check(&setup, "");
    assert_eq!(code, Some(0), "{said}");
    for (name, near) in wrong {
        let line = format!("warning: environment {name} is no setting and has no effect; did you mean {near}?");
        assert!(said.contains(&line), "{line} in {said}");
    }
    let output = setup.verb(&["check-config", "--output", "json"]);
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(shown["warnings"].as_array().unwrap().len(), wrong.len(), "{shown}");
    assert_eq!(shown["valid"], true);

    let agent = setup.start();
    let log = agent.log();
    assert!(wrong.iter().all(|(name, _)| log.contains(&format!("environment {name} is no setting"))), "{log}");
    drop(agent);

    let strict = setup.verb(&["check-config", "--strict", "--output", "json"]);
    assert_eq!(strict.status.code(), Some(78));
    let shown: Value = serde_json::from_slice(&strict.stdout).unwrap();
    assert_eq!((shown["valid"].clone(), shown["problems"].as_array().unwrap().len()), (json!(false), wrong.len()));
    let refused = setup.verb(&["serve", "--strict"]);
    assert_eq!(refused.status.code(), Some(78));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("did you mean DAILY_BUDGET?"));
    let strict = Setup::new().verb(&["check-config", "--strict"]);
    assert_eq!(strict.status.code(), Some(0), "nothing doubtful: {}", String::from_utf8_lossy(&strict.stderr));
}

#[test]
fn settings_that_contradict_each_other_are_told() {
    let setup = Setup::new().env("DAILY_ALERT_THRESHOLD", "0.95").env("MONTHLY_BUDGET", "40").env("OPENAI_DAILY_CAP", "60");
    let (code, said) = check(&setup, "");
    assert_eq!(code, Some(0), "{said}");
    for part in ["its warning threshold (95 %)", "\"monthly\" (40 USD a month)", "\"openai-daily\" (60 USD)"] {
        assert!(said.contains(part), "{part} in {said}");
    }
    let agent = setup.start();
    assert!(agent.log().contains("one day may use up the month"), "{}", agent.log());
    assert_eq!(setup.verb(&["check-config", "--strict"]).status.code(), Some(78));
}

#[test]
fn a_missing_or_broken_file_is_a_configuration_error() {
    let setup = Setup::new();
    assert_eq!(setup.verb(&["check-config", "--config", "/no/such/file"]).status.code(), Some(78));
    for text in [
        "daily_budget = ",
        "[unknown]\na = 1",
        "daily_budget = \"1,5\"",
        "daily_budget = true",
        "max_body_bytes = \"4 MiB\"",
    ] {
        let (code, said) = check(&setup, text);
        assert_eq!(code, Some(78), "{text}: {said}");
    }
}

#[test]
fn what_this_version_does_not_have_is_not_silently_ignored() {
    let (code, said) = check(&Setup::new(), "[[fleet]]\nname = \"x\"");
    assert_eq!(code, Some(78), "{said}");
}

#[test]
fn tables_and_caps_are_budgets_like_the_others() {
    let agent = Setup::new()
        .env("OPENAI_DAILY_CAP", "20")
        .env("SENDGRID_MONTHLY_CAP", "none")
        .setting("monthly_budget = \"none\"")
        .setting("seo_monthly_cap = 0")
        .setting(
            "[[budget]]\nname = \"images\"\nservice = \"Images v2\"\nperiod = \"monthly\"\nlimit_usd = 0.3\nwarn_at = 0.5",
        )
        .start();
    agent.costs(r#"[{"service":"Images v2","amount_usd":"0.1"},{"service":"openai","amount_usd":5}]"#).expect(200);
    let budgets = agent.get("/budgets").expect(200).json();
    let found: Vec<_> = budgets
        .as_array()
        .unwrap()
        .iter()
        .map(|budget| json!([budget["name"], budget["service"], budget["period"], budget["limit_usd"], budget["spent_usd"]]))
        .collect();
    assert_eq!(
        found,
        [
            json!(["daily", null, "daily", 50, 5.1]),
            json!(["images", "Images v2", "monthly", 0.3, 0.1]),
            json!(["openai-daily", "openai", "daily", 20, 5]),
            json!(["seo-monthly", "seo", "monthly", 0, 0]),
        ]
    );
}

#[test]
fn a_wrong_table_is_refused_with_its_line() {
    let setup = Setup::new();
    let (code, said) = check(
        &setup,
        "daily_budget = 5\n\n[[budget]]\nname = \"a\"\nperiod = \"daily\"\nlimit_us = 3\n\n[[webhook]]\nurl = \"ftp://x/s3cret\"\n",
    );
    assert_eq!(code, Some(78), "{said}");
    assert!(said.contains("checked.toml:6:1: budget has no key \"limit_us\"; did you mean limit_usd?"), "{said}");
    assert!(said.contains("checked.toml:3:1: budget has no limit_usd"), "{said}");
    assert!(said.contains("checked.toml:9:7: webhook url does not begin with"), "{said}");
    assert!(!said.contains("s3cret"), "{said}");
}

#[test]
fn folders_of_the_ledger_are_made() {
    let setup = Setup::new();
    let deep = setup.folder().join("a/b/c/ledger.db");
    let agent = setup.ledger_at(&deep).start();
    agent.costs(r#"{"service":"s","amount_usd":1}"#).expect(200);
    assert!(deep.exists());
}

#[test]
fn sighup_reads_budgets_and_tokens_again_and_a_bad_file_changes_nothing() {
    let setup = Setup::new().setting("daily_budget = \"10\"").setting("api_token = \"first\"");
    let agent = setup.start();
    let file = setup.folder().join("settings.toml");
    let hang_up = || run("kill", &["-HUP", &agent.pid().to_string()]);
    let record = |token: &str| {
        let headers = [("Content-Type", "application/json"), ("Authorization", token)];
        agent.client().request("POST", "/costs", &headers, br#"{"id":"a","service":"s","amount_usd":9}"#).unwrap().status
    };
    assert_eq!(record("Bearer first"), 200);
    assert_eq!(agent.get("/scaling-gate/status").json()["scaling_gate_active"], true);

    fs::write(&file, "daily_budget = \"nonsense\"\napi_token = \"second\"").unwrap();
    hang_up();
    within(Duration::from_secs(10), "the bad file is noticed", || {
        (agent.metrics().get("lead_factory_config_reload_success", &[]) == Some(0.0)).then_some(())
    });
    assert_eq!(limit_of_the_day(&agent), 10);
    assert_eq!(record("Bearer first"), 200, "a duplicate, let in by the old token");
    assert_eq!(record("Bearer second"), 401);

    fs::write(&file, "daily_budget = \"20\"\napi_token = \"second\"").unwrap();
    hang_up();
    within(Duration::from_secs(10), "the good file is in force", || {
        (agent.metrics().get("lead_factory_config_reload_success", &[]) == Some(1.0)).then_some(())
    });
    assert_eq!(limit_of_the_day(&agent), 20);
    assert_eq!((record("Bearer first"), record("Bearer second")), (401, 200));
    assert_eq!(
        agent.get("/scaling-gate/status").json()["scaling_gate_active"],
        json!(false),
        "a raised limit opens the gate"
    );

    fs::write(&file, "api_token = \"second\"\n[[budget]]\nname = \"s\"\nservice = \"s\"\nperiod = \"daily\"\nlimit_usd = 9")
        .unwrap();
    hang_up();
    within(Duration::from_secs(10), "a budget that the file has now is in force", || {
        let budgets = agent.get("/budgets").json();
        let added = budgets.as_array().unwrap().iter().find(|budget| budget["name"] == "s");
        added.map(|budget| assert_eq!(budget["state"], "exhausted"))
    });
}

#[test]
fn a_gate_that_is_switched_off_only_watches() {
    let agent = Setup::new().env("SCALING_GATE_ENABLED", "false").env("DAILY_BUDGET", "1").start();
    agent.costs(r#"{"service":"s","amount_usd":5}"#).expect(200);
    let status = agent.get("/scaling-gate/status").json();
    assert_eq!((&status["scaling_gate_active"], &status["mode"]), (&json!(false), &json!("disabled")));
    assert_eq!(status["reason"], "Scaling gate is disabled");
    assert_eq!(agent.metrics().get("lead_factory_budget_utilization", &[("period", "daily")]), Some(500.0));
}

/// Guards against: an agent that only SIGKILL ends, because a file of its settings lies on a file system that is gone.
#[test]
fn sigterm_is_heard_while_reading_the_settings_hangs() {
    let setup = Setup::new();
    let tokens = setup.folder().join("tokens");
    fs::write(&tokens, "first\n").unwrap();
    let mut agent = setup.setting(format!("api_token_file = {tokens:?}")).start();
    fs::remove_file(&tokens).unwrap();
    run("mkfifo", &[tokens.to_str().unwrap()]);
    run("kill", &["-HUP", &agent.pid().to_string()]);
    // A pipe can be opened like this once somebody reads from it; then the reader waits for what never comes.
    const O_NONBLOCK: i32 = 0o4000;
    let _pipe = within(Duration::from_secs(10), "the settings are being read", || {
        fs::OpenOptions::new().write(true).custom_flags(O_NONBLOCK).open(&tokens).ok()
    });
    run("kill", &["-HUP", &agent.pid().to_string()]);
    agent.get("/health").expect(200);
    assert!(agent.terminate().success());
}
