//! `/scaling-gate/authorize`, and the real gateways that ask it, with the files of `deploy/gateways`.
//!
//! Guards against: a gateway that lets requests pass because the agent's answer was no answer to it, a caller that chooses what is asked, a
//! request that reaches the API twice.

mod gateway;
mod upstream;

use std::fs;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Setup, TestAgent, free_addr, within};
use gateway::{Fails, Gateway, Kind};
use upstream::{ANSWER, Upstream};

/// Until a gateway has noticed that the agent is there again, or not.
const NOTICED_MAX: Duration = Duration::from_secs(20);
/// Longest wait of a caller for an answer while the agent hangs: the two seconds of the examples, and a busy machine.
const HANGING_MAX: Duration = Duration::from_secs(10);

const SPENT: &str = r#"{"id":"spent","service":"openai","operation":"chat","amount_usd":50}"#;

/// One with a port that it has again after a restart. A budget of one service does not close the gate, so it is itself what refuses.
fn setup() -> Setup {
    let setup = Setup::new().env("METRICS_PORT", free_addr().port().to_string()).env("CRITICAL_OPERATIONS", "rescue");
    setup.env("DAILY_BUDGET", "none").env("OPENAI_DAILY_CAP", "50")
}

#[track_caller]
fn order_gate(agent: &TestAgent, order: &str) {
    let answer = agent.client().request("PUT", "/scaling-gate", &[("Content-Type", "application/json")], order.as_bytes());
    answer.unwrap().expect(200);
}

/// Everything that is true of each gateway.
fn stands(kind: Kind) {
    passes_what_fits_and_refuses_the_rest(kind);
    fails_as_it_is_told(kind);
}

fn passes_what_fits_and_refuses_the_rest(kind: Kind) {
    let (agent, api) = (setup().start(), Upstream::start());
    let gateway = Gateway::start(kind, Fails::Closed, agent.addr(), api.addr);

    let body = vec![b'x'; 300_000];
    let said = [("X-Cost-Lead", "lead-7"), ("Authorization", "Bearer sk-1"), ("Content-Type", "application/json")];
    let answer = gateway.ask("POST", "/v1/chat/completions?api-version=1&q=%25", &said, &body).expect(200);
    assert_eq!(answer.text(), ANSWER);
    let [reached] = &api.take()[..] else { panic!("it reaches the API once") };
    assert_eq!((&*reached.method, &*reached.target), ("POST", "/v1/chat/completions?api-version=1&q=%25"));
    assert_eq!(
        (reached.body == body, reached.headers.get("authorization").map(String::as_str)),
        (true, Some("Bearer sk-1"))
    );
    assert_eq!(reached.headers.get("x-cost-lead"), None, "who works for whom is not the API's business");
    for method in ["GET", "PUT", "DELETE", "OPTIONS", "PROPFIND", "HEAD"] {
        gateway.ask(method, "/v1/models", &[], b"").expect(200);
        assert_eq!(api.take().len(), 1, "{method}");
    }

    agent.costs(SPENT).expect(200);
    let answer = gateway.chat().expect(403);
    let reason = answer.header("x-gate-reason").unwrap();
    assert!(reason.starts_with("Budget openai-daily has 0 USD left"), "{reason}");
    assert_eq!(answer.header("x-budget"), Some("openai-daily"));
    assert!(answer.text().contains(reason), "the body says why: {}", answer.text());
    assert!(answer.header("content-type").unwrap().contains("json"));
    for method in ["GET", "PUT", "DELETE", "OPTIONS", "PROPFIND", "HEAD"] {
        gateway.ask(method, "/v1/models", &[], b"").expect(403);
    }
    // Nobody talks himself into something that is always allowed.
    let cunning = [
        ("X-Cost-Service", "other"),
        ("X-Cost-Operation", "rescue"),
        ("X-Cost-Estimate", "0"),
        ("X-Original-Method", "GET"),
        ("X-Forwarded-Uri", "/scaling-gate/authorize?service=other&operation=rescue"),
    ];
    for target in ["/v1/chat", "/v1/chat?service=other&operation=rescue&estimated_cost_usd=0", "/../x?operation=rescue"] {
        let answer = gateway.ask("POST", target, &cunning, b"{}");
        assert!((400..404).contains(&answer.status), "{target}: {} {}", answer.status, answer.text());
    }
    gateway.ask("POST", "/v1/files", &[("Expect", "100-continue")], &body).expect(403);
    assert!(api.take().is_empty(), "what is refused never reaches the API");
    let refused = [("service", "openai"), ("operation", "chat")];
    assert!(agent.metrics().get("lead_factory_scaling_gate_blocked_total", &refused) >= Some(7.0));

    let order = r#"{"state":"active","reason":"wütet: \"4711\" \\ $x %[y] {z}","actor":"ann"}"#;
    order_gate(&agent, order);
    let answer = gateway.chat().expect(403);
    assert_eq!(answer.header("x-gate-reason"), Some(r#"Scaling gate is active: w?tet: "4711" \ $x %[y] {z}"#));
    answer.json();
    let order = r#"{"state":"inactive","reason":"done"}"#;
    order_gate(&agent, order);
    gateway.chat().expect(403);
}

fn fails_as_it_is_told(kind: Kind) {
    let (setup, api) = (setup(), Upstream::start());
    let mut agent = setup.start();
    let closed = Gateway::start(kind, Fails::Closed, agent.addr(), api.addr);
    let open = Gateway::start(kind, Fails::Open, agent.addr(), api.addr);
    closed.chat().expect(200);
    open.chat().expect(200);
    api.take();

    // It hangs.
    let pid = i32::try_from(agent.pid()).ok().and_then(Pid::from_raw).unwrap();
    kill_process(pid, Signal::STOP).unwrap();
    within(NOTICED_MAX, "every thread has stopped", || all_threads_stopped(agent.pid()).then_some(()));
    let begin = Instant::now();
    let status = closed.chat().status;
    assert!([kind.unknown(), 504].contains(&status), "a caller hears that nobody answers: {status}");
    assert!(begin.elapsed() < HANGING_MAX, "after {:?}", begin.elapsed());
    assert!(api.take().is_empty());
    open.chat().expect(200);
    assert_eq!(api.take().len(), 1);
    kill_process(pid, Signal::CONT).unwrap();
    for gateway in [&closed, &open] {
        within(NOTICED_MAX, "it answers again", || (gateway.chat().status == 200).then_some(()));
    }
    api.take();

    // It cannot record, so it cannot tell.
    let other = Connection::open(setup.ledger()).unwrap();
    other.busy_timeout(Duration::from_secs(5)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    agent.costs(SPENT).expect(503);
    let asked = || agent.get("/scaling-gate/authorize?service=s").status;
    within(NOTICED_MAX, "the agent knows", || (asked() == 503).then_some(()));
    closed.chat().expect(503);
    assert!(api.take().is_empty());
    open.chat().expect(200);
    assert_eq!(api.take().len(), 1);
    other.execute_batch("ROLLBACK").unwrap();
    within(NOTICED_MAX, "the agent can tell again", || (asked() == 204).then_some(()));
    closed.chat().expect(200);
    // Failing open is not for refusals.
    within(NOTICED_MAX, "it records again", || (agent.costs(SPENT).status == 200).then_some(()));
    closed.chat().expect(403);
    open.chat().expect(403);
    assert_eq!(api.take().len(), 1);

    // It is gone, and comes back.
    agent.kill();
    closed.chat().expect(kind.unknown());
    assert!(api.take().is_empty());
    open.chat().expect(200);
    assert_eq!(api.take().len(), 1);
    let _agent = setup.start();
    for gateway in [&closed, &open] {
        within(NOTICED_MAX, "the gateway has found it again", || (gateway.chat().status == 403).then_some(()));
    }
}

/// The agent is told what is asked and what callers say of themselves, and nothing that is not its business.
fn tells_no_more_than_it_should(kind: Kind) {
    // It remembers what it was asked; its 200 lets everything pass.
    let (agent, api) = (Upstream::start(), Upstream::start());
    let gateway = Gateway::start(kind, Fails::Closed, agent.addr, api.addr);
    let said = [
        ("X-Cost-Worker", "w 1"),
        ("X-Cost-Batch", "b"),
        ("X-Cost-Lead", "lead-7"),
        ("X-Cost-Model", "gpt-4o"),
        ("Authorization", "Bearer sk-1"),
        ("Cookie", "session=1"),
    ];
    gateway.ask("POST", "/v1/chat?service=x", &said, b"secret").expect(200);
    assert_eq!(api.take().len(), 1, "{kind:?}");
    let asked: Vec<_> = agent.take().into_iter().filter(|asked| asked.target.starts_with("/scaling-gate/")).collect();
    let [asked] = &asked[..] else { panic!("{kind:?} asks once: {asked:?}") };
    let question = "?service=openai&operation=chat&estimated_cost_usd=0.02";
    assert!(asked.target.contains(question), "{kind:?} {}", asked.target);
    assert_eq!(asked.target.ends_with(question), kind != Kind::OlderEnvoy, "{kind:?} {}", asked.target);
    assert!(asked.body.is_empty(), "{kind:?}");
    for (name, value) in said {
        let expected = Some(value).filter(|_| name.starts_with("X-Cost-"));
        assert_eq!(asked.headers.get(&name.to_ascii_lowercase()).map(String::as_str), expected, "{kind:?} {name}");
    }
}

fn all_threads_stopped(pid: u32) -> bool {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    threads.filter_map(Result::ok).all(|thread| {
        fs::read_to_string(thread.path().join("status")).unwrap().lines().any(|line| line.starts_with("State:\tT"))
    })
}

/// What the API failed at is not sent to it, and paid for, a second time.
fn sends_once(kind: Kind) {
    let (agent, api) = (setup().start(), Upstream::that_hangs_up());
    for fails in [Fails::Closed, Fails::Open] {
        let gateway = Gateway::start(kind, fails, agent.addr(), api.addr);
        let status = gateway.chat().status;
        assert!([502, 503].contains(&status), "{kind:?} {status}");
        assert_eq!(api.take().len(), 1, "{kind:?} {fails:?}");
    }
}

#[test]
fn nginx_asks_first() {
    stands(Kind::Nginx);
}

#[test]
fn caddy_asks_first() {
    stands(Kind::Caddy);
}

#[test]
fn haproxy_asks_first() {
    stands(Kind::Haproxy);
}

#[test]
fn apache_asks_first() {
    stands(Kind::Apache);
}

#[test]
fn envoy_asks_first() {
    stands(Kind::Envoy);
}

#[test]
fn an_older_envoy_asks_first() {
    passes_what_fits_and_refuses_the_rest(Kind::OlderEnvoy);
}

#[test]
fn no_gateway_tells_the_agent_what_is_not_its_business() {
    for kind in [Kind::Nginx, Kind::Caddy, Kind::Haproxy, Kind::Apache, Kind::Envoy, Kind::OlderEnvoy] {
        tells_no_more_than_it_should(kind);
    }
}

#[test]
fn no_gateway_sends_twice_what_the_api_did_not_answer() {
    for kind in [Kind::Nginx, Kind::Caddy, Kind::Haproxy, Kind::Apache, Kind::Envoy] {
        sends_once(kind);
    }
}

#[test]
fn every_gateway_can_log_in_at_an_agent_that_asks_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    // The password of gateway is `looking-glass`.
    let users = "basic_auth_users: {gateway: $2b$04$abcdefghijklmnopqrstuu196or.tIX4ZphAF/FwsaEU.CYsQ1F8W}";
    let tokens = file("tokens", "read:gateway:t0ken\nrecord:worker:s3cret\n");
    let setup = setup().env("WEB_CONFIG_FILE", file("web.yml", users)).env("API_TOKEN_FILE", tokens);
    let agent = setup.env("HEALTH_WITHOUT_LOGIN", "true").start();
    for kind in [Kind::Nginx, Kind::Caddy, Kind::Haproxy, Kind::Apache, Kind::Envoy] {
        let api = Upstream::start();
        let stranger = Gateway::start(kind, Fails::Closed, agent.addr(), api.addr);
        let status = stranger.chat().status;
        assert!([401, 500, 502, 503].contains(&status), "{kind:?} {status}");
        assert!(api.take().is_empty(), "{kind:?}");
        let gateway = Gateway::with_login(kind, agent.addr(), api.addr, "t0ken", "looking-glass");
        gateway.chat().expect(200);
        let [reached] = &api.take()[..] else { panic!("{kind:?}") };
        let sent = reached.headers.get("authorization").map(String::as_str);
        assert_eq!(sent, Some("Bearer sk-1"), "{kind:?}: the caller's own");
    }
    let sending = [("Content-Type", "application/json"), ("Authorization", "Bearer s3cret")];
    agent.client().request("POST", "/costs", &sending, SPENT.as_bytes()).unwrap().expect(200);
    for kind in [Kind::Nginx, Kind::Caddy, Kind::Haproxy, Kind::Apache, Kind::Envoy] {
        let api = Upstream::start();
        Gateway::with_login(kind, agent.addr(), api.addr, "t0ken", "looking-glass").chat().expect(403);
        assert!(api.take().is_empty(), "{kind:?}");
    }
}

#[test]
fn an_agent_that_cannot_record_cannot_tell() {
    let setup = Setup::new().env("CRITICAL_OPERATIONS", "rescue");
    let agent = setup.start();
    let status = |query: &str| agent.get(&format!("/scaling-gate/authorize?{query}")).status;
    assert_eq!(status("service=s"), 204);
    let other = Connection::open(setup.ledger()).unwrap();
    other.busy_timeout(Duration::from_secs(5)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    agent.costs(r#"{"id":"a","service":"s","amount_usd":1}"#).expect(503);

    // Whoever recorded hears of it a moment before everybody else does.
    within(NOTICED_MAX, "it is known that nothing can be recorded", || (status("service=s") == 503).then_some(()));
    let answer = agent.get("/scaling-gate/authorize?service=s").expect(503);
    assert_eq!(answer.slug(), "ledger-unavailable");
    assert!(answer.header("retry-after").is_some() && answer.header("x-gate-reason").is_none());
    assert_eq!(status("service=s&estimated_cost_usd=9000"), 503, "nor is it known that this does not fit");
    assert_eq!(status("service=s&operation=rescue"), 204, "what is always allowed needs no ledger");
    assert_eq!(status(""), 400);
    let refused = agent.metrics().get("lead_factory_scaling_gate_blocked_total", &[("service", "other")]);
    assert_eq!(refused, None, "nothing was refused");

    other.execute_batch("ROLLBACK").unwrap();
    within(NOTICED_MAX, "it can tell again", || (status("service=s") == 204).then_some(()));
    assert_eq!(status("service=s&estimated_cost_usd=9000"), 403);
}

#[test]
fn a_gate_that_only_watches_lets_everything_pass() {
    let agent = Setup::new().env("SCALING_GATE_ENABLED", "false").env("DAILY_BUDGET", "1").start();
    agent.costs(r#"{"id":"a","service":"s","amount_usd":2}"#).expect(200);
    assert_eq!(agent.get("/scaling-gate/authorize?service=s&estimated_cost_usd=5").status, 204);
}
