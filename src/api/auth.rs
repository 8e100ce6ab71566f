//! Who may ask for what: reading is for [`login`](super::login) to judge, anything else needs a caller that may do that.
//!
//! *Invariants.* The checks come in one order: host, browser headers, then the sender; nothing of the body has been read before they
//! pass. Through our Unix socket everything may be asked, since who may open it was decided by whoever set its file's rights; but not
//! by a page of a browser that was led there. By which name a request goes there says nothing.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use subtle::ConstantTimeEq;
use warp::http::HeaderMap;
use warp::http::header::{AUTHORIZATION, FORWARDED, HOST, HeaderName, ORIGIN, VIA};

use super::Settings;
use super::call::Call;
use super::endpoint::Accepts;
use super::host::Host;
use super::problem::Problem;
use super::token::{Scope, Token};
use crate::net::Peer;

/// Headers that a proxy leaves. With one of them, a peer on loopback speaks for somebody else.
const FORWARDING: [HeaderName; 4] =
    [FORWARDED, VIA, HeaderName::from_static("x-forwarded-for"), HeaderName::from_static("x-real-ip")];
/// Set by browsers only, and not by their scripts.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The rule for everything but reads.
#[derive(Debug)]
pub(super) struct Access {
    tokens: ArcSwap<Vec<Token>>,
    loopback_needs_token: bool,
    /// Whether everybody needs a login: then it is not enough to be on this host.
    asks_for_login: AtomicBool,
    allowed_hosts: Vec<String>,
}

impl Access {
    pub fn new(settings: &Settings) -> Self {
        Self {
            tokens: ArcSwap::from_pointee(settings.tokens.clone()),
            loopback_needs_token: settings.loopback_needs_token,
            asks_for_login: AtomicBool::new(!settings.users.is_empty()),
            allowed_hosts: settings.allowed_hosts.clone(),
        }
    }

    /// Takes other tokens from the next request on; none: only loopback may write.
    pub fn set_tokens(&self, tokens: Vec<Token>) {
        self.tokens.store(Arc::new(tokens));
    }

    /// Whether everybody needs a login, from the next request on.
    pub fn ask_for_login(&self, asks: bool) {
        self.asks_for_login.store(asks, Ordering::Relaxed);
    }

    /// Whether this call may go on, and the name of the token that it came with, if it has one.
    ///
    /// # Errors
    /// The first check that fails.
    pub fn check(&self, call: &Call) -> Result<Option<Arc<str>>, Problem> {
        match call.endpoint.scope {
            Scope::Read => Ok(None),
            scope @ (Scope::Record | Scope::Reserve | Scope::Admin) => self.check_write(call, scope),
        }
    }

    fn check_write(&self, call: &Call, scope: Scope) -> Result<Option<Arc<str>>, Problem> {
        if call.peer != Peer::Socket {
            self.check_host(call)?;
        }
        check_browser(&call.headers)?;
        self.check_sender(call, scope)
    }

    fn check_host(&self, call: &Call) -> Result<(), Problem> {
        let malformed = || Problem::malformed("Exactly one valid Host header is required");
        let host = Host::of(&call.headers).ok_or_else(malformed)?;
        // With a target in absolute form both name a host, and both must be us: whatever stands in front may go by either.
        let target =
            call.uri.authority().map(|authority| Host::of_authority(authority).ok_or_else(malformed)).transpose()?;
        if self.is_ours(&host) && target.as_ref().is_none_or(|target| self.is_ours(target)) {
            return Ok(());
        }
        Err(Problem::Misdirected)
    }

    /// The host and port that a request names, where they are known to be ours, so that they may be told to whoever asked.
    pub fn own_host(&self, headers: &HeaderMap) -> Option<String> {
        let host = Host::of(headers).filter(|host| self.is_ours(host));
        host.and_then(|_| headers.get(HOST)?.to_str().ok().map(str::to_owned))
    }

    /// Whether this caller needs a token to write.
    pub fn needs_token(&self, call: &Call) -> bool {
        (!self.tokens.load().is_empty() || self.asks_for_login()) && !self.is_trusted(call)
    }

    /// The token that a call came with, if it is one of ours.
    pub fn token_of(&self, call: &Call) -> Option<Token> {
        let sent = sent_token(call).filter(|sent| !sent.is_empty())?;
        // Every token is compared, whichever matches, so that the time tells nothing about them but their lengths.
        let tokens = self.tokens.load();
        let found = tokens.iter().filter(|token| bool::from(token.expose().ct_eq(&sent))).fold(None, |_, token| Some(token));
        found.cloned()
    }

    fn asks_for_login(&self) -> bool {
        self.asks_for_login.load(Ordering::Relaxed)
    }

    /// Whether a caller may do everything because of where it is, although there are tokens or logins.
    fn is_trusted(&self, call: &Call) -> bool {
        call.peer == Peer::Socket || (is_local(call) && !self.loopback_needs_token)
    }

    fn is_ours(&self, host: &Host) -> bool {
        match host {
            Host::Address => true,
            Host::Name(name) => {
                name == "localhost" || self.allowed_hosts.iter().any(|allowed| allowed.eq_ignore_ascii_case(name))
            }
        }
    }

    fn check_sender(&self, call: &Call, scope: Scope) -> Result<Option<Arc<str>>, Problem> {
        const NOT_THROUGH_A_PROXY: &str =
            "No token is configured, so only this host may write, and not through a proxy. Set API_TOKEN to allow others.";
        const NOT_BY_PASSWORD: &str = "Writing takes a token, not a password, and no token is configured. Set API_TOKEN.";
        let token = self.token_of(call);
        let name = token.as_ref().and_then(|token| token.name().cloned());
        if self.is_trusted(call) {
            return Ok(name);
        }
        if self.tokens.load().is_empty() {
            return match self.asks_for_login() {
                true => Err(Problem::Forbidden(NOT_BY_PASSWORD)),
                false if is_local(call) => Ok(None),
                false => Err(Problem::Forbidden(NOT_THROUGH_A_PROXY)),
            };
        }
        match token {
            None => Err(Problem::Unauthorized),
            Some(token) if token.allows(scope) => Ok(name),
            Some(_) => Err(Problem::Forbidden(lacks(scope))),
        }
    }
}

/// Whether a call comes from this host, and not through a proxy.
fn is_local(call: &Call) -> bool {
    call.peer.is_local() && !FORWARDING.iter().any(|header| call.headers.contains_key(header))
}

/// What a token is told that is one of ours and does not allow what it was sent for.
pub(super) const fn lacks(scope: Scope) -> &'static str {
    match scope {
        Scope::Read => "This token lacks the scope `read`.",
        Scope::Record => "This token lacks the scope `record`.",
        Scope::Reserve => "This token lacks the scope `reserve`.",
        Scope::Admin => "This token lacks the scope `admin`.",
    }
}

/// No page in a browser writes here: neither one of another site, nor one that made our name point at this address.
fn check_browser(headers: &HeaderMap) -> Result<(), Problem> {
    let from_page = headers.contains_key(ORIGIN) || headers.get_all(SEC_FETCH_SITE).iter().any(|site| site != "none");
    if from_page { Err(Problem::Forbidden("Web pages may not write.")) } else { Ok(()) }
}

/// The token of the one `Authorization`: what follows `Bearer`. Where calls are taken also the password behind `Basic`, because Langfuse's
/// SDK can say it in no other way (as its secret key).
fn sent_token(call: &Call) -> Option<Cow<'_, [u8]>> {
    let mut values = call.headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let at = value.as_bytes().iter().position(|byte| *byte == b' ')?;
    let (scheme, rest) = value.as_bytes().split_at(at);
    if scheme.eq_ignore_ascii_case(b"Bearer") {
        return Some(Cow::Borrowed(rest.trim_ascii()));
    }
    let takes_calls = matches!(call.endpoint.accepts, Accepts::Calls(_));
    if !takes_calls || !scheme.eq_ignore_ascii_case(b"Basic") {
        return None;
    }
    let pair = BASE64_STANDARD.decode(rest.trim_ascii()).ok()?;
    let colon = pair.iter().position(|byte| *byte == b':')?;
    pair.get(colon + 1..).map(|password| Cow::Owned(password.to_vec()))
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use warp::http::Request;

    use super::*;
    use crate::api::endpoint::{Endpoint, Verb};

    static ENDPOINT: Endpoint = Endpoint::new(Verb::Post, "/costs");

    const LOCAL: &str = "127.0.0.1:1";
    const REMOTE: &str = "10.0.0.9:1";

    fn call(peer: &str, uri: &str, headers: &[(&str, &str)]) -> Call {
        let mut request = Request::post(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Call::of(&mut request.body(()).unwrap(), peer.parse::<SocketAddr>().unwrap().into(), &ENDPOINT)
    }

    fn access(tokens: &[&str]) -> Access {
        let tokens = tokens.iter().map(|text| Token::new(text)).collect();
        Access::new(&Settings { tokens, allowed_hosts: vec!["agent.internal".into()], ..Settings::default() })
    }

    #[track_caller]
    fn assert_status(access: &Access, peer: &str, headers: &[(&str, &str)], status: u16) {
        let mut all = vec![("host", "localhost:8000")];
        all.extend_from_slice(headers);
        let found = access
            .check(&call(peer, "/costs", &all))
            .map_or_else(|problem| problem.into_response().status().as_u16(), |_| 200);
        assert_eq!(found, status, "{peer} {headers:?}");
    }

    #[test]
    fn without_tokens_only_loopback_writes_and_no_proxy() {
        let open = access(&[]);
        for peer in [LOCAL, "127.8.8.8:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
            assert_status(&open, peer, &[], 200);
        }
        for peer in [REMOTE, "[::ffff:10.0.0.9]:1", "[fe80::1]:1", "0.0.0.0:1"] {
            assert_status(&open, peer, &[], 403);
        }
        for header in ["Forwarded", "X-Forwarded-For", "X-Real-IP", "Via"] {
            assert_status(&open, LOCAL, &[(header, "")], 403);
        }
        assert_status(&open, REMOTE, &[("authorization", "Bearer ")], 403);
    }

    #[test]
    fn with_tokens_every_write_needs_one() {
        let guarded = access(&["first", "second"]);
        for peer in [LOCAL, REMOTE] {
            assert_status(&guarded, peer, &[("authorization", "Bearer first")], 200);
            assert_status(&guarded, peer, &[("authorization", "bearer  second")], 200);
            for wrong in ["Bearer firs", "Bearer first1", "Bearer ", "Bearer", "Basic first", "first", "Bearer first second"]
            {
                assert_status(&guarded, peer, &[("authorization", wrong)], 401);
            }
            assert_status(&guarded, peer, &[], 401);
            assert_status(&guarded, peer, &[("authorization", "Bearer first"), ("authorization", "Bearer first")], 401);
        }
        guarded.set_tokens(vec![Token::new("third")]);
        assert_status(&guarded, LOCAL, &[("authorization", "Bearer first")], 401);
        assert_status(&guarded, LOCAL, &[("authorization", "Bearer third")], 200);
    }

    #[test]
    fn where_calls_are_taken_the_token_may_be_a_password() {
        static CALLS: Endpoint = Endpoint { accepts: Accepts::Calls(&[]), ..ENDPOINT };
        let guarded = access(&["first", "se:cond"]);
        let basic = |pair: &str| format!("Basic {}", BASE64_STANDARD.encode(pair));
        for (authorization, is_right) in [
            (basic("pk-lf-1:first"), true),
            (basic(":se:cond"), true),
            (basic("pk-lf-1:firs"), false),
            (basic("first"), false),
            (basic("first:"), false),
            (basic(":"), false),
            ("Basic first".to_owned(), false),
            ("Basic".to_owned(), false),
            ("Bearer first".to_owned(), true),
        ] {
            let headers = [("host", "localhost"), ("authorization", authorization.as_str())];
            let to = |endpoint| Call { endpoint, ..call(REMOTE, "/v1/traces", &headers) };
            assert_eq!(guarded.check(&to(&CALLS)).is_ok(), is_right, "{authorization}");
            let is_bearer = authorization.starts_with("Bearer");
            assert_eq!(guarded.check(&to(&ENDPOINT)).is_ok(), is_right && is_bearer, "{authorization}");
        }
    }

    #[test]
    fn a_token_allows_its_scopes_and_says_whose_it_is() {
        let scoped = |text, name, scope| Token::scoped(text, name, [scope].into_iter().collect());
        let tokens = vec![scoped("a", "worker-7", Scope::Record), scoped("b", "ops", Scope::Admin), Token::new("c")];
        let guarded = Access::new(&Settings { tokens, ..Settings::default() });
        static RECORD: Endpoint = Endpoint { scope: Scope::Record, ..ENDPOINT };
        let asked = |token: &str, endpoint, peer| {
            let bearer = format!("Bearer {token}");
            let call = call(REMOTE, "/", &[("host", "localhost"), ("authorization", &bearer)]);
            guarded.check(&Call { peer, endpoint, ..call })
        };
        let remote = REMOTE.parse::<SocketAddr>().unwrap().into();
        assert_eq!(asked("a", &RECORD, remote).unwrap().as_deref(), Some("worker-7"));
        assert_eq!(asked("b", &ENDPOINT, remote).unwrap().as_deref(), Some("ops"));
        assert_eq!(asked("c", &RECORD, remote).unwrap(), None);
        let problem = asked("a", &ENDPOINT, remote).unwrap_err();
        assert_eq!((problem.status().as_u16(), &*problem.detail()), (403, "This token lacks the scope `admin`."));
        assert!(matches!(asked("b", &RECORD, remote), Err(Problem::Forbidden("This token lacks the scope `record`."))));
        assert!(matches!(asked("x", &RECORD, remote), Err(Problem::Unauthorized)));
        // Through the socket none is needed; one that is sent says who it is.
        assert_eq!(asked("a", &ENDPOINT, Peer::Socket).unwrap().as_deref(), Some("worker-7"));
        assert_eq!(asked("x", &ENDPOINT, Peer::Socket).unwrap(), None);
    }

    #[test]
    fn through_the_socket_everything_may_be_asked_but_by_a_page() {
        for access in [access(&[]), access(&["first"])] {
            for (headers, is_let_in) in [
                (&[][..], true),
                (&[("host", "evil.example")], true),
                (&[("x-forwarded-for", "10.0.0.9")], true),
                (&[("authorization", "Bearer wrong")], true),
                (&[("origin", "null")], false),
                (&[("sec-fetch-site", "same-origin")], false),
            ] {
                let call = Call { peer: Peer::Socket, ..call(LOCAL, "/costs", headers) };
                assert_eq!(access.check(&call).is_ok(), is_let_in, "{headers:?}");
                assert!(!access.needs_token(&call));
            }
        }
    }

    #[test]
    fn loopback_may_be_let_in_but_not_through_a_proxy() {
        let tokens = vec![Token::new("first")];
        let lenient = Access::new(&Settings { tokens, loopback_needs_token: false, ..Settings::default() });
        assert_status(&lenient, LOCAL, &[], 200);
        assert_status(&lenient, LOCAL, &[("x-forwarded-for", "10.0.0.9")], 401);
        assert_status(&lenient, REMOTE, &[], 401);
    }

    #[test]
    fn where_everybody_needs_a_login_loopback_is_not_enough() {
        let open = access(&[]);
        open.ask_for_login(true);
        for headers in [&[][..], &[("authorization", "Basic YWxpY2U6d29uZGVybGFuZA==")]] {
            assert_status(&open, LOCAL, headers, 403);
            assert_status(&open, REMOTE, headers, 403);
        }
        assert!(open.needs_token(&call(LOCAL, "/", &[])));
        open.ask_for_login(false);
        assert_status(&open, LOCAL, &[], 200);
        let guarded = access(&["first"]);
        guarded.ask_for_login(true);
        assert_status(&guarded, LOCAL, &[("authorization", "Bearer first")], 200);
        assert_status(&guarded, LOCAL, &[], 401);
        let lenient = Access::new(&Settings { loopback_needs_token: false, ..Settings::default() });
        lenient.ask_for_login(true);
        assert_status(&lenient, LOCAL, &[], 200);
        assert_status(&lenient, REMOTE, &[], 403);
    }

    #[test]
    fn web_pages_may_not_write() {
        let open = access(&[]);
        for (name, value, status) in [
            ("origin", "http://localhost:8000", 403),
            ("origin", "null", 403),
            ("sec-fetch-site", "cross-site", 403),
            ("sec-fetch-site", "same-origin", 403),
            ("sec-fetch-site", "none", 200),
        ] {
            assert_status(&open, LOCAL, &[(name, value)], status);
        }
    }

    #[test]
    fn a_write_must_be_addressed_to_us() {
        let open = access(&[]);
        for (uri, hosts, status) in [
            ("/costs", &["agent.internal"][..], 200),
            ("/costs", &["AGENT.internal.:80"], 200),
            ("/costs", &["192.168.1.1:8000"], 200),
            ("/costs", &["evil.example"], 421),
            ("/costs", &["localhost.evil.example"], 421),
            ("/costs", &[], 400),
            ("/costs", &["localhost", "localhost"], 400),
            ("/costs", &["localhost:http"], 400),
            ("http://localhost/costs", &["localhost"], 200),
            ("http://evil.example/costs", &["localhost"], 421),
            ("http://localhost/costs", &["evil.example"], 421),
            ("http://user@localhost/costs", &["localhost"], 400),
        ] {
            let headers: Vec<_> = hosts.iter().map(|host| ("host", *host)).collect();
            let found = open
                .check(&call(LOCAL, uri, &headers))
                .map_or_else(|problem| problem.into_response().status().as_u16(), |_| 200);
            assert_eq!(found, status, "{uri} {hosts:?}");
        }
    }

    #[test]
    fn checks_come_in_order() {
        let guarded = access(&["first"]);
        let wrong_in_all = call(REMOTE, "/costs", &[("host", "evil.example"), ("origin", "null")]);
        assert!(matches!(guarded.check(&wrong_in_all), Err(Problem::Misdirected)));
        let wrong_in_two = call(REMOTE, "/costs", &[("host", "localhost"), ("origin", "null")]);
        assert!(matches!(guarded.check(&wrong_in_two), Err(Problem::Forbidden(_))));
    }
}
