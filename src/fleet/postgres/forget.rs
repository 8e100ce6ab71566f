//! Writes off what is in doubt.

use std::time::Duration;

use jiff::Timestamp;
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::exchange::read_pool;
use super::rows::{Value, lease, lease_columns, text};
use super::{DatabaseError, DatabaseUrl, PoolKey, Session};
use crate::domain::Usd;
use crate::fleet::{FleetError, Lease, Pool};

/// An agent that was not heard of for so long is gone, or cut off: one that is connected says every three seconds that it is there.
pub const GONE_AFTER: Duration = Duration::from_secs(10);

const AGENT: &str = "SELECT name, seen_at, place, clock_timestamp() FROM lead_factory_fleet.agent WHERE ledger_id = $1";
const KEYS: &str = "SELECT budget, definition, starts_at FROM lead_factory_fleet.lease WHERE ledger_id = $1 \
    ORDER BY budget, definition, starts_at";
const POOL: &str = "SELECT configured::text, in_force::text, claimed::text, spent::text, held::text, agents, chunk::text, recall, \
    tight_until FROM lead_factory_fleet.pool WHERE budget = $1 AND definition = $2 AND starts_at = $3 FOR UPDATE";
const LEASE: &str = concat!(
    "SELECT ",
    lease_columns!("lease"),
    " FROM lead_factory_fleet.lease WHERE budget = $1 AND definition = $2 AND starts_at = $3 AND ledger_id = $4"
);
const PUT_POOL: &str = "UPDATE lead_factory_fleet.pool SET claimed = $4::text::numeric, held = $5::text::numeric, \
    chunk = $6::text::numeric WHERE budget = $1 AND definition = $2 AND starts_at = $3";
const HIDE: &str = "UPDATE lead_factory_fleet.agent SET is_forgotten = TRUE WHERE ledger_id = $1 AND seen_at = $2";

/// What was written off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forgotten {
    /// The agent's name.
    pub name: String,
    /// Whether it is gone: else only what is in doubt of another place was written off, and it goes on.
    pub is_gone: bool,
    /// How long ago the database heard of it.
    pub silent_for: Duration,
    /// What is free again, over all budgets and their periods.
    pub freed: Usd,
}

/// What becomes of a weighing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    /// Nothing is changed.
    Leave,
    /// It is written off.
    WriteOff,
}

/// What [`forget`] would write off now; nothing is changed. `None`: there is no such ledger.
///
/// # Errors
/// The database cannot be asked.
pub async fn in_doubt(url: &DatabaseUrl, ledger_id: &str) -> Result<Option<Forgotten>, FleetError> {
    let session = Session::open(url).await?;
    Ok(weigh(&session, ledger_id, Then::Leave).await?)
}

/// Writes off what an agent that is gone had in hand and held, or what is in doubt of a ledger that was at two places. What was spent stays
/// counted. Should the agent come back after all, it has nothing in hand, and what it spent is counted. `None`: there is no such ledger.
///
/// # Errors
/// The database cannot be asked. Doing it again is safe.
pub async fn forget(url: &DatabaseUrl, ledger_id: &str) -> Result<Option<Forgotten>, FleetError> {
    let session = Session::open(url).await?;
    Ok(weigh(&session, ledger_id, Then::WriteOff).await?)
}

async fn weigh(session: &Session, ledger_id: &str, then: Then) -> Result<Option<Forgotten>, DatabaseError> {
    let of_agent: [Value<'_>; 1] = [(&ledger_id, Type::TEXT)];
    let found = session.client.query_typed(AGENT, &of_agent).await?;
    let Some(agent) = found.first() else { return Ok(None) };
    let (seen_at, now): (Timestamp, Timestamp) = (agent.try_get(1)?, agent.try_get(3)?);
    // A database that was set back may have heard of it in times to come.
    let silent_for = Duration::try_from(now.duration_since(seen_at)).unwrap_or_default();
    let is_gone = silent_for >= GONE_AFTER || agent.try_get::<_, &str>(2)?.is_empty();
    let mut freed = Usd::ZERO;
    let keys = session.client.query_typed(KEYS, &of_agent).await?;
    for key in keys.iter().map(key) {
        freed += weigh_lease(session, &key?, ledger_id, is_gone, then).await?;
    }
    if is_gone && then == Then::WriteOff {
        let values: [Value<'_>; 2] = [(&ledger_id, Type::TEXT), (&seen_at, Type::TIMESTAMPTZ)];
        session.client.execute_typed(HIDE, &values).await?;
    }
    Ok(Some(Forgotten { name: agent.try_get(0)?, is_gone, silent_for, freed }))
}

/// One lease, in a transaction of its own: so no two pools are locked at once.
async fn weigh_lease(
    session: &Session,
    key: &PoolKey,
    ledger_id: &str,
    is_gone: bool,
    then: Then,
) -> Result<Usd, DatabaseError> {
    let mut of_lease = key.values().to_vec();
    of_lease.push((&ledger_id, Type::TEXT));
    session.client.batch_execute("BEGIN ISOLATION LEVEL READ COMMITTED").await?;
    let pools = session.client.query_typed(POOL, &of_lease[..3]).await?;
    let leases = session.client.query_typed(LEASE, &of_lease).await?;
    let (Some(pool), Some(found)) = (pools.first(), leases.first()) else {
        session.give_up().await?;
        return Ok(Usd::ZERO);
    };
    let (mut pool, mut lease): (Pool, Lease) = (read_pool(pool)?, lease(found, 0)?);
    let claimed = pool.claimed;
    pool.change(&mut lease, |lease| lease.write_off(is_gone));
    if then == Then::Leave {
        session.give_up().await?;
        return Ok(claimed - pool.claimed);
    }
    let amounts = [pool.claimed, pool.held, pool.chunk].map(text);
    let mut values = key.values().to_vec();
    values.extend(amounts.iter().map(|amount| (amount as _, Type::TEXT)));
    session.client.execute_typed(PUT_POOL, &values).await?;
    session.put_taken(key, ledger_id, &lease).await?;
    session.client.batch_execute("COMMIT").await?;
    Ok(claimed - pool.claimed)
}

fn key(row: &Row) -> Result<PoolKey, DatabaseError> {
    let (budget, definition): (&str, &str) = (row.try_get(0)?, row.try_get(1)?);
    Ok(PoolKey { budget: budget.into(), definition: definition.into(), starts_at: row.try_get(2)? })
}
