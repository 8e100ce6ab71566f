//! What becomes of a batch: PURE. What is known under an id comes in as a function.
//!
//! *Invariants.* A batch is all or nothing, unless its sender wants the good part of it. An id counts once, whether its first event
//! lies in the ledger, in an earlier batch of the same commit, or earlier in the same batch; of what is told under it later, the
//! highest revision stands.

use std::cmp::Ordering;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry as Slot;
use jiff::civil::Date;

use super::decision::Decision::{self, Refused, Taken};
use super::{Conflict, Disagreement, Recorded, Taking};
use crate::domain::{
    CostEvent, EventKey, Merge, Merged, NATIVE_ROAD, OPERATION_DEFAULT, Origin, differing_fields, fixed_fields_differing,
    merge, revise,
};
use crate::ledger::{KeyedEvent, StoredEvent};

/// The new entries of the commit that is being put together.
#[derive(Debug)]
pub(super) struct NewEvents {
    /// The place of the newest entry before them.
    newest: i64,
    entries: Vec<KeyedEvent>,
    /// Where in `entries` the newest of each key stands, by its hash.
    by_key: HashTable<usize>,
}

/// An event that is known, as it stands.
#[derive(Debug)]
pub(super) struct Known {
    pub event: CostEvent,
    /// The `seq` of its first entry.
    pub first: i64,
    /// The day it counts in.
    pub day: Date,
    /// The `seq` of the reservation that it settled.
    pub reservation: Option<i64>,
}

/// What it means that an event is told under a known key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Retold {
    /// Nothing: it is known.
    Again,
    /// It replaces what is known.
    Revised,
    /// It contradicts what is known, in these fields.
    Contradicted(Vec<&'static str>),
}

impl NewEvents {
    /// None yet; the first will come behind the entry at this place.
    pub fn behind(newest: i64) -> Self {
        Self { newest, entries: Vec::new(), by_key: HashTable::new() }
    }

    /// Decides one batch and takes its new events and revisions, or none of it; each new one is given to `complete` before.
    ///
    /// # Errors
    /// The look-up's.
    pub fn take_batch<E>(
        &mut self,
        batch: impl Iterator<Item = KeyedEvent>,
        taking: Taking,
        recorded: impl Fn(&KeyedEvent) -> Result<Option<Known>, E>,
        complete: impl Fn(&mut KeyedEvent) -> Result<(), E>,
    ) -> Result<Decision<Recorded, Vec<Conflict>>, E> {
        let before = self.entries.len();
        self.reserve(batch.size_hint().0);
        let mut answer = Recorded::default();
        for (index, mut keyed) in batch.enumerate() {
            let Some(known) = self.known(&keyed, &recorded)? else {
                complete(&mut keyed)?;
                self.push(keyed);
                answer.accepted += 1;
                continue;
            };
            if known.is_told_by_another_road(&keyed.event) {
                self.retell_call(known, keyed, &mut answer);
                continue;
            }
            match known.retold(&keyed.event) {
                Retold::Again => answer.duplicates += 1,
                Retold::Revised => {
                    self.revise(known, keyed);
                    answer.revised += 1;
                }
                Retold::Contradicted(fields) => {
                    answer.conflicts.push(Conflict { index, id: keyed.event.key.id, fields });
                }
            }
        }
        if answer.conflicts.is_empty() || taking != Taking::AllOrNothing {
            return Ok(Taken(answer));
        }
        self.drop_behind(before);
        Ok(Refused(answer.conflicts))
    }

    /// Puts what is told of a call to what is known of it.
    pub fn retell_call(&mut self, known: Known, mut told: KeyedEvent, answer: &mut Recorded) {
        let Merged { merge, disagreeing } = merge(&known.event, told.event.clone());
        if let Some(other) = disagreeing {
            let standing = if let Merge::Revised(event) = &merge { event.amount } else { known.event.amount };
            answer.disagree(|| Disagreement { key: told.event.key.clone(), standing, other });
        }
        match merge {
            Merge::Again => answer.duplicates += 1,
            Merge::CacheHit => answer.cache_hits += 1,
            Merge::Revised(event) => {
                told.event = *event;
                self.revise(known, told);
                answer.revised += 1;
            }
        }
    }

    /// The event under the same key, new or recorded.
    ///
    /// # Errors
    /// The look-up's.
    pub fn known<E>(
        &self,
        wanted: &KeyedEvent,
        recorded: impl Fn(&KeyedEvent) -> Result<Option<Known>, E>,
    ) -> Result<Option<Known>, E> {
        let Some(at) = self.position(wanted.key_hash, &wanted.event.key) else { return recorded(wanted) };
        let KeyedEvent { event, day, reservation, entry, .. } = &self.entries[at];
        let (event, first) = (entry.stand(event.clone()), entry.first(self.place(at)));
        Ok(Some(Known { event, first, day: *day, reservation: *reservation }))
    }

    /// Takes an entry.
    pub fn push(&mut self, keyed: KeyedEvent) {
        let at = self.entries.len();
        let (hash, entries) = (keyed.key_hash, &self.entries);
        match self.by_key.entry(hash, |at| entries[*at].event.key == keyed.event.key, |at| entries[*at].key_hash) {
            Slot::Occupied(mut newest) => *newest.get_mut() = at,
            Slot::Vacant(slot) => drop(slot.insert(at)),
        }
        self.entries.push(keyed);
    }

    /// Makes room for so many: growing step by step would move each event a few times.
    fn reserve(&mut self, count: usize) {
        let entries = &mut self.entries;
        entries.reserve(count);
        self.by_key.reserve(count, |at| entries[*at].key_hash);
    }

    /// Takes what a higher revision changes.
    pub fn revise(&mut self, known: Known, told: KeyedEvent) {
        let KeyedEvent { event, key_hash, .. } = told;
        let Known { event: known, first, day, reservation } = known;
        for (event, entry) in revise(known, first, event) {
            self.push(KeyedEvent { event, key_hash, day, reservation, entry });
        }
    }

    /// Whether one of them has this key, whose hash is given.
    pub fn contains(&self, key_hash: u64, key: &EventKey) -> bool {
        self.position(key_hash, key).is_some()
    }

    /// The entry at this place of the ledger, if it is one of the new ones.
    pub fn entry_at(&self, place: i64) -> Option<&KeyedEvent> {
        self.entries.get(usize::try_from(place - self.newest - 1).ok()?)
    }

    /// Marks the event whose first entry is the new one at this place as one that looks like another one.
    pub fn suspect(&mut self, place: i64) {
        let Some(at) = usize::try_from(place - self.newest - 1).ok() else { return };
        let Some([first, later @ ..]) = self.entries.get_mut(at..) else { return };
        let key = first.event.key.clone();
        let tellings = later.iter_mut().filter(|keyed| keyed.entry.tells_event() && keyed.event.key == key);
        for keyed in std::iter::once(first).chain(tellings) {
            keyed.event.origin.get_or_insert_with(|| Box::new(Origin::of(NATIVE_ROAD))).is_suspected = true;
        }
    }

    /// Where the next entry will stand.
    pub fn next_place(&self) -> i64 {
        self.place(self.entries.len())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Those behind the first so many, each with its place.
    pub fn behind_first(&self, count: usize) -> impl Iterator<Item = (i64, &KeyedEvent)> + Clone {
        (count..).map(|at| self.place(at)).zip(&self.entries[count..])
    }

    /// The entries to record, in order.
    pub fn into_entries(self) -> Vec<KeyedEvent> {
        self.entries
    }

    fn position(&self, key_hash: u64, key: &EventKey) -> Option<usize> {
        self.by_key.find(key_hash, |at| self.entries[*at].event.key == *key).copied()
    }

    /// Where the entry that stands here among the new ones will stand in the ledger.
    fn place(&self, at: usize) -> i64 {
        self.newest + at as i64 + 1
    }

    fn drop_behind(&mut self, count: usize) {
        self.entries.truncate(count);
        self.by_key.clear();
        // Refusals are rare, and an event before may be the newest of its key again.
        for keyed in std::mem::take(&mut self.entries) {
            self.push(keyed);
        }
    }
}

impl Known {
    /// An event that is on record, and counts in this day.
    pub fn recorded(StoredEvent { seq, event, reservation, entry, .. }: StoredEvent, day: Date) -> Self {
        let first = entry.first(seq);
        Self { event: entry.stand(event), first, day, reservation }
    }

    /// What it means that this is told under its key.
    pub fn retold(&self, told: &CostEvent) -> Retold {
        let mut fields = match self.compare(told) {
            Ordering::Less => return Retold::Again,
            Ordering::Equal => differing_fields(&self.event, told),
            Ordering::Greater => fixed_fields_differing(&self.event, told),
        };
        // For which operation and whom the work was, and with which model, is known from the reservation, so whoever tells of its settlement need
        // not say it again.
        let is_left_out = |field: &&str| match *field {
            "operation" => told.operation.as_str() == OPERATION_DEFAULT,
            "worker" => told.worker.is_none(),
            "batch_id" => told.batch_id.is_none(),
            "lead_id" => told.lead_id.is_none(),
            "model" => told.model.is_none(),
            _ => false,
        };
        if self.reservation.is_some() {
            fields.retain(|field| !is_left_out(field));
        }
        // Another ledger has put together what several roads told of a call.
        if told.first_recorded_at.is_some() {
            fields.retain(|field| !self.is_filled(field));
        }
        match fields.is_empty() {
            false => Retold::Contradicted(fields),
            true if self.compare(told) == Ordering::Greater => Retold::Revised,
            true => Retold::Again,
        }
    }

    /// Whether a worker tells of a call that came over another road before, without saying that it corrects it.
    fn is_told_by_another_road(&self, told: &CostEvent) -> bool {
        let is_native = |origin: &Origin| &*origin.road == NATIVE_ROAD;
        let came_otherwise = self.event.origin.as_ref().is_some_and(|origin| !is_native(origin));
        let is_workers = told.revision == 0
            && told.first_recorded_at.is_none()
            && told.origin.as_ref().is_none_or(|origin| is_native(origin));
        came_otherwise && is_workers
    }

    /// Which telling is the newer one. Only another ledger says how often it has changed an event by itself.
    fn compare(&self, told: &CostEvent) -> Ordering {
        let by_revision = told.revision.cmp(&self.event.revision);
        match told.first_recorded_at {
            Some(_) => by_revision.then(told.amendment().cmp(&self.event.amendment())),
            None => by_revision,
        }
    }

    /// Whether the event leaves open what this field says.
    fn is_filled(&self, field: &str) -> bool {
        match field {
            "worker" => self.event.worker.is_none(),
            "batch_id" => self.event.batch_id.is_none(),
            "lead_id" => self.event.lead_id.is_none(),
            "model" => self.event.model.is_none(),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::domain::{Entry, Name, Usd};

    const DAY: Date = jiff::civil::date(2026, 11, 22);

    /// All ids share few hashes, so that a hash alone must not decide.
    fn event(id: &str, dollars: i64) -> KeyedEvent {
        let key = EventKey { source: "".into(), id: id.into() };
        let event = CostEvent { key, amount: Usd::from_dollars(dollars), ..CostEvent::example() };
        KeyedEvent { key_hash: id.len() as u64, day: DAY, event, reservation: None, entry: Entry::First }
    }

    fn take(new: &mut NewEvents, batch: Vec<KeyedEvent>) -> Result<Recorded, Vec<Conflict>> {
        take_as(new, Taking::AllOrNothing, batch)
    }

    fn take_as(new: &mut NewEvents, taking: Taking, batch: Vec<KeyedEvent>) -> Result<Recorded, Vec<Conflict>> {
        // On record is one event, which settled a reservation.
        let recorded = |wanted: &KeyedEvent| {
            let known = Known { reservation: Some(7), ..known(named(event("old", 1).event)) };
            Ok::<_, Infallible>((&*wanted.event.key.id == "old").then_some(known))
        };
        let Ok(decision) = new.take_batch(batch.into_iter(), taking, recorded, |_| Ok(()));
        decision.into_answer()
    }

    fn known(event: CostEvent) -> Known {
        Known { event, first: 1, day: DAY, reservation: None }
    }

    fn named(event: CostEvent) -> CostEvent {
        let [worker, batch_id, lead_id, model] = ["w", "b", "l", "m"].map(|name| Some(name.into()));
        CostEvent { worker, batch_id, lead_id, model, ..event }
    }

    /// The same event with each of its names in turn changed by `change`, and the field that this is.
    fn each_name(event: &CostEvent, change: impl Fn(&mut Option<Box<str>>)) -> [(&'static str, CostEvent); 4] {
        let mut changed = ["worker", "batch_id", "lead_id", "model"].map(|field| (field, event.clone()));
        change(&mut changed[0].1.worker);
        change(&mut changed[1].1.batch_id);
        change(&mut changed[2].1.lead_id);
        change(&mut changed[3].1.model);
        changed
    }

    fn rename(name: &mut Option<Box<str>>) {
        *name = Some("somebody else".into());
    }

    #[test]
    fn a_retry_of_a_settlement_need_not_say_again_who_the_work_was_for() {
        let mut new = NewEvents::behind(1);
        assert!(take(&mut new, vec![event("old", 1)]).is_ok());
        for (field, other) in each_name(&event("old", 1).event, rename) {
            let other = KeyedEvent { event: other, ..event("old", 1) };
            assert!(matches!(take(&mut new, vec![other]), Err(found) if found[0].fields == [field]), "{field}");
        }
        for (operation, is_taken) in [(OPERATION_DEFAULT, true), ("something else", false)] {
            let told = CostEvent { operation: Name::new(operation).unwrap(), ..event("old", 1).event };
            assert_eq!(take(&mut new, vec![KeyedEvent { event: told, ..event("old", 1) }]).is_ok(), is_taken, "{operation}");
        }
        assert!(take(&mut new, vec![event("old", 2)]).is_err());
        // Whoever settles nothing says who the work was for.
        for (field, told) in each_name(&named(event("old", 1).event), |name| *name = None) {
            let known = known(named(event("old", 1).event));
            assert_eq!(known.retold(&told), Retold::Contradicted(vec![field]));
        }
    }

    #[test]
    fn another_ledger_may_know_who_the_work_was_for_but_nobody_else() {
        let told = CostEvent { first_recorded_at: Some(jiff::Timestamp::UNIX_EPOCH), ..named(event("a", 1).event) };
        for (field, lacking) in each_name(&told, |name| *name = None) {
            assert_eq!(known(lacking).retold(&told), Retold::Again, "{field}");
        }
        for (field, other) in each_name(&told, rename) {
            assert_eq!(known(other).retold(&told), Retold::Contradicted(vec![field]));
        }
    }

    #[test]
    fn a_worker_adds_to_what_another_road_told_unless_it_corrects_it() {
        let over = |road: &str| CostEvent { origin: Some(Box::new(Origin::of(road))), ..event("a", 1).event };
        let plain = event("a", 1).event;
        let from_ledger = CostEvent { first_recorded_at: Some(jiff::Timestamp::UNIX_EPOCH), ..plain.clone() };
        for (told, adds) in [
            (plain.clone(), true),
            (over(NATIVE_ROAD), true),
            (over("otlp:x"), false),
            (from_ledger, false),
            (revised("a", 1, 1).event, false),
        ] {
            assert_eq!(known(over("litellm")).is_told_by_another_road(&told), adds, "{told:?}");
            assert!(!known(over(NATIVE_ROAD)).is_told_by_another_road(&told));
            assert!(!known(plain.clone()).is_told_by_another_road(&told));
        }
        let mut new = NewEvents::behind(1);
        let cache_hit = KeyedEvent { event: CostEvent { amount: Usd::ZERO, ..plain }, ..event("a", 0) };
        take(&mut new, vec![KeyedEvent { event: over("litellm"), ..event("a", 1) }]).unwrap();
        assert_eq!(take(&mut new, vec![cache_hit]).unwrap(), Recorded { cache_hits: 1, ..Recorded::default() });
    }

    #[test]
    fn a_suspicion_marks_all_tellings_of_its_event_and_of_no_other() {
        let mut new = NewEvents::behind(40);
        take(&mut new, vec![event("a", 1), event("b", 2), revised("a", 1, 3), event("c", 4)]).unwrap();
        let suspected = |new: &NewEvents| -> Vec<i64> {
            let is_suspected = |event: &CostEvent| event.origin.as_ref().is_some_and(|origin| origin.is_suspected);
            new.behind_first(0).filter(|(_, keyed)| is_suspected(&keyed.event)).map(|(place, _)| place).collect()
        };
        [40, 45, i64::MAX].into_iter().for_each(|elsewhere| new.suspect(elsewhere));
        assert_eq!(suspected(&new), [0; 0]);
        new.suspect(41);
        assert_eq!(suspected(&new), [41, 43]);
        new.suspect(44);
        assert_eq!((suspected(&new), new.len(), new.next_place()), (vec![41, 43, 44], 4, 45));
    }

    #[test]
    fn an_id_counts_once_wherever_it_was_seen_first() {
        let mut new = NewEvents::behind(1);
        let first = take(&mut new, vec![event("old", 1), event("a", 2), event("a", 2)]).unwrap();
        assert_eq!(first, Recorded { accepted: 1, duplicates: 2, ..Recorded::default() });
        let second = take(&mut new, vec![event("a", 2), event("b", 3)]).unwrap();
        assert_eq!(second, Recorded { accepted: 1, duplicates: 1, ..Recorded::default() });
        assert_eq!(new.into_entries().len(), 2);
    }

    #[test]
    fn a_conflict_refuses_the_whole_batch_and_leaves_no_trace() {
        let mut new = NewEvents::behind(1);
        take(&mut new, vec![event("a", 1)]).unwrap();
        let Err(conflicts) = take(&mut new, vec![event("b", 1), event("a", 9), event("b", 8), event("old", 7)]) else {
            panic!("the batch has conflicts")
        };
        let found: Vec<_> = conflicts.iter().map(|conflict| (conflict.index, &*conflict.id)).collect();
        assert_eq!(found, [(1, "a"), (2, "b"), (3, "old")]);
        assert_eq!(conflicts[0].fields, ["amount_usd"]);
        assert_eq!(take(&mut new, vec![event("b", 1)]).unwrap(), Recorded { accepted: 1, ..Recorded::default() });
        assert_eq!(new.into_entries().len(), 2);
    }

    fn revised(id: &str, revision: u32, dollars: i64) -> KeyedEvent {
        let mut keyed = event(id, dollars);
        keyed.event.revision = revision;
        keyed
    }

    fn amounts(new: NewEvents) -> Vec<i128> {
        new.into_entries().iter().map(|keyed| keyed.event.amount.pico() / Usd::from_dollars(1).pico()).collect()
    }

    #[test]
    fn of_what_is_told_under_an_id_the_highest_revision_stands() {
        for (order, revised_count) in [([0, 1, 2], 2), ([2, 0, 1], 0), ([1, 0, 2], 1), ([0, 2, 1], 1)] {
            let mut new = NewEvents::behind(1);
            let batch = order.map(|revision| revised("a", revision, [2, 5, 3][revision as usize]));
            let answer = take(&mut new, batch.into()).unwrap();
            assert_eq!(
                (answer.accepted, answer.revised, answer.duplicates),
                (1, revised_count, 2 - revised_count),
                "{order:?}"
            );
            assert_eq!(amounts(new).iter().sum::<i128>(), 3, "{order:?}");
        }
        let mut new = NewEvents::behind(1);
        assert!(take(&mut new, vec![revised("a", 1, 2), revised("a", 1, 3)]).is_err(), "one revision has one content");
        let mut elsewhere = revised("old", 1, 2);
        elsewhere.event.model = Some("another".into());
        assert!(matches!(take(&mut new, vec![elsewhere]), Err(found) if found[0].fields == ["model"]));
    }

    #[test]
    fn an_adjustment_points_to_the_first_entry_of_its_event() {
        let mut new = NewEvents::behind(40);
        take(&mut new, vec![event("a", 1), revised("old", 1, 3), revised("a", 1, 2), revised("a", 2, 4)]).unwrap();
        let entries = new.into_entries();
        let firsts: Vec<_> = (41..).zip(&entries).map(|(seq, keyed)| keyed.entry.first(seq)).collect();
        assert_eq!(firsts, [41, 1, 41, 41]);
        assert_eq!(entries[1].reservation, Some(7), "the settlement's reservation is known from there on, too");
    }

    #[test]
    fn a_refused_batch_leaves_the_revisions_before_it() {
        let mut new = NewEvents::behind(1);
        take(&mut new, vec![event("a", 1), revised("a", 1, 2)]).unwrap();
        assert!(take(&mut new, vec![revised("a", 2, 9), event("old", 9)]).is_err());
        assert_eq!(take(&mut new, vec![revised("a", 2, 4)]).unwrap().revised, 1);
        assert_eq!(amounts(new), [1, 1, 2]);
    }

    #[test]
    fn the_good_ones_are_taken_and_the_others_told() {
        let mut new = NewEvents::behind(1);
        let batch = vec![event("b", 1), event("b", 8), event("old", 7), event("c", 2)];
        let answer = take_as(&mut new, Taking::GoodOnes, batch).unwrap();
        let told: Vec<_> = answer.conflicts.iter().map(|conflict| conflict.index).collect();
        assert_eq!((answer.accepted, answer.duplicates, told), (2, 0, vec![1, 2]));
        assert_eq!(amounts(new), [1, 2]);
    }
}
