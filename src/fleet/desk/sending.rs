//! Sends what the ledger adds up to.
//!
//! *Invariants.* The database has all sums of the state that was acknowledged last. What differs since is found by comparing two states, which
//! share what has not changed; after a start, by the entries that the database does not count yet.
//!
//! *Limits.* [`ENTRIES_MAX`] entries are looked at; behind more of them all sums are sent.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use jiff::civil::Date;

use super::request::Membership;
use super::shared::Shared;
use crate::fleet::instruments::Instruments;
use crate::fleet::parts::FleetParts;
use crate::fleet::postgres::{DatabaseError, Session, SumRow, SumsOf};
use crate::ledger::{LedgerError, PairRow, Reader};
use crate::views::{Published, Views};

/// Entries that are looked at for the days in which they count, which takes a second.
const ENTRIES_MAX: i64 = 100_000;

/// What was sent, and of what.
pub(super) struct Sending {
    parts: Arc<FleetParts>,
    shared: Arc<Shared>,
    instruments: Instruments,
    membership: Option<(u64, Membership)>,
    /// The state of which the database has all sums.
    sent: Option<Views>,
}

impl Sending {
    pub fn new(parts: Arc<FleetParts>, shared: Arc<Shared>, instruments: Instruments) -> Self {
        Self { parts, shared, instruments, membership: None, sent: None }
    }

    /// Another one that has nothing to send.
    pub fn empty(&self) -> Self {
        Self::new(Arc::clone(&self.parts), Arc::clone(&self.shared), self.instruments.clone())
    }

    /// Sends for this membership from now on.
    pub fn begin(&mut self, number: u64, membership: Membership) {
        self.membership = Some((number, membership));
        self.sent = None;
    }

    /// Whether there may be something to send.
    pub fn is_due(&self) -> bool {
        let entries = self.parts.board.read().views.entries;
        self.membership.is_some() && self.sent.as_ref().is_none_or(|sent| sent.entries != entries)
    }

    /// Sends what differs from what the database has.
    pub async fn send(&mut self, session: &Session) -> Result<(), DatabaseError> {
        let Some((number, membership)) = &self.membership else { return Ok(()) };
        let published = self.parts.board.read();
        let entries = published.views.entries.cast_signed();
        let of = SumsOf { agent: &membership.agent, epoch: membership.sums_epoch, entries };
        match &self.sent {
            Some(sent) => {
                let changes = published.views.changes_since(sent);
                let rows =
                    changes.sums.into_iter().map(|(day, pair, total)| SumRow { day, pair, total }).collect::<Vec<_>>();
                self.put(session, of, &rows).await?;
                for day in changes.left {
                    self.put_day(session, of, &published, day).await?;
                }
            }
            None => {
                let days = self.days(membership.after, entries, &published).await?;
                for day in days {
                    self.put_day(session, of, &published, day).await?;
                }
                if membership.after.is_none() {
                    session.remove_older_sums(of).await?;
                }
            }
        }
        let reader = Arc::clone(&self.parts.reader);
        let newest = beside(move || reader.checksum_at(entries)).await?;
        if !session.acknowledge_sums(of, newest.unwrap_or(0)).await? {
            // Another process speaks for the ledger by now: whoever it is sends them.
            self.membership = None;
            return Ok(());
        }
        self.shared.sent_entries.store(published.views.entries, Ordering::Relaxed);
        self.shared.sent.fetch_max(*number, Ordering::Release);
        self.sent = Some(published.views.clone());
        Ok(())
    }

    /// The days whose sums may differ from what the database has.
    async fn days(&self, after: Option<i64>, entries: i64, published: &Published) -> Result<BTreeSet<Date>, DatabaseError> {
        let reader = Arc::clone(&self.parts.reader);
        let mut days = beside(move || {
            if let Some(after) = after
                && let Some(days) = reader.days_of_entries(after, entries, ENTRIES_MAX)?
            {
                return Ok((days, true));
            }
            Ok((reader.days_with_cost()?.into_iter().collect(), false))
        })
        .await?;
        if !days.1 {
            // Those of which the file does not know yet.
            days.0.extend(published.views.days_in_memory());
        }
        Ok(days.0)
    }

    /// Sends the sums of a whole day.
    async fn put_day(
        &self,
        session: &Session,
        of: SumsOf<'_>,
        published: &Published,
        day: Date,
    ) -> Result<(), DatabaseError> {
        let rows: Vec<SumRow> = match published.views.day(day) {
            Some(costs) => {
                let row = |(pair, sums): (&crate::domain::Pair, &crate::domain::Sums)| SumRow {
                    day,
                    pair: pair.clone(),
                    total: sums.net(),
                };
                costs.pairs().map(row).collect()
            }
            None => {
                let reader = Arc::clone(&self.parts.reader);
                beside(move || read_day(&reader, day)).await?
            }
        };
        self.put(session, of, &rows).await
    }

    async fn put(&self, session: &Session, of: SumsOf<'_>, rows: &[SumRow]) -> Result<(), DatabaseError> {
        session.put_sums(of, rows).await?;
        self.instruments.count_rows(rows.len());
        Ok(())
    }
}

fn read_day(reader: &Reader, day: Date) -> Result<Vec<SumRow>, LedgerError> {
    let rows = reader.days(day, day)?.into_values().flatten();
    Ok(rows.map(|PairRow { day, pair, sums }| SumRow { day, pair, total: sums.net() }).collect())
}

/// Reads the ledger beside the async threads.
async fn beside<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, LedgerError> + Send + 'static,
) -> Result<T, DatabaseError> {
    match tokio::task::spawn_blocking(read).await {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(error)) => {
            tracing::error!(error = &error as &dyn std::error::Error, "the ledger cannot be read for the fleet");
            Err(DatabaseError::Damaged("the ledger cannot be compared with it"))
        }
        Err(_panicked) => Err(DatabaseError::Damaged("the ledger cannot be compared with it")),
    }
}
