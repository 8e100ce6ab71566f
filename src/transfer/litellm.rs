//! LiteLLM's spend logs (`LiteLLM_SpendLogs` in its `schema.prisma`): what `GET /spend/logs?summarize=false` answers (an array of rows, or
//! an object with the array as `data`), or the table as JSON lines or as CSV with its column names.
//!
//! Read are `request_id`, `spend`, `startTime`, `endTime`, `request_duration_ms`, `call_type`, `model`, `custom_llm_provider`,
//! `prompt_tokens`, `completion_tokens`, `status`; and into the attributes `model_group`, `user`, `end_user`, `team_id`,
//! `organization_id`, `session_id`, `cache_hit` and `request_tags`. Prompts and answers are left where they are.
//!
//! *Limits.* A row is held whole, and so is an object with `data`.

use std::collections::BTreeMap;
use std::fmt;
use std::io::BufRead;

use jiff::Timestamp;
use serde::de::{Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::event_line::{EventLine, kind_of, number};
use super::naive_time;
use super::row::{BadRow, Mapping, ROW_BYTES_MAX, Row, SourceError};
use super::sheet_rows::each_record;
use crate::ingest::ATTRIBUTES_BYTES_MAX;

/// Who makes the ids.
const SOURCE: &str = "litellm";
/// The service of a row that names no provider.
const SERVICE: &str = "litellm";
/// What is kept of a row besides its cost: plain values, and lists as they are.
const ATTRIBUTES: [&str; 8] =
    ["model_group", "user", "end_user", "team_id", "organization_id", "session_id", "cache_hit", "request_tags"];

type Take<'t> = dyn FnMut(Result<Row, BadRow>) -> Result<(), SourceError> + 't;
type Object = BTreeMap<String, Box<RawValue>>;

/// Reads rows of spend logs.
pub(super) fn read(input: &mut dyn BufRead, mapping: &Mapping, take: &mut Take<'_>) -> Result<(), SourceError> {
    let mut rows = Rows { mapping, number: 0, take };
    match first_byte(input)? {
        None => Ok(()),
        Some(b'[') => {
            let mut json = serde_json::Deserializer::from_reader(input);
            let mut failed = None;
            let read = json
                .deserialize_seq(Each(|item: Box<RawValue>| rows.json(&item).map_err(|error| failed = Some(error)).is_ok()));
            if let Some(error) = failed {
                return Err(error);
            }
            read.and_then(|()| json.end()).map_err(malformed)
        }
        Some(b'{') => {
            for item in serde_json::Deserializer::from_reader(input).into_iter::<Box<RawValue>>() {
                rows.json_or_page(&item.map_err(malformed)?)?;
            }
            Ok(())
        }
        Some(_) => each_record(input, &mut |headings, record, line, bytes| {
            let has_id = headings.iter().any(|heading| heading == "request_id");
            if !has_id {
                return Err(SourceError::Malformed("neither JSON nor CSV with the column request_id".to_owned()));
            }
            let json = record.and_then(|record| {
                let place = |name: &str| headings.iter().position(|heading| heading == name);
                event(&|name| place(name).and_then(|place| record.get(place)).map(str::to_owned), mapping)
            });
            (rows.take)(json.map(|json| Row { number: line, bytes, json }).map_err(|reason| BadRow { number: line, reason }))
        }),
    }
}

fn malformed(error: serde_json::Error) -> SourceError {
    SourceError::Malformed(format!("not valid JSON from here on: {error}"))
}

/// The first byte that is no blank; passes over those before it, and over a byte order mark.
fn first_byte(input: &mut dyn BufRead) -> Result<Option<u8>, SourceError> {
    loop {
        let available = input.fill_buf().map_err(SourceError::Read)?;
        let blank = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, 0xef | 0xbb | 0xbf);
        let blanks = available.iter().take_while(|byte| blank(byte)).count();
        let found = available.get(blanks).copied();
        let is_over = available.is_empty();
        input.consume(blanks);
        if found.is_some() || is_over {
            return Ok(found);
        }
    }
}

struct Rows<'r, 't> {
    mapping: &'r Mapping,
    number: u64,
    take: &'r mut Take<'t>,
}

impl Rows<'_, '_> {
    /// A row, or an answer with rows as its `data`.
    fn json_or_page(&mut self, item: &RawValue) -> Result<(), SourceError> {
        let page: Option<Object> = serde_json::from_str(item.get()).ok();
        let data = page.as_ref().filter(|page| !page.contains_key("request_id")).and_then(|page| page.get("data"));
        match data.map(|data| serde_json::from_str::<Vec<&RawValue>>(data.get())) {
            Some(Ok(items)) => items.into_iter().try_for_each(|item| self.json(item)),
            _ => self.json(item),
        }
    }

    fn json(&mut self, item: &RawValue) -> Result<(), SourceError> {
        self.number += 1;
        let number = self.number;
        let json = match serde_json::from_str::<Object>(item.get()) {
            _ if item.get().len() > ROW_BYTES_MAX => Err(format!("is longer than {ROW_BYTES_MAX} bytes")),
            Ok(object) => event(&|name| object.get(name).and_then(|value| plain(value)), self.mapping),
            Err(_) => Err("is not a JSON object".to_owned()),
        };
        (self.take)(json.map(|json| Row { number, bytes: 0, json }).map_err(|reason| BadRow { number, reason }))
    }
}

/// A value as text: a string without its quotes, anything else as it stands; `None` for null.
fn plain(value: &RawValue) -> Option<String> {
    match value.get() {
        "null" => None,
        text if text.starts_with('"') => serde_json::from_str(text).ok(),
        text => Some(text.to_owned()),
    }
}

/// The event of a row, whose columns `get` knows.
fn event(get: &dyn Fn(&str) -> Option<String>, mapping: &Mapping) -> Result<String, String> {
    let field = |name: &str| get(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    let Some(id) = field("request_id") else {
        return Err("has no request_id: ask LiteLLM for single rows with summarize=false".to_owned());
    };
    let amount = field("spend").ok_or("has no spend")?;
    let started = field("startTime").ok_or("has no startTime")?;
    let started = naive_time::read(&started, &mapping.time_zone).map_err(|error| format!("startTime {error}"))?;
    let mut usage = BTreeMap::new();
    for (column, name) in [("prompt_tokens", "input_tokens"), ("completion_tokens", "output_tokens")] {
        if let Some(count) = field(column).filter(|count| count != "0") {
            usage.insert(name.to_owned(), number(column, &count)?);
        }
    }
    let service = mapping.service.as_deref().map(str::to_owned).or_else(|| field("custom_llm_provider"));
    let (service, operation, model) = (service.unwrap_or_else(|| SERVICE.to_owned()), field("call_type"), field("model"));
    let duration = match field("request_duration_ms") {
        Some(ms) => Some(number("request_duration_ms", &format!("{ms}e-3"))?),
        None => field("endTime").and_then(|ended| seconds(started, &ended, mapping)).and_then(|text| number("", &text).ok()),
    };
    let event = EventLine {
        id: &id,
        source: mapping.source.as_deref().unwrap_or(SOURCE),
        service: &service,
        operation: operation.as_deref().unwrap_or_default(),
        kind: kind_of(&amount),
        amount_usd: &amount,
        time: &started.to_string(),
        model: model.as_deref().unwrap_or_default(),
        usage,
        duration_seconds: duration,
        outcome: if field("status").as_deref() == Some("failure") { "error" } else { "" },
        attributes: attributes(&field),
        ..EventLine::default()
    };
    event.json()
}

/// How long a call took; `None` when its end is no time behind its start.
fn seconds(started: Timestamp, ended: &str, mapping: &Mapping) -> Option<String> {
    let ended = naive_time::read(ended, &mapping.time_zone).ok()?;
    let milliseconds = ended.as_millisecond().checked_sub(started.as_millisecond())?;
    (milliseconds >= 0).then(|| format!("{milliseconds}e-3"))
}

/// What else is known of a call. Of more than an event may keep, the longest values are left out.
fn attributes(field: &dyn Fn(&str) -> Option<String>) -> Option<Box<RawValue>> {
    let is_list = |text: &str| text.starts_with('[') && serde_json::from_str::<&RawValue>(text).is_ok();
    let mut kept: Vec<(&str, String)> = Vec::new();
    for name in ATTRIBUTES {
        let Some(text) = field(name).filter(|text| !matches!(text.as_str(), "[]" | "{}" | "None")) else { continue };
        let json = if is_list(&text) { text } else { serde_json::to_string(&text).ok()? };
        kept.push((name, json));
    }
    loop {
        let members: Vec<String> = kept.iter().map(|(name, json)| format!("\"{name}\":{json}")).collect();
        let object = format!("{{{}}}", members.join(","));
        if kept.is_empty() {
            return None;
        }
        if object.len() <= ATTRIBUTES_BYTES_MAX {
            return super::event_line::object("attributes", &object).ok();
        }
        let longest = kept.iter().enumerate().max_by_key(|(_, (_, json))| json.len()).map_or(0, |(place, _)| place);
        kept.remove(longest);
    }
}

/// The elements of an array, one after the other, for as long as they are wanted.
struct Each<F>(F);

impl<'de, F: FnMut(Box<RawValue>) -> bool> Visitor<'de> for Each<F> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an array of rows")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut elements: A) -> Result<(), A::Error> {
        while let Some(element) = elements.next_element::<Box<RawValue>>()? {
            if !(self.0)(element) {
                return Err(serde::de::Error::custom("stopped"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str, service: Option<&str>) -> Result<Vec<Result<String, String>>, String> {
        let mut found = Vec::new();
        let mut input = text.as_bytes();
        let mapping = Mapping { service: service.map(Box::from), ..Mapping::default() };
        let mut take = |row: Result<Row, BadRow>| {
            found.push(row.map(|row| row.json).map_err(|bad| format!("{}: {}", bad.number, bad.reason)));
            Ok(())
        };
        read(&mut input, &mapping, &mut take).map_err(|error| error.to_string())?;
        Ok(found)
    }

    const ROW: &str = r#"{"request_id":"chatcmpl-1","call_type":"acompletion","api_key":"88dc28","spend":1.5e-05,"total_tokens":30,
        "prompt_tokens":10,"completion_tokens":20,"startTime":"2026-11-02T10:00:00.125Z","endTime":"2026-11-02T10:00:01.375000+00:00",
        "model":"gpt-4o-mini","model_group":"fast","custom_llm_provider":"openai","user":"default_user_id","metadata":{"a":[1]},
        "cache_hit":"False","request_tags":["team:a"],"end_user":null,"messages":{},"response":{},"status":"success"}"#;
    const EVENT: &str = r#"{"id":"chatcmpl-1","source":"litellm","service":"openai","operation":"acompletion","amount_usd":"1.5e-05","time":"2026-11-02T10:00:00.125Z","model":"gpt-4o-mini","usage":{"input_tokens":10,"output_tokens":20},"duration_seconds":1250e-3,"attributes":{"model_group":"fast","user":"default_user_id","cache_hit":"False","request_tags":["team:a"]}}"#;

    #[test]
    fn an_answer_in_every_shape_becomes_the_same_event() {
        let line = ROW.replace('\n', " ");
        for text in [
            format!("[{ROW}]"),
            format!("\u{feff} [ {ROW} ]\n"),
            ROW.to_owned(),
            format!("{line}\n"),
            format!(r#"{{"data":[{ROW}],"total":1}}"#),
        ] {
            assert_eq!(rows(&text, None).unwrap(), [Ok(EVENT.to_owned())], "{text}");
        }
        let both = format!("{line}\n{}\n", line.replace("chatcmpl-1", "chatcmpl-2"));
        assert_eq!(rows(&both, Some("proxy")).unwrap().len(), 2);
        assert!(rows(&both, Some("proxy")).unwrap()[1].as_ref().unwrap().contains(r#""service":"proxy""#));
    }

    #[test]
    fn the_table_as_csv_is_read_by_its_column_names() {
        let text = "request_id,spend,startTime,endTime,model,status,request_tags,prompt_tokens\n\
            a,0.002,2026-11-02 10:00:00.5,2026-11-02 10:00:01,m,failure,\"[\"\"x\"\"]\",0\n";
        let found = rows(text, None).unwrap();
        assert_eq!(
            found,
            [Ok(r#"{"id":"a","source":"litellm","service":"litellm","amount_usd":"0.002","time":"2026-11-02T10:00:00.5Z","model":"m","duration_seconds":500e-3,"outcome":"error","attributes":{"request_tags":["x"]}}"#
                .to_owned())]
        );
    }

    #[test]
    fn odd_rows_are_told_and_hold_up_no_other() {
        let summary = r#"{"startTime":"2026-11-02","spend":1,"models":{"m":1}}"#;
        let text = format!(r#"[{summary},7,{{"request_id":"a","spend":null,"startTime":"2026-11-02"}},{ROW}]"#);
        let found = rows(&text, None).unwrap();
        assert!(found[0].as_ref().unwrap_err().contains("summarize=false"), "{found:?}");
        assert_eq!(found[1].as_ref().unwrap_err(), "2: is not a JSON object");
        assert_eq!(found[2].as_ref().unwrap_err(), "3: has no spend");
        assert_eq!(found[3].as_deref(), Ok(EVENT));
    }

    #[test]
    fn what_is_cut_off_is_told_after_the_rows_before() {
        for text in [format!("[{ROW},{}", &ROW[..50]), format!("[{ROW}"), "[".to_owned(), format!("[{ROW}] x")] {
            assert!(rows(&text, None).unwrap_err().contains("not valid JSON"), "{text}");
        }
        assert!(rows("a,b\n1,2\n", None).unwrap_err().contains("request_id"));
        assert_eq!(rows("", None).unwrap(), []);
    }

    #[test]
    fn attributes_beyond_the_bound_lose_their_longest() {
        let tags = format!(r#"["{}"]"#, "x".repeat(5_000));
        let text = ROW.replace(r#"["team:a"]"#, &tags);
        let json = rows(&text, None).unwrap().remove(0).unwrap();
        assert!(json.contains(r#""user":"default_user_id""#) && !json.contains("xxx"), "{json}");
    }
}
