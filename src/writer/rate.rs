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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Origin, PriceTag, UsageCount};
    use crate::pricing::PriceTable;

    /// So much for an input token of the model `m`.
    fn book(usd: &str) -> Book {
        let table = PriceTable {
            model: "m".into(),
            unit: "input_tokens".into(),
            usd: usd.parse().unwrap(),
            ..PriceTable::default()
        };
        Book::with(&[table], None).unwrap()
    }

    /// A call of three input tokens that costs so much.
    fn call(dollars: i64, cost: CostSource) -> CostEvent {
        CostEvent {
            model: Some("m".into()),
            usage: UsageCount::list(&[("input_tokens", 3)]),
            amount: Usd::from_dollars(dollars),
            origin: Some(Box::new(Origin { cost, amendment: 7, ..Origin::of("litellm") })),
            first_recorded_at: Some(Timestamp::UNIX_EPOCH),
            ..CostEvent::example()
        }
    }

    fn priced() -> CostSource {
        CostSource::Priced(PriceTag { name: "a table".into(), version: "1".into(), date: None })
    }

    /// What is made of an event, in short.
    fn rated(which: Rateable, event: &CostEvent, usd: &str) -> String {
        match which.rate(event, &book(usd), Usd::from_dollars(6)) {
            NewRate::Rated(rated) => {
                let origin = rated.origin.as_deref().unwrap();
                assert!(matches!(origin.cost, CostSource::Priced(_)) && origin.amendment == 8, "{origin:?}");
                assert_eq!((rated.revision, rated.first_recorded_at), (event.revision, None));
                rated.amount.to_string()
            }
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn those_that_are_meant_cost_what_the_book_says() {
        let repeated = |cost| {
            let mut call = call(0, cost);
            call.origin.as_mut().unwrap().is_repeat = true;
            call
        };
        let other_model = |cost| CostEvent { model: Some("another".into()), ..call(0, cost) };
        let by_worker = CostEvent { origin: None, ..call(0, CostSource::Told) };
        for (event, usd, unpriced, of_priced) in [
            (call(0, CostSource::Unpriced), "2", "6", "NotMeant"),
            (call(0, CostSource::Unpriced), "0", "0", "NotMeant"),
            (call(0, CostSource::Unpriced), "2.01", "Unknown", "NotMeant"),
            (call(5, priced()), "2", "NotMeant", "6"),
            (call(6, priced()), "2", "NotMeant", "Unchanged"),
            (call(6, priced()), "2.01", "NotMeant", "Unknown"),
            (other_model(CostSource::Unpriced), "2", "Unknown", "NotMeant"),
            (other_model(priced()), "2", "NotMeant", "Unknown"),
            (repeated(CostSource::Unpriced), "2", "NotMeant", "NotMeant"),
            (repeated(priced()), "2", "NotMeant", "NotMeant"),
            (call(0, CostSource::Told), "2", "NotMeant", "NotMeant"),
            (by_worker, "2", "NotMeant", "NotMeant"),
        ] {
            let found = [Rateable::Unpriced, Rateable::Priced].map(|which| rated(which, &event, usd));
            assert_eq!(found, [unpriced, of_priced], "{event:?} at {usd}");
        }
    }

    #[test]
    fn an_answer_says_what_was_and_what_is() {
        let mut answer = RateAnswer::default();
        let usd = Usd::from_dollars;
        answer.add(usd(2), &NewRate::Rated(Box::new(call(5, priced()))));
        answer.add(usd(3), &NewRate::Rated(Box::new(call(1, priced()))));
        answer.add(usd(10), &NewRate::Unchanged);
        answer.add(usd(100), &NewRate::Unchanged);
        answer.add(usd(1_000), &NewRate::NotMeant);
        for _ in 0..3 {
            answer.add(usd(1_000), &NewRate::Unknown);
        }
        let right = RateAnswer { rated: 2, unchanged: 2, unknown: 3, before: usd(115), after: usd(116) };
        assert_eq!(answer, right);
    }
}
