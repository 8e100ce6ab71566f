//! Percent-encoding (RFC 3986, section 2.1), read strictly: what is not an encoding is refused, never kept.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

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
    if !text.contains('%') {
        return Ok(text.into());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let mut digit = || rest.next().and_then(|byte| char::from(byte).to_digit(16)).ok_or(DecodeError::Encoding);
                let (high, low) = (digit()?, digit()?);
                u8::try_from(high * 16 + low).map_err(|_| DecodeError::Encoding)?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).map(Cow::Owned).map_err(|_| DecodeError::NotUtf8)
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
