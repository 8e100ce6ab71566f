//! Limits for anything, and limits that somebody sets: whose spending counts under which key, who is refused and told what, and that all
//! of it outlives a restart.
//!
//! Guards against: a limit that comes back late or never, an order that a restart forgets, a key that escapes by the case of its letters
//! or because it is no longer in memory, a refusal that does not say whose limit it is.

use std::fmt::Write;
use std::fs;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Response, Setup, TestAgent, within};

const WAIT: Duration = Duration::from_secs(20);
/// An evening, far from the ends of day and month.
const EVENING: &str = "2026-11-20 19:00:00";
const EACH_LEAD: &str = "[[budget]]\nname = \"lead-cap\"\neach = \"lead\"\nperiod = \"monthly\"\nlimit_usd = 5\n";
const TOKENS: &str = "[[budget]]\nname = \"tokens\"\nperiod = \"total\"\nmatch = { model = \"gpt-*\" }\nlimit_usage = { input_tokens = 1000 }\n";
const WATCH: &str = "[[budget]]\nname = \"look at w\"\nperiod = \"total\"\nmatch = { worker = [\"w*\", \"x\"] }\naction = \"watch\"\nlimit_usd = 1\n";

#[track_caller]
fn budget(agent: &TestAgent, name: &str, query: &str) -> Value {
    let budgets = agent.get(&format!("/budgets{query}")).expect(200).json();
    budgets.as_array().unwrap().iter().find(|budget| budget["name"] == name).unwrap_or_else(|| panic!("{budgets}")).clone()
}

#[track_caller]
fn put(agent: &TestAgent, name: &str, body: &Value) -> Response {
    let (path, body) = (format!("/budgets/{name}"), body.to_string());
    agent.client().request("PUT", &path, &[("content-type", "application/json")], body.as_bytes()).unwrap()
}

#[track_caller]
fn check(agent: &TestAgent, query: &str) -> Value {
    agent.get(&format!("/scaling-gate/check?service=openai&{query}")).expect(200).json()
}

#[track_caller]
fn reserve(agent: &TestAgent, more: &str, status: u16) -> Value {
    let body = format!(r#"{{"service":"openai","operation":"chat",{more}}}"#);
    agent.client().post("/reservations", "application/json", body).expect(status).json()
}

#[test]
fn a_limit_outlives_a_kill_lapses_by_itself_and_the_gate_follows() {
    let setup = Setup::new().env("DAILY_BUDGET", "50").env("MONTHLY_BUDGET", "none").with_wall_clock(EVENING);
    let mut agent = setup.start();
    agent.costs(r#"{"service":"openai","amount_usd":0.95}"#).expect(200);
    let order = json!({"limit_usd": 1, "reason": "tight", "actor": "ann", "expires_in_seconds": 3600});
    let item = put(&agent, "daily", &order).expect(200).json();
    let told = json!({"configured_limit_usd": 50, "reason": "tight", "actor": "ann", "timestamp": "2026-11-20T19:00:00Z", "expires_at": "2026-11-20T20:00:00Z"});
    assert_eq!((&item["limit_usd"], &item["state"], &item["override"]), (&json!(1), &json!("critical"), &told));
    agent.kill();
    let agent = setup.start();
    fs::write(setup.wall_clock(), "2026-11-20 19:59:59").unwrap();
    assert_eq!(budget(&agent, "daily", "")["override"], told);
    assert_eq!(check(&agent, "estimated_cost_usd=0.01")["allowed"], false);
    assert_eq!(agent.metrics().get("lead_factory_budget_limit_usd", &[("budget", "daily"), ("period", "daily")]), Some(1.0));

    fs::write(setup.wall_clock(), "2026-11-20 20:00:00").unwrap();
    // At once, whether or not the writer has noticed.
    assert_eq!((&budget(&agent, "daily", "")["limit_usd"], budget(&agent, "daily", "").get("override")), (&json!(50), None));
    assert_eq!(check(&agent, "estimated_cost_usd=49.05")["allowed"], true);
    reserve(&agent, r#""estimated_cost_usd":49.05"#, 201);
    let opened = within(WAIT, "the gate opens in its history", || {
        let newest = agent.get("/scaling-gate/history?limit=1").expect(200).json()[0].clone();
        (newest["active"] == false).then_some(newest)
    });
    assert_eq!(opened["timestamp"], "2026-11-20T20:00:00Z");
    let history = agent.get("/budgets/history").expect(200).json();
    let line = &history[0];
    assert_eq!((history.as_array().unwrap().len(), &line["reason"], &line["limit_usd"]), (1, &json!("tight"), &json!(1)));
    assert_eq!((&line["timestamp"], &line["expires_at"]), (&told["timestamp"], &told["expires_at"]));
}

#[test]
fn an_order_without_end_stays_until_it_is_lifted_and_verify_accepts_it() {
    let setup = Setup::new().env("DAILY_BUDGET", "50").with_wall_clock(EVENING);
    let mut agent = setup.start();
    agent.costs(r#"{"service":"openai","amount_usd":30}"#).expect(200);
    put(&agent, "daily", &json!({"limit_usd": "20.000000000001", "reason": "r"})).expect(200);
    assert!(agent.terminate().success());
    setup.assert_verifies();
    let mut agent = setup.start();
    assert!(agent.get("/budgets").text().contains(r#""limit_usd":20.000000000001,"#));
    assert_eq!(budget(&agent, "daily", "")["state"], "exhausted");
    reserve(&agent, r#""estimated_cost_usd":1"#, 409);
    put(&agent, "daily", &json!({"limit_usd": null, "reason": "over", "actor": "ben"})).expect(200);
    reserve(&agent, r#""estimated_cost_usd":1"#, 201);
    agent.kill();
    let agent = setup.start();
    assert_eq!((&budget(&agent, "daily", "")["limit_usd"], budget(&agent, "daily", "").get("override")), (&json!(50), None));
    let history = agent.get("/budgets/history").expect(200).json();
    let told: Vec<_> =
        history.as_array().unwrap().iter().map(|line| (&line["limit_usd"], &line["reason"], &line["actor"])).collect();
    assert_eq!(told, [(&Value::Null, &json!("over"), &json!("ben")), (&json!(20.000000000001), &json!("r"), &json!(""))]);
}

#[test]
fn every_lead_has_its_own_limit_through_a_restart() {
    let setup = Setup::new().setting(EACH_LEAD).setting(TOKENS).setting(WATCH).with_wall_clock(EVENING);
    let mut agent = setup.start();
    agent
        .costs(
            r#"[{"service":"a","lead_id":"Straße","amount_usd":4.5,"worker":"W1"},{"service":"b","lead_id":"STRASSE","amount_usd":1},
            {"service":"b","amount_usd":20},{"service":"c","amount_usd":0,"model":"GPT-5","usage":{"input_tokens":900}}]"#,
        )
        .expect(200);
    let held = reserve(
        &agent,
        r#""lead_id":"STRAẞE","estimated_cost_usd":0.25,"ttl_seconds":3600,"model":"gpt-4o","usage":{"input_tokens":60}"#,
        201,
    );
    let assert_stands = |agent: &TestAgent| {
        let item = budget(agent, "lead-cap", "");
        assert_eq!(
            (&item["keys"], &item["keys_warning"], &item["fullest"][0]["key"]),
            (&json!(2), &json!(1), &json!("straße"))
        );
        let of_key = budget(agent, "lead-cap", "?key=STRA%E1%BA%9EE");
        assert_eq!((&of_key["spent_usd"], &of_key["reserved_usd"]), (&json!(4.5), &json!(0.25)), "{of_key}");
        let refused = check(agent, "lead_id=stra%C3%9FE&estimated_cost_usd=0.251");
        assert_eq!(
            (&refused["budget"], &refused["key"], &refused["remaining_usd"]),
            (&json!("lead-cap"), &json!("straße"), &json!(0.25))
        );
        let problem = reserve(agent, r#""lead_id":"straße","estimated_cost_usd":0.251"#, 409);
        assert_eq!((&problem["key"], &problem["period_end"]), (&json!("straße"), &json!("2026-12-01T00:00:00Z")));
        assert_eq!(check(agent, "lead_id=strasse&estimated_cost_usd=4")["allowed"], true);
        assert_eq!(check(agent, "estimated_cost_usd=20")["allowed"], true, "no lead, no limit for one");

        let tokens = budget(agent, "tokens", "");
        assert_eq!(
            (&tokens["spent_usage"], &tokens["reserved_usage"]),
            (&json!({"input_tokens": 900}), &json!({"input_tokens": 60}))
        );
        let refused = check(agent, "model=gpt-x&estimated_cost_usd=0&usage=%7B%22input_tokens%22:40.5%7D");
        assert_eq!((&refused["budget"], &refused["remaining_usage"]), (&json!("tokens"), &json!({"input_tokens": 40})));
        assert_eq!(check(agent, "model=gpt-x&estimated_cost_usd=0&usage=%7B%22input_tokens%22:40%7D")["allowed"], true);

        let watched = budget(agent, "look at w", "");
        assert_eq!((&watched["state"], &watched["match"]), (&json!("exhausted"), &json!({"worker": ["w*", "x"]})));
        assert_eq!(check(agent, "worker=w1&estimated_cost_usd=3")["allowed"], true);
        let listed = agent.get("/reservations").expect(200).json();
        assert_eq!((&listed[0]["model"], &listed[0]["usage"]), (&json!("gpt-4o"), &json!({"input_tokens": 60})));
    };
    assert_stands(&agent);
    agent.kill();
    let mut agent = setup.start();
    assert_stands(&agent);
    assert!(agent.terminate().success());
    let agent = setup.start();
    assert_stands(&agent);
    // What it costs in the end counts for the lead, and for the model that was asked.
    let id = held["reservation_id"].as_str().unwrap();
    let settled = r#"{"amount_usd":0.5,"model":"claude","usage":{"input_tokens":60}}"#;
    agent.client().post(&format!("/reservations/{id}/commit"), "application/json", settled).expect(200);
    let of_key = budget(&agent, "lead-cap", "?key=straße");
    assert_eq!(
        (&of_key["spent_usd"], &of_key["state"], &of_key["reserved_usd"]),
        (&json!(5), &json!("exhausted"), &json!(0))
    );
    let tokens = budget(&agent, "tokens", "");
    assert_eq!(
        (&tokens["spent_usage"], &tokens["reserved_usage"]),
        (&json!({"input_tokens": 900}), &json!({"input_tokens": 0}))
    );
}

/// Only 1,000 of 4,000 keys are in memory after the restart.
#[test]
fn keys_that_only_the_ledger_has_are_refused_to_the_last_digit() {
    let setup = Setup::new()
        .setting(EACH_LEAD)
        .env("DAILY_BUDGET", "none")
        .env("MONTHLY_BUDGET", "none")
        .env("BUDGET_KEYS_MAX", "1000");
    let mut agent = setup.start();
    let mut events = String::from("[");
    for lead in 0..4_000 {
        let separator = if lead > 0 { "," } else { "" };
        write!(events, r#"{separator}{{"service":"s","lead_id":"Lead-{lead}","amount_usd":{}.{lead:04}}}"#, lead % 5)
            .unwrap();
    }
    events.push(']');
    agent.costs(&events).expect(200);
    assert!(agent.terminate().success());
    let agent = setup.start();
    assert_eq!(budget(&agent, "lead-cap", "")["keys"], 3_999, "the first has cost nothing");
    for lead in (0..4_000).step_by(97) {
        let left = 50_000 - (lead % 5) * 10_000 - lead;
        let usd = |parts: i32| format!("{}.{:04}", parts / 10_000, parts % 10_000);
        let fits = format!("lead_id=LEAD-{lead}&estimated_cost_usd={}", usd(left));
        assert_eq!(check(&agent, &fits)["allowed"], true, "{fits}");
        let beyond = format!("lead_id=LEAD-{lead}&estimated_cost_usd={}", usd(left + 1));
        let refused = check(&agent, &beyond);
        assert_eq!(
            (&refused["key"], &refused["allowed"]),
            (&json!(format!("lead-{lead}")), &json!(false)),
            "{beyond}: {refused}"
        );
        let of_key = budget(&agent, "lead-cap", &format!("?key=lead-{lead}"));
        assert_eq!(of_key["remaining_usd"].as_f64(), usd(left).parse().ok(), "{of_key}");
        let passed = agent.get(&format!("/scaling-gate/authorize?service=openai&{beyond}"));
        assert_eq!(passed.status, 403, "{}", passed.text());
        reserve(&agent, &format!(r#""lead_id":"lead-{lead}","estimated_cost_usd":{}"#, usd(left + 1)), 409);
        reserve(&agent, &format!(r#""lead_id":"lead-{lead}","estimated_cost_usd":{}"#, usd(left)), 201);
        assert_eq!(check(&agent, &format!("lead_id=lead-{lead}&estimated_cost_usd=0.0001"))["allowed"], false);
    }
    assert_eq!(budget(&agent, "lead-cap", "?key=nobody")["remaining_usd"], 5);
}

/// An agent with cost under a lead and of a model, whose writes need a token.
fn agent_with_cost() -> TestAgent {
    let setup = Setup::new().setting(EACH_LEAD).setting(TOKENS).env("API_TOKEN", "s3cret").with_wall_clock(EVENING);
    let agent = setup.start();
    let body = r#"[{"service":"a","lead_id":"ACME","amount_usd":4.5},{"service":"a","model":"gpt-5","amount_usd":1,"usage":{"input_tokens":900}}]"#;
    write(&agent, "/costs", body, 200);
    agent
}

fn write(agent: &TestAgent, path: &str, body: &str, status: u16) {
    let headers = [("content-type", "application/json"), ("authorization", "Bearer s3cret")];
    agent.client().request("POST", path, &headers, body.as_bytes()).unwrap().expect(status);
}

/// What a command says, given as one line of words.
#[track_caller]
fn run(agent: &TestAgent, command: &str, code: i32) -> String {
    let output = agent.cli(&command.split(' ').collect::<Vec<_>>());
    let said = String::from_utf8_lossy(&[output.stdout.as_slice(), output.stderr.as_slice()].concat()).into_owned();
    assert_eq!(output.status.code(), Some(code), "{command}: {said}");
    said
}

#[test]
fn the_command_line_shows_limits_of_keys_and_of_usage_and_checks_by_them() {
    let agent = agent_with_cost();
    let shown = run(&agent, "budgets", 0);
    for text in ["lead-cap", "1 key, 1 warning", "acme", "900 input_tokens"] {
        assert!(shown.contains(text), "{text} in\n{shown}");
    }
    let of_key = run(&agent, "budgets --key aCME --output csv", 0);
    assert!(of_key.contains("lead-cap,,monthly,critical,90,4.5,0,5,0.5,"), "{of_key}");
    let refused = run(&agent, "gate check --service x --lead Acme --estimated-cost-usd 0.6", 3);
    assert!(refused.contains("lead-cap") && refused.contains("acme"), "{refused}");
    let of_model = "gate check --service x --model GPT-4o --estimated-cost-usd 0 --usage";
    run(&agent, &format!("{of_model} input_tokens=101"), 3);
    run(&agent, &format!("{of_model} input_tokens=100"), 0);
    write(&agent, "/reservations", r#"{"service":"x","estimated_cost_usd":0,"model":"gpt-4o-mini"}"#, 201);
    assert!(run(&agent, "reservations", 0).contains("gpt-4o-mini"));
}

#[test]
fn an_operator_sets_and_lifts_a_limit_on_the_command_line() {
    let agent = agent_with_cost();
    let order = |command: &str, code| run(&agent, &format!("budgets {command} --token s3cret"), code);
    assert!(order("set lead-cap --limit-usd 6 --reason large --actor ann --expires-in 8h", 0).contains("large"));
    run(&agent, "gate check --service x --lead Acme --estimated-cost-usd 1.5", 0);
    order("set tokens --limit-usage input_tokens=2000 --reason r", 0);
    assert!(order("set tokens --limit-usd 1 --reason r", 1).contains("input_tokens"));
    assert!(order("set no --limit-usd 1 --reason r", 1).contains("no budget with this name"));
    order("clear tokens --reason done", 0);
    let history = run(&agent, "budgets history --output csv", 0);
    let lines: Vec<&str> = history.lines().map(|line| line.split_once(',').unwrap().1).collect();
    assert!(lines[1].starts_with("tokens,,,done,"), "{history}");
    assert!(lines[2].starts_with("tokens,,2000 input_tokens,r,"), "{history}");
    assert!(lines[3].starts_with("lead-cap,6,,large,ann,2026-11-21T03:"), "{history}");
}
