//! Who may read, and that a password lets nobody write.

use serde_json::Value;

use super::{CHEAP, Curl, LOGIN, TLS, USUAL, Web};
use crate::support::TestAgent;

const EVENT: &str = r#"{"service":"s","amount_usd":1}"#;

fn users() -> String {
    format!("basic_auth_users: {{alice: {CHEAP}, bob: {USUAL}}}\n")
}

fn with_token(curl: &Curl, token: &str) -> Curl {
    curl.clone().with(&["--header", &format!("Authorization: Bearer {token}")])
}

/// Each path that is read, with a name where an id belongs.
fn paths_that_are_read(agent: &TestAgent, curl: &Curl) -> Vec<String> {
    let described: Value = curl.get("/openapi.json").expect(200).json();
    let paths = described["paths"].as_object().unwrap().clone();
    assert!(agent.pid() > 0 && paths.len() > 20);
    let read = paths.into_iter().filter(|(_, methods)| methods.get("get").is_some());
    read.map(|(path, _)| {
        path.split('/').map(|part| if part.starts_with('{') { "x" } else { part }).collect::<Vec<_>>().join("/")
    })
    .collect()
}

#[test]
fn every_read_asks_for_a_login_and_takes_a_password_or_a_token() {
    let web = Web::new(&(TLS.to_owned() + &users())).env("API_TOKEN", "s3cret-token");
    let agent = web.start();
    let curl = web.curl(&agent);
    let alice = curl.clone().with(&["--user", LOGIN]);
    for path in paths_that_are_read(&agent, &alice) {
        let refused = curl.get(&path);
        assert_eq!((refused.status, refused.slug().as_str()), (401, "unauthorized"), "{path}");
        assert_eq!(
            refused.header("www-authenticate"),
            Some("Basic realm=\"lead-factory-metrics\", charset=\"UTF-8\""),
            "{path}"
        );
        for let_in in [&alice, &with_token(&curl, "s3cret-token")] {
            assert_ne!(let_in.get(&path).status, 401, "{path}");
        }
    }
    for wrong in
        ["alice:Wonderland", "alice:", "alice", "Alice:wonderland", "carol:wonderland", ":wonderland", "bob:wonderlan"]
    {
        let wrong_password = curl.clone().with(&["--user", wrong, "--max-time", "20"]);
        wrong_password.get("/costs/daily").expect(401);
    }
    for wrong in ["Bearer wrong", "Basic !!!", "Basic", "Basic YWxpY2U=", "Digest x"] {
        curl.clone().with(&["--header", &format!("Authorization: {wrong}")]).get("/costs/daily").expect(401);
    }
    let twice = alice.clone().with(&["--header", "Authorization: Bearer s3cret-token"]);
    assert_eq!(twice.get("/costs/daily").status, 200, "curl sends its header in place of the password");
    let log = agent.log();
    assert!(!log.contains("wonderland") && !log.contains("s3cret-token") && !log.contains("$2y$"), "{log}");
}

#[test]
fn a_password_lets_nobody_write() {
    let web = Web::new(&users()).env("API_TOKEN", "s3cret-token");
    let agent = web.start();
    let curl = Curl::plain(agent.addr());
    let alice = curl.clone().with(&["--user", LOGIN]);
    let writes = [
        ("POST", "/costs", EVENT),
        ("PUT", "/scaling-gate", r#"{"state":"active","reason":"x"}"#),
        ("POST", "/ingest/litellm", "[]"),
    ];
    for (method, path, body) in writes {
        for without in [&curl, &alice] {
            let sending = ["--request", method, "--header", "Content-Type: application/json", "--data", body];
            let refused = without.clone().with(&sending).get(path).expect(401);
            assert_eq!(refused.header("www-authenticate"), Some("Bearer"));
        }
    }
    assert_eq!(alice.get("/costs/daily").text(), "{}");
    with_token(&curl, "s3cret-token").with(&["--json", EVENT]).get("/costs").expect(200);
    assert_eq!(alice.get("/costs/daily").text(), r#"{"s":1}"#);
    // Where calls are taken, the token may stand in the password's place, as Langfuse sends it.
    alice.clone().with(&["--user", "pk-lf-1:s3cret-token", "--json", "[]"]).get("/ingest/litellm").expect(200);
}

#[test]
fn without_a_token_loopback_is_not_enough_unless_that_is_said() {
    let web = Web::new(&users());
    let agent = web.start();
    let curl = Curl::plain(agent.addr());
    for without in [&curl, &curl.clone().with(&["--user", LOGIN])] {
        let refused = without.clone().with(&["--json", EVENT]).get("/costs").expect(403);
        assert!(refused.text().contains("API_TOKEN"), "{}", refused.text());
    }
    assert!(agent.log().contains("nobody can write over the network"), "{}", agent.log());
    drop(agent);
    let lenient = web.env("LOOPBACK_NEEDS_TOKEN", "false");
    let agent = lenient.start();
    let curl = Curl::plain(agent.addr());
    curl.clone().with(&["--json", EVENT]).get("/costs").expect(200);
    curl.clone().with(&["--json", EVENT, "--header", "X-Forwarded-For: 10.0.0.1"]).get("/costs").expect(403);
    curl.get("/costs/daily").expect(401);
}

#[test]
fn a_token_reads_where_it_is_allowed_to() {
    let web = Web::new(&users()).env("API_TOKEN_FILE", "tokens");
    std::fs::write(
        web.folder().join("tokens"),
        "read:prometheus:may-read\nrecord:worker-7:may-record\nadmin+read:ops:may-both\n",
    )
    .unwrap();
    let agent = web.start();
    let curl = Curl::plain(agent.addr());
    for (token, status) in [("may-read", 200), ("may-record", 403), ("may-both", 200), ("may-nothing", 401)] {
        let answer = with_token(&curl, token).get("/metrics").expect(status);
        assert!(status != 403 || answer.text().contains("`read`"), "{}", answer.text());
    }
    // Whether the agent is well is for everybody to know who has any.
    with_token(&curl, "may-record").get("/-/ready").expect(200);
    let sending = |token| with_token(&curl, token).with(&["--json", EVENT]);
    sending("may-read").get("/costs").expect(403);
    sending("may-record").get("/costs").expect(200);
}

#[test]
fn whoever_may_open_the_socket_needs_no_login() {
    let web = Web::new(&(TLS.to_owned() + &users())).env("WRITE_SOCKET", "agent.sock");
    let agent = web.start();
    assert!(!agent.log().contains("nobody can write"), "{}", agent.log());
    let socket = super::path(web.folder(), "agent.sock");
    let curl = Curl::plain(agent.addr()).with(&["--unix-socket", &socket]);
    curl.clone().with(&["--json", EVENT]).get("/costs").expect(200);
    assert_eq!(curl.get("/costs/daily").expect(200).text(), r#"{"s":1}"#);
}

#[test]
fn probes_may_be_let_in() {
    let web = Web::new(&users()).env("HEALTH_WITHOUT_LOGIN", "true");
    let agent = web.start();
    let curl = Curl::plain(agent.addr());
    curl.get("/-/healthy").expect(200);
    curl.get("/-/ready").expect(200);
    for path in ["/health", "/metrics", "/", "/-/ready/"] {
        assert!([401, 404].contains(&curl.get(path).status), "{path}");
    }
}

#[test]
fn gateways_log_in_as_every_reader_does() {
    let web = Web::new(&users());
    let agent = web.start();
    let curl = Curl::plain(agent.addr()).with(&["--request", "POST"]);
    let (path, below) = ("/scaling-gate/authorize?service=openai", "/scaling-gate/authorize/v1/chat?service=openai");
    for path in [path, below] {
        curl.get(path).expect(401);
        // What its own caller sent to somebody else is no login here.
        with_token(&curl, "sk-of-the-caller").get(path).expect(401);
        curl.clone().with(&["--user", LOGIN]).get(path).expect(204);
    }
}

#[test]
fn headers_are_added_and_ours_stay() {
    let headers = "http_server_config:\n  http2: false\n  headers:\n    Strict-Transport-Security: max-age=300\n    X-Frame-Options: sameorigin\n    \
                   X-XSS-Protection: 0\n    X-Content-Type-Options: nosniff\n    Content-Security-Policy: \"default-src 'self'\"\n";
    let web = Web::new(headers);
    let agent = web.start();
    let curl = Curl::plain(agent.addr());
    for (path, status) in [("/metrics", 200), ("/costs/daily", 200), ("/nope", 404), ("/costs/daily?x=y", 400)] {
        let answer = curl.get(path).expect(status);
        for (name, value) in [
            ("Strict-Transport-Security", "max-age=300"),
            ("X-Frame-Options", "sameorigin"),
            ("X-XSS-Protection", "0"),
            ("X-Content-Type-Options", "nosniff"),
            ("Content-Security-Policy", "default-src 'self'"),
        ] {
            let found: Vec<_> = answer.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name)).collect();
            assert!(found.len() == 1 && found[0].1 == value, "{path} {name}: {found:?}");
        }
    }
    // The page knows best what it is made of.
    let page = curl.with(&["--header", "Accept: text/html"]).get("/").expect(200);
    assert!(page.header("content-security-policy").unwrap().starts_with("default-src 'none'"), "{page:?}");
}
