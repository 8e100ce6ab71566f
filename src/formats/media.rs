//! What a `Content-Type` names.

use http::HeaderMap;
use http::header::CONTENT_TYPE;

/// JSON, of any content.
pub const JSON: &str = "application/json";

/// One JSON object a line, by its most common name.
pub const LINES: &str = LINES_NAMES[0];
/// The names that one object a line goes by. None is registered, and senders differ.
pub(super) const LINES_NAMES: &[&str] =
    &["application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines"];

/// The media type that the one `Content-Type` names, as it was written. `None`: there is not exactly one, or its characters are not those of
/// UTF-8. Other parameters do not matter.
pub fn media_type(headers: &HeaderMap) -> Option<&str> {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (types.next(), types.next()) else { return None };
    let mut parts = value.to_str().ok()?.split(';').map(str::trim);
    let essence = parts.next()?;
    parts.all(is_harmless).then_some(essence)
}

/// Whether a body claims to be one JSON object a line.
pub(super) fn is_lines(headers: &HeaderMap) -> bool {
    media_type(headers).is_some_and(|essence| LINES_NAMES.iter().any(|name| essence.eq_ignore_ascii_case(name)))
}

/// Whether a body claims to be JSON.
pub fn is_json(headers: &HeaderMap) -> bool {
    media_type(headers).is_some_and(|essence| essence.eq_ignore_ascii_case(JSON))
}

/// Whether a parameter leaves the body's meaning alone. An empty one, as in `application/json;`, does.
fn is_harmless(parameter: &str) -> bool {
    let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
    let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
    !name.eq_ignore_ascii_case("charset") || value.eq_ignore_ascii_case("utf-8") || value.eq_ignore_ascii_case("utf8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_types_are_read_with_their_parameters() {
        for (value, essence) in [
            ("application/json", Some("application/json")),
            ("Application/JSON; Charset=UTF-8", Some("Application/JSON")),
            ("application/json;charset=\"utf-8\"", Some("application/json")),
            ("application/json;", Some("application/json")),
            ("application/json; profile=x; charset=utf-8", Some("application/json")),
            (" application/x-ndjson ; charset=utf-8 ", Some("application/x-ndjson")),
            ("application/json; charset=latin1", None),
            ("application/json; charset=utf-16", None),
            ("application/json; charset", None),
            ("application/json, application/json", Some("application/json, application/json")),
            ("", Some("")),
        ] {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, value.parse().unwrap())]);
            assert_eq!(media_type(&headers), essence, "{value:?}");
        }
        assert_eq!(media_type(&HeaderMap::new()), None);
        let twice = [(CONTENT_TYPE, JSON.parse().unwrap()), (CONTENT_TYPE, JSON.parse().unwrap())];
        let mut headers = HeaderMap::new();
        headers.extend(twice);
        assert!(!is_json(&headers), "one of two may mean anything");
    }
}
