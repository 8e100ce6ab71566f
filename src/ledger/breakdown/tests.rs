//! Groupings against a naive model: a list of events, and loops over it.

use std::collections::BTreeMap;

use jiff::civil::{Date, date};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRng, TestRunner};

use super::*;
use crate::domain::{CostEvent, Entry, EventKey, Kind, Name, Spread};
use crate::ledger::connection::open_read_only;
use crate::ledger::spread::spread;
use crate::ledger::{Change, Commit, Ledger, Reader, Rollup};

const FIRST: Date = date(2026, 10, 20);
const DAYS: i64 = 8;
/// One closed segment, and an open one that the rollups count in part.
const ROLLED_UP: usize = SEGMENT_EVENTS as usize + 300;
const EVENTS: usize = ROLLED_UP + 200;

/// Attributes, with what a person says is in them under `team` and under `a,"b`. A key's separator and escape are among them.
const ATTRIBUTES: [Option<(&str, &str, &str)>; 9] = [
    None,
    Some(("{}", "", "")),
    Some((r#"{"team":"red","a,\"b":7}"#, "red", "7")),
    Some((r#"{"team":"re\u0064","a,\u0022b":7.0}"#, "red", "7")),
    Some((r#"{"team":"red\u0000","a,\"b":"7"}"#, "red\0", "7")),
    Some((r#"{"team":"\u0001","a,\"b":true}"#, "\u{1}", "true")),
    Some((r#"{"team":"\u0001\u0001","a,\"b":null}"#, "\u{1}\u{1}", "")),
    Some((r#"{"team":["red"],"in":{"team":"red"}}"#, "", "")),
    Some((r#"{"team":"\u0000","a,\"b":-0.50}"#, "\0", "-0.5")),
];

type Naive = BTreeMap<Date, BTreeMap<GroupKey, i128>>;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn zone() -> BudgetZone {
    // Clocks go back on the sixth of the days.
    BudgetZone::named("Europe/Berlin").unwrap()
}

/// Few values of each kind, so that groups have several events; many leads; ties, credits, zeros, and sums beyond 64 bits.
fn any_event() -> impl Strategy<Value = CostEvent> {
    let amount = prop_oneof![
        4 => prop::sample::select(vec![0_i64, 1_500_000, 1_500_000, 2_000_000, -2_000_000]),
        2 => -1_000_000_i64..1_000_000,
        1 => prop::sample::select(vec![1_000_000_000_000_000_000_i64, -1_000_000_000_000_000_000]),
    ];
    let seconds = -86_400..DAYS * 86_400 + 86_400;
    (amount, seconds, (0..3_u8, 0..3_u8, 0..4_u8, 0..30_u8, 0..400_u16, 0..3_u8), 0..ATTRIBUTES.len() as u8).prop_map(
        |(pico, seconds, values, attributes)| {
            let (service, operation, worker, batch, lead, model) = values;
            let optional = |prefix: &str, number: u16| (number > 0).then(|| format!("{prefix}{number}").into());
            CostEvent {
                service: Name::new(&format!("s{service}")).unwrap(),
                operation: Name::new(&format!("o{operation}")).unwrap(),
                amount: Usd::from_pico(i128::from(pico)),
                kind: if pico < 0 { Kind::Credit } else { Kind::Charge },
                time: at("2026-10-20T00:00:00Z") + SignedDuration::from_secs(seconds),
                worker: optional("w", worker.into()),
                batch_id: optional("b", batch.into()),
                lead_id: optional("lead-é-", lead),
                model: optional("m", model.into()),
                duration_seconds: (model == 1).then_some(2.0),
                attributes: ATTRIBUTES[usize::from(attributes)].map(|(json, _, _)| json.into()),
                ..CostEvent::example()
            }
        },
    )
}

fn any_question() -> impl Strategy<Value = CostQuestion> {
    let dimension = || prop::sample::select(Dimension::FIELDS.to_vec());
    let attributes = ["team", "a,\"b"].map(|name| Dimension::Attribute(name.into()));
    let any_dimension = prop::sample::select([&Dimension::FIELDS[..], &attributes].concat());
    let value = prop::sample::select(vec!["", "s0", "s1", "o2", "w1", "w2", "b7", "lead-é-5", "m2"]);
    let filter = (dimension(), value).prop_map(|(dimension, value)| Filter { dimension, value: value.into() });
    let filters = prop_oneof![
        2 => Just(vec![]),
        1 => prop::sample::select(vec!["s0", "s1", "none"])
            .prop_map(|service| vec![Filter { dimension: Dimension::Service, value: service.into() }]),
        2 => prop::collection::vec(filter, 1..3),
    ];
    (prop::collection::vec(any_dimension, 1..4), filters, 0..DAYS, 0..DAYS, any::<bool>()).prop_map(
        |(by, filters, from, length, by_day)| {
            let day = |number: i64| FIRST.saturating_add(jiff::Span::new().days(number));
            CostQuestion { by, filters, first: day(from), last: day(from + length), by_day }
        },
    )
}

fn value_of<'e>(event: &'e CostEvent, dimension: &Dimension) -> &'e str {
    let said = || ATTRIBUTES.into_iter().flatten().find(|(json, _, _)| Some(*json) == event.attributes.as_deref());
    match dimension {
        Dimension::Attribute(name) => said().map_or("", |(_, team, other)| if &**name == "team" { team } else { other }),
        Dimension::Service => event.service.as_str(),
        Dimension::Operation => event.operation.as_str(),
        Dimension::Worker => event.worker.as_deref().unwrap_or(""),
        Dimension::Batch => event.batch_id.as_deref().unwrap_or(""),
        Dimension::Lead => event.lead_id.as_deref().unwrap_or(""),
        Dimension::Model => event.model.as_deref().unwrap_or(""),
    }
}

/// What a person with the list of events would answer.
fn naive_answer(events: &[CostEvent], pruned: usize, question: &CostQuestion, keys_max: usize) -> Naive {
    let rollups_know = |filter: &Filter| [Dimension::Service, Dimension::Operation].contains(&filter.dimension);
    let can_show_pruned = question.filters.iter().all(rollups_know);
    let all_of = |text: &str| GroupKey::of(question.by.iter().map(|_| text));
    let mut cells: BTreeMap<(Date, GroupKey), i128> = BTreeMap::new();
    let mut gone: BTreeMap<Date, i128> = BTreeMap::new();
    for (place, event) in events.iter().enumerate() {
        let day = zone().day_of(event.time);
        let passes = question.filters.iter().all(|filter| value_of(event, &filter.dimension) == &*filter.value);
        if day < question.first || day > question.last || !passes {
            continue;
        }
        let group = if question.by_day { day } else { question.first };
        if place >= pruned {
            let key = GroupKey::of(question.by.iter().map(|dimension| value_of(event, dimension)));
            *cells.entry((group, key)).or_insert(0) += event.amount.pico();
        } else if can_show_pruned {
            *gone.entry(group).or_insert(0) += event.amount.pico();
        }
    }
    let mut answer: Naive = gone.keys().map(|day| (*day, BTreeMap::new())).collect();
    let mut rest: BTreeMap<Date, i128> = BTreeMap::new();
    let mut ranked: Vec<_> = cells.into_iter().collect();
    ranked.sort_by(|(_, left), (_, right)| right.cmp(left));
    for (place, ((day, key), net)) in ranked.into_iter().enumerate() {
        let group = answer.entry(day).or_default();
        if place < keys_max {
            *group.entry(key).or_insert(0) += net;
        } else {
            *rest.entry(day).or_insert(0) += net;
        }
    }
    for (sums, text) in [(rest, "other"), (gone, "")] {
        for (day, net) in sums.into_iter().filter(|(_, net)| *net != 0) {
            *answer.entry(day).or_default().entry(all_of(text)).or_insert(0) += net;
        }
    }
    answer
}

/// The same question, as somebody with a spreadsheet would answer it.
fn naive_spread(events: &[CostEvent], pruned: usize, question: &CostQuestion) -> Spread {
    let mut sums = naive_answer(events, pruned, question, usize::MAX).remove(&question.first).unwrap_or_default();
    let unattributed = sums.remove(&GroupKey::of([""])).unwrap_or(0);
    let mut ranked: Vec<(String, i128)> = sums.into_iter().map(|(key, net)| (key.as_joined().to_owned(), net)).collect();
    ranked.sort_by(|(left, more), (right, less)| less.cmp(more).then(left.cmp(right)));
    let ascending: Vec<i128> = ranked.iter().rev().map(|(_, net)| *net).collect();
    let count = ascending.len();
    let attributed: i128 = ascending.iter().sum();
    let rounded = |sum: i128, count: i128| Usd::from_pico(half_even(sum, count));
    let any = |value: &dyn Fn() -> Usd| (count > 0).then(value);
    Spread {
        count: count as u64,
        attributed: Usd::from_pico(attributed),
        unattributed: Usd::from_pico(unattributed),
        mean: any(&|| rounded(attributed, count as i128)),
        median: any(&|| rounded(ascending[(count - 1) / 2] + ascending[count / 2], 2)),
        p95: any(&|| Usd::from_pico(*ascending.iter().enumerate().find(|(at, _)| (at + 1) * 100 >= count * 95).unwrap().1)),
        top: ranked.into_iter().take(20).map(|(name, net)| (name.into(), Usd::from_pico(net))).collect(),
    }
}

/// By the definition: the nearest integer, of two the even one.
fn half_even(sum: i128, count: i128) -> i128 {
    let near = sum / count;
    let candidates = [near - 1, near, near + 1];
    *candidates.iter().min_by_key(|candidate| ((*candidate * count - sum).abs(), *candidate % 2 != 0)).unwrap()
}

/// Records events the way the writer does, with a rollup of the first of them only.
fn record(ledger: &mut Ledger, events: &[CostEvent], is_rolled_up: bool, recorded_at: Timestamp) {
    let mut rollup = Rollup::default();
    let mut pairs: BTreeMap<(Date, Pair), Sums> = BTreeMap::new();
    let mut series: BTreeMap<Pair, Sums> = BTreeMap::new();
    for event in events {
        let pair = Pair { service: event.service.clone(), operation: event.operation.clone() };
        *pairs.entry((zone().day_of(event.time), pair.clone())).or_default() += Sums::of(event, &Entry::First);
        *series.entry(pair).or_default() += Sums::of(event, &Entry::First);
    }
    rollup.pairs = pairs.into_iter().map(|(key, after)| Change { key, before: None, after }).collect();
    rollup.series = series.into_iter().map(|(key, after)| Change { key, before: None, after }).collect();
    let events = events.iter().map(|event| ledger.keyed(event.clone())).collect();
    let rollup = is_rolled_up.then_some(rollup);
    ledger.commit(&Commit { events, rollup, ..Commit::default() }, recorded_at).unwrap();
}

#[test]
fn every_grouping_range_and_filter_equals_the_model() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let recorded_at = at("2026-10-29T12:00:00Z");
    let mut runner =
        TestRunner::new_with_rng(Config::default(), TestRng::deterministic_rng(Config::default().rng_algorithm));
    let mut take = |count: usize| -> Vec<CostEvent> {
        let events = prop::collection::vec(any_event(), count).new_tree(&mut runner).unwrap().current();
        let keyed = events.into_iter().enumerate();
        keyed
            .map(|(id, event)| CostEvent { key: EventKey { source: "".into(), id: id.to_string().into() }, ..event })
            .collect()
    };
    let events = take(EVENTS);
    let mut ledger = Ledger::open(&path, &zone(), recorded_at).unwrap();
    record(&mut ledger, &events[..ROLLED_UP], true, recorded_at);
    record(&mut ledger, &events[ROLLED_UP..], false, recorded_at);
    let connection = open_read_only(&path).unwrap();
    let is_pruned = std::cell::Cell::new(false);
    let check = || {
        let limits =
            (prop::sample::select(vec![3_usize, 40, KEYS_MAX]), prop::sample::select(vec![200_000_usize, CELLS_BYTES_MAX]));
        let mut runner = TestRunner::new(Config { cases: 20, failure_persistence: None, ..Config::default() });
        let outcome = runner.run(&(any_question(), limits), |(question, (keys_max, cells_bytes_max))| {
            let limits = Limits { keys_max, cells_bytes_max };
            let found = Scan::begin(&connection, &zone(), &question).unwrap().run_within(limits, &|| false).unwrap();
            let found: Naive = found
                .into_iter()
                .map(|(day, group)| (day, group.into_iter().map(|(key, net)| (key, net.pico())).collect()))
                .collect();
            let pruned = if is_pruned.get() { SEGMENT_EVENTS as usize } else { 0 };
            prop_assert_eq!(found, naive_answer(&events, pruned, &question, keys_max));

            let question = CostQuestion { by: vec![question.by[0].clone()], by_day: false, ..question };
            let berlin = zone();
            let scan = Scan::begin(&connection, &berlin, &question).unwrap();
            let found = spread(scan, cells_bytes_max, KEYS_MAX, &|| false).unwrap().unwrap();
            prop_assert_eq!(found, naive_spread(&events, pruned, &question));
            Ok(())
        });
        outcome.unwrap();
    };
    check();
    assert!(ledger.prune(SignedDuration::from_hours(24), at("2026-11-29T12:00:00Z")).unwrap());
    is_pruned.set(true);
    check();
}

#[test]
fn more_keys_than_a_spread_may_have_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let recorded_at = at("2026-10-29T12:00:00Z");
    let mut ledger = Ledger::open(&path, &zone(), recorded_at).unwrap();
    let events: Vec<CostEvent> = (0..500)
        .map(|lead| CostEvent { lead_id: Some(format!("{lead}").into()), time: recorded_at, ..CostEvent::example() })
        .collect();
    record(&mut ledger, &events, true, recorded_at);
    let connection = open_read_only(&path).unwrap();
    let day = zone().day_of(recorded_at);
    let question = CostQuestion { by: vec![Dimension::Lead], filters: vec![], first: day, last: day, by_day: false };
    for cells_bytes_max in [CELLS_BYTES_MAX, 4_000] {
        let ask = |keys_max| {
            spread(Scan::begin(&connection, &zone(), &question).unwrap(), cells_bytes_max, keys_max, &|| false).unwrap()
        };
        assert_eq!(ask(499), None);
        assert_eq!(ask(500).map(|spread| (spread.count, spread.attributed)), Some((500, Usd::from_dollars(500))));
    }
    let found = Reader::new(path, zone()).spread(&question, &|| false).unwrap();
    assert_eq!(found.map(|spread| (spread.count, spread.attributed)), Some((500, Usd::from_dollars(500))));
}

/// Guards against: cost that vanishes from an answer because retention came while it was worked out.
#[test]
fn what_retention_removes_meanwhile_is_shown_without_attribute() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let recorded_at = at("2026-10-29T12:00:00Z");
    let event = CostEvent { worker: Some("w".into()), time: recorded_at, ..CostEvent::example() };
    let mut ledger = Ledger::open(&path, &zone(), recorded_at).unwrap();
    record(&mut ledger, &vec![event; SEGMENT_EVENTS as usize + 1], true, recorded_at);
    let connection = open_read_only(&path).unwrap();
    let day = zone().day_of(recorded_at);
    let question = CostQuestion { by: vec![Dimension::Worker], filters: vec![], first: day, last: day, by_day: false };
    let berlin = zone();
    let scan = Scan::begin(&connection, &berlin, &question).unwrap();
    let other = open_read_only(&path).unwrap();
    let later = Scan::begin(&other, &berlin, &question).unwrap();
    let writer = rusqlite::Connection::open(&path).unwrap();
    writer.execute_batch("CREATE TEMP TABLE kept AS SELECT * FROM event WHERE seq <= 3").unwrap();
    assert!(ledger.prune(SignedDuration::from_hours(24), at("2026-11-29T12:00:00Z")).unwrap());
    let groups = scan.run(&|| false).unwrap();
    assert_eq!(groups[&day]["w"], Usd::from_dollars(1));
    assert_eq!(groups[&day][""], Usd::from_dollars(SEGMENT_EVENTS));
    // A segment goes as a whole.
    writer.execute_batch("INSERT INTO event SELECT * FROM kept").unwrap();
    assert!(matches!(later.run(&|| false), Err(LedgerError::Damaged(_))));
}

#[test]
fn a_changed_or_lost_row_is_damage() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let recorded_at = at("2026-10-29T12:00:00Z");
    let free = CostEvent { amount: Usd::ZERO, lead_id: Some("a".into()), time: recorded_at, ..CostEvent::example() };
    let mut ledger = Ledger::open(&path, &zone(), recorded_at).unwrap();
    record(&mut ledger, &vec![free; 20], true, recorded_at);
    let day = zone().day_of(recorded_at);
    let question = CostQuestion { by: vec![Dimension::Lead], filters: vec![], first: day, last: day, by_day: false };
    let ask = || {
        let connection = open_read_only(&path).unwrap();
        Scan::begin(&connection, &zone(), &question).unwrap().run(&|| false)
    };
    assert!(ask().is_ok());
    for change in [
        "UPDATE event SET lead_id = 'b' WHERE seq = 7",
        "UPDATE event SET id = 'b' WHERE seq = 7",
        "DELETE FROM event WHERE seq = 7",
    ] {
        let writer = rusqlite::Connection::open(&path).unwrap();
        writer.execute_batch(&format!("BEGIN; {change}; COMMIT")).unwrap();
        assert!(matches!(ask(), Err(LedgerError::Damaged(_))), "{change}");
        drop(writer);
    }
}
