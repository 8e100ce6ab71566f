use std::future::poll_fn;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::{StreamExt, stream};
use warp::reply::Response;

use super::*;
use crate::api::call::{BodyStream, Call};
use crate::api::endpoint::Accepts;
use crate::api::problem::Problem;
use crate::api::route::{Route, post};
use crate::formats::native;

const EVENT: &str = r#"{"service":"openai","operation":"chat","amount_usd":"1.5","id":"call-1"}"#;
const JSON: &str = "Content-Type: application/json\r\n";

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recorded_event_is_on_every_surface_at_once() {
    let agent = TestAgent::start(Settings::default()).await;
    let answer = agent.post_json(EVENT).await;
    assert_eq!((answer.status, answer.text()), (200, r#"{"accepted":1,"duplicates":0}"#));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(agent.get("/costs/daily").await.text(), r#"{"openai":1.5}"#);
    assert!(agent.get("/metrics").await.text().contains("lead_factory_daily_cost{service=\"openai\"} 1.5\n"));

    let retry = agent.post_json(EVENT.replace("1.5", "15e-1")).await;
    assert_eq!(retry.text(), r#"{"accepted":0,"duplicates":1}"#);
    let lines =
        agent.post("Content-Type: application/x-ndjson\r\n", format!("{EVENT}\n\n{}\n", EVENT.replace("-1", "-2"))).await;
    assert_eq!(lines.text(), r#"{"accepted":1,"duplicates":1}"#);
    assert_eq!(agent.post_json("[]").await.text(), r#"{"accepted":0,"duplicates":0}"#);
    assert_eq!(agent.get("/costs/daily").await.text(), r#"{"openai":3}"#);
    let metrics = agent.metrics().await;
    for line in [
        r#"lead_factory_events_total{format="json",result="recorded"} 1"#,
        r#"lead_factory_events_total{format="json",result="duplicate"} 1"#,
        r#"lead_factory_events_total{format="ndjson",result="recorded"} 1"#,
        r#"lead_factory_events_total{format="ndjson",result="duplicate"} 1"#,
    ] {
        assert!(metrics.contains(line), "{line}");
    }
    agent.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_names_what_differs_and_records_nothing() {
    let agent = TestAgent::start(Settings::default()).await;
    agent.post_json(EVENT).await;
    let batch = format!("[{},{}]", EVENT.replace("-1", "-2"), EVENT.replace("chat", "embed"));
    let document = agent.post_json(batch).await.assert_problem(409, "id-conflict");
    assert_eq!(document["errors"].as_array().unwrap().len(), 1);
    let error = &document["errors"][0];
    assert_eq!((&error["index"], &error["id"], &error["field"]), (&1.into(), &"call-1".into(), &"operation".into()));
    assert_eq!(agent.get("/costs/daily").await.text(), r#"{"openai":1.5}"#);
    let metrics = agent.metrics().await;
    assert!(metrics.contains(r#"lead_factory_events_total{format="json",result="conflict"} 1"#));
    assert!(metrics.contains(r#"lead_factory_events_total{format="json",result="rejected"} 1"#));
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_events_are_listed_and_nothing_is_recorded() {
    let agent = TestAgent::start(Settings::default()).await;
    let document = agent.post_json(format!(r#"[{EVENT},{{"service":"a","amount_usd":-1}}]"#)).await;
    let document = document.assert_problem(422, "invalid-event");
    assert_eq!(document["errors"][0]["index"], 1);
    assert_eq!(document["errors"][0]["field"], "amount_usd");
    for body in ["", "{", "[1] 2", "\u{feff}{}", r#"{"service":"a","service":"a"}"#, "3"] {
        agent.post_json(body).await.assert_problem(400, "malformed");
    }
    assert_eq!(agent.get("/costs/daily").await.text(), "{}");
    assert!(agent.metrics().await.contains(r#"lead_factory_events_total{format="json",result="rejected"}"#));
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_may_be_compressed_and_must_say_what_they_are() {
    let agent = TestAgent::start(Settings::default()).await;
    let compressed = gzip(EVENT.as_bytes());
    for coding in ["gzip", "GZIP", "x-gzip"] {
        let answer = agent.post(&format!("{JSON}Content-Encoding: {coding}\r\n"), &compressed).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    assert_eq!(agent.post(&format!("{JSON}Content-Encoding: identity\r\n"), EVENT).await.status, 200);
    for headers in [
        "",
        "Content-Type: text/plain\r\n",
        "Content-Type: application/json; charset=latin1\r\n",
        "Content-Type: application/json\r\nContent-Type: application/json\r\n",
        "Content-Type: application/json\r\nContent-Encoding: br\r\n",
        "Content-Type: application/json\r\nContent-Encoding: gzip, gzip\r\n",
        "Content-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Encoding: gzip\r\n",
    ] {
        agent.post(headers, EVENT).await.assert_problem(415, "unsupported-media-type");
    }
    for damaged in [&compressed[..compressed.len() - 1], &[&compressed[..], b"x"].concat(), EVENT.as_bytes(), b""] {
        agent.post(&format!("{JSON}Content-Encoding: gzip\r\n"), damaged).await.assert_problem(400, "malformed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_is_bounded_by_length_by_chunks_and_inflated() {
    let limits = Limits { body_bytes_max: 10_000, events_max: 3, ..Limits::default() };
    let agent = TestAgent::start_with(Settings::default(), limits, ROUTES).await;
    let fits = format!("{EVENT}{}", " ".repeat(10_000 - EVENT.len()));
    assert_eq!(agent.post_json(&fits).await.status, 200);
    agent.post_json(format!("{fits} ")).await.assert_problem(413, "too-large");
    let gzip_headers = format!("{JSON}Content-Encoding: gzip\r\n");
    assert_eq!(agent.post(&gzip_headers, gzip(fits.as_bytes())).await.status, 200);
    agent.post(&gzip_headers, gzip(format!("{fits} ").as_bytes())).await.assert_problem(413, "too-large");
    agent.post(&gzip_headers, gzip(&vec![b' '; 5_000_000])).await.assert_problem(413, "too-large");
    agent.post_json(format!("[{EVENT},{EVENT},{EVENT},{EVENT}]")).await.assert_problem(413, "too-large");

    let chunked = |body: &str| {
        let chunks: String = body
            .as_bytes()
            .chunks(999)
            .map(|chunk| format!("{:x}\r\n{}\r\n", chunk.len(), std::str::from_utf8(chunk).unwrap()))
            .collect();
        format!(
            "POST /costs HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{JSON}Transfer-Encoding: chunked\r\n\r\n{chunks}0\r\n\r\n"
        )
    };
    assert_eq!(agent.send(chunked(&fits)).await.status, 200);
    agent.send(chunked(&format!("{fits} "))).await.assert_problem(413, "too-large");
    // What else was done to the body before it was cut into chunks is undone by nobody.
    for codings in ["gzip, chunked", "gzip\r\nTransfer-Encoding: chunked", "identity, chunked"] {
        let request = chunked(EVENT).replace("Transfer-Encoding: chunked", &format!("Transfer-Encoding: {codings}"));
        agent.send(request).await.assert_problem(415, "unsupported-media-type");
    }
    assert_eq!(agent.send(chunked(EVENT).replace(": chunked", ": Chunked")).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_bodies_together_are_bounded() {
    let settings = Settings { body_bytes_in_flight_max: 100 * 1024, ..Settings::default() };
    let agent = TestAgent::start(settings).await;
    let body = vec![b' '; 60 * 1024];
    // One body that stays unfinished holds its share.
    let mut unfinished = agent.connect().await;
    let head = format!("POST /costs HTTP/1.1\r\nHost: localhost\r\n{JSON}Content-Length: {}\r\n\r\n", body.len() + 1);
    unfinished.write_all(&[head.as_bytes(), &body].concat()).await.unwrap();
    let until_free = async |bytes| {
        let deadline = Instant::now() + PATIENCE;
        while agent.state.bodies.free_bytes() != bytes {
            assert!(Instant::now() < deadline, "{} bytes are free", agent.state.bodies.free_bytes());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    until_free(40 * 1024).await;
    agent.post_json(&body).await.assert_problem(503, "overloaded");
    let answer = agent.post("Content-Encoding: gzip\r\nContent-Type: application/json\r\n", gzip(&body)).await;
    answer.assert_problem(503, "overloaded");
    assert_eq!(answer.header("retry-after"), Some("1"));
    drop(unfinished);
    until_free(100 * 1024).await;
    assert_eq!(agent.post_json(&body).await.status, 400, "blanks are no JSON, but were read");
    until_free(100 * 1024).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn checks_come_in_order() {
    let settings = Settings { tokens: vec![Token::new("secret")], ..Settings::default() };
    let agent = TestAgent::start(settings).await;
    let send = |method: &str, path: &str, host: &str, headers: &str| {
        agent.send(format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}Content-Length: 3\r\n\r\nbad"
        ))
    };
    let browser = "Origin: http://evil.example\r\n";
    send("PUT", "/nowhere", "evil.example", browser).await.assert_problem(404, "not-found");
    send("PUT", "/costs", "evil.example", browser).await.assert_problem(405, "method-not-allowed");
    send("POST", "/costs", "evil example", browser).await.assert_problem(400, "malformed");
    send("POST", "/costs", "evil.example", browser).await.assert_problem(421, "misdirected");
    send("POST", "/costs", "localhost", browser).await.assert_problem(403, "forbidden");
    let missing = send("POST", "/costs", "localhost", "").await;
    let wrong = send("POST", "/costs", "localhost", "Authorization: Bearer wrong\r\n").await;
    missing.assert_problem(401, "unauthorized");
    assert_eq!(missing.header("www-authenticate"), Some("Bearer"));
    assert_eq!((missing.status, &missing.body), (wrong.status, &wrong.body));
    let token = "Authorization: Bearer secret\r\n";
    send("POST", "/costs?x=1", "localhost", token).await.assert_problem(400, "malformed");
    send("POST", "/costs", "localhost", token).await.assert_problem(415, "unsupported-media-type");
    send("POST", "/costs", "localhost", &format!("{token}{JSON}")).await.assert_problem(400, "malformed");
    // Reads are open to everybody, whatever they say of themselves.
    assert_eq!(send("GET", "/costs/daily", "evil.example", browser).await.status, 200);
}

/// Runs the handler until it has the whole body, and drops it there: what happens when a client hangs up.
async fn record_and_hang_up(state: Arc<State>, call: Arc<Call>, body: BodyStream) -> Result<Response, Problem> {
    let whole = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&whole);
    let end = stream::poll_fn(move |_| {
        seen.store(true, Ordering::Relaxed);
        Poll::Ready(None)
    });
    let mut work = Box::pin(costs_write::record(state, call, Box::pin(body.chain(end))));
    poll_fn(|context| {
        let _ = work.as_mut().poll(context);
        if whole.load(Ordering::Relaxed) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    Err(Problem::Overloaded)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_whose_sender_hung_up_is_recorded_and_counted() {
    static TABLE: &[Route] = &[post("/costs", &record_and_hang_up).accepts(Accepts::Events(native::FORMATS))];
    let agent = TestAgent::start_with(Settings::default(), Limits::default(), TABLE).await;
    agent.post_json(EVENT).await.assert_problem(503, "overloaded");
    agent.eventually_shows(r#"lead_factory_cost_usd_total{operation="chat",service="openai"} 1.5"#).await;
    agent.eventually_shows(r#"lead_factory_events_total{format="json",result="recorded"} 1"#).await;
    assert_eq!(agent.state.bodies.free_bytes(), Settings::default().body_bytes_in_flight_max);
}
