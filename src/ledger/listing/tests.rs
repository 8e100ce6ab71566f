//! Pages and exports against a naive model: a list of events, and loops over it.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRng, TestRunner};

use super::*;
use crate::domain::{CostEvent, Entry, EventField, EventFilter, EventKey, Name, Selection, revise};
use crate::ledger::{Archive, Commit, Export, Exported, KeyedEvent, Ledger, Lines, Rollup};

const EVENTS: usize = 2 * SEGMENT_EVENTS as usize + 500;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn zone() -> BudgetZone {
    BudgetZone::named("Europe/Berlin").unwrap()
}

/// What the ledger should show.
struct Naive {
    by_first: BTreeMap<i64, ListedEvent>,
    entries: Vec<Exported>,
}

struct Fixture {
    folder: tempfile::TempDir,
    ledger: Ledger,
    naive: Naive,
}

/// Events over ten days, not in the order of time, many of them at the same instant; every ninth entry revises an earlier event.
fn fixture(runner: &mut TestRunner) -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let mut ledger = Ledger::open(&path, &zone(), at("2026-10-30T00:00:00Z")).unwrap();
    let mut naive = Naive { by_first: BTreeMap::new(), entries: Vec::new() };
    let mut draw = |below: usize| (0..below).new_tree(runner).unwrap().current();
    let (mut seq, mut firsts) = (0, Vec::new());
    for commit in 0..EVENTS / 500 {
        let recorded_at = at("2026-10-30T00:00:00Z") + SignedDuration::from_secs(commit as i64);
        let mut events: Vec<KeyedEvent> = Vec::new();
        while events.len() < 500 {
            let told = told(seq, draw(900), draw(24));
            let known = firsts.get(draw(firsts.len().max(1))).copied();
            let known = if draw(9) == 0 { known } else { None };
            let made: Vec<(CostEvent, Entry)> = match known {
                Some(first) => {
                    let before = naive.by_first[&first].event.clone();
                    let revision = before.revision + 1 + draw(2) as u32;
                    revise(before, first, CostEvent { revision, ..told }).collect()
                }
                None => vec![(told, Entry::First)],
            };
            for (event, entry) in made {
                seq += 1;
                if entry == Entry::First {
                    firsts.push(seq);
                }
                let told_at = event.first_recorded_at.unwrap_or(recorded_at);
                naive.add(seq, &event, &entry, told_at);
                let mut keyed = ledger.keyed(event);
                keyed.entry = entry;
                events.push(keyed);
            }
        }
        ledger.commit(&Commit { events, rollup: Some(Rollup::default()), ..Commit::default() }, recorded_at).unwrap();
    }
    Fixture { folder, ledger, naive }
}

fn told(seq: i64, minutes: usize, kind: usize) -> CostEvent {
    let text = |prefix: &str, number: usize| (number > 0).then(|| format!("{prefix}{number}").into());
    CostEvent {
        key: EventKey { source: if kind == 3 { "s" } else { "" }.into(), id: format!("id-{seq}").into() },
        service: Name::new(&format!("service-{}", kind % 3)).unwrap(),
        amount: Usd::from_pico(1 + seq as i128),
        time: at("2026-10-20T00:00:00Z") + SignedDuration::from_mins(minutes as i64 * 16),
        worker: text("w", kind % 4),
        model: text("m", kind % 2),
        attributes: Some(format!(r#"{{"kind":{kind}}}"#).into()),
        first_recorded_at: (kind == 5).then(|| at("2026-10-25T00:00:00Z")),
        ..CostEvent::example()
    }
}

impl Naive {
    fn add(&mut self, seq: i64, event: &CostEvent, entry: &Entry, recorded_at: Timestamp) {
        if !entry.tells_event() {
            return;
        }
        let difference = event.amount;
        let standing = entry.stand(event.clone());
        let time_ns = nanoseconds(event.time);
        let place = EventPlace { time_ns, seq: entry.first(seq) };
        let is_adjustment = *entry != Entry::First;
        self.entries.push(Exported { event: standing.clone(), difference, is_adjustment, recorded_at });
        let listed = self.by_first.entry(place.seq).or_insert_with(|| ListedEvent {
            place,
            event: standing.clone(),
            recorded_at,
            adjustments: Vec::new(),
        });
        listed.event = standing;
        if is_adjustment {
            listed.adjustments.push(ListedAdjustment { revision: event.revision, difference, recorded_at });
        }
    }

    fn pages(&self, question: &EventQuestion) -> Vec<ListedEvent> {
        let is_asked = |listed: &&ListedEvent| {
            (question.keys.is_empty() || question.keys.contains(&listed.event.key))
                && question.selection.takes(&listed.event)
        };
        let mut found: Vec<ListedEvent> = self.by_first.values().filter(is_asked).cloned().collect();
        found.sort_by_key(|listed| listed.place);
        if question.newest_first {
            found.reverse();
        }
        found
    }
}

fn any_question() -> impl Strategy<Value = EventQuestion> {
    let filter = prop_oneof![
        Just((EventField::Service, "service-1")),
        Just((EventField::Worker, "")),
        Just((EventField::Worker, "w3")),
        Just((EventField::Model, "m1")),
        Just((EventField::Source, "s")),
        Just((EventField::Lead, "none")),
    ];
    let filters = prop::collection::vec(filter, 0..3);
    let span = (0..12_i64, 0..12_i64, any::<bool>());
    (filters, span, any::<bool>(), prop::sample::select(vec![1_usize, 7, 100, 1_000])).prop_map(
        |(filters, (from, length, is_bounded), newest_first, limit)| {
            let day = |number: i64| nanoseconds(at("2026-10-19T22:00:00Z") + SignedDuration::from_hours(24 * number));
            let span = if is_bounded {
                TimeSpan { from_ns: day(from), until_ns: day(from + length) + 1 }
            } else {
                TimeSpan::default()
            };
            let filters = filters.into_iter().map(|(field, value)| EventFilter { field, value: value.into() }).collect();
            let selection = Selection { span, filters };
            EventQuestion { selection, keys: vec![], suspected: None, newest_first, after: None, limit }
        },
    )
}

fn page(reader: &Reader, question: &EventQuestion) -> (Vec<ListedEvent>, Option<EventPlace>) {
    let mut listing = reader.begin_listing(question.clone()).unwrap();
    // One segment at a time, as if each were one too many for a short read.
    while !reader.continue_listing(&mut listing, 1, &|| false).unwrap() {}
    reader.listed(&listing).unwrap()
}

#[test]
fn pages_and_exports_are_what_loops_over_all_events_find() {
    let mut runner =
        TestRunner::new_with_rng(Config::default(), TestRng::deterministic_rng(Config::default().rng_algorithm));
    let Fixture { folder, naive, .. } = fixture(&mut runner);
    let path = folder.path().join("ledger.db");
    let reader = Reader::new(path.clone(), zone());
    for _ in 0..40 {
        let mut question = any_question().new_tree(&mut runner).unwrap().current();
        let expected = naive.pages(&question);
        // All pages of everything would take all day.
        let wanted = expected.len().min(question.limit * 3);
        let mut found = Vec::new();
        while found.len() < wanted {
            let (events, next) = page(&reader, &question);
            assert!(events.len() <= question.limit);
            found.extend(events);
            question.after = next;
            if next.is_none() {
                assert_eq!(found.len(), expected.len(), "{question:?}");
                break;
            }
        }
        assert!(found == expected[..found.len()], "{question:?}");
    }
    for (first, listed) in naive.by_first.iter().step_by(4_999) {
        let mut question = any_question().new_tree(&mut runner).unwrap().current();
        (question.keys, question.selection) = (vec![listed.event.key.clone()], Selection::default());
        assert_eq!(page(&reader, &question), (vec![listed.clone()], None), "{first}");
        let elsewhere = EventKey { source: "other".into(), id: listed.event.key.id.clone() };
        question.keys = vec![elsewhere.clone()];
        assert_eq!(page(&reader, &question), (vec![], None));
        question.keys.push(listed.event.key.clone());
        assert_eq!(page(&reader, &question), (vec![listed.clone()], None), "{first}");
    }
    let archive = Archive::open(&path).unwrap();
    for _ in 0..3 {
        let EventQuestion { selection, .. } = any_question().new_tree(&mut runner).unwrap().current();
        let entries: Vec<Exported> = naive.entries.iter().filter(|entry| selection.takes(&entry.event)).cloned().collect();
        let of_events = naive.by_first.values().filter(|listed| selection.takes(&listed.event));
        let events: Vec<Exported> = of_events
            .map(|listed| Exported {
                event: listed.event.clone(),
                difference: listed.event.amount,
                is_adjustment: false,
                recorded_at: listed.recorded_at,
            })
            .collect();
        for threads in [1, 2] {
            assert!(exported(&archive, &selection, Lines::Entries, threads) == entries, "{selection:?}");
            assert!(exported(&archive, &selection, Lines::Events, threads) == events, "{selection:?}");
        }
    }
}

fn exported(archive: &Archive, selection: &Selection, lines: Lines, threads: usize) -> Vec<Exported> {
    let export = archive.export(selection.clone(), lines).unwrap();
    let made = std::sync::Mutex::new(BTreeMap::new());
    // A chunk is told from others by the number that its only line has.
    let encode = |exported: &Exported, to: &mut Vec<u8>| {
        let mut made = made.lock().unwrap();
        let number = made.len() as u64;
        made.insert(number, exported.clone());
        to.extend_from_slice(&number.to_le_bytes());
    };
    let (mut order, mut looked_at) = (Vec::new(), 0);
    export
        .run(threads, &encode, &mut |chunk, entries| {
            looked_at += entries;
            order.extend(chunk.as_chunks::<8>().0.iter().copied().map(u64::from_le_bytes));
            true
        })
        .unwrap();
    assert_eq!(looked_at, export.entries());
    let mut made = made.into_inner().unwrap();
    order.iter().map(|number| made.remove(number).unwrap()).collect()
}

#[test]
fn what_retention_removed_is_gone_and_the_newest_entry_left_stands_for_its_event() {
    let mut runner =
        TestRunner::new_with_rng(Config::default(), TestRng::deterministic_rng(Config::default().rng_algorithm));
    let Fixture { folder, mut ledger, naive } = fixture(&mut runner);
    let path = folder.path().join("ledger.db");
    let export_before = Archive::open(&path).unwrap().export(Selection::default(), Lines::Entries).unwrap();
    assert_eq!(export_before.entries(), ledger.events().cast_unsigned());
    assert!(ledger.prune(SignedDuration::from_secs(1), at("2027-10-30T00:00:00Z")).unwrap());
    let reader = Reader::new(path.clone(), zone());
    let is_kept = |listed: &&ListedEvent| listed.place.seq > SEGMENT_EVENTS || !listed.adjustments.is_empty();
    let mut seen = 0;
    let mut question = EventQuestion {
        selection: Selection::default(),
        keys: vec![],
        suspected: None,
        newest_first: false,
        after: None,
        limit: 1_000,
    };
    loop {
        let (events, next) = page(&reader, &question);
        for listed in &events {
            assert_eq!(listed.event.amount, naive.by_first[&listed.place.seq].event.amount);
        }
        seen += events.len();
        question.after = next;
        if next.is_none() {
            break;
        }
    }
    let most = naive.by_first.values().filter(is_kept).count();
    let least = naive.by_first.values().filter(|listed| listed.place.seq > SEGMENT_EVENTS).count();
    assert!(least < seen && seen <= most, "{least} {seen} {most}");
    let archive = Archive::open(&path).unwrap();
    assert_eq!(exported(&archive, &Selection::default(), Lines::Events, 2).len(), seen);
    // Of closed segments only those are looked at that may have what is asked for.
    let never = Selection { span: TimeSpan { from_ns: 0, until_ns: 1 }, ..Selection::default() };
    for (selection, segments) in [(Selection::default(), 1), (never, 2)] {
        let entries = archive.export(selection, Lines::Entries).unwrap().entries();
        assert_eq!(entries, (ledger.events() - segments * SEGMENT_EVENTS).cast_unsigned());
    }
    // What began before goes on with what is left.
    let mut lines = 0;
    let encode = |_: &Exported, to: &mut Vec<u8>| to.push(0);
    export_before
        .run(2, &encode, &mut |chunk, _| {
            lines += chunk.len();
            true
        })
        .unwrap();
    assert_eq!(lines, exported(&archive, &Selection::default(), Lines::Entries, 1).len());
}

/// A ledger whose events happened one second after the other.
struct InTime {
    folder: tempfile::TempDir,
    ledger: Ledger,
    reader: Reader,
}

impl InTime {
    fn new(events: i64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        let mut ledger = Ledger::open(&path, &zone(), at("2026-10-30T00:00:00Z")).unwrap();
        let event = |seq: i64| CostEvent { time: Self::time(seq), ..told(seq, 0, 0) };
        let events = (1..=events).map(|seq| ledger.keyed(event(seq))).collect();
        let commit = Commit { events, rollup: Some(Rollup::default()), ..Commit::default() };
        ledger.commit(&commit, at("2026-10-30T00:00:00Z")).unwrap();
        Self { folder, ledger, reader: Reader::new(path, zone()) }
    }

    fn time(seq: i64) -> Timestamp {
        at("2026-10-20T00:00:00Z") + SignedDuration::from_secs(seq)
    }

    /// All pages of a question: the entries that they show.
    fn all(&self, mut question: EventQuestion) -> Vec<i64> {
        let mut found = Vec::new();
        loop {
            let (events, next) = page(&self.reader, &question);
            assert!(events.len() == question.limit || next.is_none());
            found.extend(events.iter().map(|listed| listed.place.seq));
            question.after = next;
            if next.is_none() {
                return found;
            }
        }
    }

    /// In how many steps of about so many entries a page is complete.
    fn steps(&self, question: &EventQuestion, entries_max: i64) -> usize {
        let mut listing = self.reader.begin_listing(question.clone()).unwrap();
        (1..).find(|_| self.reader.continue_listing(&mut listing, entries_max, &|| false).unwrap()).unwrap()
    }
}

fn ask(newest_first: bool, limit: usize) -> EventQuestion {
    EventQuestion { selection: Selection::default(), keys: vec![], suspected: None, newest_first, after: None, limit }
}

/// In the order in which they nearly always come, a page of some months needs one look.
#[test]
fn a_page_is_read_from_where_its_events_can_be_and_no_more() {
    let count = 2 * SEGMENT_EVENTS + 3 * LOOK_ENTRIES + 500;
    let rig = InTime::new(count);
    assert!(rig.all(ask(true, 1_000)).into_iter().eq((1..=count).rev()));
    assert!(rig.all(ask(false, 1_000)).into_iter().eq(1..=count));

    // What is newest may have happened at any time, so it is looked at first.
    let place = |seq: i64| EventPlace { time_ns: nanoseconds(InTime::time(seq)), seq };
    assert_eq!((rig.steps(&ask(true, 7), 1), rig.steps(&ask(false, 7), 1)), (1, 2));
    let after = |newest_first, seq| EventQuestion { after: Some(place(seq)), ..ask(newest_first, 7) };
    assert_eq!(
        (rig.steps(&after(true, SEGMENT_EVENTS + 100), 1), rig.steps(&after(false, SEGMENT_EVENTS + 100), 1)),
        (2, 2)
    );
    assert_eq!((rig.steps(&after(true, SEGMENT_EVENTS + 3), 1), rig.steps(&after(false, SEGMENT_EVENTS - 3), 1)), (3, 3));
    let between = |from: i64, until: i64| {
        let span = TimeSpan { from_ns: nanoseconds(InTime::time(from)), until_ns: nanoseconds(InTime::time(until)) };
        EventQuestion { selection: Selection { span, ..Selection::default() }, ..ask(true, 100) }
    };
    assert_eq!(rig.all(between(10, 20)), (10..20).rev().collect::<Vec<_>>());
    assert_eq!(rig.steps(&between(10, 20), 1), 2);
    assert_eq!(rig.steps(&between(SEGMENT_EVENTS - 3, SEGMENT_EVENTS + 1), 1), 2, "not in what begins then");
    let mut behind = between(SEGMENT_EVENTS, SEGMENT_EVENTS + 3);
    behind.selection.span.from_ns += 1;
    assert_eq!(rig.steps(&behind, 1), 2, "nor in what has ended before");

    // Of what nobody has, everything is looked at.
    let filters = vec![EventFilter { field: EventField::Worker, value: "nobody".into() }];
    let nothing = EventQuestion { selection: Selection { filters, ..Selection::default() }, ..ask(true, 7) };
    let most_of_it = 500 + 3 * LOOK_ENTRIES + SEGMENT_EVENTS;
    for (entries_max, steps) in [(1, 6), (501, 5), (most_of_it - 1, 2), (most_of_it, 2), (most_of_it + 1, 1), (i64::MAX, 1)]
    {
        assert_eq!(rig.steps(&nothing, entries_max), steps, "{entries_max}");
    }
    let whole = InTime::new(SEGMENT_EVENTS + 2 * LOOK_ENTRIES);
    assert_eq!(whole.steps(&nothing, 1), 3, "nothing is left behind the last look");
    let InTime { folder: _folder, mut ledger, reader } = rig;
    assert!(ledger.prune(SignedDuration::from_secs(1), at("2027-10-30T00:00:00Z")).unwrap());
    let rig = InTime { folder: _folder, ledger, reader };
    assert_eq!(rig.steps(&nothing, 1), 5, "nor in what retention has removed");
    assert!(rig.all(ask(false, 1_000)).into_iter().eq(SEGMENT_EVENTS + 1..=count));
}

/// What a reader knows of an open segment is of no use once another one is.
#[test]
fn pages_are_right_after_the_open_segment_was_closed() {
    let mut rig = InTime::new(SEGMENT_EVENTS - 10);
    assert_eq!(rig.all(ask(true, 1_000)).len() as i64, SEGMENT_EVENTS - 10);
    let count = SEGMENT_EVENTS + 3 * LOOK_ENTRIES;
    let events =
        (SEGMENT_EVENTS - 9..=count).map(|seq| rig.ledger.keyed(CostEvent { time: InTime::time(seq), ..told(seq, 0, 0) }));
    let commit = Commit { events: events.collect(), rollup: Some(Rollup::default()), ..Commit::default() };
    rig.ledger.commit(&commit, at("2026-10-30T00:00:00Z")).unwrap();
    assert!(rig.all(ask(true, 1_000)).into_iter().eq((1..=count).rev()));
    assert_eq!(rig.steps(&ask(true, 7), 1), 1);
}

/// Retention removes whole segments: what is missing otherwise, be it a whole look of them, was lost.
#[test]
fn entries_that_are_missing_are_no_shorter_export() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let mut ledger = Ledger::open(&path, &zone(), at("2026-10-30T00:00:00Z")).unwrap();
    let record = |ledger: &mut Ledger, numbers: std::ops::Range<i64>| {
        let events = numbers.map(|number| ledger.keyed(told(number, 0, 0))).collect();
        let commit = Commit { events, rollup: Some(Rollup::default()), ..Commit::default() };
        ledger.commit(&commit, at("2026-10-30T00:00:00Z")).unwrap();
    };
    record(&mut ledger, 0..SEGMENT_EVENTS + 1_500);
    let export = || Archive::open(&path).unwrap().export(Selection::default(), Lines::Entries).unwrap();
    let run = |export: &Export| export.run(1, &|_, _| (), &mut |_, _| true);
    let whole = export();
    assert!(run(&whole).is_ok());
    let change = |sql: &str| Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    change("CREATE TABLE kept AS SELECT * FROM event");
    let is_damaged = |outcome: Result<(), LedgerError>| matches!(outcome, Err(LedgerError::Damaged(_)));
    for (first, last) in
        [(1, 1_024), (1_024, 1_024), (1_000, 1_010), (2_048, 2_050), (SEGMENT_EVENTS + 1_025, SEGMENT_EVENTS + 1_500)]
    {
        change(&format!("DELETE FROM event WHERE seq BETWEEN {first} AND {last}"));
        assert!(is_damaged(run(&whole)), "{first} to {last}");
        change("INSERT OR IGNORE INTO event SELECT * FROM kept");
    }
    assert!(run(&whole).is_ok());
    // It was begun before retention removed the segment, and of that something is left.
    assert!(ledger.prune(SignedDuration::from_secs(1), at("2027-10-30T00:00:00Z")).unwrap());
    assert!(run(&whole).is_ok() && run(&export()).is_ok());
    change("INSERT INTO event SELECT * FROM kept WHERE seq <= 3");
    assert!(is_damaged(run(&whole)));
}

#[test]
fn a_row_that_was_changed_is_not_shown() {
    let mut runner =
        TestRunner::new_with_rng(Config::default(), TestRng::deterministic_rng(Config::default().rng_algorithm));
    let Fixture { folder, naive, ledger } = fixture(&mut runner);
    drop(ledger);
    let path = folder.path().join("ledger.db");
    let last = *naive.by_first.keys().last().unwrap();
    Connection::open(&path).unwrap().execute("UPDATE event SET amount_pico = 0 WHERE seq = ?", [last]).unwrap();
    let archive = Archive::open(&path).unwrap();
    let export = archive.export(Selection::default(), Lines::Entries).unwrap();
    let mut before = 0;
    let ran = export.run(2, &|_, to| to.push(0), &mut |chunk, _| {
        before += chunk.len();
        true
    });
    assert!(matches!(ran, Err(LedgerError::Damaged(_))), "{ran:?}");
    assert!(before < naive.entries.len());
    let reader = Reader::new(path, zone());
    let question = EventQuestion {
        selection: Selection::default(),
        keys: vec![],
        suspected: None,
        newest_first: false,
        after: None,
        limit: EVENTS,
    };
    let mut listing = reader.begin_listing(question).unwrap();
    while !reader.continue_listing(&mut listing, 1, &|| false).unwrap() {}
    assert!(matches!(reader.listed(&listing), Err(LedgerError::Damaged(_))));
}
