//! Deliveries to receivers that really listen, out of a ledger's outbox.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine;
use jiff::Timestamp;
use opentelemetry::metrics::MeterProvider;

use super::*;
use crate::clock::Clock;
use crate::domain::{self, BudgetZone, Pattern, Subscription};
use crate::ledger::{Commit, DeliveryReport, Ledger, NewMessage, OutboxChanges, Reader};

/// What a receiver does with a request.
#[derive(Clone, Copy, Debug)]
pub(super) enum Manner {
    Answers(u16),
    Hangs,
    Resets,
}

/// One request as it came.
#[derive(Clone, Debug, Default)]
pub(super) struct Got {
    pub headers: String,
    pub body: String,
}

/// Somebody who listens, and does as told by the function from what came so far and what comes now.
pub(super) struct Receiver {
    addr: SocketAddr,
    got: Arc<Mutex<Vec<Got>>>,
}

/// A ledger whose outbox takes in what is reported.
pub(super) struct Outbox {
    folder: tempfile::TempDir,
    ledger: Arc<Mutex<Ledger>>,
}

// === impl Receiver ===

impl Receiver {
    pub fn that(manner: impl Fn(usize, &str) -> Manner + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let (got, manner) = (Arc::<Mutex<Vec<Got>>>::default(), Arc::new(manner));
        let kept = Arc::clone(&got);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (kept, manner) = (Arc::clone(&kept), Arc::clone(&manner));
                std::thread::spawn(move || serve(stream, &kept, &*manner));
            }
        });
        Self { addr, got }
    }

    pub fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn bodies(&self) -> Vec<String> {
        self.got().into_iter().map(|got| got.body).collect()
    }

    pub fn webhook(&self, format: WebhookFormat) -> Webhook {
        let url = format!("http://{}/hook?key=secret", self.addr).parse().unwrap();
        let secret = Some(WebhookSecret(b"twenty-four bytes of key".to_vec()));
        Webhook { url, format, secret, subscription: Subscription::default() }
    }
}

fn serve(stream: TcpStream, kept: &Mutex<Vec<Got>>, manner: &impl Fn(usize, &str) -> Manner) {
    let number = kept.lock().unwrap().len();
    if let Manner::Resets = manner(number, "") {
        // Something has arrived by the time this returns; closing without having read it resets.
        let _ = stream.peek(&mut [0]);
        return kept.lock().unwrap().push(Got::default());
    }
    let mut stream = BufReader::new(stream);
    let mut headers = String::new();
    while !headers.ends_with("\r\n\r\n") {
        if stream.read_line(&mut headers).unwrap() == 0 {
            return;
        }
    }
    let mut got = Got { headers, body: String::new() };
    let mut body = vec![0; got.header("content-length").parse().unwrap()];
    stream.read_exact(&mut body).unwrap();
    got.body = String::from_utf8(body).unwrap();
    let does = manner(number, &got.body);
    kept.lock().unwrap().push(got);
    match does {
        Manner::Answers(status) => {
            let location = "Location: http://127.0.0.1:1/";
            let answer = format!("HTTP/1.1 {status} X\r\n{location}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            stream.get_mut().write_all(answer.as_bytes()).unwrap();
        }
        // Until the other side has had enough.
        Manner::Hangs => drop(stream.read(&mut [0])),
        Manner::Resets => unreachable!("it was reset before anything was read"),
    }
}

impl Got {
    #[track_caller]
    pub fn header(&self, name: &str) -> &str {
        let mut lines = self.headers.lines().filter_map(|line| line.split_once(':'));
        lines.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).unwrap()
    }
}

/// The gate's message with a reason.
fn body(reason: &str) -> String {
    format!(
        r#"{{"type":"gate.active","timestamp":"2026-11-22T10:00:00Z","data":{{"scaling_gate_active":true,"reason":"{reason}","timestamp":"2026-11-22T10:00:00Z","mode":"auto","since":null,"expires_at":null,"budgets":[]}}}}"#
    )
}

// === impl Outbox ===

impl Outbox {
    pub fn new() -> Self {
        // As main does.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(&folder.path().join("ledger.db"), &BudgetZone::UTC, Clock::System.now()).unwrap();
        Self { folder, ledger: Arc::new(Mutex::new(ledger)) }
    }

    pub fn reader(&self) -> Arc<Reader> {
        Arc::new(Reader::new(self.folder.path().join("ledger.db"), BudgetZone::UTC))
    }

    pub fn tell(&self, texts: &[&str], to: &[Webhook], now: Timestamp) {
        let to: Arc<[Arc<str>]> = receivers(to).iter().map(|receiver| Arc::clone(&receiver.name)).collect();
        let message = |text: &&str| NewMessage {
            topic: (*text).to_owned(),
            kind: "gate.active",
            created_at: now,
            body: body(text),
            to: Arc::clone(&to),
        };
        let messages = texts.iter().map(message).collect();
        self.commit(OutboxChanges { messages, reports: Vec::new() }, now);
    }

    pub fn take_in(&self, reports: Vec<DeliveryReport>, now: Timestamp) {
        self.commit(OutboxChanges { reports, ..OutboxChanges::default() }, now);
    }

    fn commit(&self, outbox: OutboxChanges, now: Timestamp) {
        self.ledger.lock().unwrap().commit(&Commit { outbox, ..Commit::default() }, now).unwrap();
    }

    /// By message: attempts so far.
    pub fn open_for(&self, webhook: &Webhook) -> Vec<(i64, u32)> {
        let open = self.reader().open_deliveries(&webhook.receiver()).unwrap();
        open.into_iter().map(|delivery| (delivery.message, delivery.attempts)).collect()
    }

    fn start(&self, webhooks: &[Webhook], schedule: Schedule, attempt_max: Duration) -> Deliveries {
        let ledger = Arc::clone(&self.ledger);
        let report = move |reports| {
            let outbox = OutboxChanges { reports, ..OutboxChanges::default() };
            let commit = Commit { outbox, ..Commit::default() };
            ledger.lock().unwrap().commit(&commit, Clock::System.now()).unwrap();
        };
        let parts =
            DeliveryParts { reader: self.reader(), clock: Clock::System, report: Arc::new(report), attempt_max, schedule };
        let meter = opentelemetry_sdk::metrics::SdkMeterProvider::default().meter("test");
        start(webhooks, &parts, &meter).unwrap()
    }
}

/// Repeats at once.
const EAGER: Schedule = Schedule { pauses: &[Duration::from_millis(1)], tried_for: Duration::from_secs(3_600) };
/// Does not repeat within a test.
const PATIENT: Schedule = Schedule { pauses: &[Duration::from_secs(600)], tried_for: Duration::from_secs(3_600) };

#[track_caller]
fn eventually(what: &str, reached: impl Fn() -> bool) {
    let begin = Instant::now();
    while !reached() {
        assert!(begin.elapsed() < Duration::from_secs(30), "not reached in time: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_message_gets_through_after_every_kind_of_failure_under_one_id() {
    let receiver = Receiver::that(|number, _| match number {
        0 => Manner::Answers(500),
        1 => Manner::Hangs,
        2 => Manner::Resets,
        3 => Manner::Answers(301),
        _ => Manner::Answers(204),
    });
    let outbox = Outbox::new();
    let webhook = receiver.webhook(WebhookFormat::Json);
    outbox.tell(&["a"], std::slice::from_ref(&webhook), Clock::System.now());
    let _deliveries = outbox.start(std::slice::from_ref(&webhook), EAGER, Duration::from_millis(300));
    eventually("delivered", || outbox.open_for(&webhook).is_empty());
    let got = receiver.got();
    assert_eq!(got.len(), 5, "{got:#?}");
    // Of the one that was reset nothing was read.
    for request in got.iter().filter(|got| !got.headers.is_empty()) {
        assert!(request.headers.starts_with("POST /hook?key=secret HTTP/1.1"), "{}", request.headers);
        assert_eq!(request.header("webhook-id"), got[0].header("webhook-id"));
        assert_eq!(request.header("content-type"), "application/json");
        assert!(request.header("user-agent").starts_with("lead-factory-metrics/"));
    }
    let last = got.last().unwrap();
    assert_eq!(last.body, body("a"));
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, b"twenty-four bytes of key");
    let signed = format!("{}.{}.{}", last.header("webhook-id"), last.header("webhook-timestamp"), last.body);
    let signature = last.header("webhook-signature").strip_prefix("v1,").unwrap();
    let signature = base64::engine::general_purpose::STANDARD.decode(signature).unwrap();
    ring::hmac::verify(&key, signed.as_bytes(), &signature).unwrap();
}

#[test]
fn a_receiver_that_hangs_holds_up_no_other() {
    let (hangs, takes) = (Receiver::that(|_, _| Manner::Hangs), Receiver::that(|_, _| Manner::Answers(200)));
    let outbox = Outbox::new();
    let webhooks = [hangs.webhook(WebhookFormat::Json), takes.webhook(WebhookFormat::Slack)];
    outbox.tell(&["a", "b", "c"], &webhooks, Clock::System.now());
    let _deliveries = outbox.start(&webhooks, EAGER, Duration::from_secs(600));
    eventually("the other one has all", || outbox.open_for(&webhooks[1]).is_empty());
    let text = |reason: &str| format!(r#"{{"text":"Scaling gate is active: {reason}"}}"#);
    assert_eq!(takes.bodies(), [text("a"), text("b"), text("c")], "oldest first");
    assert_eq!(outbox.open_for(&webhooks[0]), [(1, 0), (2, 0), (3, 0)]);
}

#[test]
fn a_message_that_is_never_taken_holds_up_no_other() {
    let receiver = Receiver::that(|_, body| Manner::Answers(if body.contains("poison") { 400 } else { 200 }));
    let outbox = Outbox::new();
    let webhook = receiver.webhook(WebhookFormat::Json);
    outbox.tell(&["poison", "a", "b"], std::slice::from_ref(&webhook), Clock::System.now());
    let _deliveries = outbox.start(std::slice::from_ref(&webhook), PATIENT, ATTEMPT_MAX);
    eventually("the others are delivered", || outbox.open_for(&webhook) == [(1, 1)]);
    assert_eq!(receiver.got().len(), 3);
}

#[test]
fn a_message_is_given_up_when_the_receiver_is_gone_or_the_time_is_over() {
    for (status, tried_for) in [(410, Duration::from_secs(3_600)), (500, Duration::ZERO)] {
        let receiver = Receiver::that(move |_, _| Manner::Answers(status));
        let outbox = Outbox::new();
        let webhook = receiver.webhook(WebhookFormat::Json);
        outbox.tell(&["a"], std::slice::from_ref(&webhook), Clock::System.now());
        let schedule = Schedule { tried_for, ..PATIENT };
        let _deliveries = outbox.start(std::slice::from_ref(&webhook), schedule, ATTEMPT_MAX);
        eventually("given up", || outbox.open_for(&webhook).is_empty());
        assert_eq!(receiver.got().len(), 1, "{status}: tried once all the same");
    }
}

#[test]
fn a_receiver_is_named_by_a_hash_and_told_once_however_often_it_is_set() {
    let receiver = Receiver::that(|_, _| Manner::Answers(200));
    let (json, slack) = (receiver.webhook(WebhookFormat::Json), receiver.webhook(WebhookFormat::Slack));
    let of = |events: &str| Subscription { events: vec![Pattern::new(events)], budgets: Vec::new() };
    let [gate, warnings] = ["gate.*", "budget.warning"].map(|events| Webhook { subscription: of(events), ..json.clone() });
    let found = receivers(&[gate, slack, warnings]);
    let [json, slack] = &*found else { panic!("two receivers: {found:?}") };
    assert!(found.iter().all(|receiver| receiver.name.len() == 32 && !receiver.name.contains("secret")), "{found:?}");
    let told = |receiver: &domain::Receiver| {
        ["gate.active", "budget.warning", "budget.critical"].map(|kind| receiver.wants(kind, Some("daily")))
    };
    assert_eq!(told(json), [true, true, false], "what either asks for");
    assert_eq!(told(slack), [true; 3]);
}
