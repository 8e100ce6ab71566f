//! Budgets in a period: what is to be seen of them, and how one begins.

use jiff::{SignedDuration, Timestamp};
use ring::digest::{SHA256, digest};
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::rows::{LEASE_COLUMNS, Value, lease, lease_columns, text, usd};
use super::{CHUNK_ROWS, DatabaseError, Session};
use crate::domain::{Span, Usd};
use crate::fleet::{Lease, Pool, Seen};

/// Bytes of a hash that name what a budget counts: enough that no two are alike.
const DEFINITION_BYTES: usize = 16;
/// Periods that ended so long ago are removed when a new one begins, but for the one before it.
const KEPT_FOR: SignedDuration = SignedDuration::from_hours(48);

const LOOK: &str = "SELECT fleet.epoch, fleet.overrides, pool.budget, pool.definition, pool.starts_at, \
    COALESCE(CASE WHEN limit_override.expires_at IS NULL OR limit_override.expires_at > clock_timestamp() \
    THEN limit_override.max_spend END, pool.configured)::text, pool.configured::text, pool.claimed::text, pool.spent::text, \
    pool.held::text, pool.chunk::text, pool.recall, pool.tight_until > clock_timestamp(), lease.seq \
    FROM lead_factory_fleet.fleet LEFT JOIN lead_factory_fleet.pool ON pool.budget = ANY($1) AND pool.starts_at = ANY($2) \
    LEFT JOIN lead_factory_fleet.limit_override ON limit_override.budget = pool.budget \
    LEFT JOIN lead_factory_fleet.lease ON lease.budget = pool.budget AND lease.definition = pool.definition \
    AND lease.starts_at = pool.starts_at AND lease.ledger_id = $3 WHERE fleet.id = 1";
const BEFORE: &str = "SELECT starts_at, clock_timestamp() FROM lead_factory_fleet.pool WHERE budget = $1 AND definition = $2 \
    AND starts_at < $3 ORDER BY starts_at DESC LIMIT 1 FOR UPDATE";
const LEASES_BEFORE: &str = concat!(
    "SELECT ",
    lease_columns!("lease"),
    ", lease.ledger_id, lease.incarnation, lease.is_set_back, lease.is_doubtful FROM lead_factory_fleet.lease \
     WHERE budget = $1 AND definition = $2 AND starts_at = $3 \
     AND (held > 0 OR doubt > 0 OR granted - returned > lost + GREATEST(spent, 0))"
);
const NEW_POOL: &str = "INSERT INTO lead_factory_fleet.pool (budget, definition, starts_at, configured, in_force, claimed, spent, held, \
    agents, chunk, recall, tight_until) VALUES ($1, $2, $3, $4::text::numeric, $5::text::numeric, $6::text::numeric, 0, \
    $7::text::numeric, $8, $9::text::numeric, 0, '1970-01-01T00:00:00Z') ON CONFLICT (budget, definition, starts_at) DO NOTHING";
const NEW_LEASES: &str = "INSERT INTO lead_factory_fleet.lease (budget, definition, starts_at, ledger_id, incarnation, seq, granted, \
    returned, spent, held, lost, doubt, answered, waits_for, waiting_since, recalled, configured, lapses_at, doubt_lapses_at, \
    is_carried, is_set_back, is_doubtful) SELECT $1, $2, $3, ledger_id, incarnation, 0, granted::numeric, 0, 0, held::numeric, 0, doubt::numeric, 0, 0, NULL, 0, \
    configured::numeric, lapses_at, doubt_lapses_at, TRUE, is_set_back, is_doubtful FROM unnest($4::text[], $5::bigint[], $6::text[], $7::text[], \
    $8::text[], $9::text[], $10::timestamptz[], $11::timestamptz[], $12::boolean[], $13::boolean[]) AS carried(ledger_id, incarnation, \
    granted, held, doubt, configured, lapses_at, doubt_lapses_at, is_set_back, is_doubtful)";
const OLD_LEASES: &str =
    "DELETE FROM lead_factory_fleet.lease WHERE budget = $1 AND definition = $2 AND starts_at < $3 AND starts_at < $4";
const OLD_POOLS: &str =
    "DELETE FROM lead_factory_fleet.pool WHERE budget = $1 AND definition = $2 AND starts_at < $3 AND starts_at < $4";

/// Which budget in which period.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::fleet) struct PoolKey {
    pub budget: String,
    /// A hash of what it counts.
    pub definition: String,
    /// When the period begins; 1970 for what lasts for ever.
    pub starts_at: Timestamp,
}

/// What there is to see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::fleet) struct Looked {
    pub epoch: i64,
    /// How many limits were set so far.
    pub overrides: i64,
    pub pools: Vec<SeenPool>,
}

/// How a pool stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::fleet) struct SeenPool {
    pub key: PoolKey,
    pub seen: Seen,
    /// The newest message of the agent that looks; `None`: none is known.
    pub seq: Option<i64>,
}

/// A lease of the period before, with what is kept of its row.
struct Carried {
    ledger_id: String,
    incarnation: i64,
    lease: Lease,
    is_set_back: bool,
    is_doubtful: bool,
}

impl PoolKey {
    /// Of a budget with this definition.
    pub fn new(budget: &str, definition: &str, span: Span) -> Self {
        let hash = digest(&SHA256, definition.as_bytes());
        let definition: String = hash.as_ref().iter().take(DEFINITION_BYTES).map(|byte| format!("{byte:02x}")).collect();
        Self { budget: budget.into(), definition, starts_at: span.starts_at().unwrap_or(Timestamp::UNIX_EPOCH) }
    }

    /// The key as a statement takes it.
    pub(super) fn values(&self) -> [Value<'_>; 3] {
        [(&self.budget, Type::TEXT), (&self.definition, Type::TEXT), (&self.starts_at, Type::TIMESTAMPTZ)]
    }
}

impl Session {
    /// How pools stand, those of other definitions among them, and the fleet.
    pub async fn look(&self, keys: &[&PoolKey], ledger_id: &str) -> Result<Looked, DatabaseError> {
        let budgets: Vec<&str> = keys.iter().map(|key| &*key.budget).collect();
        let starts: Vec<Timestamp> = keys.iter().map(|key| key.starts_at).collect();
        let values: [Value<'_>; 3] =
            [(&budgets, Type::TEXT_ARRAY), (&starts, Type::TIMESTAMPTZ_ARRAY), (&ledger_id, Type::TEXT)];
        let rows = self.client.query_typed(LOOK, &values).await?;
        let first = rows.first().ok_or(DatabaseError::NoSchema)?;
        let (epoch, overrides) = (first.try_get(0)?, first.try_get(1)?);
        let mut pools = Vec::with_capacity(rows.len());
        for row in &rows {
            if let Some(budget) = row.try_get::<_, Option<&str>>(2)? {
                pools.push(seen(budget, row)?);
            }
        }
        Ok(Looked { epoch, overrides, pools })
    }

    /// Begins a pool, if nobody has: what agents may have in hand and hold of the period before is theirs in the new one until they say
    /// otherwise. That they get no more of it unseen, their [exchanges](super::exchange) see to.
    pub async fn begin(&self, key: &PoolKey, limit: Usd) -> Result<(), DatabaseError> {
        self.client.batch_execute("BEGIN ISOLATION LEVEL READ COMMITTED").await?;
        let before = self.client.query_typed(BEFORE, &key.values()).await?;
        let before: Option<(Timestamp, Timestamp)> = match before.first() {
            Some(row) => Some((row.try_get(0)?, row.try_get(1)?)),
            None => None,
        };
        let carried = match before {
            Some((starts_at, _)) => self.carried(&PoolKey { starts_at, ..key.clone() }).await?,
            None => Vec::new(),
        };
        let mut pool = Pool::new(limit);
        for carried in &carried {
            pool.agents += 1;
            pool.change(&mut Lease::default(), |lease| *lease = carried.lease.clone());
        }
        if !self.put_new(key, &pool).await? {
            return self.give_up().await;
        }
        for chunk in carried.chunks(CHUNK_ROWS) {
            self.put_carried(key, chunk).await?;
        }
        if let Some((starts_at, now)) = before {
            let old = now - KEPT_FOR;
            let mut values = key.values().to_vec();
            values[2] = (&starts_at, Type::TIMESTAMPTZ);
            values.push((&old, Type::TIMESTAMPTZ));
            self.client.execute_typed(OLD_LEASES, &values).await?;
            self.client.execute_typed(OLD_POOLS, &values).await?;
        }
        Ok(self.client.batch_execute("COMMIT").await?)
    }

    async fn carried(&self, before: &PoolKey) -> Result<Vec<Carried>, DatabaseError> {
        let rows = self.client.query_typed(LEASES_BEFORE, &before.values()).await?;
        let carried = |row: &Row| {
            Ok(Carried {
                ledger_id: row.try_get(LEASE_COLUMNS)?,
                incarnation: row.try_get(LEASE_COLUMNS + 1)?,
                lease: lease(row, 0)?.carried(),
                is_set_back: row.try_get(LEASE_COLUMNS + 2)?,
                is_doubtful: row.try_get(LEASE_COLUMNS + 3)?,
            })
        };
        rows.iter().map(carried).collect()
    }

    async fn put_new(&self, key: &PoolKey, pool: &Pool) -> Result<bool, DatabaseError> {
        let (limit, claimed, held, chunk) = (text(pool.limit), text(pool.claimed), text(pool.held), text(pool.chunk));
        let agents = i32::try_from(pool.agents).unwrap_or(i32::MAX);
        let mut values = key.values().to_vec();
        values.extend([&limit, &limit, &claimed, &held].map(|amount| (amount as _, Type::TEXT)));
        values.extend([(&agents as _, Type::INT4), (&chunk as _, Type::TEXT)]);
        Ok(self.client.execute_typed(NEW_POOL, &values).await? > 0)
    }

    async fn put_carried(&self, key: &PoolKey, carried: &[Carried]) -> Result<(), DatabaseError> {
        let texts = |amount: fn(&Lease) -> Usd| carried.iter().map(|row| text(amount(&row.lease))).collect::<Vec<_>>();
        let ids: Vec<&str> = carried.iter().map(|row| row.ledger_id.as_str()).collect();
        let incarnations: Vec<i64> = carried.iter().map(|row| row.incarnation).collect();
        let amounts: [Vec<String>; 4] = [
            texts(|lease| lease.granted),
            texts(|lease| lease.held),
            texts(|lease| lease.doubt),
            texts(|lease| lease.limit),
        ];
        let lapses: Vec<Option<Timestamp>> = carried.iter().map(|row| row.lease.lapses_at).collect();
        let doubt_lapses: Vec<Option<Timestamp>> = carried.iter().map(|row| row.lease.doubt_lapses_at).collect();
        let set_back: Vec<bool> = carried.iter().map(|row| row.is_set_back).collect();
        let doubtful: Vec<bool> = carried.iter().map(|row| row.is_doubtful).collect();
        let mut values = key.values().to_vec();
        values.extend([(&ids as _, Type::TEXT_ARRAY), (&incarnations as _, Type::INT8_ARRAY)]);
        values.extend(amounts.iter().map(|amounts| (amounts as _, Type::TEXT_ARRAY)));
        values.extend([
            (&lapses as _, Type::TIMESTAMPTZ_ARRAY),
            (&doubt_lapses as _, Type::TIMESTAMPTZ_ARRAY),
            (&set_back as _, Type::BOOL_ARRAY),
            (&doubtful as _, Type::BOOL_ARRAY),
        ]);
        self.client.execute_typed(NEW_LEASES, &values).await?;
        Ok(())
    }
}

fn seen(budget: &str, row: &Row) -> Result<SeenPool, DatabaseError> {
    let definition: &str = row.try_get(3)?;
    Ok(SeenPool {
        key: PoolKey { budget: budget.into(), definition: definition.into(), starts_at: row.try_get(4)? },
        seen: Seen {
            limit: usd(row, 5)?,
            configured: usd(row, 6)?,
            claimed: usd(row, 7)?,
            spent: usd(row, 8)?,
            held: usd(row, 9)?,
            chunk: usd(row, 10)?,
            recall: row.try_get(11)?,
            is_tight: row.try_get(12)?,
        },
        seq: row.try_get(13)?,
    })
}
