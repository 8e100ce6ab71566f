//! Reservations that wait for a share of one budget in one period.
//!
//! *Invariants.* Each is answered once. The oldest comes first, and what was found for one is kept for it for a while.
//!
//! *Limits.* [`WANT_MAX`](crate::fleet::WANT_MAX) for each, [`CUT_OFF_MAX`] without a connection; [`PROMISE_MAX`] for what is kept.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::domain::{Steady, Usd};
use crate::fleet::{Outcome, Verdict, Waiting};

/// For so long one waits for a connection that is lost: less than a restart of the database takes, more than that of a pooler.
pub(super) const CUT_OFF_MAX: Duration = Duration::from_millis(1_000);
/// For so long what was found for one is kept: it may need as much of other budgets first. Others wait for it meanwhile, and give up after a
/// second.
const PROMISE_MAX: Duration = Duration::from_millis(300);

/// What waits, oldest first.
#[derive(Debug, Default)]
pub(super) struct Waits {
    queue: VecDeque<Wait>,
    /// The exchange that began the recall which is under way.
    began: Option<i64>,
    promise: Option<Promise>,
}

#[derive(Debug)]
struct Wait {
    amount: Usd,
    since: Steady,
    /// The newest exchange when it came: what was asked before does not speak for it.
    after_seq: i64,
    reply: oneshot::Sender<Verdict>,
}

/// What is kept for those who were told that there is room.
#[derive(Clone, Copy, Debug)]
struct Promise {
    amount: Usd,
    /// The most that was used since: what that is beyond what was used then, they have taken.
    used: Usd,
    until: Steady,
}

impl Waits {
    pub fn put(&mut self, amount: Usd, reply: oneshot::Sender<Verdict>, now: Steady, after_seq: i64) {
        self.queue.push_back(Wait { amount, since: now, after_seq, reply });
    }

    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// What they ask for, while so much is used.
    pub fn waiting(&mut self, now: Steady, used: Usd) -> Waiting {
        Waiting {
            first: self.queue.front().map_or(Usd::ZERO, |first| first.amount),
            need: self.queue.iter().map(|wait| wait.amount).sum(),
            promised: self.promised(now, used),
        }
    }

    /// Lets go of those that nobody waits for any more, or that have waited so long.
    pub fn give_up(&mut self, now: Steady, most: Duration, verdict: Verdict) {
        self.queue.retain(|wait| !wait.reply.is_closed());
        while self.queue.front().is_some_and(|first| now.since(first.since) >= most) {
            self.queue.pop_front().into_iter().for_each(|wait| wait.answer(verdict));
        }
    }

    pub fn refuse_all(&mut self, verdict: Verdict) {
        self.queue.drain(..).for_each(|wait| wait.answer(verdict));
    }

    /// Answers as an exchange says. `room` is what is not used of the share by now, of what is used then; `free` what nobody had.
    pub fn take(&mut self, outcome: Outcome, seq: i64, (room, used): (Usd, Usd), free: Usd, now: Steady) {
        let began = self.began.unwrap_or(seq);
        self.began = (outcome == Outcome::Wait).then_some(began);
        let kept = self.promised(now, used);
        let mut left = room - kept;
        let mut promised = kept;
        for wait in std::mem::take(&mut self.queue) {
            // An answer speaks for all that waited when the others were asked.
            let speaks_for_it = wait.after_seq < began;
            match outcome {
                _ if wait.amount <= left => {
                    left -= wait.amount;
                    promised += wait.amount;
                    wait.answer(Verdict::TryAgain);
                }
                Outcome::Exhausted { above } if speaks_for_it && wait.amount > above => wait.answer(Verdict::Exhausted),
                Outcome::Elsewhere { agents, unspent } if speaks_for_it && wait.amount > free.max(Usd::ZERO) => {
                    wait.answer(Verdict::Elsewhere { leased: unspent, agents });
                }
                _ => self.queue.push_back(wait),
            }
        }
        if promised > kept {
            self.promise = Some(Promise { amount: promised, used, until: now + PROMISE_MAX });
        }
    }

    /// What is still kept for those who have not taken it.
    fn promised(&mut self, now: Steady, used: Usd) -> Usd {
        let Some(promise) = self.promise.as_mut().filter(|promise| now < promise.until) else { return Usd::ZERO };
        // What was taken and came back is nobody's.
        let taken = (used - promise.used).max(Usd::ZERO);
        promise.amount = (promise.amount - taken).max(Usd::ZERO);
        promise.used += taken;
        promise.amount
    }
}

impl Wait {
    fn answer(self, verdict: Verdict) {
        // Nobody waits where the client hung up.
        let _ = self.reply.send(verdict);
    }
}
