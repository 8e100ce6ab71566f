//! How shared budgets, limits that somebody set, and the gate stand in a published state.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::tallies::Tally;
use super::*;
use crate::budget::{
    Action, Admission, Allowance, AllowanceOrder, Asking, Budget, BudgetScope, InUse, Policy, Refusal, Spend,
};
use crate::domain::{
    BudgetZone, Facet, GateMode, LimitOverride, Now, Reservation, ReservationRequest, ReservationState, Span, Steady,
    Subject, Usd,
};

fn noon() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

fn now_after(seconds: u64) -> Now {
    Now { time: noon(), steady: Steady::since_start(Duration::from_secs(seconds)) }
}

fn usd(dollars: i64) -> Usd {
    Usd::from_dollars(dollars)
}

fn published(policy: Policy) -> Published {
    let views = Views::new(SeriesLimits::default(), jiff::civil::date(2026, 10, 1));
    Published::example(views, Arc::new(policy), noon())
}

/// 10 USD a day among a fleet, and 1,000 a month for this agent.
fn shared() -> Published {
    let mut policy = Policy::example(BudgetZone::UTC, 10);
    policy.budgets[0].scope = BudgetScope::Fleet;
    published(policy)
}

/// The day at noon, or so many days later.
fn day(state: &Published, later: i64) -> Span {
    state.policy.zone.span_of(&state.policy.budgets[0].cycle, noon() + SignedDuration::from_hours(24 * later))
}

fn allow(state: &mut Published, span: Span, limit: i64, free: i64) -> Option<InUse> {
    let elsewhere = InUse { spent: usd(2), held: usd(1) };
    let (budget, until) = ("daily".into(), Some(Steady::since_start(Duration::from_secs(50))));
    state.order_allowance(AllowanceOrder::Set(Allowance {
        budget,
        span,
        limit: usd(limit),
        until,
        free: usd(free),
        elsewhere,
    }))
}

fn spend(state: &mut Published, dollars: i64) {
    let event = CostEvent { amount: usd(dollars), time: noon(), ..CostEvent::example() };
    state.record_events([(&event, &Entry::First)], noon());
}

fn hold(state: &mut Published, seq: i64, dollars: i64, seconds: u64) {
    let event = CostEvent::example();
    let request = ReservationRequest {
        id: format!("r{seq}").into(),
        id_given: true,
        service: event.service,
        operation: event.operation,
        estimated_cost: usd(dollars),
        ttl_seconds: 60,
        attribution: None,
        model: None,
        usage: vec![],
    };
    let (created_at, expires_at) = (noon(), noon());
    let state_of = ReservationState::Held;
    let reservation = Reservation { request, critical: false, created_at, expires_at, ended_at: None, state: state_of };
    state.put_hold(Hold::until(now_after(seconds).steady, seq, &reservation));
}

fn ask(state: &Published, asking: Asking, dollars: i64, now: Now) -> Admission {
    let event = CostEvent::example();
    let (service, operation) = (&event.service, &event.operation);
    let subject = Subject { service, operation, worker: None, batch: None, lead: None, model: None };
    let spend = Spend { subject, estimate: usd(dollars), usage: &[] };
    let Ok(admission) = state.admit(spend, asking, now, |_| Ok::<_, Infallible>(None));
    admission
}

/// What a shared budget has left for this agent, and in which period.
#[track_caller]
fn beyond(admission: Admission) -> (Option<Usd>, Span) {
    let Admission::Refused(Refusal::BeyondAllowance { left, .. }) = admission else { panic!("{admission:?}") };
    (left.remaining.usd(), left.span)
}

#[test]
fn a_reservation_has_what_is_allowed_and_a_check_counts_on_what_nobody_has() {
    let mut state = shared();
    let today = day(&state, 0);
    assert_eq!(beyond(ask(&state, Asking::Check, 1, now_after(0))), (Some(Usd::ZERO), today), "nobody has allowed anything");
    assert_eq!(allow(&mut state, today, 5, 2), Some(InUse::default()));
    spend(&mut state, 1);
    hold(&mut state, 1, 1, 60);
    assert_eq!(state.used_here("daily", today, now_after(0)), Some(InUse { spent: usd(1), held: usd(1) }));
    assert_eq!(state.used_here("daily", today, now_after(60)), Some(InUse { spent: usd(1), held: usd(0) }));
    for (asking, left) in [(Asking::Reservation, 3), (Asking::Check, 5)] {
        assert_eq!(ask(&state, asking, left, now_after(0)), Admission::Fits, "{asking:?}");
        assert_eq!(beyond(ask(&state, asking, left + 1, now_after(0))), (Some(usd(left)), today), "{asking:?}");
    }
    // What the others have may be less than nothing, which is no less for this agent.
    allow(&mut state, today, 5, -2);
    assert_eq!(ask(&state, Asking::Check, 3, now_after(0)), Admission::Fits);
    // The hold ends later than the allowance.
    assert_eq!(beyond(ask(&state, Asking::Reservation, 1, now_after(50))), (Some(Usd::ZERO), today));
    let watched = AllowanceOrder::Drop { budget: "monthly".into(), span: today };
    assert_eq!(state.order_allowance(watched), None, "nobody shares it");
    assert_eq!((state.used_here("monthly", today, now_after(0)), state.used_here("x", today, now_after(0))), (None, None));
}

#[test]
fn an_allowance_for_tomorrow_binds_what_is_held_today() {
    let mut state = shared();
    let (today, tomorrow) = (day(&state, 0), day(&state, 1));
    allow(&mut state, today, 9, 0);
    allow(&mut state, tomorrow, 4, 0);
    spend(&mut state, 2);
    hold(&mut state, 1, 1, 60);
    assert_eq!(ask(&state, Asking::Reservation, 3, now_after(0)), Admission::Fits);
    assert_eq!(beyond(ask(&state, Asking::Reservation, 4, now_after(0))), (Some(usd(3)), tomorrow));
    assert_eq!(state.allowance("daily", tomorrow).map(|allowance| allowance.limit), Some(usd(4)));
    assert_eq!(state.allowance("daily", day(&state, 2)), None);
    let other = shared().with_allowances_of(&state);
    assert_eq!(other.allowance("daily", today), state.allowance("daily", today));
}

#[test]
fn what_the_others_use_is_part_of_how_a_shared_budget_stands_and_closes_the_gate() {
    let mut state = shared();
    let today = day(&state, 0);
    spend(&mut state, 6);
    allow(&mut state, today, 9, 0);
    let used = |state: &Published| state.standings(now_after(0))[0].usd().unwrap();
    assert_eq!(used(&state), [usd(10), usd(8), usd(1), usd(1)]);
    assert!(!state.gate(now_after(0)).active, "eight of ten");
    spend(&mut state, 1);
    assert!(state.gate(now_after(0)).active, "nine of ten, two of them elsewhere");
    // The same of a budget that the agent keeps by itself.
    let mut alone = published(Policy::example(BudgetZone::UTC, 10)).with_allowances_of(&state);
    spend(&mut alone, 8);
    assert_eq!(used(&alone), [usd(10), usd(8), usd(0), usd(2)]);
    assert!(!alone.gate(now_after(0)).active);
}

#[test]
fn a_hold_that_has_run_out_of_time_takes_no_room_though_nobody_has_noticed() {
    let mut state = published(Policy::example(BudgetZone::UTC, 10));
    hold(&mut state, 1, 4, 10);
    hold(&mut state, 2, 3, 60);
    let is_fit = |state: &Published, dollars, seconds| {
        ask(state, Asking::Reservation, dollars, now_after(seconds)) == Admission::Fits
    };
    assert!(is_fit(&state, 3, 9) && !is_fit(&state, 4, 9));
    assert!(is_fit(&state, 7, 10) && !is_fit(&state, 8, 10));
    assert_eq!(state.lapse(now_after(10).steady), 1);
    assert!(is_fit(&state, 7, 10) && !is_fit(&state, 8, 10));
    assert_eq!(state.remove_hold(2).map(|hold| hold.seq), Some(2));
    assert!(is_fit(&state, 10, 10) && !is_fit(&state, 11, 10));
}

#[test]
fn what_a_key_holds_counts_beside_what_only_the_ledger_knows_of_it() {
    let mut policy = Policy::example(BudgetZone::UTC, 10);
    policy.budgets[0].each = Some(Facet::Service);
    let policy = Arc::new(policy);
    let mut state = published(Policy::clone(&policy));
    spend(&mut state, 1);
    hold(&mut state, 1, 3, 60);
    state.tallies.meters_mut()[0].saved_to = 1;
    state.tallies.make_room(&policy, 0);
    let in_ledger = Tally { spent: [usd(6).pico()].into_iter().collect(), ..Tally::default() };
    let event = CostEvent::example();
    let (service, operation) = (&event.service, &event.operation);
    let admit = |dollars| {
        let subject = Subject { service, operation, worker: None, batch: None, lead: None, model: None };
        let spend = Spend { subject, estimate: usd(dollars), usage: &[] };
        let look_up = |_: &_| Ok::<_, Infallible>(Some(in_ledger.clone()));
        let Ok(admission) = state.admit(spend, Asking::Reservation, now_after(0), look_up);
        admission
    };
    assert_eq!(admit(1), Admission::Fits, "six spent, three held, of ten");
    assert_ne!(admit(2), Admission::Fits);
}

fn set(state: &mut Published, budget: &str, dollars: Option<i64>, expires_at: Option<Timestamp>) -> usize {
    let limit = dollars.map(|dollars| vec![("USD".into(), usd(dollars).pico())]);
    let line = LimitOverride {
        budget: budget.into(),
        limit,
        reason: "a test".to_owned(),
        actor: String::new(),
        timestamp: noon(),
        expires_at,
        token: None,
    };
    state.set_limit(line, noon()).len()
}

#[test]
fn a_limit_that_lapses_is_the_settings_again_before_and_after_it_is_noticed() {
    let mut state = published(Policy::example(BudgetZone::UTC, 10));
    let lapse = noon() + SignedDuration::from_secs(60);
    set(&mut state, "daily", Some(20), Some(lapse));
    spend(&mut state, 12);
    let at = |time| Now { time, ..now_after(0) };
    let limit = |state: &Published, time| state.standings(at(time))[0].usd().unwrap()[0];
    let moment = SignedDuration::from_nanos(1);
    assert_eq!([lapse - moment, lapse].map(|time| limit(&state, time)), [usd(20), usd(10)]);
    assert_eq!([lapse - moment, lapse].map(|time| state.gate(at(time)).active), [false, true]);
    assert!(state.lapse_limits(lapse - moment).is_empty());
    assert_eq!(state.policy.budgets[0].limit.usd(), Some(usd(20)));
    state.lapse_limits(lapse);
    assert_eq!(state.policy.budgets[0].limit.usd(), Some(usd(10)));
    // The clock was set back.
    assert_eq!(limit(&state, lapse - moment), usd(20));
}

#[test]
fn keys_that_are_at_a_threshold_of_a_new_limit_are_told() {
    let mut policy = Policy::example(BudgetZone::UTC, 10);
    policy.budgets[0] = Budget { each: Some(Facet::Lead), ..policy.budgets[0].clone() };
    let mut state = published(policy);
    for (lead, dollars) in [("a", 5), ("b", 1)] {
        let event = CostEvent { lead_id: Some(lead.into()), amount: usd(dollars), time: noon(), ..CostEvent::example() };
        state.record_events([(&event, &Entry::First)], noon());
    }
    let counts = |state: &Published| {
        let counts = state.key_counts(now_after(0));
        (counts[0].1.keys, counts[0].1.warning, counts[0].1.exhausted)
    };
    assert_eq!(counts(&state), (2, 0, 0));
    assert_eq!((set(&mut state, "daily", Some(6), None), counts(&state)), (1, (2, 1, 0)));
    assert_eq!((set(&mut state, "daily", Some(5), None), counts(&state)), (1, (2, 0, 1)));
    assert_eq!((set(&mut state, "monthly", Some(5), None), counts(&state)), (0, (2, 0, 1)), "nothing changes for keys");
    assert_eq!((set(&mut state, "daily", None, None), counts(&state)), (0, (2, 0, 0)));
    // Other alerts under the same limit.
    let mut others = Policy::clone(&state.policy);
    others.budgets[0].warn_at = vec![crate::domain::Threshold::parse("0.1").unwrap()];
    let (next, crossings) = state.under(Arc::new(others), state.tallies.meters().to_vec(), noon());
    assert_eq!((crossings.len(), counts(&next)), (2, (2, 2, 0)));
}

#[test]
fn other_alerts_change_nothing_about_when_a_limit_was_reached() {
    let mut state = published(Policy::example(BudgetZone::UTC, 10));
    spend(&mut state, 10);
    let under = |limit, warn_at: &str| {
        let mut policy = Policy::example(BudgetZone::UTC, limit);
        policy.budgets[0].warn_at = vec![crate::domain::Threshold::parse(warn_at).unwrap()];
        state.example_under(Arc::new(policy), noon()).standings(now_after(0))[0].exhausted_at
    };
    assert_eq!([under(10, "0.8"), under(10, "0.5"), under(9, "0.5")], [Some(noon()), Some(noon()), None]);
}

#[test]
fn the_gate_says_since_when_it_is_as_it_is() {
    let mut state = published(Policy::example(BudgetZone::UTC, 10));
    let earlier = noon() - SignedDuration::from_secs(60);
    let change = |active, mode| GateChange {
        timestamp: earlier,
        active,
        reason: String::new(),
        mode,
        actor: String::new(),
        token: None,
    };
    assert_eq!(state.gate_standing(now_after(0)).since, None, "it never was otherwise");
    for (newest, since) in [
        (change(false, GateMode::Auto), earlier),
        (change(true, GateMode::Auto), noon()),
        (change(false, GateMode::Manual), noon()),
    ] {
        state.views.change_gate(newest.clone());
        assert_eq!(state.gate_standing(now_after(0)).since, Some(since), "{newest:?}");
    }
    let global: Vec<_> = state.gate_standing(now_after(0)).budgets.into_iter().map(|budget| budget.name).collect();
    assert_eq!(global, ["daily", "monthly"]);

    let until = noon() + SignedDuration::from_secs(60);
    let manual = GateOverride {
        active: true,
        reason: "by hand".to_owned(),
        actor: String::new(),
        since: earlier,
        expires_at: Some(until),
        token: None,
    };
    state.views.gate_override = Some(manual.clone());
    assert_eq!((state.views.manual(noon()), state.views.manual(until)), (Some(&manual), None));
    let standing = state.gate_standing(now_after(0));
    assert_eq!((standing.verdict.active, standing.verdict.mode), (true, GateMode::Manual));
    assert_eq!((standing.now, standing.expires_at), (noon(), Some(until)));
    // Who only watches is told nothing of an end.
    let disabled = Policy { gate_enabled: false, ..Policy::example(BudgetZone::UTC, 10) };
    let watching = state.example_under(Arc::new(disabled), noon());
    assert_eq!(watching.gate_standing(now_after(0)).expires_at, None);
}

#[test]
fn a_budget_that_only_watches_is_no_part_of_the_gate() {
    let mut policy = Policy::example(BudgetZone::UTC, 10);
    policy.budgets[0].action = Action::Watch;
    let mut state = published(policy);
    spend(&mut state, 20);
    let standing = state.gate_standing(now_after(0));
    assert_eq!((standing.verdict.active, standing.budgets.len()), (false, 1));
}

#[test]
fn a_board_shows_what_was_published_last() {
    let mut state = published(Policy::example(BudgetZone::UTC, 10));
    let board = Board::new(state.clone());
    let before = board.read();
    spend(&mut state, 3);
    board.publish(state);
    let used = |state: &Published| state.standings(now_after(0))[0].usd().unwrap()[1];
    assert_eq!((used(&board.read()), before.views.entries), (usd(3), 0));
    assert_eq!(board.prunes(), 0);
    (0..2).for_each(|_| board.note_prune());
    assert_eq!(board.prunes(), 2);
    let costs = CostPerLead { day: jiff::civil::date(2026, 11, 22), as_of: Steady::default(), daily: None, monthly: None };
    assert_eq!(board.per_lead(), None);
    board.show_per_lead(Some(costs));
    assert_eq!(board.per_lead(), Some(costs));
    board.show_per_lead(None);
    assert_eq!(board.per_lead(), None);
    // Whoever asks has the entries noted from then on.
    board.newest().take(0);
    board.newest().note(0, [(jiff::civil::date(2026, 11, 22), &CostEvent::example())].into_iter());
    assert_eq!(board.newest().take(1).behind(0).map(Iterator::count), Some(1));
}
