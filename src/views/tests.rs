use std::collections::BTreeMap;

use jiff::civil::date;
use proptest::prelude::*;

use super::*;
use crate::domain::{Entry, Kind, Quantity, UsageCount, Usd};

fn event(service: &str, operation: &str, pico: i64) -> CostEvent {
    CostEvent {
        service: Name::new(service).unwrap(),
        operation: Name::new(operation).unwrap(),
        amount: Usd::from_pico(i128::from(pico)),
        kind: if pico < 0 { Kind::Credit } else { Kind::Charge },
        time: Timestamp::UNIX_EPOCH,
        usage: vec![UsageCount { kind: Name::new(operation).unwrap(), count: Quantity::of(3) }],
        ..CostEvent::example()
    }
}

const DAY: Date = date(2026, 11, 22);

fn small() -> Views {
    let limits = SeriesLimits { services_max: 3, pairs_max: 5, reserved: vec![Name::new("kept").unwrap()].into() };
    Views::new(limits, date(2026, 10, 1))
}

fn series(views: &Views) -> BTreeMap<String, Usd> {
    views.series.iter().map(|(label, sums)| (format!("{}/{}", label.service, label.operation), sums.net())).collect()
}

#[test]
fn names_beyond_the_bounds_are_added_up_under_other() {
    let mut views = small();
    for (service, operation) in
        [("a", "1"), ("b", "1"), ("c", "1"), ("kept", "1"), ("a", "2"), ("a", "3"), ("a", "4"), ("d", "1")]
    {
        views.record([(&event(service, operation, 1), &Entry::First, DAY)], Timestamp::UNIX_EPOCH);
    }
    let shown: Vec<String> = series(&views).into_keys().collect();
    assert_eq!(shown, ["a/1", "a/2", "a/other", "b/1", "kept/1", "other/other"]);
    let labels = [("a", "2"), ("a", "3"), ("d", "1")].map(|(service, operation)| {
        let label = views.series.label(&Name::new(service).unwrap(), &Name::new(operation).unwrap());
        format!("{}/{}", label.service, label.operation)
    });
    assert_eq!(labels, ["a/2", "a/other", "other/other"]);
    let by_label: Vec<String> = views.day_by_label(DAY).keys().map(Name::to_string).collect();
    assert_eq!(by_label, ["a", "b", "kept", "other"]);
    assert_eq!(views.day(DAY).unwrap().services().count(), 5, "the day itself keeps every name");
}

#[test]
fn the_seventeenth_kind_of_usage_is_other() {
    let mut views = small();
    for kind in 0..20 {
        views.record([(&event("a", &format!("kind{kind}"), 1), &Entry::First, DAY)], Timestamp::UNIX_EPOCH);
    }
    let kinds: Vec<(String, Quantity)> = views.usage.iter().map(|(key, count)| (key.kind.to_string(), *count)).collect();
    assert_eq!(kinds.len(), 17);
    assert!(kinds.contains(&("other".into(), Quantity::of(4 * 3))));
}

#[test]
fn charges_by_model_are_bounded_and_have_no_credits() {
    let mut views = small();
    let of =
        |service: &str, model: Option<&str>, pico| CostEvent { model: model.map(Into::into), ..event(service, "1", pico) };
    let mut record = |event: CostEvent, entry: &Entry| {
        views.record([(&event, entry, DAY)], Timestamp::UNIX_EPOCH);
        let charges = views.models.iter().map(|(key, usd)| (format!("{}/{}", key.service, key.model), usd.pico()));
        charges.collect::<BTreeMap<_, _>>()
    };
    record(of("a", Some("m"), 5), &Entry::First);
    record(of("a", Some("m"), -3), &Entry::First);
    record(of("a", Some("free"), 0), &Entry::First);
    record(of("b", Some("credited"), -1), &Entry::First);
    let adjustment = |standing| {
        Entry::Adjustment(Box::new(crate::domain::Adjustment {
            first: 1,
            standing: Usd::from_pico(standing),
            usage_added: vec![],
            usage_removed: vec![],
        }))
    };
    record(of("a", Some("m"), 2), &adjustment(7));
    record(CostEvent { kind: Kind::Charge, ..of("a", Some("m"), -4) }, &adjustment(3));
    record(of("a", Some("moved"), 3), &Entry::Move { first: 1, usage_removed: [].into() });
    let shown = record(of("a", None, 1), &Entry::First);
    assert_eq!(shown.into_iter().collect::<Vec<_>>(), [("a/".into(), 1), ("a/free".into(), 0), ("a/m".into(), 7)]);
    for number in 0..crate::domain::MODEL_PAIRS_MAX {
        record(of("a", Some(&format!("m{number}")), 1), &Entry::First);
    }
    let shown = record(of("a", Some("m"), 1), &Entry::First);
    assert_eq!((shown.len(), shown["other/other"], shown["a/m"]), (crate::domain::MODEL_PAIRS_MAX + 1, 3, 8));
    let charges: i128 = views.series.iter().map(|(_, sums)| sums.charges.pico()).sum();
    assert_eq!(shown.values().sum::<i128>(), charges);
    let mut models = super::models::Models::default();
    let key = models.add(&Name::other(), "m", Usd::from_pico(1));
    assert_eq!((key.service.as_str(), &*key.model), ("other", "other"), "a further service");
}

#[test]
fn old_days_are_let_go_and_today_stays() {
    let mut views = small();
    for day in [date(2026, 10, 2), date(2026, 11, 1), DAY] {
        views.record([(&event("a", "1", 1), &Entry::First, day)], Timestamp::UNIX_EPOCH);
    }
    views.retire(date(2026, 11, 1), DAY);
    assert!(!views.is_resident(date(2026, 10, 2)));
    assert!(views.month(Month::of(date(2026, 10, 2))).is_none());
    assert!(views.is_resident(date(2026, 11, 1)));
    assert_eq!(views.days_in_memory().collect::<Vec<_>>(), [date(2026, 11, 1), DAY]);
    assert_eq!(views.sums(Period::Month(Month::of(DAY))).net(), Usd::from_pico(2));
    views.retire(date(2027, 1, 1), DAY);
    assert!(views.is_resident(DAY));
}

/// Guards against: spellings of a budget's name that fill the metrics.
#[test]
fn spellings_of_a_budgets_name_take_no_more_series_than_others() {
    let mut views = small();
    for spelling in ["kept", "Kept", "KEPT", "keptKept", "kEPT", "kept2"] {
        views.record([(&event(spelling, "1", 1), &Entry::First, DAY)], Timestamp::UNIX_EPOCH);
    }
    assert_eq!(views.series.iter().count(), 4, "kept, two other spellings, and other");
}

proptest! {
    #[test]
    fn every_grouping_sums_to_the_total(events in prop::collection::vec((0..6_u8, 0..6_u8, -1000..1000_i64, 0..40_i8), 0..200)) {
        let mut views = small();
        let mut total = Usd::ZERO;
        for (service, operation, pico, day_offset) in events {
            let day = DAY.checked_sub(jiff::Span::new().days(day_offset)).unwrap();
            total += Usd::from_pico(i128::from(pico));
            views.record([(&event(&format!("s{service}"), &format!("o{operation}"), pico), &Entry::First, day)], Timestamp::UNIX_EPOCH);
        }
        let by_service: Usd = views.days.values().flat_map(DayCosts::services).map(|(_, sums)| sums.net()).sum();
        let by_pair: Usd = views.days.values().flat_map(DayCosts::pairs).map(|(_, sums)| sums.net()).sum();
        let by_day: Usd = views.days.values().map(|costs| costs.total().net()).sum();
        let by_month: Usd = views.months.values().map(|costs| costs.total.net()).sum();
        let by_month_label: Usd = views.months.values().flat_map(|costs| costs.by_label.values()).map(Sums::net).sum();
        let by_series: Usd = series(&views).into_values().sum();
        prop_assert_eq!([by_service, by_pair, by_day, by_month, by_month_label, by_series], [total; 6]);
        prop_assert!(views.series.iter().count() <= 5 + 4);
    }
}

#[test]
fn an_activation_of_the_gate_counts_once_however_often_it_is_confirmed() {
    let mut views = small();
    let change = |active| GateChange {
        timestamp: Timestamp::UNIX_EPOCH,
        active,
        reason: String::new(),
        mode: crate::domain::GateMode::Auto,
        actor: String::new(),
        token: None,
    };
    for (active, activations) in [(false, 0), (true, 1), (true, 1), (false, 1), (true, 2)] {
        views.change_gate(change(active));
        assert_eq!((views.gate.as_ref(), views.gate_activations), (Some(&change(active)), activations));
    }
}

#[test]
fn rows_of_the_ledger_are_what_recording_them_would_give() {
    let mut recorded = small();
    let events = [("a", "1", 5), ("a", "2", -2), ("b", "1", 7)];
    for (service, operation, pico) in events {
        recorded.record([(&event(service, operation, pico), &Entry::First, DAY)], Timestamp::UNIX_EPOCH);
    }
    assert_eq!((recorded.entries, recorded.last_recorded_at), (3, Some(Timestamp::UNIX_EPOCH)));
    let nothing = recorded.record([], Timestamp::MAX);
    assert!(nothing.is_empty());
    assert_eq!((recorded.entries, recorded.last_recorded_at), (3, Some(Timestamp::UNIX_EPOCH)));

    let mut loaded = small();
    for (label, sums) in recorded.series.iter() {
        loaded.series.load(label.clone(), *sums);
    }
    for (pair, sums) in recorded.day(DAY).unwrap().pairs() {
        loaded.load_pair(DAY, pair.clone(), *sums);
    }
    assert_eq!((loaded.day(DAY), loaded.sums(Period::Day(DAY))), (recorded.day(DAY), recorded.sums(Period::Day(DAY))));
    let month = Month::of(DAY);
    assert_eq!(loaded.month(month).unwrap().by_label, recorded.month(month).unwrap().by_label);
    assert_eq!(loaded.sums(Period::Month(month)).net(), Usd::from_pico(10));
    // A day that is too old to be kept counts in its month.
    let sums = Sums { charges: Usd::from_pico(4), credits: Usd::ZERO, entries: 1 };
    loaded.load_month(DAY.first_of_month(), &Name::new("a").unwrap(), sums);
    assert_eq!(loaded.sums(Period::Month(month)).net(), Usd::from_pico(14));
    assert_eq!(loaded.day(DAY.first_of_month()), None);
    // One that is read back does not count again.
    loaded.load_day(DAY.first_of_month(), recorded.day(DAY).unwrap().clone());
    assert_eq!(loaded.sums(Period::Month(month)).net(), Usd::from_pico(14));
    assert_eq!(loaded.sums(Period::Day(DAY.first_of_month())).net(), Usd::from_pico(10));
}

#[test]
fn a_day_is_answered_by_the_ledger_once_it_is_left_to_it() {
    let mut views = small();
    assert_eq!(views.resident_from(), date(2026, 10, 1));
    assert!(views.is_resident(date(2026, 10, 1)) && !views.is_resident(date(2026, 9, 30)));
    views.load_day(date(2026, 9, 30), DayCosts::default());
    assert!(views.is_resident(date(2026, 9, 30)), "it was read back");
    views.leave_to_ledger(date(2026, 10, 4));
    assert_eq!(views.resident_from(), date(2026, 10, 5));
    views.leave_to_ledger(date(2026, 10, 2));
    assert_eq!(views.resident_from(), date(2026, 10, 5), "never more of them than there were");
}

#[test]
fn a_day_tells_so_many_names_apart_and_beyond_two_hundred_thousand_the_oldest_goes() {
    let name = |text: &str| Name::new(text).unwrap();
    let one = Sums { charges: Usd::from_pico(1), credits: Usd::ZERO, entries: 1 };
    let mut day = DayCosts::default();
    let service = name("a");
    for number in 0..crate::domain::PAIRS_PER_DAY_MAX {
        day.load(Pair { service: service.clone(), operation: name(&number.to_string()) }, one);
    }
    let full = day.clone();
    let none = || None;
    let shown = |pair: Pair| format!("{}/{}", pair.service, pair.operation);
    assert_eq!(shown(day.add(&service, &name("7"), one, none)), "a/7", "it has its place");
    assert_eq!(shown(day.add(&service, &name("new"), one, none)), "a/other");
    assert_eq!(shown(day.add(&name("b"), &name("7"), one, none)), "other/other");
    assert_eq!(shown(day.add(&name("c"), &name("7"), one, || Some(name("c")))), "c/other");
    let pair = |service: &str, operation: &str| Pair { service: name(service), operation: name(operation) };
    let entries = |sums: Option<Sums>| sums.map(|sums| sums.entries);
    assert_eq!((entries(day.pair(&pair("a", "7"))), entries(day.pair(&pair("a", "8")))), (Some(2), Some(1)));
    assert_eq!((entries(day.pair(&pair("b", "7"))), entries(day.service(&name("c")))), (None, Some(1)));
    assert_eq!(day.pairs_len(), crate::domain::PAIRS_PER_DAY_MAX + 3);

    let mut views = small();
    let days = [1, 2, 3].map(|day| date(2026, 11, day));
    let kept = |views: &Views| days.map(|day| views.day(day).is_some());
    days.iter().take(2).for_each(|day| views.load_day(*day, full.clone()));
    views.retire(date(2026, 10, 1), days[1]);
    assert_eq!(kept(&views), [true, true, false], "just so many");
    views.load_pair(days[2], pair("a", "1"), one);
    views.retire(date(2026, 10, 1), days[2]);
    assert_eq!((kept(&views), views.resident_from()), ([false, true, true], days[1]));
    // As many go as it takes, but of today nothing, however much there is.
    let mut views = small();
    days.iter().for_each(|day| views.load_day(*day, full.clone()));
    views.load_pair(days[2], pair("b", "1"), one);
    let mut later = views.clone();
    later.retire(date(2026, 10, 1), days[2]);
    assert_eq!(kept(&later), [false, false, true]);
    views.retire(date(2026, 10, 1), days[0]);
    assert_eq!(kept(&views), [true; 3]);
    views.retire(date(2026, 10, 1), days[1]);
    assert_eq!(kept(&views), [false, true, true]);
}

#[test]
fn what_is_touched_by_two_is_touched_by_both() {
    let mut views = small();
    let mut touched = Touched::default();
    assert!(touched.is_empty());
    for service in ["a", "b"] {
        let event = CostEvent { model: Some("m".into()), ..event(service, "1", 1) };
        touched.merge(views.record([(&event, &Entry::First, DAY)], Timestamp::UNIX_EPOCH));
    }
    assert!(!touched.is_empty());
    let Touched { pairs, labels, usage, models } = touched;
    assert_eq!([pairs.len(), labels.len(), usage.len(), models.len()], [2; 4]);
    assert_eq!(models.iter().map(|key| views.models.get(key)).collect::<Vec<_>>(), [Some(Usd::from_pico(1)); 2]);
    assert_eq!(usage.iter().map(|key| views.usage.get(key)).collect::<Vec<_>>(), [Some(Quantity::of(3)); 2]);
    let sums = labels.iter().map(|label| views.series.get(label).map(|sums| sums.entries));
    assert_eq!(sums.collect::<Vec<_>>(), [Some(1); 2]);
}

#[test]
fn events_without_a_price_are_counted_under_their_services_label() {
    let mut views = small();
    views.record([(&event("a", "1", 1), &Entry::First, DAY)], Timestamp::UNIX_EPOCH);
    for (service, is_added) in [("a", true), ("a", true), ("nobody", true), ("", true), ("a", false)] {
        views.change_unpriced(service, "m", is_added);
    }
    let shown: Vec<_> = views.unpriced.iter().map(|(key, count)| (key.service.as_str().to_owned(), count)).collect();
    assert_eq!(shown, [("a".to_owned(), 1), ("other".to_owned(), 2)]);
}

#[test]
fn services_of_budgets_have_series_reserved() {
    let names = |texts: &[&str]| texts.iter().map(|text| Name::new(text).unwrap()).collect::<Vec<_>>();
    let mut limits = SeriesLimits { services_max: 1, pairs_max: 9, reserved: names(&["kept"]).into() };
    assert!(!limits.lacks(names(&["kept"]).into_iter()) && !limits.lacks(std::iter::empty()));
    assert!(limits.lacks(names(&["kept", "new"]).into_iter()));
    limits.reserve(names(&["new", "kept"]).into_iter());
    assert_eq!(*limits.reserved, *names(&["kept", "new"]));
    let mut series = Series::new(limits);
    assert!(series.reserves(&Name::new("new").unwrap()) && !series.reserves(&Name::new("other one").unwrap()));
    let one = Sums { charges: Usd::from_pico(1), credits: Usd::ZERO, entries: 1 };
    let mut label = |service: &str| {
        let label = series.add(&Name::new(service).unwrap(), &Name::new("1").unwrap(), one);
        (label.service.as_str().to_owned(), series.get(&label).map(|sums| sums.entries))
    };
    assert_eq!(label("beyond the bound"), ("other".to_owned(), Some(1)));
    let mut limited = Series::new(SeriesLimits { services_max: 1, pairs_max: 9, reserved: [].into() });
    limited.load(Pair::other(), one);
    let label_of = |series: &mut Series, service| series.add(&Name::new(service).unwrap(), &Name::other(), one).service;
    assert_eq!(
        ["a", "b"].map(|service| label_of(&mut limited, service).to_string()),
        ["a", "other"],
        "`other` takes no place"
    );
    assert_eq!((label("new"), label("new")), (("new".to_owned(), Some(1)), ("new".to_owned(), Some(2))));
}

#[test]
fn usage_of_two_hundred_models_is_told_apart() {
    let (service, kind) = (Name::new("a").unwrap(), Name::new("tokens").unwrap());
    let mut usage = Usage::default();
    let mut models = |models: std::ops::Range<usize>| {
        let shown = models.map(|model| usage.add(&service, &format!("m{model}"), &kind, Quantity::of(1)).model);
        shown.filter(|model| &**model == "other").count()
    };
    assert_eq!(models(0..USAGE_PAIRS_MAX), 0);
    assert_eq!(models(0..USAGE_PAIRS_MAX), 0, "they have their places");
    assert_eq!(models(USAGE_PAIRS_MAX..USAGE_PAIRS_MAX + 3), 3);

    let mut usage = Usage::default();
    let shown = ["m", "n"].map(|model| usage.add(&Name::other(), model, &kind, Quantity::of(1)));
    assert!(
        shown.iter().all(|key| (key.service.as_str(), &*key.model) == ("other", "other")),
        "a further service: {shown:?}"
    );
}
