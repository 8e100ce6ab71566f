//! Times as other programs write them: often without an offset.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// Reads a time with an offset, or one that the clocks of this zone showed.
///
/// # Errors
/// Neither of them. The message goes on after the field's name.
pub(super) fn read(text: &str, zone: &TimeZone) -> Result<Timestamp, String> {
    let wrong = || format!("is not a time: {:?}", super::event_line::short(text));
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time);
    }
    // Without an offset; a clock time that comes twice is read as its first, as clocks do.
    let clock: DateTime = text.parse().map_err(|_| wrong())?;
    clock.to_zoned(zone.clone()).map(|zoned| zoned.timestamp()).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_with_and_without_an_offset_are_read() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        for (text, instant) in [
            ("2025-05-21 10:00:00", "2025-05-21T08:00:00Z"),
            ("2025-05-21T10:00:00.123456", "2025-05-21T08:00:00.123456Z"),
            ("2025-05-21T10:00:00.000Z", "2025-05-21T10:00:00Z"),
            ("2025-05-21T10:00:00+00:00", "2025-05-21T10:00:00Z"),
            ("2025-05-21 10:00:00.5+00", "2025-05-21T10:00:00.5Z"),
            ("2025-05-21", "2025-05-20T22:00:00Z"),
        ] {
            assert_eq!(read(text, &berlin), Ok(instant.parse().unwrap()), "{text}");
        }
        for text in ["", "yesterday", "10:00", "2025-13-01 00:00:00", "1747821600"] {
            assert!(read(text, &berlin).unwrap_err().starts_with("is not a time"), "{text}");
        }
    }
}
