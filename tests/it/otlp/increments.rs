//! Increments: exact, none lost and none told twice, whatever the collector does.

use std::collections::BTreeMap;
use std::time::Duration;

use opentelemetry_proto::tonic::metrics::v1::AggregationTemporality;

use super::pushing;
use crate::support::{Collector, Manner, Points, Setup, TestAgent, within};

const COST: &str = "lead_factory_cost_usd";

fn pushing_increments(collector: &Collector) -> Setup {
    pushing(collector).env("OTEL_TRACES_EXPORTER", "none").env("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "delta")
}

/// The increments of a counter in all pushes so far, by when they begin and end: what is sent again is one.
fn increments(collector: &Collector, name: &str) -> Vec<f64> {
    let mut found = BTreeMap::new();
    for got in collector.metrics() {
        for ((metric, labels), point) in Points::of(&got.request).points {
            if metric == name {
                assert_eq!(point.temporality, Some(AggregationTemporality::Delta));
                assert!(point.start < point.time, "{point:?}");
                found.insert((labels, point.start, point.time), point.value);
            }
        }
    }
    found.into_values().collect()
}

fn sum(collector: &Collector, name: &str) -> f64 {
    increments(collector, name).iter().sum()
}

fn spend(agent: &TestAgent, id: &str, service: &str, amount: &str) {
    let body = format!(r#"{{"id":"{id}","service":"{service}","operation":"chat","amount_usd":{amount}}}"#);
    agent.costs(body).expect(200);
}

#[track_caller]
fn wait_for(collector: &Collector, name: &str, total: f64) {
    within(Duration::from_secs(30), "the increments arrive", || (sum(collector, name) == total).then_some(()));
}

fn pushes_failed(agent: &TestAgent) -> f64 {
    let labels = [("signal", "metrics"), ("result", "failed")];
    agent.metrics().get("lead_factory_otlp_exports_total", &labels).expect("shown from the start")
}

#[track_caller]
fn wait_for_failures(agent: &TestAgent, count: f64) {
    let begin = pushes_failed(agent);
    within(Duration::from_secs(30), "pushes fail", || (pushes_failed(agent) >= begin + count).then_some(()));
}

#[test]
fn they_add_up_to_what_was_recorded_and_history_is_none_of_them() {
    let history = Setup::new();
    let mut agent = history.start();
    spend(&agent, "old", "openai", "1000");
    agent.terminate();

    let collector = Collector::http();
    let mut agent = history
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url())
        .env("OTEL_METRIC_EXPORT_INTERVAL", "50")
        .env("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "delta")
        .start();
    collector.wait_for_pushes(2);
    assert_eq!(increments(&collector, COST), [0.0; 0], "history is no increment");
    for (id, service) in [("a", "openai"), ("b", "openai"), ("c", "new")] {
        spend(&agent, id, service, "0.25");
        collector.wait_for_pushes(1);
    }
    agent.terminate();
    assert_eq!(sum(&collector, COST), 0.75);
    assert_eq!(sum(&collector, "lead_factory_events"), 3.0, "counters of the process as well");
    // Gauges are what they are.
    let points = Points::of(&collector.metrics().pop().unwrap().request);
    assert_eq!(points.value("lead_factory_daily_cost", &[("service", "openai")]), Some(1000.5));
}

/// Guards against: 0.25 after millions that arrives as 0.25000000000000006, and 1e-7 that arrives 0.12 % too high.
#[test]
fn they_are_the_floats_nearest_to_the_exact_ones() {
    let collector = Collector::http();
    let agent = pushing_increments(&collector).start();
    let event = |id| format!(r#"{{"id":"{id}","service":"openai","operation":"chat","amount_usd":9999.99}}"#);
    let events: Vec<String> = (0..270).map(event).collect();
    agent.costs(format!("[{}]", events.join(","))).expect(200);
    wait_for(&collector, COST, 2_699_997.3);
    for (id, amount) in [("a", "0.25"), ("b", "0.0000001"), ("c", "0.000000000001"), ("d", "0.07")] {
        let told = increments(&collector, COST).len();
        spend(&agent, id, "openai", amount);
        let newest = within(Duration::from_secs(30), "the increment arrives", || {
            let all = increments(&collector, COST);
            (all.len() > told).then(|| all[all.len() - 1])
        });
        assert_eq!(newest.to_bits(), amount.parse::<f64>().unwrap().to_bits(), "{amount}");
    }
}

#[test]
fn what_a_collector_did_not_take_comes_with_the_next_ones() {
    // Of what is answered over gRPC only the body matters: 1,000 points rejected, which is all.
    const REJECTS_ALL: &[u8] = b"\x0a\x03\x08\xe8\x07";
    let page = Manner::Answers("text/html", b"<html>Please sign in.</html>");
    let rejects = Manner::Answers("application/x-protobuf", REJECTS_ALL);
    let nonsense = Manner::Answers("application/json", b"{\"error\":\"sign in\"}");
    let over_http = [page, rejects, nonsense, Manner::Refuses(400), Manner::Refuses(503), Manner::Resets, Manner::Hangs];
    let over_grpc = [rejects, Manner::Refuses(400), Manner::Resets, Manner::Hangs];
    for (collector, protocol, manners) in
        [(Collector::http(), "http/protobuf", &over_http[..]), (Collector::grpc(), "grpc", &over_grpc[..])]
    {
        let setup = pushing_increments(&collector).env("OTEL_EXPORTER_OTLP_PROTOCOL", protocol);
        let mut agent = setup.env("OTEL_EXPORTER_OTLP_TIMEOUT", "500").start();
        let mut total = 0.0;
        for (number, manner) in manners.iter().enumerate() {
            spend(&agent, &format!("before-{number}"), "openai", "1");
            total += 1.0;
            wait_for(&collector, COST, total);
            collector.be(*manner);
            spend(&agent, &format!("meanwhile-{number}"), "openai", "0.5");
            wait_for_failures(&agent, 2.0);
            spend(&agent, &format!("later-{number}"), "anthropic", "0.25");
            collector.be(Manner::Takes);
            total += 0.75;
            wait_for(&collector, COST, total);
        }
        agent.terminate();
        assert_eq!(sum(&collector, COST), total, "none told twice, {protocol}");
        assert_eq!(sum(&collector, "lead_factory_events"), 3.0 * manners.len() as f64, "{protocol}");
    }
}

/// Guards against: cost that counts twice because the answer got lost. The request comes again as it was, so that a collector
/// can tell.
#[test]
fn what_a_collector_took_without_a_word_comes_again_as_it_was() {
    for (collector, protocol) in [(Collector::http(), "http/protobuf"), (Collector::grpc(), "grpc")] {
        let mut agent = pushing_increments(&collector).env("OTEL_EXPORTER_OTLP_PROTOCOL", protocol).start();
        spend(&agent, "before", "openai", "1");
        wait_for(&collector, COST, 1.0);
        collector.be(Manner::TakesInSilence);
        spend(&agent, "meanwhile", "openai", "0.5");
        wait_for_failures(&agent, 2.0);
        collector.be(Manner::Takes);
        spend(&agent, "later", "openai", "0.25");
        wait_for(&collector, COST, 1.75);
        agent.terminate();
        assert_eq!(sum(&collector, COST), 1.75);
    }
}

#[test]
fn the_last_ones_are_sent_at_the_end_or_the_log_says_how_much_is_missing() {
    let collector = Collector::http();
    let setup = pushing_increments(&collector).env("OTEL_METRIC_EXPORT_INTERVAL", "3600000");
    let mut agent = setup.start();
    spend(&agent, "a", "openai", "0.5");
    agent.terminate();
    assert_eq!(sum(&collector, COST), 0.5);
    assert!(!agent.log().contains("lost to it"), "{}", agent.log());

    collector.be(Manner::Refuses(400));
    let mut agent = setup.start();
    spend(&agent, "b", "openai", "0.12");
    spend(&agent, "c", "anthropic", "0.000000000003");
    agent.terminate();
    let log = agent.log();
    let line = log.lines().find(|line| line.contains("increments that no collector is known to have"));
    assert!(line.is_some_and(|line| line.contains("0.120000000003")), "{log}");
}
