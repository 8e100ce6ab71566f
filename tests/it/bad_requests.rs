//! Requests that are wrong as HTTP, sent byte by byte.
//!
//! Guards against: smuggling by two lengths, a raw path that becomes a metric label, an answer that leaks what is inside.

use crate::support::{Conn, Setup, TestAgent};

#[track_caller]
fn assert_untouched(agent: &TestAgent) {
    assert_eq!(agent.get("/costs/daily").text(), "{}");
    agent.assert_healthy();
}

#[test]
fn unknown_paths_and_methods_are_problems_and_never_labels() {
    let agent = Setup::new().start();
    for path in [
        "/nope",
        "/costs",
        "/costs/",
        "/costs/daily/",
        "/costs/daily/x",
        "/%00",
        "/..%2f..%2fetc/passwd",
        "/metrics%0a",
        "//",
        "/COSTS/daily",
        "/health/../metrics",
    ] {
        let answer = agent.client().request("DELETE", path, &[], b"").unwrap();
        let expected = if path == "/costs" { (405, "method-not-allowed") } else { (404, "not-found") };
        assert_eq!((answer.status, answer.slug().as_str()), expected, "{path}");
    }
    for (method, path, allow) in [
        ("POST", "/metrics", "GET"),
        ("PUT", "/costs/daily", "GET"),
        ("PUT", "/costs", "POST, GET, HEAD"),
        ("DELETE", "/health", "GET"),
        ("BREW", "/budgets", "GET"),
    ] {
        let answer = agent.client().request(method, path, &[], b"").unwrap();
        assert_eq!((answer.status, answer.slug().as_str()), (405, "method-not-allowed"), "{method} {path}");
        assert!(
            answer.header("allow").is_some_and(|methods| methods.contains(allow)),
            "{method} {path}: {:?}",
            answer.header("allow")
        );
    }
    let metrics = agent.metrics();
    for (labels, _) in metrics.series("lead_factory_http_requests_total") {
        let endpoint = &labels["endpoint"];
        assert!(
            !endpoint.contains("nope") && !endpoint.contains('%') && !endpoint.contains("passwd"),
            "a raw path: {endpoint}"
        );
        assert!(labels["method"] != "BREW", "unknown methods are folded");
    }
    assert_untouched(&agent);
}

#[test]
fn query_parameters_are_checked() {
    let agent = Setup::new().start();
    for path in [
        "/costs/daily?date=2026-02-30",
        "/costs/daily?date=20261122",
        "/costs/daily?date=",
        "/costs/daily?by=colour",
        "/costs/daily?by=",
        "/costs/daily?date=2026-11-22&date=2026-11-21",
        "/costs/daily?month=2026-11",
        "/costs/monthly?month=2026-13",
        "/costs/monthly?date=2026-11-22",
        "/costs/history?days=0",
        "/costs/history?days=401",
        "/costs/history?days=-1",
        "/costs/history?days=1e1",
        "/costs/history?days=x",
        "/costs/daily?service=%ff",
        "/scaling-gate/history?limit=0",
        "/scaling-gate/history?limit=1001",
        "/budgets?x=1",
        "/scaling-gate/status?x",
    ] {
        let answer = agent.get(path);
        assert_eq!((answer.status, answer.slug().as_str()), (400, "malformed"), "{path}");
    }
    for path in [
        "/costs/history?days=1",
        "/costs/history?days=400",
        "/scaling-gate/history?limit=1000",
        "/costs/daily?service=no%20such",
        "/costs/daily?",
    ] {
        agent.get(path).expect(200);
    }
    assert_untouched(&agent);
}

#[test]
fn broken_requests_are_answered_or_closed_and_never_recorded() {
    let agent = Setup::new().start();
    let event = r#"{"service":"s","amount_usd":1}"#;
    let length = event.len();
    let headers: String = (0..300).map(|number| format!("X-{number}: y\r\n")).collect();
    let long_uri = "a".repeat(200_000);
    let long_header = "b".repeat(1_000_000);
    let requests: Vec<(&str, String)> = vec![
        ("nonsense", "nonsense\r\n\r\n".into()),
        ("a TLS hello", "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}".into()),
        ("an HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".into()),
        ("a long URI", format!("GET /{long_uri} HTTP/1.1\r\nHost: localhost\r\n\r\n")),
        ("a long header", format!("GET /health HTTP/1.1\r\nHost: localhost\r\nX: {long_header}\r\n\r\n")),
        ("many headers", format!("GET /health HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n")),
        ("two lengths", format!("POST /costs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nContent-Length: 5\r\n\r\n{event}")),
        ("a negative length", format!("POST /costs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: -1\r\n\r\n{event}")),
        ("a broken chunk", "POST /costs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n".into()),
    ];
    for (what, bytes) in requests {
        let mut conn = Conn::open(agent.addr()).unwrap();
        let _ = conn.send(bytes.as_bytes());
        conn.finish_sending();
        if let Ok(answer) = conn.read() {
            assert!((400..500).contains(&answer.status), "{what}: {}", answer.status);
        }
        assert_untouched(&agent);
    }
}

#[test]
fn a_body_with_both_a_length_and_chunks_is_not_smuggled() {
    let agent = Setup::new().start();
    // Read by its length it ends within the first chunk; what follows would be a second request.
    let event = r#"{"id":"a","service":"s","amount_usd":1}"#;
    let body = format!("{:x}\r\n{event}\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n", event.len());
    for lengths in ["Content-Length: 4\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked\r\nContent-Length: 4"] {
        let head = format!("POST /costs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{lengths}\r\n\r\n");
        let mut conn = Conn::open(agent.addr()).unwrap();
        conn.send(format!("{head}{body}").as_bytes()).unwrap();
        conn.read().unwrap().expect(200);
        assert!(conn.read().is_err(), "nothing behind the chunks is answered");
    }
    assert_eq!(agent.get("/costs/daily").text(), r#"{"s":1}"#);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let agent = Setup::new().start();
    let event = r#"{"id":"p","service":"s","amount_usd":1}"#;
    let record = format!(
        "POST /costs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{event}",
        event.len()
    );
    let read = "GET /costs/daily HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let mut conn = Conn::open(agent.addr()).unwrap();
    conn.send(format!("{record}{read}{record}{read}").as_bytes()).unwrap();
    assert_eq!(conn.read().unwrap().expect(200).json()["accepted"], 1);
    assert_eq!(conn.read().unwrap().expect(200).text(), r#"{"s":1}"#);
    assert_eq!(conn.read().unwrap().expect(200).json()["duplicates"], 1);
    assert_eq!(conn.read().unwrap().expect(200).text(), r#"{"s":1}"#);
}

#[test]
fn expect_100_continue_is_honoured_and_a_refusal_spares_the_body() {
    let agent = Setup::new().start();
    let event = r#"{"service":"s","amount_usd":1}"#;
    let mut conn = Conn::open(agent.addr()).unwrap();
    let head = format!(
        "POST /costs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: {}\r\n\r\n",
        event.len()
    );
    conn.send(head.as_bytes()).unwrap();
    assert_eq!(conn.read().unwrap().status, 100);
    conn.send(event.as_bytes()).unwrap();
    conn.read().unwrap().expect(200);

    let mut conn = Conn::open(agent.addr()).unwrap();
    conn.send(head.replace("application/json", "text/plain").as_bytes()).unwrap();
    assert_eq!(conn.read().unwrap().expect(415).slug(), "unsupported-media-type");
}

#[test]
fn a_client_that_hangs_up_at_any_byte_is_recorded_whole_or_not_at_all() {
    let agent = Setup::new().start();
    let events = r#"[{"id":"ID/1","service":"s","amount_usd":1},{"id":"ID/2","service":"s","amount_usd":2}]"#;
    for cut in 0..400_usize {
        let body = events.replace("ID", &format!("cut{cut}"));
        let request = format!(
            "POST /costs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut conn = Conn::open(agent.addr()).unwrap();
        conn.send(&request.as_bytes()[..cut.min(request.len())]).unwrap();
        drop(conn);
        let again = agent.costs(&body).expect(200).json();
        let whole = again["accepted"] == 2 && again["duplicates"] == 0 || again["accepted"] == 0 && again["duplicates"] == 2;
        assert!(whole, "hung up after {cut} bytes: {again}");
    }
    assert_eq!(agent.get("/costs/daily").text(), r#"{"s":1200}"#);
    agent.assert_healthy();
}
