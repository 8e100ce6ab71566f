//! The surface as its clients see it: a real listener, a real ledger, bytes over a socket.

mod admission;
mod authorize;
mod budgets;
mod calls;
mod gate;
mod ingest;
mod openapi;
mod otlp;
mod page;
mod prices;
mod reservations;
mod resources;
mod writes;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::route::Route;
use super::routes::ROUTES;
use super::*;
use crate::budget::Policy;
use crate::clock::Clock;
use crate::domain::BudgetZone;
use crate::ingest::{CallSettings, Limits};
use crate::ledger::{Ledger, Reader};
use crate::net::{self, Server};
use crate::telemetry::{self, Telemetry};
use crate::views::SeriesLimits;
use crate::views::tallies::KEYS_MAX;
use crate::wire::Origin;
use crate::writer::{self, Ended, Started};

const NOON: &str = "2026-11-22T12:00:00Z";
/// Longer than anything takes, so that a test which waits for it fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running surface over a ledger of its own.
struct TestAgent {
    address: SocketAddr,
    clock: Clock,
    telemetry: Telemetry,
    state: Arc<State>,
    stop: oneshot::Sender<Instant>,
    serving: JoinHandle<()>,
    ended: oneshot::Receiver<Ended>,
    _folder: tempfile::TempDir,
}

/// What came back, whole.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl TestAgent {
    async fn start(settings: Settings) -> Self {
        Self::start_with(settings, Limits::default(), ROUTES).await
    }

    async fn start_with(settings: Settings, limits: Limits, table: &'static [Route]) -> Self {
        Self::start_over(settings, limits, table, Duration::from_secs(60)).await
    }

    async fn start_over(settings: Settings, limits: Limits, table: &'static [Route], call_timeout: Duration) -> Self {
        Self::start_under(Policy::example(BudgetZone::UTC, 50), settings, limits, table, call_timeout).await
    }

    async fn start_under(
        policy: Policy,
        settings: Settings,
        limits: Limits,
        table: &'static [Route],
        call_timeout: Duration,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        let clock = Clock::manual(NOON.parse::<Timestamp>().unwrap());
        let ledger = Ledger::open(&path, &policy.zone, clock.now()).unwrap();
        let writer_settings = writer::Settings {
            holds_max: 1_000,
            budget_keys_max: KEYS_MAX,
            origin: Origin::default(),
            series: SeriesLimits::default(),
            age_max: SignedDuration::from_hours(35 * 24),
            ahead_max: SignedDuration::from_mins(5),
            retention: None,
            receivers: Arc::default(),
        };
        let loaded = writer::load(ledger, Arc::new(policy.clone()), writer_settings, clock.clone()).unwrap();
        let board = Arc::clone(&loaded.board);
        let telemetry = Telemetry::new(&telemetry::Settings::default(), board, clock.clone(), None).unwrap();
        let started = loaded.spawn(&telemetry.meter()).unwrap();
        let Started { writer, board, ended } = started;
        let parts = Parts {
            board,
            writer,
            reader: Reader::new(path, policy.zone),
            scraper: telemetry.scraper(),
            clock: clock.clone(),
            limits,
            calls: CallSettings::default(),
            book: Arc::default(),
            reload: tokio::sync::mpsc::channel(1).0,
            reloads: telemetry::ReloadStatus::new(&telemetry.meter()),
            exports_failing: telemetry.exports_failing(),
            fleet: None,
        };
        let state = Arc::new(State::new(parts, &settings, &telemetry.meter()));
        let server =
            Server::bind(&net::Settings { listen: ([127, 0, 0, 1], 0).into(), ..net::Settings::default() }).unwrap();
        let address = server.local_addr().unwrap();
        let surface = Surface::over(table, Arc::clone(&state), call_timeout);
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(server.serve(move |peer| surface.service_for(peer), async { stopped.await.unwrap() }));
        Self { address, clock, telemetry, state, stop, serving, ended, _folder: folder }
    }

    async fn connect(&self) -> TcpStream {
        timeout(PATIENCE, TcpStream::connect(self.address)).await.unwrap().unwrap()
    }

    /// Sends bytes on a connection of their own, and reads until the agent closes it.
    async fn send(&self, bytes: impl AsRef<[u8]>) -> Answer {
        let mut stream = self.connect().await;
        stream.write_all(bytes.as_ref()).await.unwrap();
        Answer::parse(&read_to_end(&mut stream).await)
    }

    async fn get(&self, target: &str) -> Answer {
        self.send(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")).await
    }

    /// Posts to `/costs`, with further header lines.
    async fn post(&self, headers: &str, body: impl AsRef<[u8]>) -> Answer {
        self.call("POST /costs", headers, body).await
    }

    /// Sends a method and target, with a body and further header lines.
    async fn call(&self, what: &str, headers: &str, body: impl AsRef<[u8]>) -> Answer {
        let body = body.as_ref();
        let head = format!(
            "{what} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n",
            body.len()
        );
        self.send([head.as_bytes(), body].concat()).await
    }

    /// Sends a method and target with a body of JSON.
    async fn call_json(&self, what: &str, body: &str) -> Answer {
        self.call(what, "Content-Type: application/json\r\n", body).await
    }

    async fn post_json(&self, body: impl AsRef<[u8]>) -> Answer {
        self.post("Content-Type: application/json\r\n", body).await
    }

    async fn metrics(&self) -> String {
        String::from_utf8(self.telemetry.scraper().scrape().await.unwrap().to_vec()).unwrap()
    }

    /// Waits until the metrics have a line that ends like this: work goes on after a client has left.
    #[track_caller]
    fn eventually_shows(&self, line: &str) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        async move {
            let deadline = Instant::now() + PATIENCE;
            while !self.metrics().await.lines().any(|found| found.ends_with(line)) {
                assert!(Instant::now() < deadline, "{caller}: no {line} in\n{}", self.metrics().await);
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }

    /// Stops accepting, with so long to finish, and waits for the end of the writer.
    async fn stop(self, grace: Duration) {
        let Self { stop, serving, state, ended, .. } = self;
        stop.send(Instant::now() + grace).unwrap();
        timeout(PATIENCE, serving).await.unwrap().unwrap();
        drop(state);
        assert_eq!(timeout(PATIENCE, ended).await.unwrap(), Ok(Ended::Cleanly), "nothing holds the writer any more");
    }
}

async fn read_to_end(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    // A reset after the answer is an end too: what was read before it counts.
    let _ = timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("the agent must close the connection");
    bytes
}

/// Reads one answer with a `Content-Length` from a connection that stays open.
async fn read_answer(stream: &mut TcpStream) -> Answer {
    let mut bytes = Vec::new();
    let read = async {
        loop {
            if let Some(end) = find(&bytes, b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
                let length = head
                    .lines()
                    .find_map(|line| line.strip_prefix("content-length: "))
                    .map_or(0, |text| text.parse().unwrap());
                if bytes.len() >= end + 4 + length {
                    return;
                }
            }
            assert_ne!(stream.read_buf(&mut bytes).await.unwrap(), 0, "{}", String::from_utf8_lossy(&bytes));
        }
    };
    timeout(PATIENCE, read).await.unwrap();
    Answer::parse(&bytes)
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

impl Answer {
    #[track_caller]
    fn parse(bytes: &[u8]) -> Self {
        let end = find(bytes, b"\r\n\r\n").unwrap_or_else(|| panic!("no answer: {:?}", String::from_utf8_lossy(bytes)));
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, head, body: bytes[end + 4..].to_vec() }
    }

    fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// A problem of this kind, in the shape that every problem has.
    #[track_caller]
    fn assert_problem(&self, status: u16, slug: &str) -> Value {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        assert_eq!(self.header("cache-control"), Some("no-store"));
        let document = self.json();
        assert_eq!(document["type"], format!("/problems/{slug}"));
        assert_eq!(document["status"], status);
        document
    }
}
