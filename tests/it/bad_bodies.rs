//! Bodies that cannot be read, or that are too much: each is refused for its own reason and changes nothing.
//!
//! Guards against: a gzip bomb, a chunked body past the limit, duplicate keys of which the last wins, a stack overflow.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::support::{Conn, Response, Setup, TestAgent};

const GOOD: &str = r#"{"service":"s","amount_usd":1}"#;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[track_caller]
fn post(agent: &TestAgent, headers: &[(&str, &str)], body: &[u8]) -> Response {
    agent.client().request("POST", "/costs", headers, body).unwrap()
}

#[track_caller]
fn assert_nothing_recorded(agent: &TestAgent) {
    assert_eq!(agent.get("/costs/daily").text(), "{}");
    assert_eq!(agent.metrics().series("lead_factory_cost_usd_total").count(), 0);
    agent.assert_healthy();
}

#[test]
fn what_is_not_json_is_malformed() {
    let agent = Setup::new().start();
    let nested = |depth: usize| {
        format!(r#"{{"service":"s","amount_usd":1,"attributes":{{"a":{}1{}}}}}"#, "[".repeat(depth), "]".repeat(depth))
    };
    let bodies: Vec<Vec<u8>> = vec![
        b"".to_vec(),
        b"  \n ".to_vec(),
        br#"{"service":"s","amount_usd":1"#.to_vec(),
        br#"{"service":"s","amount_usd":1}x"#.to_vec(),
        br#"{"service":"s","amount_usd":1}{"service":"s","amount_usd":1}"#.to_vec(),
        b"\xef\xbb\xbf{\"service\":\"s\",\"amount_usd\":1}".to_vec(),
        b"{\"service\":\"\xff\xfe\",\"amount_usd\":1}".to_vec(),
        b"{\"service\":\"\xed\xa0\x80\",\"amount_usd\":1}".to_vec(),
        br#"{"service":"\ud800","amount_usd":1}"#.to_vec(),
        br#"{"service":"s","amount_usd":NaN}"#.to_vec(),
        br#"{"service":"s","amount_usd":Infinity}"#.to_vec(),
        br#"{"service":"s","amount_usd":01}"#.to_vec(),
        br#"{"service":"s","amount_usd":+1}"#.to_vec(),
        br#"{"service":"s","amount_usd":.5}"#.to_vec(),
        br#"{"service":"s","amount_usd":1,}"#.to_vec(),
        br#"{'service':'s','amount_usd':1}"#.to_vec(),
        b"{\"service\":\"a\nb\",\"amount_usd\":1}".to_vec(),
        br#"/* cost */ {"service":"s","amount_usd":1}"#.to_vec(),
        br#"{"service":"s","amount_usd":1,"amount_usd":2}"#.to_vec(),
        br#"{"service":"s","amount_usd":1,"usage":{"a":1,"a":1}}"#.to_vec(),
        br#"{"service":"s","amount_usd":1,"attributes":{"x":[{"a":1,"a":2}]}}"#.to_vec(),
        br#"{"service":"s","amount_usd":1,"attributes":{"x":1,"\u0078":2}}"#.to_vec(),
        nested(40).into_bytes(),
        nested(100_000).into_bytes(),
        "[".repeat(200_000).into_bytes(),
        b"1".to_vec(),
        b"\"text\"".to_vec(),
        b"true".to_vec(),
        b"null".to_vec(),
    ];
    for body in bodies {
        let shown = String::from_utf8_lossy(&body[..body.len().min(80)]).into_owned();
        let answer = post(&agent, &[("Content-Type", "application/json")], &body);
        assert_eq!((answer.status, answer.slug().as_str()), (400, "malformed"), "{shown}");
    }
    for body in [&b""[..], b"{\"service\":\"s\",\"amount_usd\":1}\nnonsense", b"{\"service\":\"s\"\n,\"amount_usd\":1}"] {
        let answer = post(&agent, &[("Content-Type", "application/x-ndjson")], body);
        assert_eq!((answer.status, answer.slug().as_str()), (400, "malformed"), "{}", String::from_utf8_lossy(body));
    }
    assert_nothing_recorded(&agent);
}

#[test]
fn ndjson_skips_blank_lines_and_an_empty_array_is_fine() {
    let agent = Setup::new().start();
    let lines = format!("\n{GOOD}\r\n\n  \n{GOOD}");
    let answer = post(&agent, &[("Content-Type", "application/x-ndjson; charset=utf-8")], lines.as_bytes());
    assert_eq!(answer.expect(200).json(), serde_json::json!({"accepted": 2, "duplicates": 0}));
    let answer = post(&agent, &[("Content-Type", "application/x-ndjson")], b"\n \r\n");
    assert_eq!(answer.expect(200).json(), serde_json::json!({"accepted": 0, "duplicates": 0}));
    let answer = post(&agent, &[("Content-Type", "application/json; charset=UTF-8")], b" [ ] ");
    assert_eq!(answer.expect(200).json(), serde_json::json!({"accepted": 0, "duplicates": 0}));
}

#[test]
fn other_media_types_and_encodings_are_unsupported() {
    let agent = Setup::new().start();
    for headers in [
        &[][..],
        &[("Content-Type", "text/plain")],
        &[("Content-Type", "application/x-www-form-urlencoded")],
        &[("Content-Type", "nonsense")],
        &[("Content-Type", "application/json"), ("Content-Encoding", "br")],
        &[("Content-Type", "application/json"), ("Content-Encoding", "gzip, gzip")],
        &[("Content-Type", "application/json"), ("Content-Encoding", "gzip"), ("Content-Encoding", "gzip")],
    ] {
        let answer = post(&agent, headers, GOOD.as_bytes());
        assert_eq!((answer.status, answer.slug().as_str()), (415, "unsupported-media-type"), "{headers:?}");
    }
    assert_nothing_recorded(&agent);
}

#[test]
fn gzip_is_read_and_broken_gzip_is_malformed() {
    let agent = Setup::new().start();
    let headers = [("Content-Type", "application/json"), ("Content-Encoding", "gzip")];
    let good = gzip(GOOD.as_bytes());
    let mut flipped = good.clone();
    let middle = flipped.len() - 6;
    flipped[middle] ^= 1;
    for (what, body) in [
        ("not gzip", GOOD.as_bytes().to_vec()),
        ("cut short", good[..good.len() - 3].to_vec()),
        ("trailing bytes", [good.as_slice(), b"trailing"].concat()),
        ("wrong checksum", flipped),
        ("empty", Vec::new()),
        ("bad inside", gzip(b"{")),
    ] {
        let answer = post(&agent, &headers, &body);
        assert_eq!((answer.status, answer.slug().as_str()), (400, "malformed"), "{what}");
    }
    assert_nothing_recorded(&agent);
    post(&agent, &headers, &good).expect(200);
    assert_eq!(agent.get("/costs/daily").text(), r#"{"s":1}"#);
}

#[test]
fn too_much_is_refused_by_length_by_chunks_and_while_inflating() {
    let agent = Setup::new().start();
    let limit = 4 * 1024 * 1024;
    let padded = |length: usize| format!("{GOOD}{}", " ".repeat(length - GOOD.len())).into_bytes();
    let json = [("Content-Type", "application/json")];
    assert_eq!(post(&agent, &json, &padded(limit + 1)).expect(413).slug(), "too-large");

    // A length that promises too much is refused before the body comes.
    let mut conn = Conn::open(agent.addr()).unwrap();
    let head =
        "POST /costs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n";
    conn.send(head.as_bytes()).unwrap();
    assert_eq!(conn.read().unwrap().expect(413).slug(), "too-large");

    let mut conn = Conn::open(agent.addr()).unwrap();
    let head =
        "POST /costs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    conn.send(head.as_bytes()).unwrap();
    let chunk = [b"10000\r\n".as_slice(), &[b' '; 0x10000], b"\r\n"].concat();
    for _ in 0..=limit / 0x10000 {
        if conn.send(&chunk).is_err() {
            break;
        }
    }
    assert_eq!(conn.read().unwrap().expect(413).slug(), "too-large");

    let bomb = gzip(&vec![b' '; 400 * 1024 * 1024]);
    let gzipped = [("Content-Type", "application/json"), ("Content-Encoding", "gzip")];
    assert_eq!(post(&agent, &gzipped, &bomb).expect(413).slug(), "too-large");

    let many = format!("[{}]", vec![GOOD; 10_001].join(","));
    assert_eq!(post(&agent, &json, many.as_bytes()).expect(413).slug(), "too-large");
    let many = vec![GOOD; 10_001].join("\n");
    assert_eq!(post(&agent, &[("Content-Type", "application/x-ndjson")], many.as_bytes()).expect(413).slug(), "too-large");
    assert_nothing_recorded(&agent);
    assert!(agent.status_kib("VmHWM") < 96 * 1024, "a bomb is not inflated whole: {} KiB", agent.status_kib("VmHWM"));

    post(&agent, &json, &padded(limit)).expect(200);
    assert_eq!(agent.get("/costs/daily").text(), r#"{"s":1}"#);
}

#[test]
fn a_chunked_body_within_the_limit_is_read_whole() {
    let agent = Setup::new().start();
    let mut conn = Conn::open(agent.addr()).unwrap();
    let head =
        "POST /costs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    conn.send(head.as_bytes()).unwrap();
    for byte in GOOD.bytes() {
        conn.send(&[b"1\r\n".as_slice(), &[byte], b"\r\n"].concat()).unwrap();
    }
    conn.send(b"0\r\n\r\n").unwrap();
    conn.read().unwrap().expect(200);
    assert_eq!(agent.get("/costs/daily").text(), r#"{"s":1}"#);
}

#[test]
fn bombs_at_the_routes_of_calls_stop_at_the_limit() {
    let agent = Setup::new().start();
    let bytes = 100 * 1024 * 1024;
    let json = gzip(&vec![b' '; bytes]);
    // A field that no message has, which a reader passes over.
    let unknown = gzip(&[&[0x7a, 0x80, 0x80, 0x80, 0x32][..], &vec![b'a'; bytes]].concat());
    for (path, media_type, bomb) in [
        ("/ingest/litellm", "application/json", &json),
        ("/ingest/litellm", "application/x-ndjson", &json),
        ("/ingest/cloudevents", "application/cloudevents-batch+json", &json),
        ("/api/v1/events", "application/cloudevents+json", &json),
        ("/v1/traces", "application/json", &json),
        ("/v1/traces", "application/x-protobuf", &unknown),
        ("/v1/logs", "application/x-protobuf", &unknown),
        ("/v1/metrics", "application/x-protobuf", &unknown),
    ] {
        let headers = [("Content-Type", media_type), ("Content-Encoding", "gzip")];
        let answer = agent.client().request("POST", path, &headers, bomb).unwrap();
        assert_eq!(answer.status, 413, "{path} {media_type}: {answer:?}");
    }
    assert_nothing_recorded(&agent);
    assert!(agent.status_kib("VmHWM") < 96 * 1024, "a bomb is not inflated whole: {} KiB", agent.status_kib("VmHWM"));
}
