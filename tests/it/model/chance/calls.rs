//! Calls that come over several roads.

use super::super::command::{CALLS, Event, ROADS};
use super::super::naive::Model;
use super::{Chance, remember};

impl Chance {
    /// Calls, each of which another road may have told.
    pub(super) fn told(&mut self, model: &Model) -> Vec<Event> {
        let len = 1 + self.below(4);
        (0..len).map(|_| self.call(model)).collect()
    }

    fn call(&mut self, model: &Model) -> Event {
        let known = if self.calls.is_empty() || self.one_in(3) { None } else { Some(self.below(self.calls.len() as u64)) };
        let id = match known {
            Some(nth) => self.calls[nth as usize],
            None => self.fresh_id(),
        };
        remember(&mut self.calls, id);
        let mut call = self.new_event(model, CALLS, id);
        (call.credit, call.revision, call.team) = (false, 0, None);
        call.amount = call.amount.abs().max(1);
        call.road = Some(self.pick(&ROADS));
        if let Some(first) = model.event(CALLS, id) {
            // Roads agree on most of it.
            for (mine, firsts) in call.usage.iter_mut().zip(first.usage) {
                *mine = if self.one_in(8) { *mine } else { mine.and(firsts.or(*mine)) };
            }
            call.amount = if self.one_in(4) { call.amount } else { first.amount };
        }
        call
    }
}
