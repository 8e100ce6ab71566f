use std::path::PathBuf;

use jiff::SignedDuration;

use super::*;
use crate::domain::{BudgetZone, Subscription};
use crate::ledger::{Commit, Ledger, Reader, verify};

fn now() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

fn later(hours: i64) -> Timestamp {
    now() + SignedDuration::from_hours(hours)
}

fn to() -> Arc<[Arc<str>]> {
    [Arc::from("r1"), Arc::from("r2")].into()
}

fn receivers() -> Vec<Receiver> {
    to().iter().map(|name| Receiver { name: Arc::clone(name), subscriptions: vec![Subscription::default()] }).collect()
}

struct Fixture {
    folder: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("ledger.db")
    }

    #[track_caller]
    fn open(&self) -> Ledger {
        Ledger::open(&self.path(), &BudgetZone::UTC, now()).unwrap()
    }

    fn reader(&self) -> Reader {
        Reader::new(self.path(), BudgetZone::UTC)
    }

    #[track_caller]
    fn open_for(&self, receiver: &str) -> Vec<(i64, u32)> {
        let open = self.reader().open_deliveries(receiver).unwrap();
        open.into_iter().map(|delivery| (delivery.message, delivery.attempts)).collect()
    }
}

fn message(topic: &str, created_at: Timestamp) -> NewMessage {
    let body = format!(r#"{{"type":"{topic}"}}"#);
    NewMessage { topic: topic.into(), kind: "budget.warning", created_at, body, to: to() }
}

#[track_caller]
fn tell(ledger: &mut Ledger, topics: &[&str], at: Timestamp) {
    let messages = topics.iter().map(|topic| message(topic, at)).collect();
    let outbox = OutboxChanges { messages, reports: Vec::new() };
    ledger.commit(&Commit { outbox, ..Commit::default() }, at).unwrap();
}

#[track_caller]
fn report(ledger: &mut Ledger, message: i64, receiver: &str, next: NextAttempt) {
    let reports = vec![DeliveryReport { message, receiver: receiver.into(), next }];
    let outbox = OutboxChanges { reports, ..OutboxChanges::default() };
    ledger.commit(&Commit { outbox, ..Commit::default() }, now()).unwrap();
}

#[test]
fn what_was_tried_in_vain_is_counted_and_since_when() {
    let fixture = Fixture::new();
    let mut ledger = fixture.open();
    let failing = || fixture.reader().failing_deliveries().unwrap();
    for (topic, hour) in [("a", 0), ("b", 1), ("c", 2)] {
        tell(&mut ledger, &[topic], later(hour));
    }
    assert_eq!(failing(), None, "none was tried");
    let again = NextAttempt::At { time: later(9), attempts: 1 };
    report(&mut ledger, 3, "r1", again);
    assert_eq!(failing(), Some((1, later(2))));
    report(&mut ledger, 2, "r1", again);
    report(&mut ledger, 2, "r2", again);
    assert_eq!(failing(), Some((3, later(1))));
    report(&mut ledger, 2, "r1", NextAttempt::Never);
    report(&mut ledger, 2, "r2", NextAttempt::Never);
    assert_eq!(failing(), Some((1, later(2))));
}

#[test]
fn a_message_waits_for_each_receiver_over_a_restart_and_is_told_once() {
    let fixture = Fixture::new();
    let mut ledger = fixture.open();
    tell(&mut ledger, &["a", "b"], now());
    report(&mut ledger, 1, "r1", NextAttempt::Never);
    report(&mut ledger, 2, "r1", NextAttempt::At { time: later(1), attempts: 3 });
    drop(ledger);

    let mut ledger = fixture.open();
    tell(&mut ledger, &["b", "a"], later(2));
    assert_eq!(fixture.open_for("r1"), [(2, 3)], "neither is told again");
    assert_eq!(fixture.open_for("r2"), [(1, 0), (2, 0)]);
    let open = fixture.reader().open_deliveries("r1").unwrap();
    assert_eq!(open[0].next_attempt_at, later(1));
    let stored = fixture.reader().message(2).unwrap().unwrap();
    assert_eq!((stored.kind.as_str(), stored.body.as_str()), ("budget.warning", r#"{"type":"b"}"#));
    assert_eq!(stored.created_at, now());
    assert_eq!(fixture.reader().message(3).unwrap(), None);
    assert_eq!(ledger.outbox_room().unwrap(), DELIVERIES_MAX - 3);
    assert_eq!(verify(&fixture.path()).unwrap().problems, Vec::<String>::new());
}

/// Guards against: states that are told again by the first commit of a newer agent, because it names their limits.
#[test]
fn topics_of_older_agents_get_the_limit_that_their_messages_tell_of() {
    let fixture = Fixture::new();
    let mut ledger = fixture.open();
    let told = |topic: &str, kind, body: &str| NewMessage {
        topic: topic.into(),
        kind,
        created_at: now(),
        body: body.into(),
        to: to(),
    };
    let messages = vec![
        told(
            "budget.warning daily 2026-11-22T00:00:00Z",
            "budget.warning",
            r#"{"data":{"name":"daily","limit_usd":50.10}}"#,
        ),
        told("budget.exhausted odd", "budget.exhausted", "not what it was"),
        told("gate.active 1", "gate.active", r#"{"data":{"limit_usd":50}}"#),
    ];
    let outbox = OutboxChanges { messages, reports: Vec::new() };
    ledger.commit(&Commit { outbox, ..Commit::default() }, now()).unwrap();
    drop(ledger);
    add_limits(&Connection::open(fixture.path()).unwrap()).unwrap();
    assert_eq!(verify(&fixture.path()).unwrap().problems, Vec::<String>::new());
    let mut ledger = fixture.open();
    tell(
        &mut ledger,
        &["budget.warning daily 2026-11-22T00:00:00Z 50.1", "budget.exhausted odd", "gate.active 1"],
        later(1),
    );
    assert_eq!(fixture.open_for("r1"), [(1, 0), (2, 0), (3, 0)], "none is told again");
    tell(&mut ledger, &["budget.warning daily 2026-11-22T00:00:00Z 60"], later(1));
    assert_eq!(fixture.open_for("r1").len(), 4);
}

#[test]
fn a_late_report_does_not_open_what_is_over() {
    let fixture = Fixture::new();
    let mut ledger = fixture.open();
    tell(&mut ledger, &["a"], now());
    report(&mut ledger, 1, "r1", NextAttempt::Never);
    report(&mut ledger, 1, "r1", NextAttempt::At { time: later(1), attempts: 1 });
    assert_eq!(fixture.open_for("r1"), []);
}

#[test]
fn ids_are_the_same_at_each_look_and_different_in_each_ledger() {
    let (one, other) = (Fixture::new(), Fixture::new());
    for fixture in [&one, &other] {
        tell(&mut fixture.open(), &["a", "b"], now());
    }
    let id = |fixture: &Fixture, seq| fixture.reader().message(seq).unwrap().unwrap().id;
    assert_eq!(id(&one, 1), id(&one, 1));
    assert!(id(&one, 1).starts_with("msg_") && id(&one, 1).ends_with("_1"), "{}", id(&one, 1));
    assert_ne!(id(&one, 1), id(&one, 2));
    assert_ne!(id(&one, 1), id(&other, 1));
}

#[test]
fn old_messages_go_and_no_number_comes_twice() {
    let fixture = Fixture::new();
    let mut ledger = fixture.open();
    tell(&mut ledger, &["a", "b"], now());
    let edge = now() + REMEMBERED;
    ledger.tidy_outbox(&receivers(), edge).unwrap();
    assert!(fixture.reader().message(1).unwrap().is_some(), "not older than they are remembered");
    ledger.tidy_outbox(&receivers(), edge + SignedDuration::from_secs(1)).unwrap();
    assert_eq!(fixture.reader().message(1).unwrap(), None);
    assert_eq!((fixture.open_for("r1"), fixture.open_for("r2")), (vec![], vec![]));
    tell(&mut ledger, &["a"], edge);
    assert_eq!(fixture.open_for("r1"), [(3, 0)]);
    assert_eq!(verify(&fixture.path()).unwrap().problems, Vec::<String>::new());
}

/// Guards against: the warning of a yearly or prepaid budget that comes again after two months.
#[test]
fn what_is_told_of_a_long_period_is_remembered_as_long_as_that_lasts() {
    let fixture = Fixture::new();
    let mut ledger = fixture.open();
    let of = |period: &str, more: &str| NewMessage {
        body: format!(r#"{{"type":"budget.warning","data":{{"name":"b","period":"{period}"{more}}}}}"#),
        ..message(&format!("{period}{more}"), now())
    };
    let messages = vec![
        of("total", ""),
        of("yearly", ""),
        of("monthly", ""),
        of("total", r#","key":"acme""#),
        message("gate", now()),
        message("z", now()),
    ];
    ledger.commit(&Commit { outbox: OutboxChanges { messages, reports: Vec::new() }, ..Commit::default() }, now()).unwrap();
    let left = || (1..=6).filter(|seq| fixture.reader().message(*seq).unwrap().is_some()).collect::<Vec<i64>>();
    let just_over = SignedDuration::from_secs(1);
    ledger.tidy_outbox(&receivers(), now() + REMEMBERED + just_over).unwrap();
    assert_eq!(left(), [1, 2, 6]);
    ledger.tidy_outbox(&receivers(), now() + REMEMBERED_LONGER + just_over).unwrap();
    assert_eq!(left(), [1, 6]);
    assert_eq!(verify(&fixture.path()).unwrap().problems, Vec::<String>::new());
}

#[test]
fn nothing_waits_for_a_receiver_that_is_none_any_more() {
    let fixture = Fixture::new();
    let mut ledger = fixture.open();
    tell(&mut ledger, &["a"], now());
    ledger.tidy_outbox(&receivers()[1..], now()).unwrap();
    assert_eq!((fixture.open_for("r1"), fixture.open_for("r2")), (vec![], vec![(1, 0)]));
}

#[test]
fn a_row_changed_or_removed_behind_our_back_is_found() {
    for edit in [
        "UPDATE webhook_message SET body = '{}' WHERE seq = 1",
        "UPDATE webhook_message SET topic = 'z' WHERE seq = 1",
        "UPDATE webhook_message SET seq = 9 WHERE seq = 1",
        "UPDATE webhook_delivery SET receiver = 'r3' WHERE receiver = 'r1'",
        "UPDATE webhook_delivery SET attempts = 1",
        "UPDATE webhook_delivery SET next_attempt_at_ns = 1",
        "DELETE FROM webhook_message",
    ] {
        let fixture = Fixture::new();
        tell(&mut fixture.open(), &["a"], now());
        rusqlite::Connection::open(fixture.path()).unwrap().execute_batch(edit).unwrap();
        assert_ne!(verify(&fixture.path()).unwrap().problems, Vec::<String>::new(), "verify passes over: {edit}");
    }
    let fixture = Fixture::new();
    tell(&mut fixture.open(), &["a"], now());
    let edit = "UPDATE webhook_message SET body = '{}'; UPDATE webhook_delivery SET attempts = 7";
    rusqlite::Connection::open(fixture.path()).unwrap().execute_batch(edit).unwrap();
    assert!(matches!(fixture.reader().message(1), Err(LedgerError::Damaged(_))));
    assert!(matches!(fixture.reader().open_deliveries("r1"), Err(LedgerError::Damaged(_))));
}
