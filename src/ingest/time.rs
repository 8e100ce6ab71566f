//! RFC 3339 timestamps, by their grammar.
//!
//! *What is deliberately not here.* Everything else that other readers add: a blank for the `T`, missing seconds, a comma for the
//! point, zone names in brackets. An offset is always required: a time without one is a guess.

use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::Offset;

/// Why a text is not a point in time. The message completes a sentence that begins with the field's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// Not written as RFC 3339, section 5.6, demands.
    #[error("must be RFC 3339 with seconds and an offset, such as 2026-11-22T10:00:00Z or 2026-11-22T11:00:00.5+01:00")]
    Grammar,
    /// A day, an hour or an offset that does not exist.
    #[error("contains a date, time or offset that does not exist")]
    NoSuchTime,
}

/// Reads `YYYY-MM-DDThh:mm:ss[.digits](Z|±hh:mm|±hhmm)`. `t` and `z` may be small. Digits beyond nanoseconds are dropped. A leap
/// second is read as the second before it, and only where there can be one: at the end of a UTC day.
///
/// # Errors
/// See [`TimeError`].
pub fn read_time(text: &str) -> Result<Timestamp, TimeError> {
    let bytes = text.as_bytes();
    let (date_time, rest) = bytes.split_at_checked(19).ok_or(TimeError::Grammar)?;
    let marks = [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')];
    if !marks.into_iter().all(|(at, mark)| date_time[at] == mark) || !matches!(date_time[10], b'T' | b't') {
        return Err(TimeError::Grammar);
    }
    let year = i16::from(two(&date_time[0..2])?) * 100 + i16::from(two(&date_time[2..4])?);
    let (month, day) = (two(&date_time[5..7])?, two(&date_time[8..10])?);
    let (hour, minute, second) = (two(&date_time[11..13])?, two(&date_time[14..16])?, two(&date_time[17..19])?);
    let (nanosecond, rest) = fraction(rest)?;
    let offset_seconds = offset(rest)?;

    let date = Date::new(year, month, day).map_err(|_| TimeError::NoSuchTime)?;
    let time = Time::new(hour, minute, second.min(59), nanosecond).map_err(|_| TimeError::NoSuchTime)?;
    let offset = Offset::from_seconds(offset_seconds).map_err(|_| TimeError::NoSuchTime)?;
    // Only the last hours of the year 9999 lie beyond what a timestamp holds; as far ahead as can be says the same.
    let instant = offset.to_timestamp(date.to_datetime(time)).unwrap_or(Timestamp::MAX);
    let ends_utc_day = instant.as_second().rem_euclid(86_400) == 86_399;
    if second > 60 || (second == 60 && !ends_utc_day) {
        return Err(TimeError::NoSuchTime);
    }
    Ok(instant)
}

/// Two ASCII digits.
fn two(bytes: &[u8]) -> Result<i8, TimeError> {
    match bytes {
        [tens @ b'0'..=b'9', ones @ b'0'..=b'9'] => Ok(((tens - b'0') * 10 + (ones - b'0')) as i8),
        _ => Err(TimeError::Grammar),
    }
}

/// `.digits` as nanoseconds, and what follows.
fn fraction(bytes: &[u8]) -> Result<(i32, &[u8]), TimeError> {
    let Some((b'.', rest)) = bytes.split_first() else {
        return Ok((0, bytes));
    };
    let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if count == 0 {
        return Err(TimeError::Grammar);
    }
    let (digits, rest) = rest.split_at(count);
    let nanosecond = (0..9).fold(0, |value, at| value * 10 + digits.get(at).map_or(0, |digit| i32::from(digit - b'0')));
    Ok((nanosecond, rest))
}

/// `Z`, `±hh:mm` or `±hhmm`, as `strftime` writes it, as seconds east of UTC.
fn offset(bytes: &[u8]) -> Result<i32, TimeError> {
    let (sign, hours, minutes) = match bytes {
        b"Z" | b"z" => return Ok(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] | [sign @ (b'+' | b'-'), h1, h2, m1, m2] => {
            (*sign, two(&[*h1, *h2])?, two(&[*m1, *m2])?)
        }
        _ => return Err(TimeError::Grammar),
    };
    if hours > 23 || minutes > 59 {
        return Err(TimeError::NoSuchTime);
    }
    let seconds = i32::from(hours) * 3_600 + i32::from(minutes) * 60;
    Ok(if sign == b'-' { -seconds } else { seconds })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn times_of_rfc_3339_are_read() {
        for (text, instant) in [
            ("2026-11-22T10:00:00Z", "2026-11-22T10:00:00Z"),
            ("2026-11-22t10:00:00z", "2026-11-22T10:00:00Z"),
            ("2026-11-22T10:00:00+01:00", "2026-11-22T09:00:00Z"),
            ("2026-11-22T10:00:00-00:00", "2026-11-22T10:00:00Z"),
            ("2026-11-22T10:00:00+0000", "2026-11-22T10:00:00Z"),
            ("2026-11-22T10:00:00.5-0330", "2026-11-22T13:30:00.5Z"),
            ("2026-11-22T23:59:59-23:59", "2026-11-23T23:58:59Z"),
            ("2026-11-22T10:00:00.5Z", "2026-11-22T10:00:00.5Z"),
            ("2026-11-22T10:00:00.1234567899999Z", "2026-11-22T10:00:00.123456789Z"),
            ("2028-02-29T00:00:00Z", "2028-02-29T00:00:00Z"),
            ("0000-01-01T00:00:00+23:59", "-000001-12-31T00:01:00Z"),
            ("9999-12-31T23:59:59-23:59", "9999-12-30T22:00:00.999999999Z"),
            ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59Z"),
            ("2017-01-01T00:59:60+01:00", "2016-12-31T23:59:59Z"),
        ] {
            assert_eq!(read_time(text), Ok(instant.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn what_other_readers_add_is_refused() {
        for text in [
            "",
            "2026-11-22",
            "2026-11-22T10:00:00",
            "2026-11-22T10:00Z",
            "2026-11-22 10:00:00Z",
            "2026-11-22_10:00:00Z",
            "2026-11-22T10:00:00,5Z",
            "2026-11-22T10:00:00.Z",
            "2026-11-22T10:00:00Z[Europe/Berlin]",
            "2026-11-22T10:00:00+01",
            "2026-11-22T10:00:00+01000",
            "2026-11-22T10:00:00+010",
            "2026-11-22T10:00:00+01:0",
            "2026-11-22T10:00:00+:100",
            "2026-11-22T10:00:000100",
            "2026-11-22T10:00:00+01:00:00",
            "2026-11-22T10:00:00 Z",
            "2026-11-22T10:00:00\u{2212}01:00",
            "2026-11-22T10:00:00ZZ",
            " 2026-11-22T10:00:00Z",
            "20261122T100000Z",
            "+002026-11-22T10:00:00Z",
            "-026-11-22T10:00:00Z",
            "12026-11-22T10:00:00Z",
            "2026-11-22T1\u{661}:00:00Z",
            "2026-W47-7T10:00:00Z",
            "1763805600",
        ] {
            assert_eq!(read_time(text), Err(TimeError::Grammar), "{text:?}");
        }
    }

    #[test]
    fn times_that_do_not_exist_are_refused() {
        for text in [
            "2026-02-30T10:00:00Z",
            "2026-02-29T10:00:00Z",
            "2026-13-01T10:00:00Z",
            "2026-00-01T10:00:00Z",
            "2026-01-00T10:00:00Z",
            "2026-11-22T24:00:00Z",
            "2026-11-22T10:60:00Z",
            "2026-11-22T10:00:61Z",
            "2026-11-22T10:00:60Z",
            "2026-11-22T10:00:00+24:00",
            "2026-11-22T10:00:00+2400",
            "2026-11-22T10:00:00+0160",
            "2026-11-22T10:00:00+01:60",
        ] {
            assert_eq!(read_time(text), Err(TimeError::NoSuchTime), "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_printed_timestamp_is_read_back(nanos in 0_i64..i64::MAX) {
            let instant = Timestamp::from_nanosecond(i128::from(nanos)).unwrap();
            prop_assert_eq!(read_time(&instant.to_string()), Ok(instant));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,40}") {
            let _ = read_time(&text);
        }
    }
}
