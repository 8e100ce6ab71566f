//! What budgets have counted, and limits that were set in place of those of the settings.
//!
//! A *meter* is one for each budget that is counted, with a definition that the ledger does not read. Its *tallies* say what was spent
//! under each key in each period, up to an entry. Whoever counts writes them now and then; what is behind `counted_to` a start counts anew.
//!
//! *Invariants.* A meter's row has a digest over its tallies, the head row one over the meters: none can be lost, or come back from another
//! state, unnoticed. All of it changes in the transaction that writes a tally. Retention keeps the entries that a meter lacks.
//!
//! *Limits.* Meters are in memory, as many as there are budgets; tallies never. A meter that is forgotten may have very many: its row
//! stays, marked, until they are removed in steps of [`TALLIES_FORGOTTEN_MAX`].

pub(super) mod overrides;
mod rows;

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::LedgerError;
use super::checksum::digest_replace;
use super::head::Head;
use super::row::{RowWriter, checksum_of, each_row, read_row};
use crate::domain::LimitOverride;

pub(super) use rows::MeterRow;
use rows::Since;
pub use rows::{StoredMeter, StoredTally};

/// Tallies that one transaction removes: some ten milliseconds.
pub const TALLIES_FORGOTTEN_MAX: usize = 2_000;

/// What a commit changes of what budgets have counted, and of their limits. In this order: a meter may take the place of one that is
/// forgotten, and tallies are of the meters as they are then.
#[derive(Clone, Debug, Default)]
pub struct BudgetChanges {
    /// Meters, by their ids, that count no more. Their tallies go in the steps of
    /// [`Ledger::sweep_meters`](super::Ledger::sweep_meters).
    pub forgotten_meters: Vec<i64>,
    /// Meters that are new, or what they are to be. Their tallies stay.
    pub meters: Vec<StoredMeter>,
    /// Tallies that are new, or what they are to be; each once.
    pub tallies: Vec<StoredTally>,
    /// New lines of the history of overridden limits.
    pub overrides: Vec<LimitOverride>,
}

impl BudgetChanges {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        let Self { forgotten_meters, meters, tallies, overrides } = self;
        forgotten_meters.is_empty() && meters.is_empty() && tallies.is_empty() && overrides.is_empty()
    }
}

/// The meters, those that are forgotten included.
#[derive(Debug, Default)]
pub(super) struct Meters(BTreeMap<i64, MeterRow>);

impl Meters {
    /// Those in the file, proven complete.
    pub fn read(connection: &Connection, head: &Head) -> Result<Self, LedgerError> {
        let (mut meters, mut digest) = (BTreeMap::new(), 0_i64);
        each_row(connection, "", (), |row: MeterRow, checksum| {
            digest = digest.wrapping_add(checksum);
            meters.insert(row.meter.id, row);
            Ok(())
        })?;
        if digest != head.meters_digest {
            return Err(LedgerError::Damaged("rows of budget_meter are missing or belong to another state".into()));
        }
        Ok(Self(meters))
    }

    /// Those that count.
    pub fn counting(&self) -> impl Iterator<Item = &StoredMeter> {
        self.0.values().filter(|row| !row.is_forgotten).map(|row| &row.meter)
    }

    /// The row of a meter that counts.
    pub fn get(&self, id: i64) -> Option<&MeterRow> {
        self.0.get(&id).filter(|row| !row.is_forgotten)
    }

    /// Some meter that is forgotten and still has its row.
    pub fn forgotten(&self) -> Option<i64> {
        self.0.values().find(|row| row.is_forgotten).map(|row| row.meter.id)
    }

    /// An id that no meter has.
    pub fn next(&self) -> i64 {
        self.0.last_key_value().map_or(1, |(newest, _)| newest + 1)
    }

    /// Writes a commit's part, and returns the rows that it changes.
    pub fn write(
        &self,
        connection: &Connection,
        changes: &BudgetChanges,
        head: &mut Head,
    ) -> Result<Vec<MeterRow>, LedgerError> {
        let mut changed: BTreeMap<i64, MeterRow> = BTreeMap::new();
        for row in changes.forgotten_meters.iter().filter_map(|id| self.get(*id)) {
            changed.insert(row.meter.id, MeterRow { is_forgotten: true, ..row.clone() });
        }
        for meter in &changes.meters {
            let known = changed.get(&meter.id).or_else(|| self.0.get(&meter.id));
            if known.is_some_and(|known| known.is_forgotten) {
                // What is left of it is of something else. Seldom, so not in steps.
                connection.execute("DELETE FROM budget_tally WHERE meter = ?", [meter.id])?;
            }
            let tallies_digest = known.filter(|known| !known.is_forgotten).map_or(0, |known| known.tallies_digest);
            changed.insert(meter.id, MeterRow { meter: meter.clone(), is_forgotten: false, tallies_digest });
        }
        self.write_tallies(connection, &changes.tallies, &mut changed)?;
        let mut writer = RowWriter::insert(connection)?;
        for row in changed.values() {
            let before = self.0.get(&row.meter.id).map(checksum_of).transpose()?;
            head.meters_digest = digest_replace(head.meters_digest, before, writer.write(row)?);
        }
        Ok(changed.into_values().collect())
    }

    fn write_tallies(
        &self,
        connection: &Connection,
        tallies: &[StoredTally],
        changed: &mut BTreeMap<i64, MeterRow>,
    ) -> Result<(), LedgerError> {
        let mut ordered: Vec<&StoredTally> = tallies.iter().collect();
        // In the order of the table its pages are read and written once each.
        ordered.sort_unstable_by_key(|tally| (tally.meter, tally.span_start, &tally.key));
        let mut before = connection
            .prepare_cached("SELECT checksum FROM budget_tally WHERE meter = ? AND span_start_ns = ? AND key = ?")?;
        let mut writer: RowWriter<'_, StoredTally> = RowWriter::insert(connection)?;
        for of_meter in ordered.chunk_by(|tally, next| tally.meter == next.meter) {
            let id = of_meter[0].meter;
            let known = changed.get(&id).or_else(|| self.0.get(&id)).filter(|known| !known.is_forgotten);
            let mut row = known.cloned().ok_or_else(|| no_meter(id))?;
            for tally in of_meter {
                let key = params![id, Since::ns(tally.span_start), &*tally.key];
                let before = before.query_row(key, |row| row.get(0)).optional()?;
                row.tallies_digest = digest_replace(row.tallies_digest, before, writer.write(tally)?);
            }
            changed.insert(id, row);
        }
        Ok(())
    }

    /// Takes over rows that were written.
    pub fn apply(&mut self, rows: Vec<MeterRow>) {
        self.0.extend(rows.into_iter().map(|row| (row.meter.id, row)));
    }

    /// Hands over a meter's tallies, in the order of their periods and keys, and proves in the end that it was all of them.
    pub fn each_tally(
        &self,
        connection: &Connection,
        id: i64,
        take: impl FnMut(StoredTally) -> Result<(), LedgerError>,
    ) -> Result<(), LedgerError> {
        each_tally(connection, self.get(id).ok_or_else(|| no_meter(id))?, take)
    }

    /// Removes some tallies of a meter that counts, of periods that began before a time. Returns what the meter's row is now, if
    /// there were any, and whether there may be more.
    pub fn remove_old(
        &self,
        connection: &Connection,
        id: i64,
        before: Timestamp,
        head: &mut Head,
    ) -> Result<Option<(MeterRow, bool)>, LedgerError> {
        let Some(row) = self.get(id) else { return Ok(None) };
        let removed = remove_tallies(connection, id, Since::ns(before))?;
        if removed.count == 0 {
            return Ok(None);
        }
        // A start must not take what is left for all that was counted.
        let meter = StoredMeter { counted_from: row.meter.counted_from.max(before), ..row.meter.clone() };
        let tallies_digest = row.tallies_digest.wrapping_sub(removed.digest);
        let after = MeterRow { meter, tallies_digest, ..row.clone() };
        let checksum = RowWriter::insert(connection)?.write(&after)?;
        head.meters_digest = digest_replace(head.meters_digest, Some(checksum_of(row)?), checksum);
        Ok(Some((after, removed.count == TALLIES_FORGOTTEN_MAX)))
    }

    /// Removes some tallies of a meter that is forgotten, and its row once it has none. Returns whether it has still some.
    pub fn remove_forgotten(&self, connection: &Connection, id: i64, head: &mut Head) -> Result<bool, LedgerError> {
        if remove_tallies(connection, id, i64::MAX)?.count == TALLIES_FORGOTTEN_MAX {
            return Ok(true);
        }
        connection.execute("DELETE FROM budget_meter WHERE id = ?", [id])?;
        let checksum = self.0.get(&id).map(checksum_of).transpose()?;
        head.meters_digest = digest_replace(head.meters_digest, checksum, 0);
        Ok(false)
    }

    /// Lets go of a meter whose row is removed.
    pub fn remove(&mut self, id: i64) {
        self.0.remove(&id);
    }
}

/// Tallies that were removed.
struct Removed {
    count: usize,
    /// What their checksums add up to.
    digest: i64,
}

fn remove_tallies(connection: &Connection, meter: i64, before_ns: i64) -> Result<Removed, LedgerError> {
    let mut statement = connection.prepare_cached(
        "DELETE FROM budget_tally WHERE meter = ?1 AND (span_start_ns, key) IN \
         (SELECT span_start_ns, key FROM budget_tally WHERE meter = ?1 AND span_start_ns < ?2 \
         ORDER BY span_start_ns, key LIMIT ?3) RETURNING checksum",
    )?;
    let removed = statement.query_map(params![meter, before_ns, TALLIES_FORGOTTEN_MAX as i64], |row| row.get(0))?;
    let checksums: Vec<i64> = removed.collect::<Result<_, _>>()?;
    let digest = checksums.iter().fold(0_i64, |digest, checksum| digest.wrapping_add(*checksum));
    Ok(Removed { count: checksums.len(), digest })
}

fn no_meter(id: i64) -> LedgerError {
    LedgerError::Damaged(format!("budget_meter has no row {id}"))
}

fn each_tally(
    connection: &Connection,
    row: &MeterRow,
    mut take: impl FnMut(StoredTally) -> Result<(), LedgerError>,
) -> Result<(), LedgerError> {
    let mut digest = 0_i64;
    each_row(connection, "WHERE meter = ? ORDER BY span_start_ns, key", [row.meter.id], |tally, checksum| {
        digest = digest.wrapping_add(checksum);
        take(tally)
    })?;
    if digest == row.tallies_digest {
        return Ok(());
    }
    let budget = &row.meter.budget;
    Err(LedgerError::Damaged(format!("rows of budget_tally for {budget:?} are missing or belong to another state")))
}

/// The tally of one key in one period.
pub(super) fn find_tally(
    connection: &Connection,
    meter: i64,
    span_start: Timestamp,
    key: &str,
) -> Result<Option<StoredTally>, LedgerError> {
    let wanted = params![meter, Since::ns(span_start), key];
    let found = read_row(connection, "WHERE meter = ? AND span_start_ns = ? AND key = ?", wanted)?;
    Ok(found.map(|(tally, _)| tally))
}

/// What is wrong with the tables, for [`super::verify()`]. No entry has a `seq` above `newest`.
pub(super) fn problems(connection: &Connection, head: &Head, newest: i64) -> Result<Vec<String>, LedgerError> {
    let mut found = Vec::new();
    let mut note = |result: Result<(), LedgerError>| found.extend(result.err().map(|error| error.to_string()));
    let mut tallies = 0_i64;
    match Meters::read(connection, head) {
        Err(error) => note(Err(error)),
        Ok(meters) => {
            for row in meters.0.values() {
                let budget = &row.meter.budget;
                let mut is_ahead = row.meter.counted_to > newest;
                let all = each_tally(connection, row, |tally| {
                    tallies += 1;
                    is_ahead |= tally.counted_to > newest;
                    Ok(())
                });
                // Of one that is forgotten a part is gone.
                note(if row.is_forgotten { Ok(()) } else { all });
                if is_ahead {
                    note(Err(LedgerError::Damaged(format!("budget {budget:?} has counted entries that are not there"))));
                }
            }
            let stored: i64 = connection.query_row("SELECT count(*) FROM budget_tally", (), |row| row.get(0))?;
            if stored != tallies {
                note(Err(LedgerError::Damaged("budget_tally has rows of meters that do not exist".into())));
            }
        }
    }
    note(overrides::newest(connection, head).map(drop));
    Ok(found)
}

#[cfg(test)]
mod tests;
