//! The `Idempotency-Key` header: the id of the one thing that a request is about, where the body has none.
//!
//! <https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/> writes it as a string in quotation marks; most senders
//! leave them out. Both are taken.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName};

use crate::ingest::{Field, RawText};

/// The header, as people know it.
pub(super) const IDEMPOTENCY_KEY: &str = "Idempotency-Key";

/// The key that a request has, or none.
///
/// # Errors
/// A sentence for the client: there are several, or it is not UTF-8.
pub fn idempotency_key(headers: &HeaderMap) -> Result<RawText<'static>, String> {
    // As HTTP looks for it, which takes no reading of the name.
    const NAME: HeaderName = HeaderName::from_static("idempotency-key");
    let mut values = headers.get_all(NAME).iter();
    let Some(value) = values.next() else { return Ok(Field::Absent) };
    if values.next().is_some() {
        return Err(format!("The header {IDEMPOTENCY_KEY} is given twice"));
    }
    let text =
        std::str::from_utf8(value.as_bytes()).map_err(|_| format!("The header {IDEMPOTENCY_KEY} is not valid UTF-8"))?;
    Ok(Field::Given(Cow::Owned(unquoted(text).unwrap_or_else(|| text.to_owned()))))
}

/// What a string of RFC 9651 says; `None` for anything else.
fn unquoted(text: &str) -> Option<String> {
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    let mut said = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => return None,
            '\\' => said.push(characters.next().filter(|escaped| matches!(escaped, '"' | '\\'))?),
            other => said.push(other),
        }
    }
    Some(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(value: &str) -> RawText<'static> {
        idempotency_key(&HeaderMap::from_iter([("idempotency-key".parse().unwrap(), value.parse().unwrap())])).unwrap()
    }

    #[test]
    fn a_key_is_taken_with_and_without_quotation_marks() {
        assert_eq!(idempotency_key(&HeaderMap::new()), Ok(Field::Absent));
        for (value, said) in [
            ("k-1", "k-1"),
            ("", ""),
            ("\"k-1\"", "k-1"),
            (r#""a\"b\\c""#, r#"a"b\c"#),
            ("\"\"", ""),
            ("\"", "\""),
            (r#""a"b""#, r#""a"b""#),
            (r#""a\b""#, r#""a\b""#),
            (r#""a\""#, r#""a\""#),
            ("é", "é"),
        ] {
            assert_eq!(key(value), Field::Given(Cow::Borrowed(said)), "{value}");
        }
    }

    #[test]
    fn several_keys_and_other_bytes_are_refused() {
        let mut headers = HeaderMap::new();
        headers.append(IDEMPOTENCY_KEY, http::HeaderValue::from_bytes(b"\xff").unwrap());
        assert!(idempotency_key(&headers).unwrap_err().contains("UTF-8"));
        headers.append(IDEMPOTENCY_KEY, "k".parse().unwrap());
        assert!(idempotency_key(&headers).unwrap_err().contains("twice"));
    }
}
