//! Export and import: what goes out comes back in.
//!
//! Guards against: an import that loses a digit, a revision, an attribute or the order; one that counts twice when it is repeated; an
//! export that is taken for whole when it is not; a page of events that skips or repeats one while others come in.

use std::fs;
use std::io::Write;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::support::{Conn, Response, Rng, Setup, TestAgent, now, program, run};

const ODD_NAMES: [&str; 8] =
    ["openai", "=1+1", "'-x", "a,\"b\"", "caf\u{e9} \u{1f642}", "-", "a'b\\c", "\u{645}\u{631}\u{62d}\u{628}\u{627}"];
/// Everything that is grouped by.
const GROUPINGS: [&str; 7] = ["service", "operation", "worker", "batch", "lead", "model,service", "attributes.team,lead"];

#[track_caller]
fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), output.stderr.as_slice()].concat()).into_owned()
}

/// Runs `import` with this on its standard input.
fn import(agent: &TestAgent, arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(program())
        .arg("import")
        .args(arguments)
        .args(["--url", &agent.url()])
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            // It may have stopped reading.
            let _ = stdin.write_all(input);
        });
        child.wait_with_output().unwrap()
    })
}

/// An event in which everything may be, and the revisions that follow.
fn any_event(rng: &mut Rng, number: u64) -> Vec<Value> {
    let mut pick = |below: u64| rng.below(below);
    let name = |number: u64| ODD_NAMES[number as usize];
    let is_credit = pick(6) == 0;
    let sign = if is_credit { "-" } else { "" };
    let minutes = pick(40_000) as i64;
    let mut event = json!({
        "id": format!("{}-{number}", name(pick(8))),
        "service": name(pick(8)),
        "operation": name(pick(8)),
        "kind": if is_credit { "credit" } else { "charge" },
        "amount_usd": format!("{sign}{}.{:012}", pick(20), pick(1_000_000_000_000)),
    });
    let fields = event.as_object_mut().unwrap();
    if pick(3) > 0 {
        let time = now() - SignedDuration::from_mins(minutes);
        fields.insert("time".into(), time.to_string().into());
    }
    for field in ["source", "worker", "batch_id", "lead_id", "model"] {
        if pick(2) == 0 {
            fields.insert(field.into(), name(pick(8)).into());
        }
    }
    if pick(2) == 0 {
        fields.insert("usage".into(), json!({ "tokens": pick(1 << 53), "seconds": 521.5, "caf\u{e9}": 0 }));
    }
    if pick(3) == 0 {
        fields.insert("duration_seconds".into(), json!(pick(1_000) as f64 / 7.0));
        fields.insert("outcome".into(), "error".into());
    }
    let mut told = vec![];
    for revision in 0..=pick(3) {
        let mut again = event.clone();
        let fields = again.as_object_mut().unwrap();
        if revision > 0 {
            fields.insert("revision".into(), json!(revision * 2));
            fields.insert("amount_usd".into(), format!("{sign}{}.{:06}", pick(20), pick(1_000_000)).into());
        }
        if pick(2) == 0 {
            fields.insert("attributes".into(), json!({ "team": name(pick(8)), "deep": { "a": [1, null, "x\ny"] } }));
        }
        told.push(again);
    }
    // A lower revision that comes late changes nothing.
    if pick(4) == 0 && told.len() > 1 {
        told.swap(0, 1);
    }
    told
}

/// A ledger with revisions, credits, attributes, odd names and settlements.
fn fill(agent: &TestAgent, seed: u64, events: u64) {
    // While no budget is exhausted.
    for number in 0..20 {
        let id = format!("job-{number}");
        let reservation = json!({ "id": id, "service": "openai", "estimated_cost_usd": 0.5, "worker": "w", "lead_id": "l" });
        agent.client().post("/reservations", "application/json", reservation.to_string()).expect(201);
        let path = format!("/reservations/{id}/commit");
        agent.client().post(&path, "application/json", r#"{"amount_usd":0.25,"model":"m"}"#).expect(200);
    }
    let mut rng = Rng::new(seed);
    let mut late = Vec::new();
    for batch in 0..events / 50 {
        let mut body = Vec::new();
        for number in batch * 50..(batch + 1) * 50 {
            let mut told = any_event(&mut rng, number).into_iter();
            body.extend(told.next());
            late.extend(told);
        }
        let revisions = late.len().min(20);
        body.extend(late.drain(..revisions));
        agent.client().post("/costs?partial=true", "application/json", Value::from(body).to_string()).expect(200);
    }
    // With attributes that are written over several lines.
    agent.costs("{\"id\":\"lines\",\"service\":\"s\",\"amount_usd\":1,\"attributes\":{\n\"team\":\r\n\"t\"}}").expect(200);
}

/// Every page of events, byte for byte.
fn pages(agent: &TestAgent, query: &str) -> Vec<String> {
    let mut pages = Vec::new();
    let mut after = String::new();
    loop {
        let page = agent.get(&format!("/events?{query}{after}")).expect(200);
        let next = page.json()["next"].as_str().map(str::to_owned);
        pages.push(page.text());
        match next {
            Some(next) => after = format!("&after={next}"),
            None => return pages,
        }
    }
}

fn assert_same(left: &TestAgent, right: &TestAgent) {
    for by in GROUPINGS {
        let path = format!("/costs/history?days=40&by={by}");
        assert!(left.get(&path).expect(200).text() == right.get(&path).expect(200).text(), "{path}");
        let path = format!("/costs/monthly?by={by}");
        assert!(left.get(&path).expect(200).text() == right.get(&path).expect(200).text(), "{path}");
    }
    for query in ["limit=77", "limit=1000&order=asc", "limit=100&worker=", "limit=50&service=openai&order=asc"] {
        assert!(pages(left, query) == pages(right, query), "{query}");
    }
}

#[test]
fn what_is_exported_comes_back_the_same_to_the_letter() {
    let (from, to) = (Setup::new(), Setup::new());
    let source = from.start();
    fill(&source, 7, 3_000);
    let exported = from.verb(&["export"]);
    assert!(exported.status.success(), "{}", said(&exported));
    assert_eq!(source.get("/export").expect(200).body, exported.stdout, "the agent's own export");

    let target = to.start();
    let imported = import(&target, &["--any-age"], &exported.stdout);
    assert!(imported.status.success(), "{}", said(&imported));
    assert_same(&source, &target);
    let again = import(&target, &["--any-age"], &exported.stdout);
    assert!(again.status.success() && said(&again).contains("accepted 0,"), "{}", said(&again));
    assert_same(&source, &target);

    // CSV has no history, but every event as it stands.
    let other = Setup::new();
    let csv = from.verb(&["export", "--format", "csv"]);
    let as_standing = other.start();
    let imported = import(&as_standing, &["--any-age", "--format", "csv"], &csv.stdout);
    assert!(imported.status.success(), "{}", said(&imported));
    // What moved to other attributes has left nothing behind.
    for by in GROUPINGS.iter().filter(|by| !by.contains("attributes")) {
        let path = format!("/costs/history?days=40&by={by}");
        assert!(source.get(&path).text() == as_standing.get(&path).text(), "{path}");
    }
    drop((source, target, as_standing));
    for setup in [from, to, other] {
        setup.assert_verifies();
    }
}

#[test]
fn an_import_that_was_cut_off_is_run_again_and_counts_once() {
    let (from, to) = (Setup::new(), Setup::new());
    let source = from.start();
    fill(&source, 11, 3_000);
    let file = from.folder().join("ledger.jsonl");
    let exported = from.verb(&["export", "--output-file", file.to_str().unwrap()]);
    assert!(exported.status.success(), "{}", said(&exported));
    assert!(!from.folder().join("ledger.jsonl.partial").exists());
    let lines = fs::read(&file).unwrap();
    for kills in 1..=3_u64 {
        let mut target = to.start();
        let url = target.url();
        let mut child = Command::new(program())
            .args(["import", "--any-age", "--url", &url, file.to_str().unwrap()])
            .env_clear()
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(40 * kills));
        target.kill();
        let _ = child.kill();
        child.wait().unwrap();
        // A part of the file, cut off within a line.
        let target = to.start();
        let part = lines.len() / 4 * kills as usize;
        let end = part + lines[part..].iter().position(|byte| *byte == b'\n').unwrap();
        let cut = import(&target, &["--any-age"], &lines[..end - 1]);
        assert_eq!(cut.status.code(), Some(1), "{}", said(&cut));
        assert!(said(&cut).contains("is not a JSON object") && said(&cut).contains("rejected 1"), "{}", said(&cut));
    }
    let target = to.start();
    let whole = import(&target, &["--any-age"], &lines);
    assert!(whole.status.success(), "{}", said(&whole));
    assert_same(&source, &target);
    drop(target);
    to.assert_verifies();
}

#[test]
fn bad_rows_are_told_and_the_others_recorded() {
    let agent = Setup::new().start();
    let rows = "{\"id\":\"a\",\"service\":\"s\",\"amount_usd\":1}\n\nnot json\n{\"id\":\"b\",\"service\":\"s\"}\n\
        {\"id\":\"old\",\"service\":\"s\",\"amount_usd\":1,\"time\":\"2001-01-01T00:00:00Z\"}\n{\"amount_usd\":0.5}\n";
    let dry = import(&agent, &["--dry-run", "--service", "t"], rows.as_bytes());
    assert_eq!((dry.status.code(), said(&dry).contains("2 valid, 3 rejected")), (Some(1), true), "{}", said(&dry));
    assert_eq!(agent.get("/costs/daily").text(), "{}", "a dry run records nothing");
    let output = import(&agent, &["--service", "t"], rows.as_bytes());
    let text = said(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("accepted 2, duplicates 0, revised 0, rejected 3"), "{text}");
    for part in ["row 3: is not a JSON object", "row 4: amount_usd is required", "row 5: time is more than"] {
        assert!(text.contains(part), "{text}");
    }
    assert_eq!(agent.get("/costs/daily").text(), r#"{"s":1,"t":0.5}"#);
    // A line without an id has one of its own, so nothing counts twice.
    import(&agent, &["--service", "t", "--any-age"], rows.as_bytes());
    assert_eq!(agent.get("/costs/daily").text(), r#"{"s":1,"t":0.5}"#);
    assert_eq!(agent.get("/costs?from=2001-01-01&to=2001-01-01").expect(200).text(), r#"{"s":1}"#);
    let headings = import(&agent, &["--format", "csv"], b"service;amount_usd\ns;1\n");
    assert!(said(&headings).contains("unknown heading"), "{}", said(&headings));
    assert_eq!(headings.status.code(), Some(1));
    let metrics = agent.metrics();
    assert_eq!(metrics.get("lead_factory_events_total", &[("format", "import"), ("result", "recorded")]), Some(3.0));
    // What the agent alone takes: no recording of the future, no recorded_at elsewhere.
    let event = r#"{"id":"x","service":"s","amount_usd":1,"recorded_at":"2999-01-01T00:00:00Z"}"#;
    let answer = agent.client().post("/import", "application/x-ndjson", event).expect(200).json();
    assert_eq!((&answer["accepted"], &answer["rejected"]), (&0.into(), &1.into()), "{answer}");
    assert_eq!(agent.costs(event).expect(422).slug(), "invalid-event");
}

#[test]
fn other_records_of_cost_are_imported() {
    let agent = Setup::new().start();
    let started = now() - SignedDuration::from_hours(1);
    let logs = json!([
        { "request_id": "r1", "spend": 1.5e-05, "startTime": started.to_string(), "model": "m", "custom_llm_provider": "openai" },
        { "request_id": "r2", "spend": 0.25, "startTime": started.to_string(), "model": "m", "custom_llm_provider": "azure" },
        { "startTime": "2026-11-01", "spend": 3, "models": {} },
    ]);
    let output = import(&agent, &["--format", "litellm-spend-logs"], logs.to_string().as_bytes());
    assert!(said(&output).contains("accepted 2,") && said(&output).contains("rejected 1"), "{}", said(&output));
    let event = &agent.get("/events?id=r1&source=litellm").expect(200).json()["events"][0];
    assert_eq!((&event["service"], event["amount_usd"].to_string()), (&"openai".into(), "0.000015".to_owned()));

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("lead_factory.db");
    let sql = format!(
        "CREATE TABLE cost_tracking (id INTEGER PRIMARY KEY, service TEXT, operation TEXT, cost_dollars REAL, timestamp TEXT);
         INSERT INTO cost_tracking VALUES (1, 'yelp', 'search', 0.1, '{}'), (2, 'yelp', 'search', 'x', '2025-05-20 10:00:00');",
        started.strftime("%Y-%m-%d %H:%M:%S")
    );
    run("sqlite3", &[file.to_str().unwrap(), &sql]);
    let output = agent.cli(&["import", "--format", "sqlite-original", "--any-age", file.to_str().unwrap()]);
    assert!(said(&output).contains("accepted 1,") && said(&output).contains("rejected 1"), "{}", said(&output));
    assert_eq!(agent.get("/costs?from=2025-01-01").json()["yelp"], 0.1);
    let output = agent.cli(&["import", "--format", "sqlite-original", "/etc/passwd"]);
    assert_eq!(
        (output.status.code(), said(&output).contains("cannot read /etc/passwd")),
        (Some(1), true),
        "{}",
        said(&output)
    );
}

#[test]
fn pages_hold_while_events_come_in_and_forged_places_are_refused() {
    let agent = Setup::new().start();
    let event = |number: u64| format!(r#"{{"id":"e{number}","service":"s","amount_usd":1,"time":"{}"}}"#, now());
    for number in 0..30 {
        agent.costs(event(number)).expect(200);
    }
    let (mut seen, mut after) = (Vec::new(), String::new());
    for number in 30.. {
        let page = agent.get(&format!("/events?limit=4{after}")).expect(200).json();
        seen.extend(page["events"].as_array().unwrap().iter().map(|event| event["id"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
        agent.costs(event(number)).expect(200);
    }
    let expected: Vec<String> = (0..30).rev().map(|number| format!("e{number}")).collect();
    assert_eq!(seen, expected);
    for query in [
        "after=AAAA",
        "after=",
        "limit=0",
        "limit=1001",
        "order=up",
        "id=",
        "service=",
        "from=now",
        "from=2026-11-23&to=2026-11-22",
        "lead=%0A",
        "date=2026-11-22",
    ] {
        assert_eq!(agent.get(&format!("/events?{query}")).expect(400).slug(), "malformed", "{query}");
    }
    assert_eq!(agent.get("/export?format=xml").expect(400).slug(), "malformed");
    assert_eq!(agent.get("/events?id=e7").expect(200).json()["events"][0]["id"], "e7");
    assert_eq!(agent.get("/events?id=nobody").expect(200).text(), r#"{"events":[],"next":null}"#);
}

#[test]
fn a_slow_reader_of_an_export_holds_up_nobody() {
    let setup = Setup::new().setting("idle_timeout_seconds = 10");
    let agent = setup.start();
    let line = |number: u64| {
        format!(r#"{{"id":"e{number}","service":"s","amount_usd":1,"attributes":{{"text":"{}"}}}}"#, "x".repeat(3_000))
    };
    for batch in 0..9_u64 {
        let lines: Vec<String> = (batch * 1_000..(batch + 1) * 1_000).map(line).collect();
        agent.client().post("/costs", "application/x-ndjson", lines.join("\n")).expect(200);
    }
    let mut slow: Vec<Conn> = (0..2).map(|_| Conn::open(agent.addr()).unwrap()).collect();
    let begun: Vec<Response> = slow
        .iter_mut()
        .map(|conn| {
            conn.send(b"GET /export HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
            conn.read_head().unwrap().expect(200)
        })
        .collect();
    assert_eq!(agent.get("/export").expect(503).slug(), "overloaded", "two are under way");
    for number in 0..20 {
        agent.costs(format!(r#"{{"id":"beside-{number}","service":"s","amount_usd":1}}"#)).expect(200);
    }
    assert_eq!(agent.get("/export").expect(503).slug(), "overloaded", "they are under way still");
    // Whoever reads nothing at all is given up, and makes room.
    let whole = crate::support::within(Duration::from_secs(60), "there is room for another export", || {
        let answer = agent.get("/export");
        (answer.status == 200).then_some(answer)
    });
    assert_eq!(whole.body.iter().filter(|byte| **byte == b'\n').count(), 9_020);
    // The other one may be given up later, or be read to its end now.
    let read: Vec<_> = slow.iter_mut().zip(begun).filter_map(|(conn, head)| conn.read_body(head).ok()).collect();
    assert!(read.len() < 2, "an answer that was cut off is not taken for a whole one");
    for answer in read {
        assert_eq!(answer.body.iter().filter(|byte| **byte == b'\n').count(), 9_000);
    }
    agent.assert_healthy();
}

/// Guards against: a ledger that is replaced by its own export, under a running agent that notices nothing.
#[test]
fn an_export_replaces_no_ledger() {
    let setup = Setup::new();
    let agent = setup.start();
    fill(&agent, 5, 10);
    let path = setup.ledger().display().to_string();
    for suffix in ["", "-wal", "-mark"] {
        for source in [vec![], vec!["--url".to_owned(), agent.url()]] {
            let onto = format!("{path}{suffix}");
            let arguments = ["export".to_owned(), "--output-file".to_owned(), onto.clone()].into_iter().chain(source);
            let arguments: Vec<String> = arguments.collect();
            let refused = setup.verb(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
            assert_eq!(refused.status.code(), Some(2), "{onto}: {}", said(&refused));
            assert!(said(&refused).contains("would be replaced"), "{}", said(&refused));
            assert!(!std::path::Path::new(&format!("{onto}.partial")).exists());
        }
    }
    setup.assert_verifies();
    agent.assert_healthy();
}
