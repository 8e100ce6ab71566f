use warp::reply::Response;

use super::*;
use crate::api::answer;
use crate::api::call::Call;
use crate::api::problem::Problem;
use crate::api::route::{Route, get};

/// Routes that misbehave in one way each, beside a good one.
static MISBEHAVING: &[Route] = &[get("/good", &good), get("/panic", &panics), get("/never", &never)];

async fn good(_: Arc<State>, _: Arc<Call>) -> Result<Response, Problem> {
    Ok(answer::uncached("text/plain", "good"))
}

async fn panics(_: Arc<State>, _: Arc<Call>) -> Result<Response, Problem> {
    panic!("on purpose")
}

async fn never(_: Arc<State>, _: Arc<Call>) -> Result<Response, Problem> {
    std::future::pending().await
}

async fn misbehaving_agent() -> TestAgent {
    TestAgent::start_with(Settings::default(), Limits::default(), MISBEHAVING).await
}

const GET_GOOD: &str = "GET /good HTTP/1.1\r\nHost: localhost\r\n\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_drips_is_timed_out() {
    let agent = TestAgent::start(Settings { body_timeout: Duration::from_millis(300), ..Settings::default() }).await;
    let mut stream = agent.connect().await;
    let head = "POST /costs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let (mut reading, mut writing) = stream.into_split();
    let drip = tokio::spawn(async move {
        while writing.write_all(b" ").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let mut bytes = Vec::new();
    let _ = timeout(PATIENCE, reading.read_to_end(&mut bytes)).await.unwrap();
    Answer::parse(&bytes).assert_problem(408, "timeout");
    drip.abort();
    agent.eventually_shows(r#"lead_factory_http_requests_total{endpoint="/costs",http_status="408",method="POST"} 1"#).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_is_an_answer_and_is_counted() {
    let agent = misbehaving_agent().await;
    let mut stream = agent.connect().await;
    stream.write_all(b"GET /panic HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let answer = read_answer(&mut stream).await;
    answer.assert_problem(500, "internal");
    assert!(!answer.text().contains("on purpose"));
    stream.write_all(GET_GOOD.as_bytes()).await.unwrap();
    assert_eq!(read_answer(&mut stream).await.text(), "good", "the connection goes on");
    agent.eventually_shows(r#"lead_factory_http_requests_total{endpoint="/panic",http_status="500",method="GET"} 1"#).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_takes_too_long_is_answered() {
    let call_timeout = Duration::from_millis(100);
    let agent = TestAgent::start_over(Settings::default(), Limits::default(), MISBEHAVING, call_timeout).await;
    let answer = agent.get("/never").await;
    answer.assert_problem(503, "overloaded");
    assert_eq!(answer.header("retry-after"), Some("1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_hangs_up_is_counted() {
    let agent = misbehaving_agent().await;
    let mut stream = agent.connect().await;
    stream.write_all(b"GET /never HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    drop(stream);
    let line = r#"lead_factory_http_requests_total{endpoint="/never",http_status="499",method="GET"} 1"#;
    agent.eventually_shows(line).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn head_answers_as_get_does_without_the_body() {
    let agent = TestAgent::start(Settings::default()).await;
    for path in [
        "/health",
        "/budgets",
        "/",
        "/openapi.json",
        "/costs/daily",
        "/costs/daily?days=1",
        "/costs?from=2026-11-01",
        "/costs",
        "/nowhere",
    ] {
        let get = agent.get(path).await;
        let head = agent.send(format!("HEAD {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")).await;
        assert_eq!((head.status, head.body.len()), (get.status, 0), "{path}");
        assert_eq!(head.header("content-type"), get.header("content-type"), "{path}");
        assert_eq!(head.header("content-length"), get.header("content-length"), "{path}");
        assert!(get.header("content-length").is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_paths_and_methods_are_told_apart_and_folded() {
    let agent = TestAgent::start(Settings::default()).await;
    let send = |method: &str, path: &str| {
        agent.send(format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"))
    };
    for path in ["/nowhere", "/costs/", "//costs", "/costs/daily/", "/%63osts", "/costs%00", "/..%2fcosts", "/COSTS", "*"] {
        send("GET", path).await.assert_problem(404, "not-found");
    }
    for (method, path, allow) in [
        ("PUT", "/costs", "POST, GET, HEAD"),
        ("DELETE", "/costs", "POST, GET, HEAD"),
        ("POST", "/health", "GET, HEAD"),
        ("DELETE", "/", "GET, HEAD"),
        ("OPTIONS", "/costs", "POST, GET, HEAD"),
        ("BREW", "/costs", "POST, GET, HEAD"),
        ("get", "/health", "GET, HEAD"),
    ] {
        let answer = send(method, path).await;
        assert_eq!(answer.status, 405, "{method} {path}");
        assert_eq!(answer.header("allow"), Some(allow), "{method} {path}");
    }
    send("BREW", "/nowhere").await.assert_problem(404, "not-found");
    let metrics = agent.metrics().await;
    for line in [
        r#"lead_factory_http_requests_total{endpoint="unmatched",http_status="404",method="GET"} 9"#,
        r#"lead_factory_http_requests_total{endpoint="unmatched",http_status="404",method="other"} 1"#,
        r#"lead_factory_http_requests_total{endpoint="/costs",http_status="405",method="other"} 1"#,
    ] {
        assert!(metrics.contains(line), "{line} in\n{metrics}");
    }
    assert!(!metrics.contains("BREW") && !metrics.contains("nowhere"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_body_does_not_destroy_the_answer() {
    let agent = TestAgent::start(Settings::default()).await;
    // Much more than the socket's buffers hold, sent whole before anything is read.
    let answer = agent.post_json(vec![b' '; 12 * 1024 * 1024]).await;
    answer.assert_problem(413, "too-large");
    let answer = agent.post("Content-Type: text/plain\r\n", vec![b' '; 3 * 1024 * 1024]).await;
    answer.assert_problem(415, "unsupported-media-type");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_is_asked_for_only_when_it_is_wanted() {
    let agent = TestAgent::start(Settings::default()).await;
    let head = |length: usize| {
        format!(
            "POST /costs HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Expect: 100-continue\r\nContent-Length: {length}\r\n\r\n"
        )
    };
    let mut stream = agent.connect().await;
    stream.write_all(head(2).as_bytes()).await.unwrap();
    assert_eq!(read_answer(&mut stream).await.status, 100);
    stream.write_all(b"[]").await.unwrap();
    assert_eq!(Answer::parse(&read_to_end(&mut stream).await).status, 200);

    let answer = agent.send(head(100_000_000)).await;
    answer.assert_problem(413, "too-large");
}
