//! The sums of each ledger.
//!
//! *Invariants.* A row has the total of a day, a service and an operation, and is taken unless it is older, so replays and reorderings change
//! nothing. Only who speaks for a ledger writes its rows.

use jiff::civil::Date;
use tokio_postgres::types::Type;

use super::rows::{Value, text};
use super::{AgentKey, CHUNK_ROWS, DatabaseError, Session};
use crate::domain::{Pair, Usd};

const PUT: &str = "INSERT INTO lead_factory_fleet.sums (ledger_id, day, service, operation, total, epoch, version) \
    SELECT $1, sent.day::date, sent.service, sent.operation, sent.total::numeric, $3, $4 \
    FROM unnest($5::text[], $6::text[], $7::text[], $8::text[]) AS sent(day, service, operation, total) \
    WHERE EXISTS (SELECT 1 FROM lead_factory_fleet.agent WHERE ledger_id = $1 AND incarnation = $2) \
    ON CONFLICT (ledger_id, day, service, operation) DO UPDATE SET total = excluded.total, epoch = excluded.epoch, \
    version = excluded.version \
    WHERE sums.epoch < excluded.epoch OR (sums.epoch = excluded.epoch AND sums.version <= excluded.version)";
const REMOVE: &str = "DELETE FROM lead_factory_fleet.sums WHERE ledger_id = $1 AND epoch < $3 \
    AND EXISTS (SELECT 1 FROM lead_factory_fleet.agent WHERE ledger_id = $1 AND incarnation = $2)";
const ACKNOWLEDGE: &str = "UPDATE lead_factory_fleet.agent SET events = $4, event_hash = $5, synced_at = clock_timestamp() \
    WHERE ledger_id = $1 AND incarnation = $2 AND sums_epoch = $3";

/// A sum that is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::fleet) struct SumRow {
    pub day: Date,
    pub pair: Pair,
    pub total: Usd,
}

/// Of what the sums are.
#[derive(Clone, Copy, Debug)]
pub(in crate::fleet) struct SumsOf<'a> {
    pub agent: &'a AgentKey,
    /// New when all have to be sent anew.
    pub epoch: i64,
    /// How many entries they count; grows.
    pub entries: i64,
}

impl Session {
    /// Sends sums, [`CHUNK_ROWS`] at a time.
    pub async fn put_sums(&self, of: SumsOf<'_>, rows: &[SumRow]) -> Result<(), DatabaseError> {
        for chunk in rows.chunks(CHUNK_ROWS) {
            let days: Vec<String> = chunk.iter().map(|row| row.day.to_string()).collect();
            let services: Vec<&str> = chunk.iter().map(|row| row.pair.service.as_str()).collect();
            let operations: Vec<&str> = chunk.iter().map(|row| row.pair.operation.as_str()).collect();
            let totals: Vec<String> = chunk.iter().map(|row| text(row.total)).collect();
            let values: [Value<'_>; 8] = [
                (&of.agent.ledger_id, Type::TEXT),
                (&of.agent.incarnation, Type::INT8),
                (&of.epoch, Type::INT8),
                (&of.entries, Type::INT8),
                (&days, Type::TEXT_ARRAY),
                (&services, Type::TEXT_ARRAY),
                (&operations, Type::TEXT_ARRAY),
                (&totals, Type::TEXT_ARRAY),
            ];
            self.client.execute_typed(PUT, &values).await?;
        }
        Ok(())
    }

    /// Removes what was sent under an earlier epoch: the ledger does not have it any more.
    pub async fn remove_older_sums(&self, of: SumsOf<'_>) -> Result<(), DatabaseError> {
        let values = of.values();
        self.client.execute_typed(REMOVE, &values).await?;
        Ok(())
    }

    /// Says that all sums up to these entries are there, of which the newest has this checksum; `false`: another speaks for the ledger.
    pub async fn acknowledge_sums(&self, of: SumsOf<'_>, event_hash: i64) -> Result<bool, DatabaseError> {
        let mut values = of.values().to_vec();
        values.extend([(&of.entries as _, Type::INT8), (&event_hash as _, Type::INT8)]);
        Ok(self.client.execute_typed(ACKNOWLEDGE, &values).await? > 0)
    }
}

impl SumsOf<'_> {
    fn values(&self) -> [Value<'_>; 3] {
        [(&self.agent.ledger_id, Type::TEXT), (&self.agent.incarnation, Type::INT8), (&self.epoch, Type::INT8)]
    }
}
