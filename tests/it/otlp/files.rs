//! The collector's and Prometheus's configuration that ship with the project, and the page about them.

use std::collections::BTreeSet;
use std::fs;

use crate::support::{Setup, run};

fn text(path: &str) -> String {
    fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// The keys two levels down: `receivers/otlp`, `service/pipelines`, …
fn components(yaml: &str) -> BTreeSet<String> {
    let mut section = "";
    let mut found = BTreeSet::new();
    for line in yaml.lines().filter(|line| !line.trim_start().starts_with('#')) {
        let Some((key, _)) = line.split_once(':') else { continue };
        match key.len() - key.trim_start().len() {
            0 => section = key,
            2 => drop(found.insert(format!("{section}/{}", key.trim()))),
            _ => {}
        }
    }
    found
}

#[test]
fn the_collectors_pipelines_use_what_is_defined_and_take_every_signal() {
    let yaml = text("otel-collector/config.yaml");
    let defined = components(&yaml);
    let mut used = 0;
    for line in yaml.lines().filter(|line| line.trim_end().ends_with(']') && !line.trim_start().starts_with('#')) {
        let (kind, names) = line.trim().split_once(": [").unwrap();
        for name in names.trim_end_matches(']').split(", ") {
            assert!(defined.contains(&format!("{kind}/{name}")), "{kind} {name} is not defined: {defined:?}");
            used += 1;
        }
    }
    // One extension, and for each signal a receiver, two processors and an exporter.
    assert_eq!(used, 1 + 3 * 4);
    for needed in [
        "0.0.0.0:4317",
        "0.0.0.0:4318",
        "health_check:",
        "memory_limiter:",
        "\n    metrics:",
        "\n    traces:",
        "\n    logs:",
    ] {
        assert!(yaml.contains(needed), "{needed}");
    }
    let exporter = yaml.split("  prometheus:\n").nth(1).unwrap();
    let port = exporter.lines().find_map(|line| line.trim().strip_prefix("endpoint: 0.0.0.0:")).unwrap();
    assert!(text("otel-collector/prometheus.yml").contains(&format!("localhost:{port}\"")), "Prometheus scrapes {port}");
}

#[test]
fn promtool_accepts_the_configuration() {
    let path = format!("{}/otel-collector/prometheus.yml", env!("CARGO_MANIFEST_DIR"));
    let said = run("promtool", &["check", "config", &path]);
    let said = String::from_utf8_lossy(&[said.stdout, said.stderr].concat()).into_owned();
    assert!(said.contains("SUCCESS") && !said.to_lowercase().contains("warn"), "{said}");
}

#[test]
fn the_reference_names_every_setting() {
    let page = text("docs/reference.md");
    let output = Setup::new().verb(&["check-config", "--output", "json"]);
    let shown: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let names: Vec<String> = shown["settings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|setting| setting["setting"].as_str().unwrap().to_ascii_uppercase())
        .collect();
    assert!(names.len() > 70, "{names:?}");
    for name in names {
        // The page says once that a signal's word may stand in a name.
        let plain = ["METRICS_", "TRACES_", "LOGS_"]
            .iter()
            .fold(name.clone(), |name, signal| name.replace(&format!("OTEL_EXPORTER_OTLP_{signal}"), "OTEL_EXPORTER_OTLP_"));
        assert!(page.contains(&format!("`{name}`")) || page.contains(&format!("`{plain}`")), "{name} is not described");
    }
}
