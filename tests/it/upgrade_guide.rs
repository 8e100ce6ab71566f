//! The replay of docs/upgrade.md, run as it stands there: an older program has what a newer one recorded since the backup.
//!
//! Guards against: an event that its next revision or a retry counts twice, or that a retry no longer finds to be the same; a correction or
//! a late price that is lost, or counted by both.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::support::{Amount, Setup, TestAgent, amounts_in, exact, now, tool, within};

/// In the copy: one that was revised already, one as it was first told, and one that waits for a price.
const BEFORE: &str = r#"[
    {"id":"bill","service":"twilio","worker":"w","amount_usd":1.30,"revision":1,"attributes":{"state":"open"}},
    {"id":"call","service":"anthropic","model":"m","source":"s","amount_usd":"0.000000000001"},
    {"id":"refund","service":"anthropic","kind":"credit","amount_usd":-0.25},
    {"id":"waits","service":"openai","model":"my-own-model","usage":{"input_tokens":1000}}
]"#;
/// Recorded since, revisions of those in the copy among them.
const SINCE: &str = r#"[
    {"id":"bill","service":"twilio","worker":"w","amount_usd":1.90,"revision":2,"attributes":{"state":null}},
    {"id":"bill","service":"twilio","worker":"w","amount_usd":2.10,"revision":4,"attributes":{"state":"paid","by":null}},
    {"id":"call","service":"anthropic","model":"m","source":"s","amount_usd":0.0345,"revision":1,"outcome":"error"},
    {"id":"refund","service":"anthropic","kind":"credit","amount_usd":-0.125,"revision":1},
    {"id":"new","service":"maps","amount_usd":1},
    {"id":"new","service":"maps","amount_usd":0.75,"revision":3}
]"#;
/// Recorded since as well, with all that an event may have.
const WHOLE: &str = r#"{"id":"whole","service":"maps","operation":"route","worker":"w","batch_id":"b","lead_id":"l","model":"m",
    "amount_usd":0.5,"usage":{"seconds":521.5},"duration_seconds":0.30000000000000004,
    "attributes":{"team":null,
                  "deep":{"left":[null, 1.50]}}}"#;
const PRICES: &str =
    "[[price]]\nservice = \"openai\"\nmodel = \"my-own-model\"\nunit = \"input_tokens\"\nusd = \"2\"\nper = 1000000\n";

/// The script under the heading.
fn replay_script() -> &'static str {
    let guide = include_str!("../../docs/upgrade.md");
    let section = guide.split("\n## Roll back\n").nth(1).expect("a section");
    let block = section.split("```sh\n").nth(1).expect("a script");
    block.split("```").next().unwrap()
}

/// Runs the script; says how many events were new, known and revised.
#[track_caller]
fn replay(newer: &Path, copy: &Path, agent: &TestAgent) -> [u64; 3] {
    for used in ["sqlite3", "curl", "split"] {
        tool(used);
    }
    let output = Command::new(tool("bash"))
        .args(["-c", replay_script()])
        .env("NEWER", newer)
        .env("COPY", copy)
        .env("AGENT", agent.url())
        .output()
        .unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}");
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    ["accepted", "duplicates", "revised"].map(|field| answer[field].as_u64().unwrap_or_default())
}

fn copy(ledger: &Path, to: &Path) {
    let connection = Connection::open_with_flags(ledger, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    connection.execute("VACUUM INTO ?", [to.to_str().unwrap()]).unwrap();
}

fn totals(agent: &TestAgent) -> BTreeMap<String, Amount> {
    amounts_in(&agent.get(&format!("/costs?from=2020-01-01&to={}", now().strftime("%Y-%m-%d"))))
}

/// A ledger that was copied and then went on; an agent on the copy.
struct RolledBack {
    newer: PathBuf,
    copy: PathBuf,
    /// What the newer ledger came to.
    totals: BTreeMap<String, Amount>,
    setup: Setup,
}

fn roll_back() -> RolledBack {
    let newer = Setup::new();
    let (copied, restored) = (newer.folder().join("copy.db"), newer.folder().join("restored.db"));
    let mut agent = newer.start();
    agent.costs(BEFORE).expect(200);
    copy(newer.ledger(), &copied);
    fs::copy(&copied, &restored).unwrap();
    assert!(agent.terminate().success());

    let prices = newer.folder().join("prices.toml");
    fs::write(&prices, PRICES).unwrap();
    let mut agent = newer.clone().env("PRICES_FILE", prices).start();
    within(Duration::from_secs(30), "the newer agent has priced what waited", || {
        (totals(&agent).get("openai") == Some(&exact("0.002"))).then_some(())
    });
    agent.costs(SINCE).expect(200);
    agent.costs(WHOLE).expect(200);
    let totals = totals(&agent);
    assert!(agent.terminate().success());
    RolledBack { newer: newer.ledger().to_owned(), copy: copied, totals, setup: newer.ledger_at(restored) }
}

#[test]
fn a_replay_tells_each_event_under_its_own_id_and_revision() {
    let RolledBack { newer, copy, totals: mut expected, setup } = roll_back();
    let agent = setup.start();
    assert_eq!(replay(&newer, &copy, &agent), [2, 0, 3]);
    // What waits for a price in the copy is priced by the agent itself.
    expected.insert("openai".to_owned(), exact("0"));
    assert_eq!(totals(&agent), expected);
    assert_eq!(replay(&newer, &copy, &agent), [0, 5, 0], "again");

    // Workers send everything once more.
    for events in [BEFORE, SINCE, WHOLE] {
        let answer = agent.costs(events).expect(200).json();
        assert_eq!((answer["accepted"].as_u64(), &answer["revised"]), (Some(0), &serde_json::Value::Null), "{answer}");
    }
    assert_eq!(totals(&agent), expected);
    agent.costs(r#"{"id":"bill","service":"twilio","worker":"w","amount_usd":3.255,"revision":5}"#).expect(200);
    expected.insert("twilio".to_owned(), exact("3.255"));
    assert_eq!(totals(&agent), expected);
    drop(agent);
    setup.assert_verifies();
}

#[test]
fn a_program_without_revisions_gets_corrections_as_entries_of_their_own() {
    let RolledBack { newer, copy, totals: mut expected, setup } = roll_back();
    // All that the script can tell of such a program is the format of its ledger.
    Connection::open(&copy).unwrap().pragma_update(None, "user_version", 1).unwrap();
    let agent = setup.start();
    assert_eq!(replay(&newer, &copy, &agent), [5, 0, 0]);
    expected.insert("openai".to_owned(), exact("0"));
    assert_eq!(totals(&agent), expected);
    assert_eq!(replay(&newer, &copy, &agent), [0, 5, 0], "again");
    let events = agent.get("/events").expect(200).json();
    let events = events["events"].as_array().unwrap();
    let corrections = events.iter().filter(|event| event["id"].as_str().unwrap().starts_with("bill#"));
    assert_eq!(corrections.map(|event| event["amount_usd"].to_string()).collect::<Vec<_>>(), ["0.8"]);
    assert!(events.iter().all(|event| event["revision"].as_u64().unwrap_or_default() <= 1), "none but the copy's own");
}
