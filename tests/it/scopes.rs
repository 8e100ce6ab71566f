//! Tokens that allow some things only, and say whose they are.
//!
//! Guards against: a worker's token that opens the gate, a slip in a line of tokens that makes it allow everything, a history that names
//! only who the sender claims to be.

use std::fs;

use crate::support::{Conn, Response, Setup, TestAgent, within};

const TOKENS: &str = "record+reserve:worker-7:aaa1\nadmin:ops:bbb2\nread:grafana:ccc3\nddd4\n";
const EVENT: &str = r#"{"service":"s","amount_usd":1}"#;

fn with_tokens(text: &str) -> Setup {
    let setup = Setup::new();
    let path = setup.folder().join("tokens");
    fs::write(&path, text).unwrap();
    setup.env("API_TOKEN_FILE", path.as_os_str())
}

#[track_caller]
fn send(agent: &TestAgent, token: &str, method: &str, path: &str, body: &str) -> Response {
    let bearer = format!("Bearer {token}");
    let headers = [("Content-Type", "application/json"), ("Authorization", &bearer)];
    agent.client().request(method, path, &headers, body.as_bytes()).unwrap()
}

#[track_caller]
fn assert_lacks(answer: &Response, scope: &str) {
    assert_eq!((answer.status, answer.slug().as_str()), (403, "forbidden"), "{}", answer.text());
    assert_eq!(answer.json()["detail"], format!("This token lacks the scope `{scope}`."));
}

#[test]
fn a_token_allows_its_scopes_and_is_told_which_it_lacks() {
    let agent = with_tokens(TOKENS).start();
    let order = r#"{"state":"auto","reason":"r"}"#;
    let hold = r#"{"service":"s","estimated_cost_usd":1,"id":"a"}"#;
    for (method, path, body, scope, good) in [
        ("POST", "/costs", EVENT, "record", 200),
        ("POST", "/ingest/litellm", "[]", "record", 200),
        ("POST", "/v1/traces", "{}", "record", 200),
        ("POST", "/reservations", hold, "reserve", 201),
        ("POST", "/reservations/a/commit", r#"{"amount_usd":1}"#, "reserve", 200),
        ("PUT", "/scaling-gate", order, "admin", 200),
        ("PUT", "/budgets/daily", r#"{"limit_usd":60,"reason":"r"}"#, "admin", 200),
        ("POST", "/prices/reload", "", "admin", 200),
        ("POST", "/reprice?from=2026-11-01&to=2026-11-02&model=gpt-4o&dry_run=true", "", "admin", 200),
    ] {
        let right = if scope == "admin" { "bbb2" } else { "aaa1" };
        for token in ["aaa1", "bbb2", "ccc3"].into_iter().filter(|token| *token != right) {
            assert_lacks(&send(&agent, token, method, path, body), scope);
        }
        send(&agent, right, method, path, body).expect(good);
        assert!(send(&agent, "ddd4", method, path, body).status < 300, "{path}");
        send(&agent, "worker-7:aaa1", method, path, body).expect(401);
    }
    // A token for reading does not close it.
    agent.get("/costs/daily").expect(200);
    let log = agent.log();
    assert!(["aaa1", "bbb2", "ccc3", "ddd4"].iter().all(|token| !log.contains(token)), "{log}");
}

#[test]
fn a_wrong_scope_is_told_before_the_body_is_read() {
    let agent = with_tokens(TOKENS).start();
    let mut conn = Conn::open(agent.addr()).unwrap();
    conn.send(b"POST /costs HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer bbb2\r\nContent-Length: 1000000\r\n\r\n")
        .unwrap();
    assert_lacks(&conn.read().unwrap(), "record");
    assert_eq!(agent.get("/costs/daily").text(), "{}");
}

#[test]
fn the_histories_say_whose_token_it_was_also_after_a_restart() {
    let setup = with_tokens(TOKENS).env("WRITE_SOCKET", "");
    let mut agent = setup.start();
    let order = |actor: &str| format!(r#"{{"state":"active","reason":"r","actor":"{actor}"}}"#);
    send(&agent, "bbb2", "PUT", "/scaling-gate", &order("ann")).expect(200);
    send(&agent, "ddd4", "PUT", "/scaling-gate", &order("ben")).expect(200);
    send(&agent, "bbb2", "PUT", "/budgets/daily", r#"{"limit_usd":60,"reason":"r","actor":"ann"}"#).expect(200);
    send(&agent, "ddd4", "PUT", "/budgets/monthly", r#"{"limit_usd":60,"reason":"r"}"#).expect(200);
    for when in ["at once", "after a restart"] {
        let gate = agent.get("/scaling-gate/history").json();
        let said =
            |line: usize| (gate[line]["actor"].as_str().unwrap(), gate[line].get("token").and_then(|token| token.as_str()));
        assert_eq!((said(0), said(1)), (("ben", None), ("ann", Some("ops"))), "{when}: {gate}");
        let limits = agent.get("/budgets/history").json();
        assert_eq!((limits[0].get("token"), &limits[1]["token"]), (None, &"ops".into()), "{when}: {limits}");
        let budgets = agent.get("/budgets").json();
        assert_eq!(budgets[0]["override"]["token"], "ops", "{when}: {budgets}");
        let table = agent.cli(&["gate", "history"]);
        assert!(String::from_utf8_lossy(&table.stdout).contains("ops"), "{}", String::from_utf8_lossy(&table.stdout));
        assert!(agent.terminate().success());
        setup.assert_verifies();
        agent = setup.start();
    }
}

#[test]
fn other_tokens_hold_after_sighup_and_a_slip_changes_nothing() {
    let setup = with_tokens("record:w:aaa1\n");
    let path = setup.folder().join("tokens");
    let agent = setup.start();
    let reloads = |value: f64| {
        within(std::time::Duration::from_secs(20), "the settings are read", || {
            (agent.metrics().get("lead_factory_config_reload_success", &[]) == Some(value)).then_some(())
        });
    };
    fs::write(&path, "recrod:w:aaa1\n").unwrap();
    agent.hang_up();
    reloads(0.0);
    send(&agent, "aaa1", "POST", "/costs", EVENT).expect(200);
    fs::write(&path, "reserve:w:aaa1\nrecord:w:bbb2\n").unwrap();
    agent.hang_up();
    reloads(1.0);
    assert_lacks(&send(&agent, "aaa1", "POST", "/costs", EVENT), "record");
    send(&agent, "bbb2", "POST", "/costs", EVENT).expect(200);
    assert!(!agent.log().contains("aaa1"), "{}", agent.log());
}

#[test]
fn a_line_with_a_mistake_ends_the_start_without_showing_it() {
    for line in [
        "recrod:worker-7:s3cret",
        "record:bad name:s3cret",
        "record::s3cret",
        "record:worker-7:",
        "record+all:w:s3cret",
        "admin:s3cret",
    ] {
        let refused = with_tokens(&format!("fine\n{line}\n")).try_start().err().expect(line);
        assert_eq!(refused.status.code(), Some(78), "{line}: {}", refused.log);
        assert!(refused.log.contains("line 2") && !refused.log.contains("s3cret"), "{line}: {}", refused.log);
    }
}
