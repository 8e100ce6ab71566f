//! PostgreSQL with `synchronous_commit = on`, doing the same work: one statement inserts the event, unless its id is known, and
//! adds it to its rollup. Driven by pgbench, with prepared statements, over TCP.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::agent::{Process, free_port, wait_for_listener};
use crate::events::{PAIRS, call};
use crate::load::percentile_ms;
use crate::trial::{Figure, Pace, Round};
use crate::{Outcome, machine};

/// Where Debian keeps its versions.
const VERSIONS: &str = "/usr/lib/postgresql";
/// Whom PostgreSQL runs as when the bench is root.
const USER: &str = "postgres";
/// Longest wait for its end.
const STOP_MAX: Duration = Duration::from_secs(5);
const LOOK_AGAIN: Duration = Duration::from_millis(5);
const SCHEMA: &str = "
    CREATE TABLE event (id uuid PRIMARY KEY, recorded_at timestamptz NOT NULL DEFAULT now(), service text NOT NULL,
        operation text NOT NULL, amount_usd numeric NOT NULL);
    CREATE TABLE rollup (day date, service text, operation text, amount_usd numeric NOT NULL, events bigint NOT NULL,
        PRIMARY KEY (day, service, operation));";

/// A server with the tables, used by all rounds, each of which empties them.
pub struct Postgres {
    programs: PathBuf,
    folder: PathBuf,
    address: SocketAddr,
    user: Option<(u32, u32)>,
    process: Process,
}

// === impl Postgres ===

impl Postgres {
    pub fn start(below: &Path) -> Outcome<Self> {
        let programs = newest_version()?;
        let folder = below.join("postgres");
        fs::create_dir(&folder)?;
        let user = if rustix::process::geteuid().is_root() { Some(ids_of(USER)?) } else { None };
        if let Some((user, group)) = user {
            std::os::unix::fs::chown(&folder, Some(user), Some(group))?;
        }
        let cluster = folder.join("cluster");
        let mut initdb = as_user(user, &programs.join("initdb"), &folder);
        finish(initdb.arg("-D").arg(&cluster).args(["-A", "trust", "-U", USER, "--no-sync"]))?;

        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let child = as_user(user, &programs.join("postgres"), &folder)
            .arg("-D")
            .arg(&cluster)
            .args([
                "-p",
                &address.port().to_string(),
                "-c",
                "listen_addresses=127.0.0.1",
                "-c",
                "max_connections=1000",
                "-c",
            ])
            .arg("unix_socket_directories=")
            .stdout(Stdio::null())
            .stderr(fs::File::create(folder.join("server.log"))?)
            .spawn()?;
        let mut process = Process(child);
        wait_for_listener(address, &mut process)?;
        let postgres = Self { programs, folder, address, user, process };
        // It listens a moment before it answers.
        let mut tries = 0;
        while let Err(error) = postgres.query(SCHEMA) {
            tries += 1;
            if tries > 50 {
                return Err(error);
            }
            thread::sleep(Duration::from_millis(100));
        }
        fs::write(postgres.script(), postgres.transaction())?;
        Ok(postgres)
    }

    /// One round of single events.
    pub fn single_round(&self, connections: usize, pace: &Pace) -> Outcome<Round> {
        self.query("TRUNCATE event, rollup")?;
        self.pgbench(connections, pace.warm_up.as_secs_f64())?;
        self.query("TRUNCATE event, rollup")?;
        self.query("CHECKPOINT")?;
        rustix::fs::sync();
        let pid = self.process.0.id();
        let cpu = machine::cpu_of_family(pid)?;
        let said = self.pgbench(connections, pace.measure.as_secs_f64())?;
        let cpu = machine::cpu_of_family(pid)?.saturating_sub(cpu);
        let count = number_after(&said, "number of transactions actually processed:")?;
        if number_after(&said, "number of failed transactions:")? > 0.0 {
            return Err(said.into());
        }
        let latencies = latencies(&self.folder)?;
        Ok(Round::from([
            (Figure::Rate, number_after(&said, "tps =")?),
            (Figure::P50, percentile_ms(&latencies, 0.50)),
            (Figure::P99, percentile_ms(&latencies, 0.99)),
            (Figure::Cpu, cpu.as_secs_f64() * 1e6 / count),
            (Figure::Count, count),
        ]))
    }

    /// The statement that records one event under a random id.
    fn transaction(&self) -> String {
        let list = |pick: fn(usize) -> &'static str| {
            (0..PAIRS).map(|number| format!("'{}'", pick(number))).collect::<Vec<_>>().join(",")
        };
        let (services, operations) = (list(|number| call(number).service), list(|number| call(number).operation));
        let amounts = list(|number| call(number).amount_usd);
        format!(
            "\\set pair random(1, {PAIRS})\n\
             WITH new AS (INSERT INTO event (id, service, operation, amount_usd) VALUES (gen_random_uuid(), \
             (ARRAY[{services}])[:pair], (ARRAY[{operations}])[:pair], (ARRAY[{amounts}]::numeric[])[:pair]) \
             ON CONFLICT (id) DO NOTHING RETURNING service, operation, amount_usd) \
             INSERT INTO rollup SELECT current_date, service, operation, amount_usd, 1 FROM new \
             ON CONFLICT (day, service, operation) DO UPDATE \
             SET amount_usd = rollup.amount_usd + excluded.amount_usd, events = rollup.events + 1;\n"
        )
    }

    fn script(&self) -> PathBuf {
        self.folder.join("record.sql")
    }

    fn pgbench(&self, connections: usize, seconds: f64) -> Outcome<String> {
        // It counts whole seconds only.
        let seconds = seconds.ceil().max(1.0);
        for old in latency_logs(&self.folder)? {
            fs::remove_file(old)?;
        }
        let mut command = as_user(self.user, &self.programs.join("pgbench"), &self.folder);
        command.args(["-n", "-M", "prepared", "-j", "1", "-c", &connections.to_string(), "-T", &seconds.to_string()]);
        command.args(["-l", "--sampling-rate=0.05", "-f"]).arg(self.script());
        finish(self.to_server(&mut command))
    }

    /// Where it is reached.
    pub fn url(&self) -> String {
        format!("postgres://{USER}@{}/{USER}?sslmode=disable", self.address)
    }

    /// What statements answer.
    pub fn query(&self, text: &str) -> Outcome<String> {
        let mut command = as_user(self.user, &self.programs.join("psql"), &self.folder);
        finish(self.to_server(command.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", text])))
    }

    fn to_server<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        let port = self.address.port().to_string();
        command.env("PGHOST", self.address.ip().to_string()).env("PGPORT", port).env("PGUSER", USER).env("PGDATABASE", USER)
    }
}

impl Drop for Postgres {
    /// An orderly end: a killed server leaves its children and its shared memory to themselves for a moment.
    fn drop(&mut self) {
        let pid = i32::try_from(self.process.0.id()).ok().and_then(Pid::from_raw);
        // What does not work here is done by the process's own drop.
        if pid.is_some_and(|pid| kill_process(pid, Signal::INT).is_ok()) {
            let began = Instant::now();
            while began.elapsed() < STOP_MAX && matches!(self.process.0.try_wait(), Ok(None)) {
                thread::sleep(LOOK_AGAIN);
            }
        }
    }
}

/// A program in the folder, as the user who may run it.
fn as_user(user: Option<(u32, u32)>, program: &Path, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder).stdin(Stdio::null()).env("LC_ALL", "C");
    if let Some((user, group)) = user {
        command.uid(user).gid(group);
    }
    command
}

fn finish(command: &mut Command) -> Outcome<String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if !output.status.success() {
        return Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

fn newest_version() -> Outcome<PathBuf> {
    let missing = format!("no PostgreSQL in {VERSIONS}; scripts/bench installs it");
    let mut versions: Vec<u32> = fs::read_dir(VERSIONS)
        .map_err(|_| missing.clone())?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|version: &u32| Path::new(VERSIONS).join(version.to_string()).join("bin/pgbench").exists())
        .collect();
    versions.sort_unstable();
    let newest = versions.last().ok_or(missing)?;
    Ok(Path::new(VERSIONS).join(newest.to_string()).join("bin"))
}

fn ids_of(name: &str) -> Outcome<(u32, u32)> {
    let users = fs::read_to_string("/etc/passwd")?;
    let line = users.lines().find(|line| line.split(':').next() == Some(name)).ok_or("no user postgres")?;
    let fields: Vec<&str> = line.split(':').collect();
    let id = |place: usize| -> Outcome<u32> { Ok(fields.get(place).ok_or("a short line in /etc/passwd")?.parse()?) };
    Ok((id(2)?, id(3)?))
}

fn number_after(text: &str, words: &str) -> Outcome<f64> {
    let (_, rest) = text.split_once(words).ok_or_else(|| format!("pgbench did not say {words:?}: {text}"))?;
    let number = rest.split_whitespace().next().ok_or("nothing after it")?;
    Ok(number.split('/').next().unwrap_or(number).parse()?)
}

/// The sampled times to an answer, sorted.
fn latencies(folder: &Path) -> Outcome<Vec<Duration>> {
    let mut latencies = Vec::new();
    for log in latency_logs(folder)? {
        for line in fs::read_to_string(log)?.lines() {
            let latency_us = line.split(' ').nth(2).ok_or("a short line in pgbench's log")?;
            latencies.push(Duration::from_micros(latency_us.parse()?));
        }
    }
    latencies.sort_unstable();
    Ok(latencies)
}

fn latency_logs(folder: &Path) -> Outcome<Vec<PathBuf>> {
    let mut logs = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with("pgbench_log.") {
            logs.push(entry.path());
        }
    }
    Ok(logs)
}
