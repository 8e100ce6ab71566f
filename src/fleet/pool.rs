//! The one rule by which an agent gets a share of a fleet's budget.
//!
//! A *pool* is a budget in one period, as the fleet's database has it; a *lease* is what one agent may use of it. Both are rows: an agent
//! locks them, calls [`Pool::exchange`], and writes them back, in one transaction.
//!
//! *Invariants.* A grant is taken from what nobody claims. Who has waited longest comes first. No decision rests on an agent's clock: all
//! times are the database's.
//!
//! *Limits.* A wait is decided within [`WAIT_MAX`](super::WAIT_MAX) of its beginning, whoever does not answer.

use jiff::{SignedDuration, Timestamp};

use super::lease::{Ask, Lease};
use super::others::{Around, Other, Others};
use crate::domain::Usd;

/// How long one who waits waits for the others to give back what they do not use. Whoever has not answered by then is silent.
pub const RECALL_MAX: SignedDuration = SignedDuration::from_millis(1_000);
/// How long agents have nothing in hand after one had to wait.
const TIGHT_FOR: SignedDuration = SignedDuration::from_secs(5);
/// A pool is divided into twice as many chunks as there are agents; they shrink by this factor as it empties, and grow by it again.
const CHUNK_FACTOR: i128 = 4;
/// The smallest chunk is this part of the limit. Below it nobody has anything in hand.
const CHUNK_PARTS_MAX: i128 = 65_536;

/// A budget in one period, as all agents share it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// What all agents together may spend: what somebody has set, or the smallest of the agents' settings.
    pub limit: Usd,
    /// The smallest of the agents' settings.
    pub configured: Usd,
    /// The sum of what the leases claim.
    pub claimed: Usd,
    /// The sum of what is spent for good.
    pub spent: Usd,
    /// The sum of what is held.
    pub held: Usd,
    /// How many agents have a lease.
    pub agents: u32,
    /// The most that an agent has in hand while the budget is ample.
    pub chunk: Usd,
    /// The number of the newest recall: a request to all agents to give back what they do not use.
    pub recall: i64,
    /// Until when agents have nothing in hand.
    pub tight_until: Timestamp,
}

/// What became of what waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// There is room for the oldest that waits, or nothing waits.
    Served,
    /// Others were asked to give back what they do not use: ask again soon.
    Wait,
    /// There is not so much.
    Exhausted {
        /// Nobody has more than this to spare; less may still be there.
        above: Usd,
    },
    /// It may be there, with agents that did not answer.
    Elsewhere {
        /// How many these are.
        agents: u32,
        /// What they claim and have not spent.
        unspent: Usd,
    },
}

impl Pool {
    /// One that nobody has asked anything of yet.
    pub fn new(limit: Usd) -> Self {
        let chunk = limit.divided_by(2);
        let (claimed, spent, held) = (Usd::ZERO, Usd::ZERO, Usd::ZERO);
        let tight_until = Timestamp::UNIX_EPOCH;
        Self { limit, configured: limit, claimed, spent, held, agents: 0, chunk, recall: 0, tight_until }
    }

    /// What nobody claims; below zero once the limit is passed.
    pub fn free(&self) -> Usd {
        self.limit - self.claimed
    }

    /// Whether agents have nothing in hand, because somebody had to wait.
    pub fn is_tight(&self, now: Timestamp) -> bool {
        now < self.tight_until
    }

    /// Takes note of what an agent says, and gives it what it may have.
    pub fn exchange(&mut self, lease: &mut Lease, ask: &Ask, around: &mut Around<'_>) -> Outcome {
        self.note_limits(ask, around);
        self.note(lease, ask, around.now);
        if lease.has_lapsed_doubt(around.now) {
            self.change(lease, |lease| lease.write_off(false));
        }
        let mut others = Others::of(around, lease, self.recall);
        if ask.first > lease.unused() + self.free() - others.older && self.free_lapsed(around) {
            others = Others::of(around, lease, self.recall);
        }
        let (unused, outcome) = if around.is_closing {
            let is_served = ask.first <= lease.unused();
            (Usd::ZERO, if is_served { Outcome::Served } else { Outcome::Wait })
        } else {
            self.decide(lease, ask, &others, around.now)
        };
        self.change(lease, |lease| lease.give(unused));
        outcome
    }

    /// Takes note of what an agent says, and gives it nothing.
    pub fn note(&mut self, lease: &mut Lease, ask: &Ask, now: Timestamp) {
        self.change(lease, |lease| lease.note(ask, now));
    }

    /// The smallest of the agents' limits holds, unless somebody has set another.
    fn note_limits(&mut self, ask: &Ask, around: &Around<'_>) {
        self.configured = match around.smallest_elsewhere {
            Some(elsewhere) => ask.limit.min(elsewhere),
            None => self.configured.min(ask.limit),
        };
        let limit = around.set_limit.unwrap_or(self.configured);
        if limit < self.limit {
            // What is in hand may be more than is left.
            self.recall += 1;
            self.tight_until = self.tight_until.max(around.now + TIGHT_FOR);
        }
        self.limit = limit;
    }

    /// Takes back what agents had in hand whose leases have lapsed, and what was in doubt of such; says whether there was any.
    fn free_lapsed(&mut self, around: &mut Around<'_>) -> bool {
        let mut is_any = false;
        for Other { lease, is_changed, .. } in around.others.iter_mut() {
            let has_unused = lease.has_lapsed(around.now) && lease.unused() > Usd::ZERO;
            let has_doubt = lease.has_lapsed_doubt(around.now);
            if has_unused {
                self.change(lease, Lease::take_back);
            }
            if has_doubt {
                self.change(lease, |lease| lease.write_off(false));
            }
            *is_changed |= has_unused || has_doubt;
            is_any |= has_unused || has_doubt;
        }
        is_any
    }

    /// Changes a lease, and keeps the sums.
    pub fn change(&mut self, lease: &mut Lease, change: impl FnOnce(&mut Lease)) {
        let (claim, spent, held) = (lease.claim(), lease.spent_for_good(), lease.held);
        change(lease);
        self.claimed += lease.claim() - claim;
        self.spent += lease.spent_for_good() - spent;
        self.held += lease.held - held;
        self.size_chunk();
    }

    /// How much the agent shall have unused from now on, at least, and what becomes of what waits there.
    fn decide(&mut self, lease: &mut Lease, ask: &Ask, others: &Others, now: Timestamp) -> (Usd, Outcome) {
        let (has, free) = (lease.unused(), self.free().max(Usd::ZERO));
        let is_tight = self.is_tight(now) || others.waiting > 0;
        let ahead = if is_tight { Usd::ZERO } else { ask.ahead.min(self.chunk) };
        if ask.first == Usd::ZERO {
            lease.end_wait();
            return (ahead.min(has + free), Outcome::Served);
        }
        let within_reach = has + (free - others.older).max(Usd::ZERO);
        if ask.first <= within_reach {
            lease.end_wait();
            // Where others wait, too, nobody gets more than its share, but for the first.
            let share = within_reach.divided_by(u64::from(others.waiting) + 1);
            let wanted = if is_tight { ask.need.min(share).max(ask.first) } else { ask.need + ahead };
            return (wanted.min(within_reach), Outcome::Served);
        }
        self.tight_until = self.tight_until.max(now + TIGHT_FOR);
        let since = *lease.waiting_since.get_or_insert_with(|| {
            self.recall += 1;
            lease.recalled = self.recall;
            now
        });
        lease.waits_for = ask.first;
        // What is spent does not come back, nor what the agent itself holds: of more than the rest nobody needs to be asked.
        let may_come = self.limit - self.spent - lease.held;
        let somebody_may_answer =
            others.older > Usd::ZERO || (others.unanswered > 0 && now.duration_since(since) < RECALL_MAX);
        if ask.first <= may_come && somebody_may_answer {
            return (Usd::ZERO, Outcome::Wait);
        }
        lease.end_wait();
        let outcome = if ask.first > may_come {
            Outcome::Exhausted { above: may_come }
        } else if others.silent() > 0 && ask.first <= has + free + others.unspent + others.doubt {
            Outcome::Elsewhere { agents: others.silent(), unspent: others.unspent + others.doubt }
        } else {
            Outcome::Exhausted { above: has + free }
        };
        (Usd::ZERO, outcome)
    }

    /// Chunks follow what is left, and grow later than they shrink.
    fn size_chunk(&mut self) {
        let double = 2 * i128::from(self.agents.max(1));
        let (limit, free) = (self.limit.pico(), self.free().pico());
        let (largest, smallest) = (limit / double, limit / CHUNK_PARTS_MAX);
        let mut chunk = self.chunk.pico().min(largest).max(0);
        while chunk > 0 && chunk * double > free {
            chunk /= CHUNK_FACTOR;
        }
        if chunk < smallest {
            chunk = 0;
        }
        loop {
            let next = (chunk.max(smallest / CHUNK_FACTOR).max(1) * CHUNK_FACTOR).min(largest);
            if next <= chunk || next * 2 * double > free {
                break;
            }
            chunk = next;
        }
        self.chunk = Usd::from_pico(chunk);
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

    /// A pool of two agents, the other of which was given so much, spent and holds so much of it, and has answered this recall.
    fn with_another(limit: i128, [granted, spent, held]: [i128; 3], answered: i64) -> (Pool, [Other; 1]) {
        let mut pool = Pool { agents: 2, ..Pool::new(pico(limit)) };
        let mut lease = Lease { answered, ..Lease::default() };
        pool.change(&mut lease, |lease| (lease.granted, lease.spent, lease.held) = (pico(granted), pico(spent), pico(held)));
        (pool, [Other { id: "a".to_owned(), lease, is_changed: false }])
    }

    fn around(others: &mut [Other], now_ms: i64) -> Around<'_> {
        let (is_closing, set_limit, smallest_elsewhere) = (false, None, None);
        Around { me: "m", others, is_closing, set_limit, smallest_elsewhere, now: at(now_ms) }
    }

    /// Of the oldest that waits, and of all.
    fn ask(first: i128, need: i128) -> Ask {
        Ask { first: pico(first), need: pico(need), limit: pico(1_000_000), ..Ask::default() }
    }

    #[test]
    fn chunks_follow_what_is_left_and_grow_later_than_they_shrink() {
        let mut pool = Pool { agents: 1, ..Pool::new(pico(1_048_576)) };
        for (free, chunk) in [
            (1_048_576, 524_288),
            (1_048_575, 131_072),
            (1_048_576, 131_072),
            (262_144, 131_072),
            (262_143, 32_768),
            (524_287, 32_768),
            (524_288, 131_072),
            (64, 32),
            (32, 0),
            (63, 0),
            (64, 16),
            (32, 16),
            (31, 0),
            (0, 0),
            (-5, 0),
        ] {
            pool.claimed = pool.limit - pico(free);
            pool.size_chunk();
            assert_eq!((pool.free(), pool.chunk), (pico(free), pico(chunk)));
        }
        let of = |agents| {
            let mut pool = Pool { agents, ..Pool::new(pico(1_048_576)) };
            pool.size_chunk();
            pool.chunk.pico()
        };
        assert_eq!([0, 1, 2, 4].map(of), [524_288, 524_288, 262_144, 131_072], "twice as many chunks as agents");
    }

    #[test]
    fn who_waits_for_nothing_has_as_much_in_hand_as_it_likes_up_to_a_chunk() {
        for (ahead, is_tight, given) in [(1_000, false, 1_000), (1_000_000, false, 262_144), (1_000, true, 0)] {
            let (mut pool, mut others) = with_another(1_048_576, [0, 0, 0], 0);
            pool.tight_until = if is_tight { at(6) } else { at(5) };
            let mut lease = Lease { waits_for: pico(1), waiting_since: Some(at(0)), ..Lease::default() };
            let ask = Ask { ahead: pico(ahead), limit: pool.limit, ..Ask::default() };
            let outcome = pool.exchange(&mut lease, &ask, &mut around(&mut others, 5));
            assert_eq!(
                (outcome, lease.granted, pool.claimed),
                (Outcome::Served, pico(given), pico(given)),
                "{ahead} {is_tight}"
            );
            assert_eq!((lease.waits_for, lease.waiting_since), (Usd::ZERO, None));
        }
        // No more than nobody claims, what it has already included.
        let (mut pool, mut others) = with_another(100, [90, 0, 0], 0);
        pool.chunk = pico(50);
        let mut lease = Lease::default();
        let found = Others::of(&around(&mut others, 5), &lease, 0);
        let ask = Ask { ahead: pico(40), limit: pool.limit, ..Ask::default() };
        assert_eq!(pool.decide(&mut lease, &ask, &found, at(5)), (pico(10), Outcome::Served));
    }

    #[test]
    fn what_there_is_not_is_asked_of_the_others_who_have_a_second_to_answer() {
        let (mut pool, mut others) = with_another(100, [60, 0, 0], 0);
        let mut lease = Lease::default();
        let mut exchange = |lease: &mut Lease, others: &mut [Other], now_ms| {
            let outcome = pool.exchange(lease, &ask(50, 50), &mut around(others, now_ms));
            (outcome, pool.recall, pool.is_tight(at(now_ms + 4_999)), pool.is_tight(at(now_ms + 5_000)))
        };
        assert_eq!(exchange(&mut lease, &mut others, 1_000), (Outcome::Wait, 1, true, false));
        assert_eq!((lease.waits_for, lease.waiting_since, lease.recalled), (pico(50), Some(at(1_000)), 1));
        assert_eq!(exchange(&mut lease, &mut others, 1_999), (Outcome::Wait, 1, true, false), "one recall is enough");
        let elsewhere = Outcome::Elsewhere { agents: 1, unspent: pico(60) };
        assert_eq!(exchange(&mut lease, &mut others, 2_000), (elsewhere, 1, true, false));
        assert_eq!((lease.granted, lease.waiting_since), (Usd::ZERO, None));
        // Once it has answered that it needs it all, there is not so much.
        lease.waiting_since = None;
        others[0].lease.answered = 2;
        assert_eq!(exchange(&mut lease, &mut others, 3_000).0, Outcome::Exhausted { above: pico(40) });
    }

    #[test]
    fn nobody_is_asked_for_what_is_spent_or_held_by_who_asks() {
        for ([granted, spent, held], mine, first, outcome) in [
            ([60, 30, 0], 0, 71, Outcome::Exhausted { above: pico(70) }),
            ([60, 30, 0], 0, 70, Outcome::Wait),
            ([60, 30, 0], 10, 61, Outcome::Exhausted { above: pico(60) }),
            ([60, 30, 0], 10, 60, Outcome::Wait),
            ([60, 30, 30], 0, 70, Outcome::Wait),
        ] {
            let (mut pool, mut others) = with_another(100, [granted, spent, held], 0);
            let ask = Ask { held: pico(mine), ..ask(first, first) };
            let found = pool.exchange(&mut Lease::default(), &ask, &mut around(&mut others, 0));
            assert_eq!(found, outcome, "{granted} {spent} {held} {mine} {first}");
        }
        // One holds what it has, one does not answer: that one can have no more than it has not spent.
        for (first, outcome) in
            [(70, Outcome::Elsewhere { agents: 1, unspent: pico(40) }), (71, Outcome::Exhausted { above: pico(30) })]
        {
            let (mut pool, [silent]) = with_another(100, [40, 0, 0], 0);
            let mut holds = Lease { answered: 1, ..Lease::default() };
            pool.change(&mut holds, |lease| (lease.granted, lease.held) = (pico(30), pico(30)));
            let mut others = [silent, Other { id: "b".to_owned(), lease: holds, is_changed: false }];
            let mut lease = Lease { waiting_since: Some(at(0)), recalled: 1, ..Lease::default() };
            let found = pool.exchange(&mut lease, &ask(first, first), &mut around(&mut others, 1_000));
            assert_eq!(found, outcome, "{first}");
        }
    }

    #[test]
    fn what_is_held_by_who_has_answered_may_not_come_and_what_is_in_doubt_may() {
        let holds = Lease { granted: pico(30), held: pico(30), answered: 9, ..Lease::default() };
        let doubtful = Lease { doubt: pico(20), answered: 9, ..Lease::default() };
        for (lease, first, outcome) in [
            (&holds, 100, Outcome::Exhausted { above: pico(70) }),
            (&doubtful, 100, Outcome::Elsewhere { agents: 1, unspent: pico(20) }),
            (&doubtful, 101, Outcome::Exhausted { above: pico(100) }),
        ] {
            let mut pool = Pool { agents: 2, ..Pool::new(pico(100)) };
            let mut other = Lease::default();
            pool.change(&mut other, |other| *other = lease.clone());
            let mut others = [Other { id: "a".to_owned(), lease: other, is_changed: false }];
            let found = pool.exchange(&mut Lease::default(), &ask(first, first), &mut around(&mut others, 0));
            assert_eq!(found, outcome, "{lease:?} {first}");
        }
    }

    #[test]
    fn who_has_lapsed_need_not_answer_and_is_freed_also_for_who_comes_first() {
        let lapsed = Lease { granted: pico(5), lapses_at: Some(at(10)), ..Lease::default() };
        let holds = Lease { granted: pico(20), held: pico(20), answered: 9, ..Lease::default() };
        let waits = Lease { waits_for: pico(10), waiting_since: Some(at(0)), answered: 9, ..Lease::default() };
        for (other, first, outcome) in [
            (&holds, 90, Outcome::Exhausted { above: pico(80) }),
            (&waits, 86, Outcome::Served),
            (&waits, 91, Outcome::Wait),
        ] {
            let mut pool = Pool { agents: 3, ..Pool::new(pico(100)) };
            let mut others = [&lapsed, other].map(|lease| {
                let mut changed = Lease::default();
                pool.change(&mut changed, |changed| *changed = lease.clone());
                Other { id: "a".to_owned(), lease: changed, is_changed: false }
            });
            let found = pool.exchange(&mut Lease::default(), &ask(first, first), &mut around(&mut others, 10));
            assert_eq!(found, outcome, "{other:?} {first}");
            assert_eq!(others.map(|other| other.is_changed), [true, false]);
        }
    }

    #[test]
    fn who_has_waited_longer_comes_first_and_nobody_else_gets_more_than_its_share() {
        let with_one_that_waits = |waits_for: i128| {
            let (pool, mut others) = with_another(100, [0, 0, 0], 9);
            others[0].lease.waits_for = pico(waits_for);
            others[0].lease.waiting_since = Some(at(0));
            (pool, others)
        };
        for (first, need, outcome, granted) in [
            (40, 40, Outcome::Wait, 0),
            (31, 31, Outcome::Wait, 0),
            (30, 90, Outcome::Served, 30),
            (10, 25, Outcome::Served, 15),
            (10, 12, Outcome::Served, 12),
        ] {
            let (mut pool, mut others) = with_one_that_waits(70);
            let mut lease = Lease::default();
            let found = pool.exchange(&mut lease, &ask(first, need), &mut around(&mut others, 100));
            assert_eq!((found, lease.granted), (outcome, pico(granted)), "{first} {need}");
        }
        // Alone it has all that it needs, and something ahead.
        let (mut pool, mut others) = with_another(100, [0, 0, 0], 9);
        let mut lease = Lease::default();
        let ahead = Ask { ahead: pico(20), ..ask(10, 25) };
        assert_eq!(pool.exchange(&mut lease, &ahead, &mut around(&mut others, 100)), Outcome::Served);
        assert_eq!(lease.granted, pico(45));
    }

    #[test]
    fn while_a_period_closes_nothing_more_is_given() {
        let (mut pool, mut others) = with_another(100, [0, 0, 0], 0);
        let mut lease = Lease::default();
        pool.change(&mut lease, |lease| lease.granted = pico(10));
        for (first, outcome) in [(0, Outcome::Served), (10, Outcome::Served), (11, Outcome::Wait)] {
            let mut around = Around { is_closing: true, ..around(&mut others, 0) };
            assert_eq!(pool.exchange(&mut lease, &ask(first, first), &mut around), outcome, "{first}");
            assert_eq!(lease.granted, pico(10));
        }
    }

    #[test]
    fn the_smallest_limit_holds_unless_somebody_has_set_one_and_a_smaller_one_recalls_what_is_in_hand() {
        let (mut pool, mut others) = with_another(100, [0, 0, 0], 0);
        let mut exchange = |mine, elsewhere: Option<i128>, set: Option<i128>| {
            let mut around =
                Around { smallest_elsewhere: elsewhere.map(pico), set_limit: set.map(pico), ..around(&mut others, 1_000) };
            pool.exchange(&mut Lease::default(), &Ask { limit: pico(mine), ..Ask::default() }, &mut around);
            (pool.configured.pico(), pool.limit.pico(), pool.recall, pool.is_tight(at(5_999)))
        };
        assert_eq!(exchange(100, None, None), (100, 100, 0, false));
        assert_eq!(
            exchange(200, None, None),
            (100, 100, 0, false),
            "where it was not looked up, it may be smaller elsewhere"
        );
        assert_eq!(exchange(200, Some(150), None), (150, 150, 0, false));
        assert_eq!(exchange(120, Some(150), None), (120, 120, 1, true));
        assert_eq!(exchange(120, Some(150), Some(300)), (120, 300, 1, true));
        assert_eq!(exchange(120, Some(150), Some(7)), (120, 7, 2, true));
    }

    #[test]
    fn what_nobody_uses_any_more_is_taken_back_when_it_is_needed() {
        let doubt = |lapses_at| Lease { doubt: pico(5), doubt_lapses_at: Some(at(lapses_at)), ..Lease::default() };
        let hand = |lapses_at| Lease { granted: pico(5), lapses_at: Some(at(lapses_at)), ..Lease::default() };
        for (lease, first, is_taken) in [
            (hand(10), 96, true),
            (hand(11), 96, false),
            (hand(10), 95, false),
            (doubt(10), 96, true),
            (doubt(11), 96, false),
            (doubt(10), 95, false),
            (Lease { spent: pico(5), ..hand(10) }, 96, false),
        ] {
            let mut pool = Pool { agents: 2, ..Pool::new(pico(100)) };
            let mut other = Lease::default();
            pool.change(&mut other, |other| *other = Lease { answered: 9, ..lease.clone() });
            let mut others = [Other { id: "a".to_owned(), lease: other, is_changed: false }];
            let mut mine = Lease::default();
            let outcome = pool.exchange(&mut mine, &ask(first, first), &mut around(&mut others, 10));
            assert_eq!(
                (others[0].is_changed, others[0].lease.unspent() == Usd::ZERO),
                (is_taken, is_taken || lease.spent > Usd::ZERO),
                "{lease:?} {first}"
            );
            assert_eq!(outcome == Outcome::Served, is_taken || first == 95, "{lease:?} {first} {outcome:?}");
            let claims = mine.claim() + others[0].lease.claim();
            assert_eq!((pool.claimed, pool.held), (claims, Usd::ZERO));
        }
    }

    #[test]
    fn what_was_in_doubt_of_ones_own_comes_back_when_nobody_uses_it() {
        for (lapses_at, doubt) in [(10, 0), (11, 5)] {
            let (mut pool, mut others) = with_another(100, [0, 0, 0], 0);
            let mut lease = Lease::default();
            pool.change(&mut lease, |lease| {
                (lease.granted, lease.doubt, lease.doubt_lapses_at) = (pico(5), pico(5), Some(at(lapses_at)));
            });
            pool.exchange(&mut lease, &Ask { granted: pico(5), ..ask(0, 0) }, &mut around(&mut others, 10));
            assert_eq!((lease.doubt, pool.claimed), (pico(doubt), pico(doubt)));
        }
    }
}
