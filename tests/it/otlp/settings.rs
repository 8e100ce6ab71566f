//! `OTEL_*` settings from outside: refused as a whole, never printed; TLS; what exists only with an endpoint.

use std::time::Duration;

use super::{pushing, pushing_to};
use crate::support::{Collector, Identity, ServerTls, Setup, within};

#[test]
fn every_problem_is_reported_at_once_with_78_and_without_secrets() {
    let setup = Setup::new()
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", "https://user:s3cret@collector")
        .env("OTEL_EXPORTER_OTLP_PROTOCOL", "carrier-pigeon")
        .env("OTEL_EXPORTER_OTLP_HEADERS", "s3cret")
        .env("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "soon")
        .env("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "collector:4317")
        .env("OTEL_METRIC_EXPORT_INTERVAL", "-1")
        .env("OTEL_TRACES_SAMPLER", "coin")
        .setting("otel_exporter_otlp_compression = \"zip\"")
        .setting("otel_exporter_otlp_endpont = \"http://x\"");
    let refused = setup.try_start().err().expect("does not start");
    assert_eq!(refused.status.code(), Some(78), "{}", refused.log);
    for said in [
        "environment OTEL_EXPORTER_OTLP_ENDPOINT: ",
        "environment OTEL_EXPORTER_OTLP_PROTOCOL: \"carrier-pigeon\"",
        "environment OTEL_EXPORTER_OTLP_HEADERS: ",
        "environment OTEL_EXPORTER_OTLP_TRACES_TIMEOUT: \"soon\"",
        "environment OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: \"collector:4317\"",
        "environment OTEL_METRIC_EXPORT_INTERVAL: \"-1\"",
        "environment OTEL_TRACES_SAMPLER: \"coin\"",
        "otel_exporter_otlp_compression \"zip\"",
        "did you mean otel_exporter_otlp_endpoint?",
    ] {
        assert!(refused.log.contains(said), "{said} is missing: {}", refused.log);
    }
    assert!(!refused.log.contains("s3cret"), "{}", refused.log);
    assert!(!setup.ledger().exists(), "no ledger was made");
}

#[test]
fn a_file_for_tls_that_is_none_is_refused() {
    let identity = Identity::new();
    let other = Identity::new();
    let empty = identity.folder().join("empty.pem");
    std::fs::write(&empty, "no certificate").unwrap();
    let setup = || Setup::new().env("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector:4318");
    for (setup, said) in [
        (setup().env("OTEL_EXPORTER_OTLP_CERTIFICATE", "/no/such/file"), "cannot read /no/such/file"),
        (setup().env("OTEL_EXPORTER_OTLP_CERTIFICATE", &*empty), "OTEL_EXPORTER_OTLP_CERTIFICATE"),
        (
            setup().env("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", identity.certificate()),
            "the client key must be set together",
        ),
        (
            setup()
                .env("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", identity.certificate())
                .env("OTEL_EXPORTER_OTLP_CLIENT_KEY", other.key()),
            "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE",
        ),
    ] {
        let output = setup.verb(&["check-config"]);
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(78), "{said}: {log}");
        assert!(log.contains(said), "{said}: {log}");
    }
}

/// A receiver of each protocol.
fn both(tls: &ServerTls) -> [(Collector, &'static str); 2] {
    [(Collector::https(tls), "http/protobuf"), (Collector::grpc_with_tls(tls), "grpc")]
}

#[track_caller]
fn assert_gets_nothing(collector: &Collector, setup: &Setup) {
    let agent = setup.start();
    within(Duration::from_secs(30), "exports fail", || {
        let labels = [("signal", "metrics"), ("result", "failed")];
        (agent.metrics().get("lead_factory_otlp_exports_total", &labels)? >= 1.0).then_some(())
    });
    assert_eq!(collector.metrics().len(), 0);
}

#[test]
fn a_collector_with_a_certificate_of_ones_own_is_trusted_when_told() {
    let (identity, other) = (Identity::new(), Identity::new());
    for (collector, protocol) in both(&ServerTls { identity: &identity, clients: None }) {
        let setup = pushing(&collector).env("OTEL_EXPORTER_OTLP_PROTOCOL", protocol);
        assert_gets_nothing(&collector, &setup.clone().env("OTEL_EXPORTER_OTLP_CERTIFICATE", other.certificate()));
        let agent = setup.env("OTEL_EXPORTER_OTLP_CERTIFICATE", identity.certificate()).start();
        collector.wait_for_pushes(2);
        agent.assert_healthy();
    }
}

#[test]
fn a_collector_that_asks_who_we_are_is_told() {
    let (identity, ours) = (Identity::new(), Identity::new());
    for (collector, protocol) in both(&ServerTls { identity: &identity, clients: Some(&ours) }) {
        let setup = pushing(&collector)
            .env("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
            .env("OTEL_EXPORTER_OTLP_CERTIFICATE", identity.certificate());
        assert_gets_nothing(&collector, &setup);
        let setup = setup.env("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", ours.certificate());
        let agent = setup.env("OTEL_EXPORTER_OTLP_CLIENT_KEY", ours.key()).start();
        collector.wait_for_pushes(2);
        agent.assert_healthy();
    }
}

#[test]
fn the_counter_of_exports_exists_only_where_something_is_pushed() {
    const NAME: &str = "lead_factory_otlp_exports_total";
    let agent = Setup::new().start();
    assert_eq!(agent.metrics().series(NAME).count(), 0);
    let disabled = pushing_to("http://localhost:1").env("OTEL_SDK_DISABLED", "true").start();
    assert_eq!(disabled.metrics().series(NAME).count(), 0);
    let collector = Collector::http();
    let agent = pushing(&collector).env("OTEL_TRACES_EXPORTER", "none").start();
    collector.wait_for_pushes(2);
    let scrape = agent.metrics();
    assert_eq!(scrape.series(NAME).count(), 2, "metrics, ok and failed");
    assert!(scrape.get(NAME, &[("signal", "metrics"), ("result", "ok")]).unwrap() >= 1.0);
    assert_eq!(scrape.get(NAME, &[("signal", "metrics"), ("result", "failed")]), Some(0.0));
    assert!(!agent.get("/metrics").text().contains("target_info"));
}

#[test]
fn without_an_endpoint_no_thread_is_there_for_it() {
    let agent = Setup::new().start();
    let names = |agent: &crate::support::TestAgent| -> Vec<String> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", agent.pid())).unwrap();
        tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok()).collect()
    };
    let telemetry = |name: &String| name.starts_with("otlp") || name.starts_with("OpenTelemetry");
    assert_eq!(names(&agent).iter().filter(|name| telemetry(name)).count(), 0);
    let pushing = pushing(&Collector::http()).start();
    assert!(names(&pushing).iter().any(telemetry));
}
