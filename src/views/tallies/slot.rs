//! What a table keeps of one key under one column, in a third of the room that it takes elsewhere.

use jiff::Timestamp;

use super::tally::Tally;
use crate::budget::Amounts;
use crate::domain::Reached;

/// What a budget knows of a key: a tally, or what is set aside, of which the amounts are all.
#[derive(Debug)]
pub(super) struct Slot {
    /// Of which budget and span.
    pub column: u32,
    amounts: Packed,
    reached: i64,
    /// Of a tally the last entry that changed it; of what is set aside the commit.
    newest: i64,
}

/// What is set aside for a key.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Reserved {
    pub amounts: Amounts,
    /// Which of the commits that changed keys of its budget changed it last.
    pub generation: i64,
}

/// Amounts of one unit nearly always, and of less than nine million dollars.
#[derive(Debug)]
enum Packed {
    One(i64),
    Others(Box<Amounts>),
}

/// In place of a time of an event, which is recorded in 64 bits of nanoseconds and lies after 1970.
const NEVER: i64 = i64::MIN;
const SOME_TIME: i64 = i64::MIN + 1;

impl Slot {
    pub fn of_tally(column: u32, tally: &Tally) -> Self {
        let reached = match tally.reached {
            Reached::Never => NEVER,
            Reached::SomeTime => SOME_TIME,
            Reached::At(time) => i64::try_from(time.as_nanosecond()).unwrap_or(SOME_TIME),
        };
        Self { column, amounts: Packed::of(&tally.spent), reached, newest: tally.counted_to }
    }

    pub fn of_reserved(column: u32, Reserved { amounts, generation }: &Reserved) -> Self {
        Self { column, amounts: Packed::of(amounts), reached: NEVER, newest: *generation }
    }

    pub fn tally(&self) -> Tally {
        let reached = match self.reached {
            NEVER => Reached::Never,
            SOME_TIME => Reached::SomeTime,
            at => Timestamp::from_nanosecond(i128::from(at)).map_or(Reached::SomeTime, Reached::At),
        };
        Tally { spent: self.amounts(), reached, counted_to: self.newest }
    }

    pub fn reserved(&self) -> Reserved {
        Reserved { amounts: self.amounts(), generation: self.newest }
    }

    fn amounts(&self) -> Amounts {
        match &self.amounts {
            Packed::One(amount) => Amounts::from_buf([i128::from(*amount)]),
            Packed::Others(amounts) => Amounts::clone(amounts),
        }
    }
}

impl Packed {
    fn of(amounts: &Amounts) -> Self {
        match amounts.as_slice() {
            [amount] if i64::try_from(*amount).is_ok() => Self::One(i64::try_from(*amount).unwrap_or_default()),
            _ => Self::Others(Box::new(amounts.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_put_in_comes_out() {
        let at = Reached::At("2026-11-22T12:00:00.123456789Z".parse().unwrap());
        let (most, least) = (i128::from(i64::MAX), i128::from(i64::MIN));
        for amounts in
            [&[0][..], &[-1], &[most], &[most + 1], &[least], &[least - 1], &[i128::MAX], &[], &[1, 2], &[0, 0, 7]]
        {
            for reached in [Reached::Never, Reached::SomeTime, at] {
                let tally = Tally { spent: Amounts::from_slice(amounts), reached, counted_to: 42 };
                assert_eq!(Slot::of_tally(3, &tally).tally(), tally);
                let reserved = Reserved { amounts: tally.spent, generation: 7 };
                assert_eq!(Slot::of_reserved(3, &reserved).reserved(), reserved);
            }
        }
        assert!(size_of::<Slot>() <= 40);
    }
}
