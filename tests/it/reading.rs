//! Reading costs, asked in every way that there is, against a list of events and loops over it.
//!
//! Guards against: a grouping, filter or range that loses cost or counts it twice; sums that differ by how they are asked for; a
//! correction that stays under attributes which the event no longer has; series that lose money in a kill.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::ToSpan;
use jiff::civil::Date;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::support::{Amount, Response, Rng, Setup, TestAgent, exact, nearest_float, now, within};

const FIELDS: [(&str, &str); 6] = [
    ("service", "service"),
    ("operation", "operation"),
    ("worker", "worker"),
    ("batch", "batch_id"),
    ("lead", "lead_id"),
    ("model", "model"),
];
/// An attribute as it stands in `by`, and its name.
const ATTRIBUTES: [(&str, &str); 2] = [("attributes.team", "team"), (r"attributes.a\,b.c", "a,b.c")];

/// An event as it stands.
#[derive(Clone)]
struct Event {
    day: Date,
    body: Value,
    amount: Amount,
}

type Sums = BTreeMap<Vec<String>, Amount>;

fn some_event(rng: &mut Rng, number: u64, today: Date) -> Event {
    let day = today.saturating_sub(i64::try_from(rng.below(5)).unwrap().days());
    let micros = rng.below(2_000_000);
    let is_credit = rng.below(9) == 0;
    let amount = format!("{}{}.{:012}", if is_credit { "-" } else { "" }, micros / 1_000_000, micros % 1_000_000 * 7 + 1);
    let mut body = json!({
        "id": format!("e{number}"), "service": format!("s{}", rng.below(3)), "operation": format!("o{}", rng.below(3)),
        "time": format!("{day}T{:02}:00:00Z", rng.below(24)), "amount_usd": amount,
        "kind": if is_credit { "credit" } else { "charge" }, "attributes": some_attributes(rng),
    });
    for (field, prefix, count) in [("worker", "w", 3), ("batch_id", "b", 4), ("lead_id", "l-é ", 40), ("model", "m/", 3)] {
        let which = rng.below(count);
        if which > 0 {
            body[field] = format!("{prefix}{which}").into();
        }
    }
    Event { day, body, amount: exact(&amount) }
}

fn some_attributes(rng: &mut Rng) -> Value {
    let values =
        [json!("red"), json!("r\u{0}d"), json!("\u{1}"), json!("1"), json!(1), json!(true), json!(null), json!(["red"])];
    let mut attributes = json!({ "nested": { "team": "red" } });
    for (_, name) in ATTRIBUTES {
        if rng.below(4) > 0 {
            attributes[name] = values[usize::try_from(rng.below(8)).unwrap()].clone();
        }
    }
    attributes
}

fn value_of(event: &Event, word: &str) -> String {
    if let Some((_, field)) = FIELDS.iter().find(|(known, _)| *known == word) {
        return event.body[field].as_str().unwrap_or("").to_owned();
    }
    let (_, name) = ATTRIBUTES.iter().find(|(known, _)| *known == word).unwrap();
    match &event.body["attributes"][name] {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(truth) => truth.to_string(),
        _ => String::new(),
    }
}

/// Sums whose keys are not 0: a correction may leave one behind.
fn grouped<'e>(events: impl Iterator<Item = &'e Event>, by: &[&str]) -> Sums {
    let mut sums = Sums::new();
    for event in events {
        *sums.entry(by.iter().map(|word| value_of(event, word)).collect()).or_default() += &event.amount;
    }
    without_zeros(sums)
}

fn without_zeros(mut sums: Sums) -> Sums {
    sums.retain(|_, sum| *sum != Amount::default());
    sums
}

fn flatten(json: &RawValue, path: &mut Vec<String>, sums: &mut Sums) {
    if !json.get().starts_with('{') {
        sums.insert(path.clone(), exact(json.get()));
        return;
    }
    for (name, inner) in serde_json::from_str::<BTreeMap<String, Box<RawValue>>>(json.get()).unwrap() {
        path.push(name);
        flatten(&inner, path, sums);
        path.pop();
    }
}

#[track_caller]
fn sums_in(json: &RawValue) -> Sums {
    let mut sums = Sums::new();
    flatten(json, &mut Vec::new(), &mut sums);
    without_zeros(sums)
}

#[track_caller]
fn whole(answer: &Response) -> Box<RawValue> {
    assert_eq!(answer.status, 200, "{}", answer.text());
    serde_json::from_slice(&answer.body).unwrap()
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// Which events are asked for, and the parameters that say so.
struct Asked {
    first: Date,
    last: Date,
    filters: Vec<(&'static str, String)>,
    query: String,
}

fn some_question(rng: &mut Rng, events: &[Event], today: Date) -> Asked {
    let back = i64::try_from(rng.below(6)).unwrap();
    let first = today.saturating_sub(back.days());
    let last = first.saturating_add(i64::try_from(rng.below(6)).unwrap().days());
    let mut filters = Vec::new();
    for (word, _) in FIELDS {
        if rng.below(4) == 0 {
            let like = &events[usize::try_from(rng.below(events.len() as u64)).unwrap()];
            filters.push((word, value_of(like, word)));
        }
    }
    let query = filters.iter().map(|(word, value)| format!("&{word}={}", encoded(value))).collect();
    Asked { first, last, filters, query }
}

impl Asked {
    fn takes(&self, event: &Event) -> bool {
        (self.first..=self.last).contains(&event.day)
            && self.filters.iter().all(|(word, value)| value_of(event, word) == *value)
    }
}

#[track_caller]
fn assert_all_questions(agent: &TestAgent, events: &[Event], today: Date, rng: &mut Rng) {
    let words: Vec<&str> = FIELDS.iter().map(|(word, _)| *word).chain(ATTRIBUTES.map(|(word, _)| word)).collect();
    let mut client = agent.client();
    for _ in 0..60 {
        let asked = some_question(rng, events, today);
        let Asked { first, last, query, .. } = &asked;
        let mut by: Vec<&str> = Vec::new();
        for _ in 0..=rng.below(3) {
            let word = words[usize::try_from(rng.below(words.len() as u64)).unwrap()];
            if !by.contains(&word) {
                by.push(word);
            }
        }
        let by_query = format!("by={}{query}", by.iter().map(|word| encoded(word)).collect::<Vec<_>>().join(","));
        // One word of old nests below another.
        let by = if by == ["operation"] { vec!["service", "operation"] } else { by };
        let passing = || events.iter().filter(|event| asked.takes(event));

        let range = client.get(&format!("/costs?from={first}&to={last}&{by_query}"));
        assert_eq!(sums_in(&whole(&range)), grouped(passing(), &by), "{first} to {last}, {by_query}");
        let day = client.get(&format!("/costs/daily?date={first}&{by_query}"));
        assert_eq!(
            sums_in(&whole(&day)),
            grouped(passing().filter(|event| event.day == *first), &by),
            "{first}, {by_query}"
        );

        let answer = whole(&client.get(&format!("/costs/history?from={first}&to={last}&{by_query}")));
        let history: Vec<BTreeMap<String, Box<RawValue>>> = serde_json::from_str(answer.get()).unwrap();
        assert_eq!(history.len() as i64, i64::from((*last - *first).get_days()) + 1);
        for line in history {
            let date: Date = line["date"].get().trim_matches('"').parse().unwrap();
            let expected = grouped(passing().filter(|event| event.day == date), &by);
            assert_eq!(exact(line["total_usd"].get()), expected.values().sum::<Amount>(), "{date}, {by_query}");
            assert_eq!(sums_in(&line["by"]), expected, "{date}, {by_query}");
        }
        assert_spread(
            &whole(&client.get(&format!("/costs/leads?from={first}&to={last}{query}"))),
            "lead",
            "leads",
            passing(),
        );
        assert_spread(
            &whole(&client.get(&format!("/costs/batches?from={first}&to={last}{query}"))),
            "batch",
            "batches",
            passing(),
        );
    }
}

/// Zero sums count here, so corrections must not have left a lead behind: they never change one.
#[track_caller]
fn assert_spread<'e>(answer: &RawValue, one: &str, many: &str, events: impl Iterator<Item = &'e Event>) {
    let mut sums: BTreeMap<String, Amount> = BTreeMap::new();
    events.for_each(|event| *sums.entry(value_of(event, one)).or_default() += &event.amount);
    let unattributed = sums.remove("").unwrap_or_default();
    let attributed: Amount = sums.values().sum();
    let mut ranked: Vec<(&String, &Amount)> = sums.iter().collect();
    ranked.sort_by(|(left, more), (right, less)| less.cmp(more).then(left.cmp(right)));
    let count = ranked.len();
    let rounded = |amount: Amount| amount.with_scale_round(12, bigdecimal::RoundingMode::HalfEven);
    let shown: BTreeMap<String, Box<RawValue>> = serde_json::from_str(answer.get()).unwrap();
    let usd = |name: &str| exact(shown[name].get());
    assert_eq!(shown[many].get(), count.to_string(), "{}", answer.get());
    assert_eq!((usd("attributed_usd"), usd("unattributed_usd")), (attributed.clone(), unattributed.clone()));
    assert_eq!(usd("total_usd"), &attributed + &unattributed);
    if count == 0 {
        assert!(["mean_usd", "median_usd", "p95_usd"].iter().all(|name| shown[*name].get() == "null"), "{}", answer.get());
    } else {
        let ascending: Vec<&Amount> = ranked.iter().rev().map(|(_, sum)| *sum).collect();
        assert_eq!(usd("mean_usd"), rounded(attributed / Amount::from(count as u64)));
        assert_eq!(usd("median_usd"), rounded((ascending[(count - 1) / 2] + ascending[count / 2]) / Amount::from(2)));
        let rank = (1..=count).find(|rank| rank * 20 >= count * 19).unwrap();
        assert_eq!(&usd("p95_usd"), ascending[rank - 1]);
    }
    let top: Vec<BTreeMap<String, Box<RawValue>>> = serde_json::from_str(shown["top"].get()).unwrap();
    let top: Vec<(String, Amount)> =
        top.iter().map(|item| (serde_json::from_str(item[one].get()).unwrap(), exact(item["cost_usd"].get()))).collect();
    let expected: Vec<(String, Amount)> =
        ranked.into_iter().take(20).map(|(name, sum)| (name.clone(), sum.clone())).collect();
    assert_eq!(top, expected);
}

#[test]
fn every_grouping_filter_and_range_is_what_the_events_add_up_to() {
    let setup = Setup::new().env("DAILY_BUDGET", "none").env("MONTHLY_BUDGET", "none");
    let mut agent = setup.start();
    // Yesterday, so that no midnight passes between the answers.
    let today = now().to_zoned(jiff::tz::TimeZone::UTC).date().yesterday().unwrap();
    let mut rng = Rng::new(0x1eaf);
    let mut events: Vec<Event> = (0..700).map(|number| some_event(&mut rng, number, today)).collect();
    let send = |agent: &TestAgent, events: &[Event]| {
        agent.costs(Value::from_iter(events.iter().map(|event| event.body.clone())).to_string()).expect(200);
    };
    send(&agent, &events);
    assert_all_questions(&agent, &events, today, &mut rng);

    // Corrections: another amount, other attributes, or both.
    let mut corrected = Vec::new();
    for event in events.iter_mut().filter(|event| event.body["kind"] == "charge").step_by(4) {
        event.body["revision"] = (1 + rng.below(3)).into();
        if rng.below(2) == 0 {
            event.amount += exact("0.25");
            event.body["amount_usd"] = event.amount.to_plain_string().into();
        }
        if rng.below(2) == 0 {
            event.body["attributes"] = some_attributes(&mut rng);
        }
        corrected.push(event.clone());
    }
    send(&agent, &corrected);
    let patience = Duration::from_secs(30);
    let charges = |agent: &TestAgent| {
        let metrics = agent.metrics();
        metrics
            .series("lead_factory_model_cost_usd_total")
            .map(|(labels, value)| (labels.clone(), value))
            .collect::<Vec<_>>()
    };
    let before = charges(&agent);
    // The sums in the file may be behind when it is killed.
    agent.kill();
    let agent = setup.start();
    assert_eq!(charges(&agent), before, "charges by model survive a kill");
    assert_eq!(before.len(), 9, "three services, two models and none");
    assert_all_questions(&agent, &events, today, &mut rng);

    let month = format!("{:04}-{:02}", today.year(), today.month());
    within(patience, "the cost of a lead", || {
        let agent_month = format!(
            "{:04}-{:02}",
            now().to_zoned(jiff::tz::TimeZone::UTC).year(),
            now().to_zoned(jiff::tz::TimeZone::UTC).month()
        );
        // On the first of a month there may be no leads.
        if agent_month != month {
            return Some(());
        }
        let leads = agent.get(&format!("/costs/leads?month={month}")).json();
        let shown = agent.metrics().get("lead_factory_cost_per_lead", &[("period", "monthly")])?;
        (shown == nearest_float(&exact(&leads["mean_usd"].to_string()))).then_some(())
    });
}
