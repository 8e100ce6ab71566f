//! What is read of the fleet for people.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::future::try_join3;
use jiff::Timestamp;
use jiff::civil::Date;
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::pools::PoolKey;
use super::rows::{LEASE_COLUMNS, Value, lease, lease_columns, usd};
use super::{DatabaseError, Session};
use crate::domain::{Name, Pair, Usd};
use crate::fleet::FleetAgent;

/// Agents that are shown.
const AGENTS_MAX: usize = 10_000;
/// Sums by day, service and operation in one answer.
const COST_ROWS_MAX: usize = 500_000;

const AGENTS: &str = "SELECT ledger_id, name, version, seen_at, clock_timestamp(), synced_at FROM lead_factory_fleet.agent \
    WHERE NOT is_forgotten ORDER BY name, ledger_id LIMIT $1";
const TOTALS: &str = "SELECT ledger_id, count(*), SUM(total)::text FROM lead_factory_fleet.sums GROUP BY ledger_id";
const LEASES: &str = concat!(
    "SELECT ",
    lease_columns!("lease"),
    ", lease.ledger_id FROM lead_factory_fleet.lease WHERE budget = ANY($1) AND starts_at = ANY($2) \
     AND (doubt > 0 OR granted - returned > lost + held + GREATEST(spent, 0))"
);
const COSTS: &str = "SELECT day, service, operation, SUM(total)::text FROM lead_factory_fleet.sums WHERE day >= $1 AND day <= $2 \
    GROUP BY day, service, operation LIMIT $3";
const DIFFERENCES: &str = "SELECT lease.budget, count(DISTINCT lease.definition), MIN(lease.configured)::text, \
    MAX(lease.configured)::text FROM lead_factory_fleet.lease JOIN lead_factory_fleet.agent ON agent.ledger_id = lease.ledger_id \
    WHERE lease.budget = ANY($1) AND lease.starts_at = ANY($2) AND NOT lease.is_carried \
    AND agent.seen_at > clock_timestamp() - '10 minutes'::interval GROUP BY lease.budget";

const CONTESTED: &str = "SELECT ledger_id, name, contested_by FROM lead_factory_fleet.agent \
    WHERE contested_at > clock_timestamp() - '1 minute'::interval ORDER BY ledger_id LIMIT 100";

/// A ledger for which an agent at another place wants to speak.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::fleet) struct Contest {
    pub ledger_id: String,
    /// The agent that speaks for it.
    pub name: String,
    /// The one that wants to.
    pub by: String,
}

/// What all ledgers together spent on a day, for a service and an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::fleet) struct CostRow {
    pub day: Date,
    pub pair: Pair,
    pub total: Usd,
}

/// How the settings of the agents that were seen of late differ in a budget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::fleet) struct Difference {
    pub budget: String,
    /// How many kinds of things they count under its name.
    pub definitions: i64,
    pub smallest: Usd,
    pub largest: Usd,
}

impl Session {
    /// The agents, by name, with what they have in hand of these pools.
    pub async fn agents(&self, keys: &[PoolKey]) -> Result<Vec<FleetAgent>, DatabaseError> {
        let most = AGENTS_MAX as i64;
        let (budgets, starts) = columns(keys);
        let of_pools: [Value<'_>; 2] = [(&budgets, Type::TEXT_ARRAY), (&starts, Type::TIMESTAMPTZ_ARRAY)];
        let of_agents: [Value<'_>; 1] = [(&most, Type::INT8)];
        let (agents, totals, leases) = try_join3(
            self.client.query_typed(AGENTS, &of_agents),
            self.client.query_typed(TOTALS, &[]),
            self.client.query_typed(LEASES, &of_pools),
        )
        .await?;
        let mut sums: HashMap<&str, (u64, Usd)> = HashMap::new();
        for row in &totals {
            sums.insert(row.try_get(0)?, (row.try_get::<_, i64>(1)?.unsigned_abs(), usd(row, 2)?));
        }
        let mut in_hand: HashMap<&str, Usd> = HashMap::new();
        for row in &leases {
            let lease = lease(row, 0)?;
            *in_hand.entry(row.try_get(LEASE_COLUMNS)?).or_default() += lease.unused() + lease.doubt;
        }
        let agent = |row: &Row| {
            let ledger_id: &str = row.try_get(0)?;
            let (sums, total) = sums.get(ledger_id).copied().unwrap_or_default();
            let (now, synced_at): (Timestamp, Timestamp) = (row.try_get(4)?, row.try_get(5)?);
            Ok(FleetAgent {
                ledger_id: ledger_id.to_owned(),
                name: row.try_get(1)?,
                version: row.try_get(2)?,
                last_seen: row.try_get(3)?,
                lag: Duration::try_from(now.duration_since(synced_at)).unwrap_or_default(),
                sums,
                total,
                leased: in_hand.get(ledger_id).copied().unwrap_or_default(),
            })
        };
        agents.iter().map(agent).collect()
    }

    /// What was spent from one day to another.
    pub async fn costs(&self, first: Date, last: Date) -> Result<Vec<CostRow>, DatabaseError> {
        let most = COST_ROWS_MAX as i64 + 1;
        let values: [Value<'_>; 3] = [(&first, Type::DATE), (&last, Type::DATE), (&most, Type::INT8)];
        let rows = self.client.query_typed(COSTS, &values).await?;
        if rows.len() > COST_ROWS_MAX {
            return Err(DatabaseError::TooMuch(COST_ROWS_MAX));
        }
        let name = |row: &Row, at| {
            let text: &str = row.try_get(at)?;
            Name::new(text).map_err(|_| DatabaseError::Damaged("a service or an operation is no name"))
        };
        let cost = |row: &Row| {
            let pair = Pair { service: name(row, 1)?, operation: name(row, 2)? };
            Ok(CostRow { day: row.try_get(0)?, pair, total: usd(row, 3)? })
        };
        rows.iter().map(cost).collect()
    }

    /// The ledgers for which two agents want to speak; some, where they are many.
    pub async fn contests(&self) -> Result<Vec<Contest>, DatabaseError> {
        let rows = self.client.query_typed(CONTESTED, &[]).await?;
        let contest = |row: &Row| Ok(Contest { ledger_id: row.try_get(0)?, name: row.try_get(1)?, by: row.try_get(2)? });
        rows.iter().map(contest).collect()
    }

    /// How the agents' settings differ in what these pools are of.
    pub async fn differences(&self, keys: &[PoolKey]) -> Result<Vec<Difference>, DatabaseError> {
        let (budgets, starts) = columns(keys);
        let values: [Value<'_>; 2] = [(&budgets, Type::TEXT_ARRAY), (&starts, Type::TIMESTAMPTZ_ARRAY)];
        let rows = self.client.query_typed(DIFFERENCES, &values).await?;
        let difference = |row: &Row| {
            let (budget, definitions) = (row.try_get(0)?, row.try_get(1)?);
            Ok(Difference { budget, definitions, smallest: usd(row, 2)?, largest: usd(row, 3)? })
        };
        let found: Result<Vec<Difference>, DatabaseError> = rows.iter().map(difference).collect();
        Ok(found?.into_iter().filter(|found| found.definitions > 1 || found.smallest < found.largest).collect())
    }
}

fn columns(keys: &[PoolKey]) -> (Vec<&str>, Vec<Timestamp>) {
    keys.iter().map(|key| (&*key.budget, key.starts_at)).unzip()
}
