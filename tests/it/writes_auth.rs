//! Who may write.
//!
//! Guards against: an unauthenticated write endpoint on 0.0.0.0, a proxy on this host that turns the world into loopback, a web
//! page in the operator's browser that posts to localhost, DNS rebinding.

use std::fs;
use std::net::{IpAddr, SocketAddr, UdpSocket};

use crate::support::{Client, Conn, Response, Setup, TestAgent};

const EVENT: &str = r#"{"service":"s","amount_usd":1}"#;
const JSON: (&str, &str) = ("Content-Type", "application/json");

#[track_caller]
fn write_with(agent: &TestAgent, headers: &[(&str, &str)]) -> Response {
    agent.client().request("POST", "/costs", &[&[JSON], headers].concat(), EVENT.as_bytes()).unwrap()
}

#[track_caller]
fn assert_refused(answer: &Response, status: u16, slug: &str, why: &str) {
    assert_eq!((answer.status, answer.slug().as_str()), (status, slug), "{why}: {}", answer.text());
}

/// A whole request with exactly these `Host` lines.
#[track_caller]
fn write_to_host(agent: &TestAgent, host_lines: &str) -> Response {
    let mut conn = Conn::open(agent.addr()).unwrap();
    let length = EVENT.len();
    conn.send(
        format!(
            "POST /costs HTTP/1.1\r\n{host_lines}Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{EVENT}"
        )
        .as_bytes(),
    )
    .unwrap();
    conn.read().unwrap()
}

#[track_caller]
fn assert_nothing_recorded(agent: &TestAgent) {
    assert_eq!(agent.get("/costs/daily").text(), "{}");
    agent.assert_healthy();
}

/// This machine's own address that is not loopback: talking to it, the peer is not loopback either.
#[track_caller]
fn own_address() -> IpAddr {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    // Connecting a datagram socket sends nothing; it only asks for the route.
    let routed = socket.connect("198.51.100.1:9").and_then(|()| socket.local_addr());
    routed.expect("this test needs a network interface besides loopback (no traffic leaves the machine)").ip()
}

#[test]
fn without_a_token_only_loopback_may_write() {
    let agent = Setup::new().env("METRICS_HOST", "0.0.0.0").start();
    let outside = SocketAddr::new(own_address(), agent.addr().port());
    let answer = Client::new(outside).costs(EVENT);
    assert_refused(&answer, 403, "forbidden", "not loopback");
    Client::new(outside).get("/costs/daily").expect(200);
    Client::new(outside).get("/metrics").expect(200);
    assert_nothing_recorded(&agent);
    write_with(&agent, &[]).expect(200);
}

#[test]
fn a_forwarding_header_makes_loopback_a_stranger() {
    let agent = Setup::new().start();
    for header in ["Forwarded", "X-Forwarded-For", "X-Real-IP", "Via", "x-forwarded-for"] {
        for value in ["127.0.0.1", ""] {
            assert_refused(&write_with(&agent, &[(header, value)]), 403, "forbidden", header);
        }
    }
    assert_nothing_recorded(&agent);
}

#[test]
fn a_browser_may_not_write() {
    let agent = Setup::new().env("API_TOKEN", "secret").start();
    let token = ("Authorization", "Bearer secret");
    for headers in [
        &[("Origin", "http://localhost")][..],
        &[("Origin", "null")],
        &[("Origin", "")],
        &[("Sec-Fetch-Site", "cross-site")],
        &[("Sec-Fetch-Site", "same-origin")],
        &[("Sec-Fetch-Site", "same-site")],
    ] {
        let with_token = [headers, &[token]].concat();
        assert_refused(&write_with(&agent, &with_token), 403, "forbidden", &format!("{headers:?}"));
    }
    assert_nothing_recorded(&agent);
    write_with(&agent, &[token, ("Sec-Fetch-Site", "none")]).expect(200);
}

#[test]
fn a_write_needs_one_well_formed_host_that_is_ours() {
    let agent = Setup::new().setting("allowed_hosts = [\"ledger.internal\"]").start();
    for lines in [
        "",
        "Host: localhost\r\nHost: localhost\r\n",
        "Host: \r\n",
        "Host: local host\r\n",
        "Host: a/b\r\n",
        "Host: localhost:x\r\n",
        "Host: localhost:99999\r\n",
        "Host: user@localhost\r\n",
        "Host: [::1\r\n",
    ] {
        assert_refused(&write_to_host(&agent, lines), 400, "malformed", lines);
    }
    for host in ["evil.example", "localhost.evil.example", "ledger.internal.evil.example", "xlocalhost", "127.0.0.1.nip.io"]
    {
        assert_refused(&write_to_host(&agent, &format!("Host: {host}\r\n")), 421, "misdirected", host);
    }
    assert_nothing_recorded(&agent);
    for host in [
        "localhost",
        "LOCALHOST:8000",
        "127.0.0.1",
        "127.0.0.1:1",
        "[::1]",
        "[::1]:8000",
        "192.0.2.7:80",
        "ledger.internal",
        "Ledger.Internal:8000",
    ] {
        write_to_host(&agent, &format!("Host: {host}\r\n")).expect(200);
    }
    let mut conn = Conn::open(agent.addr()).unwrap();
    conn.send(b"GET /health HTTP/1.1\r\nHost: evil.example\r\n\r\n").unwrap();
    conn.read().unwrap().expect(200);
}

#[test]
fn with_a_token_set_every_write_needs_it() {
    let agent = Setup::new().env("API_TOKEN", "secret-token").start();
    let missing = write_with(&agent, &[]);
    assert_refused(&missing, 401, "unauthorized", "missing");
    assert!(missing.header("www-authenticate").is_some_and(|challenge| challenge.starts_with("Bearer")));
    for value in [
        "Bearer wrong",
        "Bearer ",
        "Bearer",
        "Basic secret-token",
        "secret-token",
        "Bearer secret-token2",
        "Bearer secret-toke",
        "Bearer SECRET-TOKEN",
        "",
    ] {
        let wrong = write_with(&agent, &[("Authorization", value)]);
        assert_refused(&wrong, 401, "unauthorized", value);
        assert_eq!(wrong.body, missing.body, "the same body for a missing and a wrong one");
        assert_eq!(wrong.header("www-authenticate"), missing.header("www-authenticate"));
    }
    assert_nothing_recorded(&agent);
    write_with(&agent, &[("Authorization", "Bearer secret-token")]).expect(200);
    write_with(&agent, &[("authorization", "bearer secret-token")]).expect(200);
    // With its token a client may come through a proxy, and from anywhere.
    write_with(&agent, &[("Authorization", "Bearer secret-token"), ("X-Forwarded-For", "203.0.113.9")]).expect(200);
    assert!(!agent.log().contains("secret-token"), "secrets never print");
}

#[test]
fn a_token_file_holds_two_tokens_during_a_rotation() {
    let setup = Setup::new();
    let tokens = setup.folder().join("tokens");
    fs::write(&tokens, "old-token\nnew-token\n").unwrap();
    let agent = setup.env("API_TOKEN_FILE", tokens.as_os_str()).env("METRICS_HOST", "0.0.0.0").start();
    for token in ["old-token", "new-token"] {
        write_with(&agent, &[("Authorization", &format!("Bearer {token}"))]).expect(200);
    }
    let outside = SocketAddr::new(own_address(), agent.addr().port());
    let headers = [JSON, ("Authorization", "Bearer new-token")];
    let answer = Client::new(outside).request("POST", "/costs", &headers, EVENT.as_bytes()).unwrap();
    answer.expect(200);
    assert_refused(
        &write_with(&agent, &[("Authorization", "Bearer old-token\tnew-token")]),
        401,
        "unauthorized",
        "both at once",
    );
}

#[test]
fn loopback_may_be_let_off_the_token() {
    let agent = Setup::new()
        .env("API_TOKEN", "t0ken")
        .env("METRICS_HOST", "0.0.0.0")
        .setting("loopback_needs_token = false")
        .start();
    write_with(&agent, &[]).expect(200);
    assert_refused(
        &write_with(&agent, &[("Via", "1.1 proxy")]),
        401,
        "unauthorized",
        "loopback through a proxy is not loopback",
    );
    let outside = SocketAddr::new(own_address(), agent.addr().port());
    assert_refused(&Client::new(outside).costs(EVENT), 401, "unauthorized", "from outside");
}

#[test]
fn checks_come_in_the_promised_order() {
    let agent = Setup::new().env("API_TOKEN", "secret").start();
    let request = |method: &str, path: &str, lines: &str| {
        let mut conn = Conn::open(agent.addr()).unwrap();
        conn.send(format!("{method} {path} HTTP/1.1\r\n{lines}Content-Length: 1\r\n\r\n{{").as_bytes()).unwrap();
        let answer = conn.read().unwrap();
        (answer.status, answer.slug())
    };
    let everything_wrong = "Origin: http://evil.example\r\nAuthorization: Bearer wrong\r\nContent-Type: text/plain\r\n";
    let cases = [
        ("POST", "/nope", String::new(), 404, "not-found"),
        ("PUT", "/costs", String::new(), 405, "method-not-allowed"),
        ("POST", "/costs", String::new(), 400, "malformed"),
        ("POST", "/costs", "Host: evil.example\r\n".into(), 421, "misdirected"),
        ("POST", "/costs", "Host: localhost\r\n".into(), 403, "forbidden"),
    ];
    for (method, path, host, status, slug) in cases {
        assert_eq!(
            request(method, path, &format!("{host}{everything_wrong}")),
            (status, slug.to_owned()),
            "{method} {path} {host}"
        );
    }
    let unauthorized = "Host: localhost\r\nAuthorization: Bearer wrong\r\nContent-Type: text/plain\r\n";
    assert_eq!(request("POST", "/costs", unauthorized), (401, "unauthorized".into()), "before the body is looked at");
    let authorized = "Host: localhost\r\nAuthorization: Bearer secret\r\nContent-Type: text/plain\r\n";
    assert_eq!(request("POST", "/costs", authorized), (415, "unsupported-media-type".into()));
    assert_nothing_recorded(&agent);
}
