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

#[cfg(test)]
mod tests {
    use super::*;

    fn pico(pico: i128) -> Usd {
        Usd::from_pico(pico)
    }

    fn at(millisecond: i64) -> Timestamp {
        Timestamp::from_millisecond(millisecond).unwrap()
    }

    fn other(id: &str, lease: Lease) -> Other {
        Other { id: id.to_owned(), lease, is_changed: false }
    }

    /// What the others say at an instant to one that waits since then, if it does, and has been recalled for the third time.
    fn of(others: &mut [Other], now_ms: i64, since_ms: Option<i64>) -> Others {
        let (is_closing, set_limit, smallest_elsewhere) = (false, None, None);
        let around = Around { me: "m", others, is_closing, set_limit, smallest_elsewhere, now: at(now_ms) };
        Others::of(&around, &Lease { waiting_since: since_ms.map(at), recalled: 3, ..Lease::default() }, 7)
    }

    fn waiting(since_ms: i64) -> Lease {
        Lease { waits_for: pico(5), waiting_since: Some(at(since_ms)), answered: 9, ..Lease::default() }
    }

    #[test]
    fn who_has_waited_longer_comes_first_for_a_while() {
        for (id, since_ms, now_ms, mine_ms, waiting_now, older) in [
            ("a", 100, 200, None, 1, 5),
            ("a", 100, 200, Some(150), 1, 5),
            ("a", 150, 200, Some(100), 1, 0),
            // Of two that came at once, the first by name.
            ("a", 100, 200, Some(100), 1, 5),
            ("z", 100, 200, Some(100), 1, 0),
            // Nothing was heard of it for too long.
            ("a", 100, 1_299, Some(150), 1, 5),
            ("a", 100, 1_300, Some(150), 0, 0),
        ] {
            let found = of(&mut [other(id, waiting(since_ms))], now_ms, mine_ms);
            assert_eq!((found.waiting, found.older), (waiting_now, pico(older)), "{id} {since_ms} {now_ms} {mine_ms:?}");
        }
        let found = of(&mut [other("a", waiting(1)), other("b", waiting(2)), other("c", Lease::default())], 9, None);
        assert_eq!((found.waiting, found.older, found.silent()), (2, pico(10), 0));
    }

    #[test]
    fn who_has_not_answered_may_have_what_it_has_not_spent() {
        let lease =
            |granted, spent, answered| Lease { granted: pico(granted), spent: pico(spent), answered, ..Lease::default() };
        // One that waits was recalled for the third time; one that does not would make the eighth recall.
        for (since_ms, answered, is_unanswered) in
            [(Some(1), 2, true), (Some(1), 3, false), (None, 7, true), (None, 8, false)]
        {
            let found = of(&mut [other("a", lease(10, 4, answered))], 9, since_ms);
            let expected = if is_unanswered { (1, pico(6), 1) } else { (0, Usd::ZERO, 0) };
            assert_eq!((found.unanswered, found.unspent, found.silent()), expected, "{since_ms:?} {answered}");
        }
        assert_eq!(of(&mut [other("a", lease(10, 10, 0))], 9, None).silent(), 0, "all of it is spent");
    }

    #[test]
    fn what_is_in_doubt_is_with_nobody_who_could_answer() {
        let doubt = |granted, answered| Lease { granted: pico(granted), doubt: pico(2), answered, ..Lease::default() };
        let mut others = [other("a", doubt(2, 9)), other("b", doubt(2, 9)), other("c", doubt(5, 0))];
        let found = of(&mut others, 9, None);
        assert_eq!((found.doubtful, found.doubt), (2, pico(4)));
        assert_eq!(
            (found.unanswered, found.unspent, found.silent()),
            (1, pico(5), 3),
            "what is unspent has its doubt within"
        );
    }
}
