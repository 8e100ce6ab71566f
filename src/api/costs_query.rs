//! What a client may ask about cost: by what to group, what to narrow it down to, and which days.

use jiff::ToSpan;
use jiff::civil::Date;

use super::problem::Problem;
use super::query_string::QueryString;
use crate::domain::{Dimension, Filter, Month, Name, Period, check_text, dimensions};
use crate::ingest::TEXT_BYTES_MAX;

/// Days of a history.
const HISTORY_DAYS_MAX: u32 = 400;
/// Days when the client does not say.
const HISTORY_DAYS_DEFAULT: u32 = 30;

/// What to group by, outermost first.
///
/// # Errors
/// `malformed`: other words, too many, or one of them twice.
pub(super) fn by(query: &QueryString<'_>) -> Result<Vec<Dimension>, Problem> {
    let Some(text) = query.get("by") else { return Ok(vec![Dimension::Service]) };
    dimensions(text).map_err(Problem::malformed)
}

/// What cost must have to be counted. An empty value stands for what has none.
///
/// # Errors
/// `malformed`: a value that no event can have.
pub(super) fn filters(query: &QueryString<'_>) -> Result<Vec<Filter>, Problem> {
    let given = Dimension::FIELDS.into_iter().filter_map(|dimension| {
        let text = query.get(dimension.word())?;
        let checked = match dimension {
            // Every event has one.
            Dimension::Service | Dimension::Operation => Name::new(text).map(drop),
            _ => check_text(text, TEXT_BYTES_MAX),
        };
        let word = dimension.word();
        Some(
            checked
                .map(|()| Filter { dimension, value: text.into() })
                .map_err(|error| Problem::malformed(format!("{word} {error}"))),
        )
    });
    given.collect()
}

/// The first and the last day of `from` and `to`, if they are given. Without `to` it is `today`.
///
/// # Errors
/// `malformed`: no days, in the wrong order, or more than `days_max`.
pub(super) fn range(query: &QueryString<'_>, today: Date, days_max: i32) -> Result<Option<(Date, Date)>, Problem> {
    let (from, to) = (day(query, "from")?, day(query, "to")?);
    let Some(first) = from else {
        return if to.is_some() { Err(Problem::malformed("to needs from")) } else { Ok(None) };
    };
    let last = to.unwrap_or(today);
    if last < first {
        return Err(Problem::malformed(format!("from must not be later than to ({last})")));
    }
    let days = (last - first).get_days() + 1;
    if days > days_max {
        return Err(Problem::malformed(format!(
            "from {first} to {last} is {days} days; at most {days_max} can be asked for"
        )));
    }
    Ok(Some((first, last)))
}

/// The first and the last day of a history: those of a range, or the newest `days`.
///
/// # Errors
/// `malformed`: no days, in the wrong order, more than [`HISTORY_DAYS_MAX`], or both ways at once.
pub(super) fn days_of_history(query: &QueryString<'_>, today: Date) -> Result<(Date, Date), Problem> {
    let count = query.number("days", 1..=HISTORY_DAYS_MAX)?.unwrap_or(HISTORY_DAYS_DEFAULT);
    for bound in ["from", "to"] {
        at_most_one(query, &["days", bound])?;
    }
    let days = range(query, today, HISTORY_DAYS_MAX.cast_signed())?;
    Ok(days.unwrap_or_else(|| (today.saturating_sub(i64::from(count - 1).days()), today)))
}

/// A day under a name.
///
/// # Errors
/// `malformed`: not a day.
pub(super) fn day(query: &QueryString<'_>, name: &str) -> Result<Option<Date>, Problem> {
    let day = query.get(name).map(Period::parse_day).transpose();
    let day = day.map_err(|error| Problem::malformed(format!("{name} {error}")))?;
    Ok(day.map(|day| day.days().0))
}

/// The month under `month`.
///
/// # Errors
/// `malformed`: not a month.
pub(super) fn month(query: &QueryString<'_>) -> Result<Option<Month>, Problem> {
    query.get("month").map(|text| text.parse().map_err(|error| Problem::malformed(format!("month {error}")))).transpose()
}

/// Refuses parameters that say the same thing in several ways.
///
/// # Errors
/// `malformed`: more than one is given.
pub(super) fn at_most_one(query: &QueryString<'_>, names: &[&str]) -> Result<(), Problem> {
    match names.iter().filter(|name| query.get(name).is_some()).collect::<Vec<_>>()[..] {
        [one, other, ..] => Err(Problem::malformed(format!("{one} and {other} cannot be given together"))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    const KNOWN: &[&str] =
        &["by", "from", "to", "date", "month", "service", "operation", "worker", "batch", "lead", "model"];

    fn asked<T>(text: &str, what: impl FnOnce(&QueryString<'_>) -> Result<T, Problem>) -> Result<T, String> {
        what(&QueryString::parse(text, KNOWN).unwrap()).map_err(|problem| match problem {
            Problem::Malformed(detail) => detail.into_owned(),
            other => panic!("{other:?}"),
        })
    }

    #[test]
    fn up_to_three_dimensions_nest_in_the_order_in_which_they_are_named() {
        use Dimension::{Batch, Lead, Model, Operation, Service, Worker};
        let attribute = |name: &str| Dimension::Attribute(name.into());
        for (text, expected) in [
            ("", vec![Service]),
            ("by=service", vec![Service]),
            ("by=operation", vec![Service, Operation]),
            ("by=service,operation", vec![Service, Operation]),
            ("by=operation,service", vec![Operation, Service]),
            ("by=model,operation", vec![Model, Operation]),
            ("by=worker%2Cbatch,lead", vec![Worker, Batch, Lead]),
            ("by=attributes.team", vec![attribute("team")]),
            (
                "by=attributes.a.b,attributes.a%5C%2Cb,attributes.a%5C%5C",
                vec![attribute("a.b"), attribute("a,b"), attribute("a\\")],
            ),
            ("by=attributes.t%C3%A9am+1", vec![attribute("téam 1")]),
        ] {
            assert_eq!(asked(text, by), Ok(expected), "{text}");
        }
        for text in [
            "by=",
            "by=colour",
            "by=service,",
            "by=,service",
            "by=service,+operation",
            "by=service,service",
            "by=attributes.a,attributes.a",
            "by=service,operation,worker,lead",
            "by=attributes",
            "by=attributes.",
            "by=attributes.a%5C",
            "by=attributes.a%5Cb",
            &format!("by=attributes.{}", "x".repeat(201)),
        ] {
            assert!(asked(text, by).is_err(), "{text}");
        }
    }

    #[test]
    fn filters_take_what_events_can_have_and_nothing_for_what_has_none() {
        let found = asked("model=&service=a+b&lead=%E2%82%AC&worker=w", filters).unwrap();
        let found: Vec<(&str, &str)> = found.iter().map(|filter| (filter.dimension.word(), &*filter.value)).collect();
        assert_eq!(found, [("service", "a b"), ("worker", "w"), ("lead", "€"), ("model", "")]);
        let (long_name, long_text) = (format!("operation={}", "x".repeat(129)), format!("batch={}", "x".repeat(201)));
        for text in ["service=", "operation=", "worker=%00", "lead=a%0Ab", &long_name, &long_text] {
            assert!(asked(text, filters).is_err(), "{text}");
        }
    }

    #[test]
    fn a_range_is_of_whole_days_and_bounded() {
        let today = date(2026, 11, 28);
        let range = |text: &str| asked(text, |query| range(query, today, 31));
        assert_eq!(range(""), Ok(None));
        assert_eq!(range("from=2026-11-28"), Ok(Some((today, today))));
        assert_eq!(range("from=2026-11-01"), Ok(Some((date(2026, 11, 1), today))));
        assert_eq!(range("from=2026-10-01&to=2026-10-31"), Ok(Some((date(2026, 10, 1), date(2026, 10, 31)))));
        assert_eq!(range("from=2027-01-01&to=2027-01-01"), Ok(Some((date(2027, 1, 1), date(2027, 1, 1)))));
        for text in [
            "to=2026-11-28",
            "from=2026-11-29",
            "from=2026-10-02&to=2026-10-01",
            "from=2026-10-01&to=2026-11-01",
            "from=0001-01-01&to=9999-12-31",
            "from=",
            "from=2026-11-28&to=",
            "from=2026-11-28T00:00:00Z",
            "from=2026-02-30&to=2026-03-01",
        ] {
            assert!(range(text).is_err(), "{text}");
        }
    }
}
