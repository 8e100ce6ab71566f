//! What a client says that it takes: `Accept` and `Accept-Encoding` (RFC 9110, sections 12.5.1 and 12.5.3). Read here, because no library
//! in the tree reads these headers.

use warp::http::HeaderMap;
use warp::http::header::{ACCEPT, ACCEPT_ENCODING, HeaderName};

/// In which form a resource is shown that has several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// A page for a browser.
    Html,
    /// For programs, and whoever does not say.
    Json,
    /// For a terminal.
    Text,
}

impl Form {
    /// What the client asks for. HTML is only for those who name it: what asks for anything is a program, as a rule. Of forms that are
    /// named, the one that is liked most; of those that are liked equally, the first of HTML, JSON and text.
    pub fn of(headers: &HeaderMap) -> Self {
        let (mut html, mut json, mut text) = (None, None, None);
        let mut any_text = None;
        for (name, weight) in weighted(headers, &ACCEPT) {
            let slot = match name.as_str() {
                "text/html" => &mut html,
                "application/json" => &mut json,
                "text/plain" => &mut text,
                "text/*" => &mut any_text,
                _ => continue,
            };
            *slot = Some(weight.max(slot.unwrap_or(0)));
        }
        let (html, named_json) = (html.unwrap_or(0), json.unwrap_or(0));
        let text = text.unwrap_or_else(|| if named_json == 0 { any_text.unwrap_or(0) } else { 0 });
        match (html, named_json, text) {
            (html @ 1.., json, text) if html >= json && html >= text => Self::Html,
            (_, json, text @ 1..) if text > json => Self::Text,
            _ => Self::Json,
        }
    }
}

/// What a header lists, in lower case, with the weight of each in thousandths.
fn weighted<'h>(headers: &'h HeaderMap, header: &HeaderName) -> impl Iterator<Item = (String, u32)> + use<'h> {
    let values = headers.get_all(header).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(|entry| {
        let mut parts = entry.split(';').map(str::trim);
        (parts.next().unwrap_or_default().to_ascii_lowercase(), weight(parts))
    })
}

/// Whether the client takes gzip, and likes it no less than the plain text.
pub(super) fn accepts_gzip(headers: &HeaderMap) -> bool {
    let (mut gzip, mut identity, mut any) = (None, None, None);
    for (name, weight) in weighted(headers, &ACCEPT_ENCODING) {
        let slot = match name.as_str() {
            "gzip" | "x-gzip" => &mut gzip,
            "identity" => &mut identity,
            "*" => &mut any,
            _ => continue,
        };
        *slot = Some(weight);
    }
    let gzip = gzip.or(any).unwrap_or(0);
    // What is not named is acceptable, but less than anything that is.
    gzip > 0 && gzip >= identity.unwrap_or(0)
}

/// The weight in thousandths; 1 when not given, 0 when it cannot be read.
fn weight<'a>(mut parameters: impl Iterator<Item = &'a str>) -> u32 {
    let Some(text) = parameters.find_map(|parameter| parameter.strip_prefix("q=").or(parameter.strip_prefix("Q="))) else {
        return 1_000;
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_valid = fraction.len() <= 3 && fraction.bytes().all(|byte| byte.is_ascii_digit());
    let thousandths = format!("{fraction:0<3}").parse().unwrap_or(0);
    match whole {
        "0" if is_valid => thousandths,
        "1" if is_valid && thousandths == 0 => 1_000,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_negotiated() {
        for (accepted, expected) in [
            ("gzip", true),
            ("GZIP", true),
            ("x-gzip", true),
            ("deflate, gzip;q=0.5, br", true),
            ("gzip; q=0.001", true),
            ("*", true),
            ("*;q=0.1, identity;q=0", true),
            ("gzip;q=1.0, identity;q=0.5", true),
            ("gzip, identity", true),
            ("", false),
            ("identity", false),
            ("br, zstd", false),
            ("gzip;q=0", false),
            ("gzip;q=0.000", false),
            ("*, gzip;q=0", false),
            ("*;q=0", false),
            ("gzip;q=0.5, identity", false),
            ("gzip;q=x", false),
            ("gzip;q=2", false),
            ("gzip;q=0.0001", false),
            ("gzipped", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, accepted.parse().unwrap());
            assert_eq!(accepts_gzip(&headers), expected, "{accepted:?}");
        }
        assert!(!accepts_gzip(&HeaderMap::new()));
    }

    #[test]
    fn headers_that_come_twice_are_one_list() {
        let mut headers = HeaderMap::new();
        headers.append(ACCEPT_ENCODING, "br".parse().unwrap());
        headers.append(ACCEPT_ENCODING, "gzip".parse().unwrap());
        assert!(accepts_gzip(&headers));
    }

    #[test]
    fn a_page_is_for_those_who_name_it() {
        for (accepted, expected) in [
            ("text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8", Form::Html),
            ("text/html", Form::Html),
            ("TEXT/HTML;q=0.1", Form::Html),
            ("text/html;level=1;q=0.5, application/json;q=0.4", Form::Html),
            ("text/html, application/json, text/plain", Form::Html),
            ("text/html;q=0.5, application/json", Form::Json),
            ("text/html;q=0.5, text/plain;q=0.6, */*", Form::Text),
            ("text/html;q=0", Form::Json),
            ("text/html;q=0, */*", Form::Json),
            ("text/html;q=x", Form::Json),
            ("*/*", Form::Json),
            ("", Form::Json),
            ("application/json", Form::Json),
            ("application/json, text/plain, */*", Form::Json),
            ("application/json;q=0.2, text/plain;q=0.3", Form::Text),
            ("text/plain", Form::Text),
            ("text/plain, */*", Form::Text),
            ("text/*", Form::Text),
            ("text/*, application/json;q=0.1", Form::Json),
            ("text/plain;q=0", Form::Json),
            ("image/png", Form::Json),
            ("text/htmlx", Form::Json),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, accepted.parse().unwrap());
            assert_eq!(Form::of(&headers), expected, "{accepted:?}");
        }
        assert_eq!(Form::of(&HeaderMap::new()), Form::Json);
        let mut headers = HeaderMap::new();
        headers.append(ACCEPT, "application/json;q=0.1".parse().unwrap());
        headers.append(ACCEPT, "text/html".parse().unwrap());
        assert_eq!(Form::of(&headers), Form::Html);
    }
}
