use std::time::Duration;

use jiff::SignedDuration;
use proptest::prelude::*;

use super::*;
use crate::budget::Standing;
use crate::domain::{BudgetZone, Kind, Name, Now, Steady, revise};
use crate::views::SeriesLimits;

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
    policy.budgets[1].limit = Usd::from_dollars(limits[1]);
    let service = Budget {
        name: "openai-daily".into(),
        service: Some(Name::new("Openai").unwrap()),
        limit: Usd::from_dollars(limits[2]),
        ..policy.budgets[0].clone()
    };
    policy.budgets.push(service);
    Arc::new(policy)
}

fn empty(policy: &Arc<Policy>) -> Published {
    let limits = SeriesLimits { reserved: policy.services().cloned().collect(), ..SeriesLimits::default() };
    Published::at_start(Views::new(limits, jiff::civil::date(2026, 10, 1)), Arc::clone(policy), noon())
}

fn record(published: &mut Published, events: &[CostEvent]) {
    let zone = published.policy.zone.clone();
    published.record(events.iter().map(|event| (event, &Entry::First, zone.day_of(event.time))), noon());
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
    let day = published.policy.zone.day_of(noon());
    let mut adjust = |known: &CostEvent, first, dollars| {
        let attributes = Some(format!(r#"{{"team":"{dollars}"}}"#).into());
        let told = CostEvent { revision: 1, amount: Usd::from_dollars(dollars), attributes, ..known.clone() };
        let entries: Vec<_> = revise(known.clone(), first, told).collect();
        assert_eq!(entries.len(), 3);
        published.record(entries.iter().map(|(event, entry)| (event, entry, day)), noon());
        exhausted_at(&published, "daily")
    };
    assert_ne!(adjust(&credit, 2, -7), Some(credit.time), "9 - 7");
    assert_eq!(adjust(&charge, 1, 17), Some(charge.time), "17 - 7");
}

#[test]
fn nobody_knows_when_a_limit_that_came_later_was_passed() {
    let (mut published, event) = (empty(&policy([20, 1_000, 1_000])), event(0, 3, 8, false));
    record(&mut published, std::slice::from_ref(&event));
    let lowered = published.under(policy([5, 1_000, 1_000]), noon());
    assert_eq!(exhausted_at(&lowered, "daily"), None);
    let back = lowered.under(policy([8, 1_000, 1_000]), noon());
    assert_eq!(exhausted_at(&back, "daily"), None);
    let raised = back.under(policy([9, 1_000, 1_000]), noon());
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
    let next = published.under(policy([5, 900, 800]), noon());
    assert_eq!(exhausted_at(&next, "daily"), Some(event.time));
}

/// What may happen.
#[derive(Clone, Debug)]
enum Step {
    Record(Vec<(usize, i64, bool)>),
    SetLimit(usize, i64),
    /// With its marks.
    Restart,
    /// The file gets the marks.
    Save,
    /// With the marks that the file has, and the sums of all events.
    Kill,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let event = (0..SERVICES.len(), -6..9_i64, prop::bool::weighted(0.15));
    let step = prop_oneof![
        8 => prop::collection::vec(event, 0..6).prop_map(Step::Record),
        2 => (0..3_usize, 0..25_i64).prop_map(|(budget, limit)| Step::SetLimit(budget, limit)),
        1 => Just(Step::Restart),
        2 => Just(Step::Save),
        2 => Just(Step::Kill),
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
    was_killed: bool,
}

impl Naive {
    fn set_limit(&mut self, limit: i64) {
        if limit != self.limit {
            let was_reached = self.sum >= limit;
            *self = Self { limit, first: None, was_reached, was_killed: self.was_killed, ..*self };
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
        assert_eq!(standing.spent_usd, Usd::from_dollars(self.sum), "{self:?}");
        assert_eq!(standing.remaining_usd, limit - counted, "{self:?}");
        assert!(standing.remaining_usd <= limit && standing.utilization_percent >= 0.0, "{standing:?}");
        // Noon: half of the day, and 21.5 days of 30.
        let forecast = standing.forecast_usd.unwrap();
        assert!(forecast >= counted && forecast <= counted + counted, "{standing:?}");
        if self.sum.max(0) < self.limit {
            assert!(standing.exhausted_at.is_none_or(|at| at >= noon()), "{standing:?}");
        } else if self.limit == 0 {
            assert_eq!(standing.exhausted_at, Some(standing.period_start));
        } else if self.was_killed {
            assert!(standing.exhausted_at.is_none_or(|at| Some(at) == self.first), "never a guess: {self:?} {standing:?}");
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
            Naive { limit, sum: 0, first: None, was_reached: limit == 0, was_killed: false }
        });
        let mut count = 0;
        // What the file has, and whether more was recorded since.
        let (mut saved, mut is_behind) = (Marks::default(), false);
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
                    is_behind |= !events.is_empty();
                }
                Step::SetLimit(budget, limit) => {
                    limits[budget] = limit;
                    published = published.under(policy(limits), noon());
                    naive[budget].set_limit(limit);
                    (saved, is_behind) = (published.views.marks.clone(), false);
                }
                Step::Restart => {
                    published = Published::at_start(published.views, policy(limits), noon());
                    (saved, is_behind) = (published.views.marks.clone(), false);
                }
                Step::Save => (saved, is_behind) = (published.views.marks.clone(), false),
                Step::Kill => {
                    let mut marks = saved.clone();
                    if is_behind {
                        marks.doubt();
                    }
                    (saved, is_behind) = (marks.clone(), false);
                    let views = Views { marks, ..published.views };
                    published = Published::at_start(views, policy(limits), noon());
                    naive.iter_mut().for_each(|naive| naive.was_killed = true);
                }
            }
            for (naive, standing) in naive.iter().zip(published.standings(now())) {
                naive.assert(&standing);
            }
        }
    }
}
