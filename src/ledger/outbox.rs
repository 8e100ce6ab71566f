//! The outbox of the webhooks: messages, and to whom each is still to be delivered.
//!
//! *Invariants.* A message is written in the transaction that makes it true, with a row for each receiver; that row goes in the
//! transaction that notes the delivery, or its failure for good. A topic is told once as long as its message is remembered. No
//! `seq` is used twice. No URL is written.
//!
//! *Limits.* [`DELIVERIES_MAX`] open deliveries; messages are remembered for [`REMEMBERED`].
//!
//! *Deliberately not here.* What is told, and how it is delivered.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, params};

use super::checksum::Checksum;
use super::rows::{check, damaged, each, nanoseconds, timestamp};
use super::{Ledger, LedgerError, Reader, meta};

/// Deliveries that may be open at once, over all receivers. Beyond it nothing new is told until there is room.
pub const DELIVERIES_MAX: usize = 4_096;
/// How long a message is remembered, so that it is not told again: longer than any budget's period, twice over.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(24 * 62);
/// Messages that one tidying removes at most.
const REMOVED_MAX: i64 = 1_000;

/// A message that is to be told, unless its topic was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMessage {
    /// What makes it the same message again.
    pub topic: String,
    /// Its type, such as `budget.warning`.
    pub kind: &'static str,
    /// When it came about.
    pub created_at: Timestamp,
    /// The JSON that receivers get.
    pub body: String,
}

/// What became of an attempt to deliver a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryReport {
    /// The message's `seq`.
    pub message: i64,
    /// The receiver's name in the outbox.
    pub receiver: Arc<str>,
    /// What follows.
    pub next: NextAttempt,
}

/// What follows an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextAttempt {
    /// None: it was delivered, or given up.
    Never,
    /// Another one.
    At {
        /// When.
        time: Timestamp,
        /// Attempts so far.
        attempts: u32,
    },
}

/// What a commit writes to the outbox.
#[derive(Clone, Debug, Default)]
pub struct OutboxChanges {
    /// New messages; those whose topic is known are passed over.
    pub messages: Vec<NewMessage>,
    /// Who is to get them.
    pub receivers: Arc<[Arc<str>]>,
    /// What became of earlier ones. A report about a delivery that is over changes nothing.
    pub reports: Vec<DeliveryReport>,
}

/// A message as it is remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredMessage {
    /// Unique among all messages of all ledgers, the same at each attempt.
    pub id: String,
    /// Its type.
    pub kind: String,
    /// When it came about.
    pub created_at: Timestamp,
    /// The JSON that receivers get.
    pub body: String,
}

/// A delivery that is still open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenDelivery {
    /// The message's `seq`.
    pub message: i64,
    /// Attempts so far.
    pub attempts: u32,
    /// When the next one is due.
    pub next_attempt_at: Timestamp,
}

impl OutboxChanges {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty() && self.reports.is_empty()
    }
}

impl Ledger {
    /// How many deliveries may still be opened.
    ///
    /// # Errors
    /// The table cannot be read.
    pub fn outbox_room(&self) -> Result<usize, LedgerError> {
        let open: i64 =
            self.connection.prepare_cached("SELECT count(*) FROM webhook_delivery")?.query_row((), |row| row.get(0))?;
        Ok(DELIVERIES_MAX.saturating_sub(usize::try_from(open).unwrap_or(usize::MAX)))
    }

    /// Removes what is open for receivers that are none any more, and the oldest messages once they need not be remembered.
    ///
    /// # Errors
    /// As for [`Ledger::commit`].
    pub fn tidy_outbox(&mut self, receivers: &[Arc<str>], now: Timestamp) -> Result<(), LedgerError> {
        let named = self.connection.prepare_cached("SELECT DISTINCT receiver FROM webhook_delivery")?;
        let mut gone: Vec<String> = each(named, (), |row| Ok(row.get(0)?))?;
        gone.retain(|receiver| !receivers.iter().any(|known| **known == **receiver));
        let horizon = nanoseconds(now.checked_sub(REMEMBERED).unwrap_or(Timestamp::MIN));
        let oldest: Option<i64> = self
            .connection
            .prepare_cached(
                "SELECT created_at_ns FROM webhook_message WHERE seq < (SELECT max(seq) FROM webhook_message) \
                 ORDER BY seq LIMIT 1",
            )?
            .query_row((), |row| row.get(0))
            .optional()?;
        if gone.is_empty() && oldest.is_none_or(|oldest| oldest >= horizon) {
            return Ok(());
        }
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for receiver in gone {
            transaction.execute("DELETE FROM webhook_delivery WHERE receiver = ?", [receiver])?;
        }
        // A delivery is given up long before; one of that age belongs to an agent that was off for so long.
        transaction.execute(
            "DELETE FROM webhook_delivery WHERE message IN (SELECT seq FROM webhook_message WHERE created_at_ns < ?)",
            [horizon],
        )?;
        transaction.execute(
            "DELETE FROM webhook_message WHERE seq IN (SELECT seq FROM webhook_message WHERE created_at_ns < ? \
             AND seq < (SELECT max(seq) FROM webhook_message) ORDER BY seq LIMIT ?)",
            [horizon, REMOVED_MAX],
        )?;
        transaction.commit()?;
        Ok(())
    }
}

impl Reader {
    /// What is still to be delivered to a receiver, oldest message first.
    ///
    /// # Errors
    /// A row is damaged or cannot be read.
    pub fn open_deliveries(&self, receiver: &str) -> Result<Vec<OpenDelivery>, LedgerError> {
        let sql = "SELECT message, receiver, attempts, next_attempt_at_ns, checksum FROM webhook_delivery \
                   WHERE receiver = ? ORDER BY message";
        self.read(|transaction| each(transaction.prepare_cached(sql)?, [receiver], read_delivery))
    }

    /// A message, if it is remembered.
    ///
    /// # Errors
    /// The row is damaged or cannot be read.
    pub fn message(&self, seq: i64) -> Result<Option<StoredMessage>, LedgerError> {
        let sql = "SELECT seq, topic, kind, created_at_ns, body, checksum FROM webhook_message WHERE seq = ?";
        self.read(|transaction| {
            let ledger_id = meta::ledger_id(transaction)?;
            let found = each(transaction.prepare_cached(sql)?, [seq], |row| read_message(row, ledger_id))?;
            Ok(found.into_iter().next())
        })
    }
}

/// Writes a commit's part.
pub(super) fn write(connection: &Connection, changes: &OutboxChanges) -> Result<(), LedgerError> {
    for DeliveryReport { message, receiver, next } in &changes.reports {
        match next {
            NextAttempt::Never => {
                let sql = "DELETE FROM webhook_delivery WHERE message = ? AND receiver = ?";
                connection.prepare_cached(sql)?.execute(params![message, receiver])?;
            }
            NextAttempt::At { time, attempts } => {
                let sql = "UPDATE webhook_delivery SET attempts = ?, next_attempt_at_ns = ?, checksum = ? \
                           WHERE message = ? AND receiver = ?";
                let checksum = delivery_checksum(*message, receiver, *attempts, nanoseconds(*time));
                let columns = params![attempts, nanoseconds(*time), checksum, message, receiver];
                connection.prepare_cached(sql)?.execute(columns)?;
            }
        }
    }
    for message in &changes.messages {
        if let Some(seq) = write_message(connection, message)? {
            for receiver in changes.receivers.iter() {
                open_delivery(connection, seq, receiver, nanoseconds(message.created_at))?;
            }
        }
    }
    Ok(())
}

/// Checks every row.
pub(super) fn verify(connection: &Connection) -> Result<(), LedgerError> {
    let messages = "SELECT seq, topic, kind, created_at_ns, body, checksum FROM webhook_message";
    each(connection.prepare_cached(messages)?, (), |row| read_message(row, 0).map(drop))?;
    let deliveries = "SELECT message, receiver, attempts, next_attempt_at_ns, checksum FROM webhook_delivery";
    each(connection.prepare_cached(deliveries)?, (), |row| read_delivery(row).map(drop))?;
    let orphans: i64 = connection.query_row(
        "SELECT count(*) FROM webhook_delivery WHERE message NOT IN (SELECT seq FROM webhook_message)",
        (),
        |row| row.get(0),
    )?;
    if orphans == 0 { Ok(()) } else { Err(LedgerError::Damaged("a delivery's message is missing".into())) }
}

/// The `seq` that the message gets; `None` when its topic was told.
fn write_message(connection: &Connection, message: &NewMessage) -> Result<Option<i64>, LedgerError> {
    let known = connection.prepare_cached("SELECT 1 FROM webhook_message WHERE topic = ?")?.exists([&message.topic])?;
    if known {
        return Ok(None);
    }
    let next = "SELECT coalesce(max(seq), 0) + 1 FROM webhook_message";
    let seq: i64 = connection.prepare_cached(next)?.query_row((), |row| row.get(0))?;
    let created_at_ns = nanoseconds(message.created_at);
    let checksum = message_checksum(seq, &message.topic, message.kind, created_at_ns, &message.body);
    let sql = "INSERT INTO webhook_message (seq, topic, kind, created_at_ns, body, checksum) VALUES (?, ?, ?, ?, ?, ?)";
    let columns = params![seq, message.topic, message.kind, created_at_ns, message.body, checksum];
    connection.prepare_cached(sql)?.execute(columns)?;
    Ok(Some(seq))
}

fn open_delivery(connection: &Connection, message: i64, receiver: &str, due_ns: i64) -> Result<(), LedgerError> {
    let sql =
        "INSERT INTO webhook_delivery (message, receiver, attempts, next_attempt_at_ns, checksum) VALUES (?, ?, 0, ?, ?)";
    let checksum = delivery_checksum(message, receiver, 0, due_ns);
    connection.prepare_cached(sql)?.execute(params![message, receiver, due_ns, checksum])?;
    Ok(())
}

fn read_message(row: &Row<'_>, ledger_id: u64) -> Result<StoredMessage, LedgerError> {
    let (seq, topic, created_at_ns): (i64, String, i64) = (row.get(0)?, row.get(1)?, row.get(3)?);
    let (kind, body): (String, String) = (row.get(2)?, row.get(4)?);
    check("webhook_message", row.get(5)?, message_checksum(seq, &topic, &kind, created_at_ns, &body))?;
    let id = format!("msg_{ledger_id:016x}_{seq}");
    Ok(StoredMessage { id, kind, created_at: timestamp(3, created_at_ns)?, body })
}

fn read_delivery(row: &Row<'_>) -> Result<OpenDelivery, LedgerError> {
    let (message, receiver, next_ns): (i64, String, i64) = (row.get(0)?, row.get(1)?, row.get(3)?);
    let attempts = u32::try_from(row.get::<_, i64>(2)?).map_err(|_| damaged("webhook_delivery", "attempts"))?;
    check("webhook_delivery", row.get(4)?, delivery_checksum(message, &receiver, attempts, next_ns))?;
    Ok(OpenDelivery { message, attempts, next_attempt_at: timestamp(3, next_ns)? })
}

fn message_checksum(seq: i64, topic: &str, kind: &str, created_at_ns: i64, body: &str) -> i64 {
    Checksum::of("webhook_message").integer(seq).text(topic).text(kind).integer(created_at_ns).text(body).finish()
}

fn delivery_checksum(message: i64, receiver: &str, attempts: u32, next_attempt_at_ns: i64) -> i64 {
    Checksum::of("webhook_delivery")
        .integer(message)
        .text(receiver)
        .integer(i64::from(attempts))
        .integer(next_attempt_at_ns)
        .finish()
}

#[cfg(test)]
mod tests;
