use super::*;

const AUTHORIZE: &str = "/scaling-gate/authorize";

/// An agent of whose 50 USD a day 44 are spent.
async fn nearly_spent() -> TestAgent {
    let agent = TestAgent::start(Settings::default()).await;
    agent.post_json(r#"{"service":"openai","operation":"chat","amount_usd":44}"#).await;
    agent
}

impl TestAgent {
    /// Sends a line of method and target with further header lines.
    async fn ask(&self, what: &str, headers: &str) -> Answer {
        self.send(format!("{what} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n")).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_method_and_every_path_below_gets_a_204_or_a_403() {
    let agent = nearly_spent().await;
    for method in ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND", "BREW"] {
        for path in ["", "/", "/v1/chat/completions", "//x", "/a/../b%2f%zz", "/commit"] {
            let asked = |estimate: &str| format!("{method} {AUTHORIZE}{path}?service=openai&estimated_cost_usd={estimate}");
            let answer = agent.ask(&asked("6"), "").await;
            assert_eq!((answer.status, answer.text()), (204, ""), "{method} {path}");
            assert_eq!((answer.header("content-type"), answer.header("content-length")), (None, None));
            let answer = agent.ask(&asked("6.01"), "").await;
            assert_eq!((answer.status, answer.header("x-budget")), (403, Some("daily")), "{method} {path}");
            if method == "HEAD" {
                assert_eq!(answer.text(), "");
            } else {
                answer.assert_problem(403, "budget-exhausted");
            }
        }
    }
    for path in [&format!("{AUTHORIZE}d"), "/scaling-gate/authoriz", "/scaling-gate//authorize"] {
        agent.get(&format!("{path}?service=openai")).await.assert_problem(404, "not-found");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_says_why_in_headers_and_is_counted() {
    let agent = nearly_spent().await;
    let answer = agent.get(&format!("{AUTHORIZE}?service=openai&operation=chat&estimated_cost_usd=7")).await;
    let document = answer.assert_problem(403, "budget-exhausted");
    assert_eq!(document["remaining_usd"], 6);
    assert_eq!(answer.header("x-gate-reason"), document["detail"].as_str());
    assert_eq!((answer.header("x-budget"), answer.header("x-budget-remaining-usd")), (Some("daily"), Some("6")));

    let order = r#"{"state":"active","reason":"wütet: \"4711\" 🙂"}"#;
    assert_eq!(agent.call_json("PUT /scaling-gate", order).await.status, 200);
    let answer = agent.get(&format!("{AUTHORIZE}/v1/x?service=openai&operation=chat")).await;
    let document = answer.assert_problem(403, "gate-active");
    assert_eq!(document["detail"], "Scaling gate is active: wütet: \"4711\" 🙂");
    assert_eq!(answer.header("x-gate-reason"), Some(r#"Scaling gate is active: w?tet: "4711" ?"#));
    assert_eq!((answer.header("x-budget"), answer.header("x-budget-remaining-usd")), (None, None));

    let metrics = agent.metrics().await;
    for line in [
        r#"lead_factory_scaling_gate_blocked_total{operation="chat",service="openai"} 2"#,
        r#"lead_factory_http_requests_total{endpoint="/scaling-gate/authorize",http_status="403",method="GET"} 1"#,
        r#"lead_factory_http_requests_total{endpoint="/scaling-gate/authorize/{path}",http_status="403",method="GET"} 1"#,
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} in\n{metrics}");
    }
    assert!(!metrics.contains("/v1/x"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_stands_in_the_query_or_in_headers_and_the_query_wins() {
    let agent = nearly_spent().await;
    for (query, headers, status) in [
        ("", "X-Cost-Service: openai\r\nX-Cost-Estimate: 6\r\n", 204),
        ("", "X-Cost-Service: openai\r\nX-Cost-Estimate: 6.01\r\n", 403),
        ("?service=openai", "X-Cost-Estimate: 7\r\n", 403),
        ("?service=openai&estimated_cost_usd=0", "X-Cost-Service: %\r\nX-Cost-Estimate: 7\r\n", 204),
        ("?estimated_cost_usd=7", "X-Cost-Service: openai\r\nX-Cost-Estimate: 0\r\n", 403),
        ("?service=x&estimated_cost_usd=7", "X-Cost-Operation: health_check\r\n", 403),
        ("", "X-Cost-Service: openai\r\nX-Cost-Operation:\r\nX-Cost-Model: \r\nX-Cost-Estimate:\r\n", 204),
        ("", "X-Cost-Service: h\u{e9}llo\r\n", 204),
        ("", "X-Cost-Service:\r\n", 400),
        ("", "X-Cost-Operation: chat\r\n", 400),
        ("", "X-Cost-Service: a\r\nX-Cost-Service: b\r\n", 400),
        ("?service=a", "X-Cost-Service: a\r\nX-Cost-Service: b\r\n", 204),
        ("", "X-Cost-Service: a\r\nX-Cost-Estimate: much\r\n", 400),
        ("", "X-Cost-Service: a\r\nX-Cost-Estimate: -1\r\n", 400),
        ("", "X-Cost-Service: a\u{200b}\r\n", 400),
        ("", "X-Cost-Service: a\r\nX-Cost-Center: 7\r\n", 204),
        ("?service=&operation=x", "X-Cost-Service: a\r\n", 400),
    ] {
        for path in ["", "/below"] {
            let answer = agent.ask(&format!("GET {AUTHORIZE}{path}{query}"), headers).await;
            assert_eq!(answer.status, status, "{path}{query} {headers} {}", answer.text());
            if status == 400 {
                answer.assert_problem(400, "malformed");
            }
        }
    }
    // Headers are words for gateways only.
    let check = agent.ask("GET /scaling-gate/check?estimated_cost_usd=1", "X-Cost-Service: openai\r\n").await;
    check.assert_problem(400, "malformed");
    let raw = b"GET /scaling-gate/authorize HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Cost-Service: \xff\xfe\r\n\r\n";
    agent.send(raw).await.assert_problem(400, "malformed");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_below_the_path_are_other_parameters_somebody_elses() {
    let agent = nearly_spent().await;
    for query in ["service=a&api-version=1", "service=a&%", "api-version=1&service=a", "service=a&x=%ff"] {
        agent.get(&format!("{AUTHORIZE}?{query}")).await.assert_problem(400, "malformed");
        assert_eq!(agent.get(&format!("{AUTHORIZE}/v1/chat?{query}")).await.status, 204, "{query}");
    }
    for query in
        ["service=a&service=b", "service=a&s%65rvice=b", "service=%ff", "service=%", "x=service", "service%00=a", ""]
    {
        agent.get(&format!("{AUTHORIZE}?{query}")).await.assert_problem(400, "malformed");
        agent.get(&format!("{AUTHORIZE}/v1/chat?{query}")).await.assert_problem(400, "malformed");
    }
    let refused = agent.get(&format!("{AUTHORIZE}/v1/chat?q=%&s%65rvice=openai&estimated_cost_usd=7")).await;
    refused.assert_problem(403, "budget-exhausted");
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_is_priced_and_an_estimate_in_a_header_does_not_replace_it() {
    let agent = nearly_spent().await;
    let usage = "service=openai&model=nobody-knows-it&usage=%7B%22output_tokens%22:1%7D";
    for path in ["", "/x"] {
        agent
            .ask(&format!("GET {AUTHORIZE}{path}?{usage}"), "X-Cost-Estimate: 0\r\n")
            .await
            .assert_problem(422, "unpriced-model");
        let answer = agent.ask(&format!("GET {AUTHORIZE}{path}?{usage}&estimated_cost_usd=1"), "").await;
        assert_eq!(answer.status, 204, "as with a check, an estimate is taken as it is");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_through_whatever_is_answered() {
    let agent = TestAgent::start(Settings { tokens: vec![Token::new("secret")], ..Settings::default() }).await;
    let foreign = "Origin: http://evil.example\r\nSec-Fetch-Site: cross-site\r\nForwarded: for=10.0.0.9\r\nX-Forwarded-For: 10.0.0.9\r\n\
                   X-Forwarded-Method: DELETE\r\nVia: 1.1 proxy\r\nAuthorization: Basic Og==\r\n";
    for method in ["GET", "POST", "PUT", "DELETE"] {
        for hosts in ["Host: api.openai.example\r\n", "Host: a\r\nHost: b\r\n", ""] {
            let request =
                format!("{method} {AUTHORIZE}/v1?service=openai HTTP/1.1\r\nConnection: close\r\n{hosts}{foreign}\r\n");
            assert_eq!(agent.send(request).await.status, 204, "{method} {hosts}");
        }
    }
    let old = format!("GET {AUTHORIZE}?service=openai HTTP/1.0\r\n\r\n");
    assert_eq!(agent.send(old).await.status, 204);
    let absolute =
        format!("GET http://evil.example{AUTHORIZE}?service=openai HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n");
    assert_eq!(agent.send(absolute).await.status, 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn envoy_which_takes_nothing_else_is_told_200() {
    let agent = nearly_spent().await;
    for header in ["x-envoy-expected-rq-timeout-ms: 2000", "x-envoy-internal: true"] {
        let answer = agent.ask(&format!("POST {AUTHORIZE}/v1?service=openai"), &format!("{header}\r\n")).await;
        assert_eq!((answer.status, answer.text(), answer.header("content-length")), (200, "", Some("0")));
        let refused = format!("POST {AUTHORIZE}/v1?service=openai&estimated_cost_usd=7");
        agent.ask(&refused, &format!("{header}\r\n")).await.assert_problem(403, "budget-exhausted");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_is_ignored_and_a_small_one_leaves_the_connection_open() {
    let agent = nearly_spent().await;
    let head = |more: &str| format!("POST {AUTHORIZE}/v1?service=openai HTTP/1.1\r\nHost: localhost\r\n{more}\r\n");
    let mut stream = agent.connect().await;
    for (headers, body) in [
        ("Content-Length: 7\r\n", "garbage"),
        ("Content-Length: 0\r\n", ""),
        ("Transfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n", "3\r\nabc\r\n0\r\n\r\n"),
        ("", ""),
    ] {
        stream.write_all(format!("{}{body}", head(headers)).as_bytes()).await.unwrap();
        let answer = read_answer(&mut stream).await;
        assert_eq!((answer.status, answer.header("connection")), (204, None), "{headers}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_body_gets_its_answer_before_it_has_come() {
    let agent = nearly_spent().await;
    let body = vec![b'x'; 8 * 1024 * 1024];
    for (estimate, status) in [("1", 204), ("7", 403)] {
        let head = format!("POST {AUTHORIZE}?service=openai&estimated_cost_usd={estimate} HTTP/1.1\r\nHost: localhost\r\n");
        let plain = format!("{head}Content-Length: {}\r\n\r\n", body.len());
        let chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n", body.len());
        for head in [plain, chunked] {
            let answer = agent.send([head.as_bytes(), &body].concat()).await;
            assert_eq!((answer.status, answer.header("connection")), (status, Some("close")));
        }
    }
    // A gateway that passes the length on, but not the body, is answered too, and cannot take its next request for that body.
    let mut stream = agent.connect().await;
    let bodiless = format!("GET {AUTHORIZE}?service=openai HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n");
    stream.write_all(bodiless.as_bytes()).await.unwrap();
    let answer = read_answer(&mut stream).await;
    assert_eq!((answer.status, answer.header("connection")), (204, Some("close")));
    assert_eq!(read_to_end(&mut stream).await, b"");
    // Nobody who waits for a "100 Continue" is asked for the body.
    let mut stream = agent.connect().await;
    let waiting = format!(
        "PUT {AUTHORIZE}?service=openai HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n"
    );
    stream.write_all(waiting.as_bytes()).await.unwrap();
    let answer = Answer::parse(&read_to_end(&mut stream).await);
    assert_eq!((answer.status, answer.header("connection")), (204, Some("close")));
}
