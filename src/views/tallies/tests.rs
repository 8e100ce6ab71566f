use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::*;
use crate::budget::{Budget, BudgetStanding, Limit, Policy, Standing};
use crate::domain::{BudgetZone, CostEvent, Cover, Entry, Facet, Kind, Name, Now, Steady, Usd, revise};
use crate::views::{Published, SeriesLimits, Views};

const NOON: &str = "2026-11-22T12:00:00Z";
const SERVICES: [&str; 4] = ["openai", "OpenAI", "OPENAI", "mail"];

fn noon() -> Timestamp {
    NOON.parse().unwrap()
}

fn now() -> Now {
    Now { time: noon(), steady: Steady::since_start(Duration::ZERO) }
}

/// The `at`th event, whose time tells it from all others: today or tomorrow. Times do not rise with the order of recording.
fn event(at: usize, service: usize, dollars: i64, tomorrow: bool) -> CostEvent {
    let time = noon() - SignedDuration::from_secs(at as i64 * 7 % 1_000) + SignedDuration::from_nanos(at as i64);
    CostEvent {
        service: Name::new(SERVICES[service]).unwrap(),
        amount: Usd::from_dollars(dollars),
        kind: if dollars < 0 { Kind::Credit } else { Kind::Charge },
        time: if tomorrow { time + SignedDuration::from_hours(24) } else { time },
        ..CostEvent::example()
    }
}

fn policy(limits: [i64; 3]) -> Arc<Policy> {
    let mut policy = Policy::example(BudgetZone::UTC, limits[0]);
    policy.budgets[1].limit = Limit::Usd(Usd::from_dollars(limits[1]));
    let service = Budget {
        name: "openai-daily".into(),
        cover: Cover::of_service(&Name::new("Openai").unwrap()),
        limit: Limit::Usd(Usd::from_dollars(limits[2])),
        ..policy.budgets[0].clone()
    };
    policy.budgets.push(service);
    Arc::new(policy)
}

fn empty(policy: &Arc<Policy>) -> Published {
    let views = Views::new(SeriesLimits::default(), jiff::civil::date(2026, 10, 1));
    Published::example(views, Arc::clone(policy), noon())
}

fn record(published: &mut Published, events: &[CostEvent]) {
    published.record_events(events.iter().map(|event| (event, &Entry::First)), noon());
}

fn exhausted_at(published: &Published, budget: &str) -> Option<Timestamp> {
    published.standings(now()).into_iter().find(|standing| standing.name == budget).unwrap().exhausted_at
}

/// Guards against: the pace of the day, or the last of the events that are recorded together, in place of the one that did it.
#[test]
fn a_budget_is_exhausted_by_the_event_that_did_it_within_a_batch() {
    let mut published = empty(&policy([10, 1_000, 1_000]));
    let events = [event(0, 3, 4, false), event(1, 3, 5, false), event(2, 3, 1, false), event(3, 3, 50, false)];
    record(&mut published, &events);
    assert_eq!(exhausted_at(&published, "daily"), Some(events[2].time));
}

#[test]
fn a_credit_in_the_same_batch_does_not_hide_that_the_limit_was_reached() {
    let mut published = empty(&policy([10, 1_000, 1_000]));
    let events = [event(0, 3, 12, false), event(1, 3, -8, false), event(2, 3, 7, false)];
    record(&mut published, &events[..2]);
    assert_ne!(exhausted_at(&published, "daily"), Some(events[0].time), "it is not exhausted now");
    record(&mut published, &events[2..]);
    assert_eq!(exhausted_at(&published, "daily"), Some(events[0].time), "the first time counts");
}

#[test]
fn a_credit_ahead_of_the_charge_moves_the_event_that_does_it() {
    let mut published = empty(&policy([10, 1_000, 1_000]));
    let events = [event(0, 3, -5, false), event(1, 3, 12, false), event(2, 3, 3, false)];
    events.iter().for_each(|event| record(&mut published, std::slice::from_ref(event)));
    assert_eq!(exhausted_at(&published, "daily"), Some(events[2].time));
}

/// Guards against: half of a move, which cancels out, taken for cost; and the time of recording in place of the event's.
#[test]
fn an_adjustment_is_counted_at_its_own_events_time_and_a_move_not_at_all() {
    let mut published = empty(&policy([10, 1_000, 1_000]));
    let (credit, charge) = (event(0, 3, -8, false), event(1, 3, 9, false));
    record(&mut published, &[charge.clone(), credit.clone()]);
    let mut adjust = |known: &CostEvent, first, dollars| {
        let attributes = Some(format!(r#"{{"team":"{dollars}"}}"#).into());
        let told = CostEvent { revision: 1, amount: Usd::from_dollars(dollars), attributes, ..known.clone() };
        let entries: Vec<_> = revise(known.clone(), first, told).collect();
        assert_eq!(entries.len(), 3);
        published.record_events(entries.iter().map(|(event, entry)| (event, entry)), noon());
        exhausted_at(&published, "daily")
    };
    assert_ne!(adjust(&credit, 2, -7), Some(credit.time), "9 - 7");
    assert_eq!(adjust(&charge, 1, 17), Some(charge.time), "17 - 7");
}

#[test]
fn nobody_knows_when_a_limit_that_came_later_was_passed() {
    let (mut published, event) = (empty(&policy([20, 1_000, 1_000])), event(0, 3, 8, false));
    record(&mut published, std::slice::from_ref(&event));
    let lowered = published.example_under(policy([5, 1_000, 1_000]), noon());
    assert_eq!(exhausted_at(&lowered, "daily"), None);
    let back = lowered.example_under(policy([8, 1_000, 1_000]), noon());
    assert_eq!(exhausted_at(&back, "daily"), None);
    let raised = back.example_under(policy([9, 1_000, 1_000]), noon());
    assert_ne!(exhausted_at(&raised, "daily"), None, "it is not exhausted: that is the forecast");
    let mut raised = raised;
    let last = super::tests::event(1, 3, 1, false);
    record(&mut raised, std::slice::from_ref(&last));
    assert_eq!(exhausted_at(&raised, "daily"), Some(last.time));
}

#[test]
fn another_budget_changes_nothing_about_this_one() {
    let (mut published, event) = (empty(&policy([5, 1_000, 1_000])), event(0, 3, 8, false));
    record(&mut published, std::slice::from_ref(&event));
    let next = published.example_under(policy([5, 900, 800]), noon());
    assert_eq!(exhausted_at(&next, "daily"), Some(event.time));
}

/// Guards against: a key that is taken for empty because it was let go, and counts that follow what is in memory.
#[test]
fn keys_that_were_let_go_are_missing_and_not_empty() {
    let mut policy = Policy::example(BudgetZone::UTC, 10);
    policy.budgets[0].each = Some(Facet::Lead);
    let mut published = empty(&Arc::new(policy));
    let of = |lead: &str, dollars, at| CostEvent { lead_id: Some(lead.into()), ..event(at, 3, dollars, false) };
    let events: Vec<_> = (0..40).map(|at| of(&format!("L{at}"), if at < 4 { 9 } else { 1 }, at as usize)).collect();
    record(&mut published, &events);
    let policy = Arc::clone(&published.policy);
    published.tallies.make_room(&policy, 20);
    assert_eq!(published.tallies.keys_len(), 40, "the ledger has none of them");
    published.tallies.meters_mut()[0].saved_to = 40;
    published.tallies.make_room(&policy, 20);
    assert_eq!(published.tallies.keys_len(), 18);
    let missing = published.key_standing(0, "l39", now(), |missing| Err::<Option<Tally>, _>(missing.clone()));
    let span = published.tallies.span(&policy, 0, noon());
    let gone = (4..40).map(|at| format!("l{at}")).find(|key| published.tallies.find(0, span, key).is_err()).unwrap();
    assert!(missing.is_err() || published.tallies.find(0, span, "l39").is_ok());
    let counts = |published: &Published| match published.all_standings(now()).remove(0) {
        BudgetStanding::Keyed(keyed) => (keyed.counts.keys, keyed.counts.warning, keyed.fullest.len(), keyed.standing.key),
        BudgetStanding::Whole(_) => panic!("it has keys"),
    };
    assert_eq!(counts(&published), (40, 4, 18, Some("l0".into())));
    // An event of a key that was let go needs what the ledger has of it.
    let more = of(&gone.to_uppercase(), 8, 41);
    let entry = (41, &more, &Entry::First, policy.zone.day_of(more.time));
    let missing = published.missing_for([entry].into_iter());
    assert_eq!(missing.iter().map(|missing| &*missing.key).collect::<Vec<_>>(), [gone.as_str()]);
    let spent = smallvec::SmallVec::from_buf([Usd::from_dollars(1).pico()]);
    published.tallies.put_found(&missing[0], Some(Tally { spent, ..Tally::default() }));
    published.record([entry].into_iter(), noon());
    let Ok(Some(standing)) = published.key_standing(0, &gone, now(), |_| Ok::<_, ()>(None)) else { panic!("it is counted") };
    assert_eq!(standing.usd().unwrap()[1], Usd::from_dollars(9));
    assert_eq!(counts(&published).0, 40);
    assert_eq!(counts(&published).1, 5);
}

/// What may happen.
#[derive(Clone, Debug)]
enum Step {
    Record(Vec<(usize, i64, bool)>),
    SetLimit(usize, i64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let event = (0..SERVICES.len(), -6..9_i64, prop::bool::weighted(0.15));
    let step = prop_oneof![
        8 => prop::collection::vec(event, 0..6).prop_map(Step::Record),
        2 => (0..3_usize, 0..25_i64).prop_map(|(budget, limit)| Step::SetLimit(budget, limit)),
    ];
    prop::collection::vec(step, 0..20)
}

/// One budget, added up event by event. It knows all that happened, but what it says is held against what can be known.
#[derive(Clone, Copy, Debug)]
struct Naive {
    limit: i64,
    sum: i64,
    first: Option<Timestamp>,
    was_reached: bool,
}

impl Naive {
    fn set_limit(&mut self, limit: i64) {
        if limit != self.limit {
            let was_reached = self.sum >= limit;
            *self = Self { limit, sum: self.sum, first: None, was_reached };
        }
    }

    fn add(&mut self, dollars: i64, time: Timestamp) {
        self.sum += dollars;
        if !self.was_reached && self.sum >= self.limit {
            (self.was_reached, self.first) = (true, Some(time));
        }
    }

    fn assert(&self, standing: &Standing) {
        let (limit, counted) = (Usd::from_dollars(self.limit), Usd::from_dollars(self.sum.max(0)));
        let [_, spent, _, remaining] = standing.usd().unwrap();
        assert_eq!(spent, Usd::from_dollars(self.sum), "{self:?}");
        assert_eq!(remaining, limit - counted, "{self:?}");
        assert!(remaining <= limit && standing.utilization_percent >= 0.0, "{standing:?}");
        // Noon: half of the day, and 21.5 days of 30.
        let forecast = standing.forecast_usd().unwrap();
        assert!(forecast >= counted && forecast <= counted + counted, "{standing:?}");
        if self.sum.max(0) < self.limit {
            assert!(standing.exhausted_at.is_none_or(|at| at >= noon()), "{standing:?}");
        } else if self.limit == 0 {
            assert_eq!(standing.exhausted_at, Some(standing.span.start));
        } else {
            assert_eq!(standing.exhausted_at, self.first, "{self:?}");
        }
    }
}

proptest! {
    #[test]
    fn what_budgets_say_is_what_adding_up_event_by_event_says(steps in steps()) {
        let mut limits = [10, 20, 7];
        let mut published = empty(&policy(limits));
        let mut naive = limits.map(|limit| {
            Naive { limit, sum: 0, first: None, was_reached: limit == 0 }
        });
        let mut count = 0;
        for step in steps {
            match step {
                Step::Record(events) => {
                    let events: Vec<CostEvent> = events
                        .into_iter()
                        .map(|(service, dollars, tomorrow)| {
                            count += 1;
                            let event = event(count, service, dollars, tomorrow);
                            for (at, naive) in naive.iter_mut().enumerate() {
                                let is_counted = match at {
                                    0 => !tomorrow,
                                    1 => true,
                                    _ => !tomorrow && service < 3,
                                };
                                if is_counted {
                                    naive.add(dollars, event.time);
                                }
                            }
                            event
                        })
                        .collect();
                    record(&mut published, &events);
                }
                Step::SetLimit(budget, limit) => {
                    limits[budget] = limit;
                    published = published.example_under(policy(limits), noon());
                    naive[budget].set_limit(limit);
                }
            }
            for (naive, standing) in naive.iter().zip(published.standings(now())) {
                naive.assert(&standing);
            }
        }
    }
}
