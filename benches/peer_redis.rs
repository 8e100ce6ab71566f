//! Redis with `appendfsync always`, doing the same work: an id that counts once, and a rollup.
//!
//! Per event in one round trip, two ways. A script sets the id and adds to the rollup only when it is new: that is the agent's
//! work. A pipeline of the two plain commands is cheaper for Redis, but counts a retry twice.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::agent::{Process, free_port, wait_for_listener};
use crate::events::{BATCH, PAIRS, call};
use crate::load::Load;
use crate::resp::{RespAnswers, command};
use crate::template::{ID_PLACE, Template};
use crate::trial::{Pace, Round};
use crate::{Outcome, machine};

const SCRIPT: &str = "if redis.call('SET',KEYS[1],ARGV[1],'NX') then redis.call('INCRBYFLOAT',KEYS[2],ARGV[2]) return 1 end \
                      return 0";

/// How an event is sent.
#[derive(Clone, Copy, Debug)]
pub enum Way {
    /// `EVALSHA` of the script.
    Script,
    /// `SET … NX` and `INCRBYFLOAT`, one after the other.
    Pair,
}

struct Redis {
    address: SocketAddr,
    process: Process,
    _folder: TempDir,
}

/// One round of single events.
pub fn single_round(below: &Path, way: Way, connections: usize, pace: &Pace) -> Outcome<Round> {
    let redis = Redis::start(below)?;
    let (requests, replies): (Vec<Template>, usize) = match way {
        Way::Script => {
            let digest = redis.load_script()?;
            ((0..PAIRS).map(|number| Template::new(script(&digest, number))).collect(), 1)
        }
        Way::Pair => ((0..PAIRS).map(|number| Template::new(pair(number))).collect(), 2),
    };
    let load = Load { connections, requests, answers: RespAnswers::of(replies), events_per_request: 1.0 };
    load.run(redis.address, pace, || machine::cpu(redis.process.0.id()))
}

/// One round of pipelines of a thousand events.
pub fn batch_round(below: &Path, connections: usize, pace: &Pace) -> Outcome<Round> {
    let redis = Redis::start(below)?;
    let pipeline: String = (0..BATCH).map(pair).collect();
    let load = Load {
        connections,
        requests: vec![Template::new(pipeline)],
        answers: RespAnswers::of(2 * BATCH),
        events_per_request: BATCH as f64,
    };
    load.run(redis.address, pace, || machine::cpu(redis.process.0.id()))
}

fn rollup_and_value(number: usize) -> (String, String, &'static str) {
    let call = call(number);
    let rollup = format!("cost:2026-11-22:{}:{}", call.service, call.operation);
    (rollup, format!("{}:{}:{}", call.service, call.operation, call.amount_usd), call.amount_usd)
}

fn script(digest: &str, number: usize) -> String {
    let (rollup, value, amount) = rollup_and_value(number);
    command(&["EVALSHA", digest, "2", ID_PLACE, &rollup, &value, amount])
}

fn pair(number: usize) -> String {
    let (rollup, value, amount) = rollup_and_value(number);
    command(&["SET", ID_PLACE, &value, "NX"]) + &command(&["INCRBYFLOAT", &rollup, amount])
}

// === impl Redis ===

impl Redis {
    fn start(below: &Path) -> Outcome<Self> {
        let folder = tempfile::Builder::new().prefix("redis-").tempdir_in(below)?;
        let port = free_port()?;
        let child = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--dir"])
            .arg(folder.path())
            // No snapshots and no rewriting of the log in the middle of a round: both would only slow it.
            .args(["--save", "", "--appendonly", "yes", "--appendfsync", "always", "--auto-aof-rewrite-percentage", "0"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| format!("redis-server: {error}; scripts/bench installs it"))?;
        let mut process = Process(child);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        wait_for_listener(address, &mut process)?;
        Ok(Self { address, process, _folder: folder })
    }

    /// Makes the script known, and says under which digest.
    fn load_script(&self) -> Outcome<String> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.write_all(command(&["SCRIPT", "LOAD", SCRIPT]).as_bytes())?;
        let mut lines = BufReader::new(stream).lines();
        let (Some(length), Some(digest)) = (lines.next(), lines.next()) else { return Err("no digest".into()) };
        if length? == "$40" { Ok(digest?) } else { Err("Redis refused the script".into()) }
    }
}
