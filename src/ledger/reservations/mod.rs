//! The table of reservations, and how one is found by its id.
//!
//! *Invariants.* A change is written in the transaction of whatever caused it: the grant, the event that commits it, the tick that
//! finds it lapsed. The head row has a digest over the rows that are held, so no hold can vanish unnoticed.
//!
//! *Limits.* [`UNPAID_IDS_MAX`] ids of expired and released reservations in memory; beyond it, each new id is looked for among them
//! on the disk.

mod rows;

use std::collections::HashSet;

use jiff::Timestamp;
use rusqlite::{Connection, TransactionBehavior};

use super::checksum::digest_replace;
use super::events::StoredEvent;
use super::head::Head;
use super::row::{RowWriter, checksum_of, each_row, nanoseconds, read_row, read_rows};
use super::{Ledger, LedgerError, Reader};
use crate::domain::{EventKey, Reservation, ReservationStage, ReservationState};

/// Expired and released reservations whose ids are kept in memory, so that a new id need not be looked for among them on the disk:
/// some 4 MB.
const UNPAID_IDS_MAX: usize = 262_144;
/// Rows looked at in one step of retention.
const FORGOTTEN_PER_STEP: i64 = 1_000;

/// Conditions that repeat the one of the index over open reservations: from the second half alone SQLite would not see that the
/// index serves, and read all rows.
pub(super) const HELD: &str = "state IN ('held', 'expired') AND state = 'held'";
pub(super) const EXPIRED: &str = "state IN ('held', 'expired') AND state = 'expired'";

/// A reservation as it stands in the ledger.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredReservation {
    /// Its place: 1 for the first reservation ever granted, then without gaps.
    pub seq: i64,
    /// What is on record.
    pub reservation: Reservation,
    /// The place of the event that committed it.
    pub event_seq: Option<i64>,
}

/// A reservation that a commit writes.
#[derive(Clone, Debug)]
pub struct ReservationChange {
    /// What the ledger has; `None` when it is new.
    pub before: Option<StoredReservation>,
    /// What it is to have.
    pub after: StoredReservation,
}

/// A row as retention looks at it.
struct Aged {
    seq: i64,
    id: String,
    is_expired: bool,
    /// It ended before the horizon, or was granted before it and has not ended.
    is_old: bool,
    is_over: bool,
}

/// Hashes of the ids of reservations that have expired or were released, the only ones that are looked for by id.
#[derive(Debug, Default)]
pub(super) struct UnpaidIds {
    hashes: HashSet<u64>,
    /// Whether there are more of them than are held here.
    is_partial: bool,
}

impl Ledger {
    /// Every reservation that is held, oldest first, proven complete; and how many have expired.
    ///
    /// # Errors
    /// A row is damaged, missing, or cannot be read.
    pub fn open_reservations(&self) -> Result<(Vec<StoredReservation>, u64), LedgerError> {
        let held = read_held(&self.connection)?;
        check_held(&held, &self.head)?;
        Ok((held, self.head.expired.cast_unsigned()))
    }

    /// How many reservations were ever granted: the `seq` of the newest.
    pub fn reservations(&self) -> i64 {
        self.head.reservations
    }

    /// The reservation under an id that has expired or ended, if it is remembered.
    ///
    /// # Errors
    /// A row or the index of ids is damaged or cannot be read.
    pub fn find_reservation(&self, id: &str) -> Result<Option<StoredReservation>, LedgerError> {
        let key = key_of(id);
        let id_hash = self.ids.hash(&key);
        if self.unpaid_ids.may_contain(id_hash)
            && let Some(found) = unpaid(&self.connection, id)?
        {
            return Ok(Some(found));
        }
        match self.find_hashed(&key, id_hash)? {
            Some(event) => settled_by(&self.connection, &event),
            None => Ok(None),
        }
    }

    /// The expired reservation under an id, whose hash is given.
    ///
    /// # Errors
    /// A row is damaged or cannot be read.
    pub fn find_expired(&self, id: &str, id_hash: u64) -> Result<Option<StoredReservation>, LedgerError> {
        if self.head.expired == 0 || !self.unpaid_ids.may_contain(id_hash) {
            return Ok(None);
        }
        let found = unpaid(&self.connection, id)?;
        Ok(found.filter(|found| found.reservation.state == ReservationState::Expired))
    }

    /// Forgets reservations that ended before `horizon`, some of the oldest at a time. One that was granted before it and is still
    /// held is passed over, and looked at again after the next start. Returns how many of those forgotten had expired.
    ///
    /// # Errors
    /// As for [`Ledger::commit`].
    pub fn forget_reservations(&mut self, horizon: Timestamp) -> Result<u64, LedgerError> {
        // Rows are not proven here: one that is damaged must go as well, and no total depends on it.
        let sql = format!(
            "SELECT seq, id, state, coalesce(ended_at_ns, created_at_ns) < ?, ended_at_ns IS NOT NULL FROM reservation \
             WHERE seq > ? ORDER BY seq LIMIT {FORGOTTEN_PER_STEP}"
        );
        let bounds = [nanoseconds(horizon), self.reservations_looked_at];
        let mut statement = self.connection.prepare_cached(&sql)?;
        let oldest = statement.query_map(bounds, |row| {
            let is_expired = row.get_ref(2)?.as_str()? == "expired";
            Ok(Aged { seq: row.get(0)?, id: row.get(1)?, is_expired, is_old: row.get(3)?, is_over: row.get(4)? })
        })?;
        let oldest: Vec<Aged> = oldest.collect::<Result<_, _>>()?;
        drop(statement);
        let gone: Vec<&Aged> = oldest.iter().filter(|aged| aged.is_old && aged.is_over).collect();
        let expired = gone.iter().filter(|aged| aged.is_expired).count();
        if !gone.is_empty() {
            let head = Head { expired: self.head.expired - expired as i64, ..self.head.clone() };
            let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            for aged in &gone {
                transaction.prepare_cached("DELETE FROM reservation WHERE seq = ?")?.execute([aged.seq])?;
            }
            head.write(&transaction)?;
            transaction.commit()?;
            self.head = head;
        }
        for aged in &gone {
            self.unpaid_ids.hashes.remove(&self.ids.hash(&key_of(&aged.id)));
        }
        let passed = oldest.iter().take_while(|aged| aged.is_old).last();
        self.reservations_looked_at = passed.map_or(self.reservations_looked_at, |aged| aged.seq);
        Ok(expired as u64)
    }

    /// How many have expired and were neither committed nor released.
    pub fn expired_reservations(&self) -> u64 {
        self.head.expired.cast_unsigned()
    }

    pub(super) fn load_unpaid_ids(&mut self) -> Result<(), LedgerError> {
        self.unpaid_ids = UnpaidIds::default();
        // What has expired first: an event may still come for it.
        for sql in [
            format!("SELECT id FROM reservation WHERE {EXPIRED} ORDER BY seq DESC LIMIT ?"),
            "SELECT id FROM reservation WHERE state IN ('expired', 'released') LIMIT ?".to_owned(),
        ] {
            let mut statement = self.connection.prepare_cached(&sql)?;
            let mut rows = statement.query([UNPAID_IDS_MAX as i64 + 1])?;
            while let Some(row) = rows.next()? {
                self.unpaid_ids.insert(self.ids.hash(&key_of(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?)));
            }
        }
        Ok(())
    }
}

impl UnpaidIds {
    fn insert(&mut self, id_hash: u64) {
        if self.hashes.len() < UNPAID_IDS_MAX {
            self.hashes.insert(id_hash);
        } else {
            self.is_partial |= !self.hashes.contains(&id_hash);
        }
    }

    fn may_contain(&self, id_hash: u64) -> bool {
        self.is_partial || self.hashes.contains(&id_hash)
    }
}

impl Reader {
    /// The reservation under an id, if it is remembered and known to the ledger as held, expired or ended.
    ///
    /// # Errors
    /// A row is damaged or cannot be read.
    pub fn reservation(&self, id: &str) -> Result<Option<StoredReservation>, LedgerError> {
        self.read(|transaction| {
            if let Some(found) = unpaid(transaction, id)? {
                return Ok(Some(found));
            }
            match super::ids::find_on_disk(transaction, &key_of(id))? {
                Some(event) => settled_by(transaction, &event),
                None => Ok(None),
            }
        })
    }

    /// Reservations that expired and were neither committed nor released, oldest first, with a `seq` greater than `after`.
    ///
    /// # Errors
    /// A row is damaged or cannot be read.
    pub fn expired_reservations(&self, after: i64, limit: u32) -> Result<Vec<StoredReservation>, LedgerError> {
        let which = format!("WHERE {EXPIRED} AND seq > ? ORDER BY seq LIMIT ?");
        self.read(|transaction| read_rows(transaction, &which, [after, i64::from(limit)]))
    }
}

/// Writes what changed, and keeps the head's counters and digest.
pub(super) fn write_changes(
    connection: &Connection,
    changes: &[ReservationChange],
    head: &mut Head,
    unpaid_ids: &mut UnpaidIds,
    hash: impl Fn(&EventKey) -> u64,
) -> Result<(), LedgerError> {
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
        match is {
            ReservationStage::Expired | ReservationStage::Released => {
                unpaid_ids.insert(hash(&key_of(&after.reservation.request.id)));
            }
            // Of those that are held it has none.
            ReservationStage::Settled if was.is_some_and(expired) => {
                unpaid_ids.hashes.remove(&hash(&key_of(&after.reservation.request.id)));
            }
            ReservationStage::Settled | ReservationStage::Held => {}
        }
        head.reservations = head.reservations.max(after.seq);
    }
    Ok(())
}

fn stage(stored: &StoredReservation) -> ReservationStage {
    stored.reservation.state.stage()
}

/// The key of the event that commits a reservation.
fn key_of(id: &str) -> EventKey {
    EventKey { source: "".into(), id: id.into() }
}

/// What is wrong with the table, for [`super::verify()`].
pub(super) fn problems(connection: &Connection, head: &Head) -> Result<Vec<String>, LedgerError> {
    let mut found = Vec::new();
    let held = read_held(connection)?;
    if let Err(error) = check_held(&held, head) {
        found.push(error.to_string());
    }
    let (mut newest, mut expired) = (0, 0);
    each_row(connection, "ORDER BY seq", (), |stored: StoredReservation, _| {
        newest = stored.seq;
        expired += i64::from(stored.reservation.state == ReservationState::Expired);
        found.extend(event_problem(connection, &stored)?);
        Ok(())
    })?;
    if newest > head.reservations || expired != head.expired {
        found.push("rows of reservation are missing or belong to another state".into());
    }
    Ok(found)
}

/// Whether a reservation and the event that settled it say the same.
fn event_problem(connection: &Connection, stored: &StoredReservation) -> Result<Option<String>, LedgerError> {
    let amount = match (&stored.reservation.state, stored.event_seq) {
        (ReservationState::Settled { amount }, Some(_)) => Some(*amount),
        (ReservationState::Settled { .. }, None) | (_, Some(_)) => {
            return Ok(Some(format!("reservation {} and its event do not belong together", stored.seq)));
        }
        _ => None,
    };
    let event = stored.event_seq.map(|seq| super::events::event_at(connection, seq)).transpose()?.flatten();
    // Retention may have removed the event.
    let differs = event
        .is_some_and(|event| Some(event.event.amount) != amount || *event.event.key.id != *stored.reservation.request.id);
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

fn unpaid(connection: &Connection, id: &str) -> Result<Option<StoredReservation>, LedgerError> {
    let found = read_row(connection, "WHERE id = ? AND state IN ('expired', 'released')", [id])?;
    Ok(found.map(|(stored, _)| stored))
}

/// The reservation that an event has settled, if it did.
fn settled_by(connection: &Connection, event: &StoredEvent) -> Result<Option<StoredReservation>, LedgerError> {
    let Some(seq) = event.reservation else { return Ok(None) };
    Ok(read_row(connection, "WHERE seq = ?", [seq])?.map(|(stored, _)| stored))
}
