//! The table of reservations, and how one is found by its id.
//!
//! *Invariants.* A change is written in the transaction of whatever caused it: the grant, the event that settles it, the tick that
//! finds it lapsed. The head row has a digest over the rows that are held, so no hold can vanish unnoticed.
//!
//! *Limits.* [`UNPAID_IDS_MAX`] ids of expired and released reservations in memory; beyond it, each new id is looked for among them
//! on the disk.

mod rows;

use std::collections::{BTreeMap, HashSet};

use rusqlite::Connection;

use super::LedgerError;
use super::checksum::digest_replace;
use super::events::StoredEvent;
use super::head::Head;
use super::row::{RowWriter, checksum_of, each_row, read_row, read_rows};
use super::segment::Segment;
use crate::domain::{EventKey, ReservationStage, ReservationState, Usd};

pub use rows::{ReservationChange, StoredReservation};

/// Expired and released reservations whose ids are kept in memory, so that a new id need not be looked for among them on the disk:
/// some 4 MB.
const UNPAID_IDS_MAX: usize = 262_144;

/// Conditions that repeat the one of the index over open reservations: from the second half alone SQLite would not see that the
/// index serves, and read all rows.
pub(super) const HELD: &str = "state IN ('held', 'expired') AND state = 'held'";
pub(super) const EXPIRED: &str = "state IN ('held', 'expired') AND state = 'expired'";

/// Hashes of the ids of reservations that have expired or were released, the only ones that are looked for by id.
#[derive(Debug, Default)]
pub(super) struct UnpaidIds {
    hashes: HashSet<u64>,
    /// Whether there are more of them than are held here.
    is_partial: bool,
}

/// Every reservation that is held, oldest first, proven complete.
pub(super) fn read_open(connection: &Connection, head: &Head) -> Result<Vec<StoredReservation>, LedgerError> {
    let held = read_held(connection)?;
    check_held(&held, head)?;
    Ok(held)
}

/// The key of the event that settles a reservation.
pub(super) fn key_of(id: &str) -> EventKey {
    EventKey { source: "".into(), id: id.into() }
}

impl UnpaidIds {
    /// Those in the file.
    pub fn read(connection: &Connection, hash: impl Fn(&EventKey) -> u64) -> Result<Self, LedgerError> {
        let mut ids = Self::default();
        // What has expired first: an event may still come for it.
        for sql in [
            format!("SELECT id FROM reservation WHERE {EXPIRED} ORDER BY seq DESC LIMIT ?"),
            "SELECT id FROM reservation WHERE state IN ('expired', 'released') LIMIT ?".to_owned(),
        ] {
            let mut statement = connection.prepare_cached(&sql)?;
            let mut rows = statement.query([UNPAID_IDS_MAX as i64 + 1])?;
            while let Some(row) = rows.next()? {
                ids.insert(hash(&key_of(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?)));
            }
        }
        Ok(ids)
    }

    /// Takes over what a commit has written.
    pub fn apply(&mut self, changes: &[ReservationChange], hash: impl Fn(&EventKey) -> u64) {
        for ReservationChange { before, after } in changes {
            let hash = || hash(&key_of(&after.reservation.request.id));
            match stage(after) {
                ReservationStage::Expired | ReservationStage::Released => self.insert(hash()),
                // Of those that were held it has none.
                ReservationStage::Settled if before.as_ref().map(stage) == Some(ReservationStage::Expired) => {
                    self.hashes.remove(&hash());
                }
                ReservationStage::Settled | ReservationStage::Held => {}
            }
        }
    }

    /// Lets go of an id that the file has no more.
    pub fn forget(&mut self, id_hash: u64) {
        self.hashes.remove(&id_hash);
    }

    fn insert(&mut self, id_hash: u64) {
        if self.hashes.len() < UNPAID_IDS_MAX {
            self.hashes.insert(id_hash);
        } else {
            self.is_partial |= !self.hashes.contains(&id_hash);
        }
    }

    /// Whether the file may have a reservation under this id. `false` is certain.
    pub fn may_contain(&self, id_hash: u64) -> bool {
        self.is_partial || self.hashes.contains(&id_hash)
    }
}

/// Writes a commit's part, and keeps what the head row says of reservations.
pub(super) fn write(connection: &Connection, changes: &[ReservationChange], head: &mut Head) -> Result<(), LedgerError> {
    for ReservationChange { before, after } in changes {
        let (was, is) = (before.as_ref().map(stage), stage(after));
        let held_before = before.as_ref().filter(|before| stage(before) == ReservationStage::Held);
        let held_before = held_before.map(checksum_of).transpose()?;
        let mut writer = if before.is_none() { RowWriter::insert(connection)? } else { RowWriter::update(connection)? };
        let checksum = writer.write(after)?;
        let held_after = if is == ReservationStage::Held { checksum } else { 0 };
        head.held_digest = digest_replace(head.held_digest, held_before, held_after);
        head.held += i64::from(is == ReservationStage::Held) - i64::from(was == Some(ReservationStage::Held));
        let expired = |stage| stage == ReservationStage::Expired;
        head.expired += i64::from(expired(is)) - i64::from(was.is_some_and(expired));
        head.reservations = head.reservations.max(after.seq);
    }
    Ok(())
}

fn stage(stored: &StoredReservation) -> ReservationStage {
    stored.reservation.state.stage()
}

/// What is wrong with the table, for [`super::verify()`]. `standing` has what adjusted events cost, by the `seq` of their first entry.
pub(super) fn problems(
    connection: &Connection,
    head: &Head,
    standing: &BTreeMap<i64, Usd>,
) -> Result<Vec<String>, LedgerError> {
    let mut found = Vec::new();
    let held = read_held(connection)?;
    if let Err(error) = check_held(&held, head) {
        found.push(error.to_string());
    }
    let (mut newest, mut expired) = (0, 0);
    each_row(connection, "ORDER BY seq", (), |stored: StoredReservation, _| {
        newest = stored.seq;
        expired += i64::from(stored.reservation.state == ReservationState::Expired);
        found.extend(event_problem(connection, head, &stored, standing)?);
        Ok(())
    })?;
    if newest > head.reservations || expired != head.expired {
        found.push("rows of reservation are missing or belong to another state".into());
    }
    Ok(found)
}

/// Whether a reservation and the event that settled it say the same.
fn event_problem(
    connection: &Connection,
    head: &Head,
    stored: &StoredReservation,
    standing: &BTreeMap<i64, Usd>,
) -> Result<Option<String>, LedgerError> {
    let amount = match (&stored.reservation.state, stored.event_seq) {
        (ReservationState::Settled { amount }, Some(_)) => Some(*amount),
        (ReservationState::Settled { .. }, None) | (_, Some(_)) => {
            return Ok(Some(format!("reservation {} and its event do not belong together", stored.seq)));
        }
        _ => None,
    };
    let Some(event_seq) = stored.event_seq else { return Ok(None) };
    let differs = match super::events::event_at(connection, event_seq)? {
        Some(event) => {
            let costs = standing.get(&event.seq).copied().unwrap_or(event.event.amount);
            Some(costs) != amount || *event.event.key.id != *stored.reservation.request.id
        }
        // Retention removes whole segments.
        None => event_seq < 1 || Segment::number_of(event_seq) >= head.pruned_segments,
    };
    Ok(differs.then(|| format!("reservation {} does not say what its event says", stored.seq)))
}

fn read_held(connection: &Connection) -> Result<Vec<StoredReservation>, LedgerError> {
    read_rows(connection, &format!("WHERE {HELD} ORDER BY seq"), ())
}

fn check_held(held: &[StoredReservation], head: &Head) -> Result<(), LedgerError> {
    let mut digest = 0_i64;
    for stored in held {
        digest = digest.wrapping_add(checksum_of(stored)?);
    }
    if held.len() as i64 != head.held || digest != head.held_digest {
        return Err(LedgerError::Damaged("rows of held reservations are missing or belong to another state".into()));
    }
    Ok(())
}

/// The reservation under an id that expired or was released.
pub(super) fn unpaid(connection: &Connection, id: &str) -> Result<Option<StoredReservation>, LedgerError> {
    let found = read_row(connection, "WHERE id = ? AND state IN ('expired', 'released')", [id])?;
    Ok(found.map(|(stored, _)| stored))
}

/// The reservation that an event has settled, if it did.
pub(super) fn settled_by(connection: &Connection, event: &StoredEvent) -> Result<Option<StoredReservation>, LedgerError> {
    let Some(seq) = event.reservation else { return Ok(None) };
    Ok(read_row(connection, "WHERE seq = ?", [seq])?.map(|(stored, _)| stored))
}

/// Those that expired and were neither settled nor released, oldest first, with a `seq` greater than `after`.
pub(super) fn read_expired(connection: &Connection, after: i64, limit: u32) -> Result<Vec<StoredReservation>, LedgerError> {
    let which = format!("WHERE {EXPIRED} AND seq > ? ORDER BY seq LIMIT ?");
    read_rows(connection, &which, [after, i64::from(limit)])
}

#[cfg(test)]
pub(super) mod tests;
