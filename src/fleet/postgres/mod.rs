//! The fleet's database: all of its SQL, and nothing that decides.
//!
//! *Invariants.* Portable SQL: PostgreSQL 14 and newer, CockroachDB, YugabyteDB, Citus, and all of them behind a pooler in transaction mode. So
//! statements are unnamed, a session has no state, and nothing rests on more than READ COMMITTED with rows that are locked in one order: pools
//! by their periods, then their leases. What is stricter may ask to try again ([`DatabaseError::is_transient`]), and whatever is tried again
//! is the same the second time.
//!
//! *Limits.* [`CHUNK_ROWS`] rows of a table in one statement; each caller bounds the time.

mod agents;
mod connect;
mod error;
mod exchange;
mod forget;
mod init;
mod overrides;
mod pools;
mod reads;
mod rows;
mod schema;
mod sums;
#[cfg(test)]
mod tests;
mod tls;
mod url;

pub(super) use agents::{AgentKey, Hello, Known, Welcome};
pub(super) use connect::Session;
pub use error::DatabaseError;
pub(super) use exchange::{Done, Message, Reply};
pub use forget::{Forgotten, GONE_AFTER, forget, in_doubt};
pub use init::init;
pub(super) use overrides::SetLimit;
pub(super) use pools::PoolKey;
pub(super) use reads::{Contest, CostRow, Difference};
pub(super) use sums::{SumRow, SumsOf};
pub use url::{DatabaseUrl, DatabaseUrlError};

/// Rows that one statement writes at most.
pub(super) const CHUNK_ROWS: usize = 1_000;
