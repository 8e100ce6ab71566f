//! What the agent prices itself.

use super::*;
use crate::pricing::Book;

/// 1,000 tokens in, 800 of them from the cache, 50 out.
const GPT_4O: &str =
    r#""service":"openai","model":"gpt-4o","usage":{"input_tokens":1000,"cached_input_tokens":800,"output_tokens":50}"#;
const UNKNOWN: &str = r#""service":"openai","model":"my-own-model","usage":{"input_tokens":1000}"#;

async fn priced_agent(settings: Settings) -> TestAgent {
    let agent = TestAgent::start(settings).await;
    agent.state.book.store(Arc::new(Book::embedded().unwrap()));
    agent
}

impl TestAgent {
    async fn spent(&self) -> String {
        self.get("/costs/daily").await.text().to_owned()
    }
}

#[tokio::test]
async fn an_event_without_an_amount_costs_what_the_book_says() {
    let agent = priced_agent(Settings::default()).await;
    let body = format!(r#"[{{"id":"a",{GPT_4O}}},{{"id":"b",{UNKNOWN}}},{{"id":"c","service":"s","amount_usd":1}}]"#);
    let answer = agent.call_json("POST /costs?verbose=true", &body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let said = answer.json();
    assert_eq!((&said["accepted"], &said["unpriced"]), (&3.into(), &serde_json::json!(["b"])));
    assert_eq!(said["priced"].as_array().unwrap().len(), 1, "{said}");
    assert_eq!((&said["priced"][0]["id"], said["priced"][0]["amount_usd"].to_string()), (&"a".into(), "0.002".to_owned()));
    assert!(said["priced"][0]["price"]["name"].as_str().unwrap().contains("gpt-4o"), "{said}");
    assert_eq!(agent.spent().await, r#"{"openai":0.002,"s":1}"#);

    // The same again is a duplicate, whatever it costs by the prices of then; with other usage it is a conflict.
    agent.state.book.store(Arc::default());
    let again = agent.post_json(&body).await;
    assert_eq!(again.text(), r#"{"accepted":0,"duplicates":3}"#);
    let other = format!(r#"{{"id":"a",{}}}"#, GPT_4O.replace("50", "51"));
    let conflict = agent.post_json(&other).await;
    assert_eq!((conflict.status, conflict.text().contains("usage")), (409, true), "{}", conflict.text());
    assert!(!conflict.text().contains("amount_usd"), "{}", conflict.text());

    let events = agent.get("/events?order=asc").await.json();
    let by_id = |id: &str| events["events"].as_array().unwrap().iter().find(|event| event["id"] == id).unwrap().clone();
    assert_eq!(by_id("a")["price"], said["priced"][0]["price"]);
    assert_eq!((&by_id("b")["unpriced"], by_id("b")["amount_usd"].to_string()), (&true.into(), "0".to_owned()));
    assert!(by_id("c").get("price").is_none() && by_id("c").get("unpriced").is_none());
    agent.stop(PATIENCE).await;
}

#[tokio::test]
async fn what_lacks_model_or_usage_is_told_what() {
    let agent = priced_agent(Settings::default()).await;
    for (members, detail) in [
        ("", "amount_usd is required, or model and usage, to price the event by"),
        (r#","model":"gpt-4o""#, "amount_usd is required, or usage, to price model by"),
        (r#","model":"gpt-4o","usage":{"input_tokens":null}"#, "amount_usd is required, or usage, to price model by"),
        (r#","usage":{"input_tokens":1}"#, "amount_usd is required, or model, to price usage by"),
        (r#","kind":"credit","model":"gpt-4o","usage":{"input_tokens":1}"#, "amount_usd is required in a credit"),
    ] {
        let answer = agent.post_json(format!(r#"{{"service":"openai"{members}}}"#)).await;
        assert_eq!((answer.status, &answer.json()["errors"][0]["detail"]), (422, &detail.into()), "{members}");
    }
    let huge = r#"{"service":"openai","model":"gpt-4o","usage":{"output_tokens":9000000000000000}}"#;
    let answer = agent.post_json(huge).await;
    assert_eq!((answer.status, answer.text().contains("and an event may be at most")), (422, true), "{}", answer.text());
    let partial = agent.call_json("POST /costs?partial=true", &format!(r#"[{huge},{{{GPT_4O}}}]"#)).await;
    assert_eq!((&partial.json()["accepted"], &partial.json()["rejected"]), (&1.into(), &1.into()));
    agent.stop(PATIENCE).await;
}

#[tokio::test]
async fn a_revision_is_rated_anew() {
    let agent = priced_agent(Settings::default()).await;
    assert_eq!(agent.post_json(format!(r#"{{"id":"a",{GPT_4O}}}"#)).await.status, 200);
    let more = GPT_4O.replace("\"output_tokens\":50", "\"output_tokens\":150");
    let revised = agent.post_json(format!(r#"{{"id":"a","revision":1,{more}}}"#)).await;
    assert_eq!(revised.json()["revised"], 1, "{}", revised.text());
    assert_eq!(agent.spent().await, r#"{"openai":0.003}"#);
    // From here on somebody knows better.
    let told = GPT_4O.replace("\"service\"", "\"amount_usd\":0.5,\"revision\":2,\"service\"");
    assert_eq!(agent.post_json(format!(r#"{{"id":"a",{told}}}"#)).await.json()["revised"], 1);
    assert_eq!(agent.spent().await, r#"{"openai":0.5}"#);
    assert!(agent.get("/events?id=a").await.json()["events"][0].get("price").is_none());
    agent.stop(PATIENCE).await;
}

#[tokio::test]
async fn a_settlement_without_an_amount_costs_what_the_book_says() {
    let agent = priced_agent(Settings::default()).await;
    let settlement = r#"{"model":"gpt-4o","usage":{"input_tokens":1000,"cached_input_tokens":800,"output_tokens":50}}"#;
    for (id, service, amount) in [("r1", "openai", "0.002"), ("r2", "my-own-service", "0")] {
        let wish = format!(r#"{{"id":"{id}","service":"{service}","estimated_cost_usd":0.001}}"#);
        assert_eq!(agent.call_json("POST /reservations", &wish).await.status, 201);
        let unknown = settlement.replace("gpt-4o", if id == "r2" { "my-own-model" } else { "gpt-4o" });
        for _retry in 0..2 {
            let answer = agent.call_json(&format!("POST /reservations/{id}/commit"), &unknown).await;
            assert_eq!(
                (answer.status, answer.json()["amount_usd"].to_string()),
                (200, amount.to_owned()),
                "{}",
                answer.text()
            );
        }
    }
    assert_eq!(agent.call_json("POST /reservations/nobody/commit", settlement).await.status, 404);
    assert_eq!(agent.call_json("POST /reservations/r1/commit", r#"{"model":"gpt-4o"}"#).await.status, 422);
    assert_eq!(agent.get("/events?id=r2").await.json()["events"][0]["unpriced"], true);
    assert_eq!(agent.spent().await, r#"{"my-own-service":0,"openai":0.002}"#);
    agent.stop(PATIENCE).await;
}
