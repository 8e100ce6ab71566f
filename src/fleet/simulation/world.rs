//! The world around agents and database: work, the network, and what goes wrong.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use super::agent::{Agent, Ended, Ledger, Request};
use super::chance::Chance;
use super::database::{Database, LEARN_MS, Message, Reply};
use crate::domain::Usd;
use crate::fleet::LEASE_TTL_MIN;

/// Between two looks of an agent at the pool.
const POLL_MS: u64 = 400;
/// Something goes wrong again and again for so long.
pub(super) const CHAOS_MS: u64 = 20_000;
/// From here on all is well, and refusals must be true.
pub(super) const CALM_MS: u64 = CHAOS_MS + LEARN_MS + 5_000;
/// Work ends, and one agent asks for all that is left.
const WORK_MS: u64 = CALM_MS + 10_000;
const END_MS: u64 = WORK_MS + 4_000;
/// On a calm network an answer is there after so long.
const ANSWERED_MS: u64 = 25;
/// Reservations that are held at once by an agent.
const HOLDS_MAX: usize = 50;
/// Reservations that wait at once at an agent.
const WAITS_MAX: usize = 16;

/// What a run is like.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scenario {
    pub agents: usize,
    pub limit: u64,
    pub estimate_max: u64,
    pub think_ms: u64,
    pub has_faults: bool,
    pub has_restores: bool,
    /// Whether some cost comes without a reservation: then a budget can be overshot.
    pub has_unreserved: bool,
    /// Whether leases end after a while: then what was used since the last report may pass the limit.
    pub leases_lapse: bool,
}

pub(super) enum Event {
    Poll(usize),
    Work(usize),
    Arrive(Message),
    Answer { agent: usize, incarnation: u64, seq: u64, reply: Reply },
    Trouble,
}

pub(super) struct World {
    pub scenario: Scenario,
    pub granted: u64,
    pub refused: u64,
    pub chance: Chance,
    pub now_ms: u64,
    pub due: BinaryHeap<Reverse<(u64, u64)>>,
    pub events: BTreeMap<u64, Event>,
    pub events_len: u64,
    pub database: Database,
    pub backup: Option<Database>,
    pub agents: Vec<Agent>,
    pub ledger_backups: BTreeMap<usize, (Ledger, Usd)>,
    pub holds_len: u64,
    pub limit: Usd,
    /// What may be overshot, because somebody was told what nobody remembers.
    pub allowance: Usd,
    pub is_calm: bool,
    /// Refusals that must prove true.
    pub doubted: Vec<(u64, Request)>,
    pub is_asked_for_the_rest: bool,
}

fn usd(pico: u64) -> Usd {
    Usd::from_pico(pico.into())
}

impl World {
    pub fn new(seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let scenario = Scenario {
            agents: 1 + chance.below(8) as usize,
            limit: 1_000 + chance.below(1_000_000),
            estimate_max: chance.pick(&[5, 50, 1_000, 50_000]),
            think_ms: chance.pick(&[5, 50, 500]),
            has_faults: !chance.one_in(3),
            has_restores: chance.one_in(4),
            has_unreserved: chance.one_in(4),
            leases_lapse: chance.one_in(4),
        };
        let limit = usd(scenario.limit);
        let ttl = scenario.leases_lapse.then_some(LEASE_TTL_MIN);
        let mut world = Self {
            scenario,
            granted: 0,
            refused: 0,
            now_ms: 0,
            due: BinaryHeap::new(),
            events: BTreeMap::new(),
            events_len: 0,
            database: Database::new(limit),
            backup: None,
            agents: Vec::new(),
            ledger_backups: BTreeMap::new(),
            holds_len: 0,
            limit,
            allowance: Usd::ZERO,
            is_calm: true,
            doubted: Vec::new(),
            is_asked_for_the_rest: false,
            chance,
        };
        for id in 0..scenario.agents {
            let agent = Agent::new(world.chance.next(), 900 + world.chance.below(200), limit, ttl);
            world.agents.push(agent);
            let first_ms = world.chance.below(POLL_MS);
            world.after(first_ms, Event::Poll(id));
            (0..=world.chance.below(6)).for_each(|_| world.after(first_ms, Event::Work(id)));
        }
        world.after(500, Event::Trouble);
        world
    }

    pub fn run(&mut self) {
        while let Some(Reverse((at_ms, number))) = self.due.pop().filter(|Reverse((at_ms, _))| *at_ms <= END_MS) {
            self.now_ms = at_ms;
            match self.events.remove(&number) {
                Some(Event::Poll(id)) => self.poll(id),
                Some(Event::Work(id)) => self.work(id),
                Some(Event::Arrive(message)) => self.arrive(&message),
                Some(Event::Answer { agent, incarnation, seq, reply }) => {
                    let ended = self.agents[agent].take((incarnation, seq), reply, &mut self.holds_len, at_ms);
                    ended.into_iter().for_each(|ended| self.end(ended));
                    self.note_free();
                    self.talk(agent);
                }
                Some(Event::Trouble) => self.trouble(),
                None => {}
            }
            self.check();
        }
        assert!(self.agents.iter().all(|agent| agent.waiting.is_empty()), "something waits for ever");
    }

    pub fn after(&mut self, ms: u64, event: Event) {
        self.events.insert(self.events_len, event);
        self.due.push(Reverse((self.now_ms + ms, self.events_len)));
        self.events_len += 1;
    }

    fn used(&self) -> Usd {
        self.agents.iter().map(Agent::used).sum()
    }

    fn check(&self) {
        self.database.check();
        if !self.scenario.has_unreserved {
            let used = self.used();
            assert!(used <= self.limit + self.allowance, "{} ms: overshot by {}", self.now_ms, used - self.limit);
        }
        for (id, agent) in
            self.agents.iter().enumerate().filter(|_| self.allowance == Usd::ZERO && !self.scenario.leases_lapse)
        {
            let given = self.database.rows.get(&id).map_or(Usd::ZERO, |row| row.lease.authority() - row.lease.lost);
            assert!(agent.limit <= given.max(Usd::ZERO), "{} ms: agent {id} uses more than it was given", self.now_ms);
        }
    }

    fn end(&mut self, ended: Ended) {
        match ended {
            Ended::Granted => self.granted += 1,
            Ended::Refused => self.refused += 1,
            Ended::Exhausted(request) => {
                self.refused += 1;
                self.doubted.push((self.now_ms, request));
            }
        }
    }

    /// Takes note of what is free, for those that wait and those that were refused.
    pub fn note_free(&mut self) {
        let now_ms = self.now_ms;
        let free = self.limit - self.agents.iter_mut().map(|agent| agent.peak(now_ms)).sum::<Usd>();
        let is_calm = self.is_calm;
        for (refused_ms, request) in &mut self.doubted {
            // What was on its way to another by then was not free.
            if now_ms > *refused_ms + ANSWERED_MS {
                let is_false = request.is_calm && request.least_free >= request.amount;
                assert!(!is_false, "{refused_ms} ms: {} was refused, {} was free", request.amount, request.least_free);
            }
        }
        self.doubted.retain(|(refused_ms, _)| now_ms <= *refused_ms + ANSWERED_MS);
        let waiting = self.agents.iter_mut().flat_map(|agent| &mut agent.waiting);
        for request in waiting.chain(self.doubted.iter_mut().map(|(_, request)| request)) {
            request.least_free = request.least_free.min(free);
            request.is_calm &= is_calm;
        }
    }

    // === the network ===

    fn talk(&mut self, id: usize) {
        let Some(message) = self.agents[id].message(self.now_ms) else { return };
        let message = Message { agent: id, ..message };
        if self.agents[id].is_cut_off {
            return;
        }
        let Some(latency_ms) = self.latency_ms() else { return };
        if !self.is_calm && self.chance.one_in(15) {
            let again_ms = latency_ms + self.chance.below(4_000);
            self.after(again_ms, Event::Arrive(message.clone()));
        }
        self.after(latency_ms, Event::Arrive(message));
    }

    /// How long a message is on its way, if it arrives.
    fn latency_ms(&mut self) -> Option<u64> {
        if self.is_calm {
            return Some(1 + self.chance.below(10));
        }
        match self.chance.below(20) {
            0 => None,
            1 => Some(500 + self.chance.below(3_000)),
            _ => Some(1 + self.chance.below(60)),
        }
    }

    fn arrive(&mut self, message: &Message) {
        let new_epoch = self.chance.next();
        let before = self.returned();
        let Some(reply) = self.database.exchange(message, self.now_ms, new_epoch) else { return };
        self.allow_for_lapsed(message.agent, &before);
        let Message { agent, incarnation, seq, .. } = *message;
        if let Some(latency_ms) = self.latency_ms().filter(|_| !self.agents[agent].is_cut_off) {
            self.after(latency_ms, Event::Answer { agent, incarnation, seq, reply });
        }
    }

    fn returned(&self) -> Vec<(usize, Usd)> {
        let rows = self.database.rows.iter().filter(|_| self.scenario.leases_lapse);
        rows.map(|(id, row)| (*id, row.lease.returned)).collect()
    }

    /// What an agent has used since it reported last, by the time that others get what it had in hand, may pass the limit.
    fn allow_for_lapsed(&mut self, asking: usize, before: &[(usize, Usd)]) {
        for (id, returned) in before.iter().filter(|(id, _)| *id != asking) {
            if let Some(row) = self.database.rows.get(id).filter(|row| row.lease.returned > *returned) {
                self.allowance += (self.agents[*id].used() - row.lease.used()).max(Usd::ZERO);
            }
        }
    }

    // === the agents ===

    fn poll(&mut self, id: usize) {
        self.after(POLL_MS, Event::Poll(id));
        for request in self.agents[id].give_up(self.now_ms) {
            let is_false = request.is_calm && self.is_calm && request.least_free >= request.amount;
            assert!(!is_false, "{} ms: agent {id} waited for {} in vain", self.now_ms, request.amount);
            self.refused += 1;
        }
        let agent = &mut self.agents[id];
        if !agent.is_up {
            return;
        }
        if !agent.is_cut_off {
            let (epoch, seen) = self.database.look(self.now_ms);
            if agent.epoch == 0 {
                // A hello.
                agent.epoch = epoch;
                self.database.speakers.insert(id, agent.incarnation);
            } else if agent.epoch != epoch {
                agent.suspend();
            } else {
                agent.share.see(seen);
                agent.see_known(self.database.rows.get(&id).map(|row| row.seq));
            }
        }
        self.talk(id);
    }

    fn work(&mut self, id: usize) {
        if self.now_ms > WORK_MS {
            return self.ask_for_the_rest(id);
        }
        let think_ms = 1 + self.chance.below(self.scenario.think_ms * 2);
        self.after(think_ms, Event::Work(id));
        let (action, amount, share) =
            (self.chance.below(10), usd(1 + self.chance.below(self.scenario.estimate_max)), self.chance.below(8));
        let free = self.limit - self.used();
        let agent = &mut self.agents[id];
        if !agent.is_up {
            return;
        }
        match action {
            0..5 if agent.ledger.holds.len() < HOLDS_MAX => {
                self.holds_len += 1;
                if agent.waiting.is_empty() && agent.reserve(self.holds_len, amount, self.now_ms) {
                    self.granted += 1;
                } else if agent.waiting.len() < WAITS_MAX {
                    agent.wait(amount, self.now_ms, free, self.is_calm);
                }
            }
            0..9 => {
                let nth = self.chance.below(agent.ledger.holds.len() as u64) as usize;
                if let Some(hold) = agent.ledger.holds.keys().nth(nth).copied() {
                    let estimate = agent.ledger.holds.remove(&hold).unwrap_or(Usd::ZERO);
                    let cost = Usd::from_pico(estimate.pico() * i128::from(share) / 7);
                    agent.ledger.spent += cost;
                    agent.really_spent += cost;
                }
            }
            _ if self.scenario.has_unreserved => {
                let cost = if share == 0 { -amount } else { amount.divided_by(4) };
                agent.ledger.spent += cost;
                agent.really_spent += cost;
            }
            _ => {}
        }
        self.note_free();
        self.talk(id);
    }

    /// Once there is no more work, what nobody has spent or holds is there for the one who asks.
    fn ask_for_the_rest(&mut self, id: usize) {
        if std::mem::replace(&mut self.is_asked_for_the_rest, true) {
            return;
        }
        self.agents.iter_mut().for_each(|agent| agent.waiting.clear());
        let forgotten = |(id, agent): (usize, &Agent)| {
            let known = self.database.rows.get(&id).map_or(Usd::ZERO, |row| row.lease.used());
            (known - agent.used()).max(Usd::ZERO)
        };
        let rest = self.limit - self.used() - self.agents.iter().enumerate().map(forgotten).sum();
        if rest > Usd::ZERO {
            let free = self.limit - self.used();
            self.agents[id].wait(rest, self.now_ms, free, true);
            self.talk(id);
        }
    }
}
