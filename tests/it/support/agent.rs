//! The built program as a fixture: its own folder, a free port, its log at hand when a test fails.

use std::ffi::OsString;
use std::fs::{self, File};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::{Client, Exposition, Response, program, within};

/// Longest wait for a start; generous because tests share two cores with each other.
const START_MAX: Duration = Duration::from_secs(30);
/// Longest wait for the end after SIGTERM: the promised 10 s and some room for a busy machine.
const STOP_MAX: Duration = Duration::from_secs(15);

/// How to start the program. Cloning shares the folder: a clone started later runs on the same ledger.
#[derive(Clone)]
pub struct Setup {
    folder: Arc<TempDir>,
    ledger: PathBuf,
    environment: Vec<(String, OsString)>,
    settings: Vec<String>,
    flags: Vec<String>,
    wrapper: Vec<OsString>,
    runs: Arc<AtomicU32>,
}

/// A running agent. Killed when dropped.
pub struct TestAgent {
    child: Child,
    addr: SocketAddr,
    log: PathBuf,
    setup: Setup,
}

/// A start that did not become ready.
#[derive(Debug)]
pub struct Refused {
    pub status: ExitStatus,
    pub log: String,
}

// === impl Setup ===

impl Setup {
    /// Defaults, apart from a loopback address with a free port and a ledger in a new folder.
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("lead-factory-").tempdir().unwrap();
        let ledger = folder.path().join("ledger.db");
        Self {
            folder: Arc::new(folder),
            ledger,
            environment: Vec::new(),
            settings: Vec::new(),
            flags: Vec::new(),
            wrapper: Vec::new(),
            runs: Arc::default(),
        }
    }

    /// Sets an environment variable; a later one of the same name wins.
    pub fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    /// Adds a line to the settings file.
    pub fn setting(mut self, line: impl Into<String>) -> Self {
        self.settings.push(line.into());
        self
    }

    /// Adds a flag, its name without the dashes; a later one of the same name wins.
    pub fn flag(mut self, name: &str, value: &str) -> Self {
        self.flags.retain(|flag| !flag.starts_with(&format!("--{name}=")));
        self.flags.push(format!("--{name}={value}"));
        self
    }

    /// Has the wall clock stand still at this time in UTC, as in `2026-11-20 12:00:00`, until the file [`Setup::wall_clock`] says
    /// another one; the monotonic clock runs.
    #[track_caller]
    pub fn with_wall_clock(self, utc: &str) -> Self {
        let clock = self.wall_clock();
        fs::write(&clock, utc).unwrap();
        self.env("LD_PRELOAD", libfaketime())
            .env("FAKETIME_TIMESTAMP_FILE", clock)
            .env("FAKETIME_NO_CACHE", "1")
            .env("DONT_FAKE_MONOTONIC", "1")
            .env("TZ", "UTC")
    }

    /// What the wall clock shows, if [`Setup::with_wall_clock`] was asked for one.
    pub fn wall_clock(&self) -> PathBuf {
        self.folder.path().join("clock")
    }

    /// Starts the program through another command, which must become the program (`exec`) or trace it as a grandchild.
    pub fn wrapped_in<Part: Into<OsString>>(mut self, command: impl IntoIterator<Item = Part>) -> Self {
        self.wrapper = command.into_iter().map(Into::into).collect();
        self
    }

    /// Starts the program with some of its system calls tampered with: `fsync:error=EIO:when=3`.
    pub fn with_injected_faults(self, faults: &[&str]) -> Self {
        super::tool("strace");
        let calls: Vec<&str> = faults.iter().filter_map(|fault| fault.split(':').next()).collect();
        let mut command: Vec<OsString> =
            ["strace", "-D", "-f", "-q", "-o", "/dev/null", "-e"].into_iter().map(Into::into).collect();
        command.push(format!("trace={}", calls.join(",")).into());
        for fault in faults {
            command.push("-e".into());
            command.push(format!("inject={fault}").into());
        }
        self.wrapped_in(command)
    }

    pub fn ledger_at(mut self, path: impl Into<PathBuf>) -> Self {
        self.ledger = path.into();
        self
    }

    pub fn ledger(&self) -> &Path {
        &self.ledger
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts, and waits until the agent is ready.
    #[track_caller]
    pub fn start(&self) -> TestAgent {
        self.try_start().unwrap_or_else(|refused| panic!("did not start: {}\n{}", refused.status, refused.log))
    }

    /// Starts, and waits until the agent is ready or has ended.
    #[track_caller]
    pub fn try_start(&self) -> Result<TestAgent, Refused> {
        let mut agent = self.spawn();
        let ended = within(START_MAX, "the agent is ready or has ended", || {
            if let Some(status) = agent.child.try_wait().unwrap() {
                return Some(Some(status));
            }
            agent.addr = agent.address_in_log()?;
            let ready = Client::new(agent.addr).request("GET", "/-/ready", &[], b"");
            // One that asks for TLS or for a login is ready to be asked so.
            ready.is_ok_and(|answer| matches!(answer.status, 200 | 400 | 401)).then_some(None)
        });
        match ended {
            None => Ok(agent),
            Some(status) => Err(Refused { status, log: agent.log() }),
        }
    }

    /// Starts and does not wait.
    #[track_caller]
    pub fn spawn(&self) -> TestAgent {
        let run = self.runs.fetch_add(1, Ordering::Relaxed);
        let log = self.folder.path().join(format!("run-{run}.log"));
        let config = self.folder.path().join("settings.toml");
        fs::write(&config, self.settings.join("\n")).unwrap();
        let output = File::create(&log).unwrap();
        let mut command = self.command();
        command.arg("serve").arg("--config").arg(config).args(&self.flags);
        command.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        TestAgent { child, addr: SocketAddr::from(([127, 0, 0, 1], 0)), log, setup: self.clone() }
    }

    /// The program (in its wrapper) with this setup's environment and nothing of the developer's.
    fn command(&self) -> Command {
        let mut parts = self.wrapper.iter();
        let mut command = match parts.next() {
            Some(first) => Command::new(first),
            None => Command::new(program()),
        };
        if !self.wrapper.is_empty() {
            command.args(parts).arg(program());
        }
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).current_dir(self.folder.path());
        command.env("METRICS_HOST", "127.0.0.1").env("METRICS_PORT", "0").env("DB_PATH", &self.ledger);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs another verb with the same environment, outside of any wrapper, and waits for its end.
    #[track_caller]
    pub fn verb(&self, arguments: &[&str]) -> Output {
        let bare = Self { wrapper: Vec::new(), ..self.clone() };
        bare.command().args(arguments).stdin(Stdio::null()).output().unwrap()
    }

    /// Checks the ledger's file and says what `verify` answered.
    #[track_caller]
    pub fn verify(&self) -> Output {
        self.verb(&["verify"])
    }

    #[track_caller]
    pub fn assert_verifies(&self) {
        let checked = self.verify();
        let said = [checked.stdout.as_slice(), checked.stderr.as_slice()].concat();
        assert!(checked.status.success(), "verify: {}\n{}", checked.status, String::from_utf8_lossy(&said));
    }
}

#[track_caller]
fn libfaketime() -> PathBuf {
    let folders = fs::read_dir("/usr/lib").unwrap().filter_map(Result::ok).map(|entry| entry.path());
    folders
        .map(|folder| folder.join("faketime/libfaketimeMT.so.1"))
        .find(|library| library.exists())
        .expect("this test needs libfaketime; scripts/test installs it (Debian package faketime)")
}

// === impl TestAgent ===

impl TestAgent {
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    pub fn client(&self) -> Client {
        Client::new(self.addr)
    }

    #[track_caller]
    pub fn get(&self, path: &str) -> Response {
        self.client().get(path)
    }

    /// Posts to `/costs` as JSON.
    #[track_caller]
    pub fn costs(&self, body: impl AsRef<[u8]>) -> Response {
        self.client().costs(body)
    }

    #[track_caller]
    pub fn metrics(&self) -> Exposition {
        Exposition::parse(&self.get("/metrics").expect(200).text())
    }

    /// A verb that talks to this agent.
    #[track_caller]
    pub fn cli(&self, arguments: &[&str]) -> Output {
        self.setup.verb(&[arguments, &["--url", &self.url()]].concat())
    }

    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A line of `/proc/<pid>/status` in KiB, such as `VmHWM`.
    #[track_caller]
    pub fn status_kib(&self, field: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with(field)).unwrap_or_else(|| panic!("{field} in {status}"));
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Whether the process still lives.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// SIGKILL, and waits for the end.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// SIGHUP: the settings are read again.
    pub fn hang_up(&self) {
        self.signal(Signal::HUP);
    }

    pub fn send_term(&self) {
        self.signal(Signal::TERM);
    }

    /// Does something while the process stands still.
    pub fn while_stopped<T>(&self, act: impl FnOnce() -> T) -> T {
        self.signal(Signal::STOP);
        let done = act();
        self.signal(Signal::CONT);
        done
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.pid()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// SIGTERM, and waits for the end.
    #[track_caller]
    pub fn terminate(&mut self) -> ExitStatus {
        self.send_term();
        self.wait_for_end(STOP_MAX)
    }

    #[track_caller]
    pub fn wait_for_end(&mut self, limit: Duration) -> ExitStatus {
        within(limit, "the agent ends", || self.child.try_wait().unwrap())
    }

    /// Asserts that the agent is as well as a new one, and that nothing in it panicked.
    #[track_caller]
    pub fn assert_healthy(&self) {
        assert_eq!(self.get("/health").expect(200).text(), r#"{"status":"healthy"}"#);
        assert!(!self.log().contains("panic"), "{}", self.log());
    }

    fn address_in_log(&self) -> Option<SocketAddr> {
        let log = self.log();
        let line = log.lines().find(|line| line.to_ascii_lowercase().contains("listening"))?;
        let mut addr: SocketAddr = line
            .split(|char: char| !(char.is_ascii_hexdigit() || ".:[]".contains(char)))
            .find_map(|word| word.parse().ok().filter(|addr: &SocketAddr| addr.port() != 0))?;
        if addr.ip().is_unspecified() {
            addr.set_ip(IpAddr::V4(Ipv4Addr::LOCALHOST));
        }
        Some(addr)
    }
}

impl Drop for TestAgent {
    fn drop(&mut self) {
        self.kill();
        if thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let tail = &lines[lines.len().saturating_sub(40)..];
            eprintln!("--- the agent's log ends:\n{}\n---", tail.join("\n"));
        }
    }
}
