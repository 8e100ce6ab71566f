//! What readers see of keys while commits are put together, dropped and published.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use jiff::Timestamp;

use crate::budget::{Budget, Limit, Policy};
use crate::domain::{
    Attribution, BudgetZone, CostEvent, Entry, Facet, LimitOverride, Name, Now, PeriodKind, Reservation, ReservationRequest,
    ReservationState, Steady, Usd, after,
};
use crate::views::{Board, Hold, Published, SeriesLimits, Views};

const LEAD: &str = "acme";

fn noon() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

fn now_after(seconds: u64) -> Now {
    Now { time: noon(), steady: Steady::since_start(Duration::from_secs(seconds)) }
}

/// One budget of 1,000 USD for each lead, one for all, and two others for each lead.
fn policy() -> Arc<Policy> {
    let mut policy = Policy::example(BudgetZone::UTC, 1_000_000);
    let per_lead = |name: &str, kind, limit| Budget { each: Some(Facet::Lead), ..Budget::example(name, kind, limit) };
    policy.budgets[0] = per_lead("per-lead", PeriodKind::Daily, "1000");
    policy.budgets.push(per_lead("per-lead-ever", PeriodKind::Total, "1000000000"));
    policy.budgets.push(per_lead("per-lead-hour", PeriodKind::Hourly, "1000000000"));
    Arc::new(policy)
}

fn board() -> Board {
    let views = Views::new(SeriesLimits::default(), jiff::civil::date(2026, 10, 1));
    Board::new(Published::example(views, policy(), noon()))
}

fn next(board: &Board) -> Published {
    Published::clone(&board.read())
}

fn spend(state: &mut Published, lead: &str, dollars: i64) {
    let event =
        CostEvent { lead_id: Some(lead.into()), amount: Usd::from_dollars(dollars), time: noon(), ..CostEvent::example() };
    state.record_events([(&event, &Entry::First)], noon());
}

fn hold(seq: i64, dollars: i64, seconds: u64) -> Hold {
    let request = ReservationRequest {
        id: format!("r{seq}").into(),
        id_given: true,
        service: Name::new("openai").unwrap(),
        operation: Name::new("chat").unwrap(),
        estimated_cost: Usd::from_dollars(dollars),
        ttl_seconds: 60,
        attribution: Attribution { lead_id: Some(LEAD.into()), ..Attribution::default() }.shared(),
        model: None,
        usage: vec![],
    };
    let reservation = Reservation {
        request,
        critical: false,
        created_at: noon(),
        expires_at: after(noon(), 60),
        ended_at: None,
        state: ReservationState::Held,
    };
    Hold::until(now_after(seconds).steady, seq, &reservation)
}

/// What is spent and set aside of the lead, in dollars.
fn used(state: &Published, now: Now) -> (i64, i64) {
    let Ok(standing) = state.key_standing(0, LEAD, now, |_| Ok::<_, std::convert::Infallible>(None));
    let [_, spent, reserved, _] = standing.unwrap().usd().unwrap().map(|usd| usd.pico() / Usd::from_dollars(1).pico());
    (spent as i64, reserved as i64)
}

#[test]
fn what_is_not_committed_is_seen_by_nobody_and_dropped_without_a_trace() {
    let (board, now) = (board(), now_after(0));
    let mut first = next(&board);
    spend(&mut first, LEAD, 5);
    board.publish(first);
    let reader = board.read();

    let mut failed = next(&board);
    spend(&mut failed, LEAD, 7);
    spend(&mut failed, "another", 2_000);
    failed.put_hold(hold(1, 11, 60));
    let limit = Some(vec![("USD".into(), Usd::from_dollars(3).pico())]);
    let line = LimitOverride {
        budget: "per-lead".into(),
        limit,
        reason: "a test".to_owned(),
        actor: String::new(),
        timestamp: noon(),
        expires_at: None,
        token: None,
    };
    failed.set_limit(line, noon());
    assert_eq!(used(&failed, now), (12, 11), "what is decided is decided with it");
    assert_eq!(failed.key_counts(now)[0].1.exhausted, 2);
    assert_eq!(used(&reader, now), (5, 0));
    assert_eq!(reader.tallies.keys_len(), 3);
    drop(failed);
    assert_eq!(used(&board.read(), now), (5, 0));
    assert_eq!(
        board.read().tallies.meters()[0].fullest(&policy().budgets[0], reader.tallies.span(&policy(), 0, noon())).len(),
        1
    );

    let mut again = next(&board);
    assert_eq!(used(&again, now), (5, 0), "nothing is left of what was dropped");
    spend(&mut again, LEAD, 7);
    again.put_hold(hold(1, 11, 60));
    board.publish(again);
    assert_eq!(used(&board.read(), now), (12, 11));
    assert_eq!(used(&reader, now), (12, 11), "who reads an older state finds the newest of a key");
}

/// Guards against: a hold that the writer has taken off, taken off once more by who still reads the state before.
#[test]
fn a_hold_that_has_lapsed_is_taken_off_once() {
    let board = board();
    let mut first = next(&board);
    first.put_hold(hold(1, 11, 10));
    first.put_hold(hold(2, 100, 60));
    board.publish(first);
    let (reader, later) = (board.read(), now_after(10));
    assert_eq!(used(&reader, later), (0, 100), "nobody waits for the writer to notice");
    assert!(!reader.is_overtaken(|| later));
    let mut noticed = next(&board);
    assert_eq!(noticed.lapse(later.steady), 1);
    board.publish(noticed);
    assert_eq!(used(&reader, later), (0, 100));
    assert!(reader.is_overtaken(|| later), "so it is asked again, of the newest state");
    assert_eq!(used(&board.read(), later), (0, 100));
    assert_eq!(reader.all_standings(later).len(), 4);
    assert_eq!(used(&board.read(), later), (0, 100), "a list changes nothing that others see");
}

/// Guards against: a list that is made meanwhile, and counts a key as one that holds something because one of its holds was left.
#[test]
fn of_a_key_all_lapsed_holds_are_taken_off_or_none() {
    let (board, later) = (board(), now_after(10));
    let mut first = next(&board);
    first.put_hold(hold(1, 11, 10));
    first.put_hold(hold(2, 7, 10));
    board.publish(first);
    let mut list = next(&board);
    list.tallies.take_off(&policy(), &hold(1, 11, 10).request);
    let mut noticed = next(&board);
    assert_eq!(noticed.lapse(later.steady), 2);
    board.publish(noticed);
    list.tallies.take_off(&policy(), &hold(2, 7, 10).request);
    let span = list.tallies.span(&policy(), 0, noon());
    assert_eq!(list.tallies.meters()[0].key_counts(span).keys, 0);
}

/// Guards against: what another budget has under the same key, and what is over, found in place of what is asked for.
#[test]
fn budgets_with_the_same_keys_stand_side_by_side() {
    let (board, now) = (board(), now_after(0));
    let mut first = next(&board);
    spend(&mut first, LEAD, 5);
    first.put_hold(hold(1, 11, 60));
    board.publish(first);
    let used_of = |position: usize, at: Now| {
        let known = board.read().key_standing(position, LEAD, at, |_| Ok::<_, ()>(None)).unwrap().unwrap();
        let [_, spent, reserved, _] = known.usd().unwrap();
        (spent, reserved)
    };
    let (five, held) = (Usd::from_dollars(5), Usd::from_dollars(11));
    assert_eq!([0, 2, 3].map(|position| used_of(position, now)), [(five, held); 3]);
    let next_hour = Now { time: noon() + Duration::from_secs(3_600), ..now };
    assert_eq!([0, 2, 3].map(|position| used_of(position, next_hour)), [(five, held), (five, held), (Usd::ZERO, held)]);
    let mut later = next(&board);
    let event = CostEvent { lead_id: Some(LEAD.into()), amount: five, time: next_hour.time, ..CostEvent::example() };
    later.record_events([(&event, &Entry::First)], next_hour.time);
    later.tallies.retire(next_hour.time + Duration::from_secs(1_000));
    board.publish(later);
    let ten = Usd::from_dollars(10);
    assert_eq!([0, 2, 3].map(|position| used_of(position, next_hour)), [(ten, held), (ten, held), (five, held)]);
    assert_eq!(board.read().tallies.keys_len(), 3, "the hour that is over is let go");
    let mut settled = Published::clone(&board.read());
    settled.remove_hold(1).unwrap();
    board.publish(settled);
    assert_eq!(
        [0, 2, 3].map(|position| used_of(position, next_hour)),
        [(ten, Usd::ZERO), (ten, Usd::ZERO), (five, Usd::ZERO)]
    );
}

#[test]
fn holds_are_set_aside_once_under_new_settings() {
    let (board, now) = (board(), now_after(0));
    let mut first = next(&board);
    first.put_hold(hold(1, 11, 10));
    spend(&mut first, LEAD, 990);
    board.publish(first);
    let reader = board.read();
    let mut changed = Policy::clone(&policy());
    changed.budgets[0].limit = Limit::Usd(Usd::from_dollars(2_000));
    let next = board.read().example_under(Arc::new(changed), noon());
    assert_eq!(used(&reader, now), (990, 11), "nothing is set free meanwhile");
    assert_eq!(next.key_counts(now)[0].1.warning, 0);
    board.publish(next);
    assert_eq!(used(&board.read(), now), (990, 11));
}

/// Each hold and its cost are of another amount than those before and after, so what is spent says what may be set aside.
#[test]
fn readers_never_see_half_of_what_becomes_of_a_reservation() {
    const COUNT: i64 = 3_000;
    let (board, begin, is_over) = (board(), Barrier::new(3), AtomicBool::new(false));
    let reserve_and_settle = |number: i64| {
        let mut granted = next(&board);
        granted.put_hold(hold(number, number, 60));
        board.publish(granted);
        let mut settled = next(&board);
        settled.remove_hold(number).unwrap();
        spend(&mut settled, LEAD, number);
        board.publish(settled);
    };
    // A state from before the first cost of a period does not know the period.
    reserve_and_settle(1);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let (mut looks, now) = (0_u64, now_after(0));
                begin.wait();
                while !is_over.load(Ordering::Relaxed) {
                    let (spent, reserved) = used(&board.read(), now);
                    // 1 + 2 + … + ended
                    let ended = (0..).find(|ended| ended * (ended + 1) / 2 >= spent).unwrap();
                    assert_eq!(spent, ended * (ended + 1) / 2);
                    assert!(reserved == 0 || reserved == ended + 1, "{spent} spent, {reserved} reserved");
                    looks += 1;
                }
                assert!(looks > 0);
            });
        }
        begin.wait();
        (2..=COUNT).for_each(reserve_and_settle);
        is_over.store(true, Ordering::Relaxed);
    });
    assert_eq!(used(&board.read(), now_after(0)), (COUNT * (COUNT + 1) / 2, 0));
}
