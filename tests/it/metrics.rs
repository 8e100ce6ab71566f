//! The exposition as a whole: names, labels, types and help are a promise to dashboards and alerts.
//!
//! Guards against: a metric renamed or gone, a label more, series that describe the library instead of the bill.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::support::{Exposition, Setup, TestAgent, now};

const GOLDEN: &str = include_str!("golden/metrics.txt");

/// In the first moments of a day there is no forecast, and the metric has no series.
fn zone_with_a_forecast() -> &'static str {
    if now().as_second().rem_euclid(86_400) < 2 * 3_600 { "Etc/GMT-6" } else { "UTC" }
}

/// An agent that has done everything that has a metric.
fn busy_agent() -> TestAgent {
    let agent = Setup::new()
        .env("OPENAI_DAILY_CAP", "20")
        .env("BUDGET_TIMEZONE", zone_with_a_forecast())
        .setting("[[budget]]\nname = \"per-lead\"\neach = \"lead\"\nperiod = \"total\"\nlimit_usd = 5")
        .start();
    agent
        .costs(
            r#"{"service":"openai","amount_usd":0.1,"model":"m","lead_id":"l","usage":{"tokens":7},"duration_seconds":0.5}"#,
        )
        .expect(200);
    agent.costs(r#"{"service":"openai","amount_usd":-0.1,"kind":"credit"}"#).expect(200);
    agent.costs(r#"{"service":"openai","model":"nobody-knows","usage":{"tokens":7}}"#).expect(200);
    agent.get("/scaling-gate/check?service=openai&estimated_cost_usd=1e6").expect(200);
    let daily = |agent: &TestAgent| agent.metrics().get("lead_factory_cost_per_lead", &[("period", "daily")]);
    let patience = Instant::now() + Duration::from_secs(30);
    while daily(&agent).is_none() {
        assert!(Instant::now() < patience, "no cost per lead");
        std::thread::sleep(Duration::from_millis(50));
    }
    agent
}

/// What is fixed of a scrape: for each metric its help, its type, and the names of its labels.
fn shape(scrape: &Exposition) -> String {
    let mut text = String::new();
    for family in scrape.families() {
        let labels: BTreeSet<String> = [family.clone(), format!("{family}_bucket")]
            .iter()
            .flat_map(|name| scrape.series(name))
            .map(|(labels, _)| labels.keys().cloned().collect::<Vec<_>>().join(","))
            .collect();
        let labels: Vec<String> = labels.into_iter().collect();
        text.push_str(&format!(
            "# HELP {family} {}\n# TYPE {family} {}\n{family}{{{}}}\n",
            scrape.helps[&family],
            scrape.types[&family],
            labels.join("} or {")
        ));
    }
    text
}

#[test]
fn names_labels_types_and_help_are_as_written_down() {
    let found = shape(&busy_agent().metrics());
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("metrics.txt");
    fs::write(&path, &found).unwrap();
    let missing: Vec<&str> = GOLDEN.lines().filter(|line| !found.lines().any(|other| other == *line)).collect();
    let added: Vec<&str> = found.lines().filter(|line| !GOLDEN.lines().any(|other| other == *line)).collect();
    assert!(
        missing.is_empty() && added.is_empty(),
        "missing: {missing:#?}\nnew: {added:#?}\nIf it is meant: change the changelog, and copy {} to tests/it/golden/",
        path.display()
    );
}

#[test]
fn every_metric_is_in_the_reference() {
    let reference = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reference.md")).unwrap();
    let families = busy_agent().metrics().families();
    let missing: Vec<&String> = families.iter().filter(|name| !reference.contains(name.as_str())).collect();
    assert!(missing.is_empty(), "docs/reference.md does not mention {missing:?}");
}

#[test]
fn requests_are_counted_by_template_and_status() {
    let agent = Setup::new().start();
    agent.get("/costs/daily?date=2026-11-22").expect(200);
    agent.get("/costs/daily?date=nonsense").expect(400);
    agent.get("/no/such/path").expect(404);
    let metrics = agent.metrics();
    let count = |endpoint: &str, status: &str| {
        let labels = [("method", "GET"), ("endpoint", endpoint), ("http_status", status)];
        metrics.get("lead_factory_http_requests_total", &labels)
    };
    assert_eq!(count("/costs/daily", "200"), Some(1.0));
    assert_eq!(count("/costs/daily", "400"), Some(1.0));
    assert_eq!(count("unmatched", "404"), Some(1.0));
    let labels = [("method", "GET"), ("endpoint", "/costs/daily")];
    assert_eq!(metrics.get("lead_factory_http_request_duration_seconds_count", &labels), Some(2.0));
}

#[test]
fn events_are_counted_by_what_became_of_them() {
    let agent = Setup::new().start();
    agent.costs(r#"[{"id":"a","service":"s","amount_usd":1},{"id":"b","service":"s","amount_usd":1}]"#).expect(200);
    agent.costs(r#"{"id":"a","service":"s","amount_usd":1}"#).expect(200);
    agent.costs(r#"{"id":"a","service":"s","amount_usd":2}"#).expect(409);
    agent.costs(r#"{"id":"c","service":"s","amount_usd":-2}"#).expect(422);
    agent.client().post("/costs", "application/x-ndjson", r#"{"service":"s","amount_usd":1}"#).expect(200);
    let metrics = agent.metrics();
    for (format, result, events) in [
        ("json", "recorded", 2.0),
        ("json", "duplicate", 1.0),
        ("json", "conflict", 1.0),
        ("json", "rejected", 1.0),
        ("ndjson", "recorded", 1.0),
    ] {
        let labels = [("format", format), ("result", result)];
        assert_eq!(metrics.get("lead_factory_events_total", &labels), Some(events), "{format} {result}");
    }
}

#[test]
fn a_scrape_is_compressed_for_those_who_accept_it_only() {
    use std::io::Read;

    let agent = busy_agent();
    let plain = agent.get("/metrics").expect(200);
    assert_eq!(plain.header("content-encoding"), None);
    let zipped = agent.client().request("GET", "/metrics", &[("Accept-Encoding", "deflate, gzip;q=0.5")], b"").unwrap();
    assert_eq!(zipped.header("content-encoding"), Some("gzip"));
    let mut text = String::new();
    flate2::read::GzDecoder::new(zipped.body.as_slice()).read_to_string(&mut text).unwrap();
    assert_eq!(Exposition::parse(&text).families(), Exposition::parse(&plain.text()).families());
    let refused = agent.client().request("GET", "/metrics", &[("Accept-Encoding", "gzip;q=0, identity")], b"").unwrap();
    assert_eq!(refused.header("content-encoding"), None);
}
