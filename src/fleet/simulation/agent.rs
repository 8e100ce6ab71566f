//! An agent: its ledger, its writer's limit, its share, and who waits there.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::database::{Message, Reply};
use crate::budget::InUse;
use crate::domain::{Steady, Usd};
use crate::fleet::{Outcome, Share, Waiting};

/// After so long an answer is not waited for any more.
const TIMEOUT_MS: u64 = 1_000;
/// After so long a reservation that waits is given up.
const WAIT_MS: u64 = 2_000;
/// What has become free within the time of a recall may not be known everywhere.
const RECENT_MS: u64 = 1_100;

/// What is on the agent's disk.
#[derive(Clone, Default)]
pub(super) struct Ledger {
    pub spent: Usd,
    pub holds: BTreeMap<u64, Usd>,
}

/// A reservation that waits.
pub(super) struct Request {
    pub amount: Usd,
    pub since_ms: u64,
    /// The least that nobody had spent or held since then, as far as that could be known.
    pub least_free: Usd,
    /// Whether nothing has gone wrong since then.
    pub is_calm: bool,
    /// The newest message when it came: what was asked before does not speak for it.
    pub after_seq: u64,
}

pub(super) struct Agent {
    pub ledger: Ledger,
    pub share: Share,
    /// What the writer grants up to.
    pub limit: Usd,
    pub is_up: bool,
    pub is_cut_off: bool,
    pub incarnation: u64,
    /// 0: has yet to say hello.
    pub epoch: u64,
    pub takes_over: bool,
    pub is_set_back: bool,
    pub waiting: VecDeque<Request>,
    /// What was really spent, whatever the ledger knows.
    pub really_spent: Usd,
    seq: u64,
    answered_seq: u64,
    /// The message that is to be answered, and when it was sent.
    asked: Option<(Message, u64)>,
    /// The message that began the recall which is under way.
    began: Option<u64>,
    /// Whether the database does not know what it has answered.
    is_forgotten: bool,
    /// How long its leases last.
    ttl: Option<Duration>,
    /// The limit of its settings.
    configured: Usd,
    /// Thousandths of the real speed at which its clock runs.
    clock_rate: u64,
    /// What it used at most, lately: falling.
    peaks: VecDeque<(u64, Usd)>,
}

/// What became of a reservation that waited.
pub(super) enum Ended {
    Granted,
    /// Nobody has so much.
    Exhausted(Request),
    /// For another reason.
    Refused,
}

impl Ledger {
    pub fn standing(&self) -> InUse {
        InUse { spent: self.spent, held: self.holds.values().copied().sum() }
    }
}

impl Agent {
    pub fn new(incarnation: u64, clock_rate: u64, configured: Usd, ttl: Option<Duration>) -> Self {
        let mut share = Share::new(ttl);
        share.configure(configured);
        Self {
            configured,
            ttl,
            is_forgotten: false,
            ledger: Ledger::default(),
            share,
            limit: Usd::ZERO,
            is_up: true,
            is_cut_off: false,
            incarnation,
            epoch: 0,
            takes_over: true,
            is_set_back: false,
            waiting: VecDeque::new(),
            really_spent: Usd::ZERO,
            seq: 0,
            answered_seq: 0,
            asked: None,
            began: None,
            clock_rate,
            peaks: VecDeque::new(),
        }
    }

    /// What of the budget is really used here.
    pub fn used(&self) -> Usd {
        self.really_spent.max(Usd::ZERO) + self.ledger.standing().held
    }

    /// What was used at most of late.
    pub fn peak(&mut self, now_ms: u64) -> Usd {
        let used = self.used();
        while self.peaks.back().is_some_and(|(_, peak)| *peak <= used) {
            self.peaks.pop_back();
        }
        self.peaks.push_back((now_ms, used));
        while self.peaks.len() > 1 && self.peaks[1].0 + RECENT_MS < now_ms {
            self.peaks.pop_front();
        }
        self.peaks.front().map_or(used, |(_, peak)| *peak)
    }

    pub fn crash(&mut self) {
        self.is_up = false;
        self.limit = Usd::ZERO;
        self.asked = None;
        self.waiting.clear();
    }

    /// Starts as a new process, if it is down.
    pub fn start(&mut self, incarnation: u64) {
        if self.is_up {
            return;
        }
        let (ledger, is_set_back) = (std::mem::take(&mut self.ledger), self.is_set_back);
        let peaks = std::mem::take(&mut self.peaks);
        let really_spent = self.really_spent;
        *self = Self {
            ledger,
            is_set_back,
            peaks,
            really_spent,
            ..Self::new(incarnation, self.clock_rate, self.configured, self.ttl)
        };
    }

    /// Sets money aside, if it may.
    pub fn reserve(&mut self, hold: u64, amount: Usd, now_ms: u64) -> bool {
        let has_lapsed = self.share.lapses_at().is_some_and(|end| end <= self.own_clock(now_ms));
        let fits = !has_lapsed && amount <= self.limit - self.ledger.standing().used();
        if fits {
            self.ledger.holds.insert(hold, amount);
        }
        fits
    }

    pub fn wait(&mut self, amount: Usd, since_ms: u64, least_free: Usd, is_calm: bool) {
        self.waiting.push_back(Request { amount, since_ms, least_free, is_calm, after_seq: self.seq });
    }

    /// Those that have waited too long.
    pub fn give_up(&mut self, now_ms: u64) -> Vec<Request> {
        let count = self.waiting.iter().take_while(|request| request.since_ms + WAIT_MS <= now_ms).count();
        self.waiting.drain(..count).collect()
    }

    /// Looks at its newest message that the database knows.
    pub fn see_known(&mut self, seq: Option<u64>) {
        self.is_forgotten = seq.unwrap_or(0) < self.answered_seq;
    }

    fn own_clock(&self, now_ms: u64) -> Steady {
        Steady::since_start(Duration::from_millis(now_ms * self.clock_rate / 1_000))
    }

    /// The next message, if there is something to say.
    pub fn message(&mut self, now_ms: u64) -> Option<Message> {
        if !self.is_up || self.epoch == 0 || self.asked.as_ref().is_some_and(|(_, at)| now_ms < at + TIMEOUT_MS) {
            return None;
        }
        let now = self.own_clock(now_ms);
        let standing = self.ledger.standing();
        let waiting = Waiting {
            first: self.waiting.front().map_or(Usd::ZERO, |first| first.amount),
            need: self.waiting.iter().map(|request| request.amount).sum(),
            promised: Usd::ZERO,
        };
        self.share.observe(now, &standing);
        if !self.share.is_due(now, &standing, &waiting) && !std::mem::take(&mut self.is_forgotten) {
            return None;
        }
        // The writer uses less before anybody hears of it.
        self.share.give_back(&standing, self.share.keep(&standing, &waiting));
        self.limit = self.share.limit();
        self.seq += 1;
        let message = Message {
            agent: 0,
            incarnation: self.incarnation,
            epoch: self.epoch,
            seq: self.seq,
            answered_seq: self.answered_seq,
            takes_over: self.takes_over,
            is_set_back: self.is_set_back,
            ask: self.share.ask(now, &standing, &waiting),
        };
        self.asked = Some((message.clone(), now_ms));
        Some(message)
    }

    /// Nothing is granted until it has said hello again and the database has said what may be: that was set back, or has another process as
    /// the speaker, as one that was set back may.
    pub fn suspend(&mut self) {
        self.share.suspend();
        self.limit = Usd::ZERO;
        self.takes_over = true;
        self.answered_seq = 0;
        self.epoch = 0;
    }

    /// Takes an answer, and says what has become of those that waited. `hold` numbers new holds.
    pub fn take(&mut self, (incarnation, seq): (u64, u64), reply: Reply, hold: &mut u64, now_ms: u64) -> Vec<Ended> {
        let Some((message, _)) = self.asked.take_if(|(message, _)| self.is_up && message.seq == seq) else {
            return Vec::new();
        };
        if self.incarnation != incarnation {
            return Vec::new();
        }
        let (lease, seen, outcome) = match reply {
            Reply::Epoch | Reply::Replaced => {
                self.suspend();
                return Vec::new();
            }
            Reply::Done { epoch, .. } if epoch != self.epoch => return Vec::new(),
            Reply::Done { lease, seen, outcome, .. } => (lease, seen, outcome),
        };
        (self.takes_over, self.is_set_back, self.answered_seq) = (false, false, seq);
        self.share.learn(&message.ask, &lease, seen, outcome);
        self.limit = self.share.limit();
        let began = self.began.unwrap_or(seq);
        self.began = (outcome == Outcome::Wait).then_some(began);
        // What somebody may still have, at most.
        let above = match outcome {
            Outcome::Served | Outcome::Wait => None,
            Outcome::Exhausted { above } => Some(above),
            Outcome::Elsewhere { .. } => Some(seen.free().max(Usd::ZERO)),
        };
        let mut ended = Vec::new();
        for request in std::mem::take(&mut self.waiting) {
            *hold += 1;
            if self.reserve(*hold, request.amount, now_ms) {
                ended.push(Ended::Granted);
            } else if above.is_none_or(|above| request.amount <= above) || request.after_seq >= began {
                // An answer speaks for all that waited when the others were asked.
                self.waiting.push_back(request);
            } else if let Outcome::Exhausted { .. } = outcome {
                ended.push(Ended::Exhausted(request));
            } else {
                ended.push(Ended::Refused);
            }
        }
        ended
    }
}
