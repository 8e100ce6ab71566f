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
