//! A real Prometheus and a real Alertmanager over one agent, with the shipped scrape config, rules and recording rules.
//!
//! Only times and addresses are other ones: everything is looked at each second, and an alert that waits (`for:`) waits a second.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use crate::support::{Daemon, Receiver, replaced, within};

/// Scrape, evaluation, waiting time of the rule, group interval: a second each; the rest is for a busy machine.
pub const TOLD_MAX: Duration = Duration::from_secs(60);

/// Prometheus, Alertmanager, and who is told.
pub struct Watch {
    receiver: Receiver,
    _daemons: [Daemon; 2],
    _folder: TempDir,
}

// === impl Watch ===

impl Watch {
    /// Watches the agent at this address, and the ones that come after it there.
    #[track_caller]
    pub fn over(agent: SocketAddr) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let receiver = Receiver::that_answers(200);
        // Without the shipped inhibitions: here each alert is to be seen.
        let routes = format!(
            "route: {{receiver: hook, group_by: [alertname], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}}\n\
             receivers: [{{name: hook, webhook_configs: [{{url: '{}', send_resolved: true}}]}}]\n",
            receiver.url("/")
        );
        let alertmanager = Daemon::alertmanager(&routes, folder.path());
        let scrapes = shipped("prometheus/prometheus.yaml");
        let scrapes = replaced(&scrapes, "_interval: 15s", "_interval: 1s");
        let scrapes = replaced(&scrapes, "\"localhost:8000\"", &format!("\"{agent}\""));
        let scrapes = replaced(&scrapes, "localhost:9093", &alertmanager.addr.to_string());
        fs::write(folder.path().join("recording.yaml"), shipped("prometheus/recording.yaml")).unwrap();
        fs::write(folder.path().join("alerts.yaml"), without_waiting(&shipped("prometheus/alerts.yaml"))).unwrap();
        let prometheus = Daemon::prometheus(&scrapes, folder.path());
        Self { receiver, _daemons: [prometheus, alertmanager], _folder: folder }
    }

    /// Whether an alert was told of, as `firing` or `resolved`.
    pub fn has_told(&self, name: &str, status: &str) -> bool {
        self.receiver.posted().iter().any(|posted| {
            let body = posted.json();
            let alerts = body["alerts"].as_array().unwrap();
            alerts.iter().any(|alert| alert["labels"]["alertname"] == name && alert["status"] == status)
        })
    }

    /// Waits until an alert is told of, with something to do between the looks.
    #[track_caller]
    pub fn tells_while(&self, name: &str, status: &str, mut act: impl FnMut()) {
        within(TOLD_MAX, &format!("{name} is {status}"), || {
            act();
            self.has_told(name, status).then_some(())
        });
    }

    #[track_caller]
    pub fn tells(&self, name: &str, status: &str) {
        self.tells_while(name, status, || {});
    }
}

/// A file of `deploy/`.
#[track_caller]
pub fn shipped(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(path)).unwrap()
}

/// Rules whose alerts wait a second where they say `for:`.
fn without_waiting(rules: &str) -> String {
    let line =
        |line: &str| if line.trim_start().starts_with("for: ") { "        for: 1s".to_owned() } else { line.to_owned() };
    rules.lines().map(line).collect::<Vec<_>>().join("\n") + "\n"
}
