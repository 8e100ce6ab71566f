//! What one agent may use of a pool.
//!
//! *Invariants.* `granted`, `returned`, `lost` and `answered` only grow, so an old message never makes a lease larger.

use jiff::{SignedDuration, Timestamp};

use crate::domain::Usd;

/// By the database's clock a lease with a duration ends so much later than by the agent's: two hundredths of it, for clocks that run unlike,
/// and so long.
const LAPSE_AFTER: SignedDuration = SignedDuration::from_secs(5);

/// What one agent may use of a pool, and what it said last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lease {
    /// What it was given so far.
    pub granted: Usd,
    /// What it has given back so far.
    pub returned: Usd,
    /// What its ledger has as spent; below zero where credits prevail.
    pub spent: Usd,
    /// What its open reservations set aside.
    pub held: Usd,
    /// What it had reported as spent and does not know of any more, since its ledger was set back.
    pub lost: Usd,
    /// What a process elsewhere had in hand, of which nobody knows what became.
    pub doubt: Usd,
    /// From when on, by the database's clock, nobody uses anything of that; `None`: nobody knows.
    pub doubt_lapses_at: Option<Timestamp>,
    /// The newest recall that it has answered.
    pub answered: i64,
    /// What the oldest reservation that waits there asks for; zero where none does.
    pub waits_for: Usd,
    /// Since when that waits, by the database's clock.
    pub waiting_since: Option<Timestamp>,
    /// The recall that was made for it.
    pub recalled: i64,
    /// What its settings say is the limit.
    pub limit: Usd,
    /// From when on, by the database's clock, the agent uses nothing more of it; `None`: it does not lapse.
    pub lapses_at: Option<Timestamp>,
}

/// What an agent says and asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ask {
    /// What it was given so far, as far as it knows.
    pub granted: Usd,
    /// What it has given back so far, this time included.
    pub returned: Usd,
    /// What its ledger has as spent.
    pub spent: Usd,
    /// What its open reservations set aside.
    pub held: Usd,
    /// The newest recall that it knew of before it looked at what it uses.
    pub answered: i64,
    /// What the oldest reservation that waits for a grant asks for; zero where none does.
    pub first: Usd,
    /// What all that wait ask for.
    pub need: Usd,
    /// What it would like to have in hand beyond that.
    pub ahead: Usd,
    /// What its settings say is the limit.
    pub limit: Usd,
    /// How long after it asked the agent uses what it is given; `None`: for ever.
    pub ttl: Option<SignedDuration>,
}

impl Lease {
    /// What it was given and has not given back.
    pub fn authority(&self) -> Usd {
        self.granted - self.returned
    }

    /// What of it is used, or may be.
    pub fn used(&self) -> Usd {
        self.spent_for_good() + self.doubt + self.held
    }

    /// What of it nobody else can have: what it may use, and what it used without asking.
    pub fn claim(&self) -> Usd {
        self.authority().max(self.used())
    }

    /// What of it is spent for good. Credits never make more than the limit available.
    pub fn spent_for_good(&self) -> Usd {
        self.spent.max(Usd::ZERO) + self.lost
    }

    /// What it claims and does not use.
    pub fn unused(&self) -> Usd {
        self.claim() - self.used()
    }

    /// What it claims and has not spent: some of it may come back.
    pub fn unspent(&self) -> Usd {
        self.claim() - self.spent_for_good()
    }

    /// Takes note of what the agent says. A database that was set back knows less than the agent.
    pub(super) fn note(&mut self, ask: &Ask, now: Timestamp) {
        self.limit = ask.limit;
        self.lapses_at = ask.ttl.map(|ttl| now + ttl + ttl / 50 + LAPSE_AFTER);
        self.granted = self.granted.max(ask.granted);
        self.returned = self.returned.max(ask.returned);
        (self.spent, self.held) = (ask.spent, ask.held);
        self.answered = self.answered.max(ask.answered);
    }

    /// Gives so much that it has this much unused.
    pub(super) fn give(&mut self, unused: Usd) {
        self.granted += (self.used() + unused - self.authority()).max(Usd::ZERO);
    }

    /// Takes note that the agent knows of less than it had reported, since its ledger was set back.
    pub fn note_set_back(&mut self, spent: Usd) {
        self.lost += (self.spent.max(Usd::ZERO) - spent.max(Usd::ZERO)).max(Usd::ZERO);
        self.spent = spent;
    }

    /// Takes note that a process elsewhere had this lease, which cannot be asked: what it had in hand is in doubt until then.
    pub fn note_doubt(&mut self, lapses_at: Option<Timestamp>) {
        let before = (self.doubt > Usd::ZERO).then_some(self.doubt_lapses_at);
        self.doubt_lapses_at = before.map_or(lapses_at, |before| before.zip(lapses_at).map(|(before, new)| before.max(new)));
        self.doubt += self.unused();
    }

    /// Whether something is in doubt that nobody uses by now.
    pub(super) fn has_lapsed_doubt(&self, now: Timestamp) -> bool {
        self.doubt > Usd::ZERO && self.doubt_lapses_at.is_some_and(|end| end <= now)
    }

    /// Whether the agent uses nothing more of it by now.
    pub fn has_lapsed(&self, now: Timestamp) -> bool {
        self.lapses_at.is_some_and(|end| end <= now)
    }

    /// Takes what is not used.
    pub fn take_back(&mut self) {
        self.returned += (self.authority() - self.used()).max(Usd::ZERO);
    }

    /// Gives up what is in doubt, and of an agent that is gone what it holds and has in hand.
    pub fn write_off(&mut self, is_gone: bool) {
        self.returned += std::mem::take(&mut self.doubt);
        if is_gone {
            self.held = Usd::ZERO;
            self.end_wait();
            self.take_back();
        }
    }

    /// What an agent may have in hand and hold of the period before when a new one begins, until it speaks for itself.
    #[must_use]
    pub fn carried(&self) -> Self {
        let Self { held, doubt, doubt_lapses_at, limit, lapses_at, .. } = *self;
        Self { granted: self.unspent(), held, doubt, doubt_lapses_at, limit, lapses_at, ..Self::default() }
    }

    /// Nothing waits any more.
    pub(super) fn end_wait(&mut self) {
        self.waits_for = Usd::ZERO;
        self.waiting_since = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pico(pico: i128) -> Usd {
        Usd::from_pico(pico)
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// Given and given back, spent, and held.
    fn lease(granted: i128, returned: i128, spent: i128, held: i128) -> Lease {
        Lease { granted: pico(granted), returned: pico(returned), spent: pico(spent), held: pico(held), ..Lease::default() }
    }

    #[test]
    fn what_is_used_is_claimed_also_beyond_what_was_given() {
        for (lease, authority, used, claim, unused, unspent) in [
            (lease(10, 2, 3, 1), 8, 4, 8, 4, 5),
            (lease(10, 10, 3, 1), 0, 4, 4, 0, 1),
            (lease(10, 0, -5, 4), 10, 4, 10, 6, 10),
            (Lease { lost: pico(2), doubt: pico(1), ..lease(10, 0, 3, 1) }, 10, 7, 10, 3, 5),
            (Lease { lost: pico(2), doubt: pico(7), ..lease(10, 0, 3, 1) }, 10, 13, 13, 0, 8),
        ] {
            let found = [lease.authority(), lease.used(), lease.claim(), lease.unused(), lease.unspent()];
            assert_eq!(found, [authority, used, claim, unused, unspent].map(pico), "{lease:?}");
        }
    }

    #[test]
    fn an_old_message_makes_no_lease_larger_and_the_newest_says_what_is_used() {
        let mut lease = Lease { answered: 5, ..lease(10, 2, 3, 1) };
        let ttl = Some(SignedDuration::from_secs(100));
        let ask = Ask { granted: pico(9), returned: pico(1), answered: 4, limit: pico(50), ttl, ..Ask::default() };
        lease.note(&ask, at(1_000));
        assert_eq!((lease.granted, lease.returned, lease.answered), (pico(10), pico(2), 5));
        assert_eq!((lease.spent, lease.held, lease.limit), (Usd::ZERO, Usd::ZERO, pico(50)));
        assert_eq!(lease.lapses_at, Some(at(1_000 + 100 + 2 + 5)), "later than by the agent's own clock");
        let later = Ask { granted: pico(20), returned: pico(3), spent: pico(6), held: pico(7), answered: 6, ..ask };
        lease.note(&Ask { ttl: None, ..later }, at(1_001));
        assert_eq!((lease.granted, lease.returned, lease.answered), (pico(20), pico(3), 6));
        assert_eq!((lease.spent, lease.held, lease.lapses_at), (pico(6), pico(7), None));
    }

    #[test]
    fn a_lease_is_given_up_to_what_it_shall_have_unused_and_never_less() {
        for (unused, granted) in [(0, 10), (5, 10), (6, 11), (20, 25)] {
            let mut lease = lease(10, 1, 3, 1);
            lease.give(pico(unused));
            assert_eq!(lease.granted, pico(granted), "{unused}");
        }
        let mut lease = lease(10, 1, 3, 1);
        lease.take_back();
        assert_eq!((lease.returned, lease.unused()), (pico(6), Usd::ZERO));
        lease.held = pico(9);
        lease.take_back();
        assert_eq!(lease.returned, pico(6), "what is used beyond it is nothing to take");
    }

    #[test]
    fn what_a_ledger_that_was_set_back_does_not_know_of_stays_spent() {
        for (before, after, lost) in [(7, 3, 4), (7, -3, 7), (-7, -9, 0), (3, 7, 0), (-2, 5, 0)] {
            let mut lease = lease(10, 0, before, 0);
            lease.note_set_back(pico(after));
            assert_eq!((lease.lost, lease.spent), (pico(lost), pico(after)), "{before} {after}");
        }
    }

    #[test]
    fn what_is_in_doubt_is_so_until_the_last_that_may_use_it_does_not() {
        let mut lease = lease(10, 0, 3, 1);
        lease.note_doubt(Some(at(5)));
        assert_eq!((lease.doubt, lease.doubt_lapses_at, lease.unused()), (pico(6), Some(at(5)), Usd::ZERO));
        assert!(!lease.has_lapsed_doubt(at(4)) && lease.has_lapsed_doubt(at(5)));
        lease.granted = pico(12);
        lease.note_doubt(Some(at(3)));
        assert_eq!((lease.doubt, lease.doubt_lapses_at), (pico(8), Some(at(5))));
        lease.note_doubt(Some(at(9)));
        assert_eq!(lease.doubt_lapses_at, Some(at(9)));
        lease.note_doubt(None);
        assert_eq!((lease.doubt_lapses_at, lease.has_lapsed_doubt(Timestamp::MAX)), (None, false));
        lease.note_doubt(Some(at(9)));
        assert_eq!(lease.doubt_lapses_at, None, "nobody knows of the part that was there before");
        lease.write_off(false);
        assert_eq!((lease.doubt, lease.returned, lease.held), (Usd::ZERO, pico(8), pico(1)));
        assert!(!Lease { doubt_lapses_at: Some(at(1)), ..lease }.has_lapsed_doubt(at(2)), "nothing is in doubt");
    }

    #[test]
    fn of_an_agent_that_is_gone_nothing_is_held_and_nothing_waits() {
        let waiting = Lease { waits_for: pico(4), waiting_since: Some(at(1)), doubt: pico(2), ..lease(10, 1, 3, 2) };
        let mut gone = waiting.clone();
        gone.write_off(true);
        assert_eq!((gone.held, gone.waits_for, gone.waiting_since), (Usd::ZERO, Usd::ZERO, None));
        assert_eq!((gone.claim(), gone.unspent()), (pico(3), Usd::ZERO), "what is spent stays spent");
        let mut here = waiting;
        here.write_off(false);
        assert_eq!((here.held, here.waiting_since, here.returned), (pico(2), Some(at(1)), pico(3)));
    }

    #[test]
    fn a_lease_lapses_at_its_end_if_it_has_one() {
        let lease = |lapses_at| Lease { lapses_at, ..Lease::default() };
        assert!(!lease(Some(at(5))).has_lapsed(at(4)) && lease(Some(at(5))).has_lapsed(at(5)));
        assert!(!lease(None).has_lapsed(Timestamp::MAX));
    }

    #[test]
    fn into_a_new_period_goes_what_may_be_in_hand_and_held_and_nothing_that_is_spent() {
        let before = Lease {
            lost: pico(1),
            doubt: pico(1),
            doubt_lapses_at: Some(at(3)),
            limit: pico(50),
            lapses_at: Some(at(9)),
            answered: 4,
            recalled: 5,
            waits_for: pico(6),
            waiting_since: Some(at(1)),
            ..lease(10, 1, 3, 2)
        };
        let carried = Lease {
            granted: pico(5),
            held: pico(2),
            doubt: pico(1),
            doubt_lapses_at: Some(at(3)),
            limit: pico(50),
            lapses_at: Some(at(9)),
            ..Lease::default()
        };
        assert_eq!(before.carried(), carried);
    }
}
