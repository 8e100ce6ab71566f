//! What follows when the budget time zone changes: the same events, counted in other days.
//!
//! *Invariants.* One transaction. Only events whose day differs are moved, so the sums of events that retention removed stay
//! in the days they were counted in. No event changes. Events that the rollups do not count yet have no day to be moved from.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use rusqlite::{Connection, TransactionBehavior};

use super::checksum::digest_replace;
use super::events::each_event;
use super::row::{RowWriter, checksum_of, write_row};
use super::rows::{DayRow, PairRow};
use super::segment::{SEGMENT_EVENTS, Segment};
use super::state::State;
use super::sums::read_day_pairs;
use super::{LedgerError, meta};
use crate::domain::{BudgetZone, Folded, Name, Pair, Sums, Usd};

/// What a pair of a day gains (or loses).
#[derive(Clone, Copy, Default)]
struct Shift {
    charges: Usd,
    credits: Usd,
    entries: i64,
}

type Shifts = BTreeMap<Date, BTreeMap<Pair, Shift>>;

impl State {
    /// Counts every event's day anew in `zone`. Takes time with the number of events.
    ///
    /// # Errors
    /// The ledger is damaged or cannot be written; nothing has changed then.
    pub fn recount(&mut self, connection: &mut Connection, zone: &BudgetZone) -> Result<(), LedgerError> {
        let (mut head, mut days) = (self.head.clone(), self.days.clone());
        let first = head.pruned_segments * SEGMENT_EVENTS + 1;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut shifts = Shifts::new();
        let mut segment_days: BTreeMap<i64, BTreeSet<Date>> = BTreeMap::new();
        each_event(&transaction, first, head.rolled_up.events, |stored, _| {
            let (from, to) = (self.zone.day_of(stored.event.time), zone.day_of(stored.event.time));
            segment_days.entry(Segment::number_of(stored.seq)).or_default().insert(to);
            if from != to {
                let pair = Pair { service: stored.event.service.clone(), operation: stored.event.operation.clone() };
                let sums = Sums::of(&stored.event, &stored.entry);
                shifts.entry(to).or_default().entry(pair.clone()).or_default().add(&sums, 1);
                shifts.entry(from).or_default().entry(pair).or_default().add(&sums, -1);
            }
            Ok(())
        })?;
        for (day, shifts) in shifts {
            let before = days.remove(&day);
            let before_checksum = before.as_ref().map(checksum_of).transpose()?;
            let after = rewrite_day(&transaction, day, before.as_ref(), shifts)?;
            let after_checksum = after.as_ref().map_or(Ok(0), checksum_of)?;
            head.days_digest = digest_replace(head.days_digest, before_checksum, after_checksum);
            days.extend(after.map(|row| (day, row)));
        }
        for mut segment in Segment::read_all(&transaction)? {
            if let Some(days) = segment_days.remove(&segment.number) {
                segment.days = days;
                segment.write(&transaction)?;
            }
        }
        meta::set_time_zone(&transaction, zone.name())?;
        head.write(&transaction)?;
        transaction.commit()?;
        *self = Self::read(connection)?;
        Ok(())
    }
}

impl Shift {
    fn add(&mut self, sums: &Sums, sign: i64) {
        let signed = |amount: Usd| if sign < 0 { -amount } else { amount };
        self.charges += signed(sums.charges);
        self.credits += signed(sums.credits);
        self.entries += sign * sums.entries.cast_signed();
    }
}

/// Applies the shifts to a day's rows; `None` when no event is left in it.
fn rewrite_day(
    connection: &Connection,
    day: Date,
    before: Option<&DayRow>,
    shifts: BTreeMap<Pair, Shift>,
) -> Result<Option<DayRow>, LedgerError> {
    let rows_before = before.map_or(Ok(Vec::new()), |row| read_day_pairs(connection, day, row))?;
    let mut pairs: BTreeMap<Pair, Sums> = rows_before.into_iter().map(|row| (row.pair, row.sums)).collect();
    let others = pairs.keys().filter(|pair| pair.operation == Name::other());
    let other_spellings: BTreeMap<Folded, Pair> = others.map(|pair| (Folded::of(&pair.service), pair.clone())).collect();
    for (pair, shift) in shifts {
        // On a day with more names than rollups tell apart, a name without a row was counted under `other`: its service's, that of a
        // budget's spelling of the service, or that of everything.
        let is_folded = shift.entries < 0 && !pairs.contains_key(&pair);
        let of_service = Pair { operation: Name::other(), ..pair.clone() };
        let counted_under = match is_folded {
            false => pair,
            true if pairs.contains_key(&of_service) => of_service,
            true => other_spellings.get(&Folded::of(&pair.service)).cloned().unwrap_or_else(Pair::other),
        };
        let sums = pairs.entry(counted_under).or_default();
        sums.charges += shift.charges;
        sums.credits += shift.credits;
        sums.entries = sums
            .entries
            .checked_add_signed(shift.entries)
            .ok_or_else(|| LedgerError::Damaged(format!("{day} has fewer events than are to be moved from it")))?;
    }
    pairs.retain(|_, sums| sums.entries > 0);
    connection.execute("DELETE FROM rollup_pair WHERE day = ?", [day.to_string()])?;
    connection.execute("DELETE FROM rollup_day WHERE day = ?", [day.to_string()])?;
    if pairs.is_empty() {
        return Ok(None);
    }
    let mut row = DayRow { pairs: pairs.len() as i64, ..DayRow::empty(day) };
    let mut writer = RowWriter::insert(connection)?;
    for (pair, sums) in pairs {
        row.sums += sums;
        row.pairs_digest = digest_replace(row.pairs_digest, None, writer.write(&PairRow { day, pair, sums })?);
    }
    write_row(connection, &row)?;
    Ok(Some(row))
}
