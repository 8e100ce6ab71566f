//! The client of the agent's HTTP surface.
//!
//! *Limits.* [`CONNECT_TIMEOUT`], [`ANSWER_TIMEOUT`], [`ANSWER_BYTES_MAX`]; redirects are not followed. Proxies of the environment
//! are for the world outside: an agent on this host is asked directly.

use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use reqwest::blocking::{Client as HttpClient, RequestBuilder, Response};
use reqwest::{StatusCode, Url};
use serde::Deserialize;

use super::Failure;
use super::args::AgentArgs;
use super::output::printable;
use crate::config::{self, Sources};
use crate::error_chain::ErrorChain;

/// How long a connection may take to come about.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an answer may take: groupings that read the ledger take time with the period's events.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// Largest answer that is read: 400 days of 10,000 names each stay below it.
pub const ANSWER_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// Lines that are shown of a problem's list.
const ERRORS_SHOWN_MAX: usize = 20;

/// A connection to one agent.
#[derive(Debug)]
pub struct Client {
    http: HttpClient,
    base: Url,
}

/// Why there is no answer of the kind asked for.
#[derive(Debug)]
pub enum ClientError {
    /// Nobody listens there: nothing was sent.
    NotReached(String),
    /// It is not known what became of the request.
    AnswerLost(String),
    /// The agent asks to send the same again.
    TryAgain {
        /// What it said.
        said: String,
        /// The pause it asks for.
        after: Option<Duration>,
    },
    /// The agent said no; the same request gets the same answer.
    Refused(String),
}

/// RFC 9457, as far as it is shown.
#[derive(Deserialize)]
struct Problem {
    #[serde(default)]
    title: String,
    /// `reason` in the answers to probes.
    #[serde(default, alias = "reason")]
    detail: String,
    #[serde(default)]
    errors: Vec<ProblemItem>,
}

#[derive(Deserialize)]
struct ProblemItem {
    #[serde(default)]
    field: Option<String>,
    #[serde(default)]
    detail: String,
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::NotReached(said) | ClientError::AnswerLost(said) | ClientError::Refused(said) => Self::Failed(said),
            ClientError::TryAgain { said, .. } => Self::Failed(format!("{said}; try again later")),
        }
    }
}

impl Client {
    /// A client of the agent that the arguments or the settings name.
    pub fn new(agent: &AgentArgs, process: &Sources, timeout: Duration) -> Result<Self, Failure> {
        let base = match &agent.url {
            Some(url) => parse_url(url)?,
            None => local_url(config::load_address(process)?)?,
        };
        let mut builder = HttpClient::builder()
            .connect_timeout(CONNECT_TIMEOUT.min(timeout))
            .timeout(timeout)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("lead-factory-metrics/", env!("CARGO_PKG_VERSION")));
        if is_loopback(&base) {
            builder = builder.no_proxy();
        }
        if base.scheme() == "http" {
            // Without TLS no certificates are needed; small images have none, and looking for them would fail.
            builder = builder.tls_certs_only([]);
        }
        let http = builder
            .build()
            .map_err(|error| Failure::Failed(format!("the HTTP client cannot start: {}", ErrorChain(&error))))?;
        Ok(Self { http, base })
    }

    /// The agent's answer to a GET.
    pub fn get(&self, path: &str, query: &[(&str, String)]) -> Result<String, ClientError> {
        let mut url = self.url(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        self.send(self.http.get(url))
    }

    /// The agent's answer to a GET of one item of a list, whatever its id looks like.
    pub fn get_item(&self, path: &str, id: &str) -> Result<String, ClientError> {
        self.send(self.http.get(item_url(self.url(path), id)))
    }

    /// The agent's answer to a POST of JSON.
    pub fn post(&self, path: &str, token: Option<&str>, body: String) -> Result<String, ClientError> {
        self.write(self.http.post(self.url(path)), token, body)
    }

    /// The agent's answer to a PUT of JSON.
    pub fn put(&self, path: &str, token: Option<&str>, body: String) -> Result<String, ClientError> {
        self.write(self.http.put(self.url(path)), token, body)
    }

    fn write(&self, request: RequestBuilder, token: Option<&str>, body: String) -> Result<String, ClientError> {
        let request = request.header("content-type", "application/json").body(body);
        self.send(match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        })
    }

    fn url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path().trim_end_matches('/')));
        url
    }

    fn send(&self, request: RequestBuilder) -> Result<String, ClientError> {
        let response = request.send().map_err(|error| self.no_answer(&error))?;
        let status = response.status();
        let after = retry_after(&response);
        let body = self.body(response)?;
        if status.is_success() {
            return Ok(body);
        }
        let said = problem_text(status, &body);
        match status {
            StatusCode::SERVICE_UNAVAILABLE => Err(ClientError::TryAgain { said, after }),
            _ => Err(ClientError::Refused(said)),
        }
    }

    fn body(&self, response: Response) -> Result<String, ClientError> {
        let mut bytes = Vec::new();
        let lost = |reason: String| ClientError::AnswerLost(format!("the answer of {} was cut off: {reason}", self.base));
        response.take(ANSWER_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|error| lost(error.to_string()))?;
        if bytes.len() as u64 > ANSWER_BYTES_MAX {
            return Err(lost(format!("it is larger than {ANSWER_BYTES_MAX} bytes")));
        }
        String::from_utf8(bytes).map_err(|_| lost("it is not UTF-8 text".into()))
    }

    fn no_answer(&self, error: &reqwest::Error) -> ClientError {
        if error.is_connect() {
            let cause = if error.is_timeout() { "it did not answer in time".into() } else { root(error) };
            ClientError::NotReached(format!("agent not reached at {}: {cause}; is it running?", self.base))
        } else if error.is_timeout() {
            ClientError::AnswerLost(format!("agent at {} did not answer in time", self.base))
        } else {
            ClientError::AnswerLost(format!("no answer from {}: {}", self.base, root(error)))
        }
    }
}

fn parse_url(text: &str) -> Result<Url, Failure> {
    let wrong = || Failure::Usage("--url is not an address such as http://127.0.0.1:8000".into());
    let url = Url::parse(text).map_err(|_| wrong())?;
    let plain = matches!(url.scheme(), "http" | "https") && url.query().is_none() && url.fragment().is_none();
    // A password would be repeated in every message; the agent has no use for one.
    let plain = plain && url.username().is_empty() && url.password().is_none();
    if plain && url.has_host() { Ok(url) } else { Err(wrong()) }
}

/// The address of an item of the list at `url`. Slashes in its id are encoded.
fn item_url(mut url: Url, id: &str) -> Url {
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.push(id);
    }
    url
}

/// Where an agent that listens on `listen` is reached from its own host.
fn local_url(listen: SocketAddr) -> Result<Url, Failure> {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    if listen.port() == 0 {
        return Err(Failure::Usage("with METRICS_PORT 0 the agent takes a free port: name it with --url".into()));
    }
    parse_url(&format!("http://{}", SocketAddr::new(ip, listen.port())))
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// What the agent said, for a person.
fn problem_text(status: StatusCode, body: &str) -> String {
    let Ok(problem) = serde_json::from_str::<Problem>(body) else {
        return format!("the agent answered {status}");
    };
    let mut text = match (problem.title.is_empty(), problem.detail.is_empty()) {
        (false, false) => format!("{} ({}): {}", problem.title, status.as_u16(), problem.detail),
        (false, true) => format!("{} ({})", problem.title, status.as_u16()),
        (true, false) => format!("{status}: {}", problem.detail),
        (true, true) => format!("the agent answered {status}"),
    };
    text = printable(&text);
    for item in problem.errors.iter().take(ERRORS_SHOWN_MAX) {
        let field = item.field.as_deref().filter(|field| !item.detail.starts_with(field));
        let field = field.map(|field| format!("{field}: ")).unwrap_or_default();
        text += &format!("\n  {}", printable(&format!("{field}{}", item.detail)));
    }
    text
}

fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get("retry-after")?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// The innermost reason: the ones around it only say that a request failed.
fn root(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_that_listens_everywhere_is_asked_on_loopback() {
        for (listen, url) in [
            ("0.0.0.0:8000", "http://127.0.0.1:8000/"),
            ("[::]:8000", "http://[::1]:8000/"),
            ("10.1.2.3:9", "http://10.1.2.3:9/"),
        ] {
            assert_eq!(local_url(listen.parse().unwrap()).unwrap().as_str(), url);
        }
        assert!(matches!(local_url("0.0.0.0:0".parse().unwrap()), Err(Failure::Usage(_))));
    }

    #[test]
    fn only_http_addresses_are_taken() {
        for text in ["127.0.0.1:8000", "ftp://a", "http://a?b", "", "http://", "http://user:secret@a"] {
            assert!(parse_url(text).is_err(), "{text}");
        }
        assert!(parse_url("https://agent.internal/base").is_ok());
    }

    #[test]
    fn an_id_is_one_segment_of_a_path() {
        for (id, path) in [
            ("job-7", "/base/reservations/job-7"),
            ("a/b c?d#e%", "/base/reservations/a%2Fb%20c%3Fd%23e%25"),
            ("é", "/base/reservations/%C3%A9"),
        ] {
            let url = item_url(Url::parse("http://a/base/reservations").unwrap(), id);
            assert_eq!((url.path(), url.query()), (path, None), "{id}");
        }
    }

    #[test]
    fn loopback_is_told_from_the_rest() {
        for (url, loopback) in [
            ("http://127.0.0.9:1", true),
            ("http://[::1]:1", true),
            ("http://localhost", true),
            ("http://localhost.example", false),
            ("http://10.0.0.1", false),
        ] {
            assert_eq!(is_loopback(&Url::parse(url).unwrap()), loopback, "{url}");
        }
    }

    #[test]
    fn a_problem_is_told_with_its_list_and_without_control_characters() {
        let body = r#"{"type":"/problems/invalid-event","title":"Invalid event","status":422,"detail":"1 of 1 events is bad",
            "errors":[{"index":0,"field":"amount_usd","detail":"is \u001b[31m negative"}]}"#;
        assert_eq!(
            problem_text(StatusCode::UNPROCESSABLE_ENTITY, body),
            "Invalid event (422): 1 of 1 events is bad\n  amount_usd: is \u{fffd}[31m negative"
        );
        assert_eq!(
            problem_text(StatusCode::SERVICE_UNAVAILABLE, r#"{"status":"unhealthy","reason":"disk full"}"#),
            "503 Service Unavailable: disk full"
        );
        assert_eq!(problem_text(StatusCode::BAD_GATEWAY, "<html>"), "the agent answered 502 Bad Gateway");
    }
}
