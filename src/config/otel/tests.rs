use std::time::Duration;

use crate::config::{Config, Problems, Sources, load};
use crate::telemetry::otlp::{Connection, Protocol, Root, Sampler, Temporality};

fn loaded(pairs: &[(&str, &str)]) -> Result<Config, Problems> {
    let environment = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    load(&Sources { environment, ..Sources::default() })
}

#[track_caller]
fn good(pairs: &[(&str, &str)]) -> Config {
    loaded(pairs).unwrap_or_else(|problems| panic!("{problems}"))
}

#[track_caller]
fn problems(pairs: &[(&str, &str)]) -> Vec<String> {
    loaded(pairs).unwrap_err().0.iter().map(ToString::to_string).collect()
}

fn endpoints(config: &Config) -> [Option<&str>; 3] {
    let otlp = &config.otlp;
    [&otlp.metrics, &otlp.traces, &otlp.logs].map(|to| to.as_ref().map(|to| to.endpoint.as_str()))
}

const ALL: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318");

#[test]
fn without_an_endpoint_nothing_is_pushed() {
    assert_eq!(endpoints(&good(&[])), [None; 3]);
    let config = good(&[("OTEL_METRICS_EXPORTER", "otlp"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]);
    assert_eq!(endpoints(&config), [None; 3]);
    assert_eq!(config.warnings, ["otel_metrics_exporter is otlp, but nothing is pushed without an endpoint"]);
}

#[test]
fn an_endpoint_for_all_gets_the_signals_path_and_one_of_a_signal_is_kept_to_the_letter() {
    let both = [Some("http://collector:4318/v1/metrics"), Some("http://collector:4318/v1/traces"), None];
    assert_eq!(endpoints(&good(&[ALL])), both);
    assert_eq!(endpoints(&good(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/")])), both);
    let prefixed = good(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "https://vendor.example/otlp")]);
    assert_eq!(endpoints(&prefixed)[0], Some("https://vendor.example/otlp/v1/metrics"));
    let own = good(&[ALL, ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://other:9/x")]);
    assert_eq!(endpoints(&own)[..2], [Some("http://other:9/x"), Some("http://collector:4318/v1/traces")]);
    let grpc = good(&[ALL, ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]);
    assert_eq!(endpoints(&grpc)[0], Some("http://collector:4318/"));
}

#[test]
fn signals_are_switched_one_by_one_and_all_at_once() {
    let set = |config: &Config| endpoints(config).map(|endpoint| endpoint.is_some());
    assert_eq!(set(&good(&[ALL])), [true, true, false]);
    assert_eq!(set(&good(&[ALL, ("OTEL_LOGS_EXPORTER", "otlp")])), [true, true, true]);
    assert_eq!(set(&good(&[ALL, ("OTEL_METRICS_EXPORTER", "none"), ("OTEL_TRACES_EXPORTER", "NONE")])), [false; 3]);
    assert_eq!(set(&good(&[("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://l:1")])), [false, false, true]);
    assert_eq!(set(&good(&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://t:1")])), [false, true, false]);
    assert_eq!(set(&good(&[ALL, ("OTEL_LOGS_EXPORTER", "otlp"), ("OTEL_SDK_DISABLED", "true")])), [false; 3]);
}

#[test]
fn a_signals_own_settings_go_over_those_for_all() {
    let config = good(&[
        ALL,
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "2000"),
        ("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "500"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
        ("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "none"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=1, b=two%20words"),
        ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "c=3"),
    ]);
    let shown = |to: &Option<Connection>| {
        let to = to.clone().unwrap();
        let headers: Vec<String> =
            to.headers.0.iter().map(|(name, value)| format!("{name}={}", value.to_str().unwrap())).collect();
        (to.protocol, to.timeout.as_millis(), to.gzip, headers.join(";"))
    };
    assert_eq!(shown(&config.otlp.metrics), (Protocol::Grpc, 500, true, "a=1;b=two words".into()));
    assert_eq!(shown(&config.otlp.traces), (Protocol::HttpProtobuf, 2_000, false, "c=3".into()));
}

#[test]
fn the_rest_is_taken_as_the_standard_says() {
    let config = good(&[
        ALL,
        ("OTEL_METRIC_EXPORT_INTERVAL", "5000"),
        ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "LowMemory"),
        ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
        ("OTEL_TRACES_SAMPLER_ARG", "0.25"),
        ("OTEL_RESOURCE_ATTRIBUTES", "service.name=a,team=b%2Cc"),
        ("OTEL_SERVICE_NAME", "costs"),
        ("OTEL_BSP_SCHEDULE_DELAY", "100"),
        ("ENVIRONMENT", "staging"),
        ("METRICS_PORT", "9000"),
    ]);
    let otlp = &config.otlp;
    assert_eq!((otlp.interval, otlp.spans.delay), (Duration::from_secs(5), Duration::from_millis(100)));
    assert_eq!(otlp.temporality, Temporality::LowMemory);
    assert_eq!(otlp.sampler, Sampler::ParentBased(Root::Ratio(0.25)));
    assert_eq!((otlp.environment.as_str(), otlp.port), ("staging", 9_000));
    let attributes: Vec<_> = otlp.resource.iter().map(|(key, value)| format!("{key}={value}")).collect();
    assert_eq!(attributes, ["service.name=a", "team=b,c", "service.name=costs"]);
}

#[test]
fn what_is_wrong_is_said_by_name() {
    for (name, value, said) in [
        (
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "collector:4317",
            "\"collector:4317\" does not begin with http:// or https://; allowed: a URL that begins with http:// or https://",
        ),
        (
            "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT",
            "http://",
            "\"http://\" is not a URL: empty host; allowed: a URL that begins with http:// or https://",
        ),
        (
            "OTEL_EXPORTER_OTLP_PROTOCOL",
            "http/json",
            "\"http/json\" is not a supported protocol; allowed: http/protobuf or grpc",
        ),
        ("OTEL_EXPORTER_OTLP_METRICS_COMPRESSION", "zstd", "\"zstd\" is not a supported compression; allowed: gzip or none"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s", "\"10s\" is not a whole number; allowed: 10 to 3600000"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "0", "\"0\" is below 10; allowed: 10 to 3600000"),
        ("OTEL_TRACES_SAMPLER_ARG", "1.5", "\"1.5\" is not a number from 0 to 1; allowed: 0 to 1"),
        ("OTEL_METRICS_EXPORTER", "console", "\"console\" is not a supported exporter; allowed: otlp or none"),
        (
            "OTEL_RESOURCE_ATTRIBUTES",
            "team",
            "\"team\" has a part that is not key=value; allowed: key=value, separated by commas, values percent-encoded",
        ),
        (
            "OTEL_EXPORTER_OTLP_HEADERS",
            "authorization=s3cret,s3cret",
            "has no name=value at place 2; allowed: name=value, separated by commas, values percent-encoded",
        ),
        (
            "OTEL_EXPORTER_OTLP_HEADERS",
            "api key=s3cret",
            "has a name at place 1 that is not one of a header; allowed: name=value, separated by commas, values percent-encoded",
        ),
        (
            "OTEL_EXPORTER_OTLP_HEADERS",
            "key=s3cret%0d%0aevil: 1",
            "has a value at place 1 that a header cannot carry; allowed: name=value, separated by commas, values percent-encoded",
        ),
    ] {
        assert_eq!(problems(&[(name, value)]), [format!("environment {name}: {said}")]);
    }
}

#[test]
fn secrets_in_a_url_are_refused_without_repeating_them() {
    for url in ["https://user:s3cret@vendor.example", "https://vendor.example/?key=s3cret", "https://vendor.example/#s3cret"]
    {
        let said = problems(&[("OTEL_EXPORTER_OTLP_ENDPOINT", url)]).join("\n");
        assert!(said.contains("credentials belong in the headers") && !said.contains("s3cret"), "{said}");
    }
    let config = good(&[ALL, ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=s3cret")]);
    assert!(!format!("{config:?}").contains("s3cret"));
}

#[test]
fn settings_that_do_not_go_together_are_refused() {
    for (pairs, said) in [
        (
            vec![
                ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://c:4317/v1/metrics"),
                ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ],
            "environment OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: has a path, which gRPC does not use; for http/protobuf, set the protocol",
        ),
        (
            vec![ALL, ("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "/nowhere/cert.pem")],
            "environment OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: and the client key must be set together; only one of them is",
        ),
        (
            vec![ALL, ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere/ca.pem")],
            "environment OTEL_EXPORTER_OTLP_CERTIFICATE: cannot read /nowhere/ca.pem: No such file or directory (os error 2)",
        ),
        (
            vec![("OTEL_BSP_MAX_QUEUE_SIZE", "100")],
            "environment OTEL_BSP_MAX_QUEUE_SIZE: otel_bsp_max_export_batch_size (512) is above otel_bsp_max_queue_size (100)",
        ),
    ] {
        assert_eq!(problems(&pairs), [said]);
    }
}

#[test]
fn the_port_of_the_other_protocol_is_a_warning() {
    let warnings = good(&[("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://c:4317/v1/metrics")]).warnings;
    assert_eq!(warnings, ["http://c:4317/v1/metrics: port 4317 is usually gRPC, but the protocol is http/protobuf"]);
    let grpc = [("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4317"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")];
    assert!(good(&grpc).warnings.is_empty());
}

#[test]
fn a_standard_name_without_effect_is_a_warning() {
    let config = good(&[("OTEL_EXPORTER_OTLP_INSECURE", "true"), ("OTEL_LOG_LEVEL", ""), ("OTEL_PROPAGATORS", "baggage")]);
    assert_eq!(config.warnings, ["OTEL_EXPORTER_OTLP_INSECURE has no effect on this agent"]);
}
