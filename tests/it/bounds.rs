//! A worker that uses ids as names: 50,000 services and operations.
//!
//! Guards against: 900,000 series from one client, memory that follows the names, an overflow series that shows the last value
//! instead of the sum.

use std::fs;
use std::time::Duration;

use crate::support::{Amount, Setup, TestAgent, amounts_in, exact, nearest_float, nested_amounts_in, run, within};

const NAMES: u64 = 50_000;
const NAMES_PER_REQUEST: u64 = 5_000;
/// Series that a scrape may have in all: 2,000 pairs, thrice 200 services with daily, monthly and credits, the rest.
const SERIES_MAX: usize = 8_000;
const MEMORY_KIB_MAX: u64 = 50 * 1024;

#[test]
fn fifty_thousand_names_leave_series_and_memory_bounded_and_lose_no_cent() {
    let setup = Setup::new().env("DAILY_BUDGET", "none").env("MONTHLY_BUDGET", "none");
    let mut agent = setup.start();
    let total = flood(&agent);
    assert_bounded(&agent, &total);
    let calls = agent.metrics().series("lead_factory_api_call_duration_seconds_count").count();
    assert!((1..=202).contains(&calls), "{calls} series of durations");
    let names: Vec<String> = agent.metrics().by_label("lead_factory_daily_cost", "service").into_keys().collect();

    assert!(agent.terminate().success());
    let agent = setup.start();
    assert_bounded(&agent, &total);
    let again: Vec<String> = agent.metrics().by_label("lead_factory_daily_cost", "service").into_keys().collect();
    assert_eq!(again, names, "the same names have a series after a restart");
}

/// Guards against: the SDK's own bound, set once at the start, below what later settings give a series to.
#[test]
fn services_that_later_settings_name_have_series_too() {
    let bounds = "metric_services_max = 3\nmetric_pairs_max = 3\n";
    let setup = Setup::new().env("DAILY_BUDGET", "none").env("MONTHLY_BUDGET", "none").setting(bounds);
    let agent = setup.start();
    let record = || {
        let events: Vec<String> = (0..100).map(|name| format!(r#"{{"service":"s{name}","amount_usd":1}}"#)).collect();
        agent.costs(format!("[{}]", events.join(","))).expect(200);
    };
    record();
    for named in [60..64, 4..63] {
        let caps: String = named.clone().map(|name| format!("s{name}_daily_cap = 5\n")).collect();
        fs::write(setup.folder().join("settings.toml"), format!("{bounds}{caps}")).unwrap();
        run("kill", &["-HUP", &agent.pid().to_string()]);
        within(Duration::from_secs(10), "the caps are in force", || {
            let budgets = agent.get("/budgets").json();
            (budgets.as_array().unwrap().len() == named.len()).then_some(())
        });
        record();
        let metrics = agent.metrics();
        for metric in ["lead_factory_daily_cost", "lead_factory_monthly_cost", "lead_factory_cost_usd_total"] {
            let by_service = metrics.by_label(metric, "service");
            let total: f64 = metrics.series(metric).map(|(_, value)| value).sum();
            let on_rest = amounts_in(&agent.get("/costs/daily")).into_values().sum::<Amount>();
            assert_eq!(total, nearest_float(&on_rest), "{metric}: {by_service:?}");
            assert!(named.clone().all(|name| by_service.contains_key(&format!("s{name}"))), "{metric}: {by_service:?}");
        }
    }
}

/// Records each name once, with usage and durations, and returns the sum.
fn flood(agent: &TestAgent) -> Amount {
    let mut client = agent.client();
    let mut total = Amount::default();
    for first in (0..NAMES).step_by(usize::try_from(NAMES_PER_REQUEST).unwrap()) {
        let lines: Vec<String> = (first..first + NAMES_PER_REQUEST)
            .map(|name| {
                let amount = format!("0.{:012}", name + 1);
                total += exact(&amount);
                format!(
                    r#"{{"service":"service-{name}","operation":"operation-{name}","model":"model-{name}","amount_usd":{amount},"usage":{{"u{name}":1}},"duration_seconds":0.1}}"#
                )
            })
            .collect();
        let answer = client.post("/costs", "application/x-ndjson", lines.join("\n"));
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    total
}

#[track_caller]
fn assert_bounded(agent: &TestAgent, total: &Amount) {
    for _ in 0..5 {
        agent.metrics();
    }
    let metrics = agent.metrics();
    assert!(metrics.len() <= SERIES_MAX, "{} series", metrics.len());
    for (metric, series_max) in [
        ("lead_factory_daily_cost", 202),
        ("lead_factory_monthly_cost", 202),
        ("lead_factory_cost_usd_total", 2_202),
        ("lead_factory_usage_total", 201 * 17),
        ("lead_factory_model_cost_usd_total", 201),
    ] {
        let count = metrics.series(metric).count();
        assert!((1..=series_max).contains(&count), "{metric} has {count} series");
        let overflow = metrics.series(metric).any(|(labels, _)| labels.keys().any(|label| label.contains("overflow")));
        assert!(!overflow, "{metric}: the SDK's overflow series shows the last value, not the sum");
    }

    let daily = amounts_in(&agent.get("/costs/daily"));
    assert_eq!(&daily.values().sum::<Amount>(), total, "REST keeps every cent");
    let by_model = amounts_in(&agent.get("/costs/daily?by=model"));
    assert!(by_model.len() <= 10_001, "{} keys", by_model.len());
    assert_eq!(&by_model.into_values().sum::<Amount>(), total);
    let pairs = nested_amounts_in(&agent.get("/costs/daily?by=operation"));
    assert_eq!(&pairs.values().sum::<Amount>(), total);
    let single = amounts_in(&agent.get("/costs/daily?service=service-49999"));
    assert_eq!(single["service-49999"], exact("0.000000050000"), "REST keeps the real names");

    for metric in [
        "lead_factory_daily_cost",
        "lead_factory_monthly_cost",
        "lead_factory_cost_usd_total",
        "lead_factory_model_cost_usd_total",
    ] {
        let sum: f64 = metrics.series(metric).map(|(_, value)| value).sum();
        // Adding floats here rounds: far less than the smallest amount of this test.
        assert!((sum - nearest_float(total)).abs() < 5e-13, "{metric} adds up to {sum}, the ledger to {total}");
    }
    let calls: f64 = metrics.series("lead_factory_usage_total").map(|(_, value)| value).sum();
    assert_eq!(calls, NAMES as f64, "usage is folded, not dropped");
    // Of the program's own file the system maps as much as it likes, and drops it when memory is short.
    let peak = agent.status_kib("VmHWM") - agent.status_kib("RssFile");
    assert!(peak < MEMORY_KIB_MAX, "{peak} KiB at most");
}

#[test]
fn more_keys_than_an_answer_may_have_are_added_up_under_other() {
    let agent = Setup::new().start();
    let mut client = agent.client();
    for half in 0..3_u64 {
        let lines: Vec<String> = (half * 5_000..(half + 1) * 5_000)
            .map(|lead| format!(r#"{{"service":"s","lead_id":"lead-{lead}","amount_usd":0.{:06}}}"#, lead + 1))
            .collect();
        client.post("/costs", "application/x-ndjson", lines.join("\n")).expect(200);
    }
    let spread = agent.get("/costs/leads").expect(200).text();
    let figures = r#"{"leads":15000,"attributed_usd":112.5075,"unattributed_usd":0,"total_usd":112.5075,"mean_usd":0.0075005,"median_usd":0.0075005,"p95_usd":0.01425,"top":[{"lead":"lead-14999","cost_usd":0.015},"#;
    assert!(spread.starts_with(figures), "all of them count, not only the largest: {spread}");
    let by_lead = amounts_in(&agent.get("/costs/daily?by=lead"));
    assert!(by_lead.len() <= 10_001, "{} keys", by_lead.len());
    assert_eq!(by_lead["lead-14999"], exact("0.015"), "the largest are named");
    assert!(!by_lead.contains_key("lead-0"), "the smallest are not");
    assert_eq!(by_lead.into_values().sum::<Amount>(), exact("112.5075"), "and nothing is lost");
}
