//! Budgets that a fleet shares, through the running writer: what the fleet allows this agent goes before the limit.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;

use super::reservation_tests::Rig;
use super::*;
use crate::budget::{Allowance, AllowanceOrder, BudgetScope, InUse, Policy, Refusal, Rest};
use crate::domain::{BudgetZone, Span, Usd};

fn rig() -> Rig {
    let mut policy = Policy::example(BudgetZone::UTC, 10);
    policy.budgets[0].scope = BudgetScope::Fleet;
    Rig::under(policy)
}

fn usd(text: &str) -> Usd {
    Usd::parse(text).unwrap()
}

/// Today, or so many days from it.
fn day(rig: &Rig, later: i64) -> Span {
    let policy = Arc::clone(&rig.started.board.read().policy);
    policy.zone.span_of(&policy.budgets[0].cycle, rig.clock.now() + SignedDuration::from_hours(24 * later))
}

fn allowing(span: Span, limit: &str, elsewhere: &str) -> AllowanceOrder {
    let elsewhere = InUse { spent: usd(elsewhere), held: Usd::ZERO };
    AllowanceOrder::Set(Allowance {
        budget: "daily".into(),
        span,
        limit: usd(limit),
        until: None,
        free: usd("0"),
        elsewhere,
    })
}

async fn order(rig: &Rig, order: AllowanceOrder) -> Option<InUse> {
    rig.started.writer.order_allowances(vec![order]).await.unwrap()[0]
}

#[track_caller]
fn beyond(answer: ReservationAnswer) -> (String, Span) {
    let Err(ReservationError::Refused(Refusal::BeyondAllowance { left, rest: Rest::Unasked })) = answer else {
        panic!("{answer:?}")
    };
    (left.remaining.to_string(), left.span)
}

#[tokio::test]
async fn nothing_is_granted_of_a_shared_budget_beyond_what_the_fleet_allows() {
    let rig = rig();
    let today = day(&rig, 0);
    assert_eq!(beyond(rig.reserve("a", "0.5").await), ("0 USD".into(), today), "nobody has allowed anything");
    order(&rig, allowing(today, "3", "0")).await;
    rig.reserve("a", "2").await.unwrap();
    assert_eq!(beyond(rig.reserve("b", "1.000000000001").await).0, "1 USD");
    // What is not used is given back, and then it is not there any more.
    let lower = AllowanceOrder::Lower { budget: "daily".into(), span: today, unused: Some(usd("0.25")) };
    assert_eq!(order(&rig, lower).await, Some(InUse { spent: usd("0"), held: usd("2") }));
    assert_eq!(beyond(rig.reserve("b", "0.3").await).0, "0.25 USD");
    rig.reserve("b", "0.25").await.unwrap();
    // What is spent beyond its estimate is spent; nothing more is granted.
    rig.settle("a", "2.5").await.unwrap();
    assert_eq!(beyond(rig.reserve("c", "0.01").await).0, "-0.5 USD");
    // The whole limit holds, whatever the fleet allows.
    order(&rig, allowing(today, "100", "0")).await;
    let Err(ReservationError::Refused(Refusal::BudgetExhausted(left))) = rig.reserve("c", "8").await else { panic!() };
    assert_eq!(left.remaining.to_string(), "7.25 USD");
}

#[tokio::test]
async fn what_others_spent_is_part_of_how_a_shared_budget_stands() {
    let rig = rig();
    order(&rig, allowing(day(&rig, 0), "2", "7.5")).await;
    rig.reserve("a", "1").await.unwrap();
    rig.settle("a", "1").await.unwrap();
    let now = rig.clock.instant();
    let published = rig.started.board.read();
    let [limit, spent, reserved, remaining] = published.standings(now)[0].usd().unwrap();
    assert_eq!([limit, spent, reserved, remaining], [usd("10"), usd("8.5"), usd("0"), usd("1.5")]);
    assert!(!published.gate(now).active);
    order(&rig, allowing(day(&rig, 0), "2", "8")).await;
    assert!(rig.started.board.read().gate(now).active, "nine tenths are spent");
}

#[tokio::test]
async fn what_is_allowed_for_the_next_period_binds_what_is_held_over_its_beginning() {
    let rig = rig();
    let (today, tomorrow) = (day(&rig, 0), day(&rig, 1));
    order(&rig, allowing(today, "5", "0")).await;
    rig.reserve("a", "2").await.unwrap();
    let in_use = order(&rig, allowing(tomorrow, "3", "0")).await;
    assert_eq!(in_use, Some(InUse { spent: usd("0"), held: usd("2") }));
    assert_eq!(beyond(rig.reserve("b", "1.5").await), ("1 USD".into(), tomorrow));
    rig.reserve("b", "1").await.unwrap();
    rig.settle("a", "2").await.unwrap();
    rig.reserve("c", "2").await.unwrap();
    assert_eq!(beyond(rig.reserve("d", "0.5").await), ("0 USD".into(), today));
    order(&rig, AllowanceOrder::Drop { budget: "daily".into(), span: today }).await;
    rig.settle("c", "0").await.unwrap();
    assert_eq!(beyond(rig.reserve("d", "0.5").await), ("0 USD".into(), today));
}

#[tokio::test]
async fn an_allowance_ends_on_the_steady_clock() {
    let rig = rig();
    let until = Some(rig.clock.instant().steady + Duration::from_secs(6));
    let AllowanceOrder::Set(allowance) = allowing(day(&rig, 0), "5", "0") else { panic!() };
    order(&rig, AllowanceOrder::Set(Allowance { until, ..allowance })).await;
    rig.clock.set(rig.clock.now() - SignedDuration::from_hours(1));
    rig.clock.advance(Duration::from_secs(5));
    rig.reserve("a", "1").await.unwrap();
    rig.clock.advance(Duration::from_secs(1));
    assert_eq!(beyond(rig.reserve("b", "1").await).0, "0 USD");
}

#[tokio::test]
async fn there_is_no_allowance_of_a_budget_that_nobody_shares() {
    let rig = Rig::under(Policy::example(BudgetZone::UTC, 10));
    assert_eq!(order(&rig, allowing(day(&rig, 0), "1", "9")).await, None);
    rig.reserve("a", "5").await.unwrap();
}
