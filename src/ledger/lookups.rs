//! What is looked up beside the writer by its name: a reservation, a tally, a message of the outbox; and histories.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::Date;

use super::outbox::{OpenDelivery, StoredMessage};
use super::reservations::{self, StoredReservation, key_of};
use super::{
    LedgerError, Reader, StoredEvent, StoredTally, Unpriced, UnpricedGroup, budgets, calls, events, ids, meta, outbox, rows,
};
use crate::domain::LimitOverride;

impl Reader {
    /// The reservation under an id, if it is remembered and known to the ledger as held, expired or ended.
    ///
    /// # Errors
    /// A row is damaged or cannot be read.
    pub fn reservation(&self, id: &str) -> Result<Option<StoredReservation>, LedgerError> {
        self.read(|transaction| {
            if let Some(found) = reservations::unpaid(transaction, id)? {
                return Ok(Some(found));
            }
            match ids::find_on_disk(transaction, &key_of(id))? {
                Some(event) => reservations::settled_by(transaction, &event),
                None => Ok(None),
            }
        })
    }

    /// Reservations that expired and were neither settled nor released, oldest first, with a `seq` greater than `after`.
    ///
    /// # Errors
    /// A row is damaged or cannot be read.
    pub fn expired_reservations(&self, after: i64, limit: u32) -> Result<Vec<StoredReservation>, LedgerError> {
        self.read(|transaction| reservations::read_expired(transaction, after, limit))
    }

    /// Events that wait for a price, oldest entry first, with a `seq` greater than `after`; at most `limit`.
    ///
    /// # Errors
    /// A row is damaged or cannot be read.
    pub fn unpriced_behind(&self, after: i64, limit: u32) -> Result<Vec<Unpriced>, LedgerError> {
        self.read(|transaction| calls::unpriced_behind(transaction, after, limit))
    }

    /// What waits for a price, by service, model and usage names, the most events first; at most `limit` groups.
    ///
    /// # Errors
    /// The table cannot be read.
    pub fn unpriced_groups(&self, limit: u32) -> Result<Vec<UnpricedGroup>, LedgerError> {
        self.read(|transaction| calls::unpriced_groups(transaction, limit))
    }

    /// The newest entry that tells the event whose first entry has this `seq`, if it is kept.
    ///
    /// # Errors
    /// A row is damaged or cannot be read.
    pub fn newest_telling(&self, first: i64) -> Result<Option<StoredEvent>, LedgerError> {
        self.read(|transaction| events::newest_telling(transaction, first))
    }

    /// The limits that were set in place of those of the settings, newest first.
    ///
    /// # Errors
    /// A row is damaged or missing, or cannot be read.
    pub fn budget_history(&self, limit: u32) -> Result<Vec<LimitOverride>, LedgerError> {
        self.read(|transaction| budgets::overrides::history(transaction, limit))
    }

    /// What tells this ledger from all others; a copy has the same.
    ///
    /// # Errors
    /// A fact about the file is missing or cannot be read.
    pub fn ledger_id(&self) -> Result<u64, LedgerError> {
        self.read(|transaction| meta::ledger_id(transaction))
    }

    /// The checksum of the entry with this `seq`; `None` where there is none (any more).
    ///
    /// # Errors
    /// The row is damaged or cannot be read.
    pub fn checksum_at(&self, seq: i64) -> Result<Option<i64>, LedgerError> {
        self.read(|transaction| {
            let mut found = None;
            events::each_event(transaction, seq, seq, |_, checksum| {
                found = Some(checksum);
                Ok(())
            })?;
            Ok(found)
        })
    }

    /// The days in which the entries behind `after` count, up to and including `through`; `None` where these are more than `most`, or not all
    /// kept.
    ///
    /// # Errors
    /// A row is damaged or cannot be read.
    pub fn days_of_entries(&self, after: i64, through: i64, most: i64) -> Result<Option<BTreeSet<Date>>, LedgerError> {
        if through - after > most {
            return Ok(None);
        }
        self.read(|transaction| {
            let (mut days, mut count) = (BTreeSet::new(), 0);
            events::each_event(transaction, after + 1, through, |stored, _| {
                count += 1;
                days.insert(self.zone().day_of(stored.event.time));
                Ok(())
            })?;
            Ok((count == through - after).then_some(days))
        })
    }

    /// Every day that has cost, in order.
    ///
    /// # Errors
    /// A row is damaged or cannot be read.
    pub fn days_with_cost(&self) -> Result<Vec<Date>, LedgerError> {
        self.read(|transaction| {
            let days = rows::read_days(transaction, Date::MIN, Date::MAX)?;
            Ok(days.into_iter().map(|(day, _)| day).collect())
        })
    }

    /// What was spent of a meter's budget under one key in one period, as far as it is written; see [`Ledger::find_tally`](super::Ledger::find_tally).
    ///
    /// # Errors
    /// The row is damaged or cannot be read.
    pub fn find_tally(&self, meter: i64, span_start: Timestamp, key: &str) -> Result<Option<StoredTally>, LedgerError> {
        self.read(|transaction| budgets::find_tally(transaction, meter, span_start, key))
    }

    /// What is still to be delivered to a receiver, oldest message first.
    ///
    /// # Errors
    /// A row is damaged or cannot be read.
    pub fn open_deliveries(&self, receiver: &str) -> Result<Vec<OpenDelivery>, LedgerError> {
        self.read(|transaction| outbox::read_open(transaction, receiver))
    }

    /// How many deliveries to webhooks were tried in vain so far, and since when the oldest waits; `None` without any.
    ///
    /// # Errors
    /// The table cannot be read.
    pub fn failing_deliveries(&self) -> Result<Option<(u64, Timestamp)>, LedgerError> {
        self.read(|transaction| outbox::failing(transaction))
    }

    /// A message, if it is remembered.
    ///
    /// # Errors
    /// The row is damaged or cannot be read.
    pub fn message(&self, seq: i64) -> Result<Option<StoredMessage>, LedgerError> {
        self.read(|transaction| outbox::read_message(transaction, seq))
    }
}
