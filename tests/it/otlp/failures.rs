//! A collector that is dead, silent, slow or rude costs telemetry, and nothing else.

use std::time::{Duration, Instant};

use super::{pushing, pushing_to};
use crate::support::{Collector, Manner, Setup, TestAgent, within};

/// The promise for the end after SIGTERM.
const STOP_MAX: Duration = Duration::from_secs(10);
/// The promise for answers, with room for a machine that runs other tests.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// Nobody listens on a port of the system by chance, as somebody may on one that was free a moment ago.
const DEAD: &str = "http://127.0.0.1:1";

fn failed(agent: &TestAgent, signal: &str) -> f64 {
    let labels = [("signal", signal), ("result", "failed")];
    agent.metrics().get("lead_factory_otlp_exports_total", &labels).expect("shown from the start")
}

/// Lines that are about exports, whoever wrote them.
fn lines_about_exports(agent: &TestAgent) -> Vec<String> {
    let log = agent.log();
    let about = |line: &&str| {
        let line = line.to_ascii_lowercase();
        ["export", "otlp", "opentelemetry", "tonic", "hyper", "reqwest"].iter().any(|word| line.contains(word))
    };
    log.lines().filter(about).map(str::to_owned).collect()
}

/// Recording, reading and scraping go on; the log says it once; SIGTERM ends it in time.
#[track_caller]
fn assert_only_telemetry_is_lost(setup: &Setup, failures: f64) {
    let begin = Instant::now();
    let mut agent = setup.start();
    let mut number = 0;
    within(Duration::from_secs(60), "exports fail", || {
        number += 1;
        let asked = Instant::now();
        agent.costs(format!(r#"{{"id":"{number}","service":"s","operation":"o","amount_usd":1}}"#)).expect(200);
        let scrape = agent.metrics();
        assert!(asked.elapsed() < ANSWER_MAX, "an answer took {:?}", asked.elapsed());
        assert_eq!(scrape.get("lead_factory_daily_cost", &[("service", "s")]), Some(f64::from(number)));
        (failed(&agent, "metrics") >= failures && failed(&agent, "traces") >= 1.0).then_some(())
    });
    agent.assert_healthy();
    let lines = lines_about_exports(&agent);
    let minutes = 1 + begin.elapsed().as_secs() as usize / 60;
    assert!((1..=minutes).contains(&lines.len()), "{} lines in {minutes} minutes: {lines:#?}", lines.len());
    assert!(lines[0].contains("exports over OTLP fail"), "{lines:#?}");

    let asked = Instant::now();
    let status = agent.terminate();
    assert!(asked.elapsed() < STOP_MAX, "stopped after {:?}", asked.elapsed());
    assert_eq!(status.code(), Some(0), "{}", agent.log());
    assert!(!agent.log().contains("panicked"), "{}", agent.log());
    setup.assert_verifies();
}

#[test]
fn nobody_listens() {
    assert_only_telemetry_is_lost(&pushing_to(DEAD), 3.0);
}

#[test]
fn nobody_listens_for_grpc() {
    assert_only_telemetry_is_lost(&pushing_to(DEAD).env("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"), 3.0);
}

#[test]
fn it_accepts_and_hangs() {
    let collector = Collector::http_that(Manner::Hangs);
    assert_only_telemetry_is_lost(&pushing(&collector).env("OTEL_EXPORTER_OTLP_TIMEOUT", "300"), 2.0);
    assert!(collector.connections() > 0);
}

#[test]
fn it_accepts_grpc_and_hangs() {
    let collector = Collector::http_that(Manner::Hangs);
    let setup = pushing(&collector).env("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
    assert_only_telemetry_is_lost(&setup.env("OTEL_EXPORTER_OTLP_TIMEOUT", "300"), 2.0);
}

#[test]
fn it_answers_a_byte_at_a_time() {
    let collector = Collector::http_that(Manner::Drips);
    assert_only_telemetry_is_lost(&pushing(&collector).env("OTEL_EXPORTER_OTLP_TIMEOUT", "500"), 2.0);
}

#[test]
fn it_resets_every_connection() {
    assert_only_telemetry_is_lost(&pushing(&Collector::http_that(Manner::Resets)), 2.0);
}

#[test]
fn it_refuses_everything() {
    for status in [400, 307, 500] {
        assert_only_telemetry_is_lost(&pushing(&Collector::http_that(Manner::Refuses(status))), 2.0);
    }
}

/// Guards against: exports that count as taken, while a proxy before the collector wants somebody to sign in.
#[test]
fn it_answers_with_a_web_page() {
    let page = Manner::Answers("Text/HTML; charset=utf-8", b"<html>Please sign in.</html>");
    assert_only_telemetry_is_lost(&pushing(&Collector::http_that(page)), 2.0);
}

/// Guards against: exports that count as taken because somebody answered 200.
#[test]
fn it_answers_something_that_is_no_otlp() {
    for (kind, body) in [
        ("application/x-protobuf", &b"<html>Please sign in.</html>"[..]),
        ("application/json", b"{\"error\":\"sign in\"}"),
        ("text/plain", b"OK"),
        ("", b"OK"),
    ] {
        assert_only_telemetry_is_lost(&pushing(&Collector::http_that(Manner::Answers(kind, body))), 2.0);
    }
}

/// Field 1, the partial success: this many rejected, and why.
const REJECTS_ONE: &[u8] = b"\x0a\x10\x08\x01\x12\x0ctoo old\x1b[31m";
/// Nothing rejected, but something to say.
const HINTS: &[u8] = b"\x0a\x0d\x12\x0bplease mind";

/// Guards against: cost that a collector takes and throws away, with nothing to be seen of it.
#[test]
fn it_rejects_what_it_takes_and_that_is_a_failure_of_each_signal() {
    for (collector, protocol) in [(Collector::http(), "http/protobuf"), (Collector::grpc(), "grpc")] {
        collector.be(Manner::Answers("application/x-protobuf", REJECTS_ONE));
        let agent =
            pushing(&collector).env("OTEL_EXPORTER_OTLP_PROTOCOL", protocol).env("OTEL_LOGS_EXPORTER", "otlp").start();
        within(Duration::from_secs(30), "exports of all signals are rejected", || {
            agent.costs(r#"{"service":"s","amount_usd":1}"#).expect(200);
            let all = ["metrics", "traces", "logs"].iter().all(|signal| failed(&agent, signal) >= 1.0);
            all.then_some(())
        });
        let log = agent.log();
        let said = log.lines().filter(|line| line.contains("the collector rejected 1 of ")).collect::<Vec<_>>();
        assert_eq!(said.len(), 1, "once a minute: {log}");
        assert!(said[0].contains("too old [31m"), "what it says, and nothing that a terminal would act on: {said:?}");
        let ok = |signal| agent.metrics().get("lead_factory_otlp_exports_total", &[("signal", signal), ("result", "ok")]);
        assert_eq!(["metrics", "traces", "logs"].map(ok), [Some(0.0); 3]);
    }
}

#[test]
fn what_it_says_of_what_it_took_is_passed_on_and_no_failure() {
    let agent = pushing(&Collector::http_that(Manner::Answers("application/x-protobuf", HINTS))).start();
    within(Duration::from_secs(30), "the log tells of it", || agent.log().contains("please mind").then_some(()));
    assert_eq!(failed(&agent, "metrics"), 0.0);
}

#[test]
fn with_time_outs_left_as_they_are_a_hanging_collector_does_not_hold_up_the_end() {
    let collector = Collector::http_that(Manner::Hangs);
    let mut agent = pushing(&collector).env("OTEL_LOGS_EXPORTER", "otlp").start();
    agent.costs(r#"{"service":"s","amount_usd":1}"#).expect(200);
    within(Duration::from_secs(30), "an export hangs for each signal", || (collector.connections() >= 3).then_some(()));
    let asked = Instant::now();
    assert_eq!(agent.terminate().code(), Some(0), "{}", agent.log());
    assert!(asked.elapsed() < STOP_MAX, "stopped after {:?}", asked.elapsed());
    assert!(!agent.log().contains("panicked"), "{}", agent.log());
}

#[test]
fn memory_stays_flat_while_nobody_listens() {
    let agent = pushing_to(DEAD)
        .env("OTEL_METRIC_EXPORT_INTERVAL", "10")
        .env("OTEL_BSP_SCHEDULE_DELAY", "10")
        .env("OTEL_BSP_MAX_QUEUE_SIZE", "512")
        .start();
    // Each failing export repeats itself three times, over a second or so: what grows with failures shows within a few.
    let load = |until: f64| {
        let mut client = agent.client();
        within(Duration::from_secs(60), "exports fail", || {
            (0..200).for_each(|_| drop(client.get("/costs/daily").expect(200)));
            (failed(&agent, "traces") >= until).then_some(())
        });
    };
    load(4.0);
    let before = agent.status_kib("VmRSS");
    load(10.0);
    let after = agent.status_kib("VmRSS");
    // A few pages come and go with each scrape.
    assert!(after < before + 3 * 1024, "from {before} to {after} KiB");
}
