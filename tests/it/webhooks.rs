//! Who asked to be told of budgets and the gate is told, once, whatever happens on the way; and nobody waits for it.
//!
//! Guards against: a message that lives in memory only, one that comes again after a restart, a signature that no library
//! accepts, a secret URL in the log, a receiver that holds up recording or the end.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::support::{Identity, Posted, Receiver, ServerTls, Setup, TestAgent, now, within};

/// 32 bytes that nobody knows.
const KEY: &[u8] = b"0123456789abcdef0123456789abcdef";
/// Where messages go; nobody but the receiver may see it.
const PATH: &str = "/services/T000/very-secret";
/// The promise for the end after SIGTERM.
const STOP_MAX: Duration = Duration::from_secs(10);

/// Told about one budget of 50 USD a month, so that no midnight comes between.
fn telling(receiver: &Receiver) -> Setup {
    let setup = Setup::new();
    let secret = setup.folder().join("webhook-secret");
    std::fs::write(&secret, format!("whsec_{}\n", STANDARD.encode(KEY))).unwrap();
    setup
        .env("WEBHOOK_URL", receiver.url(PATH))
        .env("WEBHOOK_SECRET_FILE", secret)
        .env("DAILY_BUDGET", "none")
        .env("MONTHLY_BUDGET", "50")
}

#[track_caller]
fn charge(agent: &TestAgent, id: &str, usd: i64) {
    let kind = if usd < 0 { "credit" } else { "charge" };
    agent.costs(format!(r#"{{"id":"{id}","service":"s","kind":"{kind}","amount_usd":{usd}}}"#)).expect(200);
}

fn messages(agent: &TestAgent, result: &str) -> Option<f64> {
    agent.metrics().get("lead_factory_webhook_messages_total", &[("result", result)])
}

/// Waits until so many different messages were taken, and gives their types. A request can be read after the agent that sent it was
/// killed, and then the message rightly comes again: receivers tell by its id.
#[track_caller]
fn told(receiver: &Receiver, count: usize) -> Vec<String> {
    within(Duration::from_secs(30), "messages arrive", || {
        let mut ids = BTreeSet::new();
        let mut taken = receiver.taken();
        taken.retain(|posted| ids.insert(posted.headers["webhook-id"].clone()));
        (taken.len() >= count).then(|| taken.iter().map(|posted| posted.json()["type"].as_str().unwrap().into()).collect())
    })
}

#[track_caller]
fn assert_signed(posted: &Posted) {
    let headers = &posted.headers;
    let timestamp: i64 = headers["webhook-timestamp"].parse().unwrap();
    assert!((now().as_second() - timestamp).abs() < 60, "the time of the attempt: {timestamp}");
    let signed = format!("{}.{timestamp}.{}", headers["webhook-id"], posted.body);
    let signature = STANDARD.decode(headers["webhook-signature"].strip_prefix("v1,").unwrap()).unwrap();
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, KEY);
    ring::hmac::verify(&key, signed.as_bytes(), &signature).expect("the signature is over id, time and body");
}

#[test]
fn each_state_of_a_budget_and_each_change_of_the_gate_is_told_once_and_signed() {
    let receiver = Receiver::that_answers(200);
    let setup = telling(&receiver);
    let mut agent = setup.start();
    for result in ["delivered", "failed", "given_up"] {
        assert_eq!(messages(&agent, result), Some(0.0), "{result} is shown from the start");
    }
    charge(&agent, "a", 40);
    assert_eq!(receiver.types_of(1), ["budget.warning"]);
    let item: Value = agent.get("/budgets").json()[0].clone();
    charge(&agent, "b", 6);
    receiver.types_of(3);
    charge(&agent, "c", 4);
    let told = ["budget.warning", "budget.critical", "gate.active", "budget.exhausted"];
    assert_eq!(receiver.types_of(4), told);

    let posted = receiver.taken();
    for message in &posted {
        assert_signed(message);
        assert_eq!((message.path.as_str(), message.headers["content-type"].as_str()), (PATH, "application/json"));
        assert!(message.headers["user-agent"].starts_with("lead-factory-metrics/"));
    }
    let data = &posted[0].json()["data"];
    for field in ["name", "service", "period", "limit_usd", "spent_usd", "remaining_usd", "state", "period_end"] {
        assert_eq!(data[field], item[field], "{field}");
    }
    assert_eq!(posted[2].json()["data"]["scaling_gate_active"], true);
    within(Duration::from_secs(10), "counted", || (messages(&agent, "delivered") == Some(4.0)).then_some(()));
    let pending = || agent.metrics().get("lead_factory_webhook_pending", &[]);
    within(Duration::from_secs(10), "none waits", || (pending() == Some(0.0)).then_some(()));
    assert_eq!((messages(&agent, "failed"), messages(&agent, "given_up")), (Some(0.0), Some(0.0)));

    // Back, over a restart, and up through all states again: only the gate is news, and it comes last.
    charge(&agent, "d", -50);
    receiver.types_of(5);
    // At least once: a message whose receipt is not noted before the end would rightly come again after it.
    within(Duration::from_secs(10), "noted", || (messages(&agent, "delivered") == Some(5.0)).then_some(()));
    assert_eq!(agent.terminate().code(), Some(0), "{}", agent.log());
    let agent = setup.start();
    for (id, usd) in [("e", 42), ("f", 5), ("g", 5)] {
        charge(&agent, id, usd);
    }
    assert_eq!(receiver.types_of(6)[4..], ["gate.inactive", "gate.active"]);
    assert!(!agent.log().contains("very-secret"), "{}", agent.log());
    setup.assert_verifies();
}

#[test]
fn over_https_only_who_has_the_right_certificate_is_told() {
    let (identity, other) = (Identity::new(), Identity::new());
    let receiver = Receiver::over_tls(&ServerTls { identity: &identity, clients: None });
    let setup = telling(&receiver);
    let mut agent = setup.clone().env("SSL_CERT_FILE", other.certificate()).start();
    charge(&agent, "a", 40);
    within(Duration::from_secs(30), "an attempt fails", || (messages(&agent, "failed")? >= 1.0).then_some(()));
    let log = log_of_failure(&agent);
    assert!(log.contains("certificate") && !log.contains("very-secret"), "why, and not where: {log}");
    assert_eq!(agent.terminate().code(), Some(0), "{}", agent.log());
    assert!(receiver.posted().is_empty(), "nothing was sent to a stranger");

    let agent = setup.env("SSL_CERT_FILE", identity.certificate()).start();
    assert_eq!(receiver.types_of(1), ["budget.warning"]);
    assert_signed(&receiver.taken()[0]);
    agent.assert_healthy();
}

#[test]
fn a_kill_between_recording_and_delivery_loses_no_message_and_makes_none_twice() {
    let receiver = Receiver::that_hangs();
    let setup = telling(&receiver);
    let mut agent = setup.start();
    charge(&agent, "a", 40);
    within(Duration::from_secs(30), "an attempt is under way", || (!receiver.posted().is_empty()).then_some(()));
    agent.kill();
    // The next ones are killed between the answer and the first attempt, as near as it gets.
    let mut agent = setup.start();
    charge(&agent, "b", 6);
    agent.kill();
    receiver.answer(200);

    let agent = setup.start();
    assert_eq!(told(&receiver, 3), ["budget.warning", "budget.critical", "gate.active"]);
    let first = &receiver.posted()[0];
    assert_eq!(receiver.taken()[0].headers["webhook-id"], first.headers["webhook-id"], "the same message again");
    charge(&agent, "c", 4);
    assert_eq!(told(&receiver, 4)[3], "budget.exhausted", "and nothing a second time");
    setup.assert_verifies();
}

#[test]
fn a_receiver_that_refuses_is_tried_again_and_its_url_stays_a_secret() {
    let receiver = Receiver::that_answers(500);
    let setup = telling(&receiver);
    let agent = setup.start();
    charge(&agent, "a", 40);
    within(Duration::from_secs(30), "an attempt failed", || (messages(&agent, "failed") == Some(1.0)).then_some(()));
    receiver.answer(200);
    assert_eq!(receiver.types_of(1), ["budget.warning"], "after 5 s");
    within(Duration::from_secs(10), "counted", || (messages(&agent, "delivered") == Some(1.0)).then_some(()));
    let log = log_of_failure(&agent);
    assert!(log.contains("localhost") && !log.contains("very-secret"), "{log}");

    let nobody = telling(&receiver).env("WEBHOOK_URL", "http://127.0.0.1:1/services/very-secret").start();
    charge(&nobody, "a", 40);
    within(Duration::from_secs(30), "an attempt failed", || (messages(&nobody, "failed") == Some(1.0)).then_some(()));
    let log = log_of_failure(&nobody);
    assert!(!log.contains("very-secret"), "{log}");
}

/// What an agent has logged, once that a delivery failed is in it: that is counted before.
#[track_caller]
fn log_of_failure(agent: &TestAgent) -> String {
    within(Duration::from_secs(10), "the failure is logged", || {
        Some(agent.log()).filter(|log| log.contains("webhook delivery is failing"))
    })
}

#[test]
fn a_receiver_that_hangs_holds_up_neither_recording_nor_the_end() {
    let receiver = Receiver::that_hangs();
    let setup = telling(&receiver);
    let mut agent = setup.start();
    charge(&agent, "a", 50);
    within(Duration::from_secs(30), "an attempt is under way", || (!receiver.posted().is_empty()).then_some(()));
    let begin = Instant::now();
    for number in 0..50 {
        charge(&agent, &format!("b{number}"), 1);
    }
    assert!(begin.elapsed() < Duration::from_secs(5), "50 answers took {:?}", begin.elapsed());
    assert_eq!(agent.metrics().get("lead_factory_webhook_pending", &[]), Some(2.0));
    let begin = Instant::now();
    assert_eq!(agent.terminate().code(), Some(0), "{}", agent.log());
    assert!(begin.elapsed() < STOP_MAX, "stopped after {:?}", begin.elapsed());
}

#[test]
fn slack_gets_a_line_that_a_person_reads() {
    let receiver = Receiver::that_answers(200);
    let setup = Setup::new().env("WEBHOOK_URL", receiver.url(PATH)).env("WEBHOOK_FORMAT", "slack");
    let agent = setup.env("DAILY_BUDGET", "none").env("MONTHLY_BUDGET", "50").start();
    charge(&agent, "a", 40);
    within(Duration::from_secs(30), "the message arrives", || (!receiver.taken().is_empty()).then_some(()));
    let posted = &receiver.taken()[0];
    assert!(!posted.headers.contains_key("webhook-signature"), "without a secret there is none");
    let text = posted.json()["text"].as_str().unwrap().to_owned();
    assert!(text.contains("monthly") && text.contains("80% used, 40 of 50 USD"), "{text}");
}

#[test]
fn without_a_webhook_there_is_no_metric_of_it() {
    let agent = Setup::new().start();
    charge(&agent, "a", 50);
    let text = agent.get("/metrics").text();
    assert!(!text.contains("webhook"), "{text}");
}
