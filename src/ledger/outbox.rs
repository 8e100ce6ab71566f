//! The outbox of the webhooks: messages, and to whom each is still to be delivered.
//!
//! *Invariants.* A message is written in the transaction that makes it true, with a row for each receiver; that row goes in the
//! transaction that notes the delivery, or its failure for good. A topic is told once as long as its message is remembered. No
//! `seq` is used twice. No URL is written.
//!
//! *Limits.* [`DELIVERIES_MAX`] open deliveries; messages are remembered for [`REMEMBERED`], those of budgets with a longer period until
//! that is over twice.
//!
//! *Deliberately not here.* What is told, and how it is delivered.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, TransactionBehavior, params};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::row::{RowWriter, each_row, nanoseconds, read_row, read_rows, row, write_row};
use super::{LedgerError, meta};
use crate::domain::{PeriodKind, Receiver, Usd};

/// Deliveries that may be open at once, over all receivers. Beyond it nothing new is told until there is room.
pub const DELIVERIES_MAX: usize = 4_096;
/// How long a message is remembered, so that it is not told again: a month, twice over.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(24 * 62);
/// The same for a budget of quarters or years.
const REMEMBERED_LONGER: SignedDuration = SignedDuration::from_hours(24 * 732);
/// Messages that one tidying removes at most.
const REMOVED_MAX: usize = 1_000;

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
    /// Who is to get it, by their names in the outbox. One for nobody is remembered all the same.
    pub to: Arc<[Arc<str>]>,
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

/// A row of `webhook_message`.
struct MessageRow {
    seq: i64,
    topic: String,
    kind: String,
    created_at: Timestamp,
    body: String,
}

/// What of a message's body is looked at.
#[derive(Deserialize)]
struct Told {
    data: Limited,
}

/// How long what a message is about goes on.
#[derive(Default, Deserialize)]
struct Lasting {
    data: LastingBudget,
}

#[derive(Default, Deserialize)]
struct LastingBudget {
    period: Option<PeriodKind>,
    key: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Limited {
    limit_usd: Usd,
}

row! {
    "INSERT" "webhook_message",
    write MessageRow, read MessageRow,
    (MessageRow { seq, topic, kind, created_at, body }),
    key {
        "seq" => seq;
    }
    columns {
        "topic" => topic;
        "kind" => kind;
        "created_at_ns" => created_at;
        "body" => body;
    }
}

/// A row of `webhook_delivery`.
struct DeliveryRow {
    message: i64,
    receiver: Arc<str>,
    attempts: u32,
    next_attempt_at: Timestamp,
}

row! {
    "INSERT" "webhook_delivery",
    write DeliveryRow, read DeliveryRow,
    (DeliveryRow { message, receiver, attempts, next_attempt_at }),
    key {
        "message" => message;
        "receiver" => receiver;
    }
    columns {
        "attempts" => attempts;
        "next_attempt_at_ns" => next_attempt_at;
    }
}

impl OutboxChanges {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty() && self.reports.is_empty()
    }
}

/// How many deliveries may still be opened.
pub(super) fn room(connection: &Connection) -> Result<usize, LedgerError> {
    let open: i64 = connection.prepare_cached("SELECT count(*) FROM webhook_delivery")?.query_row((), |row| row.get(0))?;
    Ok(DELIVERIES_MAX.saturating_sub(usize::try_from(open).unwrap_or(usize::MAX)))
}

/// Removes what is open for receivers that are none any more, and the oldest messages once they need not be remembered.
pub(super) fn tidy(connection: &mut Connection, receivers: &[Receiver], now: Timestamp) -> Result<(), LedgerError> {
    let mut named = connection.prepare_cached("SELECT DISTINCT receiver FROM webhook_delivery")?;
    let mut gone: Vec<String> = named.query_map((), |row| row.get(0))?.collect::<Result<_, _>>()?;
    drop(named);
    gone.retain(|receiver| !receivers.iter().any(|known| *known.name == **receiver));
    let forgotten = forgotten(connection, now)?;
    if gone.is_empty() && forgotten.is_empty() {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for receiver in gone {
        transaction.execute("DELETE FROM webhook_delivery WHERE receiver = ?", [receiver])?;
    }
    // A delivery is given up long before; one of that age belongs to an agent that was off for so long.
    transaction.execute(
        "DELETE FROM webhook_delivery WHERE message IN (SELECT seq FROM webhook_message WHERE created_at_ns < ?)",
        [nanoseconds(now.checked_sub(REMEMBERED).unwrap_or(Timestamp::MIN))],
    )?;
    for seq in forgotten {
        transaction.execute("DELETE FROM webhook_message WHERE seq = ?", [seq])?;
    }
    transaction.commit()?;
    Ok(())
}

/// The oldest messages that need not be remembered any longer; never the newest one, whose number is counted on from.
fn forgotten(connection: &Connection, now: Timestamp) -> Result<Vec<i64>, LedgerError> {
    let before = |age: SignedDuration| nanoseconds(now.checked_sub(age).unwrap_or(Timestamp::MIN));
    let (horizon, longer) = (before(REMEMBERED), before(REMEMBERED_LONGER));
    let mut statement = connection.prepare_cached(
        "SELECT seq, created_at_ns, body FROM webhook_message WHERE seq < (SELECT max(seq) FROM webhook_message) ORDER BY seq",
    )?;
    let mut rows = statement.query(())?;
    let mut forgotten = Vec::new();
    while let Some(row) = rows.next()? {
        let created_at: i64 = row.get(1)?;
        if created_at >= horizon || forgotten.len() >= REMOVED_MAX {
            break;
        }
        let is_over = match lasting(&row.get::<_, String>(2)?) {
            Some(PeriodKind::Total) => false,
            Some(_) => created_at < longer,
            None => true,
        };
        if is_over {
            forgotten.push(row.get(0)?);
        }
    }
    Ok(forgotten)
}

/// The period of the budget that a message is about, if it is longer than a month. Those of keys are told as they come to a threshold, once,
/// and there may be any number of them: they are not kept.
fn lasting(body: &str) -> Option<PeriodKind> {
    let Lasting { data } = serde_json::from_str(body).unwrap_or_default();
    let is_long = |period: &PeriodKind| matches!(period, PeriodKind::Quarterly | PeriodKind::Yearly | PeriodKind::Total);
    data.period.filter(is_long).filter(|_| data.key.is_none())
}

/// What is still to be delivered to a receiver, oldest message first.
pub(super) fn read_open(connection: &Connection, receiver: &str) -> Result<Vec<OpenDelivery>, LedgerError> {
    let rows: Vec<DeliveryRow> = read_rows(connection, "WHERE receiver = ? ORDER BY message", [receiver])?;
    let open = |DeliveryRow { message, attempts, next_attempt_at, .. }| OpenDelivery { message, attempts, next_attempt_at };
    Ok(rows.into_iter().map(open).collect())
}

/// How many deliveries were tried in vain so far, and when the oldest of their messages came about; `None` without any.
pub(super) fn failing(connection: &Connection) -> Result<Option<(u64, Timestamp)>, LedgerError> {
    let sql =
        "SELECT count(*), min(created_at_ns) FROM webhook_delivery JOIN webhook_message ON seq = message WHERE attempts > 0";
    let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, Option<i64>>(1)?));
    let (count, oldest) = connection.prepare_cached(sql)?.query_row((), read)?;
    let oldest = oldest.and_then(|ns| Timestamp::from_nanosecond(i128::from(ns)).ok());
    Ok(oldest.map(|oldest| (count.cast_unsigned(), oldest)))
}

/// A message, if it is remembered.
pub(super) fn read_message(connection: &Connection, seq: i64) -> Result<Option<StoredMessage>, LedgerError> {
    let ledger_id = meta::ledger_id(connection)?;
    let found = read_row(connection, "WHERE seq = ?", [seq])?;
    Ok(found.map(|(MessageRow { seq, kind, created_at, body, .. }, _)| StoredMessage {
        id: format!("msg_{ledger_id:016x}_{seq}"),
        kind,
        created_at,
        body,
    }))
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
                let (receiver, attempts) = (Arc::clone(receiver), *attempts);
                let row = DeliveryRow { message: *message, receiver, attempts, next_attempt_at: *time };
                // There is none to change when the delivery is over.
                RowWriter::update(connection)?.try_write(&row)?;
            }
        }
    }
    for message in &changes.messages {
        if let Some(seq) = write_message(connection, message)? {
            for receiver in message.to.iter() {
                let (receiver, next_attempt_at) = (Arc::clone(receiver), message.created_at);
                write_row(connection, &DeliveryRow { message: seq, receiver, attempts: 0, next_attempt_at })?;
            }
        }
    }
    Ok(())
}

/// Adds to the topics of budgets the limit that their messages tell of, which older agents left out: without it a state that was
/// told would be told again by the first commit of this one.
pub(super) fn add_limits(connection: &Connection) -> Result<(), LedgerError> {
    let rows: Vec<MessageRow> = read_rows(connection, "WHERE kind LIKE 'budget.%'", ())?;
    let mut writer = RowWriter::update(connection)?;
    for row in rows {
        // A body that cannot be read is told of again, at worst.
        if let Ok(Told { data: Limited { limit_usd } }) = serde_json::from_str(&row.body) {
            writer.try_write(&MessageRow { topic: format!("{} {limit_usd}", row.topic), ..row })?;
        }
    }
    Ok(())
}

/// Checks every row.
pub(super) fn verify(connection: &Connection) -> Result<(), LedgerError> {
    each_row(connection, "", (), |_: MessageRow, _| Ok(()))?;
    each_row(connection, "", (), |_: DeliveryRow, _| Ok(()))?;
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
    let NewMessage { topic, kind, created_at, body, to: _ } = message.clone();
    write_row(connection, &MessageRow { seq, topic, kind: kind.to_owned(), created_at, body })?;
    Ok(Some(seq))
}

#[cfg(test)]
mod tests;
