//! The promise: the page is there as fast as one answer, small, and whoever leaves it open costs next to nothing.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

use crate::agent::Agent;
use crate::events::call;
use crate::http;
use crate::ingest::single_load;
use crate::load::percentile_ms;
use crate::million::Million;
use crate::site::Site;
use crate::template::{ID_PLACE, Random, Template};
use crate::trial::Demand::{AtLeast, AtMost};
use crate::trial::{Bar, Bench, Contender, Figure, Pace, Round, Trial};
use crate::{Outcome, machine};

const PAGE: &str = "page";
const DAILY: &str = "/costs/daily";
const MANY: &str = "92 days, 200 services";
const SHOWN: &str = "page, shown before";
const FIRST: &str = "page, the first after a start";
const ALONE: &str = "recording alone";
const WATCHED: &str = "20 pages refreshed every 5 s";
/// Looks at each of two in turn.
const LOOKS: usize = 40;
/// 20 viewers, each every 5 s.
const BETWEEN_VIEWS: Duration = Duration::from_millis(250);
const DAYS: i64 = 92;
const SERVICES: usize = 200;
const WORKERS: usize = 50;
const MODELS: usize = 12;
const ANSWER_MAX: Duration = Duration::from_secs(60);
const KIB: f64 = 1_024.0;

/// What one look at a path was.
struct Look {
    first_byte: Duration,
    body_bytes: usize,
}

pub fn trials(bench: &Bench) -> Vec<Trial> {
    // A million events of this month.
    let million = Million::of(bench, |number| event(number, call(number).service, None));
    vec![first_byte(bench), cpu(&million), beside(&million)]
}

fn first_byte(bench: &Bench) -> Trial {
    let contender = |name, path: &'static str| {
        let site = bench.site();
        Contender::agent(name, move |_: &Pace| {
            let agent = with_many_names(&site)?;
            // The first one may have to read what is kept from then on.
            look(agent.address, path)?;
            let looks = (0..LOOKS).map(|_| look(agent.address, path)).collect::<Outcome<Vec<Look>>>()?;
            let mut waits: Vec<Duration> = looks.iter().map(|look| look.first_byte).collect();
            waits.sort_unstable();
            let bytes = looks.iter().map(|look| look.body_bytes).max().unwrap_or(0);
            Ok(Round::from([(Figure::FirstByte, percentile_ms(&waits, 0.5)), (Figure::Size, bytes as f64 / KIB)]))
        })
    };
    Trial {
        name: "page",
        title: format!("The first byte of the page against that of {DAILY}, and the size of the page: {MANY}"),
        contenders: vec![contender(PAGE, "/"), contender(DAILY, DAILY)],
        bars: vec![Bar::ratio(Figure::FirstByte, PAGE, DAILY, AtMost(3.0)), Bar::alone(Figure::Size, PAGE, AtMost(100.0))],
    }
}

fn cpu(million: &Million) -> Trial {
    let contender = |name, views: u32| {
        let million = million.clone();
        Contender::agent(name, move |_: &Pace| {
            let agent = million.start()?;
            if views > 1 {
                look(agent.address, "/")?;
            }
            let (before, began) = (agent.cpu()?, Instant::now());
            for _ in 0..views {
                look(agent.address, "/")?;
            }
            let (used, took) = (agent.cpu()?.saturating_sub(before), began.elapsed());
            let memory = machine::memory(agent.pid())?.resident_kib as f64 / KIB;
            agent.stop()?;
            let each = |all: Duration, per_second: f64| all.as_secs_f64() * per_second / f64::from(views);
            Ok(Round::from([(Figure::Cpu, each(used, 1e6)), (Figure::P50, each(took, 1e3)), (Figure::Memory, memory)]))
        })
    };
    Trial {
        name: "page-million",
        title: "The whole page with a million events in the month".into(),
        contenders: vec![contender(SHOWN, LOOKS as u32), contender(FIRST, 1)],
        bars: vec![Bar::alone(Figure::Cpu, SHOWN, AtMost(50_000.0))],
    }
}

fn beside(million: &Million) -> Trial {
    let contender = |name, is_watched: bool| {
        let million = million.clone();
        Contender::agent(name, move |pace: &Pace| record(&million, pace, is_watched))
    };
    Trial {
        name: "page-beside",
        title: "One event a request, 16 connections, after a million events, with and without viewers".into(),
        contenders: vec![contender(ALONE, false), contender(WATCHED, true)],
        bars: vec![Bar::ratio(Figure::Rate, WATCHED, ALONE, AtLeast(0.97))],
    }
}

/// One request as a browser sends it, on a connection of its own.
fn look(address: SocketAddr, path: &str) -> Outcome<Look> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(ANSWER_MAX))?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/html\r\nConnection: close\r\n\r\n");
    let began = Instant::now();
    stream.write_all(request.as_bytes())?;
    let (mut received, mut buffer, mut first_byte) = (Vec::new(), vec![0; 64 * 1024], None);
    loop {
        let count = stream.read(&mut buffer)?;
        first_byte.get_or_insert_with(|| began.elapsed());
        if count == 0 {
            break;
        }
        received.extend_from_slice(&buffer[..count]);
    }
    let head = received.windows(4).position(|window| window == b"\r\n\r\n").ok_or("an answer without a head")?;
    let told = String::from_utf8_lossy(&received[..head]).to_ascii_lowercase();
    if received.get(9..12) != Some(b"200") || (path == "/" && !told.contains("text/html")) {
        return Err(format!("{path}: {told}").into());
    }
    // A page that is sent in parts has a line before each, which count for nothing here.
    Ok(Look { first_byte: first_byte.unwrap_or_default(), body_bytes: received.len() - head - 4 })
}

/// An agent with cost of each service in each of the days.
fn with_many_names(site: &Site) -> Outcome<Agent> {
    let agent = Agent::start_with(site, "max_event_age_seconds = 34560000\n")?;
    #[expect(clippy::disallowed_methods, reason = "the agent's days are those of the wall clock")]
    let now = Timestamp::now();
    let mut random = Random::new();
    for day in 0..DAYS {
        let time = now - SignedDuration::from_hours(24 * day);
        let lines: String =
            (0..SERVICES).map(|number| event(number, &format!("service-{number}"), Some(time)) + "\n").collect();
        http::ask(agent.address, Template::new(http::post("application/x-ndjson", &lines)).fill(&mut random))?;
    }
    Ok(agent)
}

fn event(number: usize, service: &str, time: Option<Timestamp>) -> String {
    let (amount, worker, model) = (call(number).amount_usd, number % WORKERS, number % MODELS);
    let time = time.map(|time| format!(r#","time":"{time}""#)).unwrap_or_default();
    format!(
        r#"{{"id":"{ID_PLACE}","service":"{service}","operation":"call","amount_usd":{amount},"worker":"worker-{worker}","model":"model-{model}"{time}}}"#
    )
}

fn record(million: &Million, pace: &Pace, is_watched: bool) -> Outcome<Round> {
    let copy = million.start_on_a_copy()?;
    let agent = &copy.agent;
    if is_watched {
        look(agent.address, "/")?;
    }
    let (address, is_over) = (agent.address, AtomicBool::new(!is_watched));
    thread::scope(|scope| {
        let watch = || {
            while !is_over.load(Ordering::Relaxed) {
                look(address, "/").map_err(|error| error.to_string())?;
                thread::sleep(BETWEEN_VIEWS);
            }
            Ok::<(), String>(())
        };
        let watching = scope.spawn(watch);
        let round = single_load(16).run(address, pace, || agent.cpu());
        is_over.store(true, Ordering::Relaxed);
        watching.join().map_err(|_| "the viewer panicked")??;
        round
    })
}
