//! The beginning of each connection: whether this process speaks for its ledger, and whether the ledger is what is known of it.

use std::sync::Arc;

use super::state::Sync;
use crate::fleet::desk::Membership;
use crate::fleet::postgres::{DatabaseError, Hello, Known, Session, Welcome};
use crate::ledger::{LedgerError, Reader};

/// Who met.
pub(super) enum Met {
    /// This process speaks for its ledger.
    Speaker(Session, Begins),
    /// Another place does; for people.
    Occupied(String),
}

/// How a connection begins.
pub(super) struct Begins {
    /// The database's epoch.
    pub epoch: i64,
    /// What the sums have to be known of before anything is granted; `None`: nothing.
    pub sends_first: Option<u64>,
}

impl Sync {
    /// Connects, and says hello.
    pub(super) async fn meet(&mut self) -> Result<Met, DatabaseError> {
        let session = Session::open(&self.settings.url).await?;
        let known = session.known(&self.agent.ledger_id).await?.unwrap_or_default();
        let board = self.parts.board.read();
        let entries = board.views.entries.cast_signed();
        let zone = board.policy.zone.name().to_owned();
        drop(board);
        let (reader, asked) = (Arc::clone(&self.parts.reader), known.clone());
        let is_set_back = tokio::task::spawn_blocking(move || is_set_back(&reader, &asked, entries)).await;
        let is_set_back = match is_set_back {
            Ok(Ok(is_set_back)) => is_set_back,
            Ok(Err(error)) => {
                tracing::error!(error = &error as &dyn std::error::Error, "the ledger cannot be read for the fleet");
                return Err(DatabaseError::Damaged("the ledger cannot be compared with it"));
            }
            Err(_panicked) => return Err(DatabaseError::Damaged("the ledger cannot be compared with it")),
        };
        // Days that were counted in another zone are other days.
        let is_new_zone = known.events > 0 && known.time_zone != zone;
        let sends_anew = is_set_back || is_new_zone;
        let sums_epoch = known.sums_epoch + i64::from(sends_anew);
        let hello = Hello {
            agent: &self.agent,
            place: &self.parts.place,
            is_first: self.epoch == 0,
            name: &self.settings.agent,
            version: self.settings.version,
            time_zone: &zone,
            sums_epoch,
            is_set_back,
        };
        let (epoch, is_doubtful) = match session.hello(&hello).await? {
            Welcome::Speaker { epoch, is_doubtful } => (epoch, is_doubtful),
            Welcome::Occupied { name } => {
                return Ok(Met::Occupied(format!(
                    "agent {name} at another place speaks for this ledger, {}: one of them has a copy",
                    self.agent.ledger_id
                )));
            }
        };
        self.tell(&known, is_set_back, is_doubtful);
        let after = if sends_anew { None } else { Some(known.events) };
        let number = self.desk.speak(Membership { agent: self.agent.clone(), sums_epoch, after }).await;
        Ok(Met::Speaker(session, Begins { epoch, sends_first: is_set_back.then_some(number) }))
    }

    fn tell(&self, known: &Known, is_set_back: bool, is_doubtful: bool) {
        if is_set_back {
            tracing::warn!(
                events_known = known.events,
                "the ledger is of an earlier time than what the fleet knows of it: its sums are sent anew, and nothing is granted before"
            );
        }
        if is_doubtful {
            tracing::warn!(
                ledger_id = self.agent.ledger_id,
                "this ledger was at another place, which is silent: what that had in hand is in doubt until its lease ends, or `fleet forget`"
            );
        }
    }
}

/// Whether the ledger lacks what is known of it: it has fewer entries, or another one where the newest known stands.
fn is_set_back(reader: &Reader, known: &Known, entries: i64) -> Result<bool, LedgerError> {
    if known.events > entries {
        return Ok(true);
    }
    // What retention has removed cannot be compared.
    let checksum = if known.events > 0 { reader.checksum_at(known.events)? } else { None };
    Ok(checksum.is_some_and(|checksum| checksum != known.event_hash))
}
