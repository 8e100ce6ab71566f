//! The newest events, as one page after the other shows them.
//!
//! *Invariants.* Each event is in it once, as it stands. Between any two there is no other that happened and was heard of.
//!
//! *Limits.* [`EVENTS_KEPT_MAX`].

use std::cmp::Reverse;
use std::collections::HashSet;

use jiff::Timestamp;

use crate::wire::EventSeen;

/// Events that are kept to be scrolled through.
pub const EVENTS_KEPT_MAX: usize = 1_000;

/// Newest first.
#[derive(Debug, Default)]
pub struct Events {
    kept: Vec<Seen>,
    is_first: bool,
}

/// An event, and whether the newest page was the first one with it.
#[derive(Debug)]
pub struct Seen {
    pub event: EventSeen,
    pub is_new: bool,
}

impl Events {
    pub fn iter(&self) -> impl Iterator<Item = &Seen> {
        self.kept.iter()
    }

    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// Takes in the newest page, newest first.
    pub fn merge(&mut self, page: Vec<EventSeen>) {
        let is_first = !std::mem::replace(&mut self.is_first, true);
        let known: HashSet<(&str, &str)> = self.kept.iter().map(|seen| key(&seen.event)).collect();
        let is_new: Vec<bool> = page.iter().map(|event| !is_first && !known.contains(&key(event))).collect();
        // Where none was seen before, others may have come and gone meanwhile: what was known no longer joins on.
        let joins_on = is_new.contains(&false);
        let on_page: HashSet<(&str, &str)> = page.iter().map(key).collect();
        let oldest = page.iter().map(|event| event.time).min().unwrap_or(Timestamp::MIN);
        // What is as new as this page and not on it is no longer in the ledger's newest: an adjustment moved it, or it is as old
        // as the last one of the page.
        let stays = |seen: &Seen| joins_on && seen.event.time <= oldest && !on_page.contains(&key(&seen.event));
        let older: Vec<bool> = self.kept.iter().map(stays).collect();
        let mut older = older.into_iter();
        self.kept.retain(|_| older.next().unwrap_or(false));
        self.kept.iter_mut().for_each(|seen| seen.is_new = false);
        self.kept.extend(page.into_iter().zip(is_new).map(|(event, is_new)| Seen { event, is_new }));
        // Stable: within one time the page's order stays.
        self.kept.sort_by_key(|seen| Reverse(seen.event.time));
        self.kept.truncate(EVENTS_KEPT_MAX);
    }
}

fn key(event: &EventSeen) -> (&str, &str) {
    (&event.source, &event.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Usd;

    fn event(id: usize, amount: i64) -> EventSeen {
        let json = format!(
            r#"{{"id":"{id}","service":"s","operation":"o","kind":"charge","amount_usd":{amount},"time":"2026-11-22T10:{:02}:{:02}Z","outcome":"ok"}}"#,
            id / 60 % 60,
            id % 60
        );
        serde_json::from_str(&json).unwrap()
    }

    fn page(ids: std::ops::Range<usize>) -> Vec<EventSeen> {
        ids.rev().map(|id| event(id, 1)).collect()
    }

    fn ids(events: &Events) -> Vec<usize> {
        events.iter().map(|seen| seen.event.id.parse().unwrap()).collect()
    }

    #[test]
    fn pages_that_overlap_become_one_list_without_repeats() {
        let mut events = Events::default();
        events.merge(page(0..5));
        assert!(events.iter().all(|seen| !seen.is_new), "at first nothing is news");
        events.merge(page(3..8));
        assert_eq!(ids(&events), [7, 6, 5, 4, 3, 2, 1, 0]);
        let new: Vec<bool> = events.iter().map(|seen| seen.is_new).collect();
        assert_eq!(new, [true, true, true, false, false, false, false, false]);
        events.merge(page(3..8));
        assert_eq!(events.len(), 8);
        assert!(events.iter().all(|seen| !seen.is_new));
    }

    #[test]
    fn an_event_is_shown_as_it_stands_and_what_does_not_join_on_goes() {
        let mut events = Events::default();
        events.merge(page(0..5));
        events.merge(vec![event(5, 1), event(4, 9), event(3, 1)]);
        assert_eq!(ids(&events), [5, 4, 3, 2, 1, 0]);
        let amount = events.iter().nth(1).unwrap().event.amount_usd;
        assert_eq!(amount, Usd::from_dollars(9), "a revision replaces it");
        events.merge(page(100..105));
        assert_eq!(ids(&events), [104, 103, 102, 101, 100], "between 5 and 100 there may have been others");
        events.merge(vec![]);
        assert_eq!(events.len(), 0, "another ledger");
    }

    #[test]
    fn no_more_are_kept_than_said() {
        let mut events = Events::default();
        for start in (0..3_000).step_by(100) {
            events.merge(page(start..start + 200));
        }
        assert_eq!(events.len(), EVENTS_KEPT_MAX);
        assert_eq!(events.iter().next().unwrap().event.id, "3099");
    }
}
