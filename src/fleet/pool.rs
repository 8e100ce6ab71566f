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
