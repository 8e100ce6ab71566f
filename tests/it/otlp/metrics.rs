//! What is pushed: the numbers that REST shows, under names that a collector turns into those of `/metrics`.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::metrics::v1::AggregationTemporality;

use super::pushing;
use crate::support::{Collector, Points, TestAgent, amounts_in, nearest_float};

const EVENTS: &str = r#"[
    {"id":"1","service":"openai","operation":"chat","amount_usd":0.1,"model":"m","usage":{"tokens":7},"duration_seconds":0.5},
    {"id":"2","service":"openai","operation":"chat","amount_usd":0.2},
    {"id":"3","service":"openai","operation":"chat","amount_usd":"0.000000000001"},
    {"id":"4","service":"sendgrid","operation":"mail","amount_usd":123456789.123456789012e-6},
    {"id":"5","service":"sendgrid","operation":"mail","amount_usd":-1,"kind":"credit"}
]"#;

fn recorded(agent: &TestAgent) {
    agent.costs(EVENTS).expect(200);
}

/// The name that a collector's Prometheus exporter gives a metric.
fn name_in_prometheus(name: &str, unit: &str, counter: bool) -> String {
    let unit = match unit {
        "" | "{USD}" | "{percent}" => "",
        "s" => "_seconds",
        "By" => "_bytes",
        other => panic!("say what a collector makes of the unit {other:?}"),
    };
    let name = if name.ends_with(unit) { name.to_owned() } else { format!("{name}{unit}") };
    if counter && !name.ends_with("_total") { format!("{name}_total") } else { name }
}

fn assert_rest_and_push_agree(agent: &TestAgent, collector: &Collector) {
    collector.wait_for_points("the last event", |points| {
        points.find("lead_factory_cost_usd", &[("service", "sendgrid"), ("operation", "mail")]).map(drop)
    });
    let points = collector.wait_for_points("all of it", |points| Some(points.points.clone()));
    let points = Points { points, resource: BTreeMap::new() };
    for (path, metric) in [("/costs/daily", "lead_factory_daily_cost"), ("/costs/monthly", "lead_factory_monthly_cost")] {
        let rest = amounts_in(&agent.get(path));
        assert_eq!(rest.len(), 2);
        for (service, amount) in rest {
            let pushed = points.value(metric, &[("service", &service)]).unwrap();
            assert_eq!(pushed.to_bits(), nearest_float(&amount).to_bits(), "{metric} of {service}");
        }
    }
}

#[test]
fn over_http_the_numbers_of_rest_arrive() {
    let collector = Collector::http();
    let agent = pushing(&collector).start();
    recorded(&agent);
    assert_rest_and_push_agree(&agent, &collector);
    let got = collector.metrics().pop().unwrap();
    assert_eq!(got.headers.get("content-encoding"), None);
    assert!(got.headers["user-agent"].starts_with("lead-factory-metrics/"), "{:?}", got.headers);
}

#[test]
fn over_grpc_with_gzip_and_headers_the_numbers_of_rest_arrive() {
    let collector = Collector::grpc();
    let agent = pushing(&collector)
        .env("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
        .env("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
        .env("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=a%20b,authorization=Bearer%20s3cret")
        .start();
    recorded(&agent);
    assert_rest_and_push_agree(&agent, &collector);
    let headers = collector.metrics().pop().unwrap().headers;
    assert_eq!((headers["x-tenant"].as_str(), headers["authorization"].as_str()), ("a b", "Bearer s3cret"));
    assert_eq!(headers.get("grpc-encoding").map(String::as_str), Some("gzip"));
    assert!(!agent.log().contains("s3cret"));
}

#[test]
fn over_http_with_gzip_and_headers_of_a_flag_over_those_of_the_environment() {
    let collector = Collector::http();
    let agent = pushing(&collector)
        .env("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
        .env("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=environment,x-other=1")
        .flag("otel-exporter-otlp-headers", "x-tenant=flag")
        .start();
    recorded(&agent);
    assert_rest_and_push_agree(&agent, &collector);
    let headers = collector.metrics().pop().unwrap().headers;
    assert_eq!(headers["content-encoding"], "gzip");
    assert_eq!((headers["x-tenant"].as_str(), headers.get("x-other")), ("flag", None));
}

#[test]
fn a_collector_shows_under_the_names_of_the_scrape_what_the_scrape_shows() {
    let collector = Collector::http();
    let agent = pushing(&collector).env("OTEL_TRACES_EXPORTER", "none").start();
    recorded(&agent);
    collector.wait_for_points("the last event", |points| {
        points.find("lead_factory_credit_usd", &[("service", "sendgrid")]).map(drop)
    });
    let scrape = agent.metrics();
    // After the scrape: everything that moves only with requests has come to rest.
    collector.wait_for_pushes(2);
    let points = Points::of(&collector.metrics().pop().unwrap().request);
    let moves = [
        "lead_factory_budget_forecast_usd",
        "lead_factory_http_request_duration_seconds",
        "lead_factory_http_requests_total",
        "lead_factory_ledger_size_bytes",
        "lead_factory_otlp_exports_total",
    ];
    let mut families = Vec::new();
    for ((name, labels), point) in &points.points {
        assert!(!point.description.is_empty(), "{name} says what it is");
        let name = name_in_prometheus(name, &point.unit, point.monotonic);
        families.push(name.clone());
        let labels: Vec<(&str, &str)> = labels.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        if moves.contains(&name.as_str()) {
            continue;
        }
        let scraped = if point.histogram { format!("{name}_count") } else { name };
        let value = scrape.get(&scraped, &labels);
        assert_eq!(value.map(f64::to_bits), Some(point.value.to_bits()), "{scraped} {labels:?}: {point:?}");
    }
    for family in scrape.families().iter().filter(|family| !family.starts_with("process_")) {
        assert!(families.contains(family), "{family} is scraped and not pushed");
    }
    assert!(!families.iter().any(|family| family.starts_with("process_")), "a collector has better ones");
}

#[test]
fn the_resource_says_who_pushes() {
    let collector = Collector::http();
    let _agent = pushing(&collector)
        .env("ENVIRONMENT", "staging")
        .env("OTEL_SERVICE_NAME", "costs")
        .env("OTEL_RESOURCE_ATTRIBUTES", "service.name=ignored,team=lead%20factory,service.instance.id=one")
        .start();
    let resource = collector.wait_for_points("a push", |points| Some(points.resource.clone()));
    for (key, value) in [
        ("service.name", "costs"),
        ("service.version", env!("CARGO_PKG_VERSION")),
        ("service.instance.id", "one"),
        ("deployment.environment.name", "staging"),
        ("team", "lead factory"),
        ("telemetry.sdk.language", "rust"),
    ] {
        assert_eq!(resource.get(key).map(String::as_str), Some(value), "{key}");
    }
    let plain = Collector::http();
    let _agent = pushing(&plain).start();
    let resource = plain.wait_for_points("a push", |points| Some(points.resource.clone()));
    assert_eq!(resource["service.name"], "lead-factory-metrics");
    assert_eq!(resource["deployment.environment.name"], "production");
    assert!(!resource["service.instance.id"].is_empty());
}

#[test]
fn totals_stay_totals_over_a_restart() {
    let collector = Collector::http();
    let setup = pushing(&collector);
    let mut agent = setup.start();
    recorded(&agent);
    agent.terminate();
    let chat = [("service", "openai"), ("operation", "chat")];
    let before = Points::of(&collector.metrics().pop().unwrap().request);
    let before = before.find("lead_factory_cost_usd", &chat).expect("the last push is made at the end").clone();
    assert_eq!(before.temporality, Some(AggregationTemporality::Cumulative));
    assert!(before.monotonic);
    let _agent = setup.start();
    collector.wait_for_pushes(1);
    let after = Points::of(&collector.metrics().pop().unwrap().request);
    assert_eq!(after.value("lead_factory_cost_usd", &chat), Some(before.value));
}

#[test]
fn with_low_memory_what_the_ledger_knows_stays_a_total() {
    let collector = Collector::http();
    let agent = pushing(&collector).env("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "lowmemory").start();
    recorded(&agent);
    let temporality = |name: &'static str| {
        collector.wait_for_points(name, |points| {
            points.points.iter().find(|((known, _), _)| known == name).and_then(|(_, point)| point.temporality)
        })
    };
    assert_eq!(temporality("lead_factory_cost_usd"), AggregationTemporality::Cumulative);
    // A counter of increments is pushed in the interval in which it moved: look for it in all pushes.
    collector.wait_for_pushes(1);
    let moved = collector.metrics().iter().find_map(|got| {
        let points = Points::of(&got.request).points;
        points.into_iter().find(|((name, _), _)| name == "lead_factory_events").and_then(|(_, point)| point.temporality)
    });
    assert_eq!(moved, Some(AggregationTemporality::Delta));
}

#[test]
fn all_numbers_of_a_push_are_of_one_moment() {
    let collector = Collector::http();
    let agent = pushing(&collector).env("OTEL_METRIC_EXPORT_INTERVAL", "10").env("OTEL_TRACES_EXPORTER", "none").start();
    for number in 0..300 {
        agent.costs(format!(r#"{{"id":"{number}","service":"s","operation":"o","amount_usd":1}}"#)).expect(200);
    }
    collector.wait_for_points("the last event", |points| {
        (points.value("lead_factory_daily_cost", &[("service", "s")]) == Some(300.0)).then_some(())
    });
    let mut different = 0;
    for got in collector.metrics() {
        let points = Points::of(&got.request);
        let Some(daily) = points.value("lead_factory_daily_cost", &[("service", "s")]) else { continue };
        different += 1;
        assert_eq!(points.value("lead_factory_monthly_cost", &[("service", "s")]), Some(daily));
        assert_eq!(points.value("lead_factory_cost_usd", &[("service", "s"), ("operation", "o")]), Some(daily));
        let spent = points.value("lead_factory_budget_spent_usd", &[("budget", "daily"), ("period", "daily")]);
        assert_eq!(spent, Some(daily));
    }
    assert!(different > 2, "some pushes fell between events");
}
