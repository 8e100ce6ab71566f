//! Open reservations: what they set aside, and when each lapses.
//!
//! *Invariants.* A hold lapses by the steady clock. One that has lapsed stays here until the ledger knows, but counts no more. What those
//! that count set aside of each budget stands with its tallies.
//!
//! *Limits.* [`HOLDS_MAX`].

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use imbl::{OrdMap, OrdSet};
use jiff::Timestamp;

use crate::domain::{Now, Reservation, ReservationRequest, ReservationState, Steady};

/// Reservations that may be held at once, unless a setting says otherwise. Each takes some 450 bytes of memory.
pub const HOLDS_MAX: usize = 200_000;

/// A reservation that is held, or has lapsed without the ledger knowing it yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Hold {
    /// Its place in the ledger.
    pub seq: i64,
    /// What was asked for.
    pub request: ReservationRequest,
    /// Granted whatever the budgets said.
    pub critical: bool,
    /// When it was granted.
    pub created_at: Timestamp,
    /// What its worker was told of its end.
    pub expires_at: Timestamp,
    /// When it lapses.
    pub deadline: Steady,
}

/// Every open hold. Cloning it is cheap.
#[derive(Clone, Debug, Default)]
pub struct Holds {
    by_seq: OrdMap<i64, Arc<Hold>>,
    /// By the hash of the id, which takes less room than the id.
    by_id: OrdSet<(u64, i64)>,
    /// Those that count, by when they lapse.
    by_deadline: OrdSet<(Steady, i64)>,
    /// Those that do not any more.
    lapsed: OrdSet<i64>,
    /// Reservations that the ledger knows as expired.
    expired: u64,
}

impl Hold {
    /// A reservation that has just been granted or extended, and lapses then.
    pub fn until(deadline: Steady, seq: i64, reservation: &Reservation) -> Self {
        let Reservation { request, critical, created_at, expires_at, .. } = reservation.clone();
        Self { seq, request, critical, created_at, expires_at, deadline }
    }

    /// A hold that is taken from the ledger: its remaining time is what the wall clock says, but never more than it was given, in
    /// case that clock was set back.
    pub fn resumed(seq: i64, reservation: &Reservation, now: Now) -> Self {
        let until_end = |start| Duration::try_from(reservation.expires_at.duration_since(start)).unwrap_or(Duration::ZERO);
        let remaining = until_end(now.time).min(until_end(reservation.created_at));
        Self::until(now.steady + remaining, seq, reservation)
    }

    /// The reservation as the ledger has it.
    pub fn reservation(&self) -> Reservation {
        Reservation {
            request: self.request.clone(),
            critical: self.critical,
            created_at: self.created_at,
            expires_at: self.expires_at,
            ended_at: None,
            state: ReservationState::Held,
        }
    }
}

impl Holds {
    /// None open, and so many that the ledger knows as expired.
    pub fn with_expired(expired: u64) -> Self {
        Self { expired, ..Self::default() }
    }

    /// Adds a hold, in place of the one with its `seq` if there is one.
    pub fn put(&mut self, hold: Hold) {
        drop(self.remove(hold.seq));
        self.by_deadline.insert((hold.deadline, hold.seq));
        self.by_id.insert((hash(&hold.request.id), hold.seq));
        self.by_seq.insert(hold.seq, Arc::new(hold));
    }

    /// Takes a hold out, and says whether it counted.
    pub fn remove(&mut self, seq: i64) -> Option<(Arc<Hold>, bool)> {
        let hold = self.by_seq.remove(&seq)?;
        self.by_id.remove(&(hash(&hold.request.id), seq));
        self.by_deadline.remove(&(hold.deadline, seq));
        let counted = self.lapsed.remove(&seq).is_none();
        Some((hold, counted))
    }

    /// Stops counting what has run out of time, and says what that is.
    pub fn lapse(&mut self, now: Steady) -> Vec<Arc<Hold>> {
        let due: Vec<Arc<Hold>> = self.due(now).cloned().collect();
        due.iter().for_each(|hold| self.stop_counting(hold));
        due
    }

    /// Takes what had lapsed `before` and was counted as such: it stays so.
    pub fn keep_lapsed(&mut self, before: &Self) {
        for seq in &before.lapsed {
            if let Some(hold) = self.by_seq.get(seq).filter(|_| !self.lapsed.contains(seq)).cloned() {
                self.stop_counting(&hold);
            }
        }
    }

    /// The oldest holds that have lapsed without the ledger knowing.
    pub fn lapsed(&self) -> impl Iterator<Item = &Arc<Hold>> {
        self.lapsed.iter().filter_map(|seq| self.by_seq.get(seq))
    }

    /// Counts reservations that the ledger has come to know as expired, or as ended after that.
    pub fn count_expired(&mut self, expired: u64, ended: u64) {
        self.expired = (self.expired + expired).saturating_sub(ended);
    }

    /// When the next hold lapses.
    pub fn next_deadline(&self) -> Option<Steady> {
        self.by_deadline.get_min().map(|(deadline, _)| *deadline)
    }

    /// The hold under an id, also one that has lapsed.
    pub fn find(&self, id: &str) -> Option<&Arc<Hold>> {
        let hash = hash(id);
        let same_hash = self.by_id.range((hash, i64::MIN)..=(hash, i64::MAX));
        same_hash.filter_map(|(_, seq)| self.by_seq.get(seq)).find(|hold| *hold.request.id == *id)
    }

    /// Whether it counts at this instant.
    pub fn counts(&self, hold: &Hold, now: Steady) -> bool {
        now < hold.deadline && !self.lapsed.contains(&hold.seq)
    }

    /// Holds with a greater `seq`, oldest first, also those that have lapsed.
    pub fn after(&self, seq: i64) -> impl Iterator<Item = &Arc<Hold>> {
        self.by_seq.range(seq.saturating_add(1)..).map(|(_, hold)| hold)
    }

    /// Those that have not been noticed to have lapsed.
    pub fn counting(&self) -> impl Iterator<Item = &Arc<Hold>> {
        self.by_deadline.iter().filter_map(|(_, seq)| self.by_seq.get(seq))
    }

    /// How many are held at this instant.
    pub fn held(&self, now: Steady) -> u64 {
        (self.by_deadline.len() - self.due(now).count()) as u64
    }

    /// How many have expired and were neither settled nor released.
    pub fn expired(&self, now: Steady) -> u64 {
        self.expired + (self.lapsed.len() + self.due(now).count()) as u64
    }

    /// How many are kept in memory.
    pub fn len(&self) -> usize {
        self.by_seq.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_seq.is_empty()
    }

    /// Those that count so far and have run out of time.
    pub fn due(&self, now: Steady) -> impl Iterator<Item = &Arc<Hold>> {
        let due = self.by_deadline.iter().take_while(move |(deadline, _)| *deadline <= now);
        due.filter_map(|(_, seq)| self.by_seq.get(seq))
    }

    fn stop_counting(&mut self, hold: &Hold) {
        self.by_deadline.remove(&(hold.deadline, hold.seq));
        self.lapsed.insert(hold.seq);
    }
}

fn hash(id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    hasher.finish()
}
