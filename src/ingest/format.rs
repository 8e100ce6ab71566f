//! The formats a body of events may have.

/// How the events of a body are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// One object, or an array of objects.
    Json,
    /// One object a line.
    NdJson,
}

impl Format {
    /// Reads a `Content-Type`. Case does not matter; parameters are allowed, but a `charset` other than UTF-8 is another format.
    pub fn from_content_type(value: &str) -> Option<Self> {
        let mut parts = value.split(';').map(str::trim);
        let essence = parts.next()?;
        let format = if essence.eq_ignore_ascii_case("application/json") {
            Self::Json
        } else if essence.eq_ignore_ascii_case("application/x-ndjson") {
            Self::NdJson
        } else {
            return None;
        };
        parts.all(is_harmless).then_some(format)
    }

    /// What the `Content-Type` of such a body is.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::NdJson => "application/x-ndjson",
        }
    }

    /// The word used as the metric label `format`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::NdJson => "ndjson",
        }
    }
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
        for (value, format) in [
            ("application/json", Some(Format::Json)),
            ("Application/JSON; Charset=UTF-8", Some(Format::Json)),
            ("application/json;charset=\"utf-8\"", Some(Format::Json)),
            ("application/json;", Some(Format::Json)),
            ("application/json; profile=x; charset=utf-8", Some(Format::Json)),
            (" application/x-ndjson ; charset=utf-8 ", Some(Format::NdJson)),
            ("application/json; charset=latin1", None),
            ("application/json; charset=utf-16", None),
            ("application/json; charset", None),
            ("application/jsonp", None),
            ("application/json, application/json", None),
            ("application/ld+json", None),
            ("text/json", None),
            ("", None),
        ] {
            assert_eq!(Format::from_content_type(value), format, "{value:?}");
        }
        assert_eq!((Format::Json.as_str(), Format::NdJson.as_str()), ("json", "ndjson"));
    }
}
