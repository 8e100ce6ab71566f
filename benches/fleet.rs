//! The promise: a fleet costs the agent next to nothing, with its database and without.

use std::cell::OnceCell;
use std::process::Command;
use std::rc::Rc;

use crate::agent::{Agent, free_port};
use crate::events;
use crate::http::{self, HttpAnswers};
use crate::load::Load;
use crate::peer_postgres::Postgres;
use crate::site::Site;
use crate::template::{ID_PLACE, Template};
use crate::trial::Demand::{AtLeast, AtMost};
use crate::trial::{Bar, Bench, Contender, Figure, Pace, Trial};
use crate::{Outcome, fleet_agents};

const ALONE: &str = "alone";
const FLEET: &str = "fleet";
const GONE: &str = "fleet, database gone";
const CONNECTIONS: usize = 16;

/// How the agent stands with a fleet.
#[derive(Clone, Copy)]
enum Standing {
    Alone,
    Member,
    /// Its database does not answer.
    CutOff,
}

/// One server for all rounds, started by the first that needs it.
pub type Server = Rc<OnceCell<Postgres>>;

pub fn trials(bench: &Bench) -> Vec<Trial> {
    let server = Server::default();
    vec![check(bench, &server), singles(bench, &server), pairs(bench, &server), fleet_agents::trial(bench, &server)]
}

fn check(bench: &Bench, server: &Server) -> Trial {
    const PATH: &str = "/scaling-gate/check?service=openai&operation=chat&estimated_cost_usd=0.01";
    Trial {
        name: "fleet-check",
        title: format!("GET {PATH}, two budgets, connections: {CONNECTIONS}"),
        contenders: contenders(bench, server, &[Standing::Alone, Standing::Member], 1.0, || {
            vec![Template::repeating(http::get(PATH))]
        }),
        bars: vec![Bar::ratio(Figure::Cpu, FLEET, ALONE, AtMost(1.1))],
    }
}

fn singles(bench: &Bench, server: &Server) -> Trial {
    let all = [Standing::Alone, Standing::Member, Standing::CutOff];
    Trial {
        name: "fleet-single",
        title: format!("One event a request, two budgets, connections: {CONNECTIONS}"),
        contenders: contenders(bench, server, &all, 1.0, events::single_posts),
        bars: vec![
            Bar::ratio(Figure::Rate, GONE, ALONE, AtLeast(0.98)),
            Bar::ratio(Figure::Rate, FLEET, ALONE, AtLeast(0.98)),
        ],
    }
}

fn pairs(bench: &Bench, server: &Server) -> Trial {
    let requests = || {
        let reserve = format!(
            r#"{{"id":"{ID_PLACE}","service":"openai","operation":"chat","estimated_cost_usd":0.0025,"ttl_seconds":3600}}"#
        );
        let commit =
            http::post_to(&format!("/reservations/{ID_PLACE}/commit"), "application/json", r#"{"amount_usd":0.00235}"#);
        vec![Template::new(http::post_to("/reservations", "application/json", &reserve)), Template::repeating(commit)]
    };
    Trial {
        name: "fleet-pairs",
        title: format!(
            "POST /reservations and .../commit by turns, two budgets, connections: {CONNECTIONS}; figures are of pairs"
        ),
        contenders: contenders(bench, server, &[Standing::Alone, Standing::Member], 0.5, requests),
        bars: vec![Bar::ratio(Figure::Rate, FLEET, ALONE, AtLeast(0.9))],
    }
}

fn contenders(
    bench: &Bench,
    server: &Server,
    standings: &[Standing],
    events_per_request: f64,
    requests: impl Fn() -> Vec<Template>,
) -> Vec<Contender> {
    let contender = |standing: &Standing| {
        let (site, server, standing) = (bench.site(), Rc::clone(server), *standing);
        let load =
            Load { connections: CONNECTIONS, requests: requests(), answers: HttpAnswers::default(), events_per_request };
        let name = match standing {
            Standing::Alone => ALONE,
            Standing::Member => FLEET,
            Standing::CutOff => GONE,
        };
        Contender::agent(name, move |pace: &Pace| {
            let agent = started(&site, &server, standing)?;
            load.run(agent.address, pace, || agent.cpu())
        })
    };
    standings.iter().map(contender).collect()
}

fn started(site: &Site, server: &Server, standing: Standing) -> Outcome<Agent> {
    match standing {
        Standing::Alone => Agent::start_with(site, ""),
        Standing::CutOff => {
            let url = format!("postgres://nobody@127.0.0.1:{}/fleet?sslmode=disable", free_port()?);
            Agent::start_with(site, &settings(&url))
        }
        Standing::Member => member(site, running(site, server)?),
    }
}

fn settings(url: &str) -> String {
    format!("fleet_url = '{url}'\nfleet_budgets = ['daily', 'monthly']")
}

/// The database with a fleet of its own for this round: what a killed agent had in hand would stay claimed.
pub fn running<'s>(site: &Site, server: &'s Server) -> Outcome<&'s Postgres> {
    if server.get().is_none() {
        // Only this thread starts one.
        let _ = server.set(Postgres::start(&site.folder)?);
    }
    let server = server.get().ok_or("no database")?;
    server.query("DROP SCHEMA IF EXISTS lead_factory_fleet CASCADE")?;
    let made = Command::new(&site.program).args(["fleet", "init"]).env_clear().env("FLEET_URL", server.url()).output()?;
    if made.status.success() { Ok(server) } else { Err(String::from_utf8_lossy(&made.stderr).into()) }
}

/// An agent that takes part.
pub fn member(site: &Site, server: &Postgres) -> Outcome<Agent> {
    let agent = Agent::start_with(site, &settings(&server.url()))?;
    wait_until_up(&agent)?;
    Ok(agent)
}

fn wait_until_up(agent: &Agent) -> Outcome<()> {
    let began = std::time::Instant::now();
    while !String::from_utf8_lossy(&http::ask(agent.address, &http::get("/fleet"))?).contains("\"up\":true") {
        if began.elapsed() > std::time::Duration::from_secs(30) {
            return Err("the agent takes no part in the fleet".into());
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    Ok(())
}
