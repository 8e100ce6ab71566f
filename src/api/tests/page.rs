use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;

use super::*;
use crate::page::BYTES_MAX;

const HTML: &str = "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8";
const IDS: [&str; 10] =
    ["gate", "totals", "days", "budgets", "breakdown", "models", "workers", "holds", "unpriced", "events"];

/// The body of an answer that came in chunks.
fn dechunked(mut body: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    loop {
        let end = find(body, b"\r\n").unwrap();
        let length = usize::from_str_radix(std::str::from_utf8(&body[..end]).unwrap(), 16).unwrap();
        if length == 0 {
            return whole;
        }
        whole.extend_from_slice(&body[end + 2..end + 2 + length]);
        body = &body[end + 4 + length..];
    }
}

impl TestAgent {
    async fn get_as(&self, target: &str, accept: &str) -> Answer {
        let head = format!("GET {target} HTTP/1.1\r\nHost: localhost:8000\r\nConnection: close\r\n{accept}\r\n");
        self.send(head).await
    }

    async fn page(&self, query: &str) -> String {
        let answer = self.get_as(&format!("/{query}"), &format!("Accept: {HTML}\r\n")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
        let page = String::from_utf8(dechunked(&answer.body)).unwrap();
        assert!(page.len() <= BYTES_MAX, "{} bytes", page.len());
        assert!(page.ends_with("</body></html>\n"), "{page}");
        assert!(!page.contains(" style=") && !page.contains("<script"), "{page}");
        page
    }
}

/// What stands within a section.
#[track_caller]
fn section<'p>(page: &'p str, id: &str) -> &'p str {
    let start = page.find(&format!("<section id=\"{id}\"")).unwrap_or_else(|| panic!("no {id} in {page}"));
    &page[start..start + page[start..].find("</section>").unwrap()]
}

/// All digits of the numbers in a piece of the page.
fn values(text: &str) -> Vec<&str> {
    text.split("<data value=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_names_html_gets_the_page() {
    let agent = TestAgent::start(Settings::default()).await;
    for (accept, expected) in [
        ("", "application/json"),
        ("Accept: */*\r\n", "application/json"),
        ("Accept: application/json\r\n", "application/json"),
        ("Accept: text/html;q=0\r\n", "application/json"),
        ("Accept: text/html;q=0.5, application/json\r\n", "application/json"),
        ("Accept: text/plain\r\n", "text/plain; charset=utf-8"),
        ("Accept: text/html\r\n", "text/html; charset=utf-8"),
        ("Accept: */*;q=0.8, text/html\r\n", "text/html; charset=utf-8"),
    ] {
        let answer = agent.get_as("/?by=model", accept).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some(expected)), "{accept}");
        assert_eq!((answer.header("vary"), answer.header("cache-control")), (Some("Accept"), Some("no-store")), "{accept}");
    }
    let index = agent.get("/").await.json();
    assert_eq!(index["program"], "lead-factory-metrics");
    assert_eq!(index["routes"].as_array().unwrap().len(), ROUTES.len());
    let head = agent.send("HEAD / HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\nConnection: close\r\n\r\n").await;
    assert_eq!((head.status, head.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert!(head.body.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_parameter_is_malformed_in_every_form() {
    let agent = TestAgent::start(Settings::default()).await;
    for query in [
        "x=1",
        "month=2026-13",
        "month=2026-1",
        "month=",
        "by=colour",
        "by=service,model",
        "by=service,operation",
        "by=",
        "by=attributes.",
        "refresh=1",
        "refresh=3601",
        "refresh=x",
        "refresh=2&refresh=3",
        "month=2026-11&date=2026-11-01",
    ] {
        for accept in ["text/html", "application/json", "text/plain"] {
            let answer = agent.get_as(&format!("/?{query}"), &format!("Accept: {accept}\r\n")).await;
            answer.assert_problem(400, "malformed");
            assert_eq!(answer.header("vary"), Some("Accept"));
        }
    }
    for query in ["?by=operation", "?by=attributes.team", "?by=attributes.a%5C,b", "?month=2026-10", "?month=2031-01"] {
        agent.page(query).await;
    }
    let answer = agent.get_as("/?refresh=7&by=lead", "Accept: text/html\r\n").await;
    assert_eq!(answer.header("refresh"), Some("7"));
    assert_eq!(agent.get_as("/?by=lead", "Accept: text/html\r\n").await.header("refresh"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_policy_names_the_one_style_and_nothing_else() {
    let agent = TestAgent::start(Settings::default()).await;
    let answer = agent.get_as("/", "Accept: text/html\r\n").await;
    let page = String::from_utf8(dechunked(&answer.body)).unwrap();
    let style = page.split("<style>").nth(1).unwrap().split("</style>").next().unwrap();
    assert_eq!(page.matches("<style").count(), 1);
    let digest = BASE64_STANDARD.encode(ring::digest::digest(&ring::digest::SHA256, style.as_bytes()));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    assert_eq!(answer.header("content-security-policy"), Some(policy.as_str()));
    for loads in ["src=", "<link", "<img", "@import", "url(h", "http-equiv"] {
        assert!(!page.contains(loads), "{loads}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_ledger_tells_the_next_step_at_its_own_address() {
    let agent = TestAgent::start(Settings::default()).await;
    let page = agent.page("").await;
    let start = section(&page, "start");
    for line in [
        "curl http://localhost:8000/costs ",
        "OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:8000<",
        "GenericAPILogger(endpoint=&quot;http://localhost:8000/ingest/litellm&quot;, max_retries=5)",
        "LEAD_FACTORY_METRICS_URL=http://localhost:8000 ",
    ] {
        assert!(start.contains(line), "{line} in {start}");
    }
    assert!(!start.contains("Authorization"));
    assert!(!page.contains("id=\"problems\""), "{page}");
    for id in IDS {
        assert!(section(&page, id).contains("<h2 "), "{id}");
    }
    let forged = "GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\nAccept: text/html\r\n\r\n";
    let page = String::from_utf8(dechunked(&agent.send(forged).await.body)).unwrap();
    assert!(!page.contains("evil.example") && section(&page, "start").contains("http://localhost:8000/costs"));
    agent.post_json(r#"{"service":"openai","amount_usd":1}"#).await;
    assert!(!agent.page("").await.contains("id=\"start\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_are_those_of_rest() {
    let agent = TestAgent::start(Settings::default()).await;
    let body = json!([
        { "service": "openai", "operation": "chat", "amount_usd": "6.505", "worker": "w1", "model": "large", "attributes": { "team": "red" } },
        { "service": "openai", "operation": "embeddings", "amount_usd": 2, "worker": "w2", "model": "small" },
        { "service": "sendgrid", "amount_usd": "0.0000015" },
        { "service": "refunds", "amount_usd": -1, "kind": "credit" },
        { "service": "openai", "operation": "chat", "amount_usd": "61.25", "time": "2026-11-21T23:59:59Z", "worker": "w1" },
        { "service": "openai", "operation": "chat", "amount_usd": 4, "time": "2026-10-31T12:00:00Z", "model": "large" },
    ]);
    assert_eq!(agent.post_json(body.to_string()).await.status, 200);
    agent.call_json("POST /reservations", r#"{"id":"h","service":"openai","estimated_cost_usd":"0.25"}"#).await;
    let page = agent.page("").await;
    let totals = values(section(&page, "totals"));
    for expected in ["7.5050015", "68.7550015", "50", "1000"] {
        assert!(totals.contains(&expected), "{expected} in {totals:?}");
    }
    let budgets = agent.get("/budgets").await.json();
    let shown = values(section(&page, "budgets"));
    for number in ["limit_usd", "spent_usd", "reserved_usd", "remaining_usd", "forecast_usd", "utilization_percent"] {
        let number = budgets[0][number].to_string();
        assert!(shown.contains(&number.as_str()), "{number} in {shown:?}");
    }
    let days = section(&page, "days");
    let history = agent.get("/costs/history?from=2026-11-01&to=2026-11-22&by=service").await.json();
    let table = values(days.split("<table>").nth(1).unwrap());
    let expected: Vec<String> = history.as_array().unwrap().iter().map(|day| day["total_usd"].to_string()).collect();
    assert_eq!(table, [expected.as_slice(), &["68.7550015".to_owned()]].concat());
    assert!(days.contains("class=\"bar over\"") && days.contains("daily limit $50.00"), "{days}");
    assert_eq!(amounts(section(&page, "breakdown")), ["69.755", "0.0000015", "-1", "68.7550015"]);
    assert_eq!(amounts(section(&page, "models")), ["60.2500015", "6.505", "2", "68.7550015"]);
    assert_eq!(amounts(section(&page, "workers")), ["67.755", "2", "-0.9999985", "68.7550015"]);
    let by_model = agent.get("/costs/monthly?by=model").await.json();
    assert_eq!(by_model, json!({ "": 60.250_001_5, "large": 6.505, "small": 2 }));
    assert_eq!(values(section(&page, "holds")), ["1", "0.25", "0.25"]);
    assert_eq!(amounts(section(&page, "events")), ["-1", "0.0000015", "2", "6.505", "61.25", "4"]);
    assert!(!page.contains("id=\"problems\""), "{page}");

    let before = agent.page("?month=2026-10&by=attributes.team").await;
    assert_eq!(amounts(section(&before, "breakdown")), ["4", "4"]);
    assert!(section(&before, "breakdown").contains("without a team"), "{before}");
    assert!(values(section(&before, "totals")).contains(&"4"));
    let by = agent.page("?by=model").await;
    assert_eq!(amounts(section(&by, "breakdown")), ["60.2500015", "6.505", "2", "68.7550015"]);
    assert!(section(&by, "models").contains("href=\"#breakdown\""));
    let by = agent.page("?by=operation").await;
    assert!(section(&by, "breakdown").contains("openai · embeddings"), "{by}");
}

/// The amounts of a table, without counts and shares.
fn amounts(section: &str) -> Vec<&str> {
    section
        .split("<td class=\"num p")
        .skip(1)
        .map(|cell| cell.split("value=\"").nth(1).unwrap().split('"').next().unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_stands_at_the_top() {
    let agent = TestAgent::start(Settings::default()).await;
    let body = json!([
        { "service": "openai", "amount_usd": 51 },
        { "service": "acme", "model": "acme-1", "usage": { "input_tokens": 5 } },
    ]);
    assert_eq!(agent.post_json(body.to_string()).await.status, 200);
    agent.state.reloads.failed();
    agent.clock.advance(Duration::from_secs(3_600));
    let page = agent.page("").await;
    let problems = section(&page, "problems");
    for expected in ["BudgetExhausted", "EventsUnpriced", "SettingsReloadFailed"] {
        assert!(problems.contains(&format!("docs/runbooks/{expected}.md")), "{expected} in {problems}");
    }
    assert!(page.find("id=\"problems\"") < page.find("id=\"gate\""));
    let gate = section(&page, "gate");
    assert!(gate.contains("Closed") && gate.contains("in 11 hours"), "{gate}");
    assert!(gate.contains("<rect class=\"on\""), "{gate}");
    let unpriced = section(&page, "unpriced");
    assert!(unpriced.contains("model = &quot;acme-1&quot;") && values(unpriced) == ["1"], "{unpriced}");
    agent.clock.set("2026-11-22T11:00:00Z".parse().unwrap());
    let page = agent.page("").await;
    assert!(section(&page, "problems").contains("The clock was set back"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_cannot_be_read_is_a_sentence_where_it_is_needed() {
    let agent = TestAgent::start(Settings::default()).await;
    assert_eq!(agent.post_json(r#"{"service":"openai","amount_usd":3}"#).await.status, 200);
    std::fs::remove_file(agent._folder.path().join("ledger.db")).unwrap();
    let page = agent.page("").await;
    for id in ["models", "workers", "events"] {
        assert!(section(&page, id).contains("could not be read"), "{id} in {page}");
    }
    assert!(section(&page, "gate").contains("history of the gate could not be read"));
    assert_eq!(amounts(section(&page, "breakdown")), ["3", "3"], "memory knows");
    assert!(values(section(&page, "totals")).contains(&"3"));
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_text_whatever_is_in_them() {
    let agent = TestAgent::start(Settings::default()).await;
    let hostile = "<script>alert(1)</script>\"'&";
    let body = json!([
        { "service": hostile, "operation": hostile, "amount_usd": 2, "model": hostile, "worker": hostile },
        { "service": "</style></section>", "amount_usd": 1, "model": "a b" },
    ]);
    assert_eq!(agent.post_json(body.to_string()).await.status, 200);
    let reserve = json!({ "id": hostile, "service": hostile, "estimated_cost_usd": 1, "worker": hostile });
    assert_eq!(agent.call_json("POST /reservations", &reserve.to_string()).await.status, 201);
    let gate = json!({ "state": "active", "reason": "</p>\u{202e}<b>", "actor": "<i>" });
    assert_eq!(agent.call_json("PUT /scaling-gate", &gate.to_string()).await.status, 200);
    let page = agent.page("?by=worker").await;
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;&quot;'&amp;"), "{page}");
    assert!(page.contains("&lt;/p&gt;\u{fffd}&lt;b&gt;") && !page.contains('\u{202e}'), "{page}");
    for tag in ["<script", "</p>\u{fffd}", "<b>", "<i>"] {
        assert!(!page.contains(tag), "{tag}");
    }
    assert_eq!(
        (page.matches("</style>").count(), page.matches("<section").count()),
        (1, page.matches("</section>").count())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_a_full_ledger_is_bounded_and_loses_nothing() {
    let agent = TestAgent::start(Settings::default()).await;
    let name = |kind: &str, number: usize, fill: &str, bytes: usize| {
        let mut name = format!("{kind}-{number:03}-");
        while name.len() + fill.len() <= bytes {
            name.push_str(fill);
        }
        name
    };
    for fill in ["x", "&"] {
        let event = |number: usize| {
            let day = 1 + number % 22;
            json!({
                "service": name("s", number, fill, 128), "operation": name("o", number, fill, 128), "amount_usd": format!("{}.{number:03}", 200 - number),
                "model": name("m", number, fill, 200), "worker": name("w", number, fill, 200), "time": format!("2026-11-{day:02}T11:00:00Z"),
            })
        };
        let events: Vec<Value> = (0..200).map(event).collect();
        assert_eq!(agent.post_json(Value::from(events).to_string()).await.status, 200);
        for number in 0..10 {
            let hold = json!({ "id": name("h", number, fill, 190), "service": name("s", number, fill, 128), "estimated_cost_usd": 1, "worker": name("w", number, fill, 200) });
            agent.call_json("POST /reservations", &hold.to_string()).await;
        }
        let page = agent.page("").await;
        if fill == "x" {
            assert_eq!(amounts(section(&page, "breakdown")).len(), 22, "20 names, the others and all of them");
            assert_eq!(amounts(section(&page, "workers")).len(), 12);
        }
        for id in ["breakdown", "models", "workers"] {
            let amounts: Vec<crate::domain::Usd> =
                amounts(section(&page, id)).iter().map(|amount| amount.parse().unwrap()).collect();
            let (together, rows) = amounts.split_last().unwrap();
            assert_eq!(rows.iter().copied().sum::<crate::domain::Usd>(), *together, "{id}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_head_does_not_wait_for_what_is_slow() {
    let agent = TestAgent::start(Settings::default()).await;
    assert_eq!(agent.post_json(r#"{"service":"openai","amount_usd":3}"#).await.status, 200);
    let (go_on, wait) = std::sync::mpsc::sync_channel::<()>(1);
    let state = Arc::clone(&agent.state);
    let (begin, begun) = oneshot::channel();
    let slow = tokio::spawn(async move {
        let scan = state.reads.scan(move |_, _| {
            begin.send(()).unwrap();
            // Until the test lets it go.
            let _ = wait.recv();
            Ok(())
        });
        scan.await
    });
    begun.await.unwrap();
    let mut stream = agent.connect().await;
    stream.write_all(b"GET /?by=lead HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut bytes = Vec::new();
    while find(&bytes, b"<section id=\"budgets\"").is_none() {
        assert_ne!(timeout(PATIENCE, stream.read_buf(&mut bytes)).await.unwrap().unwrap(), 0);
    }
    assert!(find(&bytes, b"<section id=\"breakdown\"").is_none(), "only events know leads, and it is not their turn");
    go_on.send(()).unwrap();
    bytes.extend(read_to_end(&mut stream).await);
    assert!(find(&bytes, b"<section id=\"events\"").is_some());
    slow.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_may_be_compressed_chunk_by_chunk() {
    let agent = TestAgent::start(Settings::default()).await;
    let answer = agent.get_as("/", "Accept: text/html\r\nAccept-Encoding: gzip\r\n").await;
    assert_eq!(answer.header("content-encoding"), Some("gzip"));
    let mut page = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&dechunked(&answer.body)[..]), &mut page).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</body></html>\n"), "{page}");
}
