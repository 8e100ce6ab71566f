//! A receiver of webhooks, which takes what is posted or misbehaves, as it is told from moment to moment.

use std::collections::BTreeMap;
use std::io::{self, BufReader, Read, Write};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use super::server::{self, Post, ServerTls, Stream};
use super::within;

/// Longest wait for messages: two pauses of the schedule and a busy machine.
const ARRIVAL_MAX: Duration = Duration::from_secs(30);
/// Instead of a status: no answer at all.
const SILENCE: u16 = 0;

/// One request.
#[derive(Clone, Debug)]
pub struct Posted {
    pub path: String,
    pub headers: BTreeMap<String, String>,
    pub body: String,
    /// The status it was answered with; `None` while it hangs.
    pub answered: Option<u16>,
}

#[derive(Default)]
struct Kept {
    posted: Mutex<Vec<Posted>>,
    status: AtomicU16,
}

pub struct Receiver {
    scheme: &'static str,
    addr: SocketAddr,
    kept: Arc<Kept>,
}

impl Receiver {
    pub fn that_answers(status: u16) -> Self {
        Self::new(status, None)
    }

    pub fn over_tls(tls: &ServerTls) -> Self {
        Self::new(200, Some(tls))
    }

    fn new(status: u16, tls: Option<&ServerTls>) -> Self {
        let kept = Arc::new(Kept::default());
        let shared = Arc::clone(&kept);
        let scheme = if tls.is_some() { "https" } else { "http" };
        let addr = server::listen(tls, move |stream| serve(stream, &shared));
        let receiver = Self { scheme, addr, kept };
        receiver.answer(status);
        receiver
    }

    pub fn that_hangs() -> Self {
        Self::that_answers(SILENCE)
    }

    /// From now on.
    pub fn answer(&self, status: u16) {
        self.kept.status.store(status, Ordering::Relaxed);
    }

    /// By name, since certificates are for one.
    pub fn url(&self, path: &str) -> String {
        format!("{}://localhost:{}{path}", self.scheme, self.addr.port())
    }

    pub fn posted(&self) -> Vec<Posted> {
        self.kept.posted.lock().unwrap().clone()
    }

    /// Those that were answered with 200.
    pub fn taken(&self) -> Vec<Posted> {
        self.posted().into_iter().filter(|posted| posted.answered == Some(200)).collect()
    }

    /// Waits until so many were taken, and gives their types.
    #[track_caller]
    pub fn types_of(&self, count: usize) -> Vec<String> {
        within(ARRIVAL_MAX, "messages arrive", || (self.taken().len() >= count).then_some(()));
        self.taken().iter().map(|posted| posted.json()["type"].as_str().unwrap().to_owned()).collect()
    }
}

impl Posted {
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

fn serve(stream: Box<dyn Stream>, kept: &Kept) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let Post { path, headers, body } = server::read_post(&mut stream)?;
    let status = Some(kept.status.load(Ordering::Relaxed)).filter(|status| *status != SILENCE);
    let body = String::from_utf8(body).unwrap();
    kept.posted.lock().unwrap().push(Posted { path, headers, body, answered: status });
    match status {
        Some(status) => stream.get_mut().write_all(format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n").as_bytes()),
        // Until the other side hangs up.
        None => stream.read(&mut [0]).map(drop),
    }
}
