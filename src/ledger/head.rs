//! Where the ledger stands: counters, chains and digests over its tables, in one row that every rollup and every
//! change of a reservation writes.

use jiff::Timestamp;
use rusqlite::Connection;

use super::LedgerError;
use super::checksum::chain;
use super::row::{ZeroIsNull, read_row, row, write_row};

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
    /// Those that expired and were neither settled nor released.
    pub expired: i64,
    /// Over the charges by model; `None` until they are added up for the first time.
    pub models_digest: Option<i64>,
    /// Over the budgets that are counted.
    pub meters_digest: i64,
    /// Lines of the history of overridden limits.
    pub overrides: i64,
    pub overrides_chain: i64,
}

impl End {
    /// Adds the next event.
    pub fn add(&mut self, checksum: i64, recorded_at: Timestamp) {
        self.events += 1;
        self.event_chain = chain(self.event_chain, checksum);
        self.last_recorded_at = Some(recorded_at);
    }
}

row! {
    "INSERT OR REPLACE" "head" ("one" = "1"),
    write Head, read Head,
    (Head {
        rollups,
        rolled_up: End { events, event_chain, last_recorded_at },
        pruned_segments,
        forgotten_blocks,
        days_digest,
        series_digest,
        usage_digest,
        gate_changes,
        gate_activations,
        gate_chain,
        gate_override,
        reservations,
        held,
        held_digest,
        expired,
        models_digest,
        meters_digest,
        overrides,
        overrides_chain,
    }),
    key {}
    columns {
        "rollups" => rollups;
        "events" => events;
        "event_chain" => event_chain;
        "last_recorded_at_ns" => last_recorded_at;
        "pruned_segments" => pruned_segments;
        "forgotten_blocks" => forgotten_blocks;
        "days_digest" => days_digest;
        "series_digest" => series_digest;
        "usage_digest" => usage_digest;
        "gate_changes" => gate_changes;
        "gate_activations" => gate_activations;
        "gate_chain" => gate_chain;
        "gate_override" => gate_override;
        "reservations" => reservations;
        "held" => held;
        "held_digest" => held_digest;
        "expired" => expired;
    }
    later {
        "models_digest" => models_digest;
        "meters_digest" => meters_digest: ZeroIsNull;
        "overrides" => overrides: ZeroIsNull;
        "overrides_chain" => overrides_chain: ZeroIsNull;
    }
}

impl Head {
    /// Reads and checks the row; a new ledger has none.
    pub fn read(connection: &Connection) -> Result<Self, LedgerError> {
        Ok(read_row(connection, "", ())?.map(|(head, _)| head).unwrap_or_default())
    }

    /// Writes the row.
    pub fn write(&self, connection: &Connection) -> Result<(), LedgerError> {
        write_row(connection, self)
    }
}
