//! One state at one time: what all series of one scrape are read from.
//!
//! The SDK calls the instruments of a collection one by one, on the thread that collects. Were each to pick up the newest
//! state, a commit in between could show a day's cost from after it and a budget's from before it. So the scrape takes a
//! moment, and the callbacks find it on their thread; so does each push.

use std::cell::RefCell;
use std::sync::Arc;

use crate::budget::{GateVerdict, Standing};
use crate::clock::Clock;
use crate::domain::Now;
use crate::views::{Board, CostPerLead, Published, RESERVED_MAX, SeriesLimits, USAGE_KINDS_MAX, USAGE_PAIRS_MAX};

thread_local! {
    static HELD: RefCell<Option<Arc<Moment>>> = const { RefCell::new(None) };
}

/// The published state at an instant, with what the rules say about it.
#[derive(Debug)]
pub(super) struct Moment {
    pub now: Now,
    pub published: Arc<Published>,
    pub standings: Vec<Standing>,
    pub gate: GateVerdict,
    pub per_lead: Option<CostPerLead>,
}

/// Where moments come from.
#[derive(Debug)]
pub(super) struct Source {
    board: Arc<Board>,
    clock: Clock,
    /// Series that each kind of instrument can have, at most.
    pub services_max: usize,
    pub pairs_max: usize,
    pub usage_max: usize,
}

impl Source {
    pub fn new(board: Arc<Board>, clock: Clock, limits: &SeriesLimits) -> Self {
        let published = board.read();
        let views = &published.views;
        // Names once taken are kept, also when the limits were larger then; further ones come on top only below the limits, but for those that
        // budgets name, also budgets of later settings. Every service has an `other` operation at most, and there is `other`/`other`.
        let services_known =
            views.series.iter().map(|(label, _)| &label.service).collect::<std::collections::BTreeSet<_>>().len();
        let services_max = services_known + limits.services_max + RESERVED_MAX + 1;
        let pairs_max = views.series.iter().count() + limits.pairs_max + services_max;
        let usage_max = views.usage.iter().count() + (USAGE_PAIRS_MAX + 1) * (USAGE_KINDS_MAX + 1);
        Self { board, clock, services_max, pairs_max, usage_max }
    }

    /// The moment that this thread's scrape holds; otherwise a new one.
    pub fn moment(&self) -> Arc<Moment> {
        HELD.with_borrow(Clone::clone).unwrap_or_else(|| self.take())
    }

    /// Runs `collect` while every instrument on this thread sees one new moment.
    pub fn holding_one<T>(&self, collect: impl FnOnce() -> T) -> T {
        /// Lets go also when `collect` panics: the thread is used again.
        struct LetGo;
        impl Drop for LetGo {
            fn drop(&mut self) {
                HELD.set(None);
            }
        }
        HELD.set(Some(self.take()));
        let _let_go = LetGo;
        collect()
    }

    fn take(&self) -> Arc<Moment> {
        // The time first: a state published after it may be newer than `now`, never a whole period older.
        let now = self.clock.instant();
        let published = self.board.read();
        let standings = published.standings(now);
        let gate = published.gate(now);
        let per_lead = self.board.per_lead();
        Arc::new(Moment { now, published, standings, gate, per_lead })
    }
}
