//! Percent-encoding (RFC 3986, section 2.1), read strictly: what is not an encoding is refused, never kept.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// Everything but the unreserved characters.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Why a text cannot be decoded. The message completes a sentence that begins with what was encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum DecodeError {
    /// `%` without two hexadecimal digits.
    #[error("has an invalid percent-encoding")]
    Encoding,
    /// The bytes are no text.
    #[error("is not UTF-8")]
    NotUtf8,
}

/// Undoes the encoding. A text without any is not copied.
///
/// # Errors
/// See [`DecodeError`].
pub(super) fn decode(text: &str) -> Result<Cow<'_, str>, DecodeError> {
    // The library keeps a `%` that begins no encoding, so that is looked for here.
    if !text.split('%').skip(1).all(begins_with_byte) {
        return Err(DecodeError::Encoding);
    }
    percent_decode_str(text).decode_utf8().map_err(|_| DecodeError::NotUtf8)
}

/// Whether a text can be decoded; then so can every part of it that ends where no encoding is in progress.
///
/// # Errors
/// See [`DecodeError`].
pub(super) fn check(text: &str) -> Result<(), DecodeError> {
    decode(text).map(drop)
}

fn begins_with_byte(text: &str) -> bool {
    matches!(text.as_bytes(), [high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit())
}

/// A text as one segment of a path: slashes are encoded too.
pub(super) fn encode(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_comes_back() {
        for text in ["call-1", "a/b c+d", "100%", "é🙂", "a?b#c", "..", ""] {
            let encoded = encode(text);
            assert!(encoded.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte)), "{encoded}");
            assert_eq!(decode(&encoded).unwrap(), text);
        }
        assert_eq!(decode("a+b%2Bc/d").unwrap(), "a+b+c/d");
    }

    #[test]
    fn what_is_no_encoding_is_refused() {
        for (text, error) in [
            ("%", DecodeError::Encoding),
            ("a%4", DecodeError::Encoding),
            ("%zz", DecodeError::Encoding),
            ("%+1", DecodeError::Encoding),
            ("%ff", DecodeError::NotUtf8),
            ("%C3", DecodeError::NotUtf8),
        ] {
            assert_eq!(decode(text), Err(error), "{text}");
        }
    }
}
