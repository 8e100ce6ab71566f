//! One meter by itself: what it counts, lets go, and shows of its keys.

use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::budget::{Amounts, Budget, KeyCounts, Limit, Policy};
use crate::domain::{BudgetZone, CostEvent, Entry, Facet, PeriodKind, Reached, Span, UsageCount, Usd};

fn noon() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

fn day() -> Span {
    let [start, end] = ["2026-11-22T00:00:00Z", "2026-11-23T00:00:00Z"].map(|text| text.parse().unwrap());
    Span { start, end }
}

fn dollars(dollars: i64) -> Amounts {
    Amounts::from_slice(&[Usd::from_dollars(dollars).pico()])
}

/// A budget for each lead, or of all.
fn budget(each: Option<Facet>, limit: &str) -> Budget {
    Budget { each, ..Budget::example("x", PeriodKind::Daily, limit) }
}

fn per_lead(limit: &str) -> Budget {
    budget(Some(Facet::Lead), limit)
}

fn meter(budget: &Budget) -> Meter {
    Meter::new(7, budget, &BudgetZone::UTC, day().start)
}

/// Counts an event at a place of the ledger, and says whether the key came to a threshold.
fn count(meter: &mut Meter, budget: &Budget, key: &str, place: i64, amount: i64) -> bool {
    count_entry(meter, budget, key, place, amount, &Entry::First)
}

fn count_entry(meter: &mut Meter, budget: &Budget, key: &str, place: i64, amount: i64, entry: &Entry) -> bool {
    let policy = Policy { budgets: vec![budget.clone()], ..Policy::example(BudgetZone::UTC, 1) };
    let event = CostEvent { amount: Usd::from_dollars(amount), time: noon(), ..CostEvent::example() };
    let crossed = meter.count(&policy, budget, (key, &mut None), (place, &event, entry), true);
    assert!(crossed.is_none_or(|span| span == day()));
    crossed.is_some()
}

fn spent(meter: &Meter, key: &str) -> Option<i128> {
    let tally = meter.find(0, day(), key).unwrap();
    tally.map(|tally| tally.spent[0] / Usd::from_dollars(1).pico())
}

fn counts(meter: &Meter) -> (u64, u64, u64) {
    let KeyCounts { keys, warning, exhausted } = meter.counts(day());
    (keys, warning, exhausted)
}

fn keys(meter: &Meter, budget: &Budget) -> Vec<String> {
    meter.fullest(budget, day()).into_iter().map(|standing| standing.key.into_string()).collect()
}

fn moved() -> Entry {
    Entry::Move { first: 1, usage_removed: Box::default() }
}

#[test]
fn a_key_is_told_when_it_comes_to_a_threshold_and_an_entry_counts_once() {
    let budget = per_lead("10");
    let mut meter = meter(&budget);
    for (key, place, amount, is_told, sum, stand) in [
        ("a", 1, 7, false, 7, (1, 0, 0)),
        ("a", 1, 7, false, 7, (1, 0, 0)),
        ("a", 2, 1, true, 8, (1, 1, 0)),
        ("a", 2, 1, false, 8, (1, 1, 0)),
        ("a", 3, 1, true, 9, (1, 1, 0)),
        ("a", 4, 1, true, 10, (1, 0, 1)),
        ("a", 5, 1, false, 11, (1, 0, 1)),
        ("a", 6, -8, false, 3, (1, 0, 0)),
        ("a", 7, 5, true, 8, (1, 1, 0)),
        ("b", 8, 8, true, 8, (2, 2, 0)),
        ("c", 9, 1, false, 1, (3, 2, 0)),
    ] {
        assert_eq!(count(&mut meter, &budget, key, place, amount), is_told, "{key} {place}");
        assert_eq!((spent(&meter, key), counts(&meter)), (Some(sum), stand), "{key} {place}");
        if place == 4 {
            meter.apply();
        }
    }
    assert_eq!((meter.keys_len(), keys(&meter, &budget)), (3, vec!["a".into(), "b".into(), "c".into()]));
    // What adds nothing makes no key.
    assert!(!count(&mut meter, &budget, "d", 10, 0) && !count_entry(&mut meter, &budget, "d", 11, 0, &moved()));
    assert_eq!((spent(&meter, "d"), counts(&meter).0, meter.keys_len()), (None, 3, 3));
    assert!(!count(&mut meter, &budget, "a", 12, 0));
    let counted_to = |meter: &Meter| meter.find(0, day(), "a").unwrap().unwrap().counted_to;
    assert_eq!(counted_to(&meter), 7);
    count_entry(&mut meter, &budget, "a", 13, 0, &moved());
    assert_eq!(counted_to(&meter), 13, "of a key that is there it is noted");
}

#[test]
fn of_a_budget_of_all_an_entry_counts_once_as_well() {
    let budget = budget(None, "10");
    let mut meter = meter(&budget);
    count_entry(&mut meter, &budget, "", 1, 0, &moved());
    assert_eq!(spent(&meter, ""), None);
    for (place, amount, sum) in [(2, 3, 3), (2, 3, 3), (1, 3, 3), (3, 4, 7)] {
        assert!(!count(&mut meter, &budget, "", place, amount), "nobody asks");
        assert_eq!(spent(&meter, ""), Some(sum), "{place}");
    }
    // What happened before it began to count is in no span.
    meter.counted_from = noon() + SignedDuration::from_nanos(1);
    count(&mut meter, &budget, "", 4, 5);
    assert_eq!(spent(&meter, ""), Some(7));
    meter.counted_from = noon();
    count(&mut meter, &budget, "", 4, 5);
    assert_eq!(spent(&meter, ""), Some(12));
}

fn tally(amount: i64, reached: Reached) -> Tally {
    Tally { spent: dollars(amount), reached, counted_to: 1 }
}

#[test]
fn what_is_loaded_counts_once_for_each_key() {
    let budget = per_lead("10");
    let mut loaded = meter(&budget);
    for (key, amount, stand, len) in
        [("a", 9, (1, 1, 0), 1), ("a", 10, (1, 0, 1), 1), ("b", 1, (2, 0, 1), 2), ("b", 2, (2, 0, 1), 2)]
    {
        loaded.load(day(), key, tally(amount, Reached::Never));
        assert_eq!((counts(&loaded), loaded.keys_len()), (stand, len), "{key} {amount}");
        assert_eq!(spent(&loaded, key), Some(amount.into()));
    }
    let mut whole = meter(&self::budget(None, "10"));
    whole.load(day(), "", tally(3, Reached::Never));
    assert_eq!(spent(&whole, ""), Some(3));
    let tomorrow = Span { start: day().end, end: day().end + SignedDuration::from_hours(24) };
    loaded.load(tomorrow, "a", tally(1, Reached::Never));
    for (meter, keys) in [(&mut loaded, 3), (&mut whole, 1)] {
        meter.doubt_reached();
        let mut doubted = 0;
        for span in [day(), tomorrow] {
            meter.each_tally(span, |_, tally| doubted += u32::from(tally.reached == Reached::SomeTime));
        }
        assert_eq!(doubted, keys);
    }
}

#[test]
fn what_is_let_go_is_missing_until_it_is_found() {
    let budget = per_lead("10");
    let mut meter = meter(&budget);
    for (place, key) in (1..).zip(["a", "b", "c"]) {
        count(&mut meter, &budget, key, place, 2);
    }
    meter.leave_to_ledger(day(), |_| false);
    assert!(!meter.is_partial(), "all is there");
    meter.leave_to_ledger(day(), |tally| tally.counted_to < 3);
    assert_eq!((meter.keys_len(), counts(&meter).0, spent(&meter, "c")), (1, 3, Some(2)));
    let missing = |meter: &Meter, key: &str| meter.find(0, day(), key).err();
    let expected = Missing { position: 0, meter: 7, span_start: day().start, key: "a".into() };
    assert_eq!(missing(&meter, "a"), Some(expected.clone()));
    let policy = Policy { budgets: vec![budget.clone()], ..Policy::example(BudgetZone::UTC, 1) };
    assert_eq!(meter.missing(&policy, &budget, 0, "a", noon()), Some(expected.clone()));
    assert_eq!(meter.missing(&policy, &budget, 0, "c", noon()), None);
    let before = day().start - SignedDuration::from_nanos(1);
    assert_eq!(meter.missing(&policy, &budget, 0, "a", before), None, "that is not counted");

    meter.put_found(&Missing { span_start: noon(), ..expected.clone() }, Some(tally(9, Reached::Never)));
    meter.put_found(&expected, None);
    assert!(missing(&meter, "a").is_some());
    // The limit was lowered meanwhile, or was not reached.
    meter.put_found(&expected, Some(tally(10, Reached::Never)));
    meter.put_found(&Missing { key: "b".into(), ..expected.clone() }, Some(tally(3, Reached::Never)));
    meter.put_found(&expected, Some(tally(1, Reached::Never)));
    let found = ["a", "b"].map(|key| meter.find(0, day(), key).unwrap().unwrap());
    assert_eq!(found, [tally(10, Reached::SomeTime), tally(3, Reached::Never)]);
    assert_eq!((meter.keys_len(), counts(&meter).0), (3, 3));
    // Keys are counted anew by what is in memory; those that are not were the emptiest.
    let budget = Budget { limit: Limit::Usd(Usd::from_dollars(3)), ..budget };
    meter.leave_to_ledger(day(), |tally| tally.spent == dollars(2));
    meter.note_new_limit(&budget);
    assert_eq!((counts(&meter), meter.has_old_limits), ((3, 0, 2), true));
}

#[test]
fn when_a_limit_was_reached_is_known_of_the_limit_in_force() {
    let budget = per_lead("10");
    let mut meter = meter(&budget);
    count(&mut meter, &budget, "a", 1, 10);
    meter.apply();
    count(&mut meter, &budget, "b", 2, 12);
    let reached = |meter: &Meter| ["a", "b"].map(|key| meter.find(0, day(), key).unwrap().unwrap().reached);
    assert_eq!(reached(&meter), [Reached::At(noon()); 2]);
    let raised = Budget { limit: Limit::Usd(Usd::from_dollars(11)), ..budget };
    meter.note_new_limit(&raised);
    assert_eq!((reached(&meter), meter.has_old_limits), ([Reached::Never, Reached::SomeTime], false));
    assert_eq!(counts(&meter), (2, 1, 1));
    meter.apply();
    assert_eq!(reached(&meter), [Reached::Never, Reached::SomeTime]);
    // Also where nothing but the limit has changed.
    let reader = meter.clone();
    let lowered = Budget { limit: Limit::Usd(Usd::from_dollars(7)), ..raised };
    meter.note_new_limit(&lowered);
    assert_eq!(reached(&reader), [Reached::Never, Reached::SomeTime]);
    meter.apply();
    assert_eq!(reached(&reader), [Reached::SomeTime; 2], "who reads an older state finds the newest of a key");
    let reader = meter.clone();
    meter.apply();
    assert!(!reader.is_overtaken(), "nothing has changed");
}

#[test]
fn a_key_that_is_shared_is_a_copy_of_the_same_text() {
    let budget = per_lead("10");
    let policy = Policy { budgets: vec![budget.clone()], ..Policy::example(BudgetZone::UTC, 1) };
    let (mut meter, mut shared) = (meter(&budget), None);
    let event = CostEvent { time: noon(), ..CostEvent::example() };
    for (place, key) in [(1, "a"), (2, "b"), (3, "b")] {
        meter.count(&policy, &budget, (key, &mut shared), (place, &event, &Entry::First), true);
    }
    assert_eq!(keys(&meter, &budget), ["b", "a"]);
}

#[test]
fn of_what_was_read_back_nobody_knows_when_the_limit_was_reached() {
    let read_back = |reached| Tally::read_back(dollars(3), reached, 7);
    let expected = |reached| Tally { spent: dollars(3), reached, counted_to: 7 };
    assert_eq!(read_back(Reached::Never), expected(Reached::Never));
    assert_eq!([Reached::At(noon()), Reached::SomeTime].map(read_back), [(); 2].map(|()| expected(Reached::SomeTime)));
}

#[test]
fn a_span_is_let_go_when_it_is_over() {
    let budget = budget(None, "10");
    let mut meter = meter(&budget);
    assert!(!meter.has_ended_before(Timestamp::MAX));
    count(&mut meter, &budget, "", 1, 3);
    let before = day().end - SignedDuration::from_nanos(1);
    assert!(!meter.has_ended_before(before) && meter.has_ended_before(day().end));
    meter.retire(before);
    assert_eq!(meter.spans().collect::<Vec<_>>(), [day()]);
    meter.retire(day().end);
    assert_eq!((meter.spans().count(), meter.counted_from), (0, day().end));
}

#[test]
fn the_fullest_keys_are_those_of_which_most_is_spent_then_those_that_hold_most() {
    let budget = per_lead("10");
    let mut meter = meter(&budget);
    for (place, (key, amount)) in (1..).zip([("a", 3), ("b", 3), ("c", 5), ("z", -4)]) {
        count(&mut meter, &budget, key, place, amount);
    }
    [("b", 2), ("g", 1), ("h", 9)].into_iter().for_each(|(key, held)| meter.reserve(key, &dollars(held), 1));
    assert_eq!(keys(&meter, &budget), ["c", "b", "a", "h", "g", "z"]);
    assert_eq!((meter.key_counts(day()).keys, counts(&meter).0), (6, 4), "those that only hold something are keys too");
    meter.apply();
    assert_eq!(keys(&meter, &budget), ["c", "b", "a", "h", "g", "z"]);
    // One that is changed and not committed stands there once.
    count(&mut meter, &budget, "a", 9, 1);
    assert_eq!(keys(&meter, &budget), ["c", "a", "b", "h", "g", "z"]);
    // Of one that holds something the ledger may have more.
    meter.leave_to_ledger(day(), |_| true);
    assert!(!keys(&meter, &budget).contains(&"b".to_owned()));
}

#[test]
fn of_a_limit_of_zero_all_is_used_and_of_several_units_the_most_used_counts() {
    let mut none = per_lead("0");
    none.warn_at.clear();
    let mut of_none = meter(&none);
    count(&mut of_none, &none, "p", 1, 1);
    count(&mut of_none, &none, "q", 2, 9);
    of_none.reserve("r", &dollars(1), 1);
    assert_eq!(keys(&of_none, &none), ["r", "p", "q"]);
    assert_eq!(of_none.key_counts(day()).exhausted, 3);

    let units = Budget { limit: Limit::Usage(UsageCount::list(&[("images", 10), ("tokens", 100)])), ..per_lead("1") };
    let mut of_units = meter(&units);
    for (key, used) in [("x", [5, 1]), ("y", [1, 60]), ("z", [4, 40])] {
        let spent = Amounts::from_slice(&used.map(|whole: i128| whole * 1_000_000));
        of_units.load(day(), key, Tally { spent, ..Tally::default() });
    }
    assert_eq!(keys(&of_units, &units), ["y", "x", "z"]);
}

#[test]
fn twenty_keys_are_shown() {
    let budget = per_lead("1000");
    for len in [19, 20, 21, 1_100] {
        let mut meter = meter(&budget);
        for number in 1..=len {
            count(&mut meter, &budget, &format!("{number:04}"), number, number);
        }
        let expected: Vec<_> = (1..=len).rev().take(FULLEST_MAX).map(|number| format!("{number:04}")).collect();
        assert_eq!(keys(&meter, &budget), expected);
    }
}

#[test]
fn a_budget_of_all_has_one_key_once_something_is_spent_or_held() {
    let budget = budget(None, "10");
    let mut meter = meter(&budget);
    assert_eq!(keys(&meter, &budget), [] as [&str; 0]);
    meter.reserve("", &dollars(2), 1);
    assert_eq!(keys(&meter, &budget), [""]);
    meter.take_off("", &dollars(2));
    assert_eq!(keys(&meter, &budget), [] as [&str; 0]);
    count(&mut meter, &budget, "", 1, 3);
    assert_eq!(keys(&meter, &budget), [""]);
    assert_eq!(meter.key_counts(day()), KeyCounts::default(), "keys are those of budgets with `each`");
}

#[test]
fn a_meter_is_of_a_budget_by_its_name_and_what_it_counts() {
    let budget = per_lead("10");
    let meter = meter(&budget);
    let other_limit = per_lead("20");
    let other_name = Budget { name: "y".into(), ..budget.clone() };
    let of_workers = self::budget(Some(Facet::Worker), "10");
    let is_of = [&budget, &other_limit, &other_name, &of_workers].map(|budget| meter.is_of(budget, &BudgetZone::UTC));
    assert_eq!(is_of, [true, true, false, false]);
    assert!(!meter.is_of(&budget, &BudgetZone::named("Europe/Berlin").unwrap()));
}

/// Guards against: a hold taken off by who reads an older state, after the writer has done so.
#[test]
fn what_has_lapsed_is_taken_off_once_whoever_looks() {
    let budget = per_lead("10");
    let mut writer = meter(&budget);
    [5, 3].into_iter().for_each(|held| writer.reserve("a", &dollars(held), 1));
    writer.apply();
    let held = |meter: &Meter| {
        let look = |_: Option<&Tally>, held: Option<&Amounts>, may_take_off: bool| (held.cloned(), may_take_off);
        meter.look(day(), "a", look).unwrap()
    };
    let (mut begun, mut late) = (writer.clone(), writer.clone());
    begun.take_off("a", &dollars(5));
    assert_eq!((held(&begun), held(&late)), ((Some(dollars(3)), true), (Some(dollars(8)), true)));
    writer.reserve("a", &dollars(5), -1);
    writer.apply();
    late.take_off("a", &dollars(5));
    assert_eq!(held(&late), (Some(dollars(3)), false), "the writer has done so");
    begun.take_off("a", &dollars(3));
    assert_eq!(held(&begun).0, Some(dollars(0)), "who began goes on");
    late.take_off("nobody", &dollars(1));
    assert_eq!(held(&writer), (Some(dollars(3)), true));
}

#[test]
fn the_emptiest_keys_go_first_over_all_budgets_by_their_share_of_the_limit() {
    let (small, large) = (per_lead("10"), Budget { name: "y".into(), ..per_lead("100") });
    let with = |budget: &Budget, amounts: &[i64]| {
        let mut meter = meter(budget);
        for (number, amount) in (1..).zip(amounts) {
            count(&mut meter, budget, &format!("k{number}"), number, *amount);
        }
        meter
    };
    let left = |of_small: &[i64], of_large: &[i64], keys: usize, saved_to: i64| {
        let mut meters = [with(&small, of_small), with(&large, of_large)];
        let [one, other] = &mut meters;
        let may_go = |_: &Meter, tally: &Tally| tally.counted_to <= saved_to;
        let_go(&mut [(&small, one), (&large, other)], keys, may_go);
        meters.map(|meter| meter.keys_len())
    };
    assert_eq!(left(&[1, 2, 3, 4, 5], &[1, 2, 3, 4, 5], 5, 9), [5, 0]);
    assert_eq!(left(&[1, 2, 3, 4, 5, 6], &[], 3, 9), [3, 0]);
    assert_eq!(
        left(&[1, 1], &[20, 20, 20, 20], 3, 9).iter().sum::<usize>(),
        3,
        "of those that are alike, so many as it takes"
    );
    assert_eq!(left(&[1, 1], &[20, 20, 20, 20], 3, 9)[0], 0);
    assert_eq!(left(&[1, 2], &[3], 3, 9), [2, 1], "there is room");
    assert_eq!(left(&[1, 2], &[3], 0, 9), [0, 0]);
    assert_eq!(left(&[1, 2, 3], &[], 0, 2), [1, 0], "what the ledger does not have stays");
    assert_eq!(left(&[1, 2, 3], &[], 0, 0), [3, 0]);
}

#[test]
fn room_is_made_beyond_the_bound_only_and_then_a_tenth_more() {
    let budget = per_lead("10");
    let policy = Policy { budgets: vec![budget.clone()], ..Policy::example(BudgetZone::UTC, 1) };
    let mut meter = meter(&budget);
    for number in 1..=20 {
        count(&mut meter, &budget, &format!("{number:02}"), number, 1);
    }
    meter.saved_to = 20;
    let mut tallies = Tallies::new(vec![meter]);
    let mut left = |keys_max| {
        tallies.make_room(&policy, keys_max);
        tallies.keys_len()
    };
    assert_eq!([20, 19, 10].map(&mut left), [20, 18, 9]);
}

#[test]
fn a_period_that_is_not_counted_from_its_beginning_is_lacking() {
    let budget = budget(None, "10");
    let policy = Policy { budgets: vec![budget.clone()], ..Policy::example(BudgetZone::UTC, 1) };
    let tallies = Tallies::new(vec![meter(&budget)]);
    let before = day().start - SignedDuration::from_nanos(1);
    assert_eq!([noon(), day().start, before].map(|now| tallies.lack(&policy, now)), [false, false, true]);
    assert_eq!((tallies.span(&policy, 0, noon()), tallies.span(&policy, 1, noon())), (day(), Span::EVER));
}
