//! The attributes of a binary event, from its headers (HTTP protocol binding, section 3.1.3).
//!
//! Senders are to percent-encode what is not printable ASCII. Python's SDK does; that of JavaScript sends UTF-8 or Latin-1 bytes, and a
//! percent sign that is no beginning of anything. Both are read.

use std::borrow::Cow;

use http::HeaderMap;

const PREFIX: &str = "ce-";
/// Without it nothing is an event.
const SPEC_VERSION: &str = "ce-specversion";
const ID: &str = "ce-id";

/// Whether the headers are those of a binary event.
pub(super) fn is_event(headers: &HeaderMap) -> bool {
    headers.contains_key(SPEC_VERSION) || headers.contains_key(ID)
}

/// The attributes' names and values.
///
/// # Errors
/// One that stands twice.
pub(super) fn attributes(headers: &HeaderMap) -> Result<Vec<(&str, String)>, String> {
    let mut found = Vec::new();
    for name in headers.keys() {
        let Some(attribute) = name.as_str().strip_prefix(PREFIX) else { continue };
        let mut values = headers.get_all(name).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return Err(format!("its header {name} stands twice"));
        };
        found.push((attribute, decoded(value.as_bytes())));
    }
    Ok(found)
}

/// A value's text.
fn decoded(value: &[u8]) -> String {
    let bytes = percent_decoded(&unquoted(value));
    // Bytes that are no UTF-8 are Latin-1, whose characters have the same numbers in Unicode.
    String::from_utf8(bytes).unwrap_or_else(|error| error.into_bytes().into_iter().map(char::from).collect())
}

/// Older senders put quotes around a value, as other headers have them (RFC 9110, section 5.6.4).
fn unquoted(value: &[u8]) -> Cow<'_, [u8]> {
    let inner = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\""));
    let Some(inner) = inner.filter(|inner| !inner.contains(&b'"') || inner.contains(&b'\\')) else {
        return Cow::Borrowed(value);
    };
    let mut plain = Vec::with_capacity(inner.len());
    let mut bytes = inner.iter();
    while let Some(byte) = bytes.next() {
        plain.push(match byte {
            b'\\' => *bytes.next().unwrap_or(byte),
            byte => *byte,
        });
    }
    Cow::Owned(plain)
}

/// What follows a percent sign counts only where it is two hexadecimal digits.
fn percent_decoded(value: &[u8]) -> Vec<u8> {
    percent_encoding::percent_decode(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_senders_write_them() {
        for (value, text) in [
            (&b"plain"[..], "plain"),
            (b"a%201%E2%82%AC", "a 1\u{20ac}"),
            (b"/w/%C3%A4%20100%25", "/w/\u{e4} 100%"),
            (b"kunde%20%22%C3%BC%22", "kunde \"\u{fc}\""),
            ("kunde \u{fc} 100%".as_bytes(), "kunde \u{fc} 100%"),
            (b"kunde \xfc 100%", "kunde \u{fc} 100%"),
            (b"100%zz%4", "100%zz%4"),
            (b"%FC", "\u{fc}"),
            (b"\"in \\\"quotes\\\"\"", "in \"quotes\""),
            (b"\"a\" and \"b\"", "\"a\" and \"b\""),
            (b"\"", "\""),
            (b"", ""),
        ] {
            assert_eq!(decoded(value), text, "{}", value.escape_ascii());
        }
    }
}
