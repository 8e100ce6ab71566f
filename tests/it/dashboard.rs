//! The shipped dashboard: every question in it is asked of a real Prometheus that scrapes a real agent under the demo worker's load.
//!
//! Guards against: panels without data, panels whose number is not the ledger's, expressions that forget the chosen agents, metrics
//! that nobody shows, a JSON file that is older than the program that makes it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::fleet::Postgres;
use crate::support::{Client, Collector, Daemon, Exposition, Receiver, Setup, TestAgent, amounts_in, run, tool, within};

const JOB: &str = "lead-factory-metrics";
/// From the first request of the demo until each panel has shown something; the operator closes the gate after 12 seconds.
const MOVED_MAX: Duration = Duration::from_secs(90);
/// A few scrapes.
const SCRAPED_MAX: Duration = Duration::from_secs(30);
const ROWS: [&str; 7] = ["Overview", "Budgets", "Services", "Gate", "HTTP", "Agent", "Fleet"];
/// What an expression shows where there is nothing: taken off to see what it finds.
const FALLBACKS: [&str; 2] = [" or vector(0)", " or on () vector(0)"];

fn file(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

fn dashboard() -> Value {
    serde_json::from_str(&file("grafana/dashboard.json")).unwrap()
}

/// Everything in a list of the dashboard.
fn list<'a>(dashboard: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    dashboard.pointer(pointer).unwrap().as_array().unwrap().iter()
}

/// What the panels and the annotations ask, with the name of who asks.
fn questions(dashboard: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let panels = list(dashboard, "/panels")
        .filter(|panel| panel["type"] != "row")
        .flat_map(|panel| list(panel, "/targets").map(move |target| (text(&panel["title"]), text(&target["expr"]))));
    let annotations = list(dashboard, "/annotations/list").filter(|one| one["expr"].is_string());
    panels.chain(annotations.map(|one| (text(&one["name"]), text(&one["expr"])))).collect()
}

/// The words of an expression or a rule file, such as names of metrics; those of histograms without their suffixes.
fn words(text: &str) -> BTreeSet<&str> {
    text.split(|char: char| !(char.is_ascii_alphanumeric() || "_:".contains(char)))
        .flat_map(|word| ["", "_bucket", "_sum", "_count"].iter().filter_map(move |suffix| word.strip_suffix(suffix)))
        .collect()
}

// === The file ===

#[test]
fn the_file_is_what_its_program_writes() {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("grafana/dashboard.py");
    let written = run("python3", &[program.to_str().unwrap(), "--stdout"]).stdout;
    assert!(written == file("grafana/dashboard.json").into_bytes(), "run grafana/dashboard.py and commit what it writes");
}

#[test]
fn panels_are_whole_and_have_a_place_of_their_own() {
    let dashboard = dashboard();
    assert!(dashboard["schemaVersion"].as_u64().unwrap() >= 41);
    let panels: Vec<&Value> = list(&dashboard, "/panels").collect();
    let ids: BTreeSet<u64> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len(), "ids are unique");
    let rows: Vec<&Value> = panels.iter().filter(|panel| panel["type"] == "row").map(|row| &row["title"]).collect();
    assert_eq!(rows, ROWS);
    let mut taken = BTreeMap::new();
    for panel in panels {
        let title = panel["title"].as_str().unwrap();
        let [x, y, w, h] = ["x", "y", "w", "h"].map(|key| panel["gridPos"][key].as_u64().unwrap());
        assert!(w > 0 && h > 0 && x + w <= 24, "{title} is on the grid");
        for place in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
            assert_eq!(taken.insert(place, title), None, "{title} lies on another panel at {place:?}");
        }
        if panel["type"] == "row" {
            continue;
        }
        let description = panel["description"].as_str().unwrap();
        assert!(
            description.len() > 60 && description.ends_with('.'),
            "{title} says what it is and what to do: {description}"
        );
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{title}");
        let shown = &panel["fieldConfig"]["defaults"];
        let unit = shown["unit"].as_str().unwrap_or_else(|| panic!("{title} has a unit"));
        for target in list(panel, "/targets") {
            assert_eq!(target["datasource"]["uid"], "${datasource}", "{title}");
            let expression = target["expr"].as_str().unwrap();
            // Money by money is a share.
            let is_money = (expression.contains("usd") || expression.contains("_cost")) && !expression.contains("100 *");
            // Guards against `$2.00K` for 1,995.01 and `$0.00` for 0.004; grafana/check_money.cjs asks Grafana itself.
            let shows_all = unit == "locale" && shown["decimals"] == 6 && title.contains("USD");
            assert!(!is_money || shows_all, "{title} is money: {unit}");
            // Guards against the first charge of a service that no panel shows: what a series begins with is no increase.
            let begins = ["cost_usd_total", "model_cost_usd_total", "credit_usd_total", "usage_total"];
            for (function, metric) in ["rate(", "increase("].into_iter().flat_map(|rate| begins.map(|metric| (rate, metric)))
            {
                let leaves_out = format!("{function}lead_factory_{metric}");
                assert!(!expression.contains(&leaves_out), "{title}: {leaves_out}");
            }
        }
    }
    let gate: Vec<&Value> = list(&dashboard, "/panels").filter(|panel| panel["type"] == "state-timeline").collect();
    assert!(gate.iter().any(|panel| panel.to_string().contains("lead_factory_scaling_gate_active")));
}

#[test]
fn every_selector_keeps_to_what_was_chosen() {
    let golden = file("tests/it/golden/metrics.txt");
    let by_service: BTreeSet<&str> = golden
        .lines()
        .filter_map(|line| line.strip_suffix('}')?.split_once('{'))
        .filter(|(_, labels)| labels.split(',').any(|label| label == "service"))
        .map(|(name, _)| name)
        .collect();
    assert!(by_service.contains("lead_factory_daily_cost"), "{by_service:?}");
    for (title, expression) in questions(&dashboard()) {
        let selectors: Vec<_> = expression.split('{').collect();
        assert!(selectors.len() > 1, "{title}: {expression}");
        for (before, inside) in selectors.iter().zip(&selectors[1..]) {
            assert!(inside.starts_with("job=~\"$job\", instance=~\"$instance\""), "{title}: {expression}");
            let name = before.rsplit(|char: char| !(char.is_ascii_alphanumeric() || char == '_')).next().unwrap();
            if words(name).iter().any(|name| by_service.contains(name)) {
                assert!(inside.contains("service=~\"$service\""), "{title}: {expression}");
            }
        }
        // What remains are functions, labels and numbers: every metric has a selector.
        for (at, _) in expression.match_indices("lead_factory_").chain(expression.match_indices("process_")) {
            let rest = expression[at..].trim_start_matches(|char: char| char.is_ascii_alphanumeric() || char == '_');
            assert!(rest.starts_with('{'), "{title}: {expression}");
        }
    }
}

// === Under load ===

/// The demo worker, ended when dropped.
struct Demo(Child);

impl Demo {
    fn spends_at(agent: &TestAgent) -> Self {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/demo-worker");
        let mut command = Command::new(tool("python3"));
        command.arg(program).args(["--url", &agent.url(), "--events-per-second", "50"]);
        Self(command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap())
    }

    #[track_caller]
    fn assert_works(&mut self) {
        assert_eq!(self.0.try_wait().unwrap(), None, "the demo worker goes on");
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Grafana, as far as it puts values in and asks.
struct Asking {
    prometheus: Daemon,
    begin: Instant,
}

/// What was chosen above the panels.
#[derive(Clone, Copy)]
struct Chosen<'a> {
    job: &'a str,
    instance: &'a str,
    service: &'a str,
}

const ALL: Chosen = Chosen { job: ".*", instance: ".*", service: ".*" };

impl Asking {
    /// Over a Prometheus that looks at this agent each second.
    fn of(agent: &TestAgent, folder: &Path) -> Self {
        let targets = format!("[{{targets: ['{}']}}]", agent.addr());
        let config =
            format!("global: {{scrape_interval: 1s}}\nscrape_configs: [{{job_name: {JOB}, static_configs: {targets}}}]\n");
        Self { prometheus: Daemon::prometheus(&config, folder), begin: Instant::now() }
    }

    /// The expression with its variables put in: the chosen range is from the beginning of the demo until now.
    fn put_in(&self, expression: &str, chosen: Chosen) -> String {
        // Rounded up: it begins before the demo, not after its first request.
        let range = format!("{}s", self.begin.elapsed().as_secs() + 1);
        let mut text = expression.to_owned();
        for (name, value) in [
            // As Grafana makes it of a scrape interval of a second.
            ("$__rate_interval_ms", "4000"),
            ("$__rate_interval", "4s"),
            ("$__range", &range),
            ("$job", chosen.job),
            ("$instance", chosen.instance),
            ("$service", chosen.service),
        ] {
            text = text.replace(name, value);
        }
        assert!(!text.contains('$'), "unknown variable: {text}");
        text
    }

    /// The values that an expression has now, those that are no number left out.
    #[track_caller]
    fn values(&self, expression: &str, chosen: Chosen) -> Vec<f64> {
        let query = self.put_in(expression, chosen);
        let body = format!("query={}", utf8_percent_encode(&query, NON_ALPHANUMERIC));
        let answer = Client::new(self.prometheus.addr).post("/api/v1/query", "application/x-www-form-urlencoded", body);
        assert_eq!(answer.status, 200, "{query}: {}", answer.text());
        let result = answer.json()["data"]["result"].clone();
        let value = |series: &Value| series["value"][1].as_str().unwrap().parse().unwrap();
        result.as_array().unwrap().iter().map(value).filter(|value: &f64| !value.is_nan()).collect()
    }

    /// What `label_values(selector, label)` gives.
    #[track_caller]
    fn label_values(&self, query: &str) -> Vec<String> {
        let inside = query.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')')).unwrap();
        let (selector, label) = inside.rsplit_once(", ").unwrap();
        let selector = self.put_in(selector, ALL);
        let path = format!("/api/v1/label/{label}/values?match[]={}", utf8_percent_encode(&selector, NON_ALPHANUMERIC));
        let answer = Client::new(self.prometheus.addr).get(&path).expect(200).json();
        answer["data"].as_array().unwrap().iter().map(|value| value.as_str().unwrap().to_owned()).collect()
    }
}

/// The expression without what it shows where there is nothing.
fn without_fallbacks(expression: &str) -> String {
    FALLBACKS.iter().fold(expression.to_owned(), |text, fallback| text.replace(fallback, ""))
}

/// Whether an expression finds something only where something is wrong.
fn is_about_a_fault(expression: &str) -> bool {
    expression.contains(" unless ")
}

/// A sum of one metric, over the series for which `keep` holds.
fn sum(metrics: &Exposition, name: &str, keep: impl Fn(&BTreeMap<String, String>) -> bool) -> f64 {
    metrics.series(name).filter(|(labels, _)| keep(labels)).map(|(_, value)| value).sum()
}

#[test]
fn every_question_has_an_answer_under_the_demo_and_it_is_the_ledgers() {
    let (collector, receiver) = (Collector::http(), Receiver::that_answers(200));
    let agent = Setup::new()
        .env("OPENAI_DAILY_CAP", "20")
        .setting("[[budget]]\nname = \"per-lead\"\neach = \"lead\"\nperiod = \"total\"\nlimit_usd = 5")
        .env("ENVIRONMENT", "demo")
        .env("WEBHOOK_URL", receiver.url("/hook"))
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url())
        .env("OTEL_METRIC_EXPORT_INTERVAL", "1000")
        .start();
    let folder = tempfile::tempdir().unwrap();
    let mut asking = Asking::of(&agent, folder.path());
    // The range is rounded to whole seconds; it still has to begin after the first scrape.
    within(SCRAPED_MAX, "the agent is scraped", || {
        asking.values("count_over_time(lead_factory_ledger_up[1m]) > 2", ALL).first().map(drop)
    });
    asking.begin = Instant::now();
    let dashboard = dashboard();
    // Those about a fleet are asked below.
    let questions: Vec<_> =
        questions(&dashboard).into_iter().filter(|(_, asked)| !asked.contains("lead_factory_fleet_")).collect();

    let mut demo = Demo::spends_at(&agent);
    let mut open: Vec<&(String, String)> = questions.iter().collect();
    let moved = within(MOVED_MAX, "every question has an answer", || {
        demo.assert_works();
        let before = open.len();
        open.retain(|(title, expression)| {
            let found = asking.values(&without_fallbacks(expression), ALL);
            // An annotation is there when its value is 1.
            let is_there = if title == "Gate closed" { found.contains(&1.0) } else { !found.is_empty() };
            !is_there && !is_about_a_fault(expression)
        });
        if open.len() != before {
            println!("{:?}: without an answer: {open:#?}", asking.begin.elapsed());
        }
        open.is_empty().then(|| asking.begin.elapsed())
    });
    println!("{} questions were answered after {moved:?}", questions.len());
    drop(demo);

    for (title, expression) in &questions {
        assert!(!asking.values(expression, ALL).is_empty(), "{title}: {expression}");
        let nobody = Chosen { instance: "nobody", ..ALL };
        assert!(asking.values(&without_fallbacks(expression), nobody).is_empty(), "{title}: {expression}");
    }
    variables_offer_what_is_there(&asking, &dashboard, &agent);
    numbers_are_the_ledgers(&asking, &dashboard, &agent);
    everything_is_shown_or_explained(&dashboard, &agent.metrics());
    agent.assert_healthy();
}

fn variables_offer_what_is_there(asking: &Asking, dashboard: &Value, agent: &TestAgent) {
    let offers: BTreeMap<&str, Vec<String>> = list(dashboard, "/templating/list")
        .filter(|variable| variable["type"] == "query")
        .map(|variable| (variable["name"].as_str().unwrap(), asking.label_values(variable["definition"].as_str().unwrap())))
        .collect();
    assert_eq!(offers["job"], [JOB]);
    assert_eq!(offers["instance"], [agent.addr().to_string()]);
    let services: Vec<String> = amounts_in(&agent.get("/costs/monthly")).into_keys().collect();
    assert_eq!(offers["service"], services);
    assert_eq!(offers.len(), 3);
}

/// Once nothing is spent any more, the panels show to the cent what the agent itself says.
fn numbers_are_the_ledgers(asking: &Asking, dashboard: &Value, agent: &TestAgent) {
    let questions = questions(dashboard);
    let expression = |wanted: &str| &questions.iter().find(|(title, _)| title == wanted).unwrap().1;
    let instance = agent.addr().to_string();
    let one_agent = Chosen { job: JOB, instance: &instance, service: ".*" };
    let openai = Chosen { service: "openai", ..one_agent };
    let mut told = Vec::new();
    within(SCRAPED_MAX, "the panels show what the agent says", || {
        let metrics = agent.metrics();
        let of = |name: &str, service: Option<&str>| {
            sum(&metrics, name, |labels| service.is_none_or(|service| labels["service"] == service))
        };
        let charged = |service| of("lead_factory_cost_usd_total", service) - of("lead_factory_credit_usd_total", service);
        let refused = |labels: &BTreeMap<String, String>| ["conflict", "rejected"].contains(&labels["result"].as_str());
        let expected = [
            ("Cost today, USD", one_agent, of("lead_factory_daily_cost", None)),
            ("Cost today, USD", openai, of("lead_factory_daily_cost", Some("openai"))),
            ("Cost this month, USD", one_agent, of("lead_factory_monthly_cost", None)),
            ("Cost in the chosen range, USD", one_agent, charged(None)),
            ("Cost in the chosen range, USD", openai, charged(Some("openai"))),
            ("Events refused", one_agent, sum(&metrics, "lead_factory_events_total", refused)),
            ("Closed in the chosen range", one_agent, of("lead_factory_scaling_gate_activations_total", None)),
            ("Agents", one_agent, 1.0),
            ("Agents missing", one_agent, 0.0),
        ];
        let wrong: Vec<_> = expected
            .into_iter()
            .filter_map(|(title, chosen, expected)| {
                let shown = asking.values(expression(title), chosen);
                let is_right = shown.len() == 1 && (shown[0] - expected).abs() < 1e-9;
                (!is_right).then_some((title, chosen.service, shown, expected))
            })
            .collect();
        // Told once for each set of panels: their values change from look to look.
        let titles: Vec<_> = wrong.iter().map(|(title, service, ..)| (*title, *service)).collect();
        if titles != told {
            println!("shown and expected: {wrong:?}");
            told = titles;
        }
        wrong.is_empty().then_some(())
    });
    let rest: f64 = sum(&agent.metrics(), "lead_factory_scaling_gate_activations_total", |_| true);
    assert!(rest >= 1.0, "the demo's operator has closed the gate");
}

/// Every metric of the agent is in a panel or in an alert, or the dashboard's README says that it is for diagnosis only.
fn everything_is_shown_or_explained(dashboard: &Value, metrics: &Exposition) {
    let exposed = metrics.families();
    for conditional in
        ["lead_factory_otlp_exports_total", "lead_factory_webhook_messages_total", "lead_factory_webhook_pending"]
    {
        assert!(exposed.contains(conditional), "{conditional} is exposed");
    }
    let asked: Vec<String> = questions(dashboard).into_iter().map(|(_, expression)| expression).collect();
    let (asked, alerts, readme) = (asked.join("\n"), file("deploy/prometheus/alerts.yaml"), file("grafana/README.md"));
    let diagnostic = readme.split("## Diagnostic metrics").nth(1).unwrap().split("\n## ").next().unwrap();
    let mut used = words(&asked);
    used.extend(words(&alerts));
    for metric in &exposed {
        let is_explained = diagnostic.contains(&format!("`{metric}`"));
        assert!(used.contains(metric.as_str()) != is_explained, "{metric}: shown, or listed in grafana/README.md, not both");
    }
}

#[test]
fn the_row_of_a_fleet_shows_its_agents() {
    let database = Postgres::start();
    let init = Setup::new().env("FLEET_URL", database.url()).verb(&["fleet", "init"]);
    assert!(init.status.success(), "{}", String::from_utf8_lossy(&init.stderr));
    let agent = Setup::new().env("FLEET_URL", database.url()).env("FLEET_BUDGETS", "daily").start();
    let folder = tempfile::tempdir().unwrap();
    let asking = Asking::of(&agent, folder.path());
    let questions = questions(&dashboard());
    let mut open: Vec<_> = questions.iter().filter(|(_, asked)| asked.contains("lead_factory_fleet_")).collect();
    assert!(open.len() >= 5, "{open:#?}");
    agent.costs(r#"{"service":"openai","amount_usd":1}"#).expect(200);
    within(SCRAPED_MAX, "every panel of the row has an answer", || {
        open.retain(|(_, expression)| asking.values(expression, ALL).is_empty());
        open.is_empty().then_some(())
    });
    agent.assert_healthy();
}
