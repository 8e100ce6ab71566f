//! Requests that are made up to do harm, over every route that is described, thousands of them: wrong as HTTP, as paths, as headers and as
//! bodies, most of them with a token that allows everything.
//!
//! Guards against: a panic that a handler's input can reach, a 5xx for what the sender did wrong, a body that is taken for something else
//! than it is, memory that is not given back, a label for every path.
//!
//! `HOSTILE_REQUESTS=1000000` makes more of them, `HOSTILE_SEED` others. A failure tells both, and the request.

mod requests;
mod words;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use self::requests::{Maker, Request, Route};
use crate::support::{Conn, Rng, Setup, TestAgent};

const REQUESTS: u64 = 20_000;
const SEED: u64 = 20_261_129;
const SENDERS: usize = 4;
/// Kilobytes of memory that the process may have more at the end than when it was warm.
const GROWTH_MAX_KIB: u64 = 24 * 1024;
const EVENT: &str = r#"{"id":"known","service":"openai","operation":"chat","amount_usd":"0.25","worker":"w"}"#;
/// What must be at the end as it was.
const STANDING: [&str; 7] = [
    "/events?limit=1000",
    "/costs/monthly?by=worker",
    "/budgets/history",
    "/scaling-gate/history",
    "/reservations?state=held",
    "/unpriced",
    "/scaling-gate/status",
];

#[expect(clippy::disallowed_methods, reason = "how much a run of this test does is no setting of the program")]
fn from_environment(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|error| panic!("{name}={text}: {error}")))
}

#[test]
fn whatever_is_sent_nothing_is_recorded_nothing_breaks_and_nobody_else_suffers() {
    let (requests, seed) = (from_environment("HOSTILE_REQUESTS", REQUESTS), from_environment("HOSTILE_SEED", SEED));
    let setup = Setup::new();
    let tokens = setup.folder().join("tokens");
    std::fs::write(&tokens, "everything\nrecord:worker-7:recording\nadmin:ops:changing\n").unwrap();
    let socket = setup.folder().join("agent.sock");
    let setup = setup.env("API_TOKEN_FILE", tokens.as_os_str()).env("WRITE_SOCKET", socket.as_os_str());
    let mut agent = setup.start();
    record(&agent);
    let routes = routes(&agent);
    assert!(routes.len() > 30, "{} routes", routes.len());
    let before = standing(&agent);
    // Where no token is asked for, more of what is sent gets to a handler.
    let ways = [To::Port(agent.addr()), To::Port(agent.addr()), To::Port(agent.addr()), To::Socket(socket)];
    let begin = Instant::now();
    // The first part fills what is filled once: buffers, caches, pools.
    let (warm, rest) = (requests / 5, requests - requests / 5);
    let mut answers = send_all(&ways, &routes, seed, warm);
    let warm_kib = agent.status_kib("VmRSS");
    for (status, count) in send_all(&ways, &routes, seed + 1_000, rest) {
        *answers.entry(status).or_default() += count;
    }
    let (took, kib) = (begin.elapsed(), agent.status_kib("VmRSS"));
    println!("{requests} requests in {took:?}; {warm_kib} KiB when warm, {kib} KiB at the end; by status: {answers:?}");
    // Neither all at the door, nor all for the same reason.
    for status in [200, 400, 401, 403, 404, 405, 415, 421, 422, 431] {
        assert!(answers.contains_key(&status), "none was answered {status}: {answers:?}");
    }
    assert!(kib < warm_kib + GROWTH_MAX_KIB, "{warm_kib} KiB when warm, {kib} KiB at the end");
    assert_eq!(standing(&agent), before);
    for (labels, _) in agent.metrics().series("lead_factory_http_requests_total") {
        let endpoint = &labels["endpoint"];
        assert!(endpoint == "unmatched" || routes.iter().any(|route| route.path == *endpoint), "{labels:?}");
        assert!(labels["method"].len() <= 7, "{labels:?}");
    }
    assert_eq!(agent.get("/health").expect(200).text(), r#"{"status":"healthy"}"#);
    assert_nothing_panicked(&agent);
    let one = Instant::now();
    record(&agent);
    assert!(one.elapsed() < Duration::from_secs(10), "{:?}", one.elapsed());
    assert!(agent.terminate().success());
    setup.assert_verifies();
    let report: Value = serde_json::from_slice(&setup.verb(&["verify", "--output", "json"]).stdout).unwrap();
    assert_eq!(report["events"], 1, "{report}");
}

/// But for an assertion of hyper's own that builds for development have and what is shipped has not: it does not expect nonsense behind a
/// request whose answer the client has not read yet. It ends that client's connection.
#[track_caller]
fn assert_nothing_panicked(agent: &TestAgent) {
    let log = agent.log();
    let panics: Vec<&str> = log.lines().filter(|line| line.contains("panicked")).collect();
    let ours: Vec<&&str> = panics.iter().filter(|line| !line.contains("/src/proto/h1/conn.rs")).collect();
    assert!(ours.is_empty(), "{ours:?}");
    if !cfg!(debug_assertions) {
        assert!(panics.is_empty(), "{panics:?}");
    }
}

#[track_caller]
fn record(agent: &TestAgent) {
    let headers = [("Content-Type", "application/json"), ("Authorization", "Bearer recording")];
    agent.client().request("POST", "/costs", &headers, EVENT.as_bytes()).unwrap().expect(200);
}

#[track_caller]
fn standing(agent: &TestAgent) -> Vec<String> {
    let said = STANDING.map(|path| agent.get(path).expect(200).text());
    // But for the time at which it is asked.
    said.into_iter().map(|text| text.split(r#""timestamp":"#).next().unwrap_or_default().to_owned()).collect()
}

#[track_caller]
fn routes(agent: &TestAgent) -> Vec<Route> {
    let document = agent.get("/openapi.json").json();
    let name_of = |parameter: &Value| {
        let parameter = match parameter.get("$ref").and_then(Value::as_str) {
            Some(reference) => document.pointer(reference.trim_start_matches('#')).unwrap(),
            None => parameter,
        };
        parameter["name"].as_str().unwrap().to_owned()
    };
    let routes = document["paths"].as_object().unwrap().iter().map(|(path, operations)| {
        let operations = operations.as_object().unwrap();
        let of_each = |list: &dyn Fn(&Value) -> Vec<String>| operations.values().flat_map(list).collect::<Vec<String>>();
        Route {
            path: path.clone(),
            methods: operations.keys().filter(|key| *key != "parameters").map(|key| key.to_uppercase()).collect(),
            parameters: of_each(&|operation| {
                operation["parameters"].as_array().into_iter().flatten().map(name_of).collect()
            }),
            media_types: of_each(&|operation| {
                let content = operation["requestBody"]["content"].as_object();
                content.into_iter().flatten().map(|(media_type, _)| media_type.clone()).collect()
            }),
        }
    });
    routes.collect()
}

/// How many were answered with each status; 0 where the agent rather closed the connection.
fn send_all(ways: &[To; SENDERS], routes: &[Route], seed: u64, requests: u64) -> BTreeMap<u16, u64> {
    let answers = Mutex::new(BTreeMap::new());
    thread::scope(|scope| {
        for (sender, to) in (0..).zip(ways) {
            let answers = &answers;
            scope.spawn(move || {
                let mut rng = Rng::new(seed + sender);
                let mut conn = None;
                for number in 0..requests / SENDERS as u64 {
                    let request = Maker { rng: &mut rng, routes }.make();
                    let status = send(to, &mut conn, &request);
                    let status =
                        status.unwrap_or_else(|error| panic!("{error} after {}", shown(&request, seed, sender, number)));
                    // Few exports run at once, and that is told as it is.
                    let is_export = request.bytes.windows(7).take(64).any(|bytes| bytes == b"/export");
                    let is_fine = status.is_none_or(|status| status < 500 || (is_export && status == 503));
                    assert!(is_fine, "{status:?} to {}", shown(&request, seed, sender, number));
                    *answers.lock().unwrap().entry(status.unwrap_or_default()).or_default() += 1;
                }
            });
        }
    });
    answers.into_inner().unwrap()
}

fn shown(request: &Request, seed: u64, sender: u64, number: u64) -> String {
    let bytes = &request.bytes[..request.bytes.len().min(3_000)];
    format!("request {number} of sender {sender}, seed {seed}:\n{}", String::from_utf8_lossy(bytes))
}

/// Where requests are sent.
enum To {
    Port(SocketAddr),
    Socket(PathBuf),
}

impl To {
    fn open(&self) -> io::Result<Conn> {
        match self {
            Self::Port(address) => Conn::open(*address),
            Self::Socket(path) => Conn::open_socket(path),
        }
    }
}

/// The status of the answer; `None` where the agent rather closed the connection.
fn send(to: &To, kept: &mut Option<Conn>, request: &Request) -> io::Result<Option<u16>> {
    let mut conn = match kept.take() {
        Some(conn) if !request.is_broken => conn,
        _ => to.open()?,
    };
    // It may be refused before all of it is sent.
    let sent = conn.send(&request.bytes);
    if request.is_broken {
        conn.finish_sending();
    }
    let mut answer = conn.read_answer(request.is_head);
    while answer.as_ref().is_ok_and(|answer| answer.status == 100) {
        answer = conn.read_answer(request.is_head);
    }
    match answer {
        Ok(answer) => {
            let closes = answer.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
            if sent.is_ok() && !closes && !request.is_broken {
                *kept = Some(conn);
            }
            Ok(Some(answer.status))
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock || error.kind() == io::ErrorKind::TimedOut => Err(error),
        Err(_closed) => Ok(None),
    }
}
