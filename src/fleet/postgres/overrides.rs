//! Limits that somebody has set for all agents.

use jiff::Timestamp;
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::rows::{Value, text, usd_or_none};
use super::{DatabaseError, Session};
use crate::domain::Usd;

/// For so long agents have nothing in hand once a limit was lowered.
const TIGHT_SECONDS: &str = "5 seconds";

const COUNT: &str = "UPDATE lead_factory_fleet.fleet SET overrides = overrides + 1 WHERE id = 1";
const PUT: &str = "INSERT INTO lead_factory_fleet.limit_override (budget, max_spend, reason, actor, set_at, expires_at, version) \
    SELECT $1, $2::text::numeric, $3, $4, $5, $6, overrides FROM lead_factory_fleet.fleet WHERE id = 1 \
    ON CONFLICT (budget) DO UPDATE SET max_spend = excluded.max_spend, reason = excluded.reason, actor = excluded.actor, \
    set_at = excluded.set_at, expires_at = excluded.expires_at, version = excluded.version";
const RECALL: &str = "UPDATE lead_factory_fleet.pool SET recall = recall + 1, \
    tight_until = GREATEST(tight_until, clock_timestamp() + $3::text::interval) WHERE budget = $1 AND in_force > $2::text::numeric";
const SINCE: &str = "SELECT budget, max_spend::text, reason, actor, set_at, expires_at FROM lead_factory_fleet.limit_override \
    WHERE version > $1 ORDER BY version";

/// A limit that somebody has set, or lifted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::fleet) struct SetLimit {
    pub budget: String,
    /// `None`: that of the settings holds again.
    pub limit: Option<Usd>,
    pub reason: String,
    pub actor: String,
    pub set_at: Timestamp,
    pub expires_at: Option<Timestamp>,
}

impl Session {
    /// Sets a limit for all. Where it is lower than the one in force, all give back what they do not use.
    pub async fn set_limit(&self, set: &SetLimit) -> Result<(), DatabaseError> {
        let limit = set.limit.map(text);
        let values: [Value<'_>; 6] = [
            (&set.budget, Type::TEXT),
            (&limit, Type::TEXT),
            (&set.reason, Type::TEXT),
            (&set.actor, Type::TEXT),
            (&set.set_at, Type::TIMESTAMPTZ),
            (&set.expires_at, Type::TIMESTAMPTZ),
        ];
        self.client.batch_execute("BEGIN ISOLATION LEVEL READ COMMITTED").await?;
        if limit.is_some() {
            let recall: [Value<'_>; 3] = [(&set.budget, Type::TEXT), (&limit, Type::TEXT), (&TIGHT_SECONDS, Type::TEXT)];
            self.client.execute_typed(RECALL, &recall).await?;
        }
        self.client.execute_typed(COUNT, &[]).await?;
        self.client.execute_typed(PUT, &values).await?;
        Ok(self.client.batch_execute("COMMIT").await?)
    }

    /// The limits that were set after so many others.
    pub async fn limits_since(&self, overrides: i64) -> Result<Vec<SetLimit>, DatabaseError> {
        let rows = self.client.query_typed(SINCE, &[(&overrides, Type::INT8)]).await?;
        rows.iter().map(read).collect()
    }
}

fn read(row: &Row) -> Result<SetLimit, DatabaseError> {
    Ok(SetLimit {
        budget: row.try_get(0)?,
        limit: usd_or_none(row, 1)?,
        reason: row.try_get(2)?,
        actor: row.try_get(3)?,
        set_at: row.try_get(4)?,
        expires_at: row.try_get(5)?,
    })
}
