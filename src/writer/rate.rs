//! Events that get their price later than they came, or a corrected one.
//!
//! *Invariants.* An event is rated by what it says when it is decided, by the newest state; so one that was revised or rated meanwhile is
//! never rated by what it said before, and rating twice changes nothing. What a sender told is never touched. The adjustment counts in
//! the event's own day and keeps its revision: nobody has told it anew.

use std::sync::Arc;

use jiff::Timestamp;

use super::decide::Known;
use super::draft::Draft;
use crate::domain::{CostEvent, CostSource, Usd};
use crate::ledger::{KeyedEvent, LedgerError};
use crate::pricing::Book;

/// Which events are to be rated, and how.
#[derive(Clone, Debug)]
pub struct RateOrder {
    /// The events; a few hundred at most, since everybody behind them waits.
    pub events: Vec<ToRate>,
    /// Which of them.
    pub which: Rateable,
    /// By which prices.
    pub book: Arc<Book>,
    /// What comes to more than this stays as it is.
    pub usd_max: Usd,
}

/// An event that may be rated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ToRate {
    /// The `seq` of its first entry.
    pub first: i64,
    /// When it happened.
    pub time: Timestamp,
}

/// Which events an order is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rateable {
    /// Those that wait for a price.
    Unpriced,
    /// Those that the book has priced.
    Priced,
}

/// What became of an order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RateAnswer {
    /// Events that cost something else now.
    pub rated: usize,
    /// Events that cost what they did.
    pub unchanged: usize,
    /// Events that the book has no price for; they stay as they are.
    pub unknown: usize,
    /// What the first two cost before.
    pub before: Usd,
    /// What they cost now.
    pub after: Usd,
}

/// What rating makes of an event.
#[derive(Clone, Debug, PartialEq)]
pub enum NewRate {
    /// It is not one of those that are to be rated.
    NotMeant,
    /// There is no price for it, or the amount would be more than an event may have.
    Unknown,
    /// It costs what it did.
    Unchanged,
    /// It stands so from now on.
    Rated(Box<CostEvent>),
}

impl Rateable {
    /// What becomes of an event as it stands.
    pub fn rate(self, event: &CostEvent, book: &Book, usd_max: Usd) -> NewRate {
        let Some(origin) = event.origin.as_deref().filter(|origin| !origin.is_repeat) else { return NewRate::NotMeant };
        match (self, &origin.cost) {
            (Self::Unpriced, CostSource::Unpriced) | (Self::Priced, CostSource::Priced(_)) => {}
            _ => return NewRate::NotMeant,
        }
        let (amount, cost) = book.cost_of(event);
        if cost == CostSource::Unpriced || amount.abs() > usd_max {
            return NewRate::Unknown;
        }
        if self == Self::Priced && amount == event.amount {
            return NewRate::Unchanged;
        }
        let mut rated = event.clone();
        rated.amount = amount;
        rated.first_recorded_at = None;
        if let Some(origin) = &mut rated.origin {
            origin.cost = cost;
            origin.amendment = origin.amendment.saturating_add(1);
        }
        NewRate::Rated(Box::new(rated))
    }
}

impl RateAnswer {
    /// Counts what becomes of an event that cost so much.
    pub fn add(&mut self, before: Usd, rate: &NewRate) {
        let after = match rate {
            NewRate::NotMeant => return,
            NewRate::Unknown => {
                self.unknown += 1;
                return;
            }
            NewRate::Unchanged => {
                self.unchanged += 1;
                before
            }
            NewRate::Rated(event) => {
                self.rated += 1;
                event.amount
            }
        };
        self.before += before;
        self.after += after;
    }
}

impl Draft<'_> {
    /// Rates events.
    pub fn rate(&mut self, order: RateOrder) -> Result<RateAnswer, LedgerError> {
        let RateOrder { events, which, book, usd_max } = order;
        let before = self.events.len();
        let mut answer = RateAnswer::default();
        for ToRate { first, .. } in events {
            // None once retention has removed it.
            let Some(stored) = self.ledger.newest_telling(first)? else { continue };
            let day = self.ledger.day_of(stored.event.time);
            let keyed = self.ledger.keyed(stored.event.clone());
            let known = self.events.known(&keyed, |_| Ok::<_, LedgerError>(Some(Known::recorded(stored.clone(), day))))?;
            let Some(known) = known else { continue };
            let rate = which.rate(&known.event, &book, usd_max);
            answer.add(known.event.amount, &rate);
            if let NewRate::Rated(event) = rate {
                self.events.revise(known, KeyedEvent { event: *event, ..keyed });
            }
        }
        self.settle_behind(before)?;
        Ok(answer)
    }
}
