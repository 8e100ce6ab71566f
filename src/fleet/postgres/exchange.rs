//! One exchange of an agent with a pool: what it says, what it is given.
//!
//! *Invariants.* One transaction of two flights. The pool's row is locked before anything is read, so nothing overtakes it. What was said
//! before is passed over; what is said twice is the same the second time.

use std::time::Duration;

use futures_util::future::{try_join, try_join_all, try_join3, try_join5};
use jiff::Timestamp;
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::agents::{AgentKey, LEARN_SECONDS};
use super::rows::{LEASE_COLUMNS, Value, lease, lease_columns, text, usd, usd_or_none};
use super::{DatabaseError, PoolKey, Session};
use crate::domain::Usd;
use crate::fleet::chance::random;
use crate::fleet::{Around, Ask, Lease, Other, Outcome, Pool, Seen};

const POOL: &str = "SELECT configured::text, in_force::text, claimed::text, spent::text, held::text, agents, chunk::text, recall, \
    tight_until, clock_timestamp() FROM lead_factory_fleet.pool WHERE budget = $1 AND definition = $2 AND starts_at = $3 FOR UPDATE";
const OWN: &str = concat!(
    "SELECT ",
    lease_columns!("lease"),
    ", lease.incarnation, lease.seq, lease.is_set_back, lease.is_doubtful, agent.incarnation, fleet.epoch, fleet.learning_until, \
     limit_override.max_spend::text, limit_override.expires_at IS NULL OR limit_override.expires_at > clock_timestamp() \
     FROM lead_factory_fleet.fleet CROSS JOIN lead_factory_fleet.agent LEFT JOIN lead_factory_fleet.lease \
     ON lease.budget = $1 AND lease.definition = $2 AND lease.starts_at = $3 AND lease.ledger_id = agent.ledger_id \
     LEFT JOIN lead_factory_fleet.limit_override ON limit_override.budget = $1 WHERE fleet.id = 1 AND agent.ledger_id = $4"
);
const OTHERS: &str = concat!(
    "SELECT ",
    lease_columns!("lease"),
    ", lease.ledger_id FROM lead_factory_fleet.lease WHERE budget = $1 AND definition = $2 AND starts_at = $3 AND ledger_id <> $4 \
     AND (waiting_since IS NOT NULL OR held > 0 OR doubt > 0 OR granted - returned > lost + GREATEST(spent, 0))"
);
const LATER: &str = "SELECT count(*) FROM lead_factory_fleet.pool LEFT JOIN lead_factory_fleet.lease ON lease.budget = pool.budget \
    AND lease.definition = pool.definition AND lease.starts_at = pool.starts_at AND lease.ledger_id = $4 \
    WHERE pool.budget = $1 AND pool.definition = $2 AND pool.starts_at > $3 AND (lease.ledger_id IS NULL OR lease.is_carried)";
const SMALLEST: &str = "SELECT MIN(lease.configured)::text FROM lead_factory_fleet.lease JOIN lead_factory_fleet.agent \
    ON agent.ledger_id = lease.ledger_id WHERE lease.budget = $1 AND lease.definition = $2 AND lease.starts_at = $3 \
    AND lease.ledger_id <> $4 AND NOT lease.is_carried AND agent.seen_at > clock_timestamp() - '10 minutes'::interval";
const PUT_POOL: &str = "UPDATE lead_factory_fleet.pool SET configured = $4::text::numeric, in_force = $5::text::numeric, \
    claimed = $6::text::numeric, spent = $7::text::numeric, held = $8::text::numeric, chunk = $9::text::numeric, agents = $10, \
    recall = $11, tight_until = $12 WHERE budget = $1 AND definition = $2 AND starts_at = $3";
const PUT_LEASE: &str = "INSERT INTO lead_factory_fleet.lease (budget, definition, starts_at, ledger_id, granted, returned, spent, held, \
    lost, doubt, waits_for, configured, incarnation, seq, answered, waiting_since, recalled, lapses_at, doubt_lapses_at, \
    is_carried, is_set_back, is_doubtful) VALUES ($1, $2, $3, $4, $5::text::numeric, $6::text::numeric, $7::text::numeric, $8::text::numeric, \
    $9::text::numeric, $10::text::numeric, $11::text::numeric, $12::text::numeric, $13, $14, $15, $16, $17, $18, $19, FALSE, FALSE, \
    FALSE) \
    ON CONFLICT (budget, definition, starts_at, ledger_id) DO UPDATE SET granted = excluded.granted, returned = excluded.returned, \
    spent = excluded.spent, held = excluded.held, lost = excluded.lost, doubt = excluded.doubt, waits_for = excluded.waits_for, \
    configured = excluded.configured, incarnation = excluded.incarnation, seq = excluded.seq, answered = excluded.answered, \
    waiting_since = excluded.waiting_since, recalled = excluded.recalled, lapses_at = excluded.lapses_at, \
    doubt_lapses_at = excluded.doubt_lapses_at, is_carried = FALSE, is_set_back = FALSE, is_doubtful = FALSE";
pub(super) const TAKE_BACK: &str = "UPDATE lead_factory_fleet.lease SET returned = $5::text::numeric, held = $6::text::numeric, \
    doubt = $7::text::numeric WHERE budget = $1 AND definition = $2 AND starts_at = $3 AND ledger_id = $4";
const NEW_EPOCH: &str = "UPDATE lead_factory_fleet.fleet SET epoch = $2, learned_epoch = $2, \
    learning_until = clock_timestamp() + $3::text::interval WHERE id = 1 AND epoch = $1";

/// What an agent says to a pool.
#[derive(Clone, Debug)]
pub(in crate::fleet) struct Message {
    /// The epoch that it knows.
    pub epoch: i64,
    /// Grows with each message of a process about a pool.
    pub seq: i64,
    /// The newest that the database has answered.
    pub answered_seq: i64,
    /// Whether the lease was another process's until now, or has to be told anew.
    pub takes_over: bool,
    /// Whether to look for the smallest limit of the others' settings.
    pub compares_limits: bool,
    pub ask: Ask,
}

/// What the database answers.
#[derive(Clone, Debug)]
pub(in crate::fleet) enum Reply {
    Done(Box<Done>),
    /// It was set back, or made anew: say everything again, in its new epoch.
    Epoch,
    /// Another process speaks for this ledger.
    Replaced,
    /// It is older than what was said before.
    Stale,
    /// There is no such pool: it has to begin first.
    NoPool,
}

/// What was decided.
#[derive(Clone, Debug)]
pub(in crate::fleet) struct Done {
    pub lease: Lease,
    pub seen: Seen,
    pub outcome: Outcome,
    /// Whether a later period has begun, in which this agent has to say what it holds before it gets more in this one.
    pub is_closing: bool,
    /// For so long nothing is granted: the database was set back, and all agents say what they have.
    pub learns_for: Duration,
}

/// A lease's row, and what is read with it.
struct Own {
    lease: Lease,
    /// The process that it was last of, and its newest message; `None`: there is no row.
    known: Option<(i64, i64)>,
    is_set_back: bool,
    is_doubtful: bool,
    speaker: i64,
    epoch: i64,
    learning_until: Timestamp,
    set_limit: Option<Usd>,
}

impl Session {
    /// Says something to a pool, and takes what it gives.
    pub async fn exchange(&self, key: &PoolKey, agent: &AgentKey, message: &Message) -> Result<Reply, DatabaseError> {
        let mut of_lease = key.values().to_vec();
        of_lease.push((&agent.ledger_id, Type::TEXT));
        let begin = async {
            let begun = self.client.batch_execute("BEGIN ISOLATION LEVEL READ COMMITTED");
            let pool = self.client.query_typed(POOL, &of_lease[..3]);
            try_join(begun, pool).await
        };
        let smallest = async {
            if !message.compares_limits {
                return Ok(Vec::new());
            }
            self.client.query_typed(SMALLEST, &of_lease).await
        };
        // In this order they are sent, at once.
        let ((_, pools), owns, others, laters, smallest) = try_join5(
            begin,
            self.client.query_typed(OWN, &of_lease),
            self.client.query_typed(OTHERS, &of_lease),
            self.client.query_typed(LATER, &of_lease),
            smallest,
        )
        .await?;
        let Some(own) = owns.first() else {
            // Not even a hello is known.
            self.give_up().await?;
            return Ok(Reply::Replaced);
        };
        let own = Own::read(own)?;
        if own.epoch != message.epoch {
            self.give_up().await?;
            return Ok(Reply::Epoch);
        }
        let is_known = own.known.is_some_and(|(incarnation, seq)| {
            // What another process was told is not known here.
            incarnation != agent.incarnation || message.answered_seq <= seq
        });
        if message.answered_seq > 0 && (pools.is_empty() || !is_known) {
            return self.begin_epoch(own.epoch).await;
        }
        let Some(pool) = pools.first() else {
            self.give_up().await?;
            return Ok(Reply::NoPool);
        };
        let changes_hands = own.known.is_some_and(|(incarnation, _)| incarnation != agent.incarnation);
        let refused = if own.speaker != agent.incarnation || (changes_hands && !message.takes_over) {
            Some(Reply::Replaced)
        } else if !changes_hands && own.known.is_some_and(|(_, seq)| message.seq <= seq) {
            Some(Reply::Stale)
        } else {
            None
        };
        if let Some(refused) = refused {
            self.give_up().await?;
            return Ok(refused);
        }
        let later = laters.first().map_or(Ok(0), |row| row.try_get::<_, i64>(0))?;
        let smallest = smallest.first().map(|row| usd_or_none(row, 0)).transpose()?;
        let seen = Around {
            me: &agent.ledger_id,
            others: &mut others.iter().map(other).collect::<Result<Vec<_>, _>>()?,
            is_closing: later > 0,
            set_limit: own.set_limit,
            // Without others it is this agent's own.
            smallest_elsewhere: smallest.map(|smallest| smallest.unwrap_or(message.ask.limit)),
            now: pool.try_get(9)?,
        };
        self.decide(key, agent, message, own, read_pool(pool)?, seen).await
    }

    /// Decides, and writes what was decided.
    async fn decide(
        &self,
        key: &PoolKey,
        agent: &AgentKey,
        message: &Message,
        own: Own,
        mut pool: Pool,
        mut around: Around<'_>,
    ) -> Result<Reply, DatabaseError> {
        let (mut lease, ask, now) = (own.lease, &message.ask, around.now);
        pool.agents += u32::from(own.known.is_none());
        if own.is_set_back {
            pool.change(&mut lease, |lease| lease.note_set_back(ask.spent));
        }
        if own.is_doubtful {
            let (lapses_at, has_lapsed) = (lease.lapses_at, lease.has_lapsed(now));
            pool.note(&mut lease, ask, now);
            pool.change(&mut lease, |lease| if has_lapsed { lease.take_back() } else { lease.note_doubt(lapses_at) });
        }
        let learns_for = Duration::try_from(own.learning_until.duration_since(now)).unwrap_or_default();
        let outcome = if now < own.learning_until {
            pool.note(&mut lease, ask, now);
            Outcome::Wait
        } else {
            pool.exchange(&mut lease, ask, &mut around)
        };
        let taken: Vec<&Other> = around.others.iter().filter(|other| other.is_changed).collect();
        let commit = async {
            try_join_all(taken.iter().map(|other| self.put_taken(key, &other.id, &other.lease))).await?;
            Ok(self.client.batch_execute("COMMIT").await?)
        };
        try_join3(self.put_pool(key, &pool), self.put_lease(key, agent, message.seq, &lease), commit).await?;
        let seen = Seen::of(&pool, pool.is_tight(now));
        Ok(Reply::Done(Box::new(Done { lease, seen, outcome, is_closing: around.is_closing, learns_for })))
    }

    /// The database was set back: nothing is granted until all have said what they have.
    async fn begin_epoch(&self, epoch: i64) -> Result<Reply, DatabaseError> {
        let next = random();
        let values: [Value<'_>; 3] = [(&epoch, Type::INT8), (&next, Type::INT8), (&LEARN_SECONDS, Type::TEXT)];
        // Where another was quicker, its epoch is as good.
        self.client.execute_typed(NEW_EPOCH, &values).await?;
        self.client.batch_execute("COMMIT").await?;
        Ok(Reply::Epoch)
    }

    async fn put_pool(&self, key: &PoolKey, pool: &Pool) -> Result<(), DatabaseError> {
        let amounts = [pool.configured, pool.limit, pool.claimed, pool.spent, pool.held, pool.chunk].map(text);
        let agents = i32::try_from(pool.agents).unwrap_or(i32::MAX);
        let mut values = key.values().to_vec();
        values.extend(amounts.iter().map(|amount| (amount as _, Type::TEXT)));
        values.extend([
            (&agents as _, Type::INT4),
            (&pool.recall as _, Type::INT8),
            (&pool.tight_until as _, Type::TIMESTAMPTZ),
        ]);
        self.client.execute_typed(PUT_POOL, &values).await?;
        Ok(())
    }

    async fn put_lease(&self, key: &PoolKey, agent: &AgentKey, seq: i64, lease: &Lease) -> Result<(), DatabaseError> {
        let Lease { granted, returned, spent, held, lost, doubt, waits_for, limit, .. } = *lease;
        let amounts = [granted, returned, spent, held, lost, doubt, waits_for, limit].map(text);
        let mut values = key.values().to_vec();
        values.push((&agent.ledger_id, Type::TEXT));
        values.extend(amounts.iter().map(|amount| (amount as _, Type::TEXT)));
        values.extend([
            (&agent.incarnation as _, Type::INT8),
            (&seq as _, Type::INT8),
            (&lease.answered as _, Type::INT8),
            (&lease.waiting_since as _, Type::TIMESTAMPTZ),
            (&lease.recalled as _, Type::INT8),
            (&lease.lapses_at as _, Type::TIMESTAMPTZ),
            (&lease.doubt_lapses_at as _, Type::TIMESTAMPTZ),
        ]);
        self.client.execute_typed(PUT_LEASE, &values).await?;
        Ok(())
    }

    /// Writes what was taken from another's lease.
    pub(super) async fn put_taken(&self, key: &PoolKey, ledger_id: &str, lease: &Lease) -> Result<(), DatabaseError> {
        let amounts = [lease.returned, lease.held, lease.doubt].map(text);
        let mut values = key.values().to_vec();
        values.push((&ledger_id, Type::TEXT));
        values.extend(amounts.iter().map(|amount| (amount as _, Type::TEXT)));
        self.client.execute_typed(TAKE_BACK, &values).await?;
        Ok(())
    }
}

impl Own {
    fn read(row: &Row) -> Result<Self, DatabaseError> {
        let at = |column| LEASE_COLUMNS + column;
        let incarnation: Option<i64> = row.try_get(at(0))?;
        let is_set: bool = row.try_get(at(8))?;
        Ok(Self {
            lease: if incarnation.is_some() { lease(row, 0)? } else { Lease::default() },
            known: match incarnation {
                Some(incarnation) => Some((incarnation, row.try_get(at(1))?)),
                None => None,
            },
            is_set_back: row.try_get::<_, Option<bool>>(at(2))?.unwrap_or(false),
            is_doubtful: row.try_get::<_, Option<bool>>(at(3))?.unwrap_or(false),
            speaker: row.try_get(at(4))?,
            epoch: row.try_get(at(5))?,
            learning_until: row.try_get(at(6))?,
            set_limit: usd_or_none(row, at(7))?.filter(|_| is_set),
        })
    }
}

fn other(row: &Row) -> Result<Other, DatabaseError> {
    Ok(Other { id: row.try_get(LEASE_COLUMNS)?, lease: lease(row, 0)?, is_changed: false })
}

/// A pool's row, as [`POOL`] has it.
pub(super) fn read_pool(row: &Row) -> Result<Pool, DatabaseError> {
    Ok(Pool {
        configured: usd(row, 0)?,
        limit: usd(row, 1)?,
        claimed: usd(row, 2)?,
        spent: usd(row, 3)?,
        held: usd(row, 4)?,
        agents: u32::try_from(row.try_get::<_, i32>(5)?).unwrap_or(0),
        chunk: usd(row, 6)?,
        recall: row.try_get(7)?,
        tight_until: row.try_get(8)?,
    })
}
