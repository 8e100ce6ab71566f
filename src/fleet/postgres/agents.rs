//! Who speaks for a ledger.

use futures_util::future::try_join3;
use jiff::{SignedDuration, Timestamp};
use tokio_postgres::types::Type;

use super::rows::Value;
use super::{DatabaseError, Session};

/// Who speaks for the same ledger elsewhere is gone after so long without a word.
const SILENT: SignedDuration = SignedDuration::from_secs(30);
/// For so long nothing is granted once the database was set back or made anew, so that all agents say what they have.
pub(super) const LEARN_SECONDS: &str = "5 seconds";

const KNOWN: &str = "SELECT events, event_hash, time_zone, sums_epoch FROM lead_factory_fleet.agent WHERE ledger_id = $1";
const NEW_AGENT: &str = "INSERT INTO lead_factory_fleet.agent (ledger_id, incarnation, place, name, version, time_zone, seen_at, \
    synced_at, events, event_hash, sums_epoch, is_forgotten, contested_by) VALUES ($1, $2, $3, '', '', '', clock_timestamp(), \
    '1970-01-01T00:00:00Z', 0, 0, 0, FALSE, '') ON CONFLICT (ledger_id) DO NOTHING";
const SPEAKER: &str = "SELECT incarnation, place, name, seen_at, clock_timestamp() FROM lead_factory_fleet.agent \
    WHERE ledger_id = $1 FOR UPDATE";
const EPOCH: &str = "SELECT epoch FROM lead_factory_fleet.fleet WHERE id = 1";
const SPEAK: &str = "UPDATE lead_factory_fleet.agent SET incarnation = $2, place = $3, name = $4, version = $5, time_zone = $6, \
    sums_epoch = $7, seen_at = clock_timestamp(), is_forgotten = FALSE WHERE ledger_id = $1";
const CONTEST: &str =
    "UPDATE lead_factory_fleet.agent SET contested_by = $2, contested_at = clock_timestamp() WHERE ledger_id = $1";
const DOUBT: &str = "UPDATE lead_factory_fleet.lease SET is_doubtful = TRUE WHERE ledger_id = $1";
const SET_BACK: &str = "UPDATE lead_factory_fleet.lease SET is_set_back = TRUE WHERE ledger_id = $1";
const BEAT: &str = "UPDATE lead_factory_fleet.agent SET seen_at = clock_timestamp(), \
    synced_at = CASE WHEN $3 THEN clock_timestamp() ELSE synced_at END WHERE ledger_id = $1 AND incarnation = $2";
const FAREWELL: &str = "UPDATE lead_factory_fleet.agent SET place = '', seen_at = clock_timestamp() \
    WHERE ledger_id = $1 AND incarnation = $2";
const LEARN: &str = "UPDATE lead_factory_fleet.fleet SET learned_epoch = epoch, learning_until = clock_timestamp() + $2::text::interval \
    WHERE id = 1 AND epoch = $1 AND learned_epoch <> epoch";

/// A process that speaks for a ledger.
#[derive(Clone, Debug)]
pub(in crate::fleet) struct AgentKey {
    pub ledger_id: String,
    /// The process; another one has another.
    pub incarnation: i64,
}

/// What the database has of a ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::fleet) struct Known {
    /// The ledger's newest event when all its sums were here last, and its checksum; 0 where that never was.
    pub events: i64,
    pub event_hash: i64,
    /// The zone in which their days were counted.
    pub time_zone: String,
    /// Under which they were sent.
    pub sums_epoch: i64,
}

/// What a process says of itself when it begins.
#[derive(Clone, Debug)]
pub(in crate::fleet) struct Hello<'a> {
    pub agent: &'a AgentKey,
    pub place: &'a str,
    /// Whether it is the first word of this process.
    pub is_first: bool,
    pub name: &'a str,
    pub version: &'a str,
    pub time_zone: &'a str,
    /// Under which it sends sums.
    pub sums_epoch: i64,
    /// Whether its ledger is of an earlier time than what is known of it.
    pub is_set_back: bool,
}

/// What the database says to that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::fleet) enum Welcome {
    /// It speaks for its ledger from now on, in this epoch.
    Speaker {
        epoch: i64,
        /// Whether another place spoke for it, which may still do something.
        is_doubtful: bool,
    },
    /// Another place speaks for it.
    Occupied { name: String },
}

impl Session {
    /// What is known of a ledger.
    pub async fn known(&self, ledger_id: &str) -> Result<Option<Known>, DatabaseError> {
        let rows = self.client.query_typed(KNOWN, &[(&ledger_id, Type::TEXT)]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        Ok(Some(Known {
            events: row.try_get(0)?,
            event_hash: row.try_get(1)?,
            time_zone: row.try_get(2)?,
            sums_epoch: row.try_get(3)?,
        }))
    }

    /// Begins to speak for a ledger, unless another place does.
    pub async fn hello(&self, hello: &Hello<'_>) -> Result<Welcome, DatabaseError> {
        let (ledger_id, incarnation) = (&hello.agent.ledger_id, hello.agent.incarnation);
        self.client.batch_execute("BEGIN ISOLATION LEVEL READ COMMITTED").await?;
        let of_agent: [Value<'_>; 1] = [(ledger_id, Type::TEXT)];
        let new_agent: [Value<'_>; 3] = [(ledger_id, Type::TEXT), (&incarnation, Type::INT8), (&hello.place, Type::TEXT)];
        let (_, speakers, epochs) = try_join3(
            self.client.execute_typed(NEW_AGENT, &new_agent),
            self.client.query_typed(SPEAKER, &of_agent),
            self.client.query_typed(EPOCH, &[]),
        )
        .await?;
        let (Some(speaker), Some(epoch)) = (speakers.first(), epochs.first()) else {
            return Err(DatabaseError::Damaged("there is no row of the fleet"));
        };
        let (place, name): (&str, String) = (speaker.try_get(1)?, speaker.try_get(2)?);
        let (seen_at, now): (Timestamp, Timestamp) = (speaker.try_get(3)?, speaker.try_get(4)?);
        let is_same = speaker.try_get::<_, i64>(0)? == incarnation;
        // Of one place only one process can have the ledger; who said farewell has nothing in hand.
        let is_free = is_same || place == hello.place || place.is_empty();
        // A process that begins has the name that another file had: that one was put aside, and whoever had it is over, or soon will be.
        let is_put_back = hello.is_first && without_file(place) == without_file(hello.place);
        if !is_free && !is_put_back && now.duration_since(seen_at) < SILENT {
            self.client.execute_typed(CONTEST, &[(ledger_id, Type::TEXT), (&hello.name, Type::TEXT)]).await?;
            self.client.batch_execute("COMMIT").await?;
            return Ok(Welcome::Occupied { name });
        }
        let speak: [Value<'_>; 7] = [
            (ledger_id, Type::TEXT),
            (&incarnation, Type::INT8),
            (&hello.place, Type::TEXT),
            (&hello.name, Type::TEXT),
            (&hello.version, Type::TEXT),
            (&hello.time_zone, Type::TEXT),
            (&hello.sums_epoch, Type::INT8),
        ];
        self.client.execute_typed(SPEAK, &speak).await?;
        if !is_free {
            self.client.execute_typed(DOUBT, &of_agent).await?;
        }
        if hello.is_set_back {
            self.client.execute_typed(SET_BACK, &of_agent).await?;
        }
        self.client.batch_execute("COMMIT").await?;
        Ok(Welcome::Speaker { epoch: epoch.try_get(0)?, is_doubtful: !is_free })
    }

    /// Says that the process is there, and whether all its sums are; `false`: it does not speak for its ledger any more.
    pub async fn beat(&self, agent: &AgentKey, is_synced: bool) -> Result<bool, DatabaseError> {
        let values: [Value<'_>; 3] =
            [(&agent.ledger_id, Type::TEXT), (&agent.incarnation, Type::INT8), (&is_synced, Type::BOOL)];
        Ok(self.client.execute_typed(BEAT, &values).await? > 0)
    }

    /// Says that the process ends with nothing in hand.
    pub async fn farewell(&self, agent: &AgentKey) -> Result<(), DatabaseError> {
        let values: [Value<'_>; 2] = [(&agent.ledger_id, Type::TEXT), (&agent.incarnation, Type::INT8)];
        self.client.execute_typed(FAREWELL, &values).await?;
        Ok(())
    }

    /// Has nothing be granted for a while in an epoch that this agent did not know, unless that was done: the database may have been made anew,
    /// and all must say what they have.
    pub async fn learn(&self, epoch: i64) -> Result<(), DatabaseError> {
        let values: [Value<'_>; 2] = [(&epoch, Type::INT8), (&LEARN_SECONDS, Type::TEXT)];
        self.client.execute_typed(LEARN, &values).await?;
        Ok(())
    }
}

/// A place without the file that was there.
fn without_file(place: &str) -> &str {
    place.rsplit_once(' ').map_or(place, |(place, _)| place)
}
