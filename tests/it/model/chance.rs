//! What happens next, drawn by a generator whose seed repeats it, or chosen by bytes.
//!
//! Ids come from a small window that moves on, so that retries, conflicts and settlements of every kind are frequent. Estimates
//! and limits are often drawn to meet what is left to the pico-dollar. All of a history lies within 35 days, so that nothing in
//! it is ever forgotten.

mod calls;
mod policies;
mod source;
mod steps;

use std::collections::VecDeque;

use super::calendar::{DAY, HOUR, MINUTE, Nanos, ZONES, Zone, day_number};
use super::command::{
    Command, Counts, DOLLAR, Event, MODELS, Names, OPERATIONS, Pico, REASONS, Request, SERVICES, Settlement, State, TEAMS,
    WHO, Who, Word, names,
};
use super::naive::Model;
use source::Source;

/// How far a history may go, and how far the clock may be set back behind its start.
const SPAN: Nanos = 33 * DAY;
/// The oldest and the newest time that an event may have.
const AGE_MAX: Nanos = 35 * DAY;
const AHEAD_MAX: Nanos = 5 * MINUTE;
/// Ids that are in use at the same time.
const WINDOW: u32 = 60;
/// The most that one event may cost.
const AMOUNT_MAX: Pico = 10_000 * DOLLAR;

pub struct Chance {
    source: Source,
    start: Nanos,
    /// The newest id of the window.
    newest: u32,
    /// The newest id that nobody had used before it was drawn, from a range of their own.
    fresh: u32,
    /// What was asked about lately, to be asked again.
    events: VecDeque<(Word, u32)>,
    calls: VecDeque<u32>,
    reservations: VecDeque<u32>,
}

impl Chance {
    pub fn of_seed(seed: u64) -> Self {
        Self::new(Source::of_seed(seed))
    }

    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self::new(Source::of_bytes(bytes))
    }

    /// Whether all that there was is used up. A seed never is.
    pub fn is_used_up(&self) -> bool {
        self.source.is_used_up()
    }

    /// Begins a few hours before a month, a leap day or the clocks change.
    fn new(mut source: Source) -> Self {
        let near = [
            day_number(2026, 11, 22) * DAY,
            day_number(2028, 2, 29) * DAY,
            day_number(2027, 3, 1) * DAY,
            day_number(2027, 1, 1) * DAY,
            // When clocks are set in Berlin, and on Lord Howe Island.
            day_number(2026, 3, 29) * DAY + HOUR,
            day_number(2026, 10, 25) * DAY + HOUR,
            day_number(2026, 4, 4) * DAY + 15 * HOUR,
            day_number(2026, 10, 3) * DAY + 31 * HOUR / 2,
        ];
        let most = if source.below(2) == 0 { 6 * HOUR } else { 3 * DAY };
        let before = source.below(most.unsigned_abs()).cast_signed();
        let start = near[source.below(near.len() as u64) as usize] - before;
        let (events, calls, reservations) = (VecDeque::new(), VecDeque::new(), VecDeque::new());
        Self { source, start, newest: 0, fresh: 1_000_000, events, calls, reservations }
    }

    pub fn start(&self) -> Nanos {
        self.start
    }

    pub fn zone(&mut self) -> Zone {
        self.pick(&ZONES)
    }

    /// How many keys of budgets fit into memory.
    pub fn keys_max(&mut self) -> usize {
        self.pick(&[100_000, 100_000, 100_000, 5, 5, 0, 12])
    }

    /// How many commands come at once.
    pub fn burst_len(&mut self) -> u64 {
        if self.one_in(2) { 1 + self.below(6) } else { 1 + self.below(60) }
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.source.below(bound)
    }

    /// Whether a chance of one in so many came true.
    pub fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    fn pick<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len() as u64) as usize]
    }

    fn between(&mut self, least: Nanos, most: Nanos) -> Nanos {
        least + self.below((most - least).max(1).unsigned_abs()).cast_signed()
    }

    // === commands ===

    pub fn command(&mut self, model: &Model) -> Command {
        match self.below(1_000) {
            0..300 => Command::Record(self.batch(model)),
            300..370 => Command::Tell(self.told(model)),
            370..780 => Command::Reserve(self.request(model)),
            780..800 => self.limit(model),
            800..880 => Command::Commit { id: self.reserved_id(model), settlement: self.settlement(model) },
            880..920 => Command::Release { id: self.reserved_id(model), reason: self.reason() },
            920..992 => Command::Extend { id: self.reserved_id(model), ttl_seconds: self.ttl_seconds() },
            992..995 => self.manual(),
            _ => Command::Auto,
        }
    }

    fn manual(&mut self) -> Command {
        let active = self.one_in(2);
        let lasts_seconds = (!self.one_in(4)).then(|| 1 + self.below(7_200) as u32);
        Command::Override { active, reason: self.pick(&REASONS), lasts_seconds }
    }

    fn batch(&mut self, model: &Model) -> Vec<Event> {
        let len = if self.one_in(2) { 1 } else { 1 + self.below(5) };
        let mut batch: Vec<Event> = (0..len).map(|_| self.event(model)).collect();
        if self.one_in(12) {
            let mut twin = batch[self.below(len) as usize].clone();
            match self.below(4) {
                0 => self.vary(&mut twin),
                1 => self.revise(&mut twin),
                _ => {}
            }
            batch.push(twin);
        }
        batch
    }

    fn event(&mut self, model: &Model) -> Event {
        let (source, id) = match self.below(32) {
            0 => return self.paid_reservation(model),
            1 | 2 => ("", self.any_id()),
            3..7 if !self.events.is_empty() => {
                let nth = self.below(self.events.len() as u64) as usize;
                self.events[nth]
            }
            _ => (if self.one_in(6) { "crm" } else { "" }, self.fresh_id()),
        };
        remember(&mut self.events, (source, id));
        if let Some(known) = model.event(source, id)
            && !self.one_in(12)
        {
            let mut again = known.clone();
            if !again.time_given || self.one_in(4) {
                (again.time, again.time_given) = (model.now, false);
            }
            match self.below(12) {
                0 | 1 => self.vary(&mut again),
                2..5 => self.revise(&mut again),
                _ => {}
            }
            return again;
        }
        self.new_event(model, source, id)
    }

    fn new_event(&mut self, model: &Model, source: Word, id: u32) -> Event {
        let credit = self.one_in(8);
        let amount = if credit { -self.amount() } else { self.amount() };
        let time_given = !self.one_in(3);
        let time = if time_given { self.event_time(model) } else { model.now };
        let (service, operation) = (self.pick(&SERVICES), self.pick(&OPERATIONS));
        let (who, model) = (self.who(), self.model());
        let team = if self.one_in(4) { Some(self.pick(&TEAMS)) } else { None };
        let revision = if self.one_in(20) { self.below(3) as u32 } else { 0 };
        let usage = self.usage();
        let road = None;
        Event { source, id, service, operation, amount, credit, time, time_given, who, model, usage, team, revision, road }
    }

    /// Tells more of an event, or again what was told before that.
    fn revise(&mut self, event: &mut Event) {
        let amount = if self.one_in(5) { 0 } else { self.amount() };
        event.amount = if event.credit { -amount } else { amount };
        event.revision =
            if self.one_in(4) { event.revision.saturating_sub(1) } else { event.revision + 1 + self.below(2) as u32 };
        if self.one_in(3) {
            event.team = if self.one_in(3) { None } else { Some(self.pick(&TEAMS)) };
        }
        if self.one_in(2) {
            event.usage = self.usage();
        }
        if self.one_in(20) {
            self.vary(event);
        }
    }

    /// What a worker posts that has lost the answer to its commit, or never heard of committing.
    fn paid_reservation(&mut self, model: &Model) -> Event {
        let id = self.reserved_id(model);
        let mut event = self.new_event(model, "", id);
        if let Some(reservation) = model.reservation(id) {
            if !self.one_in(6) {
                (event.service, event.operation) = (reservation.request.service, reservation.request.operation);
            }
            if !self.one_in(4) {
                event.who = [None; 3];
            }
            if self.one_in(2) {
                event.model = None;
            }
            if let State::Committed(amount) = reservation.state
                && !self.one_in(4)
            {
                (event.amount, event.credit, event.time_given) = (amount, amount < 0, false);
                event.time = model.now;
                if let Some(known) = model.event("", id) {
                    event.usage = known.usage;
                    event.model = if self.one_in(2) { known.model } else { None };
                }
            }
        }
        event
    }

    /// Changes something in a retry, or leaves something out.
    fn vary(&mut self, event: &mut Event) {
        match self.below(6) {
            0 => event.amount += if event.credit { -1 } else { 1 },
            1 => event.who = [None; 3],
            2 => event.who = self.who(),
            3 => event.model = self.model(),
            4 => event.usage = self.usage(),
            _ => event.service = self.pick(&SERVICES),
        }
    }

    fn request(&mut self, model: &Model) -> Request {
        let id = match self.below(4) {
            0 => self.any_id(),
            1 => self.reserved_id(model),
            _ => self.fresh_id(),
        };
        if let Some(first) = model.reservation(id).filter(|first| first.request.id_given)
            && !self.one_in(12)
        {
            let mut again = first.request.clone();
            match self.below(24) {
                3 => again.usage = self.usage(),
                4 => again.model = self.model(),
                0 => again.estimate += 1,
                1 => again.ttl_seconds += 1,
                2 => again.who = self.who(),
                _ => {}
            }
            return again;
        }
        let id_given = !self.one_in(4);
        let id = if id_given { id } else { self.fresh_id() };
        remember(&mut self.reservations, id);
        let service = self.pick(&SERVICES);
        let operation = if self.one_in(4) { self.pick(&OPERATIONS) } else { "chat" };
        let (who, of_model, mut usage, ttl_seconds) = (self.who(), self.model(), self.usage(), self.ttl_seconds());
        let [usd, used @ ..] = model.room(&names(service, operation, who, of_model));
        let estimate = self.estimate(usd);
        for (count, room) in usage.iter_mut().zip(used) {
            let fitting = room.filter(|_| count.is_some() && self.one_in(3));
            *count = fitting.map(|room| (room + self.pick(&[-1, 0, 0, 1])).max(0)).or(*count);
        }
        Request { id, id_given, service, operation, estimate, usage, ttl_seconds, who, model: of_model }
    }

    /// What something is called that somebody wants to pay for.
    pub fn names(&mut self) -> Names {
        let (service, operation) = (self.pick(&SERVICES), self.pick(&OPERATIONS));
        names(service, operation, self.who(), self.model())
    }

    /// Millionths of what is used; whole ones mostly.
    fn usage(&mut self) -> Counts {
        std::array::from_fn(|_| {
            let unit = self.pick(&[1, 1_000_000, 1_000_000]);
            (self.one_in(2)).then(|| Pico::from(self.below(5) * self.below(400)) * unit)
        })
    }

    /// Often just what is left, or a pico-dollar beside it.
    fn estimate(&mut self, room: Option<Pico>) -> Pico {
        match room {
            Some(room) if self.one_in(4) => (room + self.pick(&[-1, 0, 0, 1])).clamp(0, AMOUNT_MAX),
            _ => self.amount(),
        }
    }

    fn settlement(&mut self, model: &Model) -> Settlement {
        let time_given = self.one_in(4);
        let time = if time_given { self.event_time(model) } else { model.now };
        // Few amounts, so that a repeated commit often says the same.
        let amount = if self.one_in(3) { self.amount() } else { self.pick(&[0, 1, DOLLAR / 3]) };
        let usage = if self.one_in(2) { self.usage() } else { [None; 3] };
        Settlement { amount, time, time_given, model: if self.one_in(4) { self.model() } else { None }, usage }
    }

    /// An id from the window, seldom an older one.
    fn any_id(&mut self) -> u32 {
        if self.one_in(3) {
            self.newest += 1;
        }
        let back = if self.one_in(10) { self.newest + 1 } else { WINDOW.min(self.newest + 1) };
        self.newest - self.below(back.into()) as u32
    }

    fn fresh_id(&mut self) -> u32 {
        self.fresh += 1;
        self.fresh
    }

    /// Mostly the id of something held.
    fn reserved_id(&mut self, model: &Model) -> u32 {
        if self.one_in(10) {
            return self.any_id();
        }
        let held = model.held().count() as u64;
        let recent: Vec<u32> = self.reservations.iter().filter(|id| model.reservation(**id).is_some()).copied().collect();
        if !recent.is_empty() && (held == 0 || self.one_in(3)) {
            return self.pick(&recent);
        }
        if held == 0 {
            return self.any_id();
        }
        let nth = self.below(held) as usize;
        model.held().nth(nth).unwrap_or(0)
    }

    fn amount(&mut self) -> Pico {
        let pico: u64 = match self.below(16) {
            0 => 0,
            1 | 2 => self.below(1_000),
            3 => 2_355_000_000 + self.below(10),
            4 => self.below(4_000_000_000_000),
            _ => self.below(400_000_000_000),
        };
        pico.into()
    }

    /// Now and then around the beginning of a day.
    fn event_time(&mut self, model: &Model) -> Nanos {
        let now = model.now;
        let time = match self.below(20) {
            0..9 => now,
            9..13 => now - self.between(0, 10 * MINUTE),
            13..16 => now - self.between(0, AGE_MAX),
            16 | 17 => now + self.between(0, AHEAD_MAX),
            _ => {
                let day = model.zone.day_of(now) - self.below(34).cast_signed();
                model.zone.start_of(day) + self.between(-1, 2)
            }
        };
        time.clamp(now - AGE_MAX, now + AHEAD_MAX)
    }

    fn ttl_seconds(&mut self) -> u32 {
        let most = self.pick(&[3, 60, 600, 7_200, 86_400]);
        1 + self.below(most) as u32
    }

    fn who(&mut self) -> Who {
        std::array::from_fn(|field| (!self.one_in(3)).then(|| self.pick(&WHO[field])))
    }

    fn model(&mut self) -> Option<Word> {
        self.one_in(2).then(|| self.pick(&MODELS))
    }

    fn reason(&mut self) -> Option<Word> {
        self.one_in(2).then(|| self.pick(&REASONS))
    }
}

fn remember<T>(newest: &mut VecDeque<T>, one: T) {
    newest.push_back(one);
    if newest.len() > WINDOW as usize {
        newest.pop_front();
    }
}
