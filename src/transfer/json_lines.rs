//! JSON lines, there and back: each the event under its id with its revision and all that it has come to say.

use std::io::BufRead;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::row::{BadRow, Lines, Mapping, Row, SourceError, id_of_line};
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
    let head: Head = serde_json::from_str(line).map_err(|error| bad(format!("is not a JSON object: {error}")))?;
    if !line.starts_with('{') {
        return Err(bad("is not a JSON object".to_owned()));
    }
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
        for line in ["[]", "1", "{", r#"{"id":1"#, "null", r#"[{"id":1},null]"#] {
            assert!(json(line, None).unwrap_err().contains("not a JSON object"), "{line}");
        }
    }

    #[test]
    fn the_same_line_gets_the_same_id_at_its_place_only() {
        assert_eq!(id_of_line(1, "{}"), id_of_line(1, "{}"));
        assert_ne!(id_of_line(1, "{}"), id_of_line(2, "{}"));
        assert_ne!(id_of_line(1, "{}"), id_of_line(1, "{ }"));
    }
}
