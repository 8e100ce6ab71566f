//! What the other leases of a pool say, put together for a decision.

use jiff::{SignedDuration, Timestamp};

use super::lease::Lease;
use crate::domain::Usd;

/// How long one who waits comes first, should nothing be heard of it any more.
pub const WAIT_MAX: SignedDuration = SignedDuration::from_millis(1_200);

/// Another agent's lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Other {
    /// Whose.
    pub id: String,
    /// The lease.
    pub lease: Lease,
    /// Whether it was changed: it is to be written.
    pub is_changed: bool,
}

/// What an exchange needs to know besides the pool and the lease.
#[derive(Debug)]
pub struct Around<'a> {
    /// Who asks.
    pub me: &'a str,
    /// The other leases of the pool, but for those that claim nothing beyond what is spent.
    pub others: &'a mut [Other],
    /// Whether a later period has begun for some in which this agent has not said what it holds: nothing more is given then.
    pub is_closing: bool,
    /// What somebody has set as the limit.
    pub set_limit: Option<Usd>,
    /// The smallest limit in the settings of the agents that were seen of late, this one's aside, where that was looked up.
    pub smallest_elsewhere: Option<Usd>,
    /// The database's clock.
    pub now: Timestamp,
}

/// What is known of the other agents of a pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Others {
    /// How many wait.
    pub waiting: u32,
    /// What those ask for who have waited longer.
    pub older: Usd,
    /// How many have not answered the recall that this one waits for, or would make now, and have something that may come back.
    pub unanswered: u32,
    /// What these claim and have not spent.
    pub unspent: Usd,
    /// Of how many nobody knows what became of a part.
    pub doubtful: u32,
    /// That part, as far as it is not among what is unspent. Nobody can be asked for it.
    pub doubt: Usd,
}

impl Others {
    /// Puts together what the other leases of a pool say to one who asks; `recall` is the newest.
    pub fn of(around: &Around<'_>, lease: &Lease, recall: i64) -> Self {
        let recalled = if lease.waiting_since.is_some() { lease.recalled } else { recall + 1 };
        let mut found = Self::default();
        found.note_doubt(lease);
        for Other { id, lease: other, .. } in around.others.iter() {
            if let Some(since) = other.waiting_since
                && around.now.duration_since(since) < WAIT_MAX
            {
                found.waiting += 1;
                // Of two that came at once, one must be first.
                if lease.waiting_since.is_none_or(|mine| (since, id.as_str()) < (mine, around.me)) {
                    found.older += other.waits_for;
                }
            }
            if other.unspent() > Usd::ZERO && other.answered < recalled {
                found.unanswered += 1;
                found.unspent += other.unspent();
            } else {
                found.note_doubt(other);
            }
        }
        found
    }

    /// How many may have something of which nothing is known.
    pub fn silent(&self) -> u32 {
        self.unanswered + self.doubtful
    }

    fn note_doubt(&mut self, lease: &Lease) {
        if lease.doubt > Usd::ZERO {
            self.doubtful += 1;
            self.doubt += lease.doubt;
        }
    }
}
