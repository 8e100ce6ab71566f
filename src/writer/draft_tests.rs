//! What is decided together, before any of it is on the disk.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::decision::Decision::Taken;
use super::draft::Draft;
use super::memory::Memory;
use super::reservation_tests::request;
use super::tally::Tally;
use super::tests::{at, charge};
use super::*;
use crate::budget::{BudgetScope, CriticalOperations, Policy, Refusal};
use crate::domain::{
    BudgetZone, CostEvent, CostSource, GateMode, GateOverride, LimitOverride, Name, Now, Origin, Quantity, ReservationStage,
    ReservationState, SpanId, SpanPlace, Steady, TraceId, UsageCount, Usd,
};
use crate::ledger::{Ledger, verify};
use crate::pricing::{Book, PriceTable};
use crate::views::{Board, Published, SeriesLimits, Views};

const HOLDS_MAX: usize = 3;

/// A ledger with what it shows, under budgets of 10 USD a day and 1,000 a month.
struct Desk {
    folder: tempfile::TempDir,
    ledger: Ledger,
    board: Board,
    memory: Memory,
    now: Now,
    /// What the last commit wrote into the gate's history: whether it is closed, how it is ruled, and in whose name.
    gate: Vec<(bool, GateMode, String, String)>,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let now = Now { time: at("2026-11-22T10:00:00Z"), steady: Steady::default() };
        let ledger = Ledger::open(&folder.path().join("ledger.db"), &BudgetZone::UTC, now.time).unwrap();
        let views = Views::new(SeriesLimits::default(), jiff::civil::date(2026, 10, 1));
        let policy = Arc::new(Policy::example(BudgetZone::UTC, 10));
        let board = Board::new(Published::example(views, policy, now.time));
        Self { folder, ledger, board, memory: Memory::default(), now, gate: Vec::new() }
    }

    /// Commits what is decided, and says what happened to reservations.
    fn commit(&mut self, decide: impl FnOnce(&mut Draft<'_>, &mut Memory)) -> Tally {
        let mut draft = Draft::begin(&self.ledger, Published::clone(&self.board.read()), None, [], self.now).unwrap();
        decide(&mut draft, &mut self.memory);
        let finished = draft.finish(true).unwrap();
        self.ledger.commit(&finished.commit, self.now.time).unwrap();
        let lines = finished.commit.rollup.into_iter().flat_map(|rollup| rollup.gate);
        self.gate = lines.map(|line| (line.active, line.mode, line.reason, line.actor)).collect();
        self.board.publish(finished.next);
        finished.tally
    }

    fn order_gate(&mut self, order: GateOrder) {
        self.commit(|draft, _| draft.order_gate(order).unwrap());
    }

    fn set_policy(&mut self, policy: Policy) {
        let next = self.board.read().example_under(Arc::new(policy), self.now.time);
        self.board.publish(next);
    }

    fn later(&mut self, seconds: u64) {
        self.now.steady = self.now.steady + Duration::from_secs(seconds);
        self.now.time += SignedDuration::from_secs(seconds as i64);
    }

    /// What is spent of the day's budget, and held.
    fn used(&self) -> [Usd; 2] {
        let [_, spent, held, _] = self.board.read().standings(self.now)[0].usd().unwrap();
        [spent, held]
    }

    /// How a reservation stands.
    fn state(&mut self, id: &str) -> Option<ReservationState> {
        let mut found = None;
        self.commit(|draft, _| found = draft.reservation_under(id).unwrap().map(|stored| stored.reservation.state));
        found
    }
}

fn usd(dollars: i64) -> Usd {
    Usd::from_dollars(dollars)
}

fn record(draft: &mut Draft<'_>, event: CostEvent) -> Recorded {
    let keyed = draft.ledger.keyed(event);
    let Taken(recorded) = draft.record([keyed], Taking::AllOrNothing).unwrap() else { panic!("it is refused") };
    recorded
}

fn reserve(draft: &mut Draft<'_>, id: &str, dollars: i64) -> Result<Done, Box<ReservationError>> {
    ask(draft, ReservationCommand::Reserve { request: request(id, &dollars.to_string()), is_priced: false, is_last: true })
}

fn ask(draft: &mut Draft<'_>, command: ReservationCommand) -> Result<Done, Box<ReservationError>> {
    draft.reservation(command, HOLDS_MAX).unwrap().into_answer().map_err(Box::new)
}

fn refused(draft: &mut Draft<'_>, id: &str, dollars: i64) -> ReservationError {
    *reserve(draft, id, dollars).unwrap_err()
}

#[test]
fn each_is_decided_with_all_before_it_counted_once() {
    let mut desk = Desk::new();
    let now = desk.now.time;
    let tally = desk.commit(|draft, _| {
        record(draft, charge("a", 4, now));
        reserve(draft, "r1", 2).unwrap();
        record(draft, charge("b", 1, now));
        reserve(draft, "r2", 3).unwrap();
        let ReservationError::Refused(Refusal::BudgetExhausted(left)) = refused(draft, "r3", 1) else { panic!() };
        assert_eq!(left.remaining.usd(), Some(Usd::ZERO));
        record(draft, charge("r1", 1, now));
        reserve(draft, "r3", 1).unwrap();
        let ReservationError::Conflict(fields) = refused(draft, "b", 0) else { panic!("an event has this id") };
        assert_eq!(fields, ["id"]);
    });
    assert_eq!(tally, Tally { held: 3, denied: 1, settled: 1, ..Tally::default() });
    assert_eq!(desk.used(), [usd(6), usd(4)]);
    let board = desk.board.read();
    assert_eq!((board.views.entries, board.views.holds.len()), (3, 2));
    desk.commit(|draft, _| {
        let ReservationError::Conflict(fields) = refused(draft, "b", 0) else { panic!("an event has this id") };
        assert_eq!(fields, ["id"]);
    });
    let path = desk.folder.path().join("ledger.db");
    drop(desk.ledger);
    assert_eq!(verify(&path).unwrap().problems, Vec::<String>::new());
}

#[test]
fn what_is_granted_and_ends_in_one_commit_has_its_own_number() {
    let mut desk = Desk::new();
    let now = desk.now.time;
    desk.commit(|draft, _| {
        reserve(draft, "r1", 1).unwrap();
        ask(draft, ReservationCommand::Release { id: "r1".into(), reason: None }).unwrap();
        // It comes too late to end it, and counts.
        record(draft, charge("r1", 1, now));
        reserve(draft, "r2", 2).unwrap();
        record(draft, charge("r2", 3, now));
        reserve(draft, "r3", 3).unwrap();
    });
    let states = ["r1", "r2", "r3"].map(|id| desk.state(id).unwrap());
    let settled = ReservationState::Settled { amount: usd(3) };
    assert_eq!(states, [ReservationState::Released { reason: None }, settled, ReservationState::Held]);
    desk.commit(|draft, _| drop(reserve(draft, "r4", 1).unwrap()));
    assert_eq!((desk.used(), desk.ledger.reservations()), ([usd(4), usd(4)], 4));
}

#[test]
fn an_event_ends_what_the_ledger_alone_knows_to_have_expired() {
    let mut desk = Desk::new();
    desk.commit(|draft, _| drop(reserve(draft, "r", 2).unwrap()));
    desk.later(61);
    assert_eq!(desk.commit(|_, _| ()), Tally { expired: 1, ..Tally::default() });
    let expired = |desk: &Desk| {
        let holds = &desk.board.read().views.holds;
        (holds.len(), holds.expired(desk.now.steady))
    };
    assert_eq!((expired(&desk), desk.state("r")), ((0, 1), Some(ReservationState::Expired)));
    let now = desk.now.time;
    let tally = desk.commit(|draft, _| drop(record(draft, charge("r", 3, now))));
    assert_eq!(tally, Tally { settled: 1, ..Tally::default() });
    assert_eq!((expired(&desk), desk.state("r")), ((0, 0), Some(ReservationState::Settled { amount: usd(3) })));
    // And once it has ended, what corrects it.
    let corrected = CostEvent { revision: 1, ..charge("r", 5, now) };
    desk.commit(|draft, _| drop(record(draft, corrected)));
    assert_eq!((desk.used(), desk.state("r")), ([usd(5), usd(0)], Some(ReservationState::Settled { amount: usd(5) })));
}

#[test]
fn a_release_is_repeated_with_the_reason_that_it_was_given() {
    let mut desk = Desk::new();
    let release = |reason: Option<&str>| ReservationCommand::Release { id: "r".into(), reason: reason.map(Box::from) };
    let tally = desk.commit(|draft, _| {
        reserve(draft, "r", 1).unwrap();
        assert!(ask(draft, release(Some("no work"))).unwrap().is_new);
        assert!(!ask(draft, release(Some("no work"))).unwrap().is_new);
        for reason in [None, Some("another")] {
            let error = *ask(draft, release(reason)).unwrap_err();
            assert!(matches!(error, ReservationError::Finished(ReservationStage::Released)), "{error:?}");
        }
    });
    assert_eq!(tally, Tally { held: 1, released: 1, ..Tally::default() });
}

/// A call of one dollar at a span, below another one or the root.
fn at_span(number: u8, above: Option<u8>, id: &str, time: Timestamp) -> CostEvent {
    let span = |number| SpanId([number; 8]);
    let place = SpanPlace {
        trace: TraceId([7; 16]),
        span: span(number),
        ancestors: above.map(span).into_iter().collect(),
        is_rooted: true,
    };
    let origin = Some(Box::new(Origin { span: Some(place), ..Origin::of("otlp:x") }));
    CostEvent { model: Some("gpt-4o".into()), origin, ..charge(id, 1, time) }
}

/// Guards against: what waits for a price that it will never have, because other calls say what it says.
#[test]
fn what_is_taken_back_waits_for_no_price_and_tells_other_ledgers_that_it_has_changed() {
    let mut desk = Desk::new();
    let now = desk.now.time;
    let mut agent = at_span(1, None, "agent", now);
    (agent.amount, agent.usage) = (Usd::ZERO, UsageCount::list(&[("input_tokens", 3)]));
    let origin = agent.origin.as_mut().unwrap();
    (origin.is_wrapper, origin.cost, origin.amendment) = (true, CostSource::Unpriced, 2);
    for call in [agent, at_span(2, Some(1), "call", now)] {
        desk.commit(|draft, memory| drop(draft.record_calls(vec![draft.ledger.keyed(call)], memory).unwrap()));
    }
    let event = desk.ledger.newest_telling(1).unwrap().unwrap().event;
    let origin = event.origin.unwrap();
    assert_eq!((origin.is_repeat, origin.is_wrapper, origin.amendment, event.usage), (true, true, 3, vec![]));
    let mut waiting = 0;
    desk.ledger.each_unpriced(|_| waiting += 1).unwrap();
    assert_eq!((origin.cost, waiting, desk.used()), (CostSource::Told, 0, [usd(1), usd(0)]));
}

#[test]
fn a_call_that_is_told_again_at_a_span_has_one_place_there() {
    let mut desk = Desk::new();
    let now = desk.now.time;
    let mut further_places = |number| {
        let mut len = 0;
        desk.commit(|draft, memory| {
            draft.record_calls(vec![draft.ledger.keyed(at_span(number, None, "r", now))], memory).unwrap();
            len = draft.places.len();
        });
        len
    };
    assert_eq!([1, 1, 2, 2, 1].map(&mut further_places), [0, 0, 1, 0, 0], "the first is the event's own");
    assert_eq!(desk.used(), [usd(1), usd(0)]);
}

#[test]
fn so_many_as_may_be_held_are_held() {
    let mut desk = Desk::new();
    desk.commit(|draft, _| {
        for id in ["r1", "r2", "r3"] {
            reserve(draft, id, 1).unwrap();
        }
        let error = refused(draft, "r4", 1);
        assert!(matches!(error, ReservationError::NotRecorded(RecordError::Overloaded)), "{error:?}");
    });
}

#[test]
fn a_try_that_is_made_again_is_denied_once() {
    let mut desk = Desk::new();
    let first = |dollars: i64| ReservationCommand::Reserve {
        request: request("r", &dollars.to_string()),
        is_priced: false,
        is_last: false,
    };
    let tally = desk.commit(|draft, _| drop(ask(draft, first(11)).unwrap_err()));
    assert_eq!(tally.denied, 1, "more than there is: nobody tries that again");
    let mut policy = Policy::example(BudgetZone::UTC, 10);
    policy.budgets[0].scope = BudgetScope::Fleet;
    desk.set_policy(policy);
    let tally = desk.commit(|draft, _| {
        let error = *ask(draft, first(1)).unwrap_err();
        assert!(matches!(error, ReservationError::Refused(Refusal::BeyondAllowance { .. })), "{error:?}");
    });
    assert_eq!(tally.denied, 0);
    let tally = desk.commit(|draft, _| drop(refused(draft, "r", 1)));
    assert_eq!(tally.denied, 1);
}

#[test]
fn what_is_critical_is_granted_beyond_the_limit_and_marked() {
    let mut desk = Desk::new();
    let critical = CriticalOperations::new(["chat"]);
    desk.commit(|draft, _| assert!(!reserve(draft, "r1", 10).unwrap().reservation.critical));
    desk.set_policy(Policy { critical, ..Policy::example(BudgetZone::UTC, 10) });
    desk.commit(|draft, _| assert!(reserve(draft, "r2", 10).unwrap().reservation.critical));
    assert_eq!(desk.used(), [usd(0), usd(20)]);
}

#[test]
fn a_limit_that_is_set_holds_for_what_follows_and_for_what_came_before() {
    let mut desk = Desk::new();
    let now = desk.now.time;
    let limit = |dollars| LimitOverride {
        budget: "daily".into(),
        limit: Some(vec![("USD".into(), usd(dollars).pico())]),
        reason: "a test".to_owned(),
        actor: String::new(),
        timestamp: now,
        expires_at: None,
        token: None,
    };
    desk.commit(|draft, _| {
        record(draft, charge("a", 4, now));
        draft.set_limit(limit(5)).unwrap();
        assert!(reserve(draft, "r1", 2).is_err());
        draft.set_limit(limit(6)).unwrap();
        reserve(draft, "r1", 2).unwrap();
    });
    assert_eq!(desk.ledger.limit_overrides().unwrap().len(), 1);
}

#[test]
fn an_order_is_a_line_of_the_gates_history_where_it_changes_something() {
    let mut desk = Desk::new();
    let manual = GateOverride {
        active: true,
        reason: "stop".to_owned(),
        actor: "ann".to_owned(),
        since: desk.now.time,
        expires_at: Some(desk.now.time + SignedDuration::from_secs(60)),
        token: None,
    };
    let auto = || GateOrder::Auto { reason: "go on".to_owned(), actor: "bob".to_owned(), token: None };
    let line = |active, mode, reason: &str, actor: &str| (active, mode, reason.to_owned(), actor.to_owned());
    desk.order_gate(auto());
    assert_eq!(desk.gate, [], "it follows the budgets already");
    desk.order_gate(GateOrder::Manual(manual.clone()));
    assert_eq!(desk.gate, [line(true, GateMode::Manual, "stop", "ann")]);
    desk.order_gate(auto());
    assert_eq!(
        (desk.gate.as_slice(), &desk.board.read().views.gate_override),
        (&[line(false, GateMode::Auto, "go on", "bob")][..], &None)
    );

    // While it is disabled an order is kept.
    desk.set_policy(Policy { gate_enabled: false, ..Policy::example(BudgetZone::UTC, 10) });
    desk.commit(|_, _| ());
    assert_eq!(desk.gate.len(), 1);
    desk.order_gate(GateOrder::Manual(manual));
    assert_eq!(desk.gate, []);
    desk.set_policy(Policy::example(BudgetZone::UTC, 10));
    desk.commit(|_, _| ());
    assert_eq!(desk.gate, [line(true, GateMode::Manual, "stop", "ann")]);
    desk.later(60);
    desk.commit(|_, _| ());
    assert_eq!(
        desk.gate.iter().map(|(active, mode, _, actor)| (*active, *mode, actor.as_str())).collect::<Vec<_>>(),
        [(false, GateMode::Auto, "")]
    );
    assert_eq!(desk.ledger.summary().unwrap().gate_override, None);
    // What closes it is the budgets' doing, and in nobody's name.
    let now = desk.now.time;
    desk.commit(|draft, _| drop(record(draft, charge("a", 9, now))));
    assert_eq!(
        desk.gate.iter().map(|(active, mode, _, actor)| (*active, *mode, actor.as_str())).collect::<Vec<_>>(),
        [(true, GateMode::Auto, "")]
    );
}

/// Guards against: an event that was revised or rated meanwhile and is rated by what it said before.
#[test]
fn what_waits_for_a_price_is_rated_once_by_what_it_says_now() {
    let mut desk = Desk::new();
    let now = desk.now.time;
    let told = |id: &str, tokens: u64| CostEvent {
        model: Some("m".into()),
        amount: Usd::ZERO,
        usage: UsageCount::list(&[("input_tokens", tokens)]),
        origin: Some(Box::new(Origin { cost: CostSource::Unpriced, ..Origin::of("litellm") })),
        ..charge(id, 0, now)
    };
    let table =
        PriceTable { model: "m".into(), unit: "input_tokens".into(), usd: "0.5".parse().unwrap(), ..PriceTable::default() };
    let book = Arc::new(Book::with(&[table], None).unwrap());
    let order = |firsts: &[i64]| RateOrder {
        events: firsts.iter().map(|first| ToRate { first: *first, time: now }).collect(),
        which: Rateable::Unpriced,
        book: Arc::clone(&book),
        usd_max: usd(100),
    };
    desk.commit(|draft, _| {
        record(draft, told("a", 2));
        record(draft, told("b", 4));
    });
    desk.commit(|draft, _| {
        record(draft, CostEvent { revision: 1, ..told("b", 6) });
        let answer = draft.rate(order(&[1, 2, 9])).unwrap();
        assert_eq!(answer, RateAnswer { rated: 2, before: usd(0), after: usd(4), ..RateAnswer::default() });
        assert_eq!(draft.rate(order(&[1, 2])).unwrap(), RateAnswer::default());
    });
    assert_eq!(desk.used(), [usd(4), usd(0)]);
    desk.commit(|draft, _| assert_eq!(draft.rate(order(&[1, 2])).unwrap(), RateAnswer::default()));
}

#[test]
fn what_another_batch_of_the_commit_told_is_not_suspected_again() {
    let mut desk = Desk::new();
    let now = desk.now.time;
    let told = |id: &str, road: &str, tokens: u64| CostEvent {
        model: Some("gpt-4o".into()),
        usage: vec![UsageCount { kind: Name::new("input_tokens").unwrap(), count: Quantity::of(tokens) }],
        origin: Some(Box::new(Origin::of(road))),
        ..charge(id, 1, now)
    };
    desk.commit(|draft, memory| {
        let mut suspected = |batch: Vec<CostEvent>| {
            let before = draft.events.len();
            batch.into_iter().for_each(|event| drop(record(draft, event)));
            draft.suspect_behind(before, memory).unwrap()
        };
        assert_eq!(suspected(vec![told("a", "litellm", 1), told("b", "otlp:x", 1)]), 1);
        assert_eq!(suspected(vec![told("c", "litellm", 2)]), 0);
        assert_eq!(suspected(vec![told("d", "cloudevents", 2)]), 1);
    });
}
