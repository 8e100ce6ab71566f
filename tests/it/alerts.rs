//! The alert rules in a real Prometheus, up to the webhook of a real Alertmanager.
//!
//! Guards against: rules on metrics that do not exist or never cross their bound, labels that a rule does not match.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::support::{Client, Receiver, Setup, run, tool, within};

const RULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/prometheus/alerts.yaml");
const READY_MAX: Duration = Duration::from_secs(60);
const FIRED_MAX: Duration = Duration::from_secs(60);

/// A daemon of Debian's, killed when dropped.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Daemon {
    /// Starts it, and waits until it says that it is ready.
    #[track_caller]
    fn start(name: &str, arguments: &[String], addr: SocketAddr, folder: &Path) -> Self {
        let log = folder.join(format!("{name}.log"));
        let mut command = Command::new(tool(name));
        command.args(arguments).current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null());
        let mut daemon = Self(command.stderr(File::create(&log).unwrap()).spawn().unwrap());
        within(READY_MAX, name, || {
            let said = fs::read_to_string(&log).unwrap();
            assert!(daemon.0.try_wait().unwrap().is_none(), "{name} ended: {said}");
            Client::new(addr).request("GET", "/-/ready", &[], b"").is_ok_and(|answer| answer.status == 200).then_some(())
        });
        daemon
    }
}

fn free_addr() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Whether Alertmanager has told of an alert with this name and status.
fn has_told(receiver: &Receiver, name: &str, status: &str) -> bool {
    receiver.posted().iter().any(|posted| {
        let body = posted.json();
        body["alerts"]
            .as_array()
            .unwrap()
            .iter()
            .any(|alert| alert["labels"]["alertname"] == name && alert["status"] == status)
    })
}

#[test]
fn overspending_reaches_the_webhook_of_a_real_alertmanager() {
    let folder = tempfile::tempdir().unwrap();
    let agent = Setup::new().env("DAILY_BUDGET", "10").env("MONTHLY_BUDGET", "12").start();
    let receiver = Receiver::that_answers(200);
    let (alertmanager, prometheus) = (free_addr(), free_addr());
    let write = |name: &str, text: String| {
        fs::write(folder.path().join(name), text).unwrap();
        folder.path().join(name).display().to_string()
    };
    let routes = write(
        "alertmanager.yml",
        format!(
            "route: {{receiver: hook, group_by: [alertname], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}}\n\
             receivers: [{{name: hook, webhook_configs: [{{url: '{}', send_resolved: true}}]}}]\n",
            receiver.url("/")
        ),
    );
    let scrapes = write(
        "prometheus.yml",
        format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: ['{RULES}']\n\
             alerting: {{alertmanagers: [{{static_configs: [{{targets: ['{alertmanager}']}}]}}]}}\n\
             scrape_configs: [{{job_name: agent, static_configs: [{{targets: ['{}']}}]}}]\n",
            agent.addr()
        ),
    );
    run("promtool", &["check", "rules", RULES]);
    let _alertmanager = Daemon::start(
        "prometheus-alertmanager",
        &[
            format!("--config.file={routes}"),
            format!("--web.listen-address={alertmanager}"),
            "--cluster.listen-address=".into(),
            format!("--storage.path={}", folder.path().join("alertmanager").display()),
        ],
        alertmanager,
        folder.path(),
    );
    let _prometheus = Daemon::start(
        "prometheus",
        &[
            format!("--config.file={scrapes}"),
            format!("--web.listen-address={prometheus}"),
            format!("--storage.tsdb.path={}", folder.path().join("tsdb").display()),
        ],
        prometheus,
        folder.path(),
    );
    let told = |name: &str, status: &str| has_told(&receiver, name, status);
    agent.costs(r#"{"id":"a","service":"openai","amount_usd":8.5}"#).expect(200);
    within(FIRED_MAX, "the day's alert", || told("HighDailyBudgetUtilization", "firing").then_some(()));
    assert!(!told("HighMonthlyBudgetUtilization", "firing") && !told("ScalingGateActive", "firing"));
    agent.costs(r#"{"id":"b","service":"openai","amount_usd":2.5}"#).expect(200);
    within(FIRED_MAX, "the month's alert", || told("HighMonthlyBudgetUtilization", "firing").then_some(()));
    within(FIRED_MAX, "the gate's alert", || told("ScalingGateActive", "firing").then_some(()));
    agent.costs(r#"{"id":"c","service":"openai","kind":"credit","amount_usd":-9}"#).expect(200);
    for name in ["HighDailyBudgetUtilization", "HighMonthlyBudgetUtilization", "ScalingGateActive"] {
        within(FIRED_MAX, "the alert is resolved", || told(name, "resolved").then_some(()));
    }
}
