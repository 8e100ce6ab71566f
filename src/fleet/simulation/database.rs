//! The fleet's database, as far as its answers go: rows, and one exchange as one transaction.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::domain::Usd;
use crate::fleet::{Around, Ask, Lease, Other, Outcome, Pool, Seen};

/// For so long nothing is granted after the database was set back.
pub(super) const LEARN_MS: u64 = 5_000;

#[derive(Clone, Default)]
pub(super) struct Row {
    pub lease: Lease,
    pub incarnation: u64,
    pub seq: u64,
}

/// What can be put back from a backup.
#[derive(Clone)]
pub(super) struct Database {
    pub pool: Pool,
    /// By agent.
    pub rows: BTreeMap<usize, Row>,
    /// The process that speaks for each agent.
    pub speakers: BTreeMap<usize, u64>,
    pub epoch: u64,
    pub learning_until_ms: u64,
}

/// What an agent sends.
#[derive(Clone)]
pub(super) struct Message {
    pub agent: usize,
    pub incarnation: u64,
    pub epoch: u64,
    /// Grows with each message of a process.
    pub seq: u64,
    /// The newest that the database has answered.
    pub answered_seq: u64,
    /// Whether the lease was another process's until now, or has to be told anew.
    pub takes_over: bool,
    /// Whether the ledger is of an earlier time than what the database has of it.
    pub is_set_back: bool,
    pub ask: Ask,
}

#[derive(Clone)]
pub(super) enum Reply {
    Done {
        lease: Box<Lease>,
        seen: Seen,
        outcome: Outcome,
        epoch: u64,
    },
    /// The database was set back: say everything anew.
    Epoch,
    /// Another process speaks for this ledger.
    Replaced,
}

pub(super) fn timestamp(ms: u64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_millis(ms.cast_signed())
}

impl Database {
    pub fn new(limit: Usd) -> Self {
        Self { pool: Pool::new(limit), rows: BTreeMap::new(), speakers: BTreeMap::new(), epoch: 1, learning_until_ms: 0 }
    }

    /// What there is to see without a transaction.
    pub fn look(&self, now_ms: u64) -> (u64, Seen) {
        (self.epoch, Seen::of(&self.pool, self.pool.is_tight(timestamp(now_ms))))
    }

    /// One exchange; no answer to what is too old. `new_epoch` is a number that nobody had yet.
    pub fn exchange(&mut self, message: &Message, now_ms: u64, new_epoch: u64) -> Option<Reply> {
        if message.epoch != self.epoch {
            return Some(Reply::Epoch);
        }
        let speaker = *self.speakers.entry(message.agent).or_insert(message.incarnation);
        let mut row = self.rows.get(&message.agent).cloned().unwrap_or_else(|| {
            self.pool.agents += 1;
            Row { incarnation: message.incarnation, ..Row::default() }
        });
        let changes_hands = row.incarnation != message.incarnation;
        if speaker != message.incarnation || (changes_hands && !message.takes_over) {
            return Some(Reply::Replaced);
        }
        if !changes_hands && message.answered_seq > row.seq {
            self.epoch = new_epoch;
            self.learning_until_ms = now_ms + LEARN_MS;
            return Some(Reply::Epoch);
        }
        if !changes_hands && message.seq <= row.seq {
            return None;
        }
        if changes_hands && message.is_set_back {
            self.pool.change(&mut row.lease, |lease| lease.note_set_back(message.ask.spent));
        }
        (row.incarnation, row.seq) = (message.incarnation, message.seq);
        let now = timestamp(now_ms);
        let outcome = if now_ms < self.learning_until_ms {
            self.pool.note(&mut row.lease, &message.ask, now);
            Outcome::Wait
        } else {
            // Names sort as numbers do.
            let name = |agent: usize| format!("{agent:03}");
            let rows = self.rows.iter().filter(|(id, _)| **id != message.agent);
            let other = |(id, row): (&usize, &Row)| Other { id: name(*id), lease: row.lease.clone(), is_changed: false };
            let mut others: Vec<Other> = rows.map(other).collect();
            let me = name(message.agent);
            let mut around =
                Around { me: &me, others: &mut others, is_closing: false, set_limit: None, smallest_elsewhere: None, now };
            let outcome = self.pool.exchange(&mut row.lease, &message.ask, &mut around);
            for Other { id, lease, .. } in others.into_iter().filter(|other| other.is_changed) {
                let row = id.parse().ok().and_then(|id: usize| self.rows.get_mut(&id));
                row.into_iter().for_each(|row| row.lease = lease.clone());
            }
            outcome
        };
        let lease = Box::new(row.lease.clone());
        self.rows.insert(message.agent, row);
        Some(Reply::Done { lease, seen: self.look(now_ms).1, outcome, epoch: self.epoch })
    }

    /// The sums of the pool are those of its leases.
    pub fn check(&self) {
        let claimed: Usd = self.rows.values().map(|row| row.lease.claim()).sum();
        let spent: Usd = self.rows.values().map(|row| row.lease.spent_for_good()).sum();
        let held: Usd = self.rows.values().map(|row| row.lease.held).sum();
        assert_eq!((self.pool.claimed, self.pool.spent, self.pool.held), (claimed, spent, held), "the sums of the pool");
    }
}
