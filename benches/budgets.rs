//! The promise: budgets cost little, also twenty of them, and also where their limits hold for each of very many leads.

use std::thread;
use std::time::Duration;

use crate::agent::Agent;
use crate::events::call;
use crate::floor::Floor;
use crate::http::{self, HttpAnswers};
use crate::load::Load;
use crate::reads::WARP;
use crate::site::Site;
use crate::template::{ID_PLACE, LEAD_PLACE, Random, Template, lead_name};
use crate::trial::Demand::{AtLeast, AtMost};
use crate::trial::{Bar, Bench, Contender, Figure, Pace, Trial};
use crate::{Outcome, machine};

const WITHOUT: &str = "without";
const WITH: &str = "20 budgets, 100,000 keys";
const BEYOND: &str = "20 budgets, 400,000 keys";
const CONNECTIONS: usize = 16;
/// Each of them is a key of four budgets.
const LEADS: u64 = 25_000;
const LEADS_BEYOND: u64 = 100_000;
const BATCH: u64 = 1_000;
const IDLE: Duration = Duration::from_secs(1);
const KIB_PER_MIB: f64 = 1_024.0;

/// What a contender is told of budgets.
#[derive(Clone, Copy)]
struct Setting {
    name: &'static str,
    has_budgets: bool,
    leads: u64,
}

const SETTINGS: [Setting; 3] = [
    Setting { name: WITHOUT, has_budgets: false, leads: LEADS },
    Setting { name: WITH, has_budgets: true, leads: LEADS },
    Setting { name: BEYOND, has_budgets: true, leads: LEADS_BEYOND },
];

pub fn trials(bench: &Bench) -> Vec<Trial> {
    vec![singles(bench), pairs(bench), check(bench)]
}

fn singles(bench: &Bench) -> Trial {
    let requests = |leads| {
        let of_call = |number| Template::of_leads(http::post("application/json", &event(number, LEAD_PLACE)), leads);
        (0..20).map(of_call).collect()
    };
    Trial {
        name: "budgets-single",
        title: format!("One event a request, each of a lead, connections: {CONNECTIONS}"),
        contenders: contenders(bench, requests, 1.0),
        bars: vec![
            Bar::ratio(Figure::Rate, WITH, WITHOUT, AtLeast(0.9)),
            Bar::alone(Figure::Memory, WITH, AtMost(96.0)),
            Bar::alone(Figure::Memory, BEYOND, AtMost(96.0)),
        ],
    }
}

fn pairs(bench: &Bench) -> Trial {
    let requests = |leads| {
        let reserve = format!(
            r#"{{"id":"{ID_PLACE}","service":"openai","operation":"chat","estimated_cost_usd":0.0025,"ttl_seconds":3600,"worker":"w-17","lead_id":"{LEAD_PLACE}","model":"gpt-5"}}"#
        );
        let commit =
            http::post_to(&format!("/reservations/{ID_PLACE}/commit"), "application/json", r#"{"amount_usd":0.00235}"#);
        vec![
            Template::of_leads(http::post_to("/reservations", "application/json", &reserve), leads),
            Template::repeating(commit),
        ]
    };
    Trial {
        name: "budgets-pairs",
        title: format!(
            "POST /reservations of leads and .../commit by turns, connections: {CONNECTIONS}; figures are of pairs"
        ),
        contenders: contenders(bench, requests, 0.5),
        bars: vec![Bar::ratio(Figure::Rate, WITH, WITHOUT, AtLeast(0.85)), Bar::alone(Figure::Memory, WITH, AtMost(96.0))],
    }
}

fn check(bench: &Bench) -> Trial {
    const PATH: &str = "/scaling-gate/check";
    let asked = |lead: &str| {
        format!("{PATH}?service=openai&operation=chat&worker=w-17&model=gpt-5&lead_id={lead}&estimated_cost_usd=0.01")
    };
    let load = |leads| {
        let requests = vec![Template::of_leads(http::get(&asked(LEAD_PLACE)), leads)];
        Load { connections: CONNECTIONS, requests, answers: HttpAnswers::default(), events_per_request: 1.0 }
    };
    let contender = |setting: Setting| {
        let (site, load) = (bench.site(), load(setting.leads));
        Contender::agent(setting.name, move |pace: &Pace| {
            let agent = started(&site, setting)?;
            load.run(agent.address, pace, || agent.cpu())
        })
    };
    let (site, load) = (bench.site(), load(LEADS));
    let floor = Contender::new(WARP, move |pace: &Pace| {
        let agent = started(&site, SETTINGS[0])?;
        let body = String::from_utf8(http::ask(agent.address, &http::get(&asked(&lead_name(1))))?)?;
        drop(agent);
        let floor = Floor::start(&["warp-same", PATH, "application/json", &body])?;
        load.run(floor.address()?, pace, || floor.cpu())
    });
    let mut contenders: Vec<Contender> = SETTINGS.into_iter().map(contender).collect();
    contenders.push(floor);
    Trial {
        name: "budgets-check",
        title: format!("GET {PATH} of leads, connections: {CONNECTIONS}"),
        contenders,
        bars: vec![Bar::ratio(Figure::Cpu, WITH, WARP, AtMost(1.5))],
    }
}

fn contenders(bench: &Bench, requests: impl Fn(u64) -> Vec<Template>, events_per_request: f64) -> Vec<Contender> {
    let contender = |setting: Setting| {
        let (site, requests) = (bench.site(), requests(setting.leads));
        let load = Load { connections: CONNECTIONS, requests, answers: HttpAnswers::default(), events_per_request };
        Contender::agent(setting.name, move |pace: &Pace| {
            let agent = started(&site, setting)?;
            let mut round = load.run(agent.address, pace, || agent.cpu())?;
            thread::sleep(IDLE);
            let memory = machine::memory(agent.pid())?;
            round.insert(Figure::Memory, memory.resident_kib as f64 / KIB_PER_MIB);
            round.insert(Figure::MemoryPeak, memory.peak_kib as f64 / KIB_PER_MIB);
            Ok(round)
        })
    };
    SETTINGS.into_iter().map(contender).collect()
}

/// An agent that has counted something of each lead.
fn started(site: &Site, setting: Setting) -> Outcome<Agent> {
    let agent = Agent::start_with(site, &if setting.has_budgets { budgets() } else { String::new() })?;
    let mut random = Random::new();
    for first in (0..setting.leads).step_by(BATCH as usize) {
        let lines = (first..first + BATCH).map(|lead| event(lead as usize, &lead_name(lead)) + "\n");
        let mut batch = Template::new(http::post("application/x-ndjson", &lines.collect::<String>()));
        http::ask(agent.address, batch.fill(&mut random))?;
    }
    Ok(agent)
}

fn event(number: usize, lead: &str) -> String {
    let call = call(number);
    let (service, operation, amount) = (call.service, call.operation, call.amount_usd);
    format!(
        r#"{{"id":"{ID_PLACE}","service":"{service}","operation":"{operation}","amount_usd":{amount},"worker":"w-{}","batch_id":"b-7","lead_id":"{lead}","model":"gpt-5","usage":{{"input_tokens":1000}}}}"#,
        number % 20
    )
}

/// Sixteen budgets of everything, services, models, batches, workers and tokens, and four for each lead. No load uses one up.
fn budgets() -> String {
    let whole = [
        "period = \"daily\"",
        "period = \"hourly\"",
        "period = \"weekly\"",
        "period = \"total\"",
        "period = \"daily\"\nmatch = { service = \"openai\" }",
        "period = \"monthly\"\nmatch = { service = [\"anthropic\", \"open*\"] }",
        "period = \"daily\"\nmatch = { service = \"serper\", operation = \"search\" }",
        "period = \"monthly\"\nmatch = { operation = \"chat\" }",
        "period = \"weekly\"\nmatch = { model = \"gpt-*\" }",
        "period = \"daily\"\nmatch = { model = [\"gpt-5*\", \"claude-*\"], service = \"*ai\" }",
        "period = \"total\"\nmatch = { batch = \"b-7\" }",
        "period = \"daily\"\nmatch = { worker = \"w-1*\" }",
        "period = \"quarterly\"\nmatch = { lead = \"lead-0*\" }",
        "period = \"yearly\"\naction = \"watch\"",
    ];
    let each = [
        "period = \"daily\"",
        "period = \"weekly\"",
        "period = \"total\"",
        "period = \"monthly\"\nmatch = { model = \"gpt-*\" }",
    ];
    let tokens = ["period = \"hourly\"", "period = \"daily\"\nmatch = { model = \"gpt-*\" }"];
    let money = |of: &&str| format!("{of}\nlimit_usd = 1000000");
    let of_leads = |of: &&str| format!("{of}\neach = \"lead\"\nlimit_usd = 1000000");
    let of_tokens = |of: &&str| format!("{of}\nlimit_usage = {{ input_tokens = 1000000000000 }}");
    let all = whole.iter().map(money).chain(each.iter().map(of_leads)).chain(tokens.iter().map(of_tokens));
    all.enumerate().map(|(number, budget)| format!("[[budget]]\nname = \"b{number}\"\n{budget}\n\n")).collect()
}
