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
