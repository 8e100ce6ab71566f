//! The model: what docs/reference.md says of events, budgets, the gate and reservations, written down in the simplest way. It
//! shares no code with the program.
//!
//! *Invariants.* What is set aside is worked out from all holds whenever somebody asks, and what was spent of a budget from all that
//! was ever recorded whenever the settings change.

use std::collections::BTreeMap;

use super::calendar::{Nanos, SECOND, Zone};
use super::command::{
    Answer, Command, Event, Pico, Policy, Request, Reservation, Settlement, State, WHO_FIELDS, Word, amounts, names,
};
use super::events::count;
use super::rules::is_critical;
use super::spending::{Limits, Spending};

/// An operator's word on the gate.
#[derive(Clone, Debug)]
pub struct Override {
    pub active: bool,
    pub reason: Word,
    ends_at: Option<Nanos>,
}

#[derive(Debug)]
pub struct Model {
    pub zone: Zone,
    pub policy: Policy,
    /// What the wall clock shows.
    pub now: Nanos,
    /// How much time has passed, whatever the wall clock shows.
    steady: Nanos,
    /// By source and id; whether the event ended a reservation.
    pub(super) events: BTreeMap<(Word, u32), (Event, bool)>,
    /// One for each event and each revision; two more where the money so far moves to another team.
    pub(super) entries: u64,
    /// Cost by day and service.
    pub(super) days: BTreeMap<i64, BTreeMap<Word, Pico>>,
    pub(super) reservations: BTreeMap<u32, Reservation>,
    /// Those that are held, and when each lapses by the steady clock.
    pub(super) holds: BTreeMap<u32, Nanos>,
    pub(super) manual: Option<Override>,
    /// What was spent of the budgets.
    pub(super) spending: Spending,
    /// The newest word on each budget's limit.
    pub(super) limits: Limits,
}

impl Model {
    pub fn new(now: Nanos, zone: Zone) -> Self {
        Self {
            zone,
            policy: Policy::default(),
            now,
            steady: 0,
            events: BTreeMap::new(),
            entries: 0,
            days: BTreeMap::new(),
            reservations: BTreeMap::new(),
            holds: BTreeMap::new(),
            manual: None,
            spending: Spending::default(),
            limits: Limits::default(),
        }
    }

    /// Decides a command.
    pub fn apply(&mut self, command: &Command) -> Answer {
        match command {
            Command::Record(batch) => self.record(batch),
            Command::Tell(calls) => self.tell(calls),
            Command::Reserve(request) => self.reserve(request),
            Command::Commit { id, settlement } => self.commit(*id, settlement),
            Command::Release { id, reason } => self.release(*id, *reason),
            Command::Extend { id, ttl_seconds } => self.extend(*id, *ttl_seconds),
            Command::Override { active, reason, lasts_seconds } => {
                let ends_at = lasts_seconds.map(|seconds| self.now + Nanos::from(seconds) * SECOND);
                self.manual = Some(Override { active: *active, reason, ends_at });
                Answer::Ordered
            }
            Command::Auto => {
                self.manual = None;
                Answer::Ordered
            }
            Command::Limit { budget, limit, lasts_seconds } => {
                let ends_at = lasts_seconds.map(|seconds| self.now + Nanos::from(seconds) * SECOND);
                self.set_limit(budget, limit.clone(), ends_at);
                Answer::Ordered
            }
        }
    }

    pub fn pass(&mut self, length: Nanos) {
        self.steady += length;
        self.now += length;
        self.lapse();
    }

    pub fn set_wall(&mut self, now: Nanos) {
        self.now = now;
        self.lapse();
    }

    /// A new process has only the wall clock to go by. It gives no hold more time than the hold was given.
    pub fn restart(&mut self, now: Nanos, zone: Zone) {
        self.now = now;
        for (id, deadline) in &mut self.holds {
            let Reservation { created_at, expires_at, .. } = self.reservations[id];
            *deadline = self.steady + (expires_at - now).min(expires_at - created_at).max(0);
        }
        self.zone = zone;
        self.days.clear();
        for (event, _) in self.events.values() {
            count(&mut self.days, zone, event);
        }
        self.lapse();
        self.count_anew();
    }

    /// The settings are read again.
    pub fn reload(&mut self, policy: Policy) {
        self.policy = policy;
        self.count_anew();
    }

    fn lapse(&mut self) {
        let over: Vec<u32> = self.holds.iter().filter(|(_, end)| **end <= self.steady).map(|(id, _)| *id).collect();
        for id in over {
            self.end(id, State::Expired);
        }
        self.manual = self.manual.take().filter(|manual| manual.ends_at.is_none_or(|end| self.now < end));
        self.note_limits();
    }

    // === reservations ===

    fn reserve(&mut self, request: &Request) -> Answer {
        if let Some(first) = self.reservations.get(&request.id) {
            let fields = differing_requests(&first.request, request);
            let done = Answer::Done { reservation: first.clone(), is_new: false };
            return if fields.is_empty() { done } else { Answer::OtherContent(fields) };
        }
        if self.events.contains_key(&("", request.id)) {
            return Answer::OtherContent(vec!["id"]);
        }
        let (of, more) = (
            names(request.service, request.operation, request.who, request.model),
            amounts(request.estimate, &request.usage),
        );
        if let Some(why) = self.refusal(&of, &more) {
            return why;
        }
        let critical = is_critical(request.service, request.operation);
        let ttl = Nanos::from(request.ttl_seconds) * SECOND;
        let (created_at, expires_at) = (self.now, self.now + ttl);
        let request = request.clone();
        let id = request.id;
        let reservation = Reservation { request, critical, created_at, expires_at, ended_at: None, state: State::Held };
        self.holds.insert(id, self.steady + ttl);
        self.reservations.insert(id, reservation.clone());
        if self.policy.gate_enabled && !critical {
            let left = self.room(&of).into_iter().flatten().min();
            assert!(left.is_none_or(|left| left >= 0), "the model has let {reservation:?} pass a limit");
        }
        Answer::Done { reservation, is_new: true }
    }

    fn commit(&mut self, id: u32, settlement: &Settlement) -> Answer {
        let Some(found) = self.reservations.get(&id) else { return Answer::NotFound };
        let Request { service, operation, who, .. } = found.request;
        let Settlement { amount, time, time_given, usage, .. } = *settlement;
        let model = settlement.model.or(found.request.model);
        let event = Event {
            source: "",
            id,
            service,
            operation,
            amount,
            credit: false,
            time,
            time_given,
            who,
            model,
            usage,
            team: None,
            revision: 0,
            road: None,
        };
        match found.state {
            State::Released(_) => Answer::Finished("released"),
            State::Held | State::Expired => {
                self.add(event);
                self.done(id, true)
            }
            State::Committed(_) => {
                let known = &self.events[&("", id)].0;
                let same_time = !time_given || known.time == time;
                // Whoever told of the event itself may have said more of it.
                let same_model = model.is_none() || known.model == model;
                let same_cost = known.amount == amount && known.usage == usage && known.team.is_none();
                // What was told later is no contradiction.
                let same = same_time && same_model && same_cost || known.revision > 0;
                if same { self.done(id, false) } else { Answer::Finished("committed") }
            }
        }
    }

    fn release(&mut self, id: u32, reason: Option<Word>) -> Answer {
        match self.reservations.get(&id).map(|found| found.state.clone()) {
            None => Answer::NotFound,
            Some(State::Committed(_)) => Answer::Finished("committed"),
            Some(State::Released(first)) if first == reason => self.done(id, false),
            Some(State::Released(_)) => Answer::Finished("released"),
            Some(State::Held | State::Expired) => {
                self.end(id, State::Released(reason));
                self.done(id, true)
            }
        }
    }

    fn extend(&mut self, id: u32, ttl_seconds: u32) -> Answer {
        let Some(found) = self.reservations.get_mut(&id) else { return Answer::NotFound };
        let Some(deadline) = self.holds.get_mut(&id) else { return Answer::Finished(stage(&found.state)) };
        let ttl = Nanos::from(ttl_seconds) * SECOND;
        let is_later = self.steady + ttl > *deadline;
        if is_later {
            *deadline = self.steady + ttl;
            found.expires_at = found.expires_at.max(self.now + ttl);
        }
        self.done(id, is_later)
    }

    pub(super) fn end(&mut self, id: u32, state: State) {
        self.holds.remove(&id);
        let ended = self.reservations.get_mut(&id).expect("only known reservations end");
        (ended.state, ended.ended_at) = (state, Some(self.now));
    }

    fn done(&self, id: u32, is_new: bool) -> Answer {
        Answer::Done { reservation: self.reservations[&id].clone(), is_new }
    }

    /// The operator's word, while it holds.
    pub fn manual(&self) -> Option<&Override> {
        self.manual.as_ref()
    }

    pub fn event(&self, source: Word, id: u32) -> Option<&Event> {
        self.events.get(&(source, id)).map(|(event, _)| event)
    }

    pub fn events(&self) -> impl Iterator<Item = &Event> {
        self.events.values().map(|(event, _)| event)
    }

    pub fn reservation(&self, id: u32) -> Option<&Reservation> {
        self.reservations.get(&id)
    }

    /// Ids of what is held.
    pub fn held(&self) -> impl Iterator<Item = u32> {
        self.holds.keys().copied()
    }
}

fn stage(state: &State) -> Word {
    match state {
        State::Held => "held",
        State::Expired => "expired",
        State::Released(_) => "released",
        State::Committed(_) => "committed",
    }
}

fn differing_requests(first: &Request, retry: &Request) -> Vec<Word> {
    let mut fields = Vec::new();
    let mut compare = |field, same: bool| {
        if !same {
            fields.push(field)
        }
    };
    compare("service", first.service == retry.service);
    compare("operation", first.operation == retry.operation);
    compare("estimated_cost_usd", first.estimate == retry.estimate);
    compare("ttl_seconds", first.ttl_seconds == retry.ttl_seconds);
    (0..3).for_each(|field| compare(WHO_FIELDS[field], first.who[field] == retry.who[field]));
    compare("model", first.model == retry.model);
    compare("usage", first.usage == retry.usage);
    fields
}
