//! What budgets say is what happened: whose cost counts, how much is left, when the limit was used up, what it will come to; and who
//! is told, under which limit.
//!
//! Guards against: a cap that a service escapes by the case of its letters, a credit that makes room beyond the limit, an exhaustion
//! that is guessed from the pace, a forecast from the first second of a month, silence after a limit was changed.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Receiver, Setup, TestAgent, run, within};

/// An evening, far from the ends of day and month.
const EVENING: &str = "2026-11-20 19:00:00";
const WAIT: Duration = Duration::from_secs(20);

#[track_caller]
fn budget(agent: &TestAgent, name: &str) -> Value {
    let budgets = agent.get("/budgets").expect(200).json();
    budgets.as_array().unwrap().iter().find(|budget| budget["name"] == name).unwrap_or_else(|| panic!("{budgets}")).clone()
}

#[track_caller]
fn reserve(agent: &TestAgent, service: &str, usd: &str, status: u16) -> Value {
    let body = format!(r#"{{"service":"{service}","operation":"chat","estimated_cost_usd":{usd}}}"#);
    agent.client().post("/reservations", "application/json", body).expect(status).json()
}

/// Writes the settings file anew, has it read, and waits for the limit.
#[track_caller]
fn set_limit(setup: &Setup, agent: &TestAgent, file: &str, name: &str, limit: f64) {
    fs::write(setup.folder().join("settings.toml"), file).unwrap();
    run("kill", &["-HUP", &agent.pid().to_string()]);
    within(WAIT, "the limit is in force", || (budget(agent, name)["limit_usd"].as_f64() == Some(limit)).then_some(()));
}

#[track_caller]
fn lines_about(agent: &TestAgent, budget: &str) -> usize {
    let log = agent.log();
    log.lines().filter(|line| line.contains("a budget is exhausted") && line.contains(&format!("\"{budget}\""))).count()
}

#[test]
fn a_cap_covers_its_service_in_any_letter_case() {
    let table = "[[budget]]\nname = \"street\"\nservice = \"Straße\"\nperiod = \"monthly\"\nlimit_usd = 5";
    let setup = Setup::new().env("OPENAI_DAILY_CAP", "1").setting(table);
    let mut agent = setup.start();
    agent.costs(r#"[{"service":"OpenAI","amount_usd":0.4},{"service":"openai","amount_usd":0.2}]"#).expect(200);
    agent.costs(r#"[{"service":"STRAẞE","amount_usd":2},{"service":"STRASSE","amount_usd":40}]"#).expect(200);
    assert_eq!(reserve(&agent, "OpenAI", "500", 409)["budget"], "openai-daily");
    reserve(&agent, "OPENAI", "0.3", 201);
    assert_eq!(reserve(&agent, "openai", "0.2", 409)["remaining_usd"], json!(0.1));
    let check = agent.get("/scaling-gate/check?service=oPENAI&operation=chat&estimated_cost_usd=0.2").expect(200).json();
    assert_eq!((&check["allowed"], &check["budget"]), (&json!(false), &json!("openai-daily")), "{check}");

    let assert_sums = |agent: &TestAgent| {
        let (openai, street) = (budget(agent, "openai-daily"), budget(agent, "street"));
        assert_eq!(
            (&openai["service"], &openai["spent_usd"], &openai["reserved_usd"]),
            (&json!("openai"), &json!(0.6), &json!(0.3))
        );
        assert_eq!((&street["service"], &street["spent_usd"]), (&json!("Straße"), &json!(2)));
        let labels = [("budget", "openai-daily"), ("period", "daily"), ("service", "openai")];
        assert_eq!(agent.metrics().get("lead_factory_service_budget_utilization", &labels), Some(60.0));
        let names = agent.get("/costs/daily").json();
        assert_eq!((&names["OpenAI"], &names["openai"]), (&json!(0.4), &json!(0.2)), "names stay as sent: {names}");
    };
    assert_sums(&agent);
    agent.kill();
    let mut agent = setup.start();
    assert_sums(&agent);
    assert!(agent.terminate().success());
    assert_sums(&setup.start());
}

#[test]
fn a_flood_of_spellings_counts_to_the_last_digit_and_takes_no_more_series_than_there_are() {
    let setup = Setup::new().env("OPENAI_DAILY_CAP", "1").env("METRIC_SERVICES_MAX", "10");
    let mut agent = setup.start();
    let spellings = (0..64_u32).map(|bits| -> String {
        let letter = |(at, letter): (usize, char)| if bits >> at & 1 == 1 { letter.to_ascii_uppercase() } else { letter };
        "openai".chars().enumerate().map(letter).collect()
    });
    let events: Vec<_> = spellings.rev().map(|name| json!({"service": name, "amount_usd": 0.01})).collect();
    agent.costs(Value::from(events).to_string()).expect(200);
    let assert_counted = |agent: &TestAgent| {
        assert_eq!(budget(agent, "openai-daily")["spent_usd"], json!(0.64));
        let shown = agent.metrics().by_label("lead_factory_cost_usd_total", "service");
        assert_eq!((shown.len(), shown.get("openai")), (11, Some(&0.01)), "ten names and other: {shown:?}");
        reserve(agent, "oPeNaI", "0.37", 409);
    };
    assert_counted(&agent);
    assert!(agent.terminate().success());
    assert_counted(&setup.start());
}

#[test]
fn a_credit_makes_no_more_room_than_the_limit() {
    let setup = Setup::new().env("DAILY_BUDGET", "100").env("MONTHLY_BUDGET", "100").with_wall_clock(EVENING);
    let agent = setup.start();
    let late = r#"{"service":"s","kind":"credit","amount_usd":-500,"time":"2026-10-31T12:00:00Z"}"#;
    agent.costs(late).expect(200);
    reserve(&agent, "s", "550", 409);
    agent.costs(r#"{"service":"s","kind":"credit","amount_usd":-500}"#).expect(200);
    assert_eq!(reserve(&agent, "s", "100.000000000001", 409)["remaining_usd"], json!(100));
    for name in ["daily", "monthly"] {
        let found = budget(&agent, name);
        assert_eq!((&found["spent_usd"], &found["remaining_usd"]), (&json!(-500), &json!(100)), "{found}");
        assert_eq!((&found["utilization_percent"], &found["forecast_usd"]), (&json!(0.0), &json!(0)), "{found}");
        assert_eq!((&found["state"], &found["exhausted_at"]), (&json!("ok"), &json!(null)), "{found}");
    }
    assert_eq!(agent.metrics().get("lead_factory_budget_utilization", &[("period", "daily")]), Some(0.0));
    reserve(&agent, "s", "100", 201);
    reserve(&agent, "s", "0.000000000001", 409);
}

#[test]
fn an_exhausted_budget_says_when_that_happened_and_after_a_kill_that_or_nothing() {
    let file = "daily_budget = \"10\"\nmonthly_budget = \"20\"";
    let setup = Setup::new().setting(file).with_wall_clock(EVENING);
    let mut agent = setup.start();
    agent
        .costs(
            r#"[{"service":"s","amount_usd":4,"time":"2026-11-20T09:00:00Z"},
            {"service":"s","amount_usd":7,"time":"2026-11-20T12:41:00Z"},{"service":"s","amount_usd":1,"time":"2026-11-20T08:27:00Z"}]"#,
        )
        .expect(200);
    let at = |agent: &TestAgent, name: &str| budget(agent, name)["exhausted_at"].clone();
    assert_eq!(at(&agent, "daily"), "2026-11-20T12:41:00Z");
    agent.costs(r#"{"id":"grows","service":"s","amount_usd":2,"time":"2026-11-20T13:00:00Z"}"#).expect(200);
    agent.costs(r#"{"id":"grows","revision":1,"service":"s","amount_usd":9,"time":"2026-11-20T13:00:00Z"}"#).expect(200);
    assert_eq!(at(&agent, "monthly"), "2026-11-20T13:00:00Z", "an adjustment has its event's time");

    assert!(agent.terminate().success());
    let mut agent = setup.start();
    assert_eq!((at(&agent, "daily"), at(&agent, "monthly")), (json!("2026-11-20T12:41:00Z"), json!("2026-11-20T13:00:00Z")));
    agent.costs(r#"{"service":"s","kind":"credit","amount_usd":-14,"time":"2026-11-20T14:00:00Z"}"#).expect(200);
    let found = budget(&agent, "daily");
    assert_ne!(found["state"], "exhausted");
    assert!(
        found["exhausted_at"].is_null() || found["exhausted_at"].as_str() > Some("2026-11-20T19"),
        "a forecast: {found}"
    );
    agent.costs(r#"{"service":"s","amount_usd":14,"time":"2026-11-20T15:00:00Z"}"#).expect(200);
    assert_eq!(at(&agent, "daily"), "2026-11-20T12:41:00Z", "the first time is what is asked for");

    set_limit(&setup, &agent, "daily_budget = \"11\"\nmonthly_budget = \"20\"", "daily", 11.0);
    assert_eq!((at(&agent, "daily"), at(&agent, "monthly")), (Value::Null, json!("2026-11-20T13:00:00Z")));
    set_limit(&setup, &agent, "daily_budget = \"50\"\nmonthly_budget = \"20\"", "daily", 50.0);
    agent.costs(r#"{"service":"s","amount_usd":40,"time":"2026-11-20T16:00:00Z"}"#).expect(200);
    assert_eq!(at(&agent, "daily"), "2026-11-20T16:00:00Z");
    agent.kill();
    assert_eq!(at(&setup.start(), "daily"), Value::Null, "the limit is 10 again, but it was another one in between");
    setup.assert_verifies();
}

#[test]
fn after_a_kill_at_any_moment_a_budget_says_the_right_time_or_none() {
    let setup = Setup::new().env("DAILY_BUDGET", "50").with_wall_clock(EVENING);
    let mut agent = setup.start();
    agent.costs(r#"{"service":"s","amount_usd":49,"time":"2026-11-20T10:00:00Z"}"#).expect(200);
    agent.costs(r#"{"service":"s","amount_usd":2,"time":"2026-11-20T09:00:00Z"}"#).expect(200);
    for _ in 0..3 {
        agent.kill();
        agent = setup.start();
        let found = budget(&agent, "daily");
        let at = &found["exhausted_at"];
        assert!(at.is_null() || at == "2026-11-20T09:00:00Z", "never a guess: {found}");
        agent.costs(r#"{"service":"s","amount_usd":1,"time":"2026-11-20T16:00:00Z"}"#).expect(200);
    }
    setup.assert_verifies();
}

#[test]
fn another_time_zone_makes_no_guess_of_when_a_budget_was_exhausted() {
    let setup = Setup::new().env("DAILY_BUDGET", "10").with_wall_clock(EVENING);
    let mut agent = setup.start();
    agent.costs(r#"{"service":"s","amount_usd":15,"time":"2026-11-20T12:41:00Z"}"#).expect(200);
    assert!(agent.terminate().success());
    let agent = setup.clone().env("BUDGET_TIMEZONE", "America/New_York").start();
    let found = budget(&agent, "daily");
    assert_eq!((&found["state"], &found["exhausted_at"]), (&json!("exhausted"), &json!(null)), "{found}");
}

#[test]
fn the_first_moments_of_a_period_forecast_nothing() {
    let setup = Setup::new().with_wall_clock("2026-11-01 00:00:02");
    let agent = setup.start();
    agent.costs(r#"{"service":"s","amount_usd":5,"time":"2026-11-01T00:00:01Z"}"#).expect(200);
    for (clock, daily, monthly) in [
        ("2026-11-01 00:00:02", json!(null), json!(null)),
        ("2026-11-01 01:11:50", json!(null), json!(null)),
        ("2026-11-01 12:00:00", json!(10), json!(null)),
        ("2026-11-02 11:59:50", json!(null), json!(null)),
        ("2026-11-03 12:00:00", json!(0), json!(60)),
    ] {
        fs::write(setup.wall_clock(), clock).unwrap();
        // Some moments pass between the clock's setting and its reading.
        let near = |found: &Value, expected: &Value| match (found.as_f64(), expected.as_f64()) {
            (Some(found), Some(expected)) => found <= expected && found >= expected * 0.99,
            (found, expected) => found == expected,
        };
        within(WAIT, clock, || {
            let (day, month) = (budget(&agent, "daily"), budget(&agent, "monthly"));
            let is_null_together = day["forecast_usd"].is_null() <= day["exhausted_at"].is_null();
            let day_is_right = clock.starts_with("2026-11-02") || near(&day["forecast_usd"], &daily);
            (is_null_together && day_is_right && near(&month["forecast_usd"], &monthly)).then_some(())
        });
        let series = agent.metrics().by_label("lead_factory_budget_forecast_usd", "period");
        assert_eq!(series.contains_key("monthly"), !monthly.is_null(), "{clock}: {series:?}");
        if daily.is_null() && clock.starts_with("2026-11-01") {
            assert!(!series.contains_key("daily"), "{clock}: {series:?}");
        }
    }
    fs::write(setup.wall_clock(), EVENING).unwrap();
    agent.costs(r#"{"service":"s","kind":"credit","amount_usd":-9}"#).expect(200);
    assert_eq!(
        (&budget(&agent, "daily")["forecast_usd"], &budget(&agent, "monthly")["forecast_usd"]),
        (&json!(0), &json!(0))
    );
}

#[test]
fn each_state_is_told_again_under_another_limit_and_not_under_one_that_comes_back() {
    let receiver = Receiver::that_answers(200);
    let file = |limit: u32| format!("daily_budget = \"none\"\nmonthly_budget = \"{limit}\"");
    let setup =
        Setup::new().setting(file(100)).env("WEBHOOK_URL", receiver.url("/hook")).env("SCALING_GATE_ENABLED", "false");
    let agent = setup.start();
    let charge = |usd: u32| agent.costs(format!(r#"{{"service":"s","amount_usd":{usd}}}"#)).expect(200);
    charge(101);
    assert_eq!(receiver.types_of(1), ["budget.exhausted"]);
    set_limit(&setup, &agent, &file(1_000), "monthly", 1_000.0);
    charge(700);
    receiver.types_of(2);
    charge(100);
    receiver.types_of(3);
    charge(1_200);
    let told = ["budget.exhausted", "budget.warning", "budget.critical", "budget.exhausted"];
    assert_eq!(receiver.types_of(4), told);
    set_limit(&setup, &agent, &file(2_000), "monthly", 2_000.0);
    set_limit(&setup, &agent, &file(100), "monthly", 100.0);
    set_limit(&setup, &agent, &file(5), "monthly", 5.0);
    assert_eq!(receiver.types_of(6)[4..], ["budget.exhausted", "budget.exhausted"], "of 2,000 and of 5, not of 100 again");
    let limits: Vec<_> = receiver.taken().iter().map(|posted| posted.json()["data"]["limit_usd"].clone()).collect();
    assert_eq!(limits, [100, 1_000, 1_000, 1_000, 2_000, 5].map(Value::from));
    assert_eq!(lines_about(&agent, "monthly"), 4, "one line for each limit: {}", agent.log());
    setup.assert_verifies();
}

#[test]
fn an_exhausted_cap_is_one_line_in_the_log_and_the_message_says_which_agent_tells_it() {
    let receiver = Receiver::that_answers(200);
    let setup = Setup::new()
        .env("OPENAI_MONTHLY_CAP", "5")
        .env("SENDGRID_MONTHLY_CAP", "1")
        .env("WEBHOOK_URL", receiver.url("/hook"))
        .env("AGENT_NAME", "factory-7")
        .env("ENVIRONMENT", "staging")
        .env("LOG_FORMAT", "json");
    let mut agent = setup.start();
    for _ in 0..4 {
        agent.costs(r#"{"service":"OpenAI","amount_usd":2}"#).expect(200);
    }
    within(WAIT, "the log says so", || (lines_about(&agent, "openai-monthly") == 1).then_some(()));
    let log = agent.log();
    let line = log.lines().find(|line| line.contains("a budget is exhausted")).unwrap();
    for part in ["WARN", "openai-monthly", "spent_usd", "limit_usd", "period_end"] {
        assert!(line.contains(part), "{part} in {line}");
    }
    assert_eq!(receiver.types_of(2), ["budget.warning", "budget.exhausted"]);
    for posted in receiver.taken() {
        let message = posted.json();
        assert_eq!((&message["agent"], &message["environment"]), (&json!("factory-7"), &json!("staging")), "{message}");
        assert_eq!((&message["data"]["budget"], &message["data"]["service"]), (&json!("openai-monthly"), &json!("openai")));
    }
    assert!(agent.terminate().success());
    let agent = setup.start();
    agent.costs(r#"[{"service":"openai","kind":"credit","amount_usd":-4},{"service":"openai","amount_usd":4}]"#).expect(200);
    agent.costs(r#"{"service":"openai","amount_usd":1}"#).expect(200);
    agent.costs(r#"{"service":"sendgrid","amount_usd":1}"#).expect(200);
    within(WAIT, "another budget's line is written", || (lines_about(&agent, "sendgrid-monthly") == 1).then_some(()));
    assert_eq!(lines_about(&agent, "openai-monthly"), 0, "told before the restart: {}", agent.log());
}
