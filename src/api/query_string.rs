//! Query strings, read strictly: a parameter that is misspelled or given twice is refused, never ignored. Only where a gateway adds its
//! caller's query may there be parameters that are not ours.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use super::call::Call;
use super::endpoint::Parameters;
use super::percent;
use super::problem::Problem;

/// The parameters of one request, each known and given once.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct QueryString<'c>(Vec<(&'static str, Cow<'c, str>)>);

impl<'c> QueryString<'c> {
    /// Reads the query of a request, which may carry the parameters of its endpoint.
    ///
    /// # Errors
    /// `malformed`: another parameter, one given twice, an invalid percent-encoding, or text that is not UTF-8.
    pub fn of(call: &'c Call) -> Result<Self, Problem> {
        match (call.uri.query(), call.endpoint.query) {
            (None, _) | (_, Parameters::Ignored) => Ok(Self(Vec::new())),
            (Some(text), Parameters::Known(names)) => Self::parse(text, names),
            (Some(text), Parameters::Among(names)) => Self::parse_among(text, names),
        }
    }

    /// The value of a parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(given, _)| *given == name).map(|(_, value)| &**value)
    }

    /// The value of a parameter that is a whole number within bounds.
    ///
    /// # Errors
    /// `malformed`: anything but decimal digits, or out of bounds.
    pub fn number(&self, name: &str, bounds: RangeInclusive<u32>) -> Result<Option<u32>, Problem> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse().ok().filter(|number| is_plain && bounds.contains(number));
        let (min, max) = (bounds.start(), bounds.end());
        number.map(Some).ok_or_else(|| Problem::malformed(format!("{name} must be a whole number from {min} to {max}")))
    }

    /// Whether a parameter that is `true` or `false` says `true`; `false` where it is not given.
    ///
    /// # Errors
    /// `malformed`: another value.
    pub fn flag(&self, name: &str) -> Result<bool, Problem> {
        match self.get(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(Problem::malformed(format!("{name} must be true or false"))),
        }
    }

    /// Reads a query string that may carry these parameters.
    ///
    /// # Errors
    /// As for [`QueryString::of`].
    pub fn parse(text: &'c str, known: &[&'static str]) -> Result<Self, Problem> {
        let mut parameters = Self(Vec::with_capacity(text.bytes().filter(|byte| *byte == b'=').count()));
        if !is_encoded(text) {
            for piece in text.split('&').filter(|piece| !piece.is_empty()) {
                let (name, value) = pair(piece);
                let Some(name) = known.iter().find(|known| **known == name) else {
                    return Err(Problem::malformed(unknown(name, known)));
                };
                parameters.add(name, Cow::Borrowed(value))?;
            }
            return Ok(parameters);
        }
        // The parser keeps what is not an encoding and replaces what is not text, so both are refused before.
        percent::check(text).map_err(|error| Problem::malformed(format!("The query string {error}")))?;
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            let Some(name) = known.iter().find(|known| **known == name) else {
                return Err(Problem::malformed(unknown(&name, known)));
            };
            parameters.add(name, value)?;
        }
        Ok(parameters)
    }

    /// Reads these parameters out of a query string that is somebody else's: what is none of them may be anything.
    ///
    /// # Errors
    /// `malformed`: one of them given twice, with an invalid percent-encoding, or not UTF-8.
    pub fn parse_among(text: &'c str, known: &[&'static str]) -> Result<Self, Problem> {
        let mut parameters = Self(Vec::new());
        for piece in text.split('&') {
            if !is_encoded(piece) {
                let (name, value) = pair(piece);
                if let Some(name) = known.iter().find(|known| **known == name) {
                    parameters.add(name, Cow::Borrowed(value))?;
                }
                continue;
            }
            for (name, value) in form_urlencoded::parse(piece.as_bytes()) {
                if let Some(name) = known.iter().find(|known| **known == name) {
                    percent::check(piece)
                        .map_err(|error| Problem::malformed(format!("The query parameter {name} {error}")))?;
                    parameters.add(name, value)?;
                }
            }
        }
        Ok(parameters)
    }

    fn add(&mut self, name: &'static str, value: Cow<'c, str>) -> Result<(), Problem> {
        if self.get(name).is_some() {
            return Err(Problem::malformed(format!("The query parameter {name} is given twice")));
        }
        self.0.push((name, value));
        Ok(())
    }
}

/// Whether the parser has anything to undo: next to never in checks, and what is not is read without it.
fn is_encoded(text: &str) -> bool {
    text.bytes().any(|byte| byte == b'%' || byte == b'+')
}

/// The name and value of a piece that is not encoded.
fn pair(piece: &str) -> (&str, &str) {
    piece.split_once('=').unwrap_or((piece, ""))
}

fn unknown(name: &str, known: &[&'static str]) -> String {
    // Debug form: quotes it, and escapes what a terminal should not be sent.
    let name: String = name.chars().take(40).collect();
    match known {
        [] => format!("Unknown query parameter {name:?}; this path takes none"),
        _ => format!("Unknown query parameter {name:?}; this path takes {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[&str] = &["by", "service"];

    #[test]
    fn known_parameters_are_decoded() {
        let query = QueryString::parse("service=a%20b%2Bc+d%C3%A9&by=", KNOWN).unwrap();
        assert_eq!(query.get("service"), Some("a b+c dé"));
        assert_eq!(query.get("by"), Some(""));
        assert_eq!(QueryString::parse("", KNOWN).unwrap().get("by"), None);
        assert_eq!(QueryString::parse("&by&", KNOWN).unwrap().get("by"), Some(""));
        assert_eq!(QueryString::parse("b%79=x", KNOWN).unwrap().get("by"), Some("x"));
    }

    #[test]
    fn numbers_are_decimal_and_within_bounds() {
        let number = |text: &str| {
            let text = format!("by={text}");
            QueryString::parse(&text, KNOWN).unwrap().number("by", 1..=400).ok().flatten()
        };
        assert_eq!((number("1"), number("400"), number("007")), (Some(1), Some(400), Some(7)));
        for text in ["", "0", "401", "-1", "%2B1", "1.0", "1e1", "99999999999", "%D9%A1"] {
            assert_eq!(number(text), None, "{text}");
        }
        assert_eq!(QueryString::parse("", KNOWN).unwrap().number("by", 1..=400).unwrap(), None);
    }

    #[test]
    fn a_flag_is_true_or_false() {
        let flag = |text: &str| QueryString::parse(text, KNOWN).unwrap().flag("by").ok();
        assert_eq!((flag("by=true"), flag("by=false"), flag("")), (Some(true), Some(false), Some(false)));
        for text in ["by", "by=", "by=1", "by=True", "by=yes", "by=true%20"] {
            assert_eq!(flag(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_not_encoded_is_read_as_the_parser_reads_it() {
        for text in ["by=a=b&&service=x/y?;:@!$'()*,~", "by", "&", "service=&by==", "by=a&", "="] {
            let parsed: Vec<_> = form_urlencoded::parse(text.as_bytes()).collect();
            let known = &["by", "service", ""];
            let read = QueryString::parse(text, known).unwrap();
            assert_eq!(read.0, parsed.iter().map(|(name, value)| (&**name, value.clone())).collect::<Vec<_>>(), "{text}");
            assert_eq!(
                QueryString::parse_among(text, &known[..2]).unwrap().0.len(),
                read.0.iter().filter(|(name, _)| !name.is_empty()).count()
            );
        }
    }

    #[test]
    fn anything_else_is_malformed() {
        for text in [
            "By=service",
            "by=a&by=a",
            "by=a&b%79=a",
            "x",
            "=a",
            "by=%",
            "by=%4",
            "by=%zz",
            "by=%ff",
            "service=%C3",
            "by=%+1",
        ] {
            assert!(matches!(QueryString::parse(text, KNOWN), Err(Problem::Malformed(_))), "{text}");
        }
    }
}
