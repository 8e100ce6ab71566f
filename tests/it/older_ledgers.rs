//! Ledgers that earlier builds wrote, opened by this one: every total is what it was, and recording goes on.
//!
//! Guards against: a column read from another place than it was written to, a checksum over other bytes, a migration that loses or
//! counts twice, a start that relies on what only the newest build writes.
//!
//! Each folder of `tests/ledgers` is the ledger of one format. **Before a change of the schema**, while `MIGRATIONS` in
//! `src/ledger/schema.rs` still ends with the old one, make the folder of that with the old build and commit it:
//!
//! ```sh
//! cargo build --release && tests/ledgers/make target/release/lead-factory-metrics tests/ledgers/format-<its number>
//! ```
//!
//! The script says what is in there. Folders are never made anew by a later build: then they would prove nothing.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use serde::Deserialize;

use crate::support::{Amount, Setup, TestAgent, amounts_in, exact, spent_by_key};

/// `answers.json` of a ledger.
#[derive(Deserialize)]
struct Answers {
    asked_at: String,
    settings: BTreeMap<String, String>,
    /// Lines of metrics about the outbox.
    pending: Vec<String>,
    /// By their paths, after a clean stop.
    stopped: BTreeMap<String, String>,
    /// After a kill that left events behind the newest sums.
    killed: BTreeMap<String, String>,
}

#[track_caller]
fn folders() -> Vec<PathBuf> {
    let entries = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ledgers")).unwrap();
    let folders: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    assert!(!folders.is_empty());
    folders
}

#[track_caller]
fn answers(folder: &Path) -> Answers {
    serde_json::from_reader(File::open(folder.join("answers.json")).unwrap()).unwrap()
}

#[track_caller]
fn unpack(packed: &Path, to: &Path) {
    io::copy(&mut GzDecoder::new(File::open(packed).unwrap()), &mut File::create(to).unwrap()).unwrap();
}

/// The settings and the time under which the answers were given, on a copy of the ledger.
#[track_caller]
fn setup(folder: &Path, answers: &Answers) -> Setup {
    let setup = Setup::new().with_wall_clock(&answers.asked_at);
    unpack(&folder.join("ledger.db.gz"), setup.ledger());
    answers.settings.iter().fold(setup, |setup, (name, value)| setup.env(name, value))
}

#[track_caller]
fn assert_answers(agent: &TestAgent, expected: &BTreeMap<String, String>) {
    for (path, text) in expected {
        let mut answer = agent.get(path).expect(200).text();
        if path.starts_with("/reservations") && !text.contains(r#""model""#) {
            // Since format 4 a reservation may say for which model it is; earlier ones are for none.
            answer = answer.replace(r#","model":null"#, "");
        }
        assert_eq!(answer, *text, "{path}");
    }
}

/// Charges by model, which earlier builds did not add up, are as much as those by operation; few events name none.
#[track_caller]
fn assert_charges_by_model(agent: &TestAgent) {
    let metrics = agent.metrics();
    let sum = |name: &str, service: &str| -> f64 {
        metrics.series(name).filter(|(labels, _)| labels["service"] == service).map(|(_, value)| value).sum()
    };
    for service in metrics.by_label("lead_factory_credit_usd_total", "service").keys() {
        let (by_model, expected) =
            (sum("lead_factory_model_cost_usd_total", service), sum("lead_factory_cost_usd_total", service));
        assert!((by_model - expected).abs() < 1e-6, "{service}: {by_model} by model, {expected} by operation");
    }
    assert!(metrics.get("lead_factory_model_cost_usd_total", &[("service", "anthropic"), ("model", "claude")]) > Some(0.0));
}

/// New events, an id that the old build recorded, and a reservation that it granted.
#[track_caller]
fn assert_recording_goes_on(agent: &TestAgent) {
    let today = || amounts_in(&agent.get("/costs/daily?by=lead"));
    let before = today();
    let batch = r#"[{"id":"new","service":"openai","operation":"chat","amount_usd":"0.7","lead_id":"lead-3"},
        {"id":"e-1","service":"anthropic","operation":"embed","amount_usd":"0.000501","time":"2026-10-28T00:00:00Z","lead_id":"lead-1"},
        {"id":"e-16480","source":"fixture","service":"anthropic","operation":"chat","amount_usd":"0.000500",
         "time":"2026-11-19T21:00:00Z","worker":"w0","batch_id":"b2","model":"claude","duration_seconds":0.25,"outcome":"error",
         "usage":{"input_tokens":1000,"output_tokens":1},"attributes":{"täg":[1.5,null,"é"],"n":9007199254740991}}]"#;
    let receipt = agent.costs(batch).expect(200).json();
    assert_eq!((&receipt["accepted"], &receipt["duplicates"]), (&1.into(), &2.into()), "{receipt}");
    let settle = r#"{"amount_usd":"0.2"}"#;
    agent.client().post("/reservations/held/commit", "application/json", settle).expect(200);
    let mut expected = before;
    *expected.get_mut("lead-3").unwrap() += exact("0.9");
    assert_eq!(today(), expected);
}

/// Budgets that ask for more than the sums of days say.
fn with_budgets(setup: Setup) -> Setup {
    let tables = [
        r#"name = "lead", each = "lead", period = "monthly", limit_usd = 50"#,
        r#"name = "model", each = "model", period = "total", limit_usd = 1"#,
        r#"name = "hour", each = "service", period = "hourly", limit_usd = 1"#,
    ];
    let lines = tables.iter().flat_map(|table| ["[[budget]]"].into_iter().chain(table.split(", ")));
    lines.fold(setup, |setup, line| setup.setting(line))
}

#[track_caller]
fn assert_budgets(agent: &TestAgent, when: &str) {
    // Without regard to letter case, and without what names none.
    let named = |amounts: BTreeMap<String, Amount>| {
        let mut folded: BTreeMap<String, Amount> = BTreeMap::new();
        for (name, amount) in amounts.into_iter().filter(|(name, _)| !name.is_empty()) {
            *folded.entry(name.to_lowercase()).or_default() += amount;
        }
        folded
    };
    let (months, later) = (["2026-10", "2026-11"], "2026-11-20T12:00:00Z");
    let [october, november] =
        months.map(|month| named(amounts_in(&agent.get(&format!("/costs/monthly?month={month}&by=lead")))));
    assert_ne!(october, november, "both have cost");
    assert_eq!(spent_by_key(agent, "lead"), november, "{when}");
    let mut models: BTreeMap<String, Amount> = BTreeMap::new();
    for month in months {
        for (model, amount) in named(amounts_in(&agent.get(&format!("/costs/monthly?month={month}&by=model")))) {
            *models.entry(model).or_default() += amount;
        }
    }
    // A call that waits for a price has spent nothing.
    models.retain(|_, amount| *amount != Amount::default());
    assert_eq!(spent_by_key(agent, "model"), models, "{when}");
    let in_this_hour = agent.get(&format!("/events?limit=1000&from={later}")).json();
    assert_eq!(in_this_hour["next"], serde_json::Value::Null);
    assert_eq!(in_this_hour["events"].as_array().unwrap().is_empty(), spent_by_key(agent, "hour").is_empty(), "{when}");
}

#[track_caller]
fn assert_stops_sound(mut agent: TestAgent, setup: &Setup) {
    agent.assert_healthy();
    assert!(agent.terminate().success());
    setup.assert_verifies();
}

#[test]
fn the_ledger_of_an_earlier_build_has_every_total_and_is_recorded_into() {
    for folder in folders() {
        let answers = answers(&folder);
        let setup = setup(&folder, &answers);
        let agent = setup.start();
        assert_answers(&agent, &answers.stopped);
        let metrics = agent.get("/metrics").text();
        let pending: Vec<&str> = metrics.lines().filter(|line| line.starts_with("lead_factory_webhook_pending")).collect();
        assert_eq!(pending, answers.pending, "messages wait for their receivers");
        assert_charges_by_model(&agent);
        assert_recording_goes_on(&agent);
        assert_stops_sound(agent, &setup);
    }
}

#[test]
fn what_an_earlier_build_recorded_before_it_was_killed_is_added_up() {
    for folder in folders() {
        let answers = answers(&folder);
        let setup = setup(&folder, &answers);
        unpack(&folder.join("killed.db-wal.gz"), &setup.ledger().with_extension("db-wal"));
        setup.assert_verifies();
        let agent = setup.start();
        assert_answers(&agent, &answers.killed);
        assert_charges_by_model(&agent);
        assert_recording_goes_on(&agent);
        assert_stops_sound(agent, &setup);
    }
}

/// Guards against: entries of an earlier build that a budget counts otherwise than the totals do, or not at all after its first start.
#[test]
fn budgets_count_what_an_earlier_build_recorded() {
    for folder in folders() {
        let answers = answers(&folder);
        let setup = with_budgets(setup(&folder, &answers));
        unpack(&folder.join("killed.db-wal.gz"), &setup.ledger().with_extension("db-wal"));
        // From the entries, from what is kept of them, and from that and what came behind it.
        for when in ["first", "again", "after a kill"] {
            let mut agent = setup.start();
            assert_budgets(&agent, when);
            if when == "again" {
                agent.costs(r#"{"service":"openai","amount_usd":1,"lead_id":"LEAD-3","model":"GPT-4o"}"#).expect(200);
                agent.kill();
                continue;
            }
            assert_stops_sound(agent, &setup);
        }
    }
}
