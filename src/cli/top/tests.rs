//! Whole screens, with what is usual and with the worst there can be, at the sizes of people's windows.

use std::time::{Duration, Instant};

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use serde_json::{Value, json};

use super::super::answer::read;
use super::super::table::wrap;
use super::ask::{Away, CostRow, Costs, Standing};
use super::draw::{Shot, draw};
use super::known::Known;
use super::question::{By, Period, Question};
use super::view::View;
use crate::domain::Usd;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/golden/top.txt");
const AT: &str = "http://127.0.0.1:8000/";
const INTERVAL: Duration = Duration::from_secs(2);

fn usd(text: &str) -> Usd {
    Usd::parse(text).unwrap()
}

fn gate(active: bool, reason: &str) -> Value {
    json!({"scaling_gate_active": active, "reason": reason, "timestamp": "2026-11-22T10:00:00.5Z", "mode": "auto",
        "since": "2026-11-22T09:41:00Z", "expires_at": null,
        "budgets": [{"name": "daily", "utilization": if active { 92.5 } else { 45.1 }, "threshold": 90.0}]})
}

fn standing(gate: &Value, parts: [&str; 4]) -> Standing {
    let [budgets, holds, unpriced, events] = parts;
    Standing {
        unhealthy: None,
        gate: read::<crate::wire::GateStatus>(&gate.to_string()).unwrap(),
        changes: Ok(read(
            r#"[{"timestamp":"2026-11-22T09:41:00Z","active":false,"reason":"a","mode":"auto","actor":""},
            {"timestamp":"2026-11-22T04:10:00Z","active":true,"reason":"a","mode":"auto","actor":""}]"#,
        )
        .unwrap()),
        budgets: Ok(read(budgets).unwrap()),
        today: Ok(usd("22.543210987654")),
        month: Ok(usd("312.5")),
        holds: Ok(read(holds).unwrap()),
        unpriced: Ok(read(unpriced).unwrap()),
        events: Ok(read(events).unwrap()),
        fleet: None,
    }
}

fn fleet(problem: Value, warnings: &[&str]) -> crate::wire::FleetAnswer {
    let fleet = json!({"up": problem.is_null(), "problem": problem, "lag_seconds": 3.5, "warnings": warnings, "budgets": [], "agents": []});
    read(&fleet.to_string()).unwrap()
}

fn costs(question: Question, names: &[(&str, &str)]) -> Costs {
    let amounts: Vec<Usd> = names.iter().map(|(_, amount)| usd(amount)).collect();
    let total: Usd = amounts.iter().copied().sum();
    let rows =
        names.iter().zip(&amounts).map(|((name, _), cost)| CostRow { name: (*name).into(), cost: *cost, days: days(*cost) });
    let dates = "2026-10-24".parse::<jiff::civil::Date>().unwrap().series(jiff::Span::new().days(1));
    Costs { question, total, rows: rows.collect(), more: 0, days: dates.zip(days(total)).collect() }
}

fn days(total: Usd) -> Vec<Usd> {
    (0..30).map(|day| Usd::from_pico(total.pico() / 30 * day)).collect()
}

fn event(number: usize, service: &str, name: &str, amount: &str) -> String {
    let name = json!(name);
    format!(
        r#"{{"id":"e-{number}","service":{},"operation":{name},"kind":"charge","amount_usd":{amount},
        "time":"2026-11-22T09:{:02}:{:02}Z","worker":{name},"lead_id":{name},"model":{name},"outcome":"ok","revision":0,
        "unpriced":{},"recorded_at":"2026-11-22T10:00:00Z"}}"#,
        json!(service),
        59 - number / 60,
        59 - number % 60,
        number == 3,
    )
}

fn hold(number: usize, name: &str, amount: &str) -> String {
    let name = json!(name);
    format!(
        r#"{{"reservation_id":"job-{number}","id":null,"service":{name},"operation":"chat","estimated_cost_usd":{amount},
        "state":"held","critical":false,"created_at":"2026-11-22T09:59:00Z","expires_at":"2026-11-22T10:0{}:00Z","worker":{name},
        "batch_id":null,"lead_id":null}}"#,
        number % 6
    )
}

fn budget(name: &str, period: &str, service: Value, amounts: [&str; 4], percent: f64, state: &str) -> String {
    let [limit, spent, reserved, forecast] = amounts;
    format!(
        r#"{{"name":{},"service":{service},"period":"{period}","limit_usd":{limit},"spent_usd":{spent},"reserved_usd":{reserved},
        "remaining_usd":0,"utilization_percent":{percent},"state":"{state}","period_start":"2026-11-22T00:00:00Z",
        "period_end":"2026-11-23T00:00:00Z","forecast_usd":{forecast},"exhausted_at":null}}"#,
        json!(name)
    )
}

fn of_keys(name: &str, keys: [&str; 2]) -> String {
    let key = |key: &str, percent: f64, state: &str| {
        format!(
            r#"{{"key":{},"spent_usd":4.123456,"reserved_usd":0.5,"remaining_usd":0.876544,"utilization_percent":{percent},"state":"{state}"}}"#,
            json!(key)
        )
    };
    format!(
        r#"{{"name":{},"service":null,"period":"total","limit_usd":5,"utilization_percent":107.2,"state":"exhausted","period_start":null,
        "period_end":null,"forecast_usd":null,"exhausted_at":null,"each":"lead","action":"watch","keys":1234567,"keys_warning":12,
        "keys_exhausted":3,"fullest":[{},{}],"override":{{"configured_limit_usd":4,"reason":"the launch is tonight","actor":"ann",
        "timestamp":"2026-11-22T10:00:00Z","expires_at":"2026-11-22T18:00:00Z"}}}}"#,
        json!(name),
        key(keys[0], 107.2, "exhausted"),
        key(keys[1], 82.4, "warning"),
    )
}

fn of_usage(name: &str) -> String {
    format!(
        r#"{{"name":{},"service":null,"period":"hourly","limit_usage":{{"input_tokens":2000000,"output_tokens":500000}},
        "spent_usage":{{"input_tokens":1234567.5,"output_tokens":0}},"reserved_usage":{{"input_tokens":0,"output_tokens":1000}},
        "remaining_usage":{{"input_tokens":765432.5,"output_tokens":499000}},"utilization_percent":61.7,"state":"ok",
        "period_start":"2026-11-22T10:00:00Z","period_end":"2026-11-22T11:00:00Z","forecast_usd":null,"exhausted_at":null,
        "match":{{"model":["gpt-*"]}}}}"#,
        json!(name)
    )
}

fn usual(now: Instant) -> Known {
    let budgets = [
        budget("daily", "daily", Value::Null, ["50", "22.543210987654", "0.15", "54.1"], 45.086421975308, "ok"),
        budget("monthly", "monthly", Value::Null, ["1000", "312.5", "0.15", "431.25"], 31.25, "ok"),
        budget("openai-daily", "daily", json!("openai"), ["20", "18.4", "0.1", "44.1"], 92.0, "critical"),
        of_usage("tokens-per-hour"),
        of_keys("lead-cap", ["acme", "globex"]),
    ];
    let holds = [hold(1, "openai", "0.1"), hold(2, "runpod", "0.05")];
    let unpriced = r#"[{"service":"openai","model":"gpt-9","usage":["input_tokens","output_tokens"],"events":12,
        "first":"2026-11-21T10:00:00Z","last":"2026-11-22T09:59:00Z"}]"#;
    let events: Vec<String> = (0..60).map(|number| event(number, "openai", "chat", "0.0042")).collect();
    let parts = [
        &format!("[{}]", budgets.join(",")),
        &format!("[{}]", holds.join(",")),
        unpriced,
        &format!("[{}]", events.join(",")),
    ];
    let costs = costs(Question::default(), &[("openai", "18.4"), ("runpod", "4.1"), ("sendgrid", "0.043210987654")]);
    Known::new(standing(&gate(false, "Below threshold"), parts), Ok(costs), now)
}

/// Names of 128 bytes, twice as wide, in pictures, joined, and of somebody who wants to steer the terminal.
const NAMES: [&str; 6] = [
    "data-for-seo/serp/google/organic/live/advanced/data-for-seo/serp/google/organic/live/advanced/data-for-seo/serp/google/organic/x",
    "请求服务请求服务请求服务请求服务请求服务请求服务请求服务请求服务请求服务请求服务",
    "👍🏽🎉👩‍💻❤️👍🏽🎉👩‍💻❤️👍🏽🎉👩‍💻❤️",
    "\u{1b}[2J\u{1b}]0;owned\u{7}\u{1b}[31m\u{9b}5n\r\n\u{8}\u{7f}",
    "\u{202e}live\u{2066}\u{200b}\u{feff}\u{61c}שלום عربي",
    "",
];

fn worst(now: Instant) -> Known {
    let huge = ["1000000000000", "999999999999.999999999999", "123456789012.5", "123456789012345678"];
    let mut budgets = vec![
        budget("daily", "daily", Value::Null, huge, 1e26, "exhausted"),
        budget("monthly", "monthly", Value::Null, ["0", "-5", "0", "0"], 100.0, "fortnightly"),
    ];
    for name in NAMES {
        budgets.push(budget(name, "daily", json!(name), huge, 107.5, "exhausted"));
        budgets.push(of_keys(name, [name, NAMES[0]]));
        budgets.push(of_usage(name));
    }
    let holds: Vec<String> = NAMES.iter().enumerate().map(|(number, _)| hold(number, "x", huge[0])).collect();
    let unpriced = NAMES.map(|name| {
        json!({"service": name, "model": name, "usage": [name], "events": u64::MAX / 10, "first": "2026-11-21T10:00:00Z", "last": "2025-11-22T09:59:00Z"})
    });
    let events: Vec<String> =
        (0..200).map(|number| event(number, NAMES[number % 6], NAMES[(number + 1) % 6], huge[number % 4])).collect();
    let parts = [
        &format!("[{}]", budgets.join(",")),
        &format!("[{}]", holds.join(",")),
        &json!(unpriced).to_string(),
        &format!("[{}]", events.join(",")),
    ];
    let sums: Vec<(&str, &str)> =
        NAMES.iter().zip([huge[0], huge[1], huge[2], "0", "-3", "0.000000000001"]).map(|(n, a)| (*n, a)).collect();
    let costs = costs(Question::default(), &sums);
    let reason = NAMES.join(" ");
    let mut standing = standing(&gate(true, &reason), parts.map(String::as_str));
    standing.fleet = Some(fleet(json!(reason), &NAMES));
    standing.unhealthy = Some(reason);
    standing.month = Err("500 \u{1b}[31m".into());
    Known::new(standing, Ok(costs), now)
}

fn lines(known: &Known, view: &mut View, [columns, rows]: [u16; 2], now: Instant) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
    let shot = Shot { known, at: AT, interval: INTERVAL, now, colours: true };
    terminal.draw(|frame| draw(frame.buffer_mut(), shot, view)).unwrap();
    let buffer = terminal.backend().buffer();
    let row = |row: u16| {
        let mut line = String::new();
        let mut column = 0;
        while column < columns {
            let symbol = buffer[(column, row)].symbol();
            line.push_str(symbol);
            // The cell behind a wide character is its second half.
            column += u16::try_from(wrap::width(symbol)).unwrap().max(1);
        }
        line
    };
    (0..rows).map(row).collect()
}

fn press(view: &mut View, code: KeyCode) {
    view.press(KeyEvent::new(code, KeyModifiers::NONE));
}

const SIZES: [[u16; 2]; 14] = [
    [60, 10],
    [60, 11],
    [60, 20],
    [61, 24],
    [72, 17],
    [80, 24],
    [80, 50],
    [100, 30],
    [119, 40],
    [120, 10],
    [121, 40],
    [160, 45],
    [200, 50],
    [250, 60],
];

#[test]
fn at_any_size_lines_fit_and_headings_and_keys_are_whole() {
    let now = Instant::now();
    for known in [usual(now), worst(now)] {
        let widths = (60..=200).map(|columns| [columns, 24]);
        let heights = (10..=20).chain([25, 30, 35, 40, 50, 60]).flat_map(|rows| [[60, rows], [130, rows]]);
        for size in SIZES.into_iter().chain(widths).chain(heights) {
            let lines = lines(&known, &mut View::default(), size, now);
            let text = lines.join("\n");
            for line in &lines {
                assert!(wrap::width(line) <= size[0].into(), "{size:?}: {line}");
                assert!(!line.chars().any(|char| char.is_control()), "{size:?}: {line:?}");
            }
            for word in ["lead-factory-metrics top", "Gate ", "Today ", "Month ", "Budgets ", "q quit", "? help"] {
                assert!(text.contains(word), "{size:?} has no {word:?}:\n{text}");
            }
            let halves = lines.iter().flat_map(|line| line.split(" │ "));
            for heading in halves.filter_map(|half| half.strip_prefix("─ ").or_else(|| half.strip_prefix("▸ "))) {
                let word = heading.split(' ').next().unwrap();
                let known = ["Budgets", "Holds", "Unpriced", "Days", "Services", "Events"];
                assert!(known.contains(&word), "{size:?}: {heading}");
            }
        }
    }
}

#[test]
fn what_gives_way_goes_in_its_order() {
    let now = Instant::now();
    let known = usual(now);
    let shown = |rows: u16| -> Vec<&str> {
        let text = lines(&known, &mut View::default(), [80, rows], now).join("\n");
        ["Budgets", "Services", "Events", "Holds", "Unpriced", "Days"]
            .into_iter()
            .filter(|heading| text.contains(&format!(" {heading} ")))
            .collect()
    };
    let mut before = vec![];
    for rows in 10..=60 {
        let now = shown(rows);
        assert!(now.starts_with(&before), "{rows}: {now:?} after {before:?}");
        before = now;
    }
    assert_eq!(shown(10), ["Budgets"]);
    assert_eq!(before.len(), 6, "at 60 rows all are there");
}

#[test]
fn a_window_that_is_too_small_says_what_it_needs() {
    let now = Instant::now();
    let known = usual(now);
    for size in [[59, 10], [60, 9], [20, 30], [7, 3], [1, 1]] {
        let text = lines(&known, &mut View::default(), size, now).concat().replace(' ', "");
        let expected = format!("topneeds60columnsand10rows.Thiswindowhas{}and{}.", size[0], size[1]);
        assert!(expected.starts_with(&text), "{size:?}: {text}");
    }
    let mut buffer = ratatui::buffer::Buffer::empty(ratatui::layout::Rect::ZERO);
    draw(&mut buffer, Shot { known: &known, at: AT, interval: INTERVAL, now, colours: true }, &mut View::default());
}

#[test]
fn while_the_agent_is_away_all_that_was_known_stays() {
    let began = Instant::now();
    let mut known = usual(began);
    let now = began + Duration::from_secs(12);
    known.hear(Err(Away("cannot reach the agent at http://a/: connection refused. Is it running?".into())), now);
    let text = lines(&known, &mut View::default(), [100, 40], now).join("\n");
    for said in
        ["Last answer 12 s ago: cannot reach the agent", "Trying again every 2 s.", "openai-daily", "18.40", "10:00:12Z"]
    {
        assert!(text.contains(said), "{said} in\n{text}");
    }
    known.hear(Ok(standing(&gate(true, "now"), ["[]"; 4])), now);
    let text = lines(&known, &mut View::default(), [100, 40], now).join("\n");
    assert!(!text.contains("Last answer") && text.contains("Gate ACTIVE"), "{text}");
}

#[test]
fn what_is_wrong_with_the_fleet_is_said() {
    let now = Instant::now();
    let mut known = usual(now);
    let mut shown = |fleet| {
        known.fleet = Some(fleet);
        lines(&known, &mut View::new(Question::default()), [100, 40], now).join("\n")
    };
    let warning = "daily: agents have different limits";
    let apart = shown(fleet(json!("the database does not answer"), &[warning]));
    assert!(apart.contains("! This agent takes no part in the fleet: the database does not answer."), "{apart}");
    let warned = shown(fleet(Value::Null, &[warning]));
    assert!(warned.contains("! Fleet: daily: agents have different limits"), "{warned}");
    assert!(!shown(fleet(Value::Null, &[])).contains("leet"));
}

#[test]
fn a_part_that_cannot_be_read_says_so_and_keeps_what_it_had() {
    let now = Instant::now();
    let mut known = usual(now);
    let mut broken = standing(&gate(false, "Below threshold"), ["[]"; 4]);
    broken.budgets = Err("the ledger is\u{1b} busy".into());
    known.hear(Ok(broken), now);
    known.hear_costs(Err("no answer: timed out".into()), now);
    let text = lines(&known, &mut View::default(), [100, 40], now).join("\n");
    for said in ["cannot be read: the ledger is\u{fffd} busy", "openai-daily", "cannot be read: no answer", "runpod"] {
        assert!(text.contains(said), "{said} in\n{text}");
    }
}

#[test]
fn other_costs_are_not_shown_as_those_that_were_asked_for() {
    let now = Instant::now();
    let mut known = usual(now);
    let mut view = View::default();
    press(&mut view, KeyCode::Char('g'));
    let before = lines(&known, &mut view, [100, 40], now).join("\n");
    assert!(before.contains("Models today") && before.contains("asking …") && !before.contains("runpod  "), "{before}");
    let question = Question { by: By::Model, period: Period::Day };
    known.hear_costs(Ok(costs(question, &[("gpt-4o", "3"), ("", "1")])), now);
    let after = lines(&known, &mut view, [100, 40], now + Duration::from_secs(30)).join("\n");
    assert!(
        after.contains("Models today, 4.00 USD, 30 s ago") && after.contains("(none)") && after.contains("75.0 %"),
        "{after}"
    );
}

#[test]
fn the_arrows_scroll_what_tab_turned_to() {
    let now = Instant::now();
    let known = usual(now);
    let mut view = View::default();
    let at = |view: &mut View| lines(&known, view, [80, 24], now).join("\n");
    assert!(at(&mut view).contains("▸ Events") && at(&mut view).contains("09:59:59Z"));
    press(&mut view, KeyCode::End);
    let text = at(&mut view);
    assert!(text.contains("of 60") && text.contains("09:59:00Z") && !text.contains("09:59:59Z"), "{text}");
    press(&mut view, KeyCode::Tab);
    assert!(at(&mut view).contains("▸ Budgets"));
    press(&mut view, KeyCode::Char('?'));
    let text = at(&mut view);
    assert!(text.contains("the next part") && text.contains("q quit") && !text.contains("Budgets"), "{text}");
}

#[test]
fn without_colours_nothing_has_one_and_every_state_is_a_word() {
    let now = Instant::now();
    let known = usual(now);
    let mut buffer = ratatui::buffer::Buffer::empty(ratatui::layout::Rect::new(0, 0, 120, 40));
    let shot = |colours| Shot { known: &known, at: AT, interval: INTERVAL, now, colours };
    draw(&mut buffer, shot(true), &mut View::default());
    assert!(buffer.content().iter().any(|cell| cell.fg != ratatui::style::Color::Reset));
    let with: Vec<String> = buffer.content().iter().map(|cell| cell.symbol().to_owned()).collect();
    buffer.reset();
    draw(&mut buffer, shot(false), &mut View::default());
    assert!(
        buffer
            .content()
            .iter()
            .all(|cell| cell.fg == ratatui::style::Color::Reset && cell.bg == ratatui::style::Color::Reset)
    );
    let without: Vec<String> = buffer.content().iter().map(|cell| cell.symbol().to_owned()).collect();
    assert_eq!(with, without);
    for word in ["critical", "exhausted", "Gate inactive", "forecast 54.10 over"] {
        assert!(without.concat().contains(word), "{word}");
    }
}

#[test]
fn screens_look_as_somebody_has_looked_at_them() {
    let now = Instant::now();
    let mut painted = String::new();
    for (name, known) in [("usual", usual(now)), ("worst", worst(now))] {
        for size in [[60, 10], [60, 20], [80, 24], [120, 40], [200, 50]] {
            let lines = lines(&known, &mut View::default(), size, now);
            let trimmed: Vec<&str> = lines.iter().map(|line| line.trim_end()).collect();
            painted += &format!("=== {name} at {} x {}\n{}\n", size[0], size[1], trimmed.join("\n"));
        }
    }
    let golden = std::fs::read_to_string(GOLDEN).unwrap_or_default();
    if painted != golden {
        let new = std::env::temp_dir().join("top.txt");
        std::fs::write(&new, &painted).unwrap();
        panic!("screens look otherwise: look at {}, and if it is right, put it in place of {GOLDEN}", new.display());
    }
}
