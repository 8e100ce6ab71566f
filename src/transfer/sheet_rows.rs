//! CSV with a line of headings, by the names of an event's fields. `usage` and `attributes` are JSON objects; a quantity may also have a
//! column of its own, `usage.<name>`. An empty field is one that was not sent.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::io::BufRead;

use csv::{ReaderBuilder, StringRecord};
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::event_line::{EventLine, number, object};
use super::line_starts::LineStarts;
use super::row::{BadRow, Mapping, ROW_BYTES_MAX, Row, SourceError, id_of_line};
use super::sheet::{COLUMNS, as_sent};

/// What stands before the name of a quantity that has a column of its own.
const USAGE_PREFIX: &str = "usage.";

/// Reads rows of events.
pub(super) fn read(
    input: &mut dyn BufRead,
    mapping: &Mapping,
    take: &mut dyn FnMut(Result<Row, BadRow>) -> Result<(), SourceError>,
) -> Result<(), SourceError> {
    let mut is_checked = false;
    each_record(input, &mut |headings, record, number, bytes| {
        if !std::mem::replace(&mut is_checked, true) {
            check(headings, mapping)?;
        }
        let json = record.and_then(|record| event(headings, record, number, mapping));
        take(json.map(|json| Row { number, bytes, json }).map_err(|reason| BadRow { number, reason }))
    })
}

/// Takes a record, or what is wrong with it, under its headings; with its line, and the bytes up to its end.
pub(super) type TakeRecord<'t> =
    dyn FnMut(&StringRecord, Result<&StringRecord, String>, u64, u64) -> Result<(), SourceError> + 't;

/// Hands over each record.
pub(super) fn each_record(input: &mut dyn BufRead, take: &mut TakeRecord<'_>) -> Result<(), SourceError> {
    let malformed = |error: csv::Error| SourceError::Malformed(error.to_string());
    let mut reader = ReaderBuilder::new().flexible(true).from_reader(LineStarts::new(input));
    let mut headings = reader.headers().map_err(malformed)?.clone();
    if let Some(first) = headings.get(0).and_then(|first| first.strip_prefix('\u{feff}')) {
        headings = std::iter::once(first).chain(headings.iter().skip(1)).collect();
    }
    let mut record = StringRecord::new();
    loop {
        let begin = reader.position().byte();
        let read = reader.read_record(&mut record);
        let (bytes, line) = (reader.position().byte(), reader.get_mut().line_from(begin));
        match read {
            Ok(false) => return Ok(()),
            Ok(true) => take(&headings, Ok(&record), line, bytes)?,
            Err(error) if matches!(error.kind(), csv::ErrorKind::Utf8 { .. }) => {
                take(&headings, Err("is not UTF-8".to_owned()), line, bytes)?;
            }
            Err(error) => return Err(malformed(error)),
        }
    }
}

/// Every heading must be known: a misspelled one would lose what stands below it.
fn check(headings: &StringRecord, mapping: &Mapping) -> Result<(), SourceError> {
    let malformed = |said: String| Err(SourceError::Malformed(said));
    for (place, heading) in headings.iter().enumerate() {
        let is_known = COLUMNS.contains(&heading) || heading.strip_prefix(USAGE_PREFIX).is_some_and(|name| !name.is_empty());
        if !is_known {
            let known = COLUMNS.join(", ");
            return malformed(format!(
                "the first line has an unknown heading {heading:?}; known are {known} and usage.<name>"
            ));
        }
        if headings.iter().take(place).any(|other| other == heading) {
            return malformed(format!("the first line has the heading {heading:?} twice"));
        }
    }
    let has = |needed: &str| headings.iter().any(|heading| heading == needed);
    // What has a model may be priced by its usage.
    if !has("amount_usd") && !has("model") {
        return malformed("the first line has no heading \"amount_usd\"".to_owned());
    }
    if !has("service") && mapping.service.is_none() {
        return malformed("the first line has no heading \"service\"".to_owned());
    }
    Ok(())
}

fn event(headings: &StringRecord, record: &StringRecord, line: u64, mapping: &Mapping) -> Result<String, String> {
    if record.len() != headings.len() {
        return Err(format!("has {} fields under {} headings", record.len(), headings.len()));
    }
    if record.as_slice().len() > ROW_BYTES_MAX {
        return Err(format!("is longer than {ROW_BYTES_MAX} bytes"));
    }
    let made_id;
    let mut event = EventLine::default();
    let mut usage: BTreeMap<String, Box<RawValue>> = BTreeMap::new();
    for (heading, field) in headings.iter().zip(record).filter(|(_, field)| !field.is_empty()) {
        match heading {
            "id" => event.id = as_sent(field),
            "source" => event.source = as_sent(field),
            "service" => event.service = as_sent(field),
            "operation" => event.operation = as_sent(field),
            "kind" => event.kind = field,
            "amount_usd" => event.amount_usd = field,
            "time" => event.time = field,
            "worker" => event.worker = as_sent(field),
            "batch_id" => event.batch_id = as_sent(field),
            "lead_id" => event.lead_id = as_sent(field),
            "model" => event.model = as_sent(field),
            "usage" => {
                for (name, count) in members(field).map_err(|error| format!("usage is not a JSON object: {error}"))? {
                    say(&mut usage, name, count)?;
                }
            }
            "duration_seconds" => event.duration_seconds = Some(number(heading, field)?),
            "outcome" => event.outcome = field,
            "attributes" => event.attributes = Some(object(heading, field)?),
            "revision" => event.revision = Some(number(heading, field)?),
            "recorded_at" => event.recorded_at = field,
            "origin" => event.origin = Some(object(heading, field)?),
            _ => {
                let name = heading.strip_prefix(USAGE_PREFIX).unwrap_or(heading);
                say(&mut usage, name.to_owned(), number(heading, field)?)?;
            }
        }
    }
    event.usage = usage;
    if event.service.is_empty()
        && let Some(service) = &mapping.service
    {
        event.service = service;
    }
    if event.id.is_empty() {
        made_id = id_of_line(line, &record.iter().collect::<Vec<_>>().join("\0"));
        event.id = &made_id;
    }
    event.json()
}

/// Notes a count; one that is said twice is not the sum, nor one of the two.
fn say(usage: &mut BTreeMap<String, Box<RawValue>>, name: String, count: Box<RawValue>) -> Result<(), String> {
    match usage.entry(name) {
        Entry::Occupied(known) => Err(format!("{USAGE_PREFIX}{} is said twice", known.key())),
        Entry::Vacant(place) => {
            place.insert(count);
            Ok(())
        }
    }
}

/// The members of a JSON object, also those whose name comes again.
fn members(text: &str) -> serde_json::Result<Vec<(String, Box<RawValue>)>> {
    struct Members;
    impl<'de> Visitor<'de> for Members {
        type Value = Vec<(String, Box<RawValue>)>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
            let mut found = Vec::new();
            while let Some(member) = members.next_entry()? {
                found.push(member);
            }
            Ok(found)
        }
    }
    let mut json = serde_json::Deserializer::from_str(text);
    let found = json.deserialize_map(Members)?;
    json.end().map(|()| found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Result<Vec<Result<String, String>>, String> {
        let mut found = Vec::new();
        let mut input = text.as_bytes();
        let mut take = |row: Result<Row, BadRow>| {
            found.push(row.map(|row| row.json).map_err(|bad| format!("{}: {}", bad.number, bad.reason)));
            Ok(())
        };
        read(&mut input, &Mapping::default(), &mut take).map_err(|error| error.to_string())?;
        Ok(found)
    }

    #[test]
    fn columns_in_any_order_become_events() {
        let text = "\u{feff}amount_usd,service,id,usage.tokens,usage,worker\r\n\
            0.10,'=openai,1,7,\"{\"\"calls\"\":1.5}\",\r\n1e-3,\"a,b\",2,,,w\r\n";
        assert_eq!(
            rows(text).unwrap(),
            [
                Ok(r#"{"id":"1","service":"=openai","amount_usd":"0.10","usage":{"calls":1.5,"tokens":7}}"#.to_owned()),
                Ok(r#"{"id":"2","service":"a,b","amount_usd":"1e-3","worker":"w"}"#.to_owned()),
            ]
        );
        assert_eq!(rows("amount_usd,service\n").unwrap(), []);
    }

    #[test]
    fn bad_rows_are_told_by_line_and_hold_up_no_other() {
        let text = "service,amount_usd,id,usage,duration_seconds\ns,1\ns,1,1,[],\ns,1,2,,soon\ns,1,3,,0.5\n";
        let rows = rows(text).unwrap();
        let problems: Vec<_> = rows.iter().filter_map(|row| row.as_ref().err()).collect();
        assert_eq!(problems[0], "2: has 2 fields under 5 headings");
        assert!(problems[1].starts_with("3: usage is not a JSON object"), "{problems:?}");
        assert_eq!(problems[2], "4: duration_seconds is not a number: \"soon\"");
        assert!(rows[3].is_ok());
    }

    #[test]
    fn a_count_that_is_said_twice_is_told_wherever_it_is() {
        let row =
            |headings: &str, fields: &str| rows(&format!("service,amount_usd,id,{headings}\ns,1,1,{fields}\n")).unwrap();
        let [inside, before, behind] = [
            row("usage", r#""{""calls"":1,""calls"":2}""#),
            row("usage.calls,usage", r#"1,"{""calls"":2}""#),
            row("usage,usage.calls", r#""{""calls"":2}",1"#),
        ];
        for found in [inside, before, behind] {
            assert_eq!(found, [Err("2: usage.calls is said twice".to_owned())]);
        }
    }

    /// Guards against: a row that is told by the line before it, where somebody looks for what is wrong and finds nothing.
    #[test]
    fn rows_are_told_by_the_line_on_which_they_begin_whatever_ends_their_lines() {
        let told = |lines: &[&str], end: &str, last: &str| -> Vec<u64> {
            let text = format!("{}{last}", lines.join(end));
            let mut numbers = Vec::new();
            // A few bytes at a time, as they may come from a pipe.
            let mut input = std::io::BufReader::with_capacity(3, text.as_bytes());
            let mut take = |row: Result<Row, BadRow>| {
                numbers.push(row.map_or_else(|bad| bad.number, |row| row.number));
                Ok(())
            };
            read(&mut input, &Mapping::default(), &mut take).unwrap();
            numbers
        };
        let sheet = ["\u{feff}amount_usd,service", "1,s", "", "", "x,\"a", "", "b\"", "1,s", "too,many,fields", "\"1\",s"];
        for end in ["\n", "\r\n", "\r"] {
            for last in ["", end] {
                assert_eq!(told(&sheet, end, last), [2, 5, 8, 9, 10], "{end:?} {last:?}");
            }
        }
        assert_eq!(told(&["", "", "amount_usd,service", "1,s"], "\n", "\n"), [4]);
    }

    #[test]
    fn rows_without_ids_have_the_same_ids_whatever_ends_their_lines() {
        let ids = |end: &str| -> Vec<String> {
            let found = rows(&["amount_usd,service", "1,s", "1,s", "1,s"].join(end)).unwrap();
            found.into_iter().map(|row| row.unwrap().split("\"service\"").next().unwrap().to_owned()).collect()
        };
        let [unix, windows, mac] = ["\n", "\r\n", "\r"].map(ids);
        assert!(unix[0] != unix[1] && unix[1] != unix[2], "{unix:?}");
        assert_eq!([&windows, &mac], [&unix, &unix]);
    }

    #[test]
    fn headings_must_be_known_and_enough() {
        for (text, part) in [
            ("service,amount\n1,1\n", "unknown heading \"amount\""),
            ("service,amount_usd,amount_usd\ns,1,1\n", "twice"),
            ("service\ns\n", "no heading \"amount_usd\""),
            ("amount_usd\n1\n", "no heading \"service\""),
            ("PK\u{3}\u{4}\n1\n", "unknown heading"),
        ] {
            let error = rows(text).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }
}
