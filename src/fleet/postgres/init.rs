//! Makes a database ready for a fleet.

use std::time::Duration;

use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;

use super::rows::Value;
use super::schema::{SCHEMA, VERSION};
use super::{DatabaseError, DatabaseUrl, Session};
use crate::fleet::FleetError;
use crate::fleet::chance::random;

const FIRST: &str = "INSERT INTO lead_factory_fleet.fleet (id, version, epoch, learned_epoch, learning_until, overrides) \
    VALUES (1, $1, $2, 0, '1970-01-01T00:00:00Z', 0) ON CONFLICT (id) DO NOTHING";
/// Times that it is tried where several make the same at once, and the pause after the first.
const TRIES: u32 = 20;
const PAUSE_MS: u64 = 20;

/// Makes the tables, in a schema of their own, where they are not there yet; and has a role use them, which needs no more than that. To be
/// done with the rights of an owner. Doing it again changes nothing.
///
/// # Errors
/// The database cannot be reached, has tables of a newer version, or the rights are not enough.
pub async fn init(url: &DatabaseUrl, grant: Option<&str>) -> Result<(), FleetError> {
    let session = Session::connect(url).await?;
    Ok(make(&session, grant).await?)
}

pub(super) async fn make(session: &Session, grant: Option<&str>) -> Result<(), DatabaseError> {
    match session.version().await {
        Ok(found) if found > VERSION => return Err(DatabaseError::OtherSchema { found }),
        Ok(_) | Err(DatabaseError::NoSchema) => {}
        Err(other) => return Err(other),
    }
    let mut tried = 1;
    loop {
        match make_once(session, grant).await {
            Err(error) if tried < TRIES && is_race(&error) => {
                // Of those that came at once, each waits for another time.
                let pause = random().unsigned_abs() % (u64::from(tried) * PAUSE_MS) + PAUSE_MS;
                tokio::time::sleep(Duration::from_millis(pause)).await;
                tried += 1;
            }
            // What is lacking is another right than that of an agent.
            done => return done.map_err(DatabaseError::Statement),
        }
    }
}

async fn make_once(session: &Session, grant: Option<&str>) -> Result<(), tokio_postgres::Error> {
    session.client.batch_execute(SCHEMA).await?;
    let first: [Value<'_>; 2] = [(&VERSION, Type::INT4), (&random(), Type::INT8)];
    session.client.execute_typed(FIRST, &first).await?;
    let Some(role) = grant.map(quoted) else { return Ok(()) };
    let rights = format!(
        "GRANT USAGE ON SCHEMA lead_factory_fleet TO {role}; \
         GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA lead_factory_fleet TO {role}"
    );
    session.client.batch_execute(&rights).await
}

/// Whether somebody else was making or changing the same: PostgreSQL locks no names of what is not there, nor its catalog for a GRANT.
fn is_race(error: &tokio_postgres::Error) -> bool {
    let Some(error) = error.as_db_error() else { return false };
    let codes = [
        SqlState::UNIQUE_VIOLATION,
        SqlState::DUPLICATE_SCHEMA,
        SqlState::DUPLICATE_TABLE,
        SqlState::T_R_SERIALIZATION_FAILURE,
        SqlState::T_R_DEADLOCK_DETECTED,
    ];
    codes.contains(error.code()) || error.message().contains("concurrently updated")
}

/// A name as SQL takes it, whatever is in it.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
