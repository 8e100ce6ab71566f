mod adjustments;
mod blocks;
mod gate;
mod log;
mod tampering;
mod time_zone;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use jiff::civil::{Date, date};
use jiff::{SignedDuration, Timestamp};
use rusqlite::Connection;

use super::segment::SEGMENT_EVENTS;
use super::*;
use crate::domain::{
    BudgetZone, CostEvent, CostQuestion, Dimension, Entry, EventKey, Filter, GateChange, GateMode, GroupKey, Kind, ModelKey,
    Name, Origin, Outcome, Pair, Quantity, SpanId, SpanPlace, Sums, TraceId, UsageCount, Usd,
};

const DAY: Date = date(2026, 11, 22);

/// A ledger in a folder of its own, fed the way the writer feeds it.
pub(super) struct Fixture {
    folder: tempfile::TempDir,
    pairs: BTreeMap<(Date, Pair), Sums>,
    series: BTreeMap<Pair, Sums>,
    models: BTreeMap<ModelKey, Usd>,
}

impl Fixture {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder, pairs: Default::default(), series: Default::default(), models: Default::default() }
    }

    pub(super) fn path(&self) -> PathBuf {
        self.folder.path().join("ledger.db")
    }

    #[track_caller]
    pub(super) fn open(&self) -> Ledger {
        Ledger::open(&self.path(), &BudgetZone::UTC, now()).unwrap()
    }

    /// A copy of the file, in which something was changed.
    pub(super) fn changed(&self, change: impl FnOnce(&Connection)) -> PathBuf {
        let copy = self.path().with_extension("changed");
        let _ = std::fs::remove_file(&copy);
        Connection::open(self.path()).unwrap().execute("VACUUM INTO ?", [copy.to_str().unwrap()]).unwrap();
        change(&Connection::open(&copy).unwrap());
        copy
    }

    pub(super) fn commit(&mut self, ledger: &mut Ledger, events: Vec<CostEvent>, at: Timestamp) {
        let commit = self.commit_of(ledger, events);
        ledger.commit(&commit, at).unwrap();
    }

    fn commit_of(&mut self, ledger: &Ledger, events: Vec<CostEvent>) -> Commit {
        self.commit_of_entries(ledger, events.into_iter().map(|event| (event, Entry::First)))
    }

    pub(super) fn commit_of_entries(
        &mut self,
        ledger: &Ledger,
        entries: impl Iterator<Item = (CostEvent, Entry)>,
    ) -> Commit {
        let entries: Vec<(CostEvent, Entry)> = entries.collect();
        let mut rollup = Rollup::default();
        let (pairs_before, series_before, models_before) = (self.pairs.clone(), self.series.clone(), self.models.clone());
        for (event, entry) in &entries {
            let pair = Pair { service: event.service.clone(), operation: event.operation.clone() };
            let day = BudgetZone::UTC.day_of(event.time);
            *self.pairs.entry((day, pair.clone())).or_default() += Sums::of(event, entry);
            *self.series.entry(pair).or_default() += Sums::of(event, entry);
            if let Some(charge) = Sums::charge_of(event, entry) {
                let model = event.model.clone().unwrap_or_default();
                *self.models.entry(ModelKey { service: event.service.clone(), model }).or_default() += charge;
            }
        }
        for (key, after) in &self.pairs {
            rollup.pairs.push(Change { key: key.clone(), before: pairs_before.get(key).copied(), after: *after });
        }
        for (key, after) in &self.series {
            rollup.series.push(Change { key: key.clone(), before: series_before.get(key).copied(), after: *after });
        }
        for (key, after) in &self.models {
            rollup.models.push(Change { key: key.clone(), before: models_before.get(key).copied(), after: *after });
        }
        let keyed = |(event, entry)| KeyedEvent { entry, ..ledger.keyed(event) };
        let events = entries.into_iter().map(keyed).collect();
        Commit { events, rollup: Some(rollup), ..Commit::default() }
    }
}

fn now() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

pub(super) fn event(number: i64) -> CostEvent {
    CostEvent {
        key: EventKey { source: "test".into(), id: format!("id-{number}").into() },
        service: Name::new(&format!("service-{}", number % 3)).unwrap(),
        amount: Usd::from_pico(i128::from(number) * 7 + 1),
        time: now(),
        worker: Some(format!("worker-{}", number % 5).into()),
        model: (number % 2 == 0).then(|| "gpt".into()),
        usage: vec![UsageCount { kind: Name::new("tokens").unwrap(), count: Quantity::of(5) }],
        duration_seconds: Some(0.25),
        outcome: Outcome::Error,
        attributes: Some(r#"{"a":[1.50]}"#.into()),
        ..CostEvent::example()
    }
}

#[track_caller]
fn find(ledger: &Ledger, number: i64) -> Option<StoredEvent> {
    ledger.find(&ledger.keyed(event(number))).unwrap()
}

fn events(numbers: std::ops::Range<i64>) -> Vec<CostEvent> {
    numbers.map(event).collect()
}

#[test]
fn a_commit_is_empty_if_it_changes_nothing() {
    let ledger = Fixture::new().open();
    let message = NewMessage { topic: "t".into(), kind: "k", created_at: now(), body: "{}".into(), to: [].into() };
    let report = DeliveryReport { message: 1, receiver: "r".into(), next: NextAttempt::Never };
    let place = SpanPlace { trace: TraceId([7; 16]), span: SpanId([1; 8]), ancestors: vec![], is_rooted: true };
    assert!(Commit::default().is_empty());
    for commit in [
        Commit { events: vec![ledger.keyed(event(1))], ..Commit::default() },
        Commit { places: vec![CallSpan { seq: 1, place }], ..Commit::default() },
        Commit { reservations: vec![reservations::tests::granted()], ..Commit::default() },
        Commit { rollup: Some(Rollup::default()), ..Commit::default() },
        Commit { outbox: OutboxChanges { messages: vec![message], reports: vec![] }, ..Commit::default() },
        Commit { outbox: OutboxChanges { messages: vec![], reports: vec![report] }, ..Commit::default() },
        Commit { budgets: BudgetChanges { forgotten_meters: vec![1], ..BudgetChanges::default() }, ..Commit::default() },
    ] {
        assert!(!commit.is_empty(), "{commit:?}");
    }
}

#[test]
fn a_ledger_is_told_from_others_and_its_entries_from_what_they_were() {
    let (mut fixture, other) = (Fixture::new(), Fixture::new());
    let mut ledger = fixture.open();
    // Whoever chooses ids cannot know which of them meet in a table.
    assert_ne!(other.open().key_hash(&event(1).key), ledger.key_hash(&event(1).key));
    let reader = Reader::new(fixture.path(), BudgetZone::UTC);
    let other = Reader::new(other.path(), BudgetZone::UTC).ledger_id().unwrap();
    assert_ne!(reader.ledger_id().unwrap(), other);
    let copy = Reader::new(fixture.changed(|_| ()), BudgetZone::UTC);
    assert_eq!(copy.ledger_id().unwrap(), reader.ledger_id().unwrap());
    assert_eq!(reader.checksum_at(1).unwrap(), None);
    fixture.commit(&mut ledger, events(0..3), now());
    let sums = [1, 2, 3].map(|seq| reader.checksum_at(seq).unwrap().unwrap());
    let connection = Connection::open(fixture.path()).unwrap();
    let written: Vec<i64> = connection
        .prepare("SELECT checksum FROM event ORDER BY seq")
        .unwrap()
        .query_map((), |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(sums.to_vec(), written);
    assert_eq!(BTreeSet::from(sums).len(), 3);
    assert_eq!(reader.checksum_at(4).unwrap(), None);
}

#[test]
fn the_days_of_entries_are_known_while_all_of_them_are_kept() {
    let mut fixture = Fixture::new();
    let mut ledger = fixture.open();
    let on = |number: i64, day: i64| CostEvent { time: now() + SignedDuration::from_hours(24 * day), ..event(number) };
    fixture.commit(&mut ledger, vec![on(1, 0), on(2, -1), on(3, 0), on(4, 2)], now());
    let reader = Reader::new(fixture.path(), BudgetZone::UTC);
    let days = |after, through, most| reader.days_of_entries(after, through, most).unwrap().map(Vec::from_iter);
    let [before, today, then] = [date(2026, 11, 21), DAY, date(2026, 11, 24)];
    assert_eq!(days(0, 4, 4), Some(vec![before, today, then]));
    assert_eq!((days(0, 4, 3), days(1, 4, 3)), (None, Some(vec![before, today, then])), "no more than were asked for");
    assert_eq!((days(2, 3, 9), days(3, 3, 9), days(3, 3, 0)), (Some(vec![today]), Some(vec![]), Some(vec![])));
    assert_eq!(days(3, 5, 9), None, "the fifth is not there");
    assert_eq!(reader.days_with_cost().unwrap(), [before, today, then]);
}

#[test]
fn what_sums_do_not_count_yet_is_handed_over_once() {
    let mut fixture = Fixture::new();
    let mut ledger = fixture.open();
    fixture.commit(&mut ledger, events(0..3), now());
    let mut later = fixture.commit_of(&ledger, events(3..5));
    later.rollup = None;
    ledger.commit(&later, now()).unwrap();
    assert!(ledger.take_tail().is_empty(), "who commits knows it");
    let numbers = |tail: Vec<StoredEvent>| tail.iter().map(|stored| (stored.seq, stored.event.clone())).collect::<Vec<_>>();
    let expected = [(4, event(3)), (5, event(4))];
    ledger.reload().unwrap();
    assert_eq!((numbers(ledger.take_tail()), numbers(ledger.take_tail())), (expected.to_vec(), vec![]));
    drop(ledger);
    assert_eq!(numbers(fixture.open().take_tail()), expected);
}

#[test]
fn sums_are_written_where_a_segment_ends() {
    let mut fixture = Fixture::new();
    let mut ledger = fixture.open();
    let whole = SEGMENT_EVENTS as usize;
    assert!(ledger.may_defer_rollup(0) && ledger.may_defer_rollup(whole - 1) && !ledger.may_defer_rollup(whole));
    let mut deferred = fixture.commit_of(&ledger, events(0..5));
    deferred.rollup = None;
    ledger.commit(&deferred, now()).unwrap();
    assert!(ledger.may_defer_rollup(whole - 6) && !ledger.may_defer_rollup(whole - 5), "those that wait count too");
    fixture.commit(&mut ledger, events(5..SEGMENT_EVENTS + 5), now());
    assert!(ledger.may_defer_rollup(whole - 6) && !ledger.may_defer_rollup(whole - 5));
}

#[test]
fn a_ledger_is_as_large_as_its_file_and_its_log() {
    let mut fixture = Fixture::new();
    let mut ledger = fixture.open();
    fixture.commit(&mut ledger, events(0..3), now());
    let bytes = |ending| std::fs::metadata(fixture.path().with_extension(ending)).unwrap().len();
    let [file, log] = ["db", "db-wal"].map(bytes);
    assert!(file > 0 && log > 0);
    assert_eq!(ledger.size_bytes(), file + log);
}

#[test]
fn nothing_is_written_to_a_file_that_is_no_longer_in_its_place() {
    let mut fixture = Fixture::new();
    let mut ledger = fixture.open();
    let away = fixture.path().with_extension("away");
    std::fs::rename(fixture.path(), &away).unwrap();
    let commit = fixture.commit_of(&ledger, events(0..1));
    let is_moved = |outcome: Result<(), LedgerError>| matches!(outcome, Err(LedgerError::Moved));
    assert!(is_moved(ledger.check_place()) && is_moved(ledger.probe()) && is_moved(ledger.commit(&commit, now())));
    std::fs::write(fixture.path(), "another").unwrap();
    assert!(is_moved(ledger.check_place()));
    std::fs::rename(&away, fixture.path()).unwrap();
    ledger.check_place().unwrap();
    ledger.probe().unwrap();
    ledger.commit(&commit, now()).unwrap();
    assert_eq!(ledger.events(), 1);
}

#[test]
fn what_was_committed_is_found_after_opening_anew() {
    let mut fixture = Fixture::new();
    let mut ledger = fixture.open();
    fixture.commit(&mut ledger, events(0..10), now());
    drop(ledger);
    let ledger = fixture.open();
    let found = find(&ledger, 3).unwrap();
    assert_eq!((found.seq, found.recorded_at, found.event), (4, now(), event(3)));
    assert_eq!(find(&ledger, 99), None);
    assert_eq!(ledger.summary().unwrap().entries, 10);
    assert_eq!(ledger.pairs_of(DAY).unwrap().len(), 3);
    assert_eq!(verify(&fixture.path()).unwrap().problems, Vec::<String>::new());
}

/// Guards against: an answer by worker that is not the total, given without a word.
#[test]
fn events_that_do_not_add_up_to_the_sums_are_told() {
    let by_worker = CostQuestion { by: vec![Dimension::Worker], first: DAY, last: DAY, filters: vec![], by_day: false };
    for (wrong, is_told) in [(0, false), (1, true)] {
        let mut fixture = Fixture::new();
        let mut ledger = fixture.open();
        let mut commit = fixture.commit_of(&ledger, events(0..10));
        commit.rollup.as_mut().unwrap().pairs[0].after.charges += Usd::from_pico(wrong);
        ledger.commit(&commit, now()).unwrap();
        let found = Reader::new(fixture.path(), BudgetZone::UTC).breakdown(&by_worker, &|| false);
        assert_eq!(matches!(found, Err(LedgerError::Damaged(_))), is_told, "{found:?}");
    }
}

#[test]
fn retention_removes_events_and_keeps_sums() {
    let mut fixture = Fixture::new();
    let mut ledger = fixture.open();
    let count = SEGMENT_EVENTS + 5;
    fixture.commit(&mut ledger, events(0..count), now());
    let keep = SignedDuration::from_hours(24 * 40);
    assert!(!ledger.prune(keep, now()).unwrap(), "nothing is old yet");
    assert!(!ledger.has_removed_since(Timestamp::MIN).unwrap());
    let later = now().checked_add(SignedDuration::from_hours(24 * 41)).unwrap();
    assert!(ledger.prune(keep, later).unwrap());
    assert!(!ledger.prune(keep, later).unwrap(), "the open segment stays");
    let next = now() + SignedDuration::from_nanos(1);
    assert!(ledger.has_removed_since(now()).unwrap() && !ledger.has_removed_since(next).unwrap());
    assert_eq!(find(&ledger, 0), None);
    drop(ledger);
    let ledger = fixture.open();
    let total: Usd = ledger.pairs_of(DAY).unwrap().iter().map(|row| row.sums.net()).sum();
    assert_eq!(total, events(0..count).iter().map(|event| event.amount).sum());
    let report = verify(&fixture.path()).unwrap();
    assert_eq!((report.problems, report.events_pruned), (vec![], SEGMENT_EVENTS as u64));

    let reader = Reader::new(fixture.path(), BudgetZone::UTC);
    let question = CostQuestion { by: vec![Dimension::Worker], first: DAY, last: DAY, filters: vec![], by_day: false };
    let groups = reader.breakdown(&question, &|| false).unwrap();
    assert_eq!(groups[&DAY].values().copied().sum::<Usd>(), total, "pruned cost is shown without attribute");
    let of_worker = vec![Filter { dimension: Dimension::Worker, value: "worker-1".into() }];
    let groups = reader.breakdown(&CostQuestion { filters: of_worker, ..question }, &|| false).unwrap();
    let kept = events(SEGMENT_EVENTS..count).into_iter().filter(|event| event.worker.as_deref() == Some("worker-1"));
    let expected = (GroupKey::of(["worker-1"]), kept.map(|event| event.amount).sum());
    assert_eq!(
        groups[&DAY].iter().map(|(key, net)| (key.clone(), *net)).collect::<Vec<_>>(),
        [expected],
        "nobody knows whose it was"
    );
}

#[test]
fn a_breakdown_names_the_largest_keys_and_adds_up_the_rest() {
    let mut fixture = Fixture::new();
    let mut ledger = fixture.open();
    let many = (0..KEYS_MAX as i64 + 500)
        .map(|number| CostEvent { lead_id: Some(format!("lead-{number}").into()), ..event(number) });
    fixture.commit(&mut ledger, many.collect(), now());
    let reader = Reader::new(fixture.path(), BudgetZone::UTC);
    let mut question = CostQuestion { by: vec![Dimension::Lead], first: DAY, last: DAY, filters: vec![], by_day: true };
    let groups = reader.breakdown(&question, &|| false).unwrap();
    let leads = &groups[&DAY];
    assert_eq!(leads.len(), KEYS_MAX + 1);
    assert!(leads.contains_key("lead-10499") && !leads.contains_key("lead-499"));
    assert_eq!(leads["other"], (0..500).map(|number| event(number).amount).sum());

    question.by = vec![Dimension::Model];
    question.filters = vec![Filter { dimension: Dimension::Service, value: "service-0".into() }];
    let models = &reader.breakdown(&question, &|| false).unwrap()[&DAY];
    assert_eq!(models.keys().map(GroupKey::as_joined).collect::<Vec<_>>(), ["", "gpt"]);
    let services = reader.days(DAY, DAY).unwrap();
    let expected: Usd =
        services[&DAY].iter().filter(|row| row.pair.service.as_str() == "service-0").map(|row| row.sums.net()).sum();
    assert_eq!(models.values().copied().sum::<Usd>(), expected);

    assert!(matches!(reader.breakdown(&question, &|| true), Err(LedgerError::Stopped)));
}

#[test]
fn a_second_agent_is_refused_and_changes_nothing() {
    let fixture = Fixture::new();
    let ledger = fixture.open();
    let before = std::fs::read(fixture.path()).unwrap();
    let refused = Ledger::open(&fixture.path(), &BudgetZone::UTC, now());
    assert!(matches!(refused, Err(OpenError::Locked { .. })));
    assert_eq!(std::fs::read(fixture.path()).unwrap(), before);
    drop(ledger);
    fixture.open();
}

#[test]
fn files_of_others_and_of_the_future_are_refused_untouched() {
    let fixture = Fixture::new();
    let foreign = rusqlite::Connection::open(fixture.path()).unwrap();
    foreign.execute_batch("CREATE TABLE costs (id INTEGER)").unwrap();
    drop(foreign);
    let before = std::fs::read(fixture.path()).unwrap();
    assert!(matches!(Ledger::open(&fixture.path(), &BudgetZone::UTC, now()), Err(OpenError::NotALedger { .. })));
    assert_eq!(std::fs::read(fixture.path()).unwrap(), before);

    let fixture = Fixture::new();
    drop(fixture.open());
    let newer = rusqlite::Connection::open(fixture.path()).unwrap();
    newer.pragma_update(None, "user_version", 99).unwrap();
    drop(newer);
    let refused = Ledger::open(&fixture.path(), &BudgetZone::UTC, now());
    assert!(matches!(refused, Err(OpenError::Newer { found: 99, .. })));
    assert!(matches!(verify(&fixture.path()), Err(OpenError::Newer { found: 99, .. })), "not called damaged");

    let fixture = Fixture::new();
    std::fs::write(fixture.path(), "not a database at all, but long enough to look at, as text files are").unwrap();
    assert!(matches!(Ledger::open(&fixture.path(), &BudgetZone::UTC, now()), Err(OpenError::NotALedger { .. })));
}

#[test]
fn an_open_transaction_elsewhere_is_busy_and_loses_nothing() {
    let mut fixture = Fixture::new();
    let mut ledger = fixture.open();
    let other = rusqlite::Connection::open(fixture.path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let refused = ledger.commit(&Commit { events: vec![ledger.keyed(event(0))], ..Commit::default() }, now());
    assert!(matches!(refused, Err(LedgerError::Busy(_))));
    other.execute_batch("COMMIT").unwrap();
    fixture.commit(&mut ledger, events(0..1), now());
    assert_eq!(verify(&fixture.path()).unwrap().problems, Vec::<String>::new());
}

/// Guards against: what a commit changes in memory before it is in the file. Each time another part is the last that was written.
#[test]
fn a_commit_that_fails_has_changed_nothing_and_the_next_one_follows_without_a_look_at_the_file() {
    // A trigger of the connection's own: the file does not have it.
    for (table, condition) in
        [("event", "NEW.id = 'id-16390'"), ("id_bucket", "NEW.bucket = 63"), ("rollup_day", "TRUE"), ("head", "TRUE")]
    {
        let mut fixture = Fixture::new();
        let mut ledger = fixture.open();
        let before = SEGMENT_EVENTS - 100;
        fixture.commit(&mut ledger, events(0..before), now());
        let trigger = format!(
            "CREATE TEMP TRIGGER refuse BEFORE INSERT ON main.{table} WHEN {condition} BEGIN SELECT RAISE(ABORT, 'no'); END"
        );
        ledger.connection.execute_batch(&trigger).unwrap();
        let sums = (fixture.pairs.clone(), fixture.series.clone(), fixture.models.clone());
        let numbers = before..SEGMENT_EVENTS + 100;
        let commit = fixture.commit_of(&ledger, events(numbers.clone()));
        ledger.commit(&commit, now()).unwrap_err();
        assert_eq!((ledger.events(), ledger.days_since(Date::MIN)), (before, vec![DAY]), "{table}");
        assert_eq!(find(&ledger, before), None, "{table}");
        assert_eq!(ledger.summary().unwrap().entries, before as u64);

        ledger.connection.execute_batch("DROP TRIGGER refuse").unwrap();
        (fixture.pairs, fixture.series, fixture.models) = sums;
        fixture.commit(&mut ledger, events(numbers), now());
        for number in [0, before, SEGMENT_EVENTS - 1, SEGMENT_EVENTS, SEGMENT_EVENTS + 99] {
            assert_eq!(find(&ledger, number).map(|found| found.seq), Some(number + 1), "{table}");
        }
        fixture.commit(&mut ledger, events(SEGMENT_EVENTS + 100..SEGMENT_EVENTS * 2 + 1), now());
        assert_eq!(verify(&fixture.path()).unwrap().problems, Vec::<String>::new(), "{table}");
        drop(ledger);
        assert_eq!(find(&fixture.open(), before).map(|found| found.seq), Some(before + 1), "{table}");
    }
}

/// Guards against: a disk that is full for a while and leaves a ledger that no longer matches its file.
#[test]
fn a_full_disk_refuses_a_commit_and_nothing_else() {
    let mut fixture = Fixture::new();
    let mut ledger = fixture.open();
    fixture.commit(&mut ledger, events(0..10), now());
    let pages: i64 = ledger.connection.query_row("PRAGMA page_count", (), |row| row.get(0)).unwrap();
    ledger.connection.query_row(&format!("PRAGMA max_page_count = {pages}"), (), |_| Ok(())).unwrap();
    let sums = (fixture.pairs.clone(), fixture.series.clone(), fixture.models.clone());
    let commit = fixture.commit_of(&ledger, events(10..2_000));
    assert!(matches!(ledger.commit(&commit, now()), Err(LedgerError::Full(_))));
    ledger.connection.query_row("PRAGMA max_page_count = 1000000", (), |_| Ok(())).unwrap();
    (fixture.pairs, fixture.series, fixture.models) = sums;
    fixture.commit(&mut ledger, events(10..2_000), now());
    assert_eq!(find(&ledger, 1_999).map(|found| found.seq), Some(2_000));
    assert_eq!(verify(&fixture.path()).unwrap().problems, Vec::<String>::new());
}

#[test]
fn the_file_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let mut fixture = Fixture::new();
    let mut ledger = fixture.open();
    fixture.commit(&mut ledger, events(0..1), now());
    for name in ["ledger.db", "ledger.db-wal", "ledger.db-shm"] {
        let mode = std::fs::metadata(fixture.folder.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[test]
fn a_row_changed_or_removed_behind_our_back_is_found() {
    for (edit, refuses_to_open) in [
        ("UPDATE event SET amount_pico = amount_pico + 1 WHERE seq = 5", true),
        ("DELETE FROM event WHERE seq = 5", true),
        ("UPDATE event SET amount_pico = amount_pico + 1 WHERE seq = 16000", false),
        ("DELETE FROM event WHERE seq = 16000", false),
        ("UPDATE rollup_pair SET charges_usd = '1' WHERE service = 'service-1'", false),
        ("DELETE FROM rollup_pair WHERE service = 'service-1'", false),
        ("DELETE FROM rollup_day", true),
        ("DELETE FROM series WHERE service = 'service-1'", true),
        ("DELETE FROM id_bucket WHERE bucket = 7", true),
        ("UPDATE id_bucket SET entries = zeroblob(10) WHERE bucket = 7", true),
        ("UPDATE head SET events = events - 1", true),
        ("UPDATE segment SET days = '2026-11-21'", true),
        ("DELETE FROM segment", true),
        ("UPDATE meta SET value = 'Europe/Berlin' WHERE key = 'time_zone'", true),
    ] {
        let mut fixture = Fixture::new();
        let mut ledger = fixture.open();
        let count = if edit.contains("seq = 5") { 20 } else { SEGMENT_EVENTS + 5 };
        fixture.commit(&mut ledger, events(0..count), now());
        drop(ledger);
        rusqlite::Connection::open(fixture.path()).unwrap().execute_batch(edit).unwrap();
        let report = verify(&fixture.path()).unwrap();
        assert_ne!(report.problems, Vec::<String>::new(), "verify passes over: {edit}");
        let opened = Ledger::open(&fixture.path(), &BudgetZone::UTC, now());
        let loaded = opened.is_ok_and(|ledger| ledger.pairs_of(DAY).is_ok());
        assert_eq!(!loaded, refuses_to_open || edit.contains("rollup_pair"), "start-up: {edit}");
    }
}

/// Guards against: a start, or a list, that reads every reservation there ever was.
#[test]
fn open_reservations_are_found_by_their_index() {
    let ledger = Fixture::new().open();
    for condition in [super::reservations::HELD, super::reservations::EXPIRED] {
        let sql = format!("EXPLAIN QUERY PLAN SELECT seq, id FROM reservation WHERE {condition} AND seq > 5 ORDER BY seq");
        let plan: String = ledger.connection.query_row(&sql, (), |row| row.get(3)).unwrap();
        assert!(plan.contains("reservation_open"), "{plan}");
    }
}

/// Guards against: charges of a ledger of an earlier build that are in no model's series, or in two.
#[test]
fn charges_are_added_up_by_model_once_also_what_retention_removed() {
    let mut fixture = Fixture::new();
    let mut ledger = fixture.open();
    let of = |number: i64, model: Option<&str>, amount: i64| CostEvent {
        model: model.map(Into::into),
        amount: Usd::from_dollars(amount),
        kind: if amount < 0 { Kind::Credit } else { Kind::Charge },
        service: Name::new(&format!("s{}", number % 2)).unwrap(),
        ..event(number)
    };
    let old = (0..SEGMENT_EVENTS).map(|number| of(number, Some("old"), 1)).collect();
    fixture.commit(&mut ledger, old, now());
    let many = (0..300).map(|number| of(number * 2 + 2 * SEGMENT_EVENTS, Some(&format!("m{number}")), 1));
    let others = [of(1, None, 5), of(3, Some("new"), 7), of(5, Some("new"), -2)];
    let later = now() + SignedDuration::from_hours(48);
    fixture.commit(&mut ledger, others.into_iter().chain(many).collect(), later);
    let expected: BTreeMap<ModelKey, Usd> = ledger.summary().unwrap().models.into_iter().collect();
    assert_eq!(expected.values().copied().sum::<Usd>(), Usd::from_dollars(SEGMENT_EVENTS + 312));
    drop(ledger);

    // As an earlier build leaves it.
    let forget = || {
        let connection = Connection::open(fixture.path()).unwrap();
        let head = super::head::Head::read(&connection).unwrap();
        connection.execute("DELETE FROM model_series", ()).unwrap();
        super::head::Head { models_digest: None, ..head }.write(&connection).unwrap();
    };
    let models = |ledger: &Ledger| -> BTreeMap<String, Usd> {
        let rows = ledger.summary().unwrap().models.into_iter();
        rows.map(|(key, charges)| (format!("{}/{}", key.service, key.model), charges)).collect()
    };
    forget();
    let mut ledger = fixture.open();
    let found = models(&ledger);
    assert_eq!(["s0/old", "s1/old"].map(|name| found[name]), [Usd::from_dollars(SEGMENT_EVENTS / 2); 2]);
    assert_eq!(found.values().copied().sum::<Usd>(), Usd::from_dollars(SEGMENT_EVENTS + 312));
    assert!(ledger.prune(SignedDuration::from_hours(24), later).unwrap());
    drop(ledger);
    forget();
    let found = models(&fixture.open());
    let usd = |name: &str| found.get(name).copied().unwrap_or_default();
    assert_eq!(usd("s1/new"), Usd::from_dollars(7));
    assert_eq!(usd("s1/"), Usd::from_dollars(5 + SEGMENT_EVENTS / 2), "its own, and what is gone");
    assert_eq!(usd("s0/m0"), Usd::from_dollars(1));
    // 200 pairs were taken before the one without a model.
    assert_eq!(usd("other/other"), Usd::from_dollars(102 + SEGMENT_EVENTS / 2));
    assert_eq!(found.len(), crate::domain::MODEL_PAIRS_MAX + 1);
    assert_eq!(found.values().copied().sum::<Usd>(), Usd::from_dollars(SEGMENT_EVENTS + 312));
    assert_eq!(models(&fixture.open()), found, "once");
    assert_eq!(verify(&fixture.path()).unwrap().problems, Vec::<String>::new());
}
