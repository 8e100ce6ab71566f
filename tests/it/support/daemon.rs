//! Daemons of Debian's that the agent works with: Prometheus and Alertmanager.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::{Client, tool, within};

const READY_MAX: Duration = Duration::from_secs(60);

/// A daemon of Debian's, killed when dropped.
pub struct Daemon {
    child: Child,
    pub addr: SocketAddr,
}

// === impl Daemon ===

impl Daemon {
    #[track_caller]
    pub fn alertmanager(config: &str, folder: &Path) -> Self {
        let storage = folder.join("alertmanager").display().to_string();
        Self::start("prometheus-alertmanager", config, folder, &["--cluster.listen-address=", "--storage.path", &storage])
    }

    #[track_caller]
    pub fn prometheus(config: &str, folder: &Path) -> Self {
        Self::start("prometheus", config, folder, &["--storage.tsdb.path", &folder.join("tsdb").display().to_string()])
    }

    /// Starts it, and waits until it says that it is ready.
    #[track_caller]
    fn start(name: &str, config: &str, folder: &Path, arguments: &[&str]) -> Self {
        let file = folder.join(format!("{name}.yaml"));
        fs::write(&file, config).unwrap();
        let log = folder.join(format!("{name}.log"));
        // Free a moment ago; should somebody else take it, the daemon ends and the wait below says so.
        let addr = free_addr();
        let mut command = Command::new(tool(name));
        command.arg(format!("--config.file={}", file.display())).arg(format!("--web.listen-address={addr}"));
        command.args(arguments).current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null());
        let mut daemon = Self { child: command.stderr(File::create(&log).unwrap()).spawn().unwrap(), addr };
        within(READY_MAX, name, || {
            let said = fs::read_to_string(&log).unwrap();
            assert!(daemon.child.try_wait().unwrap().is_none(), "{name} ended: {said}");
            Client::new(addr).request("GET", "/-/ready", &[], b"").is_ok_and(|answer| answer.status == 200).then_some(())
        });
        daemon
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn free_addr() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}
