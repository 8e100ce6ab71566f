//! The shipped rules in a real Prometheus, up to the webhook of a real Alertmanager: each fires when it should, and resolves.
//!
//! Guards against: rules on metrics that do not exist or never cross their bound, labels that a rule or an inhibition does not
//! match, alerts that stay when what they are about is over.

mod watch;

use std::collections::BTreeSet;
use std::fs;
use std::process::Output;

use serde_json::{Value, json};

use self::watch::{TOLD_MAX, Watch, shipped};
use crate::fleet::Postgres;
use crate::support::{Client, Daemon, Receiver, Setup, TmpfsForLedger, free_addr, replaced, within};

#[test]
fn overspending_reaches_the_webhook_of_a_real_alertmanager() {
    let tables = "[[budget]]\nname = \"team\"\nmatch = { worker = \"w-*\" }\nperiod = \"total\"\nlimit_usd = 12\n\
                  [[budget]]\nname = \"per-worker\"\neach = \"worker\"\nperiod = \"daily\"\nlimit_usd = 2";
    let agent = Setup::new().env("DAILY_BUDGET", "10").env("MONTHLY_BUDGET", "12").setting(tables).start();
    let watch = Watch::over(agent.addr());
    agent.costs(r#"{"id":"a","service":"openai","worker":"w-1","amount_usd":8.5}"#).expect(200);
    watch.tells("HighDailyBudgetUtilization", "firing");
    assert!(!watch.has_told("HighMonthlyBudgetUtilization", "firing") && !watch.has_told("ScalingGateActive", "firing"));
    agent.costs(r#"{"id":"b","service":"openai","worker":"w-2","amount_usd":2.5}"#).expect(200);
    watch.tells("HighMonthlyBudgetUtilization", "firing");
    watch.tells("ScalingGateActive", "firing");
    watch.tells("BudgetExhausted", "firing");
    watch.tells("BudgetNearlySpent", "firing");
    // By now it was seen that only one of the two had.
    watch.tells("BudgetKeysExhausted", "firing");
    agent.costs(r#"{"id":"c","service":"openai","worker":"w-1","kind":"credit","amount_usd":-9}"#).expect(200);
    for name in [
        "BudgetNearlySpent",
        "HighDailyBudgetUtilization",
        "HighMonthlyBudgetUtilization",
        "ScalingGateActive",
        "BudgetExhausted",
    ] {
        watch.tells(name, "resolved");
    }
    assert!(!watch.has_told("AgentDown", "firing") && !watch.has_told("LedgerNotWriting", "firing"));
}

#[test]
fn a_kill_is_told_of_until_the_agent_is_back() {
    // The same port again after the kill, as in a scrape config.
    let setup = Setup::new().env("METRICS_PORT", free_addr().port().to_string());
    let mut agent = setup.start();
    let watch = Watch::over(agent.addr());
    agent.kill();
    watch.tells("AgentDown", "firing");
    let agent = setup.start();
    watch.tells("AgentDown", "resolved");
    agent.assert_healthy();
}

#[test]
fn a_fleet_without_its_database_is_told_of_until_it_is_back() {
    let mut database = Postgres::start();
    expect_success(&Setup::new().env("FLEET_URL", database.url()).verb(&["fleet", "init"]));
    let agent = Setup::new().env("FLEET_URL", database.url()).env("FLEET_BUDGETS", "daily").start();
    let watch = Watch::over(agent.addr());
    within(TOLD_MAX, "the agent takes part", || (agent.get("/fleet").expect(200).json()["up"] == true).then_some(()));
    database.kill();
    watch.tells("FleetDown", "firing");
    database.restart();
    watch.tells("FleetDown", "resolved");
    // Cost that nobody has reserved is paid, so it counts.
    assert!(!watch.has_told("FleetOverrun", "firing"));
    agent.costs(r#"{"service":"openai","amount_usd":51}"#).expect(200);
    watch.tells("FleetOverrun", "firing");
    agent.costs(r#"{"service":"openai","kind":"credit","amount_usd":-2}"#).expect(200);
    watch.tells("FleetOverrun", "resolved");
    agent.assert_healthy();
}

#[track_caller]
fn expect_success(output: &Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_full_disk_is_told_of_until_there_is_room() {
    let disk = TmpfsForLedger::mount("6m");
    let filler = disk.path_from_here().join("filler");
    fs::write(&filler, vec![0; 2 * 1024 * 1024]).unwrap();
    let agent = Setup::new().ledger_at(disk.path().join("ledger.db")).wrapped_in(disk.inside()).start();
    let watch = Watch::over(agent.addr());
    let event = json!({"service": "s", "amount_usd": 0.01, "attributes": {"p": "x".repeat(3_000)}});
    let events = json!(vec![event; 50]).to_string();
    let mut client = agent.client();
    // Goes on while waiting: the first refusal may make room, as the agent moves its log into the ledger.
    watch.tells_while("LedgerNotWriting", "firing", || {
        let status = client.costs(&events).status;
        assert!(matches!(status, 200 | 503), "{status}");
    });
    assert!(!watch.has_told("LedgerNotWriting", "resolved"), "it does not flap");
    fs::remove_file(&filler).unwrap();
    watch.tells("LedgerNotWriting", "resolved");
    client.costs(r#"{"service":"s","amount_usd":0.01}"#).expect(200);
    agent.assert_healthy();
}

/// An alert as Prometheus posts it. A period that is given is that of the global budget with this name.
fn alert(instance: &str, name: &str, period: Option<&str>) -> Value {
    let mut labels = json!({"app": "lead-factory-metrics", "alertname": name, "job": "lead-factory-metrics",
                            "instance": instance, "severity": "warning"});
    if let Some(period) = period {
        labels["period"] = json!(period);
        labels["budget"] = json!(period);
    }
    json!({"labels": labels})
}

#[test]
fn what_only_follows_from_another_alert_is_not_told() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::that_answers(200);
    let config = replaced(&shipped("alertmanager/alertmanager.yaml"), "http://localhost:9095", &receiver.url(""));
    let alertmanager = Daemon::alertmanager(&config, folder.path());
    let mut client = Client::new(alertmanager.addr);
    let (day, month) = (Some("daily"), Some("monthly"));
    // One instance for each story: what fires there, and what of it is quiet.
    let stories = [
        ("down", vec![("AgentDown", None)], vec![("LedgerNotWriting", None), ("NoEvents", None)]),
        ("full", vec![("LedgerNotWriting", None)], vec![("HighErrorRate", None), ("NoEvents", None)]),
        (
            "closed",
            vec![("ScalingGateActive", None), ("BudgetBurnFast", day)],
            vec![("HighDailyBudgetUtilization", None), ("HighMonthlyBudgetUtilization", None), ("BudgetBurnSlow", day)],
        ),
        (
            "day",
            vec![("HighDailyBudgetUtilization", day), ("BudgetForecastOverLimit", month)],
            vec![("BudgetForecastOverLimit", day), ("BudgetBurnSlow", day)],
        ),
        (
            "spent",
            vec![("BudgetExhausted", day), ("BudgetForecastOverLimit", month)],
            vec![("BudgetForecastOverLimit", day), ("BudgetBurnSlow", day)],
        ),
        ("both", vec![("HighDailyBudgetUtilization", day), ("HighMonthlyBudgetUtilization", month)], vec![]),
        ("apart", vec![("FleetDown", None)], vec![("FleetSyncLag", None), ("FleetLeaseRefusals", None)]),
        ("well", vec![("BudgetForecastOverLimit", day), ("NoEvents", None), ("HighErrorRate", None)], vec![]),
    ];
    let all: Vec<_> = stories
        .iter()
        .flat_map(|(instance, loud, quiet)| [loud, quiet].map(|alerts| (*instance, alerts)))
        .flat_map(|(instance, alerts)| alerts.iter().map(move |(name, period)| alert(instance, name, *period)))
        .collect();
    client.post("/api/v2/alerts", "application/json", json!(all).to_string()).expect(200);
    let quiet: BTreeSet<_> = stories
        .iter()
        .flat_map(|(instance, _, quiet)| quiet.iter().map(|(name, period)| labels(&alert(instance, name, *period))))
        .collect();
    // Alertmanager takes alerts in one after the other, so what silences another one may come in last.
    let mut seen = BTreeSet::new();
    within(TOLD_MAX, "exactly what follows from another alert is quiet", || {
        let shown = client.get("/api/v2/alerts").expect(200).json();
        let shown = shown.as_array().unwrap();
        let is_quiet = |alert: &&Value| !alert["status"]["inhibitedBy"].as_array().unwrap().is_empty();
        let now: BTreeSet<_> = shown.iter().filter(is_quiet).map(labels).collect();
        if now != seen {
            println!("quiet: {now:#?}");
            seen = now;
        }
        (shown.len() == all.len() && seen == quiet).then_some(())
    });
}

/// What tells one alert from another, as text.
fn labels(alert: &Value) -> String {
    alert["labels"].to_string()
}
