//! Text for a terminal's cells.
//!
//! *Invariants.* Nothing steers the terminal, and every terminal takes as many columns for a text as are counted here.

use jiff::{SignedDuration, Timestamp};
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::super::output::printable;
use super::super::table::people::grouped;

/// A text of somebody else's. Joined characters, on whose width terminals differ, are shown by their first one.
pub fn clean(text: &str) -> String {
    printable(text).graphemes(true).map(steady).collect()
}

fn steady(grapheme: &str) -> &str {
    let apart: usize = grapheme.chars().filter_map(UnicodeWidthChar::width).sum();
    let first = grapheme.chars().next().map_or(0, char::len_utf8);
    if apart == grapheme.width() { grapheme } else { grapheme.get(..first).unwrap_or_default() }
}

/// `openai/chat`.
pub fn pair(service: &str, operation: &str) -> String {
    clean(&format!("{service}/{operation}"))
}

/// A length of time in its largest unit, cut off: `59 s`, `3 min`, `26 h`, `3 d`.
pub fn span(span: SignedDuration) -> String {
    let seconds = span.as_secs().unsigned_abs();
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", grouped((seconds / 86_400).into())),
    }
}

/// How long until then: `in 5 min`, `5 min ago`.
pub fn relative(time: Timestamp, now: Timestamp) -> String {
    let left = time.duration_since(now);
    if left.is_negative() { format!("{} ago", span(left)) } else { format!("in {}", span(left)) }
}

/// The hour, and the day if it is not today.
pub fn hour(time: Timestamp, now: Timestamp) -> String {
    let format = if day(time) == day(now) { "%H:%M:%SZ" } else { "%Y-%m-%d %H:%M:%SZ" };
    time.strftime(format).to_string()
}

/// The day in UTC.
pub fn day(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d").to_string()
}

#[cfg(test)]
mod tests {
    use super::super::super::table::wrap;
    use super::*;

    #[test]
    fn what_is_shown_has_one_width() {
        for (text, shown) in [
            ("openai", "openai"),
            ("e\u{301}", "e\u{301}"),
            ("请求", "请求"),
            ("👍🏽!", "👍!"),
            ("❤\u{fe0f}", "❤"),
            ("a\u{1b}[31m\u{202e}\n", "a\u{fffd}[31m\u{fffd}\u{fffd}"),
            ("👩\u{200d}💻", "👩\u{fffd}💻"),
        ] {
            let clean = clean(text);
            assert_eq!(clean, shown);
            assert_eq!(clean.width(), wrap::width(&clean), "{clean}");
        }
    }

    #[test]
    fn lengths_of_time_have_one_unit() {
        for (seconds, shown) in [
            (0, "0 s"),
            (119, "119 s"),
            (120, "2 min"),
            (7_199, "119 min"),
            (7_200, "2 h"),
            (172_799, "47 h"),
            (172_800, "2 d"),
        ] {
            assert_eq!(span(SignedDuration::from_secs(seconds)), shown);
        }
        let now = Timestamp::UNIX_EPOCH;
        assert_eq!(relative(now + SignedDuration::from_secs(300), now), "in 5 min");
        assert_eq!(relative(now - SignedDuration::from_secs(300), now), "5 min ago");
        assert_eq!(hour(now, now), "00:00:00Z");
        assert_eq!(hour(now, now + SignedDuration::from_hours(25)), "1970-01-01 00:00:00Z");
    }
}
