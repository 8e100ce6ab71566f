//! The program as it is shipped, in a process and a folder of its own.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::site::Site;
use crate::{Outcome, http, machine};

/// Longest wait for a start.
const START_MAX: Duration = Duration::from_secs(60);
/// Longest wait for the end after SIGTERM.
const STOP_MAX: Duration = Duration::from_secs(15);
/// Between two looks at what is waited for.
const LOOK_AGAIN: Duration = Duration::from_micros(500);

/// A running agent. Killed when dropped.
pub struct Agent {
    pub address: SocketAddr,
    /// From the start of the process until it answered that it is ready.
    pub ready_after: Duration,
    process: Process,
    /// Removed after the process has ended.
    _folder: Option<TempDir>,
}

/// A child that does not outlive the bench.
pub struct Process(pub Child);

/// A port that nobody listens on now.
pub fn free_port() -> Outcome<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Waits until something accepts connections.
pub fn wait_for_listener(address: SocketAddr, process: &mut Process) -> Outcome<()> {
    process.wait_until("it listens", || TcpStream::connect(address).is_ok())
}

// === impl Agent ===

impl Agent {
    /// Starts on an empty ledger in a new folder.
    pub fn start_empty(site: &Site) -> Outcome<Self> {
        let folder = tempfile::Builder::new().prefix("agent-").tempdir_in(&site.folder)?;
        let mut agent = Self::start_on(&site.program, &folder.path().join("ledger.db"))?;
        agent._folder = Some(folder);
        Ok(agent)
    }

    /// The same with a settings file.
    pub fn start_with(site: &Site, settings: &str) -> Outcome<Self> {
        let folder = tempfile::Builder::new().prefix("agent-").tempdir_in(&site.folder)?;
        let file = folder.path().join("settings.toml");
        std::fs::write(&file, settings)?;
        let mut agent = Self::start(&site.program, &folder.path().join("ledger.db"), Some(&file))?;
        agent._folder = Some(folder);
        Ok(agent)
    }

    /// Starts on this ledger, and waits until it is ready.
    pub fn start_on(program: &Path, ledger: &Path) -> Outcome<Self> {
        Self::start(program, ledger, None)
    }

    fn start(program: &Path, ledger: &Path, settings: Option<&Path>) -> Outcome<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let folder = ledger.parent().map_or_else(PathBuf::new, Path::to_owned);
        let log = File::create(folder.join("agent.log"))?;
        let began = Instant::now();
        let child = Command::new(program)
            .arg("serve")
            .args(settings.into_iter().flat_map(|file| [Path::new("--config"), file]))
            .env_clear()
            .env("METRICS_HOST", address.ip().to_string())
            .env("METRICS_PORT", address.port().to_string())
            .env("DB_PATH", ledger)
            // Budgets that no load uses up: what is measured is saying yes.
            .env("DAILY_BUDGET", "1000000")
            .env("MONTHLY_BUDGET", "1000000")
            .current_dir(&folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let mut process = Process(child);
        let ready = http::get("/-/ready");
        process.wait_until("the agent is ready", || http::ask(address, &ready).is_ok())?;
        Ok(Self { address, ready_after: began.elapsed(), process, _folder: None })
    }

    pub fn pid(&self) -> u32 {
        self.process.0.id()
    }

    /// CPU used so far.
    pub fn cpu(&self) -> Outcome<Duration> {
        machine::cpu(self.pid())
    }

    /// SIGTERM, and waits for the end: the ledger's file is then complete by itself.
    pub fn stop(mut self) -> Outcome<()> {
        let pid = Pid::from_raw(i32::try_from(self.pid())?).ok_or("a process without an id")?;
        kill_process(pid, Signal::TERM)?;
        let began = Instant::now();
        while self.process.0.try_wait()?.is_none() {
            if began.elapsed() > STOP_MAX {
                return Err("the agent does not stop".into());
            }
            thread::sleep(LOOK_AGAIN);
        }
        Ok(())
    }
}

// === impl Process ===

impl Process {
    /// Waits for a state of a process that must go on living meanwhile.
    pub fn wait_until(&mut self, what: &str, mut reached: impl FnMut() -> bool) -> Outcome<()> {
        let began = Instant::now();
        while !reached() {
            if let Some(status) = self.0.try_wait()? {
                return Err(format!("the process ended before {what}: {status}").into());
            }
            if began.elapsed() > START_MAX {
                return Err(format!("waited too long until {what}").into());
            }
            thread::sleep(LOOK_AGAIN);
        }
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
