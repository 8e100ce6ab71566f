//! One budget in one period, as this agent shares it: its share, who waits for more, and where its messages stand.

use std::sync::Arc;
use std::time::Duration;

use super::waits::Waits;
use crate::budget::{Allowance, AllowanceOrder, Budget, InUse};
use crate::domain::{BudgetZone, Span, Steady, Usd};
use crate::fleet::postgres::{Done, Message, PoolKey};
use crate::fleet::{Ask, Keep, Seen, Share, SharedBudget, Verdict, WANT_MAX};

/// One budget in one period.
#[derive(Debug)]
pub(super) struct Target {
    pub budget: Arc<str>,
    pub span: Span,
    pub key: PoolKey,
    /// The limit of the settings.
    pub limit: Usd,
    pub share: Share,
    pub waits: Waits,
    /// Whether a later period has begun elsewhere, of which this agent must have its share before it gets more here.
    pub is_closing: bool,
    /// The newest message, and the newest that was answered.
    pub seq: i64,
    answered_seq: i64,
    /// Whether the lease is to be told anew.
    takes_over: bool,
    /// Until then nothing is granted, so that all agents say what they have.
    learns_until: Option<Steady>,
    /// What the database has of this agent.
    reported: InUse,
    /// What the writer was told last.
    allowed: Option<Allowance>,
}

impl Target {
    pub fn new(budget: &Budget, zone: &BudgetZone, span: Span, ttl: Option<Duration>) -> Option<Self> {
        let limit = budget.limit.usd()?;
        let mut share = Share::new(ttl);
        share.configure(limit);
        Some(Self {
            budget: budget.name.as_str().into(),
            span,
            key: PoolKey::new(&budget.name, &budget.definition(zone), span),
            limit,
            share,
            waits: Waits::default(),
            is_closing: false,
            seq: 0,
            answered_seq: 0,
            takes_over: true,
            learns_until: None,
            reported: InUse::default(),
            allowed: None,
        })
    }

    /// Whether it is of this budget, as the settings have it now.
    pub fn is_of(&self, budget: &Budget, zone: &BudgetZone) -> bool {
        self.key == PoolKey::new(&budget.name, &budget.definition(zone), self.span)
    }

    /// Takes the limit of the settings.
    pub fn configure(&mut self, limit: Usd) {
        self.limit = limit;
        self.share.configure(limit);
    }

    /// Lets go of those that have waited too long, while the database answers: others were quicker, again and again.
    pub fn give_up(&mut self, now: Steady, in_use: &InUse) {
        let own = self.share.limit().max(in_use.used()) - in_use.spent.max(Usd::ZERO);
        let unspent = self.share.seen().map_or(Usd::ZERO, |seen| seen.claimed - seen.spent);
        let verdict = if self.is_learning(now) {
            Verdict::Unreachable
        } else {
            Verdict::Elsewhere { leased: (unspent - own).max(Usd::ZERO), agents: 0 }
        };
        self.waits.give_up(now, WANT_MAX, verdict);
    }

    /// Whether nothing is granted, so that all agents say what they have.
    pub fn is_learning(&self, now: Steady) -> bool {
        self.learns_until.is_some_and(|until| now < until)
    }

    /// What to tell the writer before what it is not to use any more is given back.
    pub fn lower(&self, keep: Keep) -> AllowanceOrder {
        let unused = match keep {
            Keep::All => None,
            Keep::AtMost(unused) => Some(unused),
        };
        AllowanceOrder::Lower { budget: Arc::clone(&self.budget), span: self.span, unused }
    }

    /// The next message.
    pub fn message(&mut self, epoch: i64, ask: Ask) -> Message {
        self.seq += 1;
        Message {
            epoch,
            seq: self.seq,
            answered_seq: self.answered_seq,
            takes_over: self.takes_over,
            compares_limits: self.share.is_limited_elsewhere(),
            ask,
        }
    }

    /// Whether the database does not know any more what it has answered: it was set back.
    pub fn is_forgotten(&self, known_seq: Option<i64>) -> bool {
        known_seq.unwrap_or(0) < self.answered_seq
    }

    /// Takes what the database answered to the newest message.
    pub fn learn(&mut self, ask: &Ask, done: &Done, now: Steady) {
        self.learns_until = (!done.learns_for.is_zero()).then(|| now + done.learns_for);
        (self.takes_over, self.answered_seq, self.is_closing) = (false, self.seq, done.is_closing);
        self.reported = InUse { spent: ask.spent.max(Usd::ZERO), held: ask.held };
        self.share.learn(ask, &done.lease, done.seen, done.outcome);
    }

    /// Nothing is used until the database has said so again.
    pub fn suspend(&mut self) {
        (self.takes_over, self.answered_seq) = (true, 0);
        self.share.suspend();
    }

    /// What to tell the writer, if that is something new. Without a connection nothing is free.
    pub fn allow(&mut self, is_connected: bool) -> Option<AllowanceOrder> {
        let seen = self.share.seen();
        let elsewhere = seen.map(|seen| InUse {
            spent: (seen.spent - self.reported.spent).max(Usd::ZERO),
            held: (seen.held - self.reported.held).max(Usd::ZERO),
        });
        let allowance = Allowance {
            budget: Arc::clone(&self.budget),
            span: self.span,
            limit: self.share.limit(),
            until: self.share.lapses_at(),
            free: seen.filter(|_| is_connected).map_or(Usd::ZERO, |seen| seen.free().max(Usd::ZERO)),
            elsewhere: elsewhere.unwrap_or_default(),
        };
        if self.allowed.as_ref() == Some(&allowance) {
            return None;
        }
        self.allowed = Some(allowance.clone());
        Some(AllowanceOrder::Set(allowance))
    }

    /// The writer has less than it was told: it is to be told again.
    pub fn note_lowered(&mut self) {
        self.allowed = None;
    }

    /// How it stands over all agents, if that was heard; so much is used here.
    pub fn shared(&self, in_use: &InUse, now: Steady) -> Option<SharedBudget> {
        let seen: &Seen = self.share.seen()?;
        let has_lapsed = self.share.lapses_at().is_some_and(|end| end <= now);
        let in_hand = (self.share.limit() - in_use.used()).max(Usd::ZERO);
        Some(SharedBudget {
            budget: Arc::clone(&self.budget),
            span: self.span,
            limit: seen.limit,
            spent: seen.spent,
            held: seen.held,
            leased: seen.claimed - seen.spent - seen.held,
            free: seen.free(),
            own_lease: if has_lapsed { Usd::ZERO } else { in_hand },
        })
    }
}
