//! The promise: a scrape costs little more than the SDK's own collecting, many at once cost one, and recording does not
//! notice.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::agent::Agent;
use crate::floor_scrape::{SERVICES, series_in};
use crate::http::{self, HttpAnswers};
use crate::ingest::{AGENT, single_load};
use crate::load::Load;
use crate::site::Site;
use crate::template::{ID_PLACE, Random, Template};
use crate::trial::Demand::{AtLeast, AtMost};
use crate::trial::{Bar, Bench, Contender, Figure, Pace, Round, Trial};
use crate::{Outcome, floor_scrape};

const SDK: &str = "SDK, gather and encode";
const ONE: &str = "1 scraper";
const MANY: &str = "20 scrapers";
const ALONE: &str = "recording alone";
const SCRAPED: &str = "scraped 10 times a second";
const SCRAPERS: usize = 20;
const BETWEEN_SCRAPES: Duration = Duration::from_millis(100);
/// Series of one scrape, all of them: most are of costs, some of the agent's own working.
const SERIES: usize = 1_000;
/// Of a scraper among twenty that share each text: its part of one, and its own answer.
const SHARED_CPU_MAX: f64 = 0.25;
/// Below this, something would be measurable.
const RATE_BESIDE_SCRAPES_MIN: f64 = 0.97;

pub fn trials(bench: &Bench) -> Vec<Trial> {
    vec![against_sdk(bench), shared(bench), beside_recording(bench)]
}

fn against_sdk(bench: &Bench) -> Trial {
    let site = bench.site();
    let shown = Rc::new(Cell::new(SERIES));
    let told = Rc::clone(&shown);
    let own = Contender::agent(AGENT, move |pace| {
        let agent = with_series(&site)?;
        let mut round = scrapes(1).run(agent.address, pace, || agent.cpu())?;
        let series = series_in(&String::from_utf8(http::ask(agent.address, &http::get("/metrics"))?)?);
        told.set(series);
        round.insert(Figure::Series, series as f64);
        Ok(round)
    });
    let floor = Contender::new(SDK, move |pace| floor_scrape::round(shown.get(), pace));
    Trial {
        name: "scrape-cost",
        title: "GET /metrics, one after the other, against the SDK in its own process".into(),
        contenders: vec![own, floor],
        bars: [Figure::Cpu, Figure::P50].map(|figure| Bar::ratio(figure, AGENT, SDK, AtMost(1.5))).to_vec(),
    }
}

fn shared(bench: &Bench) -> Trial {
    let contender = |name, scrapers| {
        let site = bench.site();
        Contender::agent(name, move |pace: &Pace| {
            let agent = with_series(&site)?;
            scrapes(scrapers).run(agent.address, pace, || agent.cpu())
        })
    };
    Trial {
        name: "scrape-shared",
        title: format!("GET /metrics, {SCRAPERS} at once share one gather"),
        contenders: vec![contender(ONE, 1), contender(MANY, SCRAPERS)],
        bars: vec![Bar::ratio(Figure::Cpu, MANY, ONE, AtMost(SHARED_CPU_MAX))],
    }
}

fn beside_recording(bench: &Bench) -> Trial {
    let contender = |name, scraped: bool| {
        let site = bench.site();
        Contender::agent(name, move |pace: &Pace| recording(&site, scraped, pace))
    };
    Trial {
        name: "scrape-beside-recording",
        title: "One event a request, 16 connections, with and without a scraper".into(),
        contenders: vec![contender(ALONE, false), contender(SCRAPED, true)],
        bars: vec![Bar::ratio(Figure::Rate, SCRAPED, ALONE, AtLeast(RATE_BESIDE_SCRAPES_MIN))],
    }
}

fn recording(site: &Site, scraped: bool, pace: &Pace) -> Outcome<Round> {
    let agent = with_series(site)?;
    let over = Arc::new(AtomicBool::new(!scraped));
    let scraper = {
        let (address, over) = (agent.address, Arc::clone(&over));
        thread::spawn(move || scrape_until(address, &over).map_err(|error| error.to_string()))
    };
    let round = single_load(16).run(agent.address, pace, || agent.cpu());
    over.store(true, Ordering::Relaxed);
    scraper.join().map_err(|_| "the scraper panicked")??;
    round
}

fn scrape_until(address: SocketAddr, over: &AtomicBool) -> Outcome<()> {
    let request = http::get("/metrics");
    while !over.load(Ordering::Relaxed) {
        http::ask(address, &request)?;
        thread::sleep(BETWEEN_SCRAPES);
    }
    Ok(())
}

fn scrapes(connections: usize) -> Load<HttpAnswers> {
    let requests = vec![Template::new(http::get("/metrics"))];
    Load { connections, requests, answers: HttpAnswers::default(), events_per_request: 1.0 }
}

/// An agent that shows [`SERIES`] series: each service once, then as many further pairs as there is room for.
fn with_series(site: &Site) -> Outcome<Agent> {
    let agent = Agent::start_empty(site)?;
    record_pairs(&agent, 0..SERVICES)?;
    // Looking makes series too: those of this route.
    http::ask(agent.address, &http::get("/metrics"))?;
    let shown = series_in(&String::from_utf8(http::ask(agent.address, &http::get("/metrics"))?)?);
    record_pairs(&agent, SERVICES..SERVICES + SERIES.saturating_sub(shown))?;
    Ok(agent)
}

fn record_pairs(agent: &Agent, pairs: std::ops::Range<usize>) -> Outcome<()> {
    let lines: String = pairs.map(|pair| event_of(pair) + "\n").collect();
    http::ask(agent.address, Template::new(http::post("application/x-ndjson", &lines)).fill(&mut Random::new()))?;
    Ok(())
}

fn event_of(pair: usize) -> String {
    let (service, operation, id) = (pair % SERVICES, pair / SERVICES, ID_PLACE);
    format!(r#"{{"id":"{id}","service":"service-{service}","operation":"operation-{operation}","amount_usd":0.01}}"#)
}
