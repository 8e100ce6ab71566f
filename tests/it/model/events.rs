//! The model's events: what is known of each, what is told again, and what each adds to a day and to a budget.

use std::collections::BTreeMap;

use super::calendar::Zone;
use super::command::{Answer, CALLS, Event, Pico, Reservation, State, WHO_FIELDS, Word, amounts};
use super::naive::Model;

/// What an event has that names no operation.
const NO_OPERATION: Word = "unknown";

impl Model {
    pub(super) fn record(&mut self, batch: &[Event]) -> Answer {
        // What the batch tells, in order, and how each event stands after it.
        let mut told: Vec<Event> = Vec::new();
        let (mut accepted, mut duplicates, mut revised, mut conflicts) = (0, 0, 0, Vec::new());
        for (index, event) in batch.iter().enumerate() {
            let in_batch = told.iter().rfind(|known| (known.source, known.id) == (event.source, event.id));
            let recorded = self.events.get(&(event.source, event.id)).map(|(known, ends)| (known, *ends));
            let ends = recorded.map(|(_, ends)| ends);
            let known = in_batch.map(|known| (known, ends.unwrap_or_else(|| self.open_under(known).is_some()))).or(recorded);
            let Some((known, ends)) = known else {
                told.push(self.completed(event));
                accepted += 1;
                continue;
            };
            let is_higher = event.revision > known.revision;
            match differing(known, event, ends) {
                _ if event.revision < known.revision => duplicates += 1,
                fields if !fields.is_empty() => conflicts.push((index, event.id, fields)),
                _ if is_higher => {
                    let Event { revision, amount, usage, team, .. } = *event;
                    told.push(Event { revision, amount, usage, team, ..known.clone() });
                    revised += 1;
                }
                _ => duplicates += 1,
            }
        }
        if !conflicts.is_empty() {
            return Answer::Conflicts(conflicts);
        }
        told.into_iter().for_each(|event| self.add(event));
        Answer::Recorded { accepted, duplicates, revised }
    }

    /// What an event under the id of an open reservation leaves open is known from there.
    fn completed(&self, event: &Event) -> Event {
        let mut event = event.clone();
        if let Some(open) = self.open_under(&event) {
            event.who = std::array::from_fn(|field| event.who[field].or(open.request.who[field]));
            event.model = event.model.or(open.request.model);
            if event.operation == NO_OPERATION {
                event.operation = open.request.operation;
            }
        }
        event
    }

    /// Calls that may have been told before, over the same road or another. What the first left out is filled in; what it said stays.
    pub(super) fn tell(&mut self, calls: &[Event]) -> Answer {
        let (mut accepted, mut duplicates, mut revised) = (0, 0, 0);
        for call in calls {
            assert!(call.source == CALLS && call.amount > 0 && call.revision == 0, "calls of another kind: {call:?}");
            let Some((known, _)) = self.events.get(&(CALLS, call.id)).cloned() else {
                self.add(call.clone());
                accepted += 1;
                continue;
            };
            let mut standing = known.clone();
            standing.who = std::array::from_fn(|field| known.who[field].or(call.who[field]));
            standing.model = known.model.or(call.model);
            let both = known.usage.iter().zip(call.usage);
            if both.clone().all(|(known, told)| known.is_none() || told.is_none() || *known == told) {
                standing.usage = std::array::from_fn(|unit| known.usage[unit].or(call.usage[unit]));
            }
            if standing == known {
                duplicates += 1;
                continue;
            }
            standing.revision += 1;
            self.add(standing);
            revised += 1;
        }
        Answer::Recorded { accepted, duplicates, revised }
    }

    fn open_under(&self, event: &Event) -> Option<&Reservation> {
        let found = self.reservations.get(&event.id).filter(|_| event.source.is_empty());
        found.filter(|found| matches!(found.state, State::Held | State::Expired))
    }

    pub(super) fn add(&mut self, event: Event) {
        let key = (event.source, event.id);
        self.entries += 1;
        let Some((before, ends)) = self.events.get(&key).cloned() else {
            let ends = self.open_under(&event).is_some();
            if ends {
                self.end(event.id, State::Committed(event.amount));
            }
            count(&mut self.days, self.zone, &event);
            self.spend(&event, amounts(event.amount, &event.usage), false);
            self.events.insert(key, (event, ends));
            return;
        };
        let has_something = before.amount != 0 || before.usage.iter().any(Option::is_some);
        let is_elsewhere = before.team != event.team || before.who != event.who || before.model != event.model;
        let (was, is) = (amounts(before.amount, &before.usage), amounts(event.amount, &event.usage));
        if has_something && is_elsewhere {
            self.entries += 2;
            self.spend(&before, was.map(|amount| -amount), true);
            self.spend(&event, was, true);
        }
        self.spend(&event, std::array::from_fn(|unit| is[unit] - was[unit]), false);
        count(&mut self.days, self.zone, &Event { amount: event.amount - before.amount, ..event.clone() });
        if ends {
            let settled = self.reservations.get_mut(&event.id).expect("it was ended by the event");
            settled.state = State::Committed(event.amount);
        }
        self.events.insert(key, (event, ends));
    }
}

pub fn count(days: &mut BTreeMap<i64, BTreeMap<Word, Pico>>, zone: Zone, event: &Event) {
    *days.entry(zone.day_of(event.time)).or_default().entry(event.service).or_default() += event.amount;
}

/// The fields in which a retry differs, or a higher revision where none may. One of a reservation's event need not say who it was for.
fn differing(known: &Event, retry: &Event, ends_reservation: bool) -> Vec<Word> {
    let mut fields = Vec::new();
    let mut compare = |field, same: bool| {
        if !same {
            fields.push(field)
        }
    };
    compare("service", known.service == retry.service);
    compare("operation", ends_reservation && retry.operation == NO_OPERATION || known.operation == retry.operation);
    compare("kind", known.credit == retry.credit);
    compare("time", !retry.time_given || known.time == retry.time);
    for (field, name) in WHO_FIELDS.into_iter().enumerate() {
        let is_left_out = ends_reservation && retry.who[field].is_none();
        compare(name, is_left_out || known.who[field] == retry.who[field]);
    }
    compare("model", ends_reservation && retry.model.is_none() || known.model == retry.model);
    if retry.revision == known.revision {
        compare("amount_usd", known.amount == retry.amount);
        compare("usage", known.usage == retry.usage);
        compare("attributes", known.team == retry.team);
    }
    fields
}
