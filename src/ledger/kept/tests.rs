//! What is kept against what reading the events says.

use jiff::civil::date;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRng, TestRunner};

use super::super::Reader;
use super::super::contract::Ledger;
use super::super::segment::SEGMENT_EVENTS;
use super::super::tests::{Fixture, event};
use super::*;
use crate::domain::{BudgetZone, CostEvent, Filter, Kind, Sums, revise};

const FIRST: Date = date(2026, 11, 1);
const DAYS: i64 = 12;

struct Rig {
    fixture: Fixture,
    ledger: Ledger,
    reader: Reader,
    kept: KeptDays,
    events: i64,
    entries: u64,
    /// What views would say of each day.
    totals: BTreeMap<Date, Sums>,
}

/// Something that happens to a ledger.
#[derive(Clone, Debug)]
enum Step {
    /// So many events of this day and these names, some of the others.
    Record { count: u16, day: i64, names: u16 },
    /// An event gets another amount, and a model if it had none.
    Revise { back: u16, more: i64 },
    /// Retention removes a segment, if one is left.
    Prune,
    /// Somebody asks, while days from this one on are in memory.
    Ask { by_model: bool, by_day: bool, from: i64, length: i64, resident_from: i64 },
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..300_u16, 0..DAYS, 1..40_u16).prop_map(|(count, day, names)| Step::Record { count, day, names }),
        3 => (0..2_000_u16, -900..900_i64).prop_map(|(back, more)| Step::Revise { back, more }),
        1 => Just(Step::Prune),
        9 => (any::<bool>(), any::<bool>(), 0..DAYS, 0..DAYS, 0..DAYS).prop_map(|(by_model, by_day, from, length, resident_from)| {
            Step::Ask { by_model, by_day, from, length, resident_from }
        }),
    ]
}

fn day(number: i64) -> Date {
    FIRST.saturating_add(jiff::Span::new().days(number))
}

fn noon(day: Date) -> Timestamp {
    format!("{day}T12:00:00Z").parse().unwrap()
}

fn question(by: Dimension, first: Date, last: Date, by_day: bool) -> CostQuestion {
    CostQuestion { by: vec![by], filters: vec![], first, last, by_day }
}

impl Rig {
    fn new() -> Self {
        let fixture = Fixture::new();
        let (ledger, reader) = (fixture.open(), Reader::new(fixture.path(), BudgetZone::UTC));
        Self { fixture, ledger, reader, kept: KeptDays::default(), events: 0, entries: 0, totals: BTreeMap::new() }
    }

    /// The event with a number, which says all but its time.
    fn event(number: i64, names: u16, time: Timestamp) -> CostEvent {
        let (amount, name) = (number * 104_729 % 2_000_003 - 400_000, number % i64::from(names));
        CostEvent {
            time,
            amount: Usd::from_pico(amount.into()),
            kind: if amount < 0 { Kind::Credit } else { Kind::Charge },
            worker: (name > 0).then(|| format!("worker-é-{name}").into()),
            model: (name % 5 > 0).then(|| format!("model-{}", name % 5).into()),
            ..event(number)
        }
    }

    fn record(&mut self, count: u16, of: Date, names: u16) {
        let batch: Vec<CostEvent> = (self.events..self.events + i64::from(count))
            .map(|number| {
                // Every ninth some days earlier or later, one of them outside of all that is asked for.
                let hours = if number % 9 == 0 { 24 * (number % 17 - 8) } else { 0 };
                Self::event(number, names, noon(of) + SignedDuration::from_hours(hours))
            })
            .collect();
        self.events += i64::from(count);
        let entries: Vec<_> = batch.into_iter().map(|event| (event, crate::domain::Entry::First)).collect();
        self.commit(entries, noon(of));
    }

    fn revise(&mut self, back: u16, more: i64) {
        let number = self.events - 1 - i64::from(back) % self.events.max(1);
        let told = |known: &CostEvent, revision| CostEvent {
            revision,
            amount: known.amount + Usd::from_pico(more.into()),
            worker: known.worker.clone().or(Some("told later".into())),
            model: known.model.clone().or(Some("gpt".into())),
            ..known.clone()
        };
        let Some(found) = self.ledger.find(&self.ledger.keyed(event(number))).unwrap() else { return };
        let first = found.entry.first(found.seq);
        let known = found.entry.stand(found.event);
        let told = told(&known, known.revision + 1);
        self.commit(revise(known, first, told).collect(), noon(day(DAYS)));
    }

    fn commit(&mut self, entries: Vec<(CostEvent, crate::domain::Entry)>, at: Timestamp) {
        self.entries += entries.len() as u64;
        for (event, entry) in &entries {
            *self.totals.entry(BudgetZone::UTC.day_of(event.time)).or_default() += Sums::of(event, entry);
        }
        let commit = self.fixture.commit_of_entries(&self.ledger, entries.into_iter());
        self.ledger.commit(&commit, at).unwrap();
    }

    /// As those do who answer questions: days that lack are read, and all catch up.
    fn ask(&mut self, question: &CostQuestion, resident_from: Date) -> Option<GroupsByDay> {
        let asked: BTreeSet<Date> = question.days().collect();
        let known = |day: Date| (day >= resident_from).then(|| self.totals.get(&day).copied().unwrap_or_default());
        assert!(self.reader.keep_up(&mut self.kept, self.entries, &known, &asked).unwrap(), "kept sums differ");
        if let Knowledge::Lacks(lacking) = self.kept.knowledge(question, self.entries) {
            let mut found = self.reader.days_to_keep(&lacking, self.entries, &|| false).unwrap();
            assert!(self.reader.keep_up(&mut found, self.entries, &known, &asked).unwrap(), "sums that were read differ");
            self.kept.insert(found, &asked);
        }
        self.kept.answer(question).unwrap()
    }

    fn scan(&self, question: &CostQuestion) -> GroupsByDay {
        self.reader.breakdown(question, &|| false).unwrap()
    }
}

#[test]
fn whatever_happens_the_answer_is_that_of_reading_the_events() {
    let mut rig = Rig::new();
    // Two closed segments, and much of a third.
    for number in 0..12 {
        rig.record(2_800, day(number), 7);
    }
    assert!(rig.entries > 2 * SEGMENT_EVENTS as u64);
    let mut runner =
        TestRunner::new_with_rng(Config::default(), TestRng::deterministic_rng(Config::default().rng_algorithm));
    let steps = prop::collection::vec(any_step(), 160).new_tree(&mut runner).unwrap().current();
    let (mut answers, mut prunes) = (0, 0);
    for step in steps {
        match step {
            Step::Record { count, day: of, names } => rig.record(count, day(of), names),
            Step::Revise { back, more } => rig.revise(back, more),
            Step::Prune => {
                let later = noon(day(DAYS)) + SignedDuration::from_hours(24 * 50);
                prunes += u32::from(rig.ledger.prune(SignedDuration::from_hours(24 * 40), later).unwrap());
            }
            Step::Ask { by_model, by_day, from, length, resident_from } => {
                let by = if by_model { Dimension::Model } else { Dimension::Worker };
                let question = question(by, day(from), day(from + length), by_day);
                let found = rig.ask(&question, day(resident_from));
                assert_eq!(found, Some(rig.scan(&question)), "{question:?}");
                answers += 1;
            }
        }
    }
    assert!(answers > 50 && prunes >= 2, "{answers} answers, {prunes} prunes");
}

#[test]
fn what_is_kept_answers_by_model_or_by_worker_for_four_months() {
    let asks = |by: &[Dimension], days: i64| CostQuestion {
        by: by.to_vec(),
        filters: vec![],
        first: FIRST,
        last: day(days - 1),
        by_day: true,
    };
    let most = KEPT_DAYS_MAX as i64;
    for (question, can) in [
        (asks(&[Dimension::Model], 1), true),
        (asks(&[Dimension::Worker], most), true),
        (asks(&[Dimension::Worker], most + 1), false),
        (asks(&[Dimension::Service], 1), false),
        (asks(&[Dimension::Model, Dimension::Worker], 1), false),
        (asks(&[], 1), false),
    ] {
        assert_eq!(KeptDays::can_answer(&question), can, "{question:?}");
        let filters = vec![Filter { dimension: Dimension::Worker, value: "w".into() }];
        assert!(!KeptDays::can_answer(&CostQuestion { filters, ..question }));
    }
    let of = |days: std::ops::Range<i64>| KeptDays {
        days: days.map(|number| (day(number), Arc::new(KeptDay::new(false)))).collect(),
        ..KeptDays::default()
    };
    let mut kept = of(0..most);
    kept.insert(of(most..most + 2), &BTreeSet::new());
    assert_eq!(kept.days.len(), KEPT_DAYS_MAX);
    assert!(kept.has(day(most)) && kept.has(day(most + 1)) && !kept.has(day(most + 2)), "older ones give way");
}

#[test]
fn what_is_recorded_is_added_without_reading_it() {
    let mut rig = Rig::new();
    rig.record(500, day(1), 7);
    let question = question(Dimension::Worker, day(0), day(3), true);
    assert_eq!(rig.ask(&question, FIRST), Some(rig.scan(&question)));
    let before = rig.events;
    assert_eq!(rig.kept.entries(), rig.entries);
    for of in [1, 2, 1] {
        rig.record(100, day(of), 5);
    }
    let mut newer = Vec::new();
    for seq in before + 1..=rig.events {
        let CostEvent { model, worker, amount, time, .. } = rig.ledger.newest_telling(seq).unwrap().unwrap().event;
        let names = [model, worker].map(Option::unwrap_or_default);
        let key = names.join(&GroupKey::SEPARATOR.to_string()).into_bytes();
        newer.push((BudgetZone::UTC.day_of(time), key, i64::try_from(amount.pico()).unwrap()));
    }
    rig.kept.add_newer(newer.iter().map(|(day, key, pico)| (*day, key.as_slice(), *pico)));
    let found = rig.scan(&question);
    let sums = found.values().map(BTreeMap::len).sum();
    assert_eq!((rig.kept.entries(), rig.kept.knowledge(&question, rig.entries)), (rig.entries, Knowledge::Whole(sums)));
    // What rollups say of those days is asked for then.
    assert_eq!(rig.ask(&question, FIRST), Some(found));
}

/// A day is shown if it ever had cost, also where it was all credited and retention has removed the entries.
#[test]
fn a_day_without_entries_is_shown_as_reading_shows_it() {
    let mut rig = Rig::new();
    let events = (0..SEGMENT_EVENTS).map(|number| CostEvent {
        time: noon(day(0)),
        amount: Usd::from_pico(if number % 2 == 0 { 5 } else { -5 }),
        kind: if number % 2 == 0 { Kind::Charge } else { Kind::Credit },
        ..event(number)
    });
    let entries = events.map(|event| (event, crate::domain::Entry::First)).collect();
    rig.commit(entries, noon(day(0)));
    rig.events = SEGMENT_EVENTS;
    rig.record(10, day(1), 5);
    assert!(rig.ledger.prune(SignedDuration::from_secs(1), noon(day(DAYS))).unwrap());
    for by_day in [true, false] {
        let question = question(Dimension::Worker, day(0), day(0), by_day);
        let found = rig.scan(&question);
        assert_eq!((found.keys().copied().collect::<Vec<_>>(), rig.ask(&question, FIRST)), (vec![day(0)], Some(found)));
    }
}

/// Guards against: a total that is silently wrong because an entry was counted twice, or not at all.
#[test]
fn days_that_differ_from_their_rollups_are_forgotten() {
    let mut rig = Rig::new();
    rig.record(50, day(0), 5);
    rig.record(50, day(1), 5);
    let question = question(Dimension::Worker, day(1), day(1), false);
    assert!(rig.ask(&question, FIRST).is_some());
    let asked: BTreeSet<Date> = question.days().collect();
    let known = |day: Date| rig.totals.get(&day).map(|sums| Sums { charges: sums.charges + Usd::from_pico(1), ..*sums });
    assert!(!rig.reader.keep_up(&mut rig.kept, rig.entries, &known, &asked).unwrap());
    assert_eq!(rig.kept.knowledge(&question, rig.entries), Knowledge::Lacks(asked.clone()));
    assert_eq!(rig.kept.answer(&question).unwrap(), None);
    // The same with the file's rollup in place of what memory says.
    let mut found = rig.reader.days_to_keep(&asked, rig.entries, &|| false).unwrap();
    Arc::make_mut(found.days.get_mut(&day(1)).unwrap()).add(b"m\0w", 1);
    assert!(!rig.reader.keep_up(&mut found, rig.entries, &|_| None, &asked).unwrap());
    assert!(!found.has(day(1)));
}

#[test]
fn a_damaged_row_is_told() {
    let mut rig = Rig::new();
    rig.record(50, day(1), 5);
    let asked = BTreeSet::from([day(1)]);
    let mut kept = rig.reader.days_to_keep(&asked, 40, &|| false).unwrap();
    let other = rusqlite::Connection::open(rig.fixture.path()).unwrap();
    other.execute("UPDATE event SET worker = 'x' WHERE seq = 45", ()).unwrap();
    let kept_up = rig.reader.keep_up(&mut kept, rig.entries, &|_| None, &asked);
    assert!(matches!(kept_up, Err(LedgerError::Damaged(_))), "{kept_up:?}");
    let filled = rig.reader.days_to_keep(&asked, rig.entries, &|| false);
    assert!(matches!(filled, Err(LedgerError::Damaged(_))), "{filled:?}");
}

#[test]
fn the_days_that_were_not_asked_for_longest_give_way_and_too_many_names_are_known_as_such() {
    let mut rig = Rig::new();
    for number in 0..4 {
        rig.record(200, day(number), if number == 3 { 150 } else { 5 });
    }
    let of = |number| question(Dimension::Worker, day(number), day(number), false);
    for number in [0, 1, 2, 3, 0] {
        assert!(rig.ask(&of(number), FIRST).is_some());
    }
    let asked = BTreeSet::from([day(2)]);
    let bytes = |kept: &KeptDays| kept.days.values().map(|kept| kept.bytes()).sum::<usize>();
    let kept_days = |kept: &KeptDays| kept.days.keys().copied().collect::<Vec<_>>();
    let mut kept = rig.kept.clone();
    kept.shed_to(usize::MAX, 3, &asked);
    assert_eq!(kept_days(&kept), [day(0), day(2), day(3)], "day 1 was used first");
    kept.shed_to(usize::MAX, 1, &asked);
    assert_eq!(kept_days(&kept), [day(2)], "what is asked for stays");

    let mut kept = rig.kept.clone();
    let all: BTreeSet<Date> = (0..4).map(day).collect();
    kept.shed_to(bytes(&kept) - 1, KEPT_DAYS_MAX, &all);
    assert_eq!(kept.knowledge(&of(3), rig.entries), Knowledge::TooMuch);
    assert_eq!(kept.answer(&of(3)).unwrap(), None);
    let by_model = question(Dimension::Model, day(0), day(3), true);
    assert_eq!(kept.answer(&by_model).unwrap(), Some(rig.scan(&by_model)), "models are few");
    kept.shed_to(0, KEPT_DAYS_MAX, &all);
    assert_eq!((bytes(&kept), kept.days.len()), (0, 4));
    // It stays so as more is recorded.
    rig.kept = kept;
    rig.record(20, day(3), 5);
    assert_eq!(rig.ask(&of(3), FIRST), None);
}
