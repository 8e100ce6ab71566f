use std::time::Duration;

use jiff::SignedDuration;
use opentelemetry::metrics::MeterProvider;

use super::*;
use crate::budget::Policy;
use crate::clock::Clock;
use crate::domain::{BudgetZone, CostEvent, Entry, EventKey, Facet, GateMode, Pattern, Steady, Subscription, Usd};
use crate::ledger::{DELIVERIES_MAX, Ledger, NextAttempt, Reader, verify};
use crate::views::{SeriesLimits, Views};
use crate::wire::{BudgetItem, GateStatus, Origin};
use crate::writer::Taking;
use crate::writer::{Ended, Settings, Started, load};

fn at(text: &str) -> Now {
    Now { time: text.parse().unwrap(), steady: Steady::since_start(Duration::ZERO) }
}

/// 50 USD a day and 1,000 a month, in UTC.
fn empty(now: Now) -> Published {
    let policy = Policy::example(BudgetZone::UTC, 50);
    let views = Views::new(SeriesLimits::default(), policy.zone.day_of(now.time));
    Published::example(views, Arc::new(policy), now.time)
}

fn spend(published: &mut Published, dollars: i64, now: Now) {
    let event = CostEvent { amount: Usd::from_dollars(dollars), time: now.time, ..CostEvent::example() };
    published.record_events([(&event, &Entry::First)], now.time);
}

fn origin() -> Origin {
    Origin { agent: "factory-7".into(), environment: "staging".into() }
}

fn receiver(name: &str, subscription: Subscription) -> Receiver {
    Receiver { name: name.into(), subscriptions: vec![subscription] }
}

fn notices() -> Notices {
    Notices::new([receiver("r1", Subscription::default()), receiver("r2", Subscription::default())].into(), origin(), None)
}

fn room() -> Result<usize, LedgerError> {
    Ok(DELIVERIES_MAX)
}

/// The topics of what is told by a commit that goes through.
#[track_caller]
fn tell(notices: &mut Notices, published: &Published, now: Now) -> Vec<String> {
    let changes = notices.changes(published, &[], now, room).unwrap();
    notices.told(&changes);
    changes.messages.into_iter().map(|message| message.topic).collect()
}

fn change_gate(published: &mut Published, active: bool, now: Now) {
    let reason = "because".to_owned();
    let line = GateChange { timestamp: now.time, active, reason, mode: GateMode::Auto, actor: String::new(), token: None };
    published.views.change_gate(line);
}

#[test]
fn each_state_of_a_budget_is_told_once_in_a_period() {
    let now = at("2026-11-22T10:00:00Z");
    let (mut notices, mut published) = (notices(), empty(now));
    assert_eq!(tell(&mut notices, &published, now), Vec::<String>::new());
    spend(&mut published, 40, now);
    assert_eq!(tell(&mut notices, &published, now), ["budget.warning daily 2026-11-22T00:00:00Z 50"]);
    assert_eq!(tell(&mut notices, &published, now), Vec::<String>::new());
    spend(&mut published, 6, now);
    assert_eq!(tell(&mut notices, &published, now), ["budget.critical daily 2026-11-22T00:00:00Z 50"]);
    spend(&mut published, -20, now);
    assert_eq!(tell(&mut notices, &published, now), Vec::<String>::new());
    spend(&mut published, 20, now);
    assert_eq!(tell(&mut notices, &published, now), Vec::<String>::new(), "it went back and came again");
    spend(&mut published, 4, now);
    assert_eq!(tell(&mut notices, &published, now), ["budget.exhausted daily 2026-11-22T00:00:00Z 50"]);

    let tomorrow = at("2026-11-23T00:00:00Z");
    assert_eq!(tell(&mut notices, &published, tomorrow), Vec::<String>::new());
    spend(&mut published, 40, tomorrow);
    assert_eq!(tell(&mut notices, &published, tomorrow), ["budget.warning daily 2026-11-23T00:00:00Z 50"]);
}

/// Guards against: a limit that is raised and reached in silence, and one that is moved to and fro and told of each time.
#[test]
fn each_state_is_told_again_under_another_limit_and_not_when_the_first_is_back() {
    let now = at("2026-11-22T10:00:00Z");
    let (mut notices, mut published) = (notices(), empty(now));
    spend(&mut published, 51, now);
    assert_eq!(tell(&mut notices, &published, now), ["budget.exhausted daily 2026-11-22T00:00:00Z 50"]);
    let under =
        |published: &Published, limit| published.example_under(Arc::new(Policy::example(BudgetZone::UTC, limit)), now.time);
    let mut raised = under(&published, 500);
    assert_eq!(tell(&mut notices, &raised, now), Vec::<String>::new());
    for (dollars, told) in [(360, Some("warning")), (50, Some("critical")), (30, None), (10, Some("exhausted"))] {
        spend(&mut raised, dollars, now);
        let told = told.map(|state| format!("budget.{state} daily 2026-11-22T00:00:00Z 500"));
        assert_eq!(tell(&mut notices, &raised, now), Vec::from_iter(told));
    }
    assert_eq!(tell(&mut notices, &under(&raised, 5), now), ["budget.exhausted daily 2026-11-22T00:00:00Z 5"]);
    for limit in [50, 500, 5] {
        assert_eq!(tell(&mut notices, &under(&raised, limit), now), Vec::<String>::new(), "told before");
    }
}

#[test]
fn each_alert_threshold_of_several_is_told_by_itself() {
    let now = at("2026-11-22T10:00:00Z");
    let mut policy = Policy::example(BudgetZone::UTC, 50);
    policy.budgets[0].warn_at = ["0.5", "0.8"].map(|share| Threshold::parse(share).unwrap()).into();
    let (mut notices, mut published) = (notices(), empty(now).example_under(Arc::new(policy), now.time));
    spend(&mut published, 25, now);
    let body: serde_json::Value =
        serde_json::from_str(&notices.changes(&published, &[], now, room).unwrap().messages[0].body).unwrap();
    assert_eq!(body["data"]["threshold"], 0.5);
    assert_eq!(tell(&mut notices, &published, now), ["budget.warning daily 2026-11-22T00:00:00Z 50 at 0.5"]);
    spend(&mut published, 15, now);
    assert_eq!(tell(&mut notices, &published, now), ["budget.warning daily 2026-11-22T00:00:00Z 50 at 0.8"]);
    spend(&mut published, 10, now);
    assert_eq!(tell(&mut notices, &published, now), ["budget.exhausted daily 2026-11-22T00:00:00Z 50"]);
}

/// Guards against: a message about a key's spend of today that is due for its spend of yesterday.
#[test]
fn a_key_is_told_of_in_the_period_in_which_it_came_to_a_threshold() {
    let now = at("2026-11-22T10:00:00Z");
    let mut policy = Policy::example(BudgetZone::UTC, 50);
    policy.budgets[0].each = Some(Facet::Lead);
    let (mut notices, mut published) = (notices(), empty(now).example_under(Arc::new(policy), now.time));
    let event =
        CostEvent { lead_id: Some("l1".into()), amount: Usd::from_dollars(50), time: now.time, ..CostEvent::example() };
    let zone = published.policy.zone.clone();
    let entry = (1, &event, &Entry::First, zone.day_of(now.time));
    let today = published.record(std::iter::once(entry), now.time).1.remove(0);
    let yesterday = zone.span_of(&published.policy.budgets[0].cycle, now.time - SignedDuration::from_hours(24));
    let mut topics = |crossing: &Crossing| {
        let messages = notices.changes(&published, std::slice::from_ref(crossing), now, room).unwrap().messages;
        messages.into_iter().map(|message| message.topic).collect::<Vec<_>>()
    };
    assert_eq!(topics(&today), ["budget.exhausted daily 2026-11-22T00:00:00Z 50 key l1"]);
    assert_eq!(topics(&Crossing { span: yesterday, ..today }), [""; 0]);
}

#[test]
fn a_budget_that_is_spent_at_once_is_told_of_once() {
    let now = at("2026-11-22T10:00:00Z");
    let (mut notices, mut published) = (notices(), empty(now));
    spend(&mut published, 1_000, now);
    let topics = ["budget.exhausted daily 2026-11-22T00:00:00Z 50", "budget.exhausted monthly 2026-11-01T00:00:00Z 1000"];
    assert_eq!(tell(&mut notices, &published, now), topics);
}

#[test]
fn the_body_is_the_item_that_clients_see() {
    let now = at("2026-11-22T10:00:00Z");
    let (mut notices, mut published) = (notices(), empty(now));
    spend(&mut published, 45, now);
    change_gate(&mut published, true, now);
    let messages = notices.changes(&published, &[], now, room).unwrap().messages;
    let bodies: Vec<serde_json::Value> =
        messages.iter().map(|message| serde_json::from_str(&message.body).unwrap()).collect();
    assert_eq!(bodies[0]["type"], "budget.critical");
    assert_eq!(bodies[0]["timestamp"], "2026-11-22T10:00:00Z");
    assert_eq!((&bodies[0]["agent"], &bodies[0]["environment"]), (&"factory-7".into(), &"staging".into()));
    let mut item = serde_json::to_value(BudgetItem::from(published.standings(now).swap_remove(0))).unwrap();
    item["budget"] = "daily".into();
    assert_eq!(bodies[0]["data"], item);
    assert_eq!(bodies[1]["type"], "gate.active");
    assert_eq!(bodies[1]["data"], serde_json::to_value(GateStatus::from(published.gate_standing(now))).unwrap());
}

#[test]
fn a_commit_that_failed_has_told_nothing() {
    let now = at("2026-11-22T10:00:00Z");
    let (mut notices, mut published) = (notices(), empty(now));
    spend(&mut published, 45, now);
    change_gate(&mut published, true, now);
    let lost = notices.changes(&published, &[], now, room).unwrap();
    assert_eq!(notices.changes(&published, &[], now, room).unwrap().messages, lost.messages);
    assert_eq!(lost.messages.len(), 2);
}

#[test]
fn each_change_of_the_gate_is_told_and_a_change_of_its_mode_is_not() {
    let now = at("2026-11-22T10:00:00Z");
    let (mut notices, mut published) = (notices(), empty(now));
    let mut topics = Vec::new();
    for active in [false, true, true, false, true] {
        change_gate(&mut published, active, now);
        topics.extend(tell(&mut notices, &published, now));
    }
    assert_eq!(topics, ["gate.active 1", "gate.inactive 1", "gate.active 2"]);
    let mut restarted = Notices::new(Arc::clone(&notices.receivers), origin(), published.views.gate.as_ref());
    assert_eq!(tell(&mut restarted, &published, now), Vec::<String>::new());
}

#[test]
fn while_the_outbox_is_full_nothing_is_told_and_then_what_holds() {
    let now = at("2026-11-22T10:00:00Z");
    let (mut notices, mut published) = (notices(), empty(now));
    spend(&mut published, 40, now);
    change_gate(&mut published, true, now);
    // One more would do for one of the two receivers only.
    let changes = notices.changes(&published, &[], now, || Ok(1)).unwrap();
    notices.told(&changes);
    assert_eq!((changes.messages.len(), notices.is_full()), (0, true));
    // Room for one of the two.
    let changes = notices.changes(&published, &[], now, || Ok(2)).unwrap();
    assert_eq!((changes.messages.len(), notices.is_full()), (1, true));
    assert_eq!(notices.changes(&published, &[], now, || Ok(4)).unwrap().messages.len(), 2);
    assert!(!notices.is_full());
    change_gate(&mut published, false, now);
    change_gate(&mut published, true, now);
    assert_eq!(tell(&mut notices, &published, now), ["budget.warning daily 2026-11-22T00:00:00Z 50", "gate.active 2"]);
}

/// Guards against: room that is taken by what nobody wants, and a gate that opens unnoticed because nobody wanted to hear that it closed.
#[test]
fn each_receiver_gets_what_it_asked_for_and_nothing_is_kept_for_nobody() {
    let now = at("2026-11-22T10:00:00Z");
    let of = |events: &str, budgets: &[&str]| Subscription {
        events: vec![Pattern::new(events)],
        budgets: budgets.iter().map(|budget| Pattern::new(budget)).collect(),
    };
    let receivers = [receiver("r1", of("gate.inactive", &[])), receiver("r2", of("*.exhausted", &["month*", "daily"]))];
    let (mut notices, mut published) = (Notices::new(receivers.into(), origin(), None), empty(now));
    let mut tell = |published: &Published, room| {
        let changes = notices.changes(published, &[], now, || Ok(room)).unwrap();
        notices.told(&changes);
        let said = |message: NewMessage| format!("{} to {}", message.topic, message.to.join(", "));
        changes.messages.into_iter().map(said).collect::<Vec<_>>()
    };
    spend(&mut published, 46, now);
    change_gate(&mut published, true, now);
    assert_eq!(tell(&published, 0), ["gate.active 1 to "], "nobody is told, and no room is needed");
    spend(&mut published, 4, now);
    change_gate(&mut published, false, now);
    assert_eq!(
        tell(&published, 2),
        ["budget.exhausted daily 2026-11-22T00:00:00Z 50 to r2", "gate.inactive 1 to r1"],
        "one delivery each"
    );
}

#[test]
fn without_receivers_nothing_is_ever_told() {
    let now = at("2026-11-22T10:00:00Z");
    let (mut notices, mut published) = (Notices::new(Arc::default(), origin(), None), empty(now));
    spend(&mut published, 1_000, now);
    change_gate(&mut published, true, now);
    let changes = notices.changes(&published, &[], now, || panic!("the ledger is not asked")).unwrap();
    assert!(changes.is_empty());
}

/// The whole way: from an event through the writer's commit into the outbox, and back with what became of it.
#[tokio::test]
async fn a_restart_tells_nothing_twice_and_forgets_no_delivery() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let clock = Clock::manual("2026-11-22T10:00:00Z".parse().unwrap());
    let reader = Reader::new(path.clone(), BudgetZone::UTC);
    let open = || reader.open_deliveries("r1").unwrap().into_iter().map(|open| open.message).collect::<Vec<_>>();
    let meter = opentelemetry_sdk::metrics::SdkMeterProvider::default().meter("test");
    for (round, dollars, settled, left) in [(1, 40, None, vec![1]), (2, 6, Some(1), vec![2, 3]), (3, 1, Some(2), vec![3])] {
        let ledger = Ledger::open(&path, &BudgetZone::UTC, clock.now()).unwrap();
        let settings = Settings {
            holds_max: 100,
            budget_keys_max: 1_000,
            origin: Origin::default(),
            series: SeriesLimits::default(),
            age_max: SignedDuration::from_hours(35 * 24),
            ahead_max: SignedDuration::from_mins(5),
            retention: None,
            receivers: [receiver("r1", Subscription::default())].into(),
        };
        let policy = Arc::new(Policy::example(BudgetZone::UTC, 50));
        let Started { writer, ended, .. } = load(ledger, policy, settings, clock.clone()).unwrap().spawn(&meter).unwrap();
        if let Some(message) = settled {
            writer.report_deliveries(vec![DeliveryReport { message, receiver: "r1".into(), next: NextAttempt::Never }]);
        }
        let event = CostEvent {
            key: EventKey { source: "".into(), id: round.to_string().into() },
            amount: Usd::from_dollars(dollars),
            time: clock.now(),
            ..CostEvent::example()
        };
        writer.record(vec![event], Taking::AllOrNothing, Box::new(|_| ())).await.unwrap();
        assert_eq!(open(), left, "with the answer the message is in the file");
        writer.stop().await;
        assert_eq!(ended.await, Ok(Ended::Cleanly));
    }
    let kinds = [1, 2, 3].map(|seq| reader.message(seq).unwrap().unwrap().kind);
    assert_eq!(kinds, ["budget.warning", "budget.critical", "gate.active"]);
    assert_eq!(verify(&path).unwrap().problems, Vec::<String>::new());
}
