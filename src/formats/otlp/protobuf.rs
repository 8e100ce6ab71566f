//! OTLP as protocol buffers: a body is walked through as it comes, and of each span or log only what calls are found by is read.
//!
//! The messages for traces, logs and metrics have the same outer layers under the same numbers: the body, a resource with its scopes,
//! a scope with its items (<https://github.com/open-telemetry/opentelemetry-proto>). Decoding all of it into values would take most of
//! the time, for the few items that are calls.
//!
//! *Invariants.* Nothing is copied of an item that is no call. Fields that are not known are passed over.

use std::io::BufRead;

use super::super::CallError;
use super::collect::Collector;
use super::record::{Attributes, Ids, Record, STATUS_ERROR, Signal, Value};
use super::stream::{End, Next, Stream};
use super::wire::{Content, Fields, WireError};
use crate::domain::{SpanId, TraceId};

/// Reads a body to its end.
pub(super) fn read(body: &mut dyn BufRead, collector: &mut Collector<'_>) -> Result<(), CallError> {
    let mut stream = Stream::new(body);
    while let Some(next) = stream.next(None)? {
        match next {
            Next::Bytes(1, bytes) => {
                let end = stream.end_of(bytes);
                read_resource(&mut stream, end, collector)?;
            }
            Next::Bytes(_, bytes) => stream.pass(bytes)?,
            Next::Number => {}
        }
    }
    Ok(())
}

/// `ResourceSpans` and its like.
fn read_resource(stream: &mut Stream<'_>, end: End, collector: &mut Collector<'_>) -> Result<(), CallError> {
    collector.begin_resource();
    while let Some(next) = stream.next(end)? {
        match next {
            Next::Bytes(1, bytes) => {
                let mut fields = Fields(stream.take(bytes)?);
                let mut attributes = Attributes::default();
                while let Some((number, content)) = fields.next()? {
                    if number == 1 {
                        read_attribute(content.bytes(1)?, &mut attributes, |name| collector.wants_of_resource(name))?;
                    }
                }
                collector.resource(&attributes);
            }
            Next::Bytes(2, bytes) => {
                let end = stream.end_of(bytes);
                read_scope(stream, end, collector)?;
            }
            Next::Bytes(_, bytes) => stream.pass(bytes)?,
            Next::Number => {}
        }
    }
    collector.end_resource();
    Ok(())
}

/// `ScopeSpans` and its like.
fn read_scope(stream: &mut Stream<'_>, end: End, collector: &mut Collector<'_>) -> Result<(), CallError> {
    collector.begin_scope();
    while let Some(next) = stream.next(end)? {
        match next {
            Next::Bytes(1, bytes) => {
                let mut fields = Fields(stream.take(bytes)?);
                let mut name = String::new();
                while let Some((number, content)) = fields.next()? {
                    if number == 1 {
                        name = String::from_utf8_lossy(content.bytes(1)?).into_owned();
                    }
                }
                collector.scope(&name)?;
            }
            Next::Bytes(2, bytes) => {
                let item = stream.take(bytes)?;
                match collector.signal() {
                    Signal::Spans => read_span(item, collector)?,
                    Signal::Logs => read_log(item, collector)?,
                    Signal::Metrics => collector.points(points(item)?),
                }
            }
            Next::Bytes(_, bytes) => stream.pass(bytes)?,
            Next::Number => {}
        }
    }
    collector.end_scope()
}

fn read_span(item: &[u8], collector: &mut Collector<'_>) -> Result<(), CallError> {
    let mut fields = Fields(item);
    let mut ids = Ids::default();
    let mut may_be_call = false;
    while let Some((number, content)) = fields.next()? {
        match number {
            1 => ids.trace = TraceId::from_bytes(content.bytes(1)?),
            2 => ids.span = SpanId::from_bytes(content.bytes(2)?),
            4 => ids.parent = SpanId::from_bytes(content.bytes(4)?),
            9 => {
                let attribute = content.bytes(9)?;
                may_be_call = may_be_call || collector.is_telling(name_of(attribute)?);
            }
            _ => {}
        }
    }
    if !may_be_call {
        collector.other_span(ids);
        return Ok(());
    }
    let mut record = Record { ids, ..Record::default() };
    let mut fields = Fields(item);
    while let Some((number, content)) = fields.next()? {
        match number {
            5 => record.name = String::from_utf8_lossy(content.bytes(5)?),
            6 => record.kind = content.number(6)?,
            7 => record.start_ns = content.fixed64(7)?,
            8 => record.end_ns = content.fixed64(8)?,
            9 => read_attribute(content.bytes(9)?, &mut record.attributes, |name| collector.wants(name))?,
            15 => {
                let mut status = Fields(content.bytes(15)?);
                while let Some((number, content)) = status.next()? {
                    if number == 3 {
                        record.has_failed = content.number(3)? == STATUS_ERROR;
                    }
                }
            }
            _ => {}
        }
    }
    collector.record(record)
}

fn read_log(item: &[u8], collector: &mut Collector<'_>) -> Result<(), CallError> {
    let mut record = Record::default();
    let (mut observed_ns, mut may_be_call) = (0, false);
    let mut fields = Fields(item);
    while let Some((number, content)) = fields.next()? {
        match number {
            1 => record.end_ns = content.fixed64(1)?,
            5 => {
                if let Some(Value::Text(text)) = value_of(content.bytes(5)?)? {
                    record.body = text;
                }
            }
            6 => {
                let attribute = content.bytes(6)?;
                may_be_call = may_be_call || collector.is_telling(name_of(attribute)?);
            }
            9 => record.ids.trace = TraceId::from_bytes(content.bytes(9)?),
            10 => record.ids.span = SpanId::from_bytes(content.bytes(10)?),
            11 => observed_ns = content.fixed64(11)?,
            12 => record.name = String::from_utf8_lossy(content.bytes(12)?),
            _ => {}
        }
    }
    if !may_be_call {
        collector.other_log();
        return Ok(());
    }
    if record.end_ns == 0 {
        record.end_ns = observed_ns;
    }
    let mut fields = Fields(item);
    while let Some((number, content)) = fields.next()? {
        if number == 6 {
            read_attribute(content.bytes(6)?, &mut record.attributes, |name| collector.wants(name))?;
        }
    }
    collector.record(record)
}

/// How many points a metric has.
fn points(item: &[u8]) -> Result<usize, WireError> {
    let mut count = 0;
    let mut fields = Fields(item);
    while let Some((number, content)) = fields.next()? {
        // Gauge, sum, histogram, exponential histogram, summary.
        if matches!(number, 5 | 7 | 9 | 10 | 11) {
            let mut points = Fields(content.bytes(number)?);
            while let Some((number, _)) = points.next()? {
                count += usize::from(number == 1);
            }
        }
    }
    Ok(count)
}

/// The name of an attribute (`KeyValue`).
#[inline]
fn name_of(attribute: &[u8]) -> Result<&[u8], WireError> {
    let mut fields = Fields(attribute);
    while let Some((number, content)) = fields.next()? {
        if number == 1 {
            return content.bytes(1);
        }
    }
    Ok(&[])
}

/// Adds an attribute that is wanted by its name.
fn read_attribute<'a>(
    attribute: &'a [u8],
    attributes: &mut Attributes<'a>,
    wants: impl Fn(&str) -> bool,
) -> Result<(), WireError> {
    let Ok(name) = std::str::from_utf8(name_of(attribute)?) else { return Ok(()) };
    if !wants(name) {
        return Ok(());
    }
    let mut fields = Fields(attribute);
    while let Some((number, content)) = fields.next()? {
        if number == 2
            && let Some(value) = value_of(content.bytes(2)?)?
        {
            attributes.add(name, value);
        }
    }
    Ok(())
}

/// A value (`AnyValue`) that is not made of others; `None` of one that is, or of none at all. The last one counts, as for all fields of which
/// there may be one.
fn value_of(bytes: &[u8]) -> Result<Option<Value<'_>>, WireError> {
    let mut value = None;
    let mut fields = Fields(bytes);
    while let Some((number, content)) = fields.next()? {
        value = match (number, content) {
            (1, Content::Bytes(text)) => Some(Value::Text(String::from_utf8_lossy(text))),
            (2, Content::Varint(bool)) => Some(Value::Bool(bool != 0)),
            (3, Content::Varint(int)) => Some(Value::Int(int.cast_signed())),
            (4, Content::Fixed64(bits)) => Some(Value::Double(f64::from_bits(bits))),
            (1..=4, _) => return Err(WireError::OtherType(number)),
            (5..=7, _) => None,
            _ => value,
        };
    }
    Ok(value)
}
