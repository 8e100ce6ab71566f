//! Where the ledger stands: counters, chains and digests over its tables, in one row that every rollup and every
//! change of a reservation writes.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::LedgerError;
use super::checksum::{Checksum, chain};
use super::rows::{nanoseconds, timestamp};

/// The newest of some events, and the chain over all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct End {
    /// How many events there are, which is the `seq` of the newest.
    pub events: i64,
    pub event_chain: i64,
    pub last_recorded_at: Option<Timestamp>,
}

/// The head row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    pub rollups: i64,
    /// The events that the rollups count. Behind them come those recorded since the newest rollup.
    pub rolled_up: End,
    /// Segments whose events retention removed.
    pub pruned_segments: i64,
    /// Blocks of segments whose ids are no longer remembered.
    pub forgotten_blocks: i64,
    pub days_digest: i64,
    pub series_digest: i64,
    pub usage_digest: i64,
    pub gate_changes: i64,
    pub gate_activations: i64,
    pub gate_chain: i64,
    /// Checksum of the row of `gate_override`; 0 without one.
    pub gate_override: i64,
    /// Reservations ever granted, which is the `seq` of the newest.
    pub reservations: i64,
    /// Those that are held.
    pub held: i64,
    /// Over the rows of those that are held.
    pub held_digest: i64,
    /// Those that expired and were neither committed nor released.
    pub expired: i64,
}

impl End {
    /// Adds the next event.
    pub fn add(&mut self, checksum: i64, recorded_at: Timestamp) {
        self.events += 1;
        self.event_chain = chain(self.event_chain, checksum);
        self.last_recorded_at = Some(recorded_at);
    }
}

impl Head {
    /// Reads and checks the row; a new ledger has none.
    pub fn read(connection: &Connection) -> Result<Self, LedgerError> {
        let row = connection
            .prepare_cached(
                "SELECT rollups, events, event_chain, last_recorded_at_ns, pruned_segments, forgotten_blocks, \
                 days_digest, series_digest, usage_digest, gate_changes, gate_activations, gate_chain, \
                 gate_override, reservations, held, held_digest, expired, checksum FROM head",
            )?
            .query_row((), |row| {
                let last_recorded_at = row.get::<_, Option<i64>>(3)?;
                let head = Self {
                    rollups: row.get(0)?,
                    rolled_up: End {
                        events: row.get(1)?,
                        event_chain: row.get(2)?,
                        last_recorded_at: last_recorded_at.map(|ns| timestamp(3, ns)).transpose()?,
                    },
                    pruned_segments: row.get(4)?,
                    forgotten_blocks: row.get(5)?,
                    days_digest: row.get(6)?,
                    series_digest: row.get(7)?,
                    usage_digest: row.get(8)?,
                    gate_changes: row.get(9)?,
                    gate_activations: row.get(10)?,
                    gate_chain: row.get(11)?,
                    gate_override: row.get(12)?,
                    reservations: row.get(13)?,
                    held: row.get(14)?,
                    held_digest: row.get(15)?,
                    expired: row.get(16)?,
                };
                Ok((head, row.get::<_, i64>(17)?))
            })
            .optional()?;
        match row {
            None => Ok(Self::default()),
            Some((head, checksum)) if head.checksum() == checksum => Ok(head),
            Some(_) => Err(LedgerError::Damaged("the head row does not match its checksum".into())),
        }
    }

    /// Writes the row.
    pub fn write(&self, connection: &Connection) -> Result<(), LedgerError> {
        connection
            .prepare_cached(
                "INSERT OR REPLACE INTO head (one, rollups, events, event_chain, last_recorded_at_ns, pruned_segments, \
                 forgotten_blocks, days_digest, series_digest, usage_digest, gate_changes, gate_activations, gate_chain, \
                 gate_override, reservations, held, held_digest, expired, checksum) \
                 VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            )?
            .execute(params![
                self.rollups,
                self.rolled_up.events,
                self.rolled_up.event_chain,
                self.rolled_up.last_recorded_at.map(nanoseconds),
                self.pruned_segments,
                self.forgotten_blocks,
                self.days_digest,
                self.series_digest,
                self.usage_digest,
                self.gate_changes,
                self.gate_activations,
                self.gate_chain,
                self.gate_override,
                self.reservations,
                self.held,
                self.held_digest,
                self.expired,
                self.checksum(),
            ])?;
        Ok(())
    }

    fn checksum(&self) -> i64 {
        Checksum::of("head")
            .integer(self.rollups)
            .integer(self.rolled_up.events)
            .integer(self.rolled_up.event_chain)
            .integer(self.rolled_up.last_recorded_at.map_or(i64::MIN, nanoseconds))
            .integer(self.pruned_segments)
            .integer(self.forgotten_blocks)
            .integer(self.days_digest)
            .integer(self.series_digest)
            .integer(self.usage_digest)
            .integer(self.gate_changes)
            .integer(self.gate_activations)
            .integer(self.gate_chain)
            .integer(self.gate_override)
            .integer(self.reservations)
            .integer(self.held)
            .integer(self.held_digest)
            .integer(self.expired)
            .finish()
    }
}
