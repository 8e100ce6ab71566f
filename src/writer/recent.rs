//! The calls that were recorded last, by what two tellings of one call have in common: so that one that came over another road under another
//! key is noticed.
//!
//! *Invariants.* It is a suspicion and no more: nothing is left out for it. It begins empty at each start.
//!
//! *Limits.* [`RECENT_MAX`] calls, of which [`ALIKE_MAX`] may be alike.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};

use jiff::{SignedDuration, Timestamp};

use crate::domain::{CallFacts, CostEvent, NATIVE_ROAD, is_same_model};

/// Calls that are remembered, some 200 bytes each: roads tell a call within seconds of each other.
const RECENT_MAX: usize = 16_384;
/// Calls of one provider with the same counts that are remembered, the newest of them.
const ALIKE_MAX: usize = 32;
/// How far apart two roads may see the end of one call.
const END_APART_MAX: SignedDuration = SignedDuration::from_secs(2);

/// The calls that were recorded last.
#[derive(Debug, Default)]
pub(super) struct Recent {
    alike: HashMap<u64, VecDeque<Told>>,
    /// Under which hash each stands, the oldest first.
    order: VecDeque<u64>,
    hasher: RandomState,
}

#[derive(Debug)]
struct Told {
    first: i64,
    end: Timestamp,
    model: Option<Box<str>>,
    road: u64,
}

impl Recent {
    /// Remembers a call, whose first entry stands here. Returns the first entries of calls that it looks like and that came over another road,
    /// the newest first.
    pub fn take(&mut self, first: i64, event: &CostEvent) -> Vec<i64> {
        if event.model.is_none() {
            return Vec::new();
        }
        let facts = CallFacts::of(event);
        if facts.counts.iter().all(Option::is_none) {
            return Vec::new();
        }
        let road = self.hasher.hash_one(event.origin.as_ref().map_or(NATIVE_ROAD, |origin| &origin.road));
        let alike = self.hasher.hash_one((event.service.as_str().to_lowercase(), facts.counts));
        let told = self.alike.entry(alike).or_default();
        let is_like = |other: &&Told| {
            other.road != road
                && other.end.duration_since(event.time).abs() <= END_APART_MAX
                && is_same_model(other.model.as_deref(), facts.model.as_deref())
        };
        let found = told.iter().rev().filter(is_like).map(|other| other.first).collect();
        if told.len() == ALIKE_MAX {
            told.pop_front();
        } else {
            self.order.push_back(alike);
        }
        told.push_back(Told { first, end: event.time, model: facts.model, road });
        if self.order.len() > RECENT_MAX {
            self.forget_oldest();
        }
        found
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        (self.alike, self.order) = Default::default();
    }

    fn forget_oldest(&mut self) {
        let Some(oldest) = self.order.pop_front() else { return };
        if let Some(told) = self.alike.get_mut(&oldest) {
            told.pop_front();
            if told.is_empty() {
                self.alike.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Name, Origin, Quantity, UsageCount};

    const NONE: [i64; 0] = [];

    fn told(road: &str, tokens: u64, millis: i64) -> CostEvent {
        let event = CostEvent::example();
        CostEvent {
            time: event.time + SignedDuration::from_millis(millis),
            model: Some("gpt-4o".into()),
            usage: vec![UsageCount { kind: Name::new("input_tokens").unwrap(), count: Quantity::of(tokens) }],
            origin: Some(Box::new(Origin::of(road))),
            ..event
        }
    }

    #[test]
    fn a_call_is_suspected_that_another_road_told_at_the_same_time() {
        let mut recent = Recent::default();
        assert_eq!(recent.take(1, &told("litellm", 1, 0)), NONE);
        assert_eq!(recent.take(2, &told("litellm", 1, 0)), NONE, "the same road tells two calls");
        assert_eq!(recent.take(3, &told("otlp:x", 1, -2_000)), [2, 1]);
        assert_eq!(recent.take(4, &CostEvent { origin: None, ..told("", 1, 0) }), [3, 2, 1], "workers' calls are a road");
        assert_eq!(recent.take(5, &told("cloudevents", 1, 2_001)), NONE);
        assert_eq!(recent.take(6, &told("cloudevents", 2, 0)), NONE);
        let dated = CostEvent { model: Some("gpt-4o-2024-08-06".into()), ..told("cloudevents", 1, 0) };
        assert_eq!(recent.take(7, &dated).len(), 4);
        for other in [
            CostEvent { model: Some("gpt-4o-mini".into()), ..told("x", 1, 0) },
            CostEvent { model: None, ..told("x", 1, 0) },
            CostEvent { usage: vec![], ..told("x", 1, 0) },
            CostEvent { service: Name::new("azure").unwrap(), ..told("x", 1, 0) },
        ] {
            assert_eq!(recent.take(8, &other), NONE);
        }
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut recent = Recent::default();
        for number in 0..RECENT_MAX as u64 + 100 {
            recent.take(1, &told("litellm", number, 0));
            recent.take(1, &told("litellm", 0, 0));
        }
        assert!(recent.order.len() == RECENT_MAX && recent.alike.len() <= RECENT_MAX);
        assert_eq!(recent.alike.values().map(VecDeque::len).sum::<usize>(), RECENT_MAX);
        assert!(
            (1..=ALIKE_MAX).contains(&recent.take(1, &told("otlp:x", 0, 0)).len()),
            "of those alike the newest are kept"
        );
        assert_eq!(recent.take(1, &told("otlp:x", 5, 0)), NONE);
        recent.clear();
        assert_eq!(recent.take(1, &told("otlp:y", 0, 0)), NONE);
    }
}
