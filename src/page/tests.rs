use jiff::Timestamp;
use maud::Markup;

use super::*;
use crate::domain::{BudgetZone, Threshold, Usd};
use crate::query::ReadError;
use crate::wire::{GateLine, GateStatus};

const NOW: &str = "2026-11-22T12:00:00Z";

fn view() -> View {
    View::new(Asked::default(), NOW.parse().unwrap(), BudgetZone::UTC)
}

fn usd(text: &str) -> Usd {
    text.parse().unwrap()
}

/// A budget as REST tells it, with alerts at 80 %, that closes the gate at 90 %.
fn shown(json: &str) -> BudgetShown {
    let warn_at = vec![Threshold::parse("0.8").unwrap()];
    let closes_gate_at = Some(Threshold::parse("0.9").unwrap());
    BudgetShown { item: serde_json::from_str(json).unwrap(), warn_at, closes_gate_at, is_calendar: true }
}

fn money(name: &str, period: &str, spent: &str, held: &str, limit: &str, state: &str, more: &str) -> BudgetShown {
    let left = usd(limit) - usd(spent) - usd(held);
    let percent = crate::domain::nearest_f64_percent(usd(spent).pico(), usd(limit).pico());
    shown(&format!(
        r#"{{"name":"{name}","service":null,"period":"{period}","limit_usd":{limit},"spent_usd":{spent},"reserved_usd":{held},
        "remaining_usd":{left},"utilization_percent":{percent},"state":"{state}","period_start":"2026-11-22T00:00:00Z",
        "period_end":"2026-11-23T00:00:00Z","forecast_usd":null,"exhausted_at":null{more}}}"#
    ))
}

/// The words of a piece, without drawings and tags, with one blank between them.
fn words_of(markup: &Markup) -> String {
    let parts: Vec<&str> = markup.0.split("<svg").collect();
    let beside = parts.iter().skip(1).map(|part| part.split_once("</svg>").unwrap().1);
    let text = parts.iter().copied().take(1).chain(beside).collect::<String>();
    let mut words = String::new();
    for piece in text.split('<') {
        words.push_str(piece.split_once('>').map_or(piece, |(_, rest)| rest));
        words.push(' ');
    }
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    [(" .", "."), (" ,", ","), (" ;", ";"), ("( ", "("), (" )", ")")]
        .iter()
        .fold(words, |words, (wide, narrow)| words.replace(wide, narrow))
}

#[track_caller]
fn assert_says(markup: &Markup, expected: &str) {
    let words = words_of(markup);
    assert!(words.contains(expected), "{expected:?} in {words:?}");
}

fn status(json: &str) -> GateStatus {
    serde_json::from_str(json).unwrap()
}

fn change(time: &str, active: bool) -> GateLine {
    let json = format!(r#"{{"timestamp":"{time}","active":{active},"reason":"why","mode":"auto","actor":""}}"#);
    serde_json::from_str(&json).unwrap()
}

#[test]
fn a_closed_gate_says_until_when() {
    let budgets = [money("daily", "daily", "51", "0", "50", "exhausted", "")];
    let closed = status(
        r#"{"scaling_gate_active":true,"reason":"Budget daily is at 102%","timestamp":"2026-11-22T12:00:00Z","mode":"auto",
        "since":"2026-11-22T11:00:00Z","budgets":[{"name":"daily","utilization":102,"threshold":90}]}"#,
    );
    let lines = [change("2026-11-22T11:00:00Z", true), change("2026-11-21T11:00:00Z", false)];
    let section = gate(&view(), &closed, &budgets, Ok(&lines));
    assert_says(&section, "Closed Work that is not critical must stop.");
    assert_says(
        &section,
        "Since 11:00 (1 hour ago). It opens at the latest when the period ends, at Nov 23, 00:00, in 12 hours.",
    );
    assert_says(&section, "Closed once in the last 24 hours");
    assert!(section.0.contains(r#"<rect class="off" x="0%" width="95.83%""#), "{}", section.0);
    assert!(section.0.contains(r#"<rect class="on" x="95.83%" width="4.17%""#), "{}", section.0);
    let manual = status(
        r#"{"scaling_gate_active":true,"reason":"r","timestamp":"2026-11-22T12:00:00Z","mode":"manual",
        "since":"2026-11-22T11:00:00Z","expires_at":"2026-11-22T14:10:00Z","budgets":[]}"#,
    );
    assert_says(&gate(&view(), &manual, &[], Ok(&lines)), "which lapses at 14:10, in 2 hours 10 minutes.");
}

#[test]
fn an_open_gate_says_what_is_nearest_to_closing_it() {
    let budgets = [money("daily", "daily", "31", "0", "50", "ok", "").item];
    let item = crate::wire::BudgetItem { exhausted_at: "2026-11-22T19:00:00Z".parse().ok(), ..budgets[0].clone() };
    let budgets = [BudgetShown { item, ..money("daily", "daily", "31", "0", "50", "ok", "") }];
    let open = status(
        r#"{"scaling_gate_active":false,"reason":"Below threshold","timestamp":"2026-11-22T12:00:00Z","mode":"auto","since":null,
        "budgets":[{"name":"daily","utilization":62,"threshold":90},{"name":"monthly","utilization":3,"threshold":90}]}"#,
    );
    let section = gate(&view(), &open, &budgets, Ok(&[]));
    assert_says(&section, "Open Work may start.");
    assert_says(&section, "The fullest budget, daily, is at 62.0 %; the gate closes at 90.0 %.");
    assert_says(&section, "At this pace it is used up at 19:00, in 7 hours.");
    assert_says(&section, "Open in all of the last 24 hours.");
    assert!(section.0.contains("<details") && section.0.contains("<tbody><tr>"), "there is a table all the same");
    assert_says(&gate(&view(), &open, &budgets, Err(ReadError::Unavailable)), "history of the gate could not be read");
}

#[test]
fn what_came_about_just_now_is_in_the_band_and_what_is_not_known_is_told() {
    let open = status(
        r#"{"scaling_gate_active":false,"reason":"r","timestamp":"2026-11-22T12:00:00Z","mode":"auto","since":"2026-11-22T06:00:00Z","budgets":[]}"#,
    );
    let section = gate(&view(), &open, &[], Ok(&[change("2026-11-22T00:00:00Z", true)]));
    assert!(section.0.contains(r#"<rect class="off" x="75%" width="25%""#), "{}", section.0);
    assert!(section.0.contains(r#"<rect class="on" x="50%" width="25%""#), "{}", section.0);
    let minute = |number: u32| change(&format!("2026-11-22T11:{:02}:00Z", 59 - number), number % 2 == 1);
    let lines: Vec<GateLine> = (0..CHANGES_READ_MAX).map(minute).collect();
    let section = gate(&view(), &open, &[], Ok(&lines));
    assert!(section.0.contains(r#"<rect class="unknown" x="0%""#), "{}", section.0);
}

#[test]
fn a_budget_says_what_is_spent_held_and_left() {
    let overridden = r#","override":{"configured_limit_usd":40,"reason":"launch","actor":"ann","timestamp":"2026-11-22T10:00:00Z","expires_at":"2026-11-22T18:00:00Z"}"#;
    let section = budgets(&view(), &[money("daily", "daily", "31.5", "2", "50", "ok", overridden)]);
    assert_says(&section, "daily ok all cost, daily");
    assert_says(&section, "$31.50 of $50.00 (63.0 %), $2.00 held, $16.50 left");
    assert_says(&section, "Begins anew in 12 hours. Alert at 80 %; the gate closes at 90 %.");
    assert_says(&section, "The limit is overridden by ann: launch. In the settings it is $40.00. Until 18:00 (in 6 hours).");
    assert!(section.0.contains(r#"<line class="mark" x1="80%""#) && section.0.contains(r#"<line class="mark" x1="90%""#));
    assert_says(&budgets(&view(), &[]), "There are no budgets.");
}

#[test]
fn a_budget_of_usage_has_a_bar_for_each_unit_and_one_of_keys_its_fullest() {
    let tokens = shown(
        r#"{"name":"tokens","service":"openai","period":"total","limit_usage":{"tokens":2000000,"pages":0.5},"spent_usage":{"tokens":1000000,"pages":0},
        "reserved_usage":{"tokens":0,"pages":0},"remaining_usage":{"tokens":1000000,"pages":0.5},"utilization_percent":50,"state":"ok",
        "period_start":null,"period_end":null,"forecast_usd":null,"exhausted_at":null,"action":"watch"}"#,
    );
    let section = budgets(&view(), &[tokens]);
    assert_says(&section, "service openai, total, watches only");
    assert_says(&section, "1,000,000 of 2,000,000 tokens, 1,000,000 left");
    assert_says(&section, "Never begins anew.");
    assert_eq!(section.0.matches("<svg").count(), 2);
    let keys = shown(
        r#"{"name":"lead-cap","service":null,"period":"total","limit_usd":5,"utilization_percent":120,"state":"exhausted","period_start":null,
        "period_end":null,"forecast_usd":null,"exhausted_at":null,"each":"lead","keys":1234,"keys_warning":2,"keys_exhausted":1,"fullest":[
        {"key":"acme","spent_usd":6,"reserved_usd":0,"remaining_usd":-1,"utilization_percent":120,"state":"exhausted"}]}"#,
    );
    let section = budgets(&view(), &[keys]);
    assert_says(&section, "all cost, each lead by itself: 5 USD, total");
    assert_says(&section, "1,234 with cost or holds, 2 nearly used up, 1 used up");
    assert_says(&section, "acme $6.00 120.0 % exhausted");
}

#[test]
fn totals_stand_against_the_limit_that_concerns_them() {
    let day = money("daily", "daily", "61.5", "2", "50", "exhausted", "");
    let stricter = money("strict", "daily", "31.5", "0", "40", "ok", r#","action":"watch""#);
    let service = money("of-a-service", "daily", "1", "0", "2", "ok", r#","match":{"model":["x"]}"#);
    let uneven = BudgetShown { is_calendar: false, ..money("uneven", "monthly", "1", "0", "3", "ok", "") };
    let all = [service, stricter, day, uneven];
    let read = Totals { today: Ok(usd("61.5")), month: Ok(usd("100")) };
    let section = totals(&view(), &read, &all);
    assert_says(&section, "$61.50 Budget daily : 123.0 % of $50.00, -$13.50 left.");
    assert_says(&section, "$100.00 There is no limit for it.");
    assert_says(&section, "There is no monthly budget");
    let monthly = money("monthly", "monthly", "100", "0", "1000", "ok", "");
    let section = totals(&view(), &read, std::slice::from_ref(&monthly));
    assert_says(&section, "Budget monthly : 10.0 % of $1,000.00, $900.00 left.");
    assert_says(&section, "None until a twentieth of the month has passed.");
    let broken = Totals { today: Err(ReadError::Unavailable), month: Err(ReadError::Panicked) };
    assert_eq!(totals(&view(), &broken, &[]).0.matches("could not be read").count(), 2);
    let past = View::new(Asked { month: "2026-10".parse().ok(), ..Asked::default() }, view().now, BudgetZone::UTC);
    let past = totals(&past, &read, &[monthly]);
    assert!(!past.0.contains("Forecast"));
    assert_says(&past, "Budget monthly : 10.0 % of $1,000.00.");
}

#[test]
fn every_trouble_has_its_runbook_and_no_trouble_is_no_section() {
    let view = view();
    let fine = Troubles { last_recorded_at: Some(view.now), ..Troubles::default() };
    let watched = money("watched", "daily", "51", "0", "50", "exhausted", r#","action":"watch""#);
    assert_eq!(problems(&view, &fine, &[money("daily", "daily", "1", "0", "50", "ok", ""), watched]).0, "");
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let troubles = Troubles {
        ledger: Some("the disk is full"),
        last_recorded_at: Some(at("2026-11-22T13:30:00Z")),
        unpriced_events: 1,
        exports_failing: vec!["metrics", "logs"],
        webhooks_failing: Some((3, at("2026-11-22T11:50:00Z"))),
        settings_refused: true,
    };
    let section = problems(&view, &troubles, &[money("daily", "daily", "51", "0", "50", "exhausted", "")]);
    for expected in [
        "Cost cannot be recorded: the disk is full.",
        "recorded 1 hour 30 minutes after now",
        "A budget is used up: daily. Work that it covers is refused until Nov 23, 00:00 (in 12 hours).",
        "1 recorded event has no price yet and count",
        "The settings that were loaded last are wrong",
        "3 messages could not be delivered to a webhook, the oldest of 11:50 (10 minutes ago).",
        "The push over OTLP fails (metrics, logs).",
    ] {
        assert_says(&section, expected);
    }
    let books = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let named: Vec<&str> = section.0.split("<code>docs/").skip(1).map(|rest| rest.split('<').next().unwrap()).collect();
    assert_eq!(named.len(), 7);
    assert!(named.iter().all(|book| books.join("docs").join(book).exists()), "{named:?}");
    let two = [("a", "51"), ("b", "52")].map(|(name, spent)| money(name, "daily", spent, "0", "50", "exhausted", ""));
    assert_says(&problems(&view, &fine, &two), "2 budgets are used up: a, b.");
}

#[test]
fn lists_say_when_there_is_nothing_and_when_it_cannot_be_read() {
    let view = view();
    assert_says(&events(&view, Ok(&[])), "Nothing is recorded yet.");
    assert_says(&events(&view, Err(ReadError::Unavailable)), "could not be read");
    assert_says(&unpriced(&view, Ok(&[])), "Every recorded call has its price.");
    assert_says(&unpriced(&view, Err(ReadError::Panicked)), "could not be read");
    assert_says(&holds(&view, Ok(HoldsShown { oldest: &[], count: 0 })), "Nothing is held.");
    assert_says(&holds(&view, Err(ReadError::Panicked)), "could not be read");
    assert_says(&days(&view, Err(ReadError::Panicked), &[]), "could not be read");
    let models = Breakdown { part: MODELS, by: "model" };
    assert_says(&models.show(&view, Ok(&Ranking::default())), "No cost in November 2026.");
    assert_says(&models.show(&view, Err(ReadError::Panicked)), "could not be read");
}

#[test]
fn the_line_to_record_by_has_a_token_where_one_is_needed() {
    let section = start(&Agent { host: Some("costs.example:8000".into()), needs_token: true });
    assert_says(
        &section,
        "curl http://costs.example:8000/costs -H 'Content-Type: application/json' -H &quot;Authorization: Bearer $API_TOKEN&quot;",
    );
    assert_says(&section, "OTEL_EXPORTER_OTLP_HEADERS=&quot;Authorization=Bearer%20$API_TOKEN&quot;");
    assert_says(&start(&Agent::default()), "OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:8000");
}

#[test]
fn a_fleet_is_shown_with_what_is_left_and_who_is_silent() {
    let read = |json: &str| serde_json::from_str::<crate::wire::FleetAnswer>(json).unwrap();
    let whole = read(
        r#"{"up":true,"problem":null,"lag_seconds":0.1,"warnings":["Agents have different limits for all"],
        "budgets":[{"name":"all","period_start":null,"period_end":null,"limit_usd":10,"spent_usd":4,"held_usd":1.5,"leased_usd":0.5,
        "free_usd":4,"overrun_usd":0,"own_lease_usd":0.25}],
        "agents":[{"ledger_id":"0f","name":"<w-1>","version":"0.1.0","last_seen":"2026-11-22T11:59:59Z","lag_seconds":0.5,"sums":1,"total_usd":4,
        "leased_usd":0.5},{"ledger_id":"1f","name":"w-2","version":"0.1.0","last_seen":"2026-11-22T11:00:00Z","lag_seconds":3600,"sums":2,
        "total_usd":0,"leased_usd":0}]}"#,
    );
    let section = fleet(&view(), &whole);
    assert_says(&section, "all $4.00 $1.50 $0.50 $4.00 $10.00");
    assert_says(&section, "Agents have different limits for all.");
    assert_eq!(words_of(&section).matches("silent").count(), 1);
    assert!(section.0.contains("&lt;w-1&gt;") && section.0.contains(r#"href="/fleet""#), "{}", section.0);

    let cut_off = fleet(&view(), &read(r#"{"up":false,"problem":"the fleet's database does not answer"}"#));
    assert_says(&cut_off, "This agent takes no part at the moment: the fleet's database does not answer.");
    assert_says(&cut_off, "No budget is shared.");
}

#[test]
fn totals_compare_the_limit_of_a_fleet_with_what_the_fleet_spent() {
    let shared = money("daily", "daily", "30", "5", "50", "ok", r#","scope":"fleet""#);
    let totals_of = |today: &str| Totals { today: Ok(usd(today)), month: Ok(usd(today)) };
    let section = totals(&view(), &totals_of("4"), std::slice::from_ref(&shared));
    assert_says(&section, "Today JSON $4.00 Budget daily of the fleet: 60.0 % of $50.00, $15.00 left.");
    let alone = money("daily", "daily", "4", "5", "50", "ok", "");
    assert_says(&totals(&view(), &totals_of("4"), &[alone]), "$4.00 Budget daily : 8.0 % of $50.00, $41.00 left.");
}
