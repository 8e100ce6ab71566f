//! Every number is exact and every surface shows the same one.
//!
//! Guards against: float totals (`0.6619999999999999` in the value that blocks), sums that overflow 64 bits, a grouping that
//! loses or doubles an event, a day counted in the wrong zone, totals that change over a restart.

use std::collections::BTreeMap;

use jiff::ToSpan;
use jiff::civil::Date;
use serde_json::value::RawValue;

use crate::support::{
    Amount, GROUPINGS, Model, Rng, Sent, Setup, TestAgent, amounts_in, exact, nearest_float, nested_amounts_in, now,
    recorded, same_day_in,
};

const EVENTS: u64 = 200_000;
const EVENTS_PER_REQUEST: usize = 5_000;
/// A zone whose midnight is not UTC's, with a change of clocks inside the window for part of the year.
const ZONE: &str = "America/New_York";

#[test]
fn two_hundred_thousand_awkward_amounts_add_up_exactly_on_every_surface_and_after_a_restart() {
    let setup = Setup::new()
        .setting("max_event_usd = \"1000000\"")
        .env("BUDGET_TIMEZONE", ZONE)
        .env("DAILY_BUDGET", "none")
        .env("MONTHLY_BUDGET", "1e15");
    let mut agent = setup.start();
    let model = record_everything(&agent);
    let pico_beyond_64_bits = exact("18446744.073709551616");
    assert!(model.total() > pico_beyond_64_bits, "the total must not fit 64 bits of pico-dollars");

    assert_surfaces_show(&agent, &model);
    assert!(agent.terminate().success());
    setup.assert_verifies();
    assert_surfaces_show(&setup.start(), &model);
}

fn record_everything(agent: &TestAgent) -> Model {
    let mut rng = Rng::new(0x5eed);
    let mut model = Model::new(ZONE);
    let mut client = agent.client();
    let newest = now();
    let events: Vec<Sent> = (0..EVENTS).map(|number| awkward_event(number, newest, &mut rng)).collect();
    for (request, events) in events.chunks(EVENTS_PER_REQUEST).enumerate() {
        let objects: Vec<String> = events.iter().map(Sent::json).collect();
        // Both formats, in turn: they must read amounts alike.
        let answer = if request % 2 == 0 {
            client.post("/costs", "application/x-ndjson", objects.join("\n"))
        } else {
            client.costs(format!("[{}]", objects.join(",")))
        };
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.json()["accepted"], events.len());
        events.iter().for_each(|event| model.add(event));
    }
    model
}

fn awkward_event(number: u64, newest: jiff::Timestamp, rng: &mut Rng) -> Sent {
    let credit = rng.below(20) == 0;
    let amount = awkward_amount(rng);
    let sign = if credit { "-" } else { "" };
    // As a string, too: the same digits in quotes.
    let amount = if rng.below(4) == 0 { format!("\"{sign}{amount}\"") } else { format!("{sign}{amount}") };
    let age = i64::try_from(rng.below(34 * 24 * 3_600 * 1_000)).unwrap();
    let some = |rng: &mut Rng, word: &str, count: u64| match rng.below(count + 1) {
        0 => String::new(),
        which => format!("{word}-{which}"),
    };
    Sent {
        id: format!("event-{number}"),
        service: ["openai", "sendgrid", "apollo \"io\"", "proxy\\crawl", "ünïcode 🙂", "other", "anthropic"]
            [usize::try_from(rng.below(7)).unwrap()]
        .to_owned(),
        operation: ["chat", "embeddings", "unknown", "e mail", "other"][usize::try_from(rng.below(5)).unwrap()].to_owned(),
        amount,
        credit,
        time: newest.checked_sub(age.milliseconds()).unwrap(),
        worker: some(rng, "worker", 40),
        batch: some(rng, "batch", 250),
        lead: some(rng, "lead", 4_000),
        model: some(rng, "model", 9),
    }
}

fn awkward_amount(rng: &mut Rng) -> String {
    match rng.below(9) {
        0 => format!("{}.{:012}", rng.below(1_000), rng.below(1_000_000_000_000)),
        1 => format!("{}e-{:02}", rng.below(1_000_000_000), 3 + rng.below(12)),
        // What a float prints: 0.0023550000000000003 and its like.
        2 => format!("{:?}", 0.000_785 * rng.below(1_000) as f64),
        3 => format!("{}", rng.below(1_000_000) as f64 / 3.0),
        4 => format!("999999.{:012}", rng.below(1_000_000_000_000)),
        // A tie at the thirteenth decimal.
        5 => format!("{}.{:012}5", rng.below(10), rng.below(1_000_000_000_000)),
        6 => format!("{}.{}E+{}", rng.below(10), rng.below(100_000), rng.below(5)),
        7 => "0".to_owned(),
        _ => format!("0.000000000{:03}", rng.below(1_000)),
    }
}

/// Compares everything there is to read with the model, exactly.
#[track_caller]
fn assert_surfaces_show(agent: &TestAgent, model: &Model) {
    let mut client = agent.client();
    for by in GROUPINGS {
        // Every day of what comes from memory, some of what is read from the ledger: history below has all of them.
        let every = if matches!(by, "service" | "operation") { 1 } else { 7 };
        for day in model.days().into_iter().step_by(every) {
            let shown = sums_of(&client.get(&format!("/costs/daily?date={day}&by={by}")), by);
            assert_eq!(shown, model.day(day, by), "{day} by {by}");
            assert_eq!(shown.values().sum::<Amount>(), model.day_total(day), "the sum of {day} by {by}");
        }
        for month in model.months() {
            let shown = sums_of(&client.get(&format!("/costs/monthly?month={month}&by={by}")), by);
            assert_eq!(shown, model.month(&month, by), "{month} by {by}");
        }
        assert_history_shows(agent, model, by);
    }
    assert_a_single_service_is_the_same_number(agent, model);
    assert_metrics_show(agent, model);
    assert_cli_shows(agent, model);
}

#[track_caller]
fn sums_of(answer: &crate::support::Response, by: &str) -> BTreeMap<String, Amount> {
    if by != "operation" {
        return amounts_in(answer);
    }
    nested_amounts_in(answer)
        .into_iter()
        .map(|((service, operation), amount)| (format!("{service}\n{operation}"), amount))
        .collect()
}

#[derive(serde::Deserialize)]
struct HistoryDay {
    date: Date,
    total_usd: Box<RawValue>,
    by: Box<RawValue>,
}

#[track_caller]
fn assert_history_shows(agent: &TestAgent, model: &Model, by: &'static str) {
    let answer = agent.get(&format!("/costs/history?days=36&by={by}")).expect(200);
    let history: Vec<HistoryDay> = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(history.len(), 36);
    assert!(history.windows(2).all(|pair| pair[0].date.tomorrow().unwrap() == pair[1].date), "oldest first, no gaps");
    let mut total = Amount::default();
    for day in history {
        let answer = crate::support::Response { status: 200, headers: vec![], body: day.by.get().as_bytes().to_vec() };
        let shown = sums_of(&answer, by);
        // With 36 days of leads an answer passes the bound of 10,000 keys: the smallest are added up.
        if by != "lead" {
            assert_eq!(shown, model.day(day.date, by), "history of {} by {by}", day.date);
        }
        assert_eq!(shown.into_values().sum::<Amount>(), model.day_total(day.date), "history of {} by {by}", day.date);
        assert_eq!(exact(day.total_usd.get()), model.day_total(day.date), "history's total of {}", day.date);
        total += exact(day.total_usd.get());
    }
    assert_eq!(total, model.total(), "the sum over history");
}

#[track_caller]
fn assert_a_single_service_is_the_same_number(agent: &TestAgent, model: &Model) {
    let day = model.days()[3];
    let expected = &model.day(day, "service")["openai"];
    let shown = amounts_in(&agent.get(&format!("/costs/daily?date={day}&service=openai")));
    assert_eq!(shown.get("openai"), Some(expected));
    assert_eq!(shown.len(), 1);
    let by_lead = amounts_in(&agent.get(&format!("/costs/daily?date={day}&service=openai&by=lead")));
    assert_eq!(&by_lead.into_values().sum::<Amount>(), expected);
}

#[track_caller]
fn assert_metrics_show(agent: &TestAgent, model: &Model) {
    same_day_in(ZONE, |today| {
        let metrics = agent.metrics();
        let floats = |sums: BTreeMap<String, Amount>| -> BTreeMap<String, f64> {
            sums.iter().map(|(key, amount)| (key.clone(), nearest_float(amount))).collect()
        };
        assert_eq!(metrics.by_label("lead_factory_daily_cost", "service"), floats(model.day(today, "service")));
        let month = format!("{:04}-{:02}", today.year(), today.month());
        assert_eq!(metrics.by_label("lead_factory_monthly_cost", "service"), floats(model.month(&month, "service")));
        let spent = model.month(&month, "service").into_values().sum();
        let budget = [("budget", "monthly"), ("period", "monthly")];
        assert_eq!(metrics.get("lead_factory_budget_spent_usd", &budget), Some(nearest_float(&spent)));

        let charges: BTreeMap<(String, String), f64> = metrics
            .series("lead_factory_cost_usd_total")
            .map(|(labels, value)| ((labels["service"].clone(), labels["operation"].clone()), value))
            .collect();
        let expected: BTreeMap<(String, String), f64> =
            model.charges.iter().map(|(pair, amount)| (pair.clone(), nearest_float(amount))).collect();
        assert_eq!(charges, expected);
        let credits = metrics.by_label("lead_factory_credit_usd_total", "service");
        let expected: BTreeMap<String, f64> =
            model.credits.iter().map(|(service, amount)| (service.clone(), nearest_float(&-amount))).collect();
        assert_eq!(credits, expected);
    });
}

#[track_caller]
fn assert_cli_shows(agent: &TestAgent, model: &Model) {
    for by in ["service", "operation", "worker"] {
        same_day_in(ZONE, |today| {
            let output = agent.cli(&["costs", "daily", "--by", by, "--output", "json"]);
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let answer = crate::support::Response { status: 200, headers: vec![], body: output.stdout };
            assert_eq!(sums_of(&answer, by), model.day(today, by), "the CLI by {by}");
        });
    }
}

#[test]
fn an_amount_is_rounded_half_to_even_at_the_twelfth_decimal_wherever_it_is_shown() {
    let agent = Setup::new().start();
    for (number, text) in ["0.0000000000005", "0.0000000000015", "15e-13", "2.6749999999999998", "1e-13", "-0", "0e400"]
        .into_iter()
        .enumerate()
    {
        let service = format!("s{number}");
        agent.costs(format!(r#"{{"service":"{service}","amount_usd":{text}}}"#)).expect(200);
        let shown = amounts_in(&agent.get("/costs/daily"));
        assert_eq!(shown[&service], recorded(text), "{text}");
    }
}

#[test]
fn a_service_whose_charges_and_credits_cancel_out_is_present_with_zero() {
    let agent = Setup::new().start();
    agent.costs(r#"{"service":"a","amount_usd":0.3}"#).expect(200);
    agent.costs(
        r#"[{"service":"a","amount_usd":-0.1,"kind":"credit"},{"service":"a","amount_usd":"-2e-1","kind":"credit"}]"#,
    );
    assert_eq!(agent.get("/costs/daily").text(), r#"{"a":0}"#);
    assert_eq!(agent.metrics().get("lead_factory_daily_cost", &[("service", "a")]), Some(0.0));
}
