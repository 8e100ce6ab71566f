//! What the agent prices itself.

use super::*;
use crate::domain::Usd;
use crate::pricing::{Book, PriceTable};
use crate::writer::{RateAnswer, RateOrder, Rateable, ToRate};

/// 1,000 tokens in, 800 of them from the cache, 50 out.
const GPT_4O: &str =
    r#""service":"openai","model":"gpt-4o","usage":{"input_tokens":1000,"cached_input_tokens":800,"output_tokens":50}"#;
const UNKNOWN: &str = r#""service":"openai","model":"my-own-model","usage":{"input_tokens":1000}"#;

async fn priced_agent(settings: Settings) -> TestAgent {
    let agent = TestAgent::start(settings).await;
    agent.state.book.store(Arc::new(Book::embedded()));
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
        ("", "amount_usd is required, or model and usage, to price it by"),
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
    // The model of the reservation is that of its settlement, if that names none; also when it is told again.
    let wish = |id: &str, model: &str| format!(r#"{{"id":"{id}","service":"openai"{model},"estimated_cost_usd":1}}"#);
    assert_eq!(agent.call_json("POST /reservations", &wish("r3", r#","model":"gpt-4o""#)).await.status, 201);
    assert_eq!(agent.call_json("POST /reservations", &wish("r4", "")).await.status, 201);
    let nameless = settlement.replace(r#""model":"gpt-4o","#, "");
    for _retry in 0..2 {
        let answer = agent.call_json("POST /reservations/r3/commit", &nameless).await;
        assert_eq!((answer.status, answer.json()["amount_usd"].to_string()), (200, "0.002".to_owned()), "{}", answer.text());
        let refused = agent.call_json("POST /reservations/r4/commit", &nameless).await;
        refused.assert_problem(422, "invalid-request");
        assert_eq!(refused.json()["errors"][0]["detail"], "amount_usd is required, or model, to price usage by");
    }
    agent.stop(PATIENCE).await;
}

/// Guards against: a worker that asks again after a time-out, and is told that it asks for something else because the price has changed
/// meanwhile, or that there is none.
#[tokio::test(flavor = "multi_thread")]
async fn a_reservation_by_usage_is_the_same_whatever_prices_have_become() {
    let agent = priced_agent(Settings::default()).await;
    agent.state.book.store(own_book("0.2"));
    let wish = |id: &str, tokens: u32| {
        format!(r#"{{"id":"{id}","service":"openai","model":"my-own-model","usage":{{"input_tokens":{tokens}}}}}"#)
    };
    let first = agent.call_json("POST /reservations", &wish("r", 10)).await;
    assert_eq!(first.status, 201, "{}", first.text());
    for book in [own_book("0.2"), own_book("0.3"), Arc::new(Book::embedded())] {
        agent.state.book.store(book);
        let again = agent.call_json("POST /reservations", &wish("r", 10)).await;
        assert_eq!((again.status, again.text()), (200, first.text()));
    }
    agent.call_json("POST /reservations", &wish("r", 11)).await.assert_problem(422, "unpriced-model");
    agent.call_json("POST /reservations", &wish("other", 10)).await.assert_problem(422, "unpriced-model");
    agent.state.book.store(own_book("0.3"));
    let other = agent.call_json("POST /reservations", &wish("r", 11)).await;
    other.assert_problem(409, "id-conflict");
    let told = wish("r", 10).replace("}}", r#"},"estimated_cost_usd":2}"#);
    assert_eq!(agent.call_json("POST /reservations", &told).await.status, 200, "as it came to");
    // What has ended is known as well.
    assert_eq!(agent.call_json("POST /reservations/r/release", "{}").await.status, 200);
    agent.state.book.store(Arc::new(Book::embedded()));
    assert_eq!(agent.call_json("POST /reservations", &wish("r", 10)).await.status, 200);
}

/// A book that knows my-own-model at so much for an input token.
fn own_book(usd: &str) -> Arc<Book> {
    let table = PriceTable {
        service: "openai".into(),
        model: "my-own-*".into(),
        unit: "input_tokens".into(),
        usd: usd.parse().unwrap(),
        ..PriceTable::default()
    };
    Arc::new(Book::with(&[table], None).unwrap())
}

impl TestAgent {
    async fn rate(&self, firsts: &[i64], which: Rateable, book: Arc<Book>) -> RateAnswer {
        let time = self.clock.now();
        let events = firsts.iter().map(|first| ToRate { first: *first, time }).collect();
        self.state.writer.rate(RateOrder { events, which, book, usd_max: Usd::from_dollars(100) }).await.unwrap()
    }
}

#[tokio::test]
async fn what_waits_for_a_price_is_listed_and_rated_once_in_its_own_day() {
    let agent = priced_agent(Settings::default()).await;
    let late = r#""time":"2026-11-02T08:00:00Z""#;
    let body =
        format!(r#"[{{"id":"a",{UNKNOWN}}},{{"id":"b",{late},{UNKNOWN}}},{{"id":"c","service":"s","amount_usd":1}}]"#);
    assert_eq!(agent.post_json(&body).await.status, 200);
    let listed = agent.get("/unpriced").await;
    assert_eq!(
        listed.text(),
        r#"[{"service":"openai","model":"my-own-model","usage":["input_tokens"],"events":2,"first":"2026-11-02T08:00:00Z","last":"2026-11-22T12:00:00Z"}]"#
    );
    let gauge = "lead_factory_unpriced_events{model=\"my-own-model\",service=\"openai\"}";
    let metrics = agent.metrics().await;
    assert!(metrics.contains(&format!("{gauge} 2\n")), "{metrics}");

    // Nothing is known of it yet, and too much is nothing either.
    let nothing = RateAnswer { unknown: 2, ..RateAnswer::default() };
    assert_eq!(agent.rate(&[1, 2, 3], Rateable::Unpriced, Arc::default()).await, nothing);
    assert_eq!(agent.rate(&[1, 2], Rateable::Unpriced, own_book("1")).await, nothing);
    assert_eq!(agent.rate(&[1, 2, 3, 99], Rateable::Priced, own_book("0.001")).await, RateAnswer::default());

    let both = Usd::from_dollars(2);
    // The same twice in one order counts once.
    let rated = agent.rate(&[1, 2, 2, 3, 99], Rateable::Unpriced, own_book("0.001")).await;
    assert_eq!(rated, RateAnswer { rated: 2, after: both, ..RateAnswer::default() });
    assert_eq!(agent.rate(&[1, 2], Rateable::Unpriced, own_book("0.007")).await, RateAnswer::default());
    assert_eq!(agent.get("/costs/daily?date=2026-11-02").await.text(), r#"{"openai":1}"#);
    assert_eq!(agent.spent().await, r#"{"openai":1,"s":1}"#);
    assert_eq!(agent.get("/unpriced").await.text(), "[]");
    let metrics = agent.metrics().await;
    assert!(metrics.contains(&format!("{gauge} 0\n")), "{metrics}");
    assert!(
        metrics.contains("lead_factory_model_cost_usd_total{model=\"my-own-model\",service=\"openai\"} 2\n"),
        "{metrics}"
    );

    let event = agent.get("/events?id=b").await.json()["events"][0].clone();
    assert_eq!((event["amount_usd"].to_string(), &event["revision"]), ("1".to_owned(), &0.into()));
    assert!(event.get("unpriced").is_none() && event["price"]["name"].is_string(), "{event}");
    assert_eq!(event["adjustments"].as_array().unwrap().len(), 1, "{event}");
    // Whoever told it may tell it again, and more of it.
    assert_eq!(agent.post_json(&body).await.text(), r#"{"accepted":0,"duplicates":3}"#);
    agent.state.book.store(own_book("0.002"));
    let more = format!(r#"{{"id":"a","revision":1,{}}}"#, UNKNOWN.replace("1000", "2000"));
    assert_eq!(agent.post_json(more).await.json()["revised"], 1);
    assert_eq!(agent.spent().await, r#"{"openai":4,"s":1}"#);
    let path = agent._folder.path().join("ledger.db");
    let report = crate::ledger::verify(&path).unwrap();
    assert!(report.problems.is_empty(), "{report:?}");
    agent.stop(PATIENCE).await;
}

#[tokio::test]
async fn an_event_is_rated_by_what_it_says_by_then() {
    let agent = priced_agent(Settings::default()).await;
    agent.post_json(format!(r#"{{"id":"a",{UNKNOWN}}}"#)).await;
    // Somebody tells its amount before the order comes.
    let told = format!(r#"{{"id":"a","revision":1,"amount_usd":3,{UNKNOWN}}}"#);
    assert_eq!(agent.post_json(told).await.json()["revised"], 1);
    assert_eq!(agent.rate(&[1], Rateable::Unpriced, own_book("0.001")).await, RateAnswer::default());
    assert_eq!(agent.get("/unpriced").await.text(), "[]");
    // And then that it does not know.
    let untold = format!(r#"{{"id":"a","revision":2,{}}}"#, UNKNOWN.replace("1000", "500"));
    assert_eq!(agent.post_json(untold).await.json()["revised"], 1);
    assert_eq!(agent.spent().await, r#"{"openai":0}"#);
    assert_eq!(agent.get("/unpriced").await.json()[0]["events"], 1);
    assert_eq!(agent.rate(&[1], Rateable::Unpriced, own_book("0.001")).await.rated, 1);
    assert_eq!(agent.spent().await, r#"{"openai":0.5}"#);
    agent.stop(PATIENCE).await;
}

#[tokio::test]
async fn a_settled_reservation_follows_its_rating() {
    let agent = priced_agent(Settings::default()).await;
    agent.call_json("POST /reservations", r#"{"id":"r","service":"openai","estimated_cost_usd":1}"#).await;
    let settled =
        agent.call_json("POST /reservations/r/commit", r#"{"model":"my-own-model","usage":{"input_tokens":7}}"#).await;
    assert_eq!(settled.json()["amount_usd"], 0);
    assert_eq!(agent.rate(&[1], Rateable::Unpriced, own_book("0.1")).await.rated, 1);
    let again =
        agent.call_json("POST /reservations/r/commit", r#"{"model":"my-own-model","usage":{"input_tokens":7}}"#).await;
    assert_eq!((again.status, again.json()["amount_usd"].to_string()), (200, "0.7".to_owned()));
    agent.stop(PATIENCE).await;
}

#[tokio::test]
async fn a_corrected_price_is_applied_to_what_the_book_has_priced() {
    let agent = TestAgent::start(Settings::default()).await;
    agent.state.book.store(own_book("0.001"));
    let events: Vec<String> = (0..700).map(|number| format!(r#"{{"id":"{number}",{UNKNOWN}}}"#)).collect();
    agent.post_json(format!("[{}]", events.join(","))).await;
    agent
        .post_json(r#"{"id":"told","service":"openai","model":"my-own-model","amount_usd":5,"usage":{"input_tokens":1000}}"#)
        .await;
    assert_eq!(agent.spent().await, r#"{"openai":705}"#);
    agent.state.book.store(own_book("0.003"));
    let reprice = async |query: &str| {
        let (mut sums, mut after) = ([0_u64; 3], String::new());
        let (mut before_usd, mut after_usd) = (0.0, 0.0);
        loop {
            let path = format!("POST /reprice?from=2026-11-22&to=2026-11-22&model=my-own-model{query}{after}");
            let answer = agent.call(&path, "", "").await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            let part = answer.json();
            for (sum, name) in sums.iter_mut().zip(["repriced", "unchanged", "unpriced"]) {
                *sum += part[name].as_u64().unwrap();
            }
            before_usd += part["before_usd"].as_f64().unwrap();
            after_usd += part["after_usd"].as_f64().unwrap();
            match part["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => return (sums, before_usd, after_usd),
            }
        }
    };
    assert_eq!(reprice("&dry_run=true").await, ([700, 0, 0], 700.0, 2100.0));
    assert_eq!(agent.spent().await, r#"{"openai":705}"#);
    assert_eq!(reprice("&service=other").await, ([0, 0, 0], 0.0, 0.0));
    assert_eq!(reprice("").await, ([700, 0, 0], 700.0, 2100.0));
    assert_eq!(agent.spent().await, r#"{"openai":2105}"#);
    assert_eq!(reprice("").await, ([0, 700, 0], 2100.0, 2100.0), "the second time nothing is left to do");
    agent.state.book.store(Arc::default());
    assert_eq!(reprice("").await, ([0, 0, 700], 0.0, 0.0), "what has no price any more keeps the one that it had");
    assert_eq!(agent.spent().await, r#"{"openai":2105}"#);
    for query in ["", "?from=2026-11-22&to=2026-11-22", "?from=2026-11-22&to=2026-11-22&model=m&after=x"] {
        assert_eq!(agent.call(&format!("POST /reprice{query}"), "", "").await.status, 400, "{query}");
    }
    agent.stop(PATIENCE).await;
}

#[tokio::test]
async fn checks_and_reservations_may_say_what_they_will_use() {
    let agent = priced_agent(Settings::default()).await;
    let check = async |model: &str, usage: &str| {
        let usage: String = form_urlencoded::byte_serialize(usage.as_bytes()).collect();
        agent.get(&format!("/scaling-gate/check?service=openai&model={model}&usage={usage}")).await
    };
    assert_eq!(check("gpt-4o", r#"{"output_tokens":1000}"#).await.json()["allowed"], true);
    // 10 USD for a million; the day has 50.
    assert_eq!(check("gpt-4o", r#"{"output_tokens":5000001}"#).await.json()["allowed"], false);
    let unpriced = check("my-own-model", r#"{"output_tokens":1}"#).await.assert_problem(422, "unpriced-model");
    let advice = r#"There is no price for "my-own-model" of "openai": send estimated_cost_usd, or add a [[price]]."#;
    assert_eq!(unpriced["detail"], advice);
    for (query, detail) in [
        ("model=my-own-model", r#"There is no price for "my-own-model": add a [[price]]."#),
        ("model=my-own-model&service=openai", r#"There is no price for "my-own-model" of "openai": add a [[price]]."#),
    ] {
        let unpriced = agent.get(&format!("/prices?{query}")).await.assert_problem(422, "unpriced-model");
        assert_eq!(unpriced["detail"], detail, "nothing is estimated");
    }
    for usage in ["", "1", "{", r#"{"a":1,"a":2}"#] {
        assert_eq!(check("gpt-4o", usage).await.status, 400, "{usage}");
    }
    check("gpt-4o", r#"{"output_tokens":-1}"#).await.assert_problem(422, "invalid-request");
    assert_eq!(check("", r#"{"output_tokens":1}"#).await.status, 400);

    let reserve =
        async |members: &str| agent.call_json("POST /reservations", &format!(r#"{{"service":"openai"{members}}}"#)).await;
    let granted = reserve(r#","model":"gpt-4o","usage":{"output_tokens":1000}"#).await;
    assert_eq!((granted.status, granted.json()["estimated_cost_usd"].to_string()), (201, "0.01".to_owned()));
    reserve(r#","model":"my-own-model","usage":{"output_tokens":1}"#).await.assert_problem(422, "unpriced-model");
    reserve(r#","model":"gpt-4o""#).await.assert_problem(422, "invalid-request");
    let both = reserve(r#","model":"gpt-4o","usage":{"output_tokens":1000},"estimated_cost_usd":2"#).await;
    assert_eq!(both.json()["estimated_cost_usd"].to_string(), "2");
    agent.stop(PATIENCE).await;
}

#[tokio::test]
async fn usage_may_be_sent_as_the_provider_said_it() {
    let agent = priced_agent(Settings::default()).await;
    let openai =
        r#"{"prompt_tokens":1000,"completion_tokens":50,"total_tokens":1050,"prompt_tokens_details":{"cached_tokens":800}}"#;
    let claude =
        r#"{"input_tokens":100,"cache_creation_input_tokens":300,"cache_read_input_tokens":600,"output_tokens":50}"#;
    let body = format!(
        r#"[{{"id":"a","service":"openai","model":"gpt-4o","usage_raw":{openai}}},
            {{"id":"b","service":"anthropic","model":"claude-sonnet-4-5","usage_raw":{claude}}},
            {{"id":"c","service":"openrouter","usage_raw":{{"prompt_tokens":10,"completion_tokens":2,"cost":0.25}}}},
            {{"id":"d","service":"s","amount_usd":1,"usage_raw":{openai}}}]"#
    );
    for counts in [r#"{"accepted":4,"duplicates":0}"#, r#"{"accepted":0,"duplicates":4}"#] {
        assert_eq!(agent.post_json(&body).await.text(), counts);
    }
    assert_eq!(agent.spent().await, r#"{"anthropic":0.002355,"openai":0.002,"openrouter":0.25,"s":1}"#);
    let event = agent.get("/events?id=a").await.json()["events"][0].clone();
    let usage = serde_json::json!({"cached_input_tokens":800,"input_tokens":1000,"output_tokens":50});
    assert_eq!((&event["usage"], event.get("usage_raw")), (&usage, None));
    // The same in our names is the same event.
    assert_eq!(agent.post_json(format!(r#"{{"id":"a",{GPT_4O}}}"#)).await.json()["duplicates"], 1);
    for (raw, part) in [
        (r#""usage":{"a":1},"usage_raw":{"prompt_tokens":1,"completion_tokens":1}"#, "send one of them"),
        (r#""usage_raw":[]"#, "must be an object"),
        (r#""usage_raw":{}"#, "usage_raw"),
        (r#""usage_raw":{"prompt_tokens":-1,"completion_tokens":1}"#, "prompt_tokens"),
        (r#""usage_raw":{"prompt_tokens":9007199254740992,"completion_tokens":1}"#, "is not a count"),
    ] {
        let answer = agent.post_json(format!(r#"{{"service":"openai","model":"gpt-4o",{raw}}}"#)).await;
        assert_eq!((answer.status, answer.text().contains(part)), (422, true), "{}", answer.text());
    }
    agent.call_json("POST /reservations", r#"{"id":"r","service":"anthropic","estimated_cost_usd":1}"#).await;
    let settled = agent
        .call_json("POST /reservations/r/commit", &format!(r#"{{"model":"claude-sonnet-4-5","usage_raw":{claude}}}"#))
        .await;
    assert_eq!(settled.json()["amount_usd"].to_string(), "0.002355", "{}", settled.text());
    agent.stop(PATIENCE).await;
}
