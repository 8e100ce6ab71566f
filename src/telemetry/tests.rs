use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::Timestamp;
use jiff::civil::date;

use super::*;
use crate::budget::{Budget, Policy};
use crate::clock::Clock;
use crate::domain::{
    BudgetZone, CostEvent, Cover, Entry, GateChange, GateMode, Kind, Name, PeriodKind, Quantity, UsageCount, Usd,
};
use crate::views::tallies::Meter;
use crate::views::{Board, Published, SeriesLimits, Views};

const NOON: &str = "2026-11-22T12:00:00Z";

struct Fixture {
    telemetry: Telemetry,
    board: Arc<Board>,
    clock: Clock,
}

fn usd(text: &str) -> Usd {
    Usd::parse(text).unwrap()
}

fn event(service: &str, operation: &str, amount: &str) -> CostEvent {
    let amount = usd(amount);
    CostEvent {
        service: Name::new(service).unwrap(),
        operation: Name::new(operation).unwrap(),
        amount,
        kind: if amount < Usd::ZERO { Kind::Credit } else { Kind::Charge },
        time: NOON.parse().unwrap(),
        ..CostEvent::example()
    }
}

fn budget(name: &str, service: Option<&str>, period: PeriodKind, limit: &str) -> Budget {
    let cover = service.map_or_else(Cover::default, |name| Cover::of_service(&Name::new(name).unwrap()));
    Budget { cover, ..Budget::example(name, period, limit) }
}

fn published(events: &[CostEvent], budgets: Vec<Budget>) -> Published {
    let mut limits = SeriesLimits::default();
    let policy = Policy {
        zone: BudgetZone::UTC,
        budgets,
        gate_enabled: true,
        critical: crate::budget::CriticalOperations::default(),
    };
    limits.reserve(policy.services());
    let meter = |budget: &Budget| Meter::new(1, budget, &policy.zone, Timestamp::MIN);
    let meters = policy.budgets.iter().map(meter).collect();
    let mut published =
        Published::new(Views::new(limits, date(2026, 10, 1)), Arc::new(policy), meters, NOON.parse().unwrap());
    for (place, event) in (1..).zip(events) {
        let recorded = [(place, event, &Entry::First, date(2026, 11, 22))];
        published.record(recorded.into_iter(), "2026-11-22T11:59:30.25Z".parse().unwrap());
    }
    published
}

fn fixture(published: Published) -> Fixture {
    let board = Arc::new(Board::new(published));
    let clock = Clock::manual(NOON.parse::<Timestamp>().unwrap());
    let telemetry = Telemetry::new(&Settings::default(), Arc::clone(&board), clock.clone(), None).unwrap();
    Fixture { telemetry, board, clock }
}

async fn text(telemetry: &Telemetry) -> String {
    String::from_utf8(telemetry.scraper().scrape().await.unwrap().to_vec()).unwrap()
}

/// The samples of one metric, as the scraper sees them.
fn samples<'a>(text: &'a str, metric: &str) -> Vec<&'a str> {
    text.lines().filter(|line| line.strip_prefix(metric).is_some_and(|rest| rest.starts_with(['{', ' ']))).collect()
}

#[track_caller]
fn assert_samples(text: &str, metric: &str, expected: &[&str]) {
    assert_eq!(samples(text, metric), expected, "in\n{text}");
}

fn two_global_budgets() -> Vec<Budget> {
    vec![
        budget("daily", None, PeriodKind::Daily, "50"),
        budget("monthly", None, PeriodKind::Monthly, "1000"),
        budget("team", None, PeriodKind::Daily, "100"),
        budget("openai-daily", Some("openai"), PeriodKind::Daily, "20"),
    ]
}

/// Charges, a credit that cancels them out, a credit alone, and tokens.
fn a_day() -> Published {
    let mut tokens = event("openai", "chat", "40");
    tokens.model = Some("gpt-x".into());
    tokens.usage = vec![UsageCount { kind: Name::new("input_tokens").unwrap(), count: Quantity::of(1_000) }];
    let events = [
        tokens,
        event("openai", "chat", "0.1"),
        event("openai", "embeddings", "0.2"),
        event("sendgrid", "mail", "5"),
        event("sendgrid", "mail", "-5"),
        event("refunds", "only", "-0.25"),
    ];
    published(&events, two_global_budgets())
}

#[tokio::test]
async fn cost_is_shown_by_service_and_counters_by_operation() {
    let text = text(&fixture(a_day()).telemetry).await;
    for metric in ["lead_factory_daily_cost", "lead_factory_monthly_cost"] {
        let [openai, refunds, sendgrid] =
            ["openai\"} 40.3", "refunds\"} -0.25", "sendgrid\"} 0"].map(|rest| format!("{metric}{{service=\"{rest}"));
        assert_samples(&text, metric, &[&openai, &refunds, &sendgrid]);
    }
    assert_samples(
        &text,
        "lead_factory_cost_usd_total",
        &[
            "lead_factory_cost_usd_total{operation=\"chat\",service=\"openai\"} 40.1",
            "lead_factory_cost_usd_total{operation=\"embeddings\",service=\"openai\"} 0.2",
            "lead_factory_cost_usd_total{operation=\"mail\",service=\"sendgrid\"} 5",
            "lead_factory_cost_usd_total{operation=\"only\",service=\"refunds\"} 0",
        ],
    );
    assert_samples(
        &text,
        "lead_factory_credit_usd_total",
        &[
            "lead_factory_credit_usd_total{service=\"openai\"} 0",
            "lead_factory_credit_usd_total{service=\"refunds\"} 0.25",
            "lead_factory_credit_usd_total{service=\"sendgrid\"} 5",
        ],
    );
    assert_samples(
        &text,
        "lead_factory_usage_total",
        &["lead_factory_usage_total{kind=\"input_tokens\",model=\"gpt-x\",service=\"openai\"} 1000"],
    );
}

#[tokio::test]
async fn budgets_and_the_gate_are_shown() {
    let mut state = a_day();
    state.views.change_gate(GateChange {
        timestamp: NOON.parse().unwrap(),
        active: true,
        reason: String::new(),
        mode: GateMode::Auto,
        actor: String::new(),
        token: None,
    });
    let text = text(&fixture(state).telemetry).await;
    assert_samples(
        &text,
        "lead_factory_budget_utilization",
        &[
            "lead_factory_budget_utilization{period=\"daily\"} 80.1",
            "lead_factory_budget_utilization{period=\"monthly\"} 4.005",
        ],
    );
    for (metric, [daily, monthly, openai, team]) in [
        ("lead_factory_budget_limit_usd", ["50", "1000", "20", "100"]),
        ("lead_factory_budget_spent_usd", ["40.05", "40.05", "40.3", "40.05"]),
        ("lead_factory_budget_forecast_usd", ["80.1", "55.883720930233", "80.6", "80.1"]),
    ] {
        assert_samples(
            &text,
            metric,
            &[
                &format!("{metric}{{budget=\"daily\",period=\"daily\"}} {daily}"),
                &format!("{metric}{{budget=\"monthly\",period=\"monthly\"}} {monthly}"),
                &format!("{metric}{{budget=\"openai-daily\",period=\"daily\"}} {openai}"),
                &format!("{metric}{{budget=\"team\",period=\"daily\"}} {team}"),
            ],
        );
    }
    for line in [
        "lead_factory_scaling_gate_active 0",
        "lead_factory_scaling_gate_activations_total 1",
        "lead_factory_ledger_last_event_timestamp_seconds 1795348770.25",
    ] {
        assert_samples(&text, line.split(' ').next().unwrap(), &[line]);
    }
    let revision = Settings::default().revision;
    let version = env!("CARGO_PKG_VERSION");
    let build =
        format!("lead_factory_build_info{{environment=\"production\",revision=\"{revision}\",version=\"{version}\"}} 1");
    assert_samples(&text, "lead_factory_build_info", &[&build]);
}

#[tokio::test]
async fn an_empty_ledger_shows_no_cost_and_a_removed_budget_no_utilization() {
    let fixture = fixture(published(&[], vec![budget("monthly", None, PeriodKind::Monthly, "0")]));
    let text = text(&fixture.telemetry).await;
    assert_eq!(samples(&text, "lead_factory_build_info").len(), 1);
    for metric in [
        "lead_factory_daily_cost",
        "lead_factory_monthly_cost",
        "lead_factory_cost_usd_total",
        "lead_factory_credit_usd_total",
        "lead_factory_usage_total",
        "lead_factory_ledger_last_event_timestamp_seconds",
    ] {
        assert_samples(&text, metric, &[]);
    }
    assert_samples(&text, "lead_factory_budget_utilization", &["lead_factory_budget_utilization{period=\"monthly\"} 100"]);
    assert_samples(&text, "lead_factory_scaling_gate_active", &["lead_factory_scaling_gate_active 1"]);
    assert_samples(&text, "lead_factory_scaling_gate_activations_total", &["lead_factory_scaling_gate_activations_total 0"]);
}

#[tokio::test]
async fn yesterdays_cost_leaves_the_day_and_stays_in_the_month() {
    let fixture = fixture(published(&[event("openai", "chat", "45")], two_global_budgets()));
    assert_samples(
        &text(&fixture.telemetry).await,
        "lead_factory_scaling_gate_active",
        &["lead_factory_scaling_gate_active 1"],
    );
    fixture.clock.set("2026-11-23T00:00:00Z".parse().unwrap());
    let text = text(&fixture.telemetry).await;
    assert_samples(&text, "lead_factory_daily_cost", &[]);
    assert_samples(&text, "lead_factory_monthly_cost", &["lead_factory_monthly_cost{service=\"openai\"} 45"]);
    assert_samples(&text, "lead_factory_scaling_gate_active", &["lead_factory_scaling_gate_active 0"]);
}

#[tokio::test]
async fn every_metric_has_help_and_none_has_a_scope_or_a_target() {
    let fixture = fixture(published(&[event("openai", "chat", "1")], two_global_budgets()));
    let _reload = ReloadStatus::new(&fixture.telemetry.meter());
    let meter = fixture.telemetry.meter();
    let seconds = meter.f64_histogram("lead_factory_example_duration").with_unit("s");
    let seconds = seconds.with_description("Example.").with_boundaries(vec![0.1, 0.25, 1.0]).build();
    seconds.record(0.2, &[]);
    let text = text(&fixture.telemetry).await;
    let families: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    for family in &families {
        assert!(text.contains(&format!("# HELP {family} ")), "{family} has no help");
    }
    assert!(families.is_sorted());
    assert!(text.contains("# TYPE lead_factory_example_duration_seconds histogram\n"), "{text}");
    assert!(text.contains("lead_factory_example_duration_seconds_bucket{le=\"0.25\"} 1\n"), "{text}");
    assert!(!text.contains("otel_scope"), "{text}");
    assert!(!text.contains("target_info"), "{text}");
    assert!(!text.contains("_total_total"), "{text}");
    #[cfg(target_os = "linux")]
    for process in [
        "cpu_seconds_total",
        "open_fds",
        "max_fds",
        "resident_memory_bytes",
        "virtual_memory_bytes",
        "start_time_seconds",
        "threads",
    ] {
        assert_eq!(samples(&text, &format!("process_{process}")).len(), 1, "{process}");
    }
}

#[tokio::test]
async fn the_reload_gauge_follows_the_last_load() {
    let fixture = fixture(published(&[], vec![]));
    let reload = ReloadStatus::new(&fixture.telemetry.meter());
    for (value, set) in [("1", None), ("0", Some(false)), ("1", Some(true))] {
        match set {
            Some(true) => reload.succeeded(),
            Some(false) => reload.failed(),
            None => {}
        }
        let expected = format!("lead_factory_config_reload_success {value}");
        assert_samples(&text(&fixture.telemetry).await, "lead_factory_config_reload_success", &[&expected]);
    }
}

#[tokio::test]
async fn label_values_are_escaped() {
    let service = "a \"quoted\" back\\slash 🙂 \u{202e}مرحبا } # {x=\"";
    let fixture = fixture(published(&[event(service, "o", "1")], vec![]));
    let text = text(&fixture.telemetry).await;
    assert_samples(
        &text,
        "lead_factory_daily_cost",
        &["lead_factory_daily_cost{service=\"a \\\"quoted\\\" back\\\\slash 🙂 \u{202e}مرحبا } # {x=\\\"\"} 1"],
    );
}

#[tokio::test]
async fn thousands_of_names_sum_to_the_total_without_an_overflow_series() {
    let events: Vec<CostEvent> = (0..6_000)
        .map(|at| event(&format!("s{}", at % 230), &format!("o{at}"), "0.5"))
        .chain([event("s0", "back", "-0.5")])
        .collect();
    let fixture = fixture(published(&events, vec![]));
    let text = text(&fixture.telemetry).await;
    let sum = |metric: &str| -> f64 {
        samples(&text, metric).iter().map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
    };
    assert!(samples(&text, "lead_factory_cost_usd_total").len() > 2_000);
    assert_eq!(sum("lead_factory_cost_usd_total"), 3_000.0);
    assert_eq!(sum("lead_factory_credit_usd_total"), 0.5);
    assert_eq!(sum("lead_factory_daily_cost"), 2_999.5);
    assert!(!text.contains("otel_metric_overflow"));
}

#[tokio::test]
async fn names_kept_from_larger_limits_are_all_shown() {
    let limits = SeriesLimits { services_max: 5_000, pairs_max: 5_000, ..SeriesLimits::default() };
    let mut state = published(&[], vec![]);
    state.views = Views::new(limits, date(2026, 10, 1));
    for at in 0..5_000 {
        state
            .views
            .record([(&event(&format!("s{at}"), "o", "1"), &Entry::First, date(2026, 11, 22))], Timestamp::UNIX_EPOCH);
    }
    let fixture = fixture(state);
    let text = text(&fixture.telemetry).await;
    assert_eq!(samples(&text, "lead_factory_cost_usd_total").len(), 5_000);
    assert_eq!(samples(&text, "lead_factory_daily_cost").len(), 5_000);
    assert!(!text.contains("otel_metric_overflow"));
}

#[tokio::test]
async fn a_panicking_instrument_costs_only_its_own_series() {
    let fixture = fixture(published(&[event("openai", "chat", "1")], vec![]));
    let broken =
        instruments::Definition { name: "lead_factory_broken", unit: "", help: "Broken.", read: |_| panic!("on purpose") };
    instruments::gauge(&fixture.telemetry.meter(), &fixture.telemetry.source, broken);
    for _ in 0..3 {
        let text = text(&fixture.telemetry).await;
        assert_samples(&text, "lead_factory_daily_cost", &["lead_factory_daily_cost{service=\"openai\"} 1"]);
        assert_samples(&text, "lead_factory_broken", &[]);
    }
}

#[tokio::test]
async fn a_poisoned_reader_is_an_error_and_not_an_empty_answer() {
    let fixture = fixture(published(&[event("openai", "chat", "1")], vec![]));
    fixture
        .telemetry
        .meter()
        .u64_observable_gauge("lead_factory_unprotected")
        .with_callback(|_| panic!("on purpose"))
        .build();
    let scraper = fixture.telemetry.scraper();
    assert!(matches!(scraper.scrape().await, Err(ScrapeError::Panicked)));
    assert!(matches!(scraper.scrape().await, Err(ScrapeError::Incomplete)));
}

#[tokio::test]
async fn a_scrape_after_the_shutdown_is_an_error() {
    let fixture = fixture(published(&[], vec![]));
    fixture.telemetry.shutdown();
    fixture.telemetry.shutdown();
    assert!(matches!(fixture.telemetry.scraper().scrape().await, Err(ScrapeError::Incomplete)));
}

/// Holds up every collection until a token comes in, and counts them.
fn held_up(telemetry: &Telemetry) -> (std::sync::mpsc::SyncSender<()>, std::sync::mpsc::Receiver<()>, Arc<AtomicUsize>) {
    let (begun, begins) = std::sync::mpsc::sync_channel(100);
    let (go, wait) = std::sync::mpsc::sync_channel::<()>(100);
    let wait = std::sync::Mutex::new(wait);
    let collections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&collections);
    telemetry
        .meter()
        .u64_observable_gauge("lead_factory_held_up")
        .with_description("Holds up.")
        .with_callback(move |_| {
            counted.fetch_add(1, Ordering::SeqCst);
            begun.send(()).unwrap();
            wait.lock().unwrap().recv().unwrap();
        })
        .build();
    (go, begins, collections)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scrapes_that_come_meanwhile_share_one_newer_text() {
    let fixture = fixture(published(&[], vec![]));
    let (go, begins, collections) = held_up(&fixture.telemetry);
    let scrape = || {
        let scraper = fixture.telemetry.scraper();
        let mut scrape = Box::pin(async move { String::from_utf8(scraper.scrape().await.unwrap().to_vec()).unwrap() });
        // Polled once: it has asked.
        assert!(futures_util::FutureExt::now_or_never(&mut scrape).is_none());
        scrape
    };
    let first = scrape();
    begins.recv().unwrap();
    // Recorded and acknowledged while the first text is being made: those who ask from now on must see it.
    fixture.board.publish(published(&[event("openai", "chat", "7")], vec![]));
    let later: Vec<_> = (0..20).map(|_| scrape()).collect();
    go.send(()).unwrap();
    go.send(()).unwrap();
    assert_samples(&first.await, "lead_factory_daily_cost", &[]);
    for text in futures_util::future::join_all(later).await {
        assert_samples(&text, "lead_factory_daily_cost", &["lead_factory_daily_cost{service=\"openai\"} 7"]);
    }
    assert_eq!(collections.load(Ordering::SeqCst), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_hangs_up_leaves_no_work_and_no_harm() {
    let fixture = fixture(published(&[], vec![]));
    let (go, begins, collections) = held_up(&fixture.telemetry);
    let asked = || {
        let scraper = fixture.telemetry.scraper();
        let mut scrape = Box::pin(async move { scraper.scrape().await.map(drop) });
        assert!(futures_util::FutureExt::now_or_never(&mut scrape).is_none());
        scrape
    };
    let running = asked();
    begins.recv().unwrap();
    drop(asked());
    drop(running);
    go.send(()).unwrap();
    go.send(()).unwrap();
    fixture.telemetry.scraper().scrape().await.unwrap();
    // The one that nobody waited for either became the last one's, or was never made.
    assert_eq!(collections.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn all_series_of_a_scrape_show_one_state() {
    let fixture = fixture(published(&[event("openai", "chat", "1")], two_global_budgets()));
    let board = Arc::clone(&fixture.board);
    // Runs between the instruments over the views and a later one: as if a commit landed in the middle of a scrape.
    fixture
        .telemetry
        .meter()
        .u64_observable_gauge("lead_factory_commits")
        .with_description("Commits.")
        .with_callback(move |_| board.publish(published(&[event("openai", "chat", "2")], two_global_budgets())))
        .build();
    let later = instruments::Definition {
        name: "lead_factory_later",
        unit: "",
        help: "Later.",
        read: |moment| vec![instruments::Reading::plain(moment.standings[0].usd().unwrap()[1].to_f64())],
    };
    instruments::gauge(&fixture.telemetry.meter(), &fixture.telemetry.source, later);
    for (daily, later) in [("1", "1"), ("2", "2")] {
        let text = text(&fixture.telemetry).await;
        let expected = format!("lead_factory_daily_cost{{service=\"openai\"}} {daily}");
        assert_samples(&text, "lead_factory_daily_cost", &[&expected]);
        assert_samples(&text, "lead_factory_later", &[&format!("lead_factory_later {later}")]);
    }
}
