//! Which events are asked for, from the words of a query or of arguments.

use jiff::Timestamp;

use crate::domain::{BudgetZone, EventField, EventFilter, NAME_BYTES_MAX, Period, Selection, TimeSpan, check_text};
use crate::ingest::{TEXT_BYTES_MAX, read_time};

/// The names under which a selection is asked for.
pub const SELECTION_PARAMETERS: [&str; 9] =
    ["from", "to", "service", "operation", "worker", "batch", "lead", "model", "source"];

/// Reads a selection; `get` knows what was said under a name. A day of `to` is the last one, an instant the end.
///
/// # Errors
/// A sentence that names what is wrong.
pub fn read_selection<'q>(get: impl Fn(&str) -> Option<&'q str>, zone: &BudgetZone) -> Result<Selection, String> {
    let mut span = TimeSpan::default();
    if let Some(text) = get("from") {
        span.from_ns = bound("from", text, |day| zone.bounds(day).0)?;
    }
    if let Some(text) = get("to") {
        span.until_ns = bound("to", text, |day| zone.bounds(day).1)?;
    }
    if span.from_ns >= span.until_ns {
        return Err("from must be before to".to_owned());
    }
    let mut filters = Vec::new();
    for field in EventField::ALL {
        let Some(value) = get(field.word()) else { continue };
        let is_name = matches!(field, EventField::Service | EventField::Operation);
        if is_name && value.is_empty() {
            return Err(format!("{} must not be empty: every event has one", field.word()));
        }
        let bytes_max = if is_name { NAME_BYTES_MAX } else { TEXT_BYTES_MAX };
        check_text(value, bytes_max).map_err(|error| format!("{} {error}", field.word()))?;
        filters.push(EventFilter { field, value: value.into() });
    }
    Ok(Selection { span, filters })
}

/// Where a selection begins or ends.
enum Bound {
    Day(Period),
    Instant(Timestamp),
}

fn read_bound(text: &str) -> Result<Bound, &'static str> {
    let instant = || read_time(text).map(Bound::Instant);
    let bound = Period::parse_day(text).map(Bound::Day).or_else(|_| instant());
    bound.map_err(|_| "must be a day such as 2026-11-22, or a time such as 2026-11-22T10:00:00Z")
}

/// Checks the text of `from` or `to` before it is known which days there are.
///
/// # Errors
/// A sentence about it.
pub fn check_bound(text: &str) -> Result<(), &'static str> {
    read_bound(text).map(|_| ())
}

/// Checks a time as the agent reads it.
///
/// # Errors
/// A sentence about it.
pub fn check_time(text: &str) -> Result<(), String> {
    read_time(text).map(|_| ()).map_err(|error| error.to_string())
}

fn bound(name: &str, text: &str, of_day: impl Fn(Period) -> Timestamp) -> Result<i64, String> {
    let time = match read_bound(text).map_err(|error| format!("{name} {error} (with + as %2B in a query)"))? {
        Bound::Day(day) => of_day(day),
        Bound::Instant(time) => time,
    };
    Ok(i64::try_from(time.as_nanosecond()).unwrap_or(if time < Timestamp::UNIX_EPOCH { i64::MIN } else { i64::MAX }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(said: &[(&str, &'static str)]) -> Result<Selection, String> {
        let zone = BudgetZone::named("Europe/Berlin").unwrap();
        read_selection(|name| said.iter().find(|(known, _)| *known == name).map(|(_, value)| *value), &zone)
    }

    #[test]
    fn a_day_of_the_end_is_included_and_an_instant_is_not() {
        let ns = |text: &str| i64::try_from(text.parse::<Timestamp>().unwrap().as_nanosecond()).unwrap();
        let selection = read(&[("from", "2026-11-22"), ("to", "2026-11-22")]).unwrap();
        let day = TimeSpan { from_ns: ns("2026-11-21T23:00:00Z"), until_ns: ns("2026-11-22T23:00:00Z") };
        assert_eq!(selection.span, day);
        let selection = read(&[("from", "2026-11-22T10:00:00+01:00"), ("to", "2026-11-22T09:00:00.000000001Z")]).unwrap();
        assert_eq!(selection.span.until_ns - selection.span.from_ns, 1);
        assert_eq!(read(&[]).unwrap(), Selection::default());
    }

    #[test]
    fn an_empty_value_is_one_that_is_missing() {
        let selection = read(&[("worker", ""), ("service", "openai"), ("source", "s")]).unwrap();
        let filters: Vec<_> = selection.filters.iter().map(|filter| (filter.field, &*filter.value)).collect();
        assert_eq!(filters, [(EventField::Service, "openai"), (EventField::Worker, ""), (EventField::Source, "s")]);
    }

    #[test]
    fn what_makes_no_sense_is_told() {
        for (said, part) in [
            (&[("from", "yesterday")][..], "from must be a day"),
            (&[("from", "2026-11-23"), ("to", "2026-11-22")], "before to"),
            (&[("to", "2026-11-22T10:00:00")], "to must be a day"),
            (&[("service", "")], "service must not be empty"),
            (&[("worker", "a\nb")], "worker contains a control character"),
        ] {
            let error = read(said).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }
}
