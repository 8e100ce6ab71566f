//! JSON lines, there and back: each the event under its id with its revision and all that it has come to say.

use std::io::BufRead;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::row::{BadRow, Lines, Mapping, Row, SourceError, id_of_line};
use crate::ingest::Shape;
use crate::ledger::Exported;
use crate::wire::EventItem;

/// Writes the line of an entry.
pub(super) fn write(exported: &Exported, to: &mut Vec<u8>) {
    let begin = to.len();
    let item = EventItem::exported(&exported.event, exported.recorded_at);
    // Our own types always serialize; attributes were checked when they came.
    if serde_json::to_writer(&mut *to, &item).is_err() {
        to.truncate(begin);
        return;
    }
    to.push(b'\n');
}

/// What is looked at of a line before the agent reads all of it.
#[derive(Deserialize)]
struct Head {
    id: Option<IgnoredAny>,
    service: Option<IgnoredAny>,
}

/// Reads lines of events. One without an id gets one that the same line has each time; one without a service that of the mapping.
pub(super) fn read(
    input: &mut dyn BufRead,
    mapping: &Mapping,
    take: &mut dyn FnMut(Result<Row, BadRow>) -> Result<(), SourceError>,
) -> Result<(), SourceError> {
    let mut lines = Lines::of(input);
    while let Some(line) = lines.next()? {
        let (number, bytes) = (line.number, line.bytes());
        take(line.text().and_then(|text| row(number, text, mapping)).map(|json| Row { number, bytes, json }))?;
    }
    Ok(())
}

fn row(number: u64, line: &str, mapping: &Mapping) -> Result<String, BadRow> {
    let bad = |reason: String| BadRow { number, reason };
    if let Some(shape) = shape_of_other(line) {
        return Err(bad(format!("an event must be an object, not {}; each line must be one", shape.with_article())));
    }
    let head: Head =
        serde_json::from_str(line).map_err(|error| bad(format!("is not a JSON object on one line: {error}")))?;
    let mut added = String::new();
    if head.id.is_none() {
        added += &format!("\"id\":\"{}\",", id_of_line(number, line));
    }
    if head.service.is_none()
        && let Some(service) = &mapping.service
    {
        let service = serde_json::to_string(service).map_err(|error| bad(error.to_string()))?;
        added += &format!("\"service\":{service},");
    }
    if added.is_empty() {
        return Ok(line.to_owned());
    }
    let rest = line[1..].trim_start();
    // An empty object has no member to be parted from.
    let added = if rest.starts_with('}') { added.trim_end_matches(',') } else { &added };
    Ok(format!("{{{added}{rest}"))
}

/// What stands in the place of an object; `None` for what is one, or no JSON.
fn shape_of_other(line: &str) -> Option<Shape> {
    let shape = match line.bytes().next()? {
        b'{' => return None,
        b'[' => Shape::Array,
        b'"' => Shape::String,
        b't' | b'f' => Shape::Bool,
        b'n' => Shape::Null,
        _ => Shape::Number,
    };
    serde_json::from_str::<IgnoredAny>(line).ok().map(|_| shape)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(line: &str, service: Option<&str>) -> Result<String, String> {
        let mapping = Mapping { service: service.map(Box::from), ..Mapping::default() };
        row(7, line, &mapping).map_err(|bad| bad.reason)
    }

    #[test]
    fn a_line_stays_as_it_is_unless_something_is_missing() {
        let whole = r#"{ "id" : "1", "service":"s","amount_usd":1.50 }"#;
        assert_eq!(json(whole, Some("other")).unwrap(), whole);
        let id = id_of_line(7, r#"{"amount_usd":1}"#);
        assert_eq!(json(r#"{"amount_usd":1}"#, None).unwrap(), format!(r#"{{"id":"{id}","amount_usd":1}}"#));
        let added = json(r#"{"id":"1"}"#, Some("a\"b")).unwrap();
        assert_eq!(added, r#"{"service":"a\"b","id":"1"}"#);
        assert!(json("{}", Some("s")).unwrap().ends_with(r#"","service":"s"}"#));
    }

    #[test]
    fn what_is_no_object_is_told_in_words_of_json() {
        for (line, reason) in [
            (r#"[{"service":"a","amount_usd":1}]"#, "an event must be an object, not an array; each line must be one"),
            (r#"[{"id":1},null]"#, "an event must be an object, not an array; each line must be one"),
            ("[]", "an event must be an object, not an array; each line must be one"),
            ("5", "an event must be an object, not a number; each line must be one"),
            ("-1", "an event must be an object, not a number; each line must be one"),
            ("null", "an event must be an object, not null; each line must be one"),
            ("false", "an event must be an object, not a boolean; each line must be one"),
            (r#""{}""#, "an event must be an object, not a string; each line must be one"),
            ("{", "is not a JSON object on one line: EOF while parsing an object at line 1 column 1"),
            ("[", "is not a JSON object on one line: "),
            (r#"{"id":1"#, "is not a JSON object on one line: "),
            ("service,amount_usd", "is not a JSON object on one line: "),
        ] {
            let told = json(line, None).unwrap_err();
            assert!(told.starts_with(reason) && !told.contains("struct"), "{line}: {told}");
        }
    }

    #[test]
    fn the_same_line_gets_the_same_id_at_its_place_only() {
        assert_eq!(id_of_line(1, "{}"), id_of_line(1, "{}"));
        assert_ne!(id_of_line(1, "{}"), id_of_line(2, "{}"));
        assert_ne!(id_of_line(1, "{}"), id_of_line(1, "{ }"));
    }
}
