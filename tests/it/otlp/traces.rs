//! Spans of requests, commits and exports; trace ids in the log; log lines over OTLP.

use std::time::Duration;

use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;

use super::pushing;
use crate::support::{Collector, Conn, Setup, TestAgent, texts, within};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Asks with a `traceparent` whose last digits say whether the caller records its trace.
#[track_caller]
fn ask(agent: &TestAgent, method: &str, path: &str, flags: &str) -> u16 {
    let parent = format!("00-{TRACE}-{PARENT}-{flags}");
    agent.client().request(method, path, &[("traceparent", &parent)], b"").unwrap().status
}

fn named<'a>(name: &'a str) -> impl Fn(&Span) -> bool + 'a {
    move |span| span.name == name
}

#[test]
fn a_request_is_a_child_of_its_caller_by_the_semantic_conventions() {
    let collector = Collector::http();
    let agent = pushing(&collector).start();
    assert_eq!(ask(&agent, "GET", "/costs/daily?by=service", "01"), 200);
    let span = collector.wait_for_span("the request's", named("GET /costs/daily"));
    assert_eq!((hex(&span.trace_id), hex(&span.parent_span_id)), (TRACE.into(), PARENT.into()));
    assert_eq!(span.kind(), SpanKind::Server);
    assert!(span.end_time_unix_nano > span.start_time_unix_nano);
    let attributes = texts(&span.attributes);
    for (key, value) in [
        ("http.request.method", "GET"),
        ("http.route", "/costs/daily"),
        ("http.response.status_code", "200"),
        ("url.path", "/costs/daily"),
        ("url.scheme", "http"),
        ("client.address", "127.0.0.1"),
        ("server.address", "127.0.0.1"),
        ("server.port", &agent.addr().port().to_string()),
    ] {
        assert_eq!(attributes.get(key).map(String::as_str), Some(value), "{key} in {attributes:?}");
    }
    assert!(!attributes.keys().any(|key| key.starts_with("otel.")), "{attributes:?}");
}

#[test]
fn a_clean_end_says_nothing_of_its_own_and_loses_no_span() {
    let collector = Collector::http();
    let mut agent = pushing(&collector)
        .env("OTEL_LOGS_EXPORTER", "otlp")
        .env("OTEL_BSP_SCHEDULE_DELAY", "600000")
        .env("OTEL_BLRP_SCHEDULE_DELAY", "600000")
        .env("OTEL_METRIC_EXPORT_INTERVAL", "600000")
        .start();
    ask(&agent, "GET", "/budgets", "01");
    assert_eq!((collector.spans().len(), collector.metrics().len()), (0, 0));
    assert_eq!(agent.terminate().code(), Some(0));
    let names: Vec<String> = collector.spans().into_iter().map(|span| span.name).collect();
    for name in ["GET /budgets", "export metrics", "export logs"] {
        assert!(names.iter().any(|known| known == name), "{name} in {names:?}");
    }
    assert_eq!((collector.metrics().len(), collector.wait_for_log("stopping").severity_text.as_str()), (1, "INFO"));
    let log = agent.log();
    assert!(log.lines().all(|line| line.contains("listening") || line.contains("stopping")), "{log}");
}

#[test]
fn requests_that_nobody_knows_have_few_names() {
    let collector = Collector::grpc();
    let agent = pushing(&collector).env("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc").start();
    assert_eq!(ask(&agent, "GET", "/secret/123", "01"), 404);
    assert_eq!(ask(&agent, "BREW", "/costs/daily", "01"), 405);
    let span = collector.wait_for_span("without a route", named("GET"));
    let attributes = texts(&span.attributes);
    assert_eq!((attributes["url.path"].as_str(), attributes.get("http.route")), ("/secret/123", None));
    let span = collector.wait_for_span("of a method that HTTP does not know", named("HTTP /costs/daily"));
    assert_eq!(texts(&span.attributes)["http.request.method"], "_OTHER");
}

#[test]
fn a_request_whose_client_hung_up_says_so() {
    let collector = Collector::http();
    // The answer waits for the disk for long enough to be given up before it is there.
    let agent = pushing(&collector).with_injected_faults(&["fsync,fdatasync:delay_exit=1000000"]).start();
    let body = r#"{"id":"a","service":"s","amount_usd":1}"#;
    let mut conn = Conn::open(agent.addr()).unwrap();
    let head = "POST /costs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json";
    conn.send(format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).as_bytes()).unwrap();
    drop(conn);
    // It may be given up before it was routed.
    let span = collector.wait_for_span("the request's", |span| span.name.starts_with("POST"));
    let attributes = texts(&span.attributes);
    assert_eq!(attributes.get("error.type").map(String::as_str), Some("cancelled"), "{attributes:?}");
    assert_eq!(attributes.get("http.response.status_code"), None);
    agent.assert_healthy();
}

#[test]
fn group_commits_and_exports_have_spans_and_exports_of_spans_have_none() {
    let collector = Collector::http();
    let agent = pushing(&collector).env("OTEL_LOGS_EXPORTER", "otlp").start();
    agent.costs(r#"[{"id":"a","service":"s","amount_usd":1},{"id":"b","service":"s","amount_usd":1}]"#).expect(200);
    let group = collector.wait_for_span("the group's", named("group commit"));
    let attributes = texts(&group.attributes);
    assert_eq!((attributes["batches"].as_str(), attributes["events"].as_str()), ("1", "2"));
    let commit = collector.wait_for_span("the ledger's", named("ledger commit"));
    assert_eq!((&commit.parent_span_id, &commit.trace_id), (&group.span_id, &group.trace_id));
    assert_eq!(texts(&commit.attributes)["events"], "2");
    for signal in ["metrics", "logs"] {
        let name = format!("export {signal}");
        let export = collector.wait_for_span(&name, named(&name));
        assert_eq!((export.kind(), export.parent_span_id.len()), (SpanKind::Client, 0));
    }
    assert!(!collector.spans().iter().any(|span| span.name.contains("traces")));
}

#[test]
fn a_quiet_agent_that_pushes_only_traces_pushes_nothing_for_ever() {
    let collector = Collector::http();
    let agent = pushing(&collector).env("OTEL_METRICS_EXPORTER", "none").start();
    ask(&agent, "GET", "/health", "01");
    collector.wait_for_span("the request's", named("GET /health"));
    let labels = [("signal", "traces"), ("result", "ok")];
    // Each scrape is one more request; the exports do not add any.
    for scrapes in 0..5 {
        agent.metrics();
        within(Duration::from_secs(30), "the scrapes' spans", || {
            (collector.spans().iter().filter(|span| span.name == "GET /metrics").count() > scrapes).then_some(())
        });
    }
    let exports = agent.metrics().get("lead_factory_otlp_exports_total", &labels).unwrap();
    assert!(exports <= 10.0, "{exports} exports of a dozen spans");
    assert!(collector.spans().iter().all(|span| span.name.starts_with("GET ")));
}

#[test]
fn samplers_decide() {
    let asked = |setup: Setup, collector: &Collector| -> (bool, bool) {
        let mut agent = setup.start();
        assert_eq!(ask(&agent, "GET", "/budgets", "01"), 200);
        assert_eq!(ask(&agent, "GET", "/costs/monthly", "00"), 200);
        // The end sends what there is.
        agent.terminate();
        let seen = |name: &str| collector.spans().iter().any(named(name));
        (seen("GET /budgets"), seen("GET /costs/monthly"))
    };
    for (sampler, share, sampled) in [
        ("parentbased_always_on", "", (true, false)),
        ("always_on", "", (true, true)),
        ("always_off", "", (false, false)),
        ("traceidratio", "0", (false, false)),
        ("parentbased_traceidratio", "0", (true, false)),
    ] {
        let collector = Collector::http();
        let setup = pushing(&collector).env("OTEL_TRACES_SAMPLER", sampler).env("OTEL_TRACES_SAMPLER_ARG", share);
        assert_eq!(asked(setup, &collector), sampled, "{sampler}");
    }
}

/// Has a request write a log line: reading an old day fails when the ledger is gone.
#[track_caller]
fn provoke_a_line(setup: &Setup, agent: &TestAgent) -> String {
    for ending in ["", "-wal", "-shm"] {
        let mut path = setup.ledger().as_os_str().to_owned();
        path.push(ending);
        let _ = std::fs::remove_file(path);
    }
    let status = ask(agent, "GET", "/costs/daily?date=2020-01-01&by=worker", "01");
    assert!(status >= 500, "{status}");
    let line =
        |agent: &TestAgent| agent.log().lines().find(|line| line.contains("a read of the ledger failed")).map(str::to_owned);
    within(Duration::from_secs(10), "the line", || line(agent))
}

#[test]
fn lines_of_a_request_carry_its_trace_in_both_formats() {
    for format in ["json", "text"] {
        let collector = Collector::http();
        let setup = pushing(&collector).env("LOG_FORMAT", format).env("OTEL_TRACES_SAMPLER", "always_off");
        let agent = setup.start();
        let line = provoke_a_line(&setup, &agent);
        if format == "json" {
            let line: serde_json::Value = serde_json::from_str(&line).unwrap();
            assert_eq!(line["trace_id"], TRACE);
            assert_eq!(line["span_id"].as_str().unwrap().len(), 16);
        } else {
            assert!(line.contains(&format!("trace_id={TRACE} span_id=")), "{line}");
        }
    }
    let setup = Setup::new();
    let line = provoke_a_line(&setup, &setup.start());
    assert!(!line.contains("trace_id"), "nothing is traced without an endpoint: {line}");
}

#[test]
fn log_lines_are_pushed_where_they_are_asked_for_with_their_trace() {
    let collector = Collector::http();
    let setup = pushing(&collector).env("OTEL_LOGS_EXPORTER", "otlp");
    let mut agent = setup.start();
    let record = collector.wait_for_log("listening");
    assert_eq!(record.severity_text, "INFO");
    assert_eq!(texts(&record.attributes)["version"], env!("CARGO_PKG_VERSION"));
    provoke_a_line(&setup, &agent);
    let record = collector.wait_for_log("a read of the ledger failed");
    assert_eq!(hex(&record.trace_id), TRACE);
    agent.terminate();

    let without = Collector::http();
    let mut agent = pushing(&without).start();
    agent.terminate();
    assert_eq!(without.log_records().len(), 0, "not unless asked for");
}

#[test]
fn lines_about_exports_are_not_exported() {
    let logs = Collector::http();
    let agent = super::pushing_to("http://localhost:1")
        .env("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", format!("{}/v1/logs", logs.url()))
        .env("LOG_LEVEL", "TRACE")
        .start();
    logs.wait_for_log("listening");
    within(Duration::from_secs(30), "exports fail", || agent.log().contains("exports over OTLP fail").then_some(()));
    let count = || logs.log_records().len();
    let before = count();
    let labels = [("signal", "metrics"), ("result", "failed")];
    let failed = || agent.metrics().get("lead_factory_otlp_exports_total", &labels).unwrap();
    let begin = failed();
    within(Duration::from_secs(30), "more of them", || (failed() >= begin + 2.0).then_some(()));
    let lines = logs.log_records();
    assert!(lines.iter().all(|record| !format!("{record:?}").contains("exports over OTLP")), "{lines:#?}");
    assert!(count() < before + 20, "{before} lines became {}", count());
}
