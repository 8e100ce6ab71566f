//! The client of the agent's HTTP surface.
//!
//! Reads log in as `--user-file` says; else, once an agent asked for a login, by the token that its settings have.
//!
//! *Limits.* [`CONNECT_TIMEOUT`], [`ANSWER_TIMEOUT`], [`ANSWER_BYTES_MAX`]; redirects are not followed. Proxies of the environment
//! are for the world outside: an agent on this host is asked directly.

use std::io::Read;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reqwest::blocking::{Client as HttpClient, ClientBuilder, RequestBuilder, Response};
use reqwest::{StatusCode, Url};

use super::agent_args::AgentArgs;
use super::password::Login;
use super::token::Secret;
use super::{Failure, address, problem, trust};
use crate::config::{self, Sources};
use crate::error_chain::ErrorChain;

/// How long a connection may take to come about.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an answer may take: groupings that read the ledger take time with the period's events.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// Largest answer that is read: 400 days of 10,000 names each stay below it.
pub const ANSWER_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// What is said to somebody who reads without one.
const HOW_TO_LOG_IN: &str =
    "Use --user-file, or set API_TOKEN or API_TOKEN_FILE. Probes need neither where HEALTH_WITHOUT_LOGIN=true.";

/// A connection to one agent.
#[derive(Debug)]
pub struct AgentClient {
    http: HttpClient,
    base: Url,
    /// Where it is, as messages say it.
    place: String,
    login: Option<Login>,
    /// A token that lets read, too.
    token: Option<Secret>,
    /// Whether the agent asked for a login.
    is_asked: AtomicBool,
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

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::NotReached(said) | ClientError::AnswerLost(said) | ClientError::Refused(said) => Self::Failed(said),
            ClientError::TryAgain { said, .. } => Self::Failed(format!("{said}\nTry again later.")),
        }
    }
}

impl AgentClient {
    /// A client of the agent that the arguments or the settings name.
    pub fn new(agent: &AgentArgs, process: &Sources, timeout: Duration) -> Result<Self, Failure> {
        let socket = agent.url.as_deref().and_then(address::socket);
        let own = if agent.url.is_none() { config::load_own_tls(process)? } else { None };
        let base = match &agent.url {
            // Through a socket one asks a host all the same, which says nothing.
            Some(_) if socket.is_some() => address::parse("http://localhost")?,
            Some(url) => address::parse(url)?,
            None => address::local(config::load_address(process)?, own.is_some())?,
        };
        let tls = if base.scheme() == "https" { trust::config(agent.access.ca_file.as_deref(), own)? } else { None };
        let place = socket.map_or_else(|| base.to_string(), |path| format!("unix:{}", path.display()));
        let mut builder = builder(&base, tls, timeout);
        if let Some(path) = socket {
            builder = builder.unix_socket(path);
        }
        let http = build(builder)?;
        let login = agent.access.user_file.as_deref().map(Login::read).transpose()?;
        // What is wrong with it is told by those who need it.
        let token = config::load_reading_token(process).ok().flatten().map(Secret);
        Ok(Self { http, base, place, login, token, is_asked: AtomicBool::new(false) })
    }

    /// A client of whoever listens there, whatever certificate that shows. It sends no login.
    pub fn of_anybody(base: Url, timeout: Duration) -> Result<Self, Failure> {
        let tls = if base.scheme() == "https" { Some(trust::nobody_vouches()?) } else { None };
        let http = build(builder(&base, tls, timeout))?;
        let place = base.to_string();
        Ok(Self { http, base, place, login: None, token: None, is_asked: AtomicBool::new(false) })
    }

    /// Where the agent is, without what is secret in it.
    pub fn address(&self) -> String {
        self.place.clone()
    }

    /// The agent's answer to a GET.
    pub fn get(&self, path: &str, query: &[(&str, String)]) -> Result<String, ClientError> {
        let mut url = self.url(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        self.read(&url)
    }

    /// The agent's answer to a GET, to be read as it comes.
    pub fn download(&self, path: &str, query: &[(&str, String)]) -> Result<Response, ClientError> {
        let mut url = self.url(path);
        url.query_pairs_mut().extend_pairs(query);
        let response = self.ask(&url)?;
        if response.status().is_success() {
            return Ok(response);
        }
        let (status, after) = (response.status(), retry_after(&response));
        Err(refusal(status, after, &self.body(response)?))
    }

    /// The agent's answer to a GET of one item of a list, whatever its id looks like.
    pub fn get_item(&self, path: &str, id: &str) -> Result<String, ClientError> {
        self.read(&address::of_item(self.url(path), id))
    }

    /// The agent's answer to a POST of JSON.
    pub fn post(&self, path: &str, token: Option<&str>, body: String) -> Result<String, ClientError> {
        self.write(self.http.post(self.url(path)), token, body)
    }

    /// The agent's answer to a POST of JSON with a query.
    pub fn post_query(
        &self,
        path: &str,
        query: &[(&str, String)],
        token: Option<&str>,
        body: String,
    ) -> Result<String, ClientError> {
        let mut url = self.url(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        self.write(self.http.post(url), token, body)
    }

    /// The agent's answer to a POST of JSON lines; `path` may have a query.
    pub fn post_lines(&self, path: &str, token: Option<&str>, body: String) -> Result<String, ClientError> {
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        let mut url = self.url(path);
        url.set_query(query);
        let request = self.http.post(url).header("content-type", "application/x-ndjson").body(body);
        self.send(match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        })
    }

    /// The agent's answer to a PUT of JSON.
    pub fn put(&self, path: &str, token: Option<&str>, body: String) -> Result<String, ClientError> {
        self.write(self.http.put(self.url(path)), token, body)
    }

    /// The agent's answer to a PUT of JSON to one item of a list, whatever its id looks like.
    pub fn put_item(&self, path: &str, id: &str, token: Option<&str>, body: String) -> Result<String, ClientError> {
        self.write(self.http.put(address::of_item(self.url(path), id)), token, body)
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

    fn read(&self, url: &Url) -> Result<String, ClientError> {
        self.told(self.ask(url)?)
    }

    /// The answer to a GET, by whatever login there is once one is asked for.
    fn ask(&self, url: &Url) -> Result<Response, ClientError> {
        let answer = self.log_in_and_ask(url)?;
        if answer.status() != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        let said = problem::text(answer.status(), &self.body(answer)?);
        Err(ClientError::Refused(format!("{said}\n{HOW_TO_LOG_IN}")))
    }

    fn log_in_and_ask(&self, url: &Url) -> Result<Response, ClientError> {
        let send = |request: RequestBuilder| request.send().map_err(|error| self.no_answer(&error));
        let request = self.http.get(url.clone());
        if let Some(Login { user, password }) = &self.login {
            return send(request.basic_auth(user, Some(password.as_str())));
        }
        let Some(token) = &self.token else { return send(request) };
        if !self.is_asked.load(Ordering::Relaxed) {
            let answer = send(request)?;
            if answer.status() != StatusCode::UNAUTHORIZED {
                return Ok(answer);
            }
            self.is_asked.store(true, Ordering::Relaxed);
        }
        send(self.http.get(url.clone()).bearer_auth(&token.0))
    }

    fn send(&self, request: RequestBuilder) -> Result<String, ClientError> {
        self.told(request.send().map_err(|error| self.no_answer(&error))?)
    }

    fn told(&self, response: Response) -> Result<String, ClientError> {
        let status = response.status();
        let after = retry_after(&response);
        let body = self.body(response)?;
        if status.is_success() {
            return Ok(body);
        }
        Err(refusal(status, after, &body))
    }

    fn body(&self, response: Response) -> Result<String, ClientError> {
        let mut bytes = Vec::new();
        let lost = |reason: String| ClientError::AnswerLost(format!("lost the answer of {}: {reason}", self.place));
        response.take(ANSWER_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|error| lost(error.to_string()))?;
        if bytes.len() as u64 > ANSWER_BYTES_MAX {
            return Err(lost(format!("it is larger than {ANSWER_BYTES_MAX} bytes")));
        }
        String::from_utf8(bytes).map_err(|_| lost("it is not UTF-8 text".into()))
    }

    fn no_answer(&self, error: &reqwest::Error) -> ClientError {
        if error.is_connect() {
            let cause = if error.is_timeout() { "timed out".into() } else { root(error) };
            ClientError::NotReached(format!("cannot reach the agent at {}: {cause}. Is it running?", self.place))
        } else if error.is_timeout() {
            ClientError::AnswerLost(format!("no answer from {}: timed out", self.place))
        } else {
            ClientError::AnswerLost(format!("no answer from {}: {}", self.place, root(error)))
        }
    }
}

fn builder(base: &Url, tls: Option<rustls::ClientConfig>, timeout: Duration) -> ClientBuilder {
    let mut builder = HttpClient::builder()
        .connect_timeout(CONNECT_TIMEOUT.min(timeout))
        .timeout(timeout)
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("lead-factory-metrics/", env!("CARGO_PKG_VERSION")));
    if address::is_loopback(base) {
        builder = builder.no_proxy();
    }
    match tls {
        Some(tls) => builder.tls_backend_preconfigured(tls),
        // Without TLS no certificates are needed; small images have none, and looking for them would fail.
        None if base.scheme() == "http" => builder.tls_certs_only([]),
        None => builder,
    }
}

fn build(builder: ClientBuilder) -> Result<HttpClient, Failure> {
    let failed = |error| Failure::Failed(format!("cannot start the HTTP client: {}", ErrorChain(&error)));
    builder.build().map_err(failed)
}

fn refusal(status: StatusCode, after: Option<Duration>, body: &str) -> ClientError {
    let said = problem::text(status, body);
    match status {
        StatusCode::SERVICE_UNAVAILABLE => ClientError::TryAgain { said, after },
        _ => ClientError::Refused(said),
    }
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
