//! Who makes room when every place is taken.
//!
//! *Invariants.* The connection that has been idle for longest goes first. One with a request under way never does, unless its client
//! holds it up ([`Pace::rank`]).

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use tokio::task;
use tokio::time::Instant;

use super::pace::{Pace, Rank};

/// The connections of one server.
#[derive(Default)]
pub(super) struct Crowd {
    paces: HashMap<task::Id, Arc<Pace>>,
    /// Those that could make room when they were last looked at, the first to go at the end. Whoever became idle since then has been so
    /// for a shorter time than all of these, so that looking at everybody is seldom needed.
    next: Vec<(Rank, Instant, Arc<Pace>)>,
}

impl Crowd {
    /// A connection has a place.
    pub fn enter(&mut self, id: task::Id, pace: Arc<Pace>) {
        self.paces.insert(id, pace);
    }

    /// It is over.
    pub fn leave(&mut self, id: task::Id) {
        self.paces.remove(&id);
    }

    /// Asks one connection to leave; whether there was one that may be asked.
    pub fn make_room(&mut self) -> bool {
        let now = Instant::now();
        if self.ask_next(now) {
            return true;
        }
        self.look_around(now);
        self.ask_next(now)
    }

    fn ask_next(&mut self, now: Instant) -> bool {
        while let Some((_, since, pace)) = self.next.pop() {
            if pace.ask_to_leave(since, now) {
                return true;
            }
        }
        false
    }

    fn look_around(&mut self, now: Instant) {
        let ranked = self.paces.values().filter_map(|pace| {
            let (rank, since) = pace.rank(now)?;
            Some((rank, since, Arc::clone(pace)))
        });
        self.next.extend(ranked);
        self.next.sort_unstable_by_key(|(rank, since, _)| Reverse((*rank, *since)));
        // What is held up counts only where nobody is idle, and may have got on by the next time.
        if let Some(best) = self.next.last().map(|(rank, ..)| *rank) {
            self.next.retain(|(rank, ..)| *rank == best);
        }
    }
}
