//! Every route, from everywhere, with every token, from a browser or not, under every name: who is let in.
//!
//! The routes come from the table itself, so that none can be forgotten; what each needs, and what follows from that, is said here once
//! more, in other words. Guards against: a new route that anybody may write to, a scope that opens what it was not given for, a check
//! that is skipped where another one passes.

use std::fmt::Write as _;
use std::sync::Arc;

use warp::http::{Method, StatusCode};
use warp::reply::Response;

use super::*;
use crate::api::call::{BodyStream, Call};
use crate::api::problem::Problem;
use crate::api::route::{Handler, Reading, Writing};
use crate::net::Peer;

/// Where a request comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    Loopback,
    ProxyOnLoopback,
    Elsewhere,
    Socket,
}

/// How the agent is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SetUp {
    NoTokens,
    Tokens,
    /// And `loopback_needs_token = false`.
    TokensButNotForLoopback,
    /// Reading asks for a login.
    Logins,
    LoginsAndTokens,
}

const FROM: [From; 4] = [From::Loopback, From::ProxyOnLoopback, From::Elsewhere, From::Socket];
const SET_UPS: [SetUp; 5] =
    [SetUp::NoTokens, SetUp::Tokens, SetUp::TokensButNotForLoopback, SetUp::Logins, SetUp::LoginsAndTokens];
/// Somebody has a password; nobody sends it here.
const HASH: &str = "$2b$04$EGdrhbKUv8Oc9vGiXX0HQOxSg445d458Muh7DAHskb6QbtCvdxcie";
const SCOPES: [&str; 4] = ["read", "record", "reserve", "admin"];
/// What is sent as a token, and what it allows.
const TOKENS: [(&str, &[&str]); 8] = [
    ("", &[]),
    ("wrong", &[]),
    ("t-read", &["read"]),
    ("t-record", &["record"]),
    ("t-reserve", &["reserve"]),
    ("t-admin", &["admin"]),
    ("t-record-reserve", &["record", "reserve"]),
    ("t-all", &SCOPES),
];
/// Header lines, and whether they are those of a page.
const BROWSERS: [(&str, bool); 4] = [
    ("", false),
    ("Sec-Fetch-Site: none\r\n", false),
    ("Sec-Fetch-Site: same-origin\r\n", true),
    ("Origin: http://localhost\r\n", true),
];
/// Header lines, and what is said of them.
const HOSTS: [(&str, Option<u16>); 5] = [
    ("Host: localhost\r\n", None),
    ("Host: agent.internal:80\r\n", None),
    ("Host: evil.example\r\n", Some(421)),
    ("", Some(400)),
    ("Host: localhost\r\nHost: localhost\r\n", Some(400)),
];

/// What somebody must be allowed to do who sends this.
fn needed(method: &Method, path: &str) -> &'static str {
    let is_below = |root: &str| path == root || path.starts_with(&format!("{root}/"));
    if method == Method::GET || method == Method::HEAD || is_below("/scaling-gate/authorize") {
        "read"
    } else if is_below("/reservations") {
        "reserve"
    } else if ["/costs", "/import"].contains(&path) || ["/ingest", "/v1", "/api"].into_iter().any(is_below) {
        "record"
    } else {
        "admin"
    }
}

/// The status of the answer.
fn expected(set_up: SetUp, from: From, path: &str, needed: &str, sent: &Sent) -> u16 {
    let (has_tokens, asks_for_login) = match set_up {
        SetUp::NoTokens => (false, false),
        SetUp::Tokens | SetUp::TokensButNotForLoopback => (true, false),
        SetUp::Logins => (false, true),
        SetUp::LoginsAndTokens => (true, true),
    };
    let allowed = if has_tokens { sent.token.1 } else { &[] };
    if needed == "read" {
        // A token of any kind may ask a probe.
        let is_probe = path.starts_with("/-/") && !allowed.is_empty();
        return match () {
            () if from == From::Socket || !asks_for_login || allowed.contains(&"read") || is_probe => 204,
            () if allowed.is_empty() => 401,
            () => 403,
        };
    }
    if let Some(status) = sent.host.filter(|_| from != From::Socket) {
        return status;
    }
    if sent.is_page {
        return 403;
    }
    let is_trusted = match from {
        From::Socket => true,
        From::Loopback => matches!(set_up, SetUp::NoTokens | SetUp::TokensButNotForLoopback),
        From::ProxyOnLoopback | From::Elsewhere => false,
    };
    match () {
        () if is_trusted || allowed.contains(&needed) => 204,
        () if has_tokens && allowed.is_empty() => 401,
        () => 403,
    }
}

/// What of a request decides.
struct Sent {
    token: (&'static str, &'static [&'static str]),
    is_page: bool,
    host: Option<u16>,
}

async fn admitted(_: Arc<State>, _: Arc<Call>) -> Result<Response, Problem> {
    let mut response = Response::default();
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}

async fn admitted_with_a_body(state: Arc<State>, call: Arc<Call>, _: BodyStream) -> Result<Response, Problem> {
    admitted(state, call).await
}

/// The table as it is, but for who answers.
fn table() -> &'static [Route] {
    let reading: &'static dyn Reading = &admitted;
    let writing: &'static dyn Writing = &admitted_with_a_body;
    let routes = ROUTES.iter().map(|route| {
        let handler = match route.handler {
            Handler::Reading(_) => Handler::Reading(reading),
            Handler::Writing(_) => Handler::Writing(writing),
        };
        Route { endpoint: route.endpoint, handler }
    });
    Box::leak(routes.collect())
}

fn settings(set_up: SetUp) -> Settings {
    let scoped = TOKENS.into_iter().filter(|(_, allowed)| !allowed.is_empty()).map(|(text, allowed)| {
        let scopes = allowed.iter().map(|scope| scope.parse::<Scope>().unwrap()).collect();
        Token::scoped(text, text, scopes)
    });
    let has_none = matches!(set_up, SetUp::NoTokens | SetUp::Logins);
    let tokens = if has_none { Vec::new() } else { scoped.chain([Token::new("t-unscoped")]).collect() };
    let asks_for_login = matches!(set_up, SetUp::Logins | SetUp::LoginsAndTokens);
    Settings {
        users: asks_for_login.then(|| ("ann".to_owned(), PasswordHash::parse(HASH).unwrap())).into_iter().collect(),
        tokens,
        loopback_needs_token: set_up != SetUp::TokensButNotForLoopback,
        allowed_hosts: vec!["agent.internal".into()],
        ..Settings::default()
    }
}

/// Everything that may be sent to the routes, and what must come back.
fn requests(set_up: SetUp, from: From) -> Vec<(String, u16)> {
    let mut requests = Vec::new();
    let methods = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::DELETE];
    for (endpoint, method) in ROUTES.iter().flat_map(|route| methods.iter().map(|method| (&route.endpoint, method))) {
        if !endpoint.verb.takes(method) {
            continue;
        }
        let path: String = endpoint.path.split('{').enumerate().fold(String::new(), |mut path, (position, part)| {
            // What stands in braces is an id.
            let rest = if position == 0 { part } else { part.split_once('}').unwrap().1 };
            let _ = write!(path, "{}{rest}", if position == 0 { "" } else { "an-id" });
            path
        });
        let needed = needed(method, &path);
        let unscoped = ("t-unscoped", &SCOPES[..]);
        for token in TOKENS.into_iter().chain([unscoped]) {
            for (browser, is_page) in BROWSERS {
                for (host, of_host) in HOSTS {
                    let sent = Sent { token, is_page, host: of_host };
                    let forwarded = if from == From::ProxyOnLoopback { "X-Forwarded-For: 10.0.0.9\r\n" } else { "" };
                    let authorization =
                        if token.0.is_empty() { String::new() } else { format!("Authorization: Bearer {}\r\n", token.0) };
                    let head = format!("{method} {path} HTTP/1.1\r\n{host}{browser}{forwarded}{authorization}\r\n");
                    requests.push((head, expected(set_up, from, &path, needed, &sent)));
                }
            }
        }
    }
    requests
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_is_let_in_or_not_as_the_rule_says() {
    let mut count = 0;
    for set_up in SET_UPS {
        let agent = TestAgent::start_with(settings(set_up), Limits::default(), table()).await;
        for from in FROM {
            let peer = match from {
                From::Loopback | From::ProxyOnLoopback => "127.0.0.1:1".parse::<SocketAddr>().unwrap().into(),
                From::Elsewhere => "10.0.0.9:1".parse::<SocketAddr>().unwrap().into(),
                From::Socket => Peer::Socket,
            };
            let (address, stop) = agent.serve_as(peer);
            let mut stream = TcpStream::connect(address).await.unwrap();
            for (head, status) in requests(set_up, from) {
                stream.write_all(head.as_bytes()).await.unwrap();
                let found =
                    if head.starts_with("HEAD") { read_head(&mut stream).await } else { read_answer(&mut stream).await };
                assert_eq!(found.status, status, "{set_up:?} {from:?}\n{head}{}", found.text());
                count += 1;
            }
            drop(stop);
        }
        agent.stop(PATIENCE).await;
    }
    assert!(count > 50_000, "{count}");
}

/// The head of an answer without a body.
async fn read_head(stream: &mut TcpStream) -> Answer {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        assert_ne!(timeout(PATIENCE, stream.read_buf(&mut bytes)).await.unwrap().unwrap(), 0);
    }
    Answer::parse(&bytes)
}

impl TestAgent {
    /// Serves the same surface at another port, to which everybody comes as this peer, until what is returned is dropped.
    fn serve_as(&self, peer: Peer) -> (SocketAddr, oneshot::Sender<()>) {
        let settings = net::Settings { listen: ([127, 0, 0, 1], 0).into(), ..net::Settings::default() };
        let server = Server::bind(&settings).unwrap();
        let address = server.local_addr().unwrap();
        let surface = Surface::over(table(), Arc::clone(&self.state), PATIENCE);
        let (stop, stopped) = oneshot::channel::<()>();
        tokio::spawn(server.serve(move |_| surface.service_for(peer), async {
            let _dropped = stopped.await;
            Instant::now()
        }));
        (address, stop)
    }
}
