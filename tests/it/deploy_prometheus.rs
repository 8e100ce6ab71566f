//! What is shipped for Prometheus and Alertmanager, read by their own tools and against each other.
//!
//! Guards against: a rule without a unit test, an alert without a runbook or a link that leads nowhere, a rule or a runbook that
//! names a metric which the agent does not have.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::run;

const RUNBOOKS_URL: &str = "https://github.com/lead-factory/lead-factory-metrics/blob/main/docs/runbooks/";
/// Metrics that only some settings bring about, so that the list of all metrics has them not.
const CONDITIONAL: [&str; 8] = [
    "lead_factory_otlp_exports_total",
    "lead_factory_webhook_messages_total",
    "lead_factory_webhook_pending",
    "lead_factory_fleet_up",
    "lead_factory_fleet_sync_lag_seconds",
    "lead_factory_fleet_lease_usd",
    "lead_factory_fleet_lease_refusals_total",
    "lead_factory_fleet_sync_rows_total",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

fn path(path: &str) -> String {
    root().join(path).display().to_string()
}

/// The files of a folder, sorted.
fn files(folder: &str) -> Vec<PathBuf> {
    let mut found: Vec<_> = fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

fn unit_tests() -> Vec<PathBuf> {
    files("deploy/prometheus/tests")
}

fn all_unit_tests() -> String {
    unit_tests().iter().map(|file| fs::read_to_string(file).unwrap()).collect()
}

/// The names of all rules of a kind, and each rule's own text.
fn rules(file: &str, kind: &str) -> Vec<(String, String)> {
    let text = read(file);
    let found: Vec<_> = text
        .split(&format!("- {kind}: "))
        .skip(1)
        .map(|rule| (rule.lines().next().unwrap().to_owned(), rule.to_owned()))
        .collect();
    assert!(!found.is_empty(), "{file} has a rule");
    found
}

fn alerts() -> Vec<(String, String)> {
    rules("deploy/prometheus/alerts.yaml", "alert")
}

#[test]
fn promtool_accepts_config_and_rules() {
    // It reads the rule files, too, that the config names.
    let said = run("promtool", &["check", "config", &path("deploy/prometheus/prometheus.yaml")]);
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    for file in ["alerts.yaml", "recording.yaml"] {
        assert!(said.contains(file), "the config names {file}: {said}");
        run("promtool", &["check", "rules", "--lint-fatal", &path(&format!("deploy/prometheus/{file}"))]);
    }
}

#[test]
fn the_unit_tests_of_the_rules_pass() {
    for file in unit_tests() {
        run("promtool", &["test", "rules", &file.display().to_string()]);
    }
}

#[test]
fn every_alert_is_seen_firing_and_quiet_and_every_recording_rule_has_its_value_checked() {
    let tests = all_unit_tests();
    for (name, _) in alerts() {
        assert!(tests.contains(&format!("alertname: {name}\n        exp_alerts: []")), "{name} is seen quiet");
        assert!(tests.contains(&format!("alertname: {name}\n        exp_alerts:\n")), "{name} is seen firing");
    }
    for (name, _) in rules("deploy/prometheus/recording.yaml", "record") {
        let samples = format!("- expr: '{name}'\n");
        let checked = tests.split(&samples).skip(1).any(|rest| rest.lines().nth(1) == Some("        exp_samples:"));
        assert!(checked, "{name} has its value checked");
    }
}

#[test]
fn every_alert_says_what_it_means_and_has_a_runbook() {
    let mut named = BTreeSet::new();
    for (name, rule) in alerts() {
        for field in ["app: lead-factory-metrics\n", "severity: ", "summary: ", "description: "] {
            assert!(rule.contains(field), "{name} has {field}");
        }
        let severity = rule.split("severity: ").nth(1).unwrap().lines().next().unwrap();
        assert!(["critical", "warning"].contains(&severity), "{name}: Alertmanager has no route for {severity}");
        assert!(rule.contains(&format!("runbook_url: {RUNBOOKS_URL}{name}.md\n")), "{name} has a link to its runbook");
        let runbook = read(&format!("docs/runbooks/{name}.md"));
        assert!(runbook.starts_with(&format!("# {name}\n")), "{name}'s runbook has its name");
        for part in ["**Impact.**", "## Diagnose", "## Mitigate", "## When it is noise"] {
            assert!(runbook.contains(part), "{name}'s runbook has {part}");
        }
        named.insert(format!("{name}.md"));
    }
    let present: BTreeSet<_> =
        files("docs/runbooks").iter().map(|file| file.file_name().unwrap().to_str().unwrap().to_owned()).collect();
    assert_eq!(present, named, "every runbook belongs to an alert");
}

#[test]
fn rules_and_runbooks_name_only_metrics_that_there_are() {
    let golden = read("tests/it/golden/metrics.txt");
    let exposed: BTreeSet<_> =
        golden.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split('{').next()).collect();
    let is_exposed = |name: &str| {
        let base = ["_bucket", "_count", "_sum"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
        exposed.contains(name) || exposed.contains(base) || CONDITIONAL.contains(&name)
    };
    let recorded: BTreeSet<String> =
        rules("deploy/prometheus/recording.yaml", "record").into_iter().map(|(name, _)| name).collect();
    let mut texts = vec![read("deploy/prometheus/alerts.yaml"), read("deploy/prometheus/recording.yaml"), all_unit_tests()];
    // What shell commands grep for are parts of names.
    let only_queries = |text: String| {
        text.split("```promql").skip(1).filter_map(|rest| rest.split("```").next().map(str::to_owned)).collect::<String>()
    };
    texts.extend(files("docs/runbooks").iter().map(|file| only_queries(fs::read_to_string(file).unwrap())));
    let mut wrong = BTreeSet::new();
    for text in &texts {
        for word in text.split(|char: char| !(char.is_ascii_alphanumeric() || "_:".contains(char))) {
            let known = if word.contains(":lead_factory_") { recorded.contains(word) } else { is_exposed(word) };
            if word.contains("lead_factory_") && !known {
                wrong.insert(word);
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn amtool_accepts_the_routes_and_sends_each_severity_its_way() {
    let config = path("deploy/alertmanager/alertmanager.yaml");
    run("amtool", &["check-config", &config]);
    let file = format!("--config.file={config}");
    for (labels, receiver) in
        [("severity=critical", "page"), ("severity=warning", "warning"), ("alertname=Other", "warning")]
    {
        let verify = format!("--verify.receivers={receiver}");
        run("amtool", &["config", "routes", "test", &file, &verify, "app=lead-factory-metrics", labels]);
    }
    // Every alert that an inhibition names is there.
    let known: BTreeSet<_> = alerts().into_iter().map(|(name, _)| name).collect();
    let text = read("deploy/alertmanager/alertmanager.yaml");
    for matcher in text.split("alertname").skip(1).filter(|rest| rest.starts_with(['=', '!'])) {
        for name in matcher.split('"').nth(1).unwrap().split('|') {
            assert!(known.contains(name), "an inhibition names {name}");
        }
    }
}
