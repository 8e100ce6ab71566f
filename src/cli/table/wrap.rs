//! Text in a column: as wide as a terminal shows it, broken into lines where that hurts least.
//!
//! *Invariants.* No line is wider than its column, unless a single character is.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Says that something is left out.
const ELLIPSIS: char = '…';

/// Columns that a text takes. Terminals differ on joined characters: what is counted is the most that one of them uses.
pub fn width(text: &str) -> usize {
    text.graphemes(true).map(width_of_one).sum()
}

fn width_of_one(grapheme: &str) -> usize {
    let apart: usize = grapheme.chars().filter_map(UnicodeWidthChar::width).sum();
    grapheme.width().max(apart)
}

/// The widest part that should stay in one piece.
pub fn longest_word(text: &str) -> usize {
    text.split(' ').map(width).max().unwrap_or(0)
}

/// The lines of a text in a column of this width: broken at blanks, else behind punctuation, else anywhere.
pub fn lines(text: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![];
    let (mut line, mut used) = (String::new(), 0);
    for piece in pieces(text) {
        let visible = width(piece.trim_end_matches(' '));
        // What fits nowhere begins where there is room.
        if used > 0 && used + visible > columns && visible <= columns {
            lines.push(std::mem::take(&mut line));
            used = 0;
        }
        for grapheme in piece.graphemes(true) {
            let wide = width_of_one(grapheme);
            if used > 0 && used + wide > columns {
                if grapheme == " " {
                    continue;
                }
                lines.push(std::mem::take(&mut line));
                used = 0;
            }
            line.push_str(grapheme);
            used += wide;
        }
    }
    lines.push(line);
    lines.iter().map(|line| line.trim_end().to_owned()).collect()
}

/// The parts between which a text is best broken: behind a blank, and behind punctuation inside of a name. Not behind a sign or a
/// comma, which may belong to a number.
fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = vec![];
    let (mut start, mut has_word) = (0, false);
    for (index, char) in text.char_indices() {
        has_word |= char.is_alphanumeric();
        if char == ' ' || (has_word && matches!(char, '-' | '/' | '_' | '=' | '&' | '?' | '@')) {
            let end = index + char.len_utf8();
            pieces.extend(text.get(start..end));
            (start, has_word) = (end, false);
        }
    }
    pieces.extend(text.get(start..).filter(|rest| !rest.is_empty()));
    pieces
}

/// The same, at most so many lines; what is left out is marked.
pub fn first_lines(text: &str, columns: usize, lines_max: usize) -> Vec<String> {
    let mut kept = lines(text, columns);
    if kept.len() > lines_max {
        kept.truncate(lines_max);
        if let Some(last) = kept.last_mut() {
            *last = cut(&format!("{last}{ELLIPSIS}"), columns);
        }
    }
    kept
}

/// A text in so many columns; what is left out is marked.
pub fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let (mut kept, mut used) = (String::new(), 1);
    for grapheme in text.graphemes(true) {
        used += width_of_one(grapheme);
        if used > columns {
            break;
        }
        kept.push_str(grapheme);
    }
    kept.push(ELLIPSIS);
    kept
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_is_broken_where_it_hurts_least() {
        for (text, columns, expected) in [
            ("", 5, &[""][..]),
            ("short", 5, &["short"]),
            ("two words", 5, &["two", "words"]),
            ("two words", 9, &["two words"]),
            ("2026-11-22 10:00:00Z", 10, &["2026-11-22", "10:00:00Z"]),
            ("2026-11-22 10:00:00Z", 12, &["2026-11-22", "10:00:00Z"]),
            ("gpt-4o-mini", 7, &["gpt-4o-", "mini"]),
            ("unbreakable", 4, &["unbr", "eaka", "ble"]),
            ("请求服务", 5, &["请求", "服务"]),
            ("a b  c", 2, &["a", "b", "c"]),
            ("openai 1,000,000.00, e -4.00", 14, &["openai", "1,000,000.00,", "e -4.00"]),
            ("2026-11-22 10:00:00Z", 18, &["2026-11-22", "10:00:00Z"]),
        ] {
            assert_eq!(lines(text, columns), expected, "{text} in {columns}");
        }
        assert_eq!(first_lines("aaaa bbbb cccc dddd", 4, 2), ["aaaa", "bbb…"]);
        assert_eq!(first_lines("aaaa bb cccc", 4, 2), ["aaaa", "bb…"]);
        assert_eq!(cut("请求服务", 6), "请求…");
        assert_eq!(cut("same", 4), "same");
    }

    proptest! {
        #[test]
        fn no_line_is_wider_than_its_column(text in "[a-z请👍é _-]{0,60}", columns in 2_usize..20) {
            for line in lines(&text, columns) {
                prop_assert!(width(&line) <= columns, "{line:?}");
            }
            let kept: String = lines(&text, columns).concat();
            prop_assert_eq!(kept.replace(' ', ""), text.replace(' ', ""), "nothing but blanks is lost");
            for line in first_lines(&text, columns, 2) {
                prop_assert!(width(&line) <= columns, "{line:?}");
            }
        }
    }
}
