//! One agent's side of a fleet's budget in one period: when to ask, what to ask for, what to give back.
//!
//! *Invariants.* What is given back is not used any more before it is said. What is given is used only after the database has said so.
//! Nothing is granted before the first word of the database, nor after it was set back until it has spoken again.
//!
//! *Limits.* [`REPORT_EVERY`] between two reports of what changed; [`RETRY`] between two asks while something waits.

use std::time::Duration;

use super::lease::{Ask, Lease};
use super::pool::{Outcome, Pool};
use crate::budget::InUse;
use crate::domain::{Steady, Usd};

/// Between two reports of what was spent, while nothing else is to be said.
const REPORT_EVERY: Duration = Duration::from_secs(2);
/// Between two asks while something waits.
const RETRY: Duration = Duration::from_millis(100);
/// A lease that ends is renewed so many times before it does.
const RENEWALS: u32 = 3;
/// Between two looks at whether the others' limits are still smaller.
const COMPARE_EVERY: Duration = Duration::from_secs(5);
/// For so long at its pace an agent likes to have something in hand.
const AHEAD_SECONDS: i128 = 5;
/// At its calmest it likes to have this part of a chunk, for when the database is away: a chunk over so many.
const SPARE_PARTS: u64 = 4;
/// After so long without use the pace is half of what it was.
const PACE_HALF_LIFE_MS: i128 = 5_000;
/// A pace is worked out over at least so long.
const PACE_OVER: Duration = Duration::from_millis(250);

/// What waits for a grant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// What the oldest asks for; zero where none waits.
    pub first: Usd,
    /// What all ask for.
    pub need: Usd,
    /// What is in hand for those who were told that there is room, and have not taken it yet.
    pub promised: Usd,
}

/// How the pool stood when the database said so last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// What all agents together may spend.
    pub limit: Usd,
    /// What the smallest of the agents' settings says it is.
    pub configured: Usd,
    /// What the agents claim.
    pub claimed: Usd,
    /// What they have spent.
    pub spent: Usd,
    /// What they hold.
    pub held: Usd,
    /// The most that an agent has in hand.
    pub chunk: Usd,
    /// The newest recall.
    pub recall: i64,
    /// Whether agents have nothing in hand.
    pub is_tight: bool,
}

/// What one agent may use of a budget in one period.
#[derive(Clone, Debug, Default)]
pub struct Share {
    granted: Usd,
    returned: Usd,
    /// What is lost or in doubt of it.
    gone: Usd,
    /// What the settings say is the limit of all.
    configured: Usd,
    /// How long after it was asked for a lease ends.
    ttl: Option<Duration>,
    /// Whether the database has said what the agent may use.
    is_known: bool,
    seen: Option<Seen>,
    answered: i64,
    pace_per_second: Usd,
    /// When the pace was worked out, and what was used then.
    paced: Option<(Steady, Usd)>,
    reported: Option<InUse>,
    asked_at: Option<Steady>,
    /// When what it may use now was asked for.
    renewed_at: Option<Steady>,
    is_to_wait: bool,
    /// Whether somebody has reserved of it beyond what was in hand.
    is_wanted: bool,
    /// Whether it gives back all that is not used, for good.
    is_retiring: bool,
}

impl Seen {
    /// What is to be seen of a pool.
    pub fn of(pool: &Pool, is_tight: bool) -> Self {
        let Pool { limit, configured, claimed, spent, held, chunk, recall, .. } = *pool;
        Self { limit, configured, claimed, spent, held, chunk, recall, is_tight }
    }

    /// What nobody claims; below zero once the limit is passed.
    pub fn free(&self) -> Usd {
        self.limit - self.claimed
    }
}

impl Share {
    /// One of which nothing is known yet. A lease ends so long after it was asked for.
    pub fn new(ttl: Option<Duration>) -> Self {
        Self { ttl, ..Self::default() }
    }

    /// Takes note of the limit of the settings.
    pub fn configure(&mut self, limit: Usd) {
        self.configured = limit;
    }

    /// From now on it gives back all that is not used.
    pub fn retire(&mut self) {
        self.is_retiring = true;
    }

    /// Whether the database has said what may be used, and nothing took that back.
    pub fn is_known(&self) -> bool {
        self.is_known
    }

    /// Whether the settings of others have a smaller limit, or had.
    pub fn is_limited_elsewhere(&self) -> bool {
        self.seen.is_some_and(|seen| seen.configured < self.configured)
    }

    /// From when on nothing is used of what was asked for last; `None`: it does not lapse.
    pub fn lapses_at(&self) -> Option<Steady> {
        Some(self.renewed_at? + self.ttl?)
    }

    /// What the agent may use in all, what it has used included.
    pub fn limit(&self) -> Usd {
        if self.is_known { self.granted - self.returned - self.gone } else { Usd::ZERO }
    }

    /// How the pool stood last.
    pub fn seen(&self) -> Option<&Seen> {
        self.seen.as_ref()
    }

    /// Follows the pace at which the budget is used. To be called now and then, at least before each exchange.
    pub fn observe(&mut self, now: Steady, standing: &InUse) {
        let Some((then, used)) = self.paced else {
            self.paced = Some((now, standing.used()));
            return;
        };
        let passed = now.since(then);
        if passed < PACE_OVER {
            return;
        }
        let millis = i128::try_from(passed.as_millis()).unwrap_or(i128::MAX).min(1_000 * PACE_HALF_LIFE_MS);
        let fresh = (standing.used() - used).max(Usd::ZERO).pico() * 1_000 / millis.max(1);
        // A moving average in which the past weighs half after a half-life.
        let weighed = self.pace_per_second.pico() * PACE_HALF_LIFE_MS + fresh * millis;
        self.pace_per_second = Usd::from_pico(weighed / (PACE_HALF_LIFE_MS + millis));
        self.paced = Some((now, standing.used()));
    }

    /// Whether there is something to say or to ask for.
    pub fn is_due(&self, now: Steady, standing: &InUse, waiting: &Waiting) -> bool {
        let since = self.asked_at.map_or(Duration::MAX, |asked| now.since(asked));
        let Some(seen) = self.seen.filter(|_| self.is_known) else { return since >= RETRY };
        if waiting.first > Usd::ZERO {
            return !self.is_to_wait || since >= RETRY;
        }
        let renews = self.ttl.is_some_and(|ttl| since >= ttl / RENEWALS);
        let differs = self.is_limited_elsewhere() && since >= COMPARE_EVERY;
        if renews || differs || (seen.configured > self.configured && since >= RETRY) {
            return true;
        }
        let (unused, in_hand) = (self.unused(standing), self.in_hand(waiting));
        let may_report = since >= REPORT_EVERY;
        if seen.recall > self.answered || seen.is_tight {
            let has_something = unused > waiting.promised || (seen.recall > self.answered && standing.used() > Usd::ZERO);
            let may_say = waiting.promised == Usd::ZERO || since >= RETRY;
            return (has_something && may_say) || (may_report && self.reported != Some(*standing));
        }
        let is_low = unused.pico() < in_hand.pico() / 2 && seen.free() > Usd::ZERO && since >= RETRY;
        let is_much = unused.pico() > 2 * in_hand.pico();
        is_low || (may_report && (is_much || self.reported != Some(*standing)))
    }

    /// How much to keep in hand of what is unused. The rest is to be taken from the writer, and then [given back](Share::give_back).
    pub fn keep(&self, standing: &InUse, waiting: &Waiting) -> Keep {
        match self.seen {
            None => Keep::All,
            Some(seen) if seen.is_tight || seen.recall > self.answered => Keep::AtMost(waiting.promised),
            Some(_) if self.is_retiring => Keep::AtMost(Usd::ZERO),
            Some(_) => {
                let in_hand = self.in_hand(waiting) + waiting.need + waiting.promised;
                if self.unused(standing).pico() > 2 * in_hand.pico() { Keep::AtMost(in_hand) } else { Keep::All }
            }
        }
    }

    /// Takes note of what the writer does not use any more: all but what it keeps. `standing` is that of the same moment.
    pub fn give_back(&mut self, standing: &InUse, keep: Keep) {
        if let Keep::AtMost(kept) = keep {
            self.returned += (self.unused(standing) - kept).max(Usd::ZERO);
        }
    }

    /// What to say and to ask for. `standing` is of a moment after the newest recall was seen.
    pub fn ask(&mut self, now: Steady, standing: &InUse, waiting: &Waiting) -> Ask {
        self.asked_at = Some(now);
        self.is_wanted |= waiting.first > Usd::ZERO;
        Ask {
            granted: self.granted,
            returned: self.returned,
            spent: standing.spent,
            held: standing.held,
            // While something is kept for somebody who is about to take it, not all has come back.
            answered: self.seen.filter(|_| waiting.promised == Usd::ZERO).map_or(self.answered, |seen| seen.recall),
            first: waiting.first,
            need: waiting.need,
            ahead: self.ahead(waiting),
            limit: self.configured,
            // Longer than any clock runs is as good as for ever.
            ttl: self.ttl.and_then(|ttl| ttl.try_into().ok()),
        }
    }

    /// Takes note of what the database answered.
    pub fn learn(&mut self, ask: &Ask, lease: &Lease, seen: Seen, outcome: Outcome) {
        self.granted = self.granted.max(lease.granted);
        self.returned = self.returned.max(lease.returned);
        self.gone = lease.lost + lease.doubt;
        self.is_known = true;
        self.renewed_at = self.asked_at;
        self.answered = self.answered.max(ask.answered);
        self.reported = Some(InUse { spent: ask.spent, held: ask.held });
        self.is_to_wait = outcome == Outcome::Wait;
        self.see(seen);
    }

    /// Takes note of how the pool stands.
    pub fn see(&mut self, seen: Seen) {
        self.seen = Some(seen);
    }

    /// Nothing may be used until the database has said so again: it was set back, or another speaks for this ledger.
    pub fn suspend(&mut self) {
        self.is_known = false;
        self.reported = None;
        // Recalls are counted anew: one that was answered there says nothing here.
        (self.seen, self.answered) = (None, 0);
    }

    fn unused(&self, standing: &InUse) -> Usd {
        (self.limit() - standing.used()).max(Usd::ZERO)
    }

    fn ahead(&self, waiting: &Waiting) -> Usd {
        if self.is_retiring {
            return Usd::ZERO;
        }
        let spare = self.seen.filter(|_| self.is_wanted).map_or(Usd::ZERO, |seen| seen.chunk.divided_by(SPARE_PARTS));
        Usd::from_pico(self.pace_per_second.pico() * AHEAD_SECONDS).max(waiting.need).max(spare)
    }

    /// What it likes to have in hand beyond what waits.
    fn in_hand(&self, waiting: &Waiting) -> Usd {
        self.seen.filter(|seen| !seen.is_tight).map_or(Usd::ZERO, |seen| self.ahead(waiting).min(seen.chunk))
    }
}

/// How much of what is unused an agent keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Whatever there is.
    All,
    /// So much; the rest is given back.
    AtMost(Usd),
}

#[cfg(test)]
mod tests;
