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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Name, Usd};

    const CREATED_AT: Timestamp = Timestamp::UNIX_EPOCH;

    fn at(seconds: u64) -> Steady {
        Steady::since_start(Duration::from_secs(seconds))
    }

    fn time(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    /// Granted at the beginning of time, for this long.
    fn reservation(id: &str, ttl_seconds: u32) -> Reservation {
        let request = ReservationRequest {
            id: id.into(),
            id_given: true,
            service: Name::new("openai").unwrap(),
            operation: Name::new("chat").unwrap(),
            estimated_cost: Usd::from_dollars(1),
            ttl_seconds,
            attribution: None,
            model: None,
            usage: vec![],
        };
        let expires_at = time(ttl_seconds.into());
        let (critical, ended_at, state) = (true, None, ReservationState::Held);
        Reservation { request, critical, created_at: CREATED_AT, expires_at, ended_at, state }
    }

    /// Holds with these numbers, which lapse after as many seconds.
    fn holds(numbers: &[u32]) -> Holds {
        let mut holds = Holds::with_expired(10);
        for number in numbers {
            let reservation = reservation(&format!("r{number}"), *number);
            holds.put(Hold::until(at((*number).into()), i64::from(*number), &reservation));
        }
        holds
    }

    fn seqs<'h>(holds: impl Iterator<Item = &'h Arc<Hold>>) -> Vec<i64> {
        holds.map(|hold| hold.seq).collect()
    }

    #[test]
    fn a_hold_counts_until_just_before_its_time_is_over_and_is_kept_until_the_ledger_knows() {
        let mut holds = holds(&[5, 3, 9]);
        assert_eq!((holds.len(), holds.is_empty(), holds.next_deadline()), (3, false, Some(at(3))));
        let third = Arc::clone(holds.find("r3").unwrap());
        assert!(holds.counts(&third, at(2)) && !holds.counts(&third, at(3)) && !holds.counts(&third, at(4)));
        assert_eq!([2, 3, 5].map(|now| holds.held(at(now))), [3, 2, 1]);
        assert_eq!([2, 3, 5].map(|now| holds.expired(at(now))), [10, 11, 12], "whoever asks need not wait for the writer");
        assert_eq!(seqs(holds.due(at(5))), [3, 5]);

        assert_eq!(seqs(holds.lapse(at(5)).iter()), [3, 5]);
        assert_eq!((seqs(holds.lapsed()), seqs(holds.counting())), (vec![3, 5], vec![9]));
        assert!(!holds.counts(&third, at(2)), "what was noticed to have lapsed stays so");
        assert_eq!((holds.held(at(5)), holds.expired(at(5)), holds.len()), (1, 12, 3));
        assert_eq!((holds.next_deadline(), holds.lapse(at(5)).len()), (Some(at(9)), 0));

        let counted = |removed: Option<(Arc<Hold>, bool)>| removed.map(|(hold, counted)| (hold.seq, counted));
        assert_eq!(counted(holds.remove(3)), Some((3, false)));
        assert_eq!(counted(holds.remove(9)), Some((9, true)));
        assert_eq!((counted(holds.remove(9)), holds.find("r9"), holds.len()), (None, None, 1));
        assert_eq!((holds.expired(at(5)), seqs(holds.lapsed())), (11, vec![5]));
        holds.count_expired(3, 1);
        assert_eq!(holds.expired(at(5)), 13);
        holds.count_expired(0, 100);
        assert_eq!(holds.expired(at(5)), 1);
        drop(holds.remove(5));
        assert!(holds.is_empty());
    }

    #[test]
    fn a_hold_is_found_by_its_id_and_stands_once() {
        let mut holds = holds(&[5, 3]);
        let renamed = Hold::until(at(8), 3, &reservation("other", 8));
        holds.put(renamed.clone());
        assert_eq!(holds.find("other").map(|hold| &**hold), Some(&renamed));
        assert_eq!((holds.find("r3"), holds.len(), holds.next_deadline()), (None, 2, Some(at(5))));
        assert_eq!(holds.find("r5").map(|hold| hold.seq), Some(5));
        assert_eq!((seqs(holds.after(2)), seqs(holds.after(3)), seqs(holds.after(i64::MAX))), (vec![3, 5], vec![5], vec![]));
        assert!(hash("r3") != hash("r5"), "ids are told apart without being looked at");
    }

    #[test]
    fn what_has_lapsed_before_stays_so() {
        let mut before = holds(&[3, 5, 9]);
        before.lapse(at(3));
        drop(before.remove(5));
        let mut after = holds(&[3, 5, 9]);
        after.keep_lapsed(&before);
        assert_eq!((seqs(after.lapsed()), seqs(after.counting())), (vec![3], vec![5, 9]));
        after.keep_lapsed(&before);
        assert_eq!(seqs(after.lapsed()), [3]);
    }

    #[test]
    fn a_hold_from_the_ledger_has_no_more_time_than_it_was_given() {
        let reservation = reservation("r", 60);
        for (now, remaining) in [(20, 40), (60, 0), (70, 0), (0, 60), (-20, 60)] {
            let hold = Hold::resumed(7, &reservation, Now { time: time(now), steady: at(100) });
            assert_eq!(hold.deadline, at(100 + remaining), "{now}");
            assert_eq!((hold.seq, hold.reservation()), (7, reservation.clone()));
        }
    }
}
