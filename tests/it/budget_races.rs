//! Many workers race for budgets that hold for each lead by itself, for each worker, and for all of it, in money and in tokens.
//!
//! Guards against: a limit of some key that is passed while others are decided, a refusal of what fits (a key taken for another one, or
//! for one that nobody has looked up), what a key has left drifting from its holds, a kill that forgets what a key has spent.
//!
//! *Method.* Within a round nothing is given back, so what is left of a key only falls: whoever was refused must still not fit once
//! all is quiet, and what it was told must have been left after some grant, in the order in which the ledger has the grants.

use std::collections::BTreeMap;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Client, Follower, Rng, Setup, Stage};

/// Rounds; `RACE_ROUNDS` says otherwise.
const ROUNDS: usize = 100;
const KILLS: usize = 12;
const RACERS: usize = 256;
const LEADS: u64 = 1_000;
/// Leads that are raced for in one round, so that several racers meet at each.
const LEADS_AT_ONCE: u64 = 60;
const WORKERS: u64 = 8;

/// What a budget counts in.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Unit {
    /// Money, in millionths.
    Usd,
    Tokens,
}

/// One budget of the settings, as the test knows it.
struct Budget {
    name: &'static str,
    settings: &'static str,
    limit: i64,
    unit: Unit,
    /// Under which key it counts a request; `None` where it does not.
    key: fn(&Request) -> Option<String>,
}

/// Small against what is asked for at once, and odd.
const BUDGETS: [Budget; 5] = [
    Budget {
        name: "per-lead",
        settings: "each = \"lead\"\nlimit_usd = 1.000003",
        limit: 1_000_003,
        unit: Unit::Usd,
        key: |request| Some(format!("l{}", request.lead)),
    },
    Budget {
        name: "per-worker",
        settings: "each = \"worker\"\nlimit_usd = 4.500019",
        limit: 4_500_019,
        unit: Unit::Usd,
        key: |request| Some(format!("w{}", request.worker)),
    },
    Budget {
        name: "all",
        settings: "limit_usd = 24.000007\ngate_at = 10",
        limit: 24_000_007,
        unit: Unit::Usd,
        key: |_| Some(String::new()),
    },
    Budget {
        name: "large-tokens",
        settings: "match = { model = \"large-*\" }\nlimit_usage = { input_tokens = 20001 }",
        limit: 20_001,
        unit: Unit::Tokens,
        key: |request| request.is_large.then(String::new),
    },
    Budget {
        name: "tokens-per-lead",
        settings: "match = { service = [\"openai\", \"x*\"], lead = \"l*\" }\neach = \"lead\"\nlimit_usage = { input_tokens = 1203 }",
        limit: 1_203,
        unit: Unit::Tokens,
        key: |request| Some(format!("l{}", request.lead)),
    },
];

#[derive(Clone, Debug)]
struct Request {
    id: String,
    lead: u64,
    worker: u64,
    is_large: bool,
    micros: i64,
    tokens: i64,
}

#[derive(Clone, Debug)]
enum Told {
    Granted,
    Refused { budget: String, key: Option<String>, remaining: i64 },
}

/// What the keys of the budgets have left: by budget and key.
type Left = BTreeMap<(usize, String), i64>;

impl Request {
    fn draw(id: String, first_lead: u64, rng: &mut Rng) -> Self {
        // The names of leads come in any case.
        let lead = (first_lead + rng.below(LEADS_AT_ONCE)) % LEADS;
        let (micros, tokens) = (1 + rng.below(600_000) as i64, 1 + rng.below(900) as i64);
        Self { id, lead, worker: rng.below(WORKERS), is_large: rng.below(2) == 0, micros, tokens }
    }

    fn body(&self) -> String {
        let Self { id, lead, worker, is_large, micros, tokens } = self;
        let (letter, model) = (if lead % 2 == 0 { 'l' } else { 'L' }, if *is_large { "Large-4" } else { "small" });
        let estimate = dollars(*micros);
        format!(
            r#"{{"id":"{id}","service":"OpenAI","operation":"chat","estimated_cost_usd":{estimate},"usage":{{"input_tokens":{tokens}}},"lead_id":"{letter}{lead}","worker":"w{worker}","model":"{model}","ttl_seconds":3600}}"#
        )
    }

    fn asks(&self, budget: &Budget) -> i64 {
        match budget.unit {
            Unit::Usd => self.micros,
            Unit::Tokens => self.tokens,
        }
    }

    /// The budgets that cover it, and the key.
    fn covered(&self) -> impl Iterator<Item = (usize, String)> {
        BUDGETS.iter().enumerate().filter_map(|(at, budget)| Some((at, (budget.key)(self)?)))
    }
}

fn racing() -> Setup {
    let setup = Setup::new().env("DAILY_BUDGET", "none").env("MONTHLY_BUDGET", "none");
    BUDGETS.iter().fold(setup, |setup, budget| {
        setup.setting(format!("[[budget]]\nname = \"{}\"\nperiod = \"total\"\n{}", budget.name, budget.settings))
    })
}

#[test]
fn racers_over_a_thousand_leads_pass_no_limit_and_are_refused_nothing_that_fits() {
    let rounds = std::env::var_os("RACE_ROUNDS").map_or(ROUNDS, |text| text.to_str().unwrap().parse().unwrap());
    let agent = racing().start();
    let mut racers: Vec<_> = (0..RACERS).map(|racer| (agent.client(), Rng::new(racer as u64))).collect();
    let mut left = whole();
    let (mut granted, mut refused) = (0, BTreeMap::<String, usize>::new());
    for round in 0..rounds {
        let first_lead = round as u64 * LEADS_AT_ONCE / 3;
        let told = at_once(&mut racers, |racer, (client, rng)| {
            let request = Request::draw(format!("{round}-{racer}"), first_lead, rng);
            let told =
                reserve(&request.body(), |body| client.request("POST", "/reservations", &[JSON], body.as_bytes()).unwrap());
            (request, told)
        });
        let mut client = agent.client();
        let held = check_round(&mut client, &left, &told);
        granted += held.len();
        for (_, told) in &told {
            if let Told::Refused { budget, .. } = told {
                *refused.entry(budget.clone()).or_default() += 1;
            }
        }
        let spent = at_once(&mut racers, |racer, (client, _)| {
            let request = held.iter().find(|request| request.id == format!("{round}-{racer}"))?;
            end(client, request, round + racer)
        });
        for (request, micros) in spent.into_iter().flatten() {
            request
                .covered()
                .filter(|(at, _)| BUDGETS[*at].unit == Unit::Usd)
                .for_each(|of| *left.get_mut(&of).unwrap() -= micros);
        }
    }
    assert!(granted > rounds * 20, "{granted} granted");
    for budget in &BUDGETS {
        assert!(refused.contains_key(budget.name), "nobody was refused by {}: {refused:?}", budget.name);
    }
    assert_left(&mut agent.client(), &left);
    agent.assert_healthy();
}

#[test]
fn racers_whose_agent_is_killed_find_all_keys_as_they_left_them() {
    let setup = racing();
    let stage = Stage::default();
    let mut left = whole();
    let mut rng = Rng::new(7);
    let mut agent = setup.start();
    for round in 0..KILLS {
        stage.enter(&agent);
        let mut racers: Vec<_> =
            (0..RACERS).map(|racer| (stage.follower(), Rng::new((round * RACERS + racer) as u64))).collect();
        let told = thread::scope(|scope| {
            let racers = scope.spawn(|| {
                at_once(&mut racers, |racer, (client, rng)| {
                    let request = Request::draw(format!("{round}-{racer}"), round as u64 * 20, rng);
                    (request.clone(), told_by(client, &request))
                })
            });
            // Anywhere between the first answer and the last one.
            thread::sleep(Duration::from_micros(rng.below(120_000)));
            agent.kill();
            agent = setup.start();
            stage.enter(&agent);
            racers.join().unwrap()
        });
        let mut client = agent.client();
        let held = check_round(&mut client, &left, &told);
        for (number, request) in held.iter().enumerate() {
            if let Some((request, micros)) = end(&mut client, request, number) {
                request
                    .covered()
                    .filter(|(at, _)| BUDGETS[*at].unit == Unit::Usd)
                    .for_each(|of| *left.get_mut(&of).unwrap() -= micros);
            }
        }
    }
    assert_left(&mut agent.client(), &left);
    agent.assert_healthy();
    drop(agent);
    setup.assert_verifies();
}

fn whole() -> Left {
    let keys = |at: usize| {
        let request = |lead, worker| Request { id: String::new(), lead, worker, is_large: true, micros: 0, tokens: 0 };
        let requests = (0..LEADS).map(move |lead| request(lead, lead % WORKERS));
        requests.filter_map(move |request| Some((at, (BUDGETS[at].key)(&request)?)))
    };
    (0..BUDGETS.len()).flat_map(keys).map(|of| (of.clone(), BUDGETS[of.0].limit)).collect()
}

/// Compares what the racers were told with the order in which the ledger has the grants; answers what is held.
fn check_round(client: &mut Client, left: &Left, told: &[(Request, Told)]) -> Vec<Request> {
    let listed = client.get("/reservations?state=held&limit=1000").expect(200).json();
    let in_order: Vec<&str> =
        listed.as_array().unwrap().iter().map(|item| item["reservation_id"].as_str().unwrap()).collect();
    let request = |id: &str| told.iter().map(|(request, _)| request).find(|request| request.id == id);
    // What was left of each key before the first grant, after it, after the second …
    let mut lefts: BTreeMap<(usize, String), Vec<i64>> = BTreeMap::new();
    for (_, of) in told.iter().flat_map(|(request, _)| request.covered().map(move |of| (request, of))) {
        let whole = left[&of];
        lefts.entry(of).or_insert_with(|| vec![whole]);
    }
    let mut held = Vec::new();
    for id in in_order {
        let request = request(id).unwrap_or_else(|| panic!("{id} is held, which nobody asked for"));
        for of in request.covered() {
            let asked = request.asks(&BUDGETS[of.0]);
            let name = BUDGETS[of.0].name;
            let lefts = lefts.get_mut(&of).unwrap();
            let now = lefts[lefts.len() - 1] - asked;
            assert!(now >= 0, "{name} {of:?} is passed by {} with {request:?}", -now);
            lefts.push(now);
        }
        held.push(request.clone());
    }
    for (request, told) in told {
        let is_held = held.iter().any(|held| held.id == request.id);
        match told {
            Told::Granted => assert!(is_held, "{} was granted and is not held", request.id),
            Told::Refused { budget, key, remaining } => {
                assert!(!is_held, "{} was refused and is held", request.id);
                let at = BUDGETS.iter().position(|known| known.name == budget).unwrap();
                let covered = request.covered().find(|(of, _)| *of == at);
                let (_, expected) = covered.unwrap_or_else(|| panic!("{budget} does not cover {request:?}"));
                assert_eq!(key.as_deref().unwrap_or(""), expected, "{budget} refused {request:?}");
                let (lefts, asked) = (&lefts[&(at, expected)], request.asks(&BUDGETS[at]));
                assert!(lefts.contains(remaining), "{remaining} was never left of {budget} for {request:?}: {lefts:?}");
                assert!(asked > *remaining, "{asked} would have fitted into {remaining} of {budget}: {request:?}");
            }
        }
    }
    let reserved = |of: &(usize, String)| lefts[of][0] - lefts[of][lefts[of].len() - 1];
    for of in lefts.keys() {
        let (_, held, remaining) = standing(client, of.0, &of.1);
        assert_eq!((held, remaining), (reserved(of), lefts[of][lefts[of].len() - 1]), "{of:?}");
    }
    held
}

/// Most are given back; a few are paid, with a little that lets the budgets last for all rounds: the request, and what was paid.
fn end(client: &mut Client, request: &Request, number: usize) -> Option<(Request, i64)> {
    let micros = 7;
    let (call, body) = match number % 16 {
        // Tokens are not told, so none are spent.
        0 => ("commit", json!({ "amount_usd": 0.000007 })),
        _ => ("release", json!({})),
    };
    let path = format!("/reservations/{}/{call}", request.id);
    client.request("POST", &path, &[JSON], body.to_string().as_bytes()).unwrap().expect(200);
    (call == "commit").then(|| (request.clone(), micros))
}

fn assert_left(client: &mut Client, left: &Left) {
    for (of, remaining) in left {
        let (spent, reserved, found) = standing(client, of.0, &of.1);
        assert_eq!((spent, reserved, found), (BUDGETS[of.0].limit - remaining, 0, *remaining), "{of:?}");
    }
}

/// Spent, reserved and remaining of a key.
fn standing(client: &mut Client, at: usize, key: &str) -> (i64, i64, i64) {
    let asked = if key.is_empty() { "/budgets".to_owned() } else { format!("/budgets?key={key}") };
    let budgets = client.get(&asked).expect(200).json();
    let of_name = |item: &&Value| item["name"] == BUDGETS[at].name;
    let item = budgets.as_array().unwrap().iter().find(of_name).unwrap_or_else(|| panic!("{budgets}"));
    let [spent, reserved, remaining] = ["spent", "reserved", "remaining"].map(|what| amount(item, what, BUDGETS[at].unit));
    (spent, reserved, remaining)
}

fn amount(item: &Value, what: &str, unit: Unit) -> i64 {
    let found = match unit {
        Unit::Usd => item[format!("{what}_usd")].as_f64().map(|usd| (usd * 1e6).round() as i64),
        Unit::Tokens => item[format!("{what}_usage")]["input_tokens"].as_f64().map(|tokens| tokens.round() as i64),
    };
    found.unwrap_or_else(|| panic!("no {what} of {unit:?}: {item}"))
}

const JSON: (&str, &str) = ("Content-Type", "application/json");

fn told_by(client: &mut Follower<'_>, request: &Request) -> Told {
    reserve(&request.body(), |body| client.post("/reservations", body))
}

fn reserve(body: &str, ask: impl FnOnce(&str) -> crate::support::Response) -> Told {
    let answer = ask(body);
    let document = answer.json();
    match answer.status {
        200 | 201 => Told::Granted,
        409 => {
            assert_eq!(answer.slug(), "budget-exhausted", "{document}");
            let budget = document["budget"].as_str().unwrap().to_owned();
            let unit = BUDGETS.iter().find(|known| known.name == budget).unwrap().unit;
            let remaining = amount(&document, "remaining", unit);
            Told::Refused { budget, key: document["key"].as_str().map(str::to_owned), remaining }
        }
        other => panic!("{other}: {document}"),
    }
}

/// All racers at once.
fn at_once<R: Send, T: Send>(racers: &mut [R], race: impl Fn(usize, &mut R) -> T + Sync) -> Vec<T> {
    let start = Barrier::new(racers.len());
    thread::scope(|scope| {
        let running = racers.iter_mut().enumerate().map(|(number, racer)| {
            let (start, race) = (&start, &race);
            scope.spawn(move || {
                start.wait();
                race(number, racer)
            })
        });
        let running: Vec<_> = running.collect();
        running.into_iter().map(|racer| racer.join().unwrap()).collect()
    })
}

fn dollars(micros: i64) -> String {
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}
