//! A receiver of webhooks, which takes what is posted or misbehaves, as it is told from moment to moment.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

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
    addr: SocketAddr,
    kept: Arc<Kept>,
}

impl Receiver {
    pub fn that_answers(status: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let kept = Arc::new(Kept::default());
        let shared = Arc::clone(&kept);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let kept = Arc::clone(&shared);
                // A connection that breaks is the client's business.
                std::thread::spawn(move || serve(&stream, &kept));
            }
        });
        let receiver = Self { addr, kept };
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

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
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

fn serve(stream: &TcpStream, kept: &Kept) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let Some(path) = line.strip_prefix("POST ").and_then(|rest| rest.split(' ').next()) else { return Ok(()) };
    let path = path.to_owned();
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let mut body = vec![0; headers["content-length"].parse().unwrap()];
    reader.read_exact(&mut body)?;
    let status = Some(kept.status.load(Ordering::Relaxed)).filter(|status| *status != SILENCE);
    let body = String::from_utf8(body).unwrap();
    kept.posted.lock().unwrap().push(Posted { path, headers, body, answered: status });
    match status {
        Some(status) => (&mut &*stream).write_all(format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n").as_bytes()),
        // Until the other side hangs up.
        None => reader.read(&mut [0]).map(drop),
    }
}
