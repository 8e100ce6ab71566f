//! OTLP as JSON: the same messages by the mapping of proto3 to JSON, with ids in hexadecimal digits
//! (<https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding>).
//!
//! Names are taken in both spellings, whole numbers and enumerations as number or text, and `null` as nothing, as that mapping asks. What is
//! not known is passed over.
//!
//! *Limits.* Depth: what `serde_json` allows. One item at a time is in memory.

use std::io::{BufRead, BufReader};

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::super::CallError;
use super::collect::Collector;
use super::record::{Attributes, KIND_SERVER, Record, STATUS_ERROR, Signal, Value};
use super::scalar::{AnyValue, Scalar};
use crate::domain::{SpanId, TraceId};

/// Bytes that are taken from the body at a time.
const READ_BYTES: usize = 64 << 10;

/// Reads a body to its end.
pub(super) fn read(body: &mut dyn BufRead, collector: &mut Collector<'_>) -> Result<(), CallError> {
    let mut state = State { collector, stop: None };
    let mut json = serde_json::Deserializer::from_reader(BufReader::with_capacity(READ_BYTES, body));
    let read = Object(&mut Body(&mut state)).deserialize(&mut json).and_then(|()| json.end());
    match (state.stop, read) {
        (Some(stop), _) => Err(stop),
        (None, Ok(())) => Ok(()),
        (None, Err(error)) if error.is_io() => Err(CallError::Body(error.into())),
        (None, Err(error)) => Err(CallError::Malformed(format!("The body is not OTLP in JSON: {error}"))),
    }
}

struct State<'x, 's> {
    collector: &'x mut Collector<'s>,
    /// Why reading is to stop, where it is not for the JSON.
    stop: Option<CallError>,
}

/// An object that is read member by member.
trait Members {
    fn begin(&mut self) {}

    fn member<'de, A: MapAccess<'de>>(&mut self, name: &str, values: &mut A) -> Result<(), A::Error>;

    fn end<E: Error>(&mut self) -> Result<(), E> {
        Ok(())
    }
}

/// One such object, or `null`.
struct Object<'m, M>(&'m mut M);

/// A list of them, or `null`.
struct List<'m, M>(&'m mut M);

struct Body<'x, 'y, 's>(&'x mut State<'y, 's>);
struct Resource<'x, 'y, 's>(&'x mut State<'y, 's>);
struct Scope<'x, 'y, 's>(&'x mut State<'y, 's>);

/// A span, a log record or a metric.
struct Item<'x, 'y, 's> {
    state: &'x mut State<'y, 's>,
    record: Record<'static>,
    observed_ns: u64,
    may_be_call: bool,
    points: usize,
}

/// Attributes, of which a function says which are wanted.
struct Named<'a, F> {
    attributes: &'a mut Attributes<'static>,
    wants: F,
    name: Option<String>,
    value: Option<Value<'static>>,
}

/// What is inside a message of few members.
struct Inner<'a>(&'a [&'a str], Scalar);

/// The points of a metric, counted.
struct Points<'a>(&'a mut usize);

impl State<'_, '_> {
    fn pass<E: Error>(&mut self, outcome: Result<(), CallError>) -> Result<(), E> {
        outcome.map_err(|error| {
            self.stop = Some(error);
            E::custom("stopped")
        })
    }
}

impl Members for Body<'_, '_, '_> {
    fn member<'de, A: MapAccess<'de>>(&mut self, name: &str, values: &mut A) -> Result<(), A::Error> {
        match name {
            "resourceSpans" | "resource_spans" | "resourceLogs" | "resource_logs" | "resourceMetrics"
            | "resource_metrics" => values.next_value_seed(List(&mut Resource(self.0))),
            _ => values.next_value::<IgnoredAny>().map(|_| ()),
        }
    }
}

impl Members for Resource<'_, '_, '_> {
    fn begin(&mut self) {
        self.0.collector.begin_resource();
    }

    fn member<'de, A: MapAccess<'de>>(&mut self, name: &str, values: &mut A) -> Result<(), A::Error> {
        match name {
            "resource" => {
                let mut attributes = Attributes::default();
                let collector = &*self.0.collector;
                let wants = |name: &str| collector.wants_of_resource(name);
                values.next_value_seed(Object(&mut Holder(Named {
                    attributes: &mut attributes,
                    wants,
                    name: None,
                    value: None,
                })))?;
                self.0.collector.resource(&attributes);
                Ok(())
            }
            "scopeSpans" | "scope_spans" | "scopeLogs" | "scope_logs" | "scopeMetrics" | "scope_metrics" => {
                values.next_value_seed(List(&mut Scope(self.0)))
            }
            _ => values.next_value::<IgnoredAny>().map(|_| ()),
        }
    }

    fn end<E: Error>(&mut self) -> Result<(), E> {
        self.0.collector.end_resource();
        Ok(())
    }
}

/// A message that holds attributes.
struct Holder<'a, F>(Named<'a, F>);

impl<F: Fn(&str) -> bool> Members for Holder<'_, F> {
    fn member<'de, A: MapAccess<'de>>(&mut self, name: &str, values: &mut A) -> Result<(), A::Error> {
        match name {
            "attributes" => values.next_value_seed(List(&mut self.0)),
            _ => values.next_value::<IgnoredAny>().map(|_| ()),
        }
    }
}

impl Members for Scope<'_, '_, '_> {
    fn begin(&mut self) {
        self.0.collector.begin_scope();
    }

    fn member<'de, A: MapAccess<'de>>(&mut self, name: &str, values: &mut A) -> Result<(), A::Error> {
        match name {
            "scope" => {
                let mut inner = Inner(&["name"], Scalar::Other);
                values.next_value_seed(Object(&mut inner))?;
                let outcome = self.0.collector.scope(&inner.1.text());
                self.0.pass(outcome)
            }
            "spans" | "logRecords" | "log_records" | "metrics" => values.next_value_seed(List(&mut Item::new(self.0))),
            _ => values.next_value::<IgnoredAny>().map(|_| ()),
        }
    }

    fn end<E: Error>(&mut self) -> Result<(), E> {
        let outcome = self.0.collector.end_scope();
        self.0.pass(outcome)
    }
}

impl<'x, 'y, 's> Item<'x, 'y, 's> {
    fn new(state: &'x mut State<'y, 's>) -> Self {
        Self { state, record: Record::default(), observed_ns: 0, may_be_call: false, points: 0 }
    }
}

impl Members for Item<'_, '_, '_> {
    fn begin(&mut self) {
        self.record = Record::default();
        (self.observed_ns, self.may_be_call, self.points) = (0, false, 0);
    }

    fn member<'de, A: MapAccess<'de>>(&mut self, name: &str, values: &mut A) -> Result<(), A::Error> {
        let record = &mut self.record;
        let mut scalar = || values.next_value::<Scalar>();
        match (name, self.state.collector.signal()) {
            ("traceId" | "trace_id", _) => record.ids.trace = TraceId::from_hex(&scalar()?.text()),
            ("spanId" | "span_id", _) => record.ids.span = SpanId::from_hex(&scalar()?.text()),
            ("parentSpanId" | "parent_span_id", _) => record.ids.parent = SpanId::from_hex(&scalar()?.text()),
            ("name", Signal::Spans) | ("eventName" | "event_name", Signal::Logs) => record.name = scalar()?.text(),
            ("kind", _) => record.kind = scalar()?.number(&[("SPAN_KIND_SERVER", KIND_SERVER)]),
            ("startTimeUnixNano" | "start_time_unix_nano", _) => record.start_ns = scalar()?.number(&[]),
            ("endTimeUnixNano" | "end_time_unix_nano" | "timeUnixNano" | "time_unix_nano", _) => {
                record.end_ns = scalar()?.number(&[]);
            }
            ("observedTimeUnixNano" | "observed_time_unix_nano", _) => self.observed_ns = scalar()?.number(&[]),
            ("body", Signal::Logs) => {
                if let Some(Value::Text(text)) = values.next_value::<AnyValue>()?.0 {
                    record.body = text;
                }
            }
            ("status", _) => {
                let mut inner = Inner(&["code"], Scalar::Other);
                values.next_value_seed(Object(&mut inner))?;
                record.has_failed = inner.1.number(&[("STATUS_CODE_ERROR", STATUS_ERROR)]) == STATUS_ERROR;
            }
            ("attributes", Signal::Spans | Signal::Logs) => {
                let (collector, telling) = (&*self.state.collector, &mut self.may_be_call);
                let telling = std::cell::Cell::from_mut(telling);
                let wants = |name: &str| {
                    telling.set(telling.get() || collector.is_telling(name.as_bytes()));
                    collector.wants(name)
                };
                let mut named = Named { attributes: &mut record.attributes, wants, name: None, value: None };
                values.next_value_seed(List(&mut named))?;
            }
            (
                "gauge" | "sum" | "histogram" | "exponentialHistogram" | "exponential_histogram" | "summary",
                Signal::Metrics,
            ) => values.next_value_seed(Object(&mut Points(&mut self.points)))?,
            _ => drop(values.next_value::<IgnoredAny>()?),
        }
        Ok(())
    }

    fn end<E: Error>(&mut self) -> Result<(), E> {
        let mut record = std::mem::take(&mut self.record);
        let collector = &mut self.state.collector;
        if record.end_ns == 0 {
            record.end_ns = self.observed_ns;
        }
        let outcome = match collector.signal() {
            Signal::Metrics => {
                collector.points(self.points);
                Ok(())
            }
            _ if self.may_be_call => collector.record(record),
            Signal::Spans => {
                collector.other_span(record.ids);
                Ok(())
            }
            Signal::Logs => {
                collector.other_log();
                Ok(())
            }
        };
        self.state.pass(outcome)
    }
}

impl<F: Fn(&str) -> bool> Members for Named<'_, F> {
    fn member<'de, A: MapAccess<'de>>(&mut self, name: &str, values: &mut A) -> Result<(), A::Error> {
        match name {
            "key" => self.name = Some(values.next_value::<Scalar>()?.text().into_owned()),
            "value" => self.value = values.next_value::<AnyValue>()?.0,
            _ => drop(values.next_value::<IgnoredAny>()?),
        }
        Ok(())
    }

    fn end<E: Error>(&mut self) -> Result<(), E> {
        if let Some(name) = self.name.take()
            && (self.wants)(&name)
            && let Some(value) = self.value.take()
        {
            self.attributes.add(name, value);
        }
        self.value = None;
        Ok(())
    }
}

impl Members for Inner<'_> {
    fn member<'de, A: MapAccess<'de>>(&mut self, name: &str, values: &mut A) -> Result<(), A::Error> {
        if self.0.contains(&name) {
            self.1 = values.next_value()?;
            return Ok(());
        }
        values.next_value::<IgnoredAny>().map(|_| ())
    }
}

impl Members for Points<'_> {
    fn member<'de, A: MapAccess<'de>>(&mut self, name: &str, values: &mut A) -> Result<(), A::Error> {
        match name {
            "dataPoints" | "data_points" => {
                *self.0 += values.next_value::<Option<Vec<IgnoredAny>>>()?.map_or(0, |points| points.len())
            }
            _ => drop(values.next_value::<IgnoredAny>()?),
        }
        Ok(())
    }
}

impl<'de, M: Members> DeserializeSeed<'de> for Object<'_, M> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, M: Members> Visitor<'de> for Object<'_, M> {
    type Value = ();

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        self.0.begin();
        while let Some(name) = map.next_key::<String>()? {
            self.0.member(&name, &mut map)?;
        }
        self.0.end()
    }
}

impl<'de, M: Members> DeserializeSeed<'de> for List<'_, M> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, M: Members> Visitor<'de> for List<'_, M> {
    type Value = ();

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a list of objects")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(Object(self.0))?.is_some() {}
        Ok(())
    }
}
