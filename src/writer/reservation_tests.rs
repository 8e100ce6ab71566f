//! Reservations and the gate's orders through the running writer.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use opentelemetry::metrics::MeterProvider;

use super::*;
use crate::budget::{Limit, Policy, Refusal, Standing};
use crate::clock::Clock;
use crate::domain::{
    Attribution, BudgetZone, CostEvent, Cover, EventKey, GateMode, GateOverride, Name, OPERATION_DEFAULT, Outcome,
    ReservationRequest, ReservationStage, ReservationState, Settlement, Usd,
};
use crate::ledger::{Ledger, Reader, verify};
use crate::views::SeriesLimits;
use crate::wire::Origin;

/// A writer on a ledger of its own, with a budget of 10 USD a day.
pub(super) struct Rig {
    pub clock: Clock,
    folder: tempfile::TempDir,
    pub started: Started,
}

fn start_on(path: &Path, clock: &Clock, policy: Policy) -> Started {
    let policy = Arc::new(policy);
    let ledger = Ledger::open(path, &policy.zone, clock.now()).unwrap();
    let settings = Settings {
        series: SeriesLimits::default(),
        age_max: SignedDuration::from_hours(35 * 24),
        ahead_max: SignedDuration::from_mins(5),
        holds_max: 100,
        budget_keys_max: 1_000,
        origin: Origin::default(),
        receivers: Arc::default(),
        retention: None,
    };
    let meter = opentelemetry_sdk::metrics::SdkMeterProvider::default().meter("test");
    load(ledger, policy, settings, clock.clone()).unwrap().spawn(&meter).unwrap()
}

impl Rig {
    fn new() -> Self {
        Self::under(Policy::example(BudgetZone::UTC, 10))
    }

    pub fn under(policy: Policy) -> Self {
        let clock = Clock::manual("2026-11-22T10:00:00Z".parse().unwrap());
        let folder = tempfile::tempdir().unwrap();
        let started = start_on(&folder.path().join("ledger.db"), &clock, policy);
        Self { clock, folder, started }
    }

    async fn ask(&self, command: ReservationCommand) -> ReservationAnswer {
        self.started.writer.reservation(command, Box::new(|_| ())).await
    }

    pub async fn reserve(&self, id: &str, usd: &str) -> ReservationAnswer {
        self.ask(ReservationCommand::Reserve { request: request(id, usd), is_priced: false, is_last: true }).await
    }

    pub async fn settle(&self, id: &str, usd: &str) -> ReservationAnswer {
        let settlement = settlement(usd, self.clock.now());
        self.ask(ReservationCommand::Settle { id: id.into(), settlement }).await
    }

    async fn release(&self, id: &str) -> ReservationAnswer {
        self.ask(ReservationCommand::Release { id: id.into(), reason: None }).await
    }

    pub async fn post(&self, event: CostEvent) -> RecordAnswer {
        self.started.writer.record(vec![event], Taking::AllOrNothing, Box::new(|_| ())).await
    }

    fn daily(&self) -> Standing {
        self.started.board.read().standings(self.clock.instant()).remove(0)
    }

    fn used(&self) -> (String, String) {
        let daily = self.daily();
        let [_, spent, reserved, _] = daily.usd().unwrap();
        (spent.to_string(), reserved.to_string())
    }

    /// Stops, verifies the file, and starts on it again.
    async fn restart(mut self) -> Self {
        self.started.writer.stop().await;
        assert_eq!(self.started.ended.await, Ok(Ended::Cleanly));
        let path = self.folder.path().join("ledger.db");
        assert_eq!(verify(&path).unwrap().problems, Vec::<String>::new());
        self.started = start_on(&path, &self.clock, Policy::example(BudgetZone::UTC, 10));
        self
    }
}

pub(super) fn request(id: &str, usd: &str) -> ReservationRequest {
    ReservationRequest {
        id: id.into(),
        id_given: true,
        service: Name::new("openai").unwrap(),
        operation: Name::new("chat").unwrap(),
        estimated_cost: Usd::parse(usd).unwrap(),
        ttl_seconds: 60,
        attribution: Attribution { worker: Some("w1".into()), ..Attribution::default() }.shared(),
        model: None,
        usage: vec![],
    }
}

fn settlement(usd: &str, time: Timestamp) -> Settlement {
    Settlement {
        amount: Usd::parse(usd).unwrap(),
        cost: crate::domain::CostSource::Told,
        time,
        time_given: false,
        model: None,
        usage: Vec::new(),
        duration_seconds: None,
        outcome: Outcome::Ok,
        attributes: None,
    }
}

fn event(id: &str, usd: &str, time: Timestamp) -> CostEvent {
    let key = EventKey { source: "".into(), id: id.into() };
    CostEvent { key, amount: Usd::parse(usd).unwrap(), time, time_given: false, ..CostEvent::example() }
}

fn stage(outcome: &ReservationAnswer) -> ReservationStage {
    outcome.as_ref().unwrap().reservation.state.stage()
}

#[tokio::test]
async fn what_is_asked_at_once_is_granted_exactly_as_far_as_it_fits() {
    let rig = Rig::new();
    // Queued before any is answered, so they are decided in one group: 3 + 3 + 3 fit into 10, so does the 1 after the fourth.
    let asked = ["3", "3", "3", "3", "1", "0.000000000001"];
    let asked: Vec<_> = asked
        .iter()
        .enumerate()
        .map(|(place, usd)| request(&format!("r{place}"), usd))
        .map(|request| ReservationCommand::Reserve { request, is_priced: false, is_last: true })
        .collect();
    let answers: Vec<_> =
        asked.into_iter().map(|command| rig.started.writer.reservation(command, Box::new(|_| ()))).collect();
    let mut granted = Vec::new();
    for answer in answers {
        granted.push(answer.await.is_ok());
    }
    assert_eq!(granted, [true, true, true, false, true, false]);
    assert_eq!(rig.used(), ("0".into(), "10".into()));
    let Err(ReservationError::Refused(Refusal::BudgetExhausted(left))) = rig.reserve("late", "0.5").await else {
        panic!("nothing is left")
    };
    assert_eq!((left.name.as_str(), left.remaining.usd()), ("daily", Some(Usd::ZERO)));
    assert_eq!(left.span.end, "2026-11-23T00:00:00Z".parse::<Timestamp>().unwrap());
    assert!(rig.release("r0").await.is_ok());
    assert!(rig.reserve("late", "0.5").await.unwrap().is_new, "a refusal is not remembered");
}

#[tokio::test]
async fn a_settlement_counts_once_however_it_is_repeated() {
    let rig = Rig::new();
    rig.reserve("job", "2").await.unwrap();
    let done = rig.settle("job", "2.5").await.unwrap();
    assert!(done.is_new);
    assert_eq!(done.reservation.state, ReservationState::Settled { amount: Usd::parse("2.5").unwrap() });
    assert!(!rig.settle("job", "2.50").await.unwrap().is_new);
    assert_eq!(
        rig.post(event("job", "2.5", rig.clock.now())).await.unwrap(),
        Recorded { duplicates: 1, ..Recorded::default() }
    );
    assert!(matches!(rig.settle("job", "3").await, Err(ReservationError::Finished(ReservationStage::Settled))));
    assert!(matches!(rig.release("job").await, Err(ReservationError::Finished(ReservationStage::Settled))));
    let first = rig.reserve("job", "2").await.unwrap();
    assert!(!first.is_new);
    assert!(
        matches!(rig.reserve("job", "3").await, Err(ReservationError::Conflict(fields)) if fields == ["estimated_cost_usd"])
    );
    assert_eq!(rig.used(), ("2.5".into(), "0".into()));
    let rig = rig.restart().await;
    assert!(!rig.settle("job", "2.5").await.unwrap().is_new);
    assert_eq!(rig.used(), ("2.5".into(), "0".into()));
}

#[tokio::test]
async fn an_event_under_a_reservations_id_ends_it_and_takes_its_attribution() {
    let rig = Rig::new();
    for (id, seconds) in [("held", 0), ("lapsed", 61)] {
        rig.reserve(id, "2").await.unwrap();
        rig.clock.advance(Duration::from_secs(seconds));
        assert_eq!(rig.post(event(id, "1", rig.clock.now())).await.unwrap().accepted, 1);
        assert!(!rig.settle(id, "1").await.unwrap().is_new);
    }
    assert_eq!(rig.used(), ("2".into(), "0".into()));
    let path = rig.folder.path().join("ledger.db");
    let found = Reader::new(path, BudgetZone::UTC).reservation("lapsed").unwrap().unwrap();
    assert_eq!(found.reservation.state.stage(), ReservationStage::Settled);
    let someone_else = CostEvent { worker: Some("w2".into()), ..event("held", "1", rig.clock.now()) };
    assert!(matches!(rig.post(someone_else).await, Err(RecordError::Conflict(found)) if found[0].fields == ["worker"]));
    // An operation that nobody names is the reservation's, before it is settled as after that.
    rig.reserve("other", "2").await.unwrap();
    for (accepted, duplicates) in [(1, 0), (0, 1)] {
        let told = CostEvent { operation: Name::new(OPERATION_DEFAULT).unwrap(), ..event("other", "1", rig.clock.now()) };
        assert_eq!(rig.post(told).await.unwrap(), Recorded { accepted, duplicates, ..Recorded::default() });
    }
    let published = rig.started.board.read();
    assert!(published.views.series.iter().all(|(pair, _)| pair.operation.as_str() == "chat"));
    rig.post(event("plain", "1", rig.clock.now())).await.unwrap();
    assert!(matches!(rig.reserve("plain", "1").await, Err(ReservationError::Conflict(fields)) if fields == ["id"]));
}

#[tokio::test]
async fn a_hold_lapses_by_the_steady_clock_and_can_still_be_settled() {
    let rig = Rig::new();
    rig.reserve("a", "4").await.unwrap();
    rig.clock.set("2026-11-22T09:00:00Z".parse().unwrap());
    rig.clock.advance(Duration::from_secs(59));
    assert_eq!(rig.used().1, "4", "the wall clock was set back, and the hold has a second left");
    rig.clock.set("2026-11-22T18:00:00Z".parse().unwrap());
    assert_eq!(rig.used().1, "4", "the wall clock was set forward");
    rig.clock.advance(Duration::from_secs(1));
    assert_eq!(rig.used().1, "0", "at once, before the writer has written it down");
    let extend = ReservationCommand::Extend { id: "a".into(), ttl_seconds: 60 };
    assert!(matches!(rig.ask(extend).await, Err(ReservationError::Finished(ReservationStage::Expired))));
    assert!(rig.reserve("b", "10").await.is_ok(), "what lapsed is free");
    let rig = rig.restart().await;
    assert_eq!(stage(&rig.settle("a", "1").await), ReservationStage::Settled);
    assert_eq!(rig.started.board.read().views.holds.expired(rig.clock.instant().steady), 0);
}

#[tokio::test]
async fn holds_survive_a_restart_with_the_time_they_have_left() {
    let rig = Rig::new();
    rig.reserve("a", "4").await.unwrap();
    rig.clock.advance(Duration::from_secs(30));
    let extend = |ttl_seconds| ReservationCommand::Extend { id: "a".into(), ttl_seconds };
    let shorter = rig.ask(extend(10)).await.unwrap().reservation.expires_at;
    assert_eq!(shorter, "2026-11-22T10:01:00Z".parse().unwrap(), "never earlier than before");
    let longer = rig.ask(extend(60)).await.unwrap().reservation.expires_at;
    assert_eq!(longer, "2026-11-22T10:01:30Z".parse().unwrap());
    let rig = rig.restart().await;
    assert_eq!(rig.used().1, "4");
    rig.clock.advance(Duration::from_secs(59));
    assert_eq!(rig.used().1, "4");
    rig.clock.advance(Duration::from_secs(1));
    assert_eq!(rig.used().1, "0");
    let rig = rig.restart().await;
    assert_eq!(rig.started.board.read().views.holds.expired(rig.clock.instant().steady), 1);
}

#[tokio::test]
async fn open_holds_are_bounded() {
    let rig = Rig::new();
    for number in 0..100 {
        rig.reserve(&format!("r{number}"), "0").await.unwrap();
    }
    assert!(matches!(rig.reserve("more", "0").await, Err(ReservationError::NotRecorded(RecordError::Overloaded))));
    rig.release("r7").await.unwrap();
    assert!(rig.reserve("more", "0").await.is_ok());
}

#[tokio::test]
async fn an_operators_word_holds_across_a_restart_and_lapses_by_itself() {
    let rig = Rig::new();
    let manual = GateOverride {
        active: true,
        reason: "bill shock".into(),
        actor: "ann".into(),
        since: rig.clock.now(),
        expires_at: Some("2026-11-22T11:00:00Z".parse().unwrap()),
        token: Some("ops".into()),
    };
    rig.started.writer.set_gate(GateOrder::Manual(manual)).await.unwrap();
    let rig = rig.restart().await;
    let gate = rig.started.board.read().gate(rig.clock.instant());
    assert_eq!((gate.active, gate.mode, &*gate.reason), (true, GateMode::Manual, "bill shock"));
    let Err(ReservationError::Refused(Refusal::GateActive { budget: None, .. })) = rig.reserve("r", "1").await else {
        panic!("an operator said stop")
    };
    rig.clock.set("2026-11-22T11:00:00Z".parse().unwrap());
    assert!(rig.reserve("r", "1").await.is_ok());
    let history = Reader::new(rig.folder.path().join("ledger.db"), BudgetZone::UTC).gate_history(10).unwrap();
    let lines: Vec<_> =
        history.iter().map(|line| (line.active, line.mode, line.actor.as_str(), line.token.as_deref())).collect();
    assert_eq!(lines, [(false, GateMode::Auto, "", None), (true, GateMode::Manual, "ann", Some("ops"))]);
    assert_eq!(rig.started.board.read().views.gate_activations, 1);
}

/// Guards against: a change that readers saw and that no history, counter or webhook knows of, since an order undid it before the next tick.
#[tokio::test]
async fn what_time_did_to_the_gate_is_written_before_an_order_that_undoes_it() {
    let rig = Rig::new();
    let order = |expires_at: &str| {
        GateOrder::Manual(GateOverride {
            active: true,
            reason: "stop".into(),
            actor: "ann".into(),
            since: rig.clock.now(),
            expires_at: Some(expires_at.parse().unwrap()),
            token: None,
        })
    };
    rig.started.writer.set_gate(order("2026-11-22T11:00:00Z")).await.unwrap();
    rig.clock.set("2026-11-22T11:00:00Z".parse().unwrap());
    assert!(!rig.started.board.read().gate(rig.clock.instant()).active);
    rig.started.writer.set_gate(order("2026-11-22T12:00:00Z")).await.unwrap();
    let history = Reader::new(rig.folder.path().join("ledger.db"), BudgetZone::UTC).gate_history(10).unwrap();
    assert_eq!(history.iter().map(|line| line.active).collect::<Vec<_>>(), [true, false, true]);
    assert_eq!(rig.started.board.read().views.gate_activations, 2);
}

#[tokio::test]
async fn a_service_that_a_new_budget_names_is_judged_by_all_its_cost() {
    let rig = Rig::new();
    let few = (0..250).map(|number| CostEvent {
        service: Name::new(&format!("s{number}")).unwrap(),
        ..event(&format!("e{number}"), "0.01", rig.clock.now())
    });
    rig.started.writer.record(few.collect(), Taking::AllOrNothing, Box::new(|_| ())).await.unwrap();
    let mut policy = Policy::example(BudgetZone::UTC, 100);
    let template = policy.budgets[1].clone();
    let cover = Cover::of_service(&Name::new("s249").unwrap());
    policy.budgets.push(crate::budget::Budget {
        name: "s249-monthly".into(),
        cover,
        limit: Limit::Usd(Usd::parse("0.01").unwrap()),
        ..template
    });
    rig.started.writer.set_policy(Arc::new(policy)).await.unwrap();
    let spend = ReservationRequest { service: Name::new("s249").unwrap(), ..request("r", "0.001") };
    let Err(ReservationError::Refused(Refusal::BudgetExhausted(left))) =
        rig.ask(ReservationCommand::Reserve { request: spend, is_priced: false, is_last: true }).await
    else {
        panic!("its cost of the month, counted under other until now, has used the budget up")
    };
    assert_eq!(left.name, "s249-monthly");
}

/// Guards against: a table and a gauge that grow for as long as workers die.
#[tokio::test]
async fn what_ended_is_forgotten_after_35_days_and_what_is_held_is_not() {
    let rig = Rig::new();
    for id in ["lapses", "released", "held"] {
        rig.reserve(id, "1").await.unwrap();
    }
    rig.release("released").await.unwrap();
    let stays = |ttl_seconds| ReservationCommand::Extend { id: "held".into(), ttl_seconds };
    for _ in 0..37 {
        rig.ask(stays(86_400)).await.unwrap();
        rig.clock.advance(Duration::from_secs(86_399));
    }
    let path = rig.folder.path().join("ledger.db");
    let reader = Reader::new(path, BudgetZone::UTC);
    let expired = || rig.started.board.read().views.holds.expired(rig.clock.instant().steady);
    let patience = tokio::time::Instant::now() + Duration::from_secs(10);
    while expired() > 0 {
        assert!(tokio::time::Instant::now() < patience, "a tick forgets");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(reader.reservation("lapses").unwrap(), None);
    assert_eq!(reader.reservation("released").unwrap(), None);
    assert_eq!(rig.used().1, "1");
    assert!(rig.reserve("released", "1").await.unwrap().is_new, "its id is free again");
    let rig = rig.restart().await;
    assert_eq!(rig.used().1, "2");
}

/// Guards against: a worker that uses ids as names of operations, and so hides its own cost, and that of services which come later,
/// from the budgets of services.
#[tokio::test]
async fn a_day_full_of_names_still_counts_against_the_budgets_of_services() {
    let rig = Rig::new();
    let mut policy = Policy::example(BudgetZone::UTC, 1_000);
    let template = policy.budgets[0].clone();
    for service in ["noisy", "late"] {
        let (name, cover) = (format!("{service}-daily"), Cover::of_service(&Name::new(service).unwrap()));
        let limit = Limit::Usd(Usd::from_dollars(101));
        policy.budgets.push(crate::budget::Budget { name, cover, limit, ..template.clone() });
    }
    rig.started.writer.set_policy(Arc::new(policy.clone())).await.unwrap();
    let of = |service: &str, number: usize| CostEvent {
        service: Name::new(service).unwrap(),
        operation: Name::new(&format!("op-{number}")).unwrap(),
        ..event(&format!("{service}-{number}"), "0.001", rig.clock.now())
    };
    for batch in 0..11 {
        let events = (batch * 10_000..(batch + 1) * 10_000).map(|number| of("noisy", number)).collect();
        rig.started.writer.record(events, Taking::AllOrNothing, Box::new(|_| ())).await.unwrap();
    }
    rig.post(of("late", 0)).await.unwrap();
    let spent = |rig: &Rig| {
        let standings = rig.started.board.read().standings(rig.clock.instant());
        standings[2..].iter().map(|standing| standing.usd().unwrap()[1].to_string()).collect::<Vec<_>>()
    };
    assert_eq!(spent(&rig), ["110", "0.001"]);
    let rig = rig.restart().await;
    rig.started.writer.set_policy(Arc::new(policy.clone())).await.unwrap();
    rig.reserve("after it", "0").await.unwrap();
    assert_eq!(spent(&rig), ["110", "0.001"], "also from what the file says");
}

/// Guards against: a retention that reads every old row as if money depended on it, and stops recording over one of them.
#[tokio::test]
async fn a_damaged_row_of_what_is_over_stops_nothing() {
    let rig = Rig::new();
    rig.ask(ReservationCommand::Reserve { request: request("r", "1"), is_priced: false, is_last: true }).await.unwrap();
    rig.ask(ReservationCommand::Release { id: "r".into(), reason: Some("done".into()) }).await.unwrap();
    let path = rig.folder.path().join("ledger.db");
    let shell = rusqlite::Connection::open(&path).unwrap();
    assert_eq!(shell.execute("UPDATE reservation SET reason = 'gone'", ()).unwrap(), 1);
    drop(shell);
    let ticks = tokio::time::Instant::now() + 3 * start::TICK;
    while tokio::time::Instant::now() < ticks {
        rig.reserve(&format!("{:?}", tokio::time::Instant::now()), "0").await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let problems = verify(&path).unwrap().problems;
    assert!(problems.iter().any(|problem| problem.contains("reservation")), "{problems:?}");
}
