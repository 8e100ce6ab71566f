//! What the ledger lets go: ids that no retry can carry any more, raw events that the operator does not want to keep,
//! reservations that ended long ago, and what budgets counted in periods that nobody asks for.
//!
//! *Invariants.* Sums stay for ever. What is let go is gone from the file before it is gone from memory. Rows are not proven here:
//! one that is damaged must go as well, and holds up no recording.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use super::head::Head;
use super::ids::{BLOCK_SEGMENTS, IdIndex};
use super::reservations::key_of;
use super::row::nanoseconds;
use super::segment::{SEGMENT_EVENTS, Segment};
use super::state::State;
use super::{LedgerError, calls};

/// Reservations looked at in one step.
const RESERVATIONS_PER_STEP: i64 = 1_000;

/// A reservation as it is looked at here.
struct Aged {
    seq: i64,
    id: String,
    is_expired: bool,
    /// It ended before the horizon, or was granted before it and has not ended.
    is_old: bool,
    is_over: bool,
}

impl State {
    /// See [`Ledger::forget_ids`](super::Ledger::forget_ids).
    pub fn forget_ids(&mut self, connection: &mut Connection, horizon: Timestamp) -> Result<bool, LedgerError> {
        let Some(block) = self.ids.forgettable(horizon) else { return Ok(false) };
        let head = Head { forgotten_blocks: block + 1, ..self.head.clone() };
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        head.write(&transaction)?;
        IdIndex::delete_block(&transaction, block)?;
        calls::forget_spans(&transaction, (block + 1) * BLOCK_SEGMENTS * SEGMENT_EVENTS)?;
        transaction.commit()?;
        self.head = head;
        self.ids.forget(block);
        Ok(true)
    }

    /// See [`Ledger::prune`](super::Ledger::prune).
    pub fn prune(&mut self, connection: &mut Connection, keep: SignedDuration, now: Timestamp) -> Result<bool, LedgerError> {
        let number = self.head.pruned_segments;
        let sql = "SELECT newest_recorded_at_ns FROM segment WHERE segment = ?";
        let newest: Option<i64> = connection.prepare_cached(sql)?.query_row([number], |row| row.get(0)).optional()?;
        let horizon = now.checked_sub(keep).unwrap_or(Timestamp::MIN);
        if newest.is_none_or(|newest| i128::from(newest) >= horizon.as_nanosecond()) {
            return Ok(false);
        }
        let (first, last) = Segment::bounds(number);
        // What some budget has not counted yet is needed again.
        if self.meters.counting().any(|meter| meter.counted_to < last) {
            return Ok(false);
        }
        let head = Head { pruned_segments: number + 1, ..self.head.clone() };
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute("DELETE FROM event WHERE seq BETWEEN ? AND ?", [first, last])?;
        let unpriced = calls::prune_unpriced(&transaction, last)?;
        head.write(&transaction)?;
        transaction.commit()?;
        self.head = head;
        self.unpriced_changes.extend(unpriced);
        Ok(true)
    }

    /// See [`Ledger::forget_reservations`](super::Ledger::forget_reservations).
    pub fn forget_reservations(&mut self, connection: &mut Connection, horizon: Timestamp) -> Result<u64, LedgerError> {
        let oldest = self.oldest_reservations(connection, horizon)?;
        let gone: Vec<&Aged> = oldest.iter().filter(|aged| aged.is_old && aged.is_over).collect();
        let expired = gone.iter().filter(|aged| aged.is_expired).count();
        if !gone.is_empty() {
            let head = Head { expired: self.head.expired - expired as i64, ..self.head.clone() };
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            for aged in &gone {
                transaction.prepare_cached("DELETE FROM reservation WHERE seq = ?")?.execute([aged.seq])?;
            }
            head.write(&transaction)?;
            transaction.commit()?;
            self.head = head;
        }
        for aged in &gone {
            self.unpaid_ids.forget(self.ids.hash(&key_of(&aged.id)));
        }
        let passed = oldest.iter().take_while(|aged| aged.is_old).last();
        self.reservations_looked_at = passed.map_or(self.reservations_looked_at, |aged| aged.seq);
        Ok(expired as u64)
    }

    /// See [`Ledger::forget_tallies`](super::Ledger::forget_tallies).
    pub fn forget_tallies(
        &mut self,
        connection: &mut Connection,
        meter: i64,
        before: Timestamp,
    ) -> Result<bool, LedgerError> {
        let mut head = self.head.clone();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let Some((row, has_more)) = self.meters.remove_old(&transaction, meter, before, &mut head)? else {
            return Ok(false);
        };
        head.write(&transaction)?;
        transaction.commit()?;
        self.head = head;
        self.meters.apply(vec![row]);
        Ok(has_more)
    }

    /// See [`Ledger::sweep_meters`](super::Ledger::sweep_meters).
    pub fn sweep_meters(&mut self, connection: &mut Connection) -> Result<bool, LedgerError> {
        let Some(id) = self.meters.forgotten() else { return Ok(false) };
        let mut head = self.head.clone();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let has_more = self.meters.remove_forgotten(&transaction, id, &mut head)?;
        head.write(&transaction)?;
        transaction.commit()?;
        self.head = head;
        if !has_more {
            self.meters.remove(id);
        }
        Ok(self.meters.forgotten().is_some())
    }

    fn oldest_reservations(&self, connection: &Connection, horizon: Timestamp) -> Result<Vec<Aged>, LedgerError> {
        let mut statement = connection.prepare_cached(
            "SELECT seq, id, state, coalesce(ended_at_ns, created_at_ns) < ?, ended_at_ns IS NOT NULL FROM reservation \
             WHERE seq > ? ORDER BY seq LIMIT ?",
        )?;
        let bounds = [nanoseconds(horizon), self.reservations_looked_at, RESERVATIONS_PER_STEP];
        let oldest = statement.query_map(bounds, |row| {
            let is_expired = row.get_ref(2)?.as_str()? == "expired";
            Ok(Aged { seq: row.get(0)?, id: row.get(1)?, is_expired, is_old: row.get(3)?, is_over: row.get(4)? })
        })?;
        Ok(oldest.collect::<Result<_, _>>()?)
    }
}
