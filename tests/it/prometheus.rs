//! The real Prometheus, as Debian ships it, scrapes the agent; promtool reads its metrics.

use std::fs;
use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::support::{Client, Setup, TestAgent, amounts_in, nearest_float, tool, within};

struct Prometheus {
    child: Child,
    addr: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Prometheus {
    #[track_caller]
    fn scraping(agent: &TestAgent) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("prometheus.yml");
        let text = format!(
            "global: {{scrape_interval: 1s}}\nscrape_configs:\n- job_name: agent\n  static_configs: [{{targets: ['{}']}}]\n",
            agent.addr()
        );
        fs::write(&config, text).unwrap();
        // Free a moment ago; should somebody else take it, Prometheus ends and the wait below says so.
        let addr = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut child = Command::new(tool("prometheus"))
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("tsdb").display()))
            .arg(format!("--web.listen-address={addr}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(folder.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        within(Duration::from_secs(60), "Prometheus is ready", || {
            let log = fs::read_to_string(folder.path().join("log")).unwrap();
            assert!(child.try_wait().unwrap().is_none(), "Prometheus ended: {log}");
            Client::new(addr).request("GET", "/-/ready", &[], b"").is_ok_and(|answer| answer.status == 200).then_some(())
        });
        Self { child, addr, _folder: folder }
    }

    /// The value of an instant query that selects one series.
    fn query(&self, metric: &str) -> Option<f64> {
        let answer = Client::new(self.addr).get(&format!("/api/v1/query?query={metric}")).expect(200).json();
        answer["data"]["result"][0]["value"][1].as_str()?.parse().ok()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn prometheus_reads_the_numbers_that_rest_shows() {
    let agent = Setup::new().start();
    agent
        .costs(r#"[{"service":"openai","operation":"chat","amount_usd":0.1},{"service":"openai","operation":"chat","amount_usd":0.2},
                   {"service":"a \"b\" \\ c","amount_usd":"0.000000000001","model":"m","usage":{"tokens":7},"duration_seconds":0.5}]"#)
        .expect(200);
    let prometheus = Prometheus::scraping(&agent);
    let daily = amounts_in(&agent.get("/costs/daily"));
    for (metric, expected) in [
        ("lead_factory_daily_cost{service=\"openai\"}", nearest_float(&daily["openai"])),
        ("lead_factory_daily_cost{service=\"a%20\\\"b\\\"%20\\\\%20c\"}", 1e-12),
        ("lead_factory_cost_usd_total{service=\"openai\",operation=\"chat\"}", 0.3),
        ("lead_factory_scaling_gate_active", 0.0),
        ("lead_factory_usage_total", 7.0),
        ("up", 1.0),
    ] {
        let found = within(Duration::from_secs(30), metric, || prometheus.query(metric));
        assert_eq!(found.to_bits(), expected.to_bits(), "{metric}: {found} and {expected}");
    }
}

/// Names that the first exporter fixed and that promtool would rather see otherwise.
const SEED_NAMES: [&str; 4] = [
    "lead_factory_daily_cost",
    "lead_factory_monthly_cost",
    "lead_factory_budget_utilization",
    "lead_factory_scaling_gate_active",
];

#[test]
fn promtool_has_nothing_to_say_but_about_the_seed_names() {
    let agent = Setup::new().start();
    agent
        .costs(r#"{"service":"openai","amount_usd":0.1,"model":"m","usage":{"tokens":7},"duration_seconds":0.5}"#)
        .expect(200);
    agent.costs(r#"{"service":"openai","amount_usd":-0.1,"kind":"credit"}"#).expect(200);
    let text = agent.get("/metrics").expect(200).body;
    let mut promtool = Command::new(tool("promtool"))
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    promtool.stdin.take().unwrap().write_all(&text).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    let unexpected: Vec<&str> =
        said.lines().filter(|line| !SEED_NAMES.iter().any(|name| line.split(' ').next() == Some(*name))).collect();
    assert!(unexpected.is_empty(), "promtool: {unexpected:#?}");
}
