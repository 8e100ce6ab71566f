//! Events that the agent prices itself, and prices that come later: the whole program, its files, signals and verbs.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::ToSpan;

use crate::support::{Setup, TestAgent, now, run, within};

/// Longer than anything takes, so that a test which waits for it fails.
const PATIENCE: Duration = Duration::from_secs(60);

fn own_price(model: &str, usd: &str) -> String {
    format!(
        "[[price]]\nservice = \"openai\"\nmodel = \"{model}\"\nunit = \"input_tokens\"\nusd = \"{usd}\"\nper = 1000000\n"
    )
}

/// An agent's settings with a file of prices, which can be changed.
fn setup(prices: &str) -> (Setup, PathBuf) {
    let setup = Setup::new();
    let file = setup.folder().join("prices.toml");
    fs::write(&file, prices).unwrap();
    let setup = setup.env("PRICES_FILE", &file);
    (setup, file)
}

fn hang_up(agent: &TestAgent) {
    run("kill", &["-HUP", &agent.pid().to_string()]);
}

fn unpriced(agent: &TestAgent) -> u64 {
    let groups = agent.get("/unpriced").expect(200).json();
    groups.as_array().unwrap().iter().map(|group| group["events"].as_u64().unwrap()).sum()
}

fn total(agent: &TestAgent) -> String {
    let range = format!("/costs?from=2020-01-01&to={}", now().strftime("%Y-%m-%d"));
    agent.get(&range).expect(200).text()
}

fn export(setup: &Setup, to: &Path) -> Vec<u8> {
    let output = setup.verb(&["export", "--output-file", to.to_str().unwrap()]);
    assert!(output.status.success(), "{output:?}");
    fs::read(to).unwrap()
}

#[test]
fn what_waits_is_rated_once_in_its_own_day_whatever_is_killed_meanwhile() {
    const EVENTS: u64 = 20_000;
    let (setup, file) = setup(&own_price("another-model", "1"));
    let mut agent = setup.start();
    // 1,000 tokens each, over some days that are over.
    for part in 0..4_u64 {
        let time = now() - (24 * i64::try_from(part).unwrap()).hours();
        let event = |number: u64| {
            format!(
                r#"{{"id":"{part}-{number}","service":"openai","model":"my-own-model","time":"{time}","usage":{{"input_tokens":1000}}}}"#
            )
        };
        let body: Vec<String> = (0..EVENTS / 4).map(event).collect();
        agent.costs(format!("[{}]", body.join(","))).expect(200);
    }
    assert_eq!(unpriced(&agent), EVENTS);
    fs::write(&file, own_price("my-own-model", "2")).unwrap();
    hang_up(&agent);
    let mut kills = 0;
    within(PATIENCE, "everything is rated", || {
        let left = unpriced(&agent);
        if left < EVENTS && left > 0 && kills < 3 {
            kills += 1;
            agent.kill();
            agent = setup.start();
        }
        (left == 0).then_some(())
    });
    assert!(kills > 0, "it was over before it could be killed");
    // The list is read from the file, which has a commit an instant before it is shown. 20,000 times 0.002.
    within(PATIENCE, "its cost is shown", || (total(&agent) == r#"{"openai":40}"#).then_some(()));
    for part in 0..4_i64 {
        let day = (now() - (24 * part).hours()).strftime("%Y-%m-%d").to_string();
        let cost = agent.get(&format!("/costs/daily?date={day}")).expect(200).text();
        assert_eq!(cost, r#"{"openai":10}"#, "{day}");
    }
    assert_eq!(
        agent.metrics().get("lead_factory_cost_usd_total", &[("service", "openai"), ("operation", "unknown")]),
        Some(40.0)
    );
    let adjusted = agent.get("/events?id=3-7").expect(200).json()["events"][0].clone();
    assert_eq!(adjusted["adjustments"].as_array().unwrap().len(), 1, "{adjusted}");
    assert_eq!((&adjusted["revision"], &adjusted["price"]["name"].is_string()), (&0.into(), &true), "{adjusted}");
    agent.assert_healthy();
    agent.terminate();
    setup.assert_verifies();

    // Another ledger knows as much of it.
    let first = export(&setup, &setup.folder().join("first.jsonl"));
    let other = Setup::new();
    let copy = other.start();
    let lines = setup.folder().join("first.jsonl");
    let imported = copy.cli(&["import", "--any-age", lines.to_str().unwrap()]);
    assert!(imported.status.success(), "{imported:?}");
    let agent = setup.start();
    assert_eq!(total(&copy), total(&agent));
    assert_eq!(copy.get("/events?id=3-7").expect(200).text(), agent.get("/events?id=3-7").expect(200).text());
    assert_eq!(unpriced(&copy), 0);
    let again = copy.cli(&["import", "--any-age", lines.to_str().unwrap()]);
    assert!(again.status.success(), "{again:?}");
    assert_eq!(total(&copy), total(&agent));
    drop(copy);
    let second = export(&other, &setup.folder().join("second.jsonl"));
    assert!(first == second, "an export of the copy says something else");
    other.assert_verifies();
}

#[test]
fn budgets_and_gate_see_what_was_rated_and_a_wrong_file_changes_nothing() {
    let (setup, file) = setup(&own_price("another-model", "1"));
    let setup = setup.env("DAILY_BUDGET", "10");
    let agent = setup.start();
    let event = r#"{"id":"a","service":"openai","model":"my-own-model","usage":{"input_tokens":1000000}}"#;
    agent.costs(event).expect(200);
    assert_eq!(agent.get("/scaling-gate/status").expect(200).json()["scaling_gate_active"], false);

    fs::write(&file, "[[price]]\nservice = 1\n").unwrap();
    let refused = agent.cli(&["prices", "reload"]);
    assert!(!refused.status.success(), "{refused:?}");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("prices.toml"), "{refused:?}");
    assert_eq!(agent.metrics().get("lead_factory_config_reload_success", &[]), Some(0.0));
    assert_eq!(unpriced(&agent), 1);
    assert!(!setup.verb(&["prices", "check", "--file", file.to_str().unwrap()]).status.success());

    fs::write(&file, own_price("my-*", "9.5")).unwrap();
    assert!(setup.verb(&["prices", "check", "--file", file.to_str().unwrap()]).status.success());
    let reloaded = agent.cli(&["prices", "reload"]);
    assert!(reloaded.status.success(), "{reloaded:?}");
    assert_eq!(agent.metrics().get("lead_factory_config_reload_success", &[]), Some(1.0));
    within(PATIENCE, "it is rated", || (unpriced(&agent) == 0).then_some(()));
    let budgets = agent.get("/budgets").expect(200).json();
    assert_eq!(budgets[0]["spent_usd"].to_string(), "9.5");
    assert_eq!(agent.get("/scaling-gate/status").expect(200).json()["scaling_gate_active"], true);
    agent.costs(event).expect(200);

    // What has a price changes only by reprice, and once.
    fs::write(&file, own_price("my-*", "4")).unwrap();
    assert!(agent.cli(&["prices", "reload"]).status.success());
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(agent.get("/budgets").expect(200).json()[0]["spent_usd"].to_string(), "9.5");
    let day = now().strftime("%Y-%m-%d").to_string();
    for (repriced, before) in [(1, "9.5"), (0, "4")] {
        let output =
            agent.cli(&["reprice", "--from", "2026-01-01", "--to", &day, "--model", "my-own-model", "--output", "json"]);
        assert!(output.status.success(), "{output:?}");
        let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(
            (&answer["repriced"], answer["before_usd"].to_string()),
            (&repriced.into(), before.to_owned()),
            "{answer}"
        );
        assert_eq!(answer["after_usd"].to_string(), "4");
    }
    assert_eq!(agent.get("/budgets").expect(200).json()[0]["spent_usd"].to_string(), "4");
    assert_eq!(agent.get("/scaling-gate/status").expect(200).json()["scaling_gate_active"], false);

    let shown = agent.get("/prices?service=openai&model=my-own-model").expect(200).json();
    assert_eq!(shown["prices"][0]["unit"], "input_tokens");
    assert_eq!((shown["prices"][0]["usd"].to_string(), &shown["prices"][0]["per"]), ("4".to_owned(), &1_000_000.into()));
    let estimate = setup.verb(&[
        "estimate",
        "--service",
        "openai",
        "--model",
        "my-own-model",
        "--input-tokens",
        "250000",
        "--output",
        "json",
    ]);
    assert!(estimate.status.success(), "{estimate:?}");
    assert!(String::from_utf8_lossy(&estimate.stdout).contains("\"amount_usd\":1,"), "{estimate:?}");
    agent.assert_healthy();
}

#[test]
fn calls_that_another_road_charges_are_not_charged_when_workers_tell_them() {
    let agent = Setup::new().env("CHARGE_FROM", "openai=litellm").start();
    let event = |source: &str, id: &str| format!(r#"{{"source":"{source}","id":"{id}","service":"openai","amount_usd":1}}"#);
    let both = format!("[{},{},{}]", event("call:openai", "a"), event("", "b"), event("call:anthropic", "c"));
    assert_eq!(agent.costs(&both).expect(200).text(), r#"{"accepted":2,"duplicates":1}"#);
    // A conflict is told with its place in the body.
    let other = both.replace("\"amount_usd\":1", "\"amount_usd\":2");
    let refused = agent.costs(other).expect(409).json();
    let places: Vec<_> = refused["errors"].as_array().unwrap().iter().map(|error| error["index"].as_u64()).collect();
    assert_eq!(places, [Some(1), Some(2)], "{refused}");
}

/// Guards against: "in force" for a file that the agent does not read, and an old file that is gone although the new one was refused.
#[test]
fn a_new_file_of_prices_is_in_force_or_the_old_one_is_back() {
    let (setup, file) = setup(&own_price("old", "1"));
    let agent = setup.start();
    let new = setup.folder().join("new.toml");
    let update = |from: &Setup| {
        let output = from.verb(&["prices", "update", "--file", new.to_str().unwrap(), "--url", &agent.url()]);
        let said = String::from_utf8_lossy(&[output.stdout.as_slice(), output.stderr.as_slice()].concat()).into_owned();
        (output.status.code(), said)
    };
    let price = |model: &str| agent.get(&format!("/prices?service=openai&model={model}")).text().contains("\"usd\":2");
    fs::write(&new, own_price("new", "2")).unwrap();
    let (code, said) = update(&setup);
    assert!(code == Some(0) && said.ends_with("prices.toml is in force\n"), "{said}");
    assert!(price("new"));
    assert_eq!(fs::read(&file).unwrap(), fs::read(&new).unwrap());

    // What is missing or broken is repaired.
    for broken in [None, Some("[[price]]\nusd = -1\n")] {
        let _ = fs::remove_file(&file);
        broken.map_or(Ok(()), |text| fs::write(&file, text)).unwrap();
        let (code, said) = update(&setup);
        assert_eq!((code, fs::read(&file).unwrap()), (Some(0), fs::read(&new).unwrap()), "{said}");
    }

    // Other settings name a file that this agent does not read.
    let other = setup.folder().join("other.toml");
    fs::write(&other, own_price("other", "1")).unwrap();
    fs::write(&new, own_price("newest", "2")).unwrap();
    let (code, said) = update(&setup.clone().env("PRICES_FILE", &other));
    assert!(code == Some(1) && said.contains("the agent reads another file of prices than"), "{said}");
    assert_eq!(fs::read_to_string(&other).unwrap(), own_price("other", "1"));
    assert!(price("new") && !price("newest"));
}
