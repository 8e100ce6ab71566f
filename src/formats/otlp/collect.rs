//! What a body tells, put together: spans and logs with the scope and the resource they belong to, and calls with the spans above them.
//!
//! Neither encoding says that a scope's name comes before its spans, or a span before what lies below it; what needs them waits.
//!
//! *Invariants.* Each call goes to the sink once, when the body is over or the room for waiting ones.
//!
//! *Limits.* [`WAITING_BYTES_MAX`] of calls that wait for the body's end; [`EARLY_BYTES_MAX`] of records that wait for their scope's name.

use std::borrow::Cow;
use std::collections::HashSet;
use std::mem;

use uuid::Uuid;

use super::super::{CallError, CallSink};
use super::call::{Found, find};
use super::family::Family;
use super::members::{members, text_at};
use super::record::{Attributes, Ids, Record, Signal, kept};
use super::senders::is_known;
use crate::domain::{SpanId, SpanPlace};
use crate::ingest::{Call, Ignored};

/// Memory of calls that wait: thousands, while SDKs send some hundred spans at once.
const WAITING_BYTES_MAX: usize = 4 << 20;
/// Memory of records that wait for the name of their scope.
const EARLY_BYTES_MAX: usize = 4 << 20;
/// What a waiting call takes besides its texts.
const CALL_BYTES: usize = 1_024;

/// What the names of attributes begin with that tell of a call.
const TELLING: [&[u8]; 10] = [
    b"gen_ai.",
    b"llm.",
    b"ai.",
    b"langfuse.observation.",
    b"openinference.",
    b"event.name",
    b"operation.cost",
    b"usage.cost",
    b"mlflow.",
    b"genkit:",
];
/// Which instance of a program made a call, by its resource: the worker, unless an SDK has made up a UUID for the process. That would be a new
/// worker after each start.
const INSTANCE: &str = "service.instance.id";
/// The program: the worker where its instance does not say more.
const SERVICE: &str = "service.name";
/// Where tracers put what a program says of its calls in names of its own.
const OWN_NAMES: [&str; 6] = [
    "",
    "traceloop.association.properties.",
    "langsmith.metadata.",
    "lmnr.association.properties.metadata.",
    "langfuse.observation.metadata.",
    "langfuse.trace.metadata.",
];
/// Where OpenInference puts it, as a text in JSON.
const OWN_NAMES_IN_JSON: &str = "metadata";

/// Takes what is read of a body.
pub(super) struct Collector<'s> {
    sink: &'s mut dyn CallSink,
    signal: Signal,
    batch: OwnKey,
    lead: OwnKey,
    family: Family,
    waiting: Vec<Waiting>,
    waiting_bytes: usize,
    /// Calls of the resource that is being read begin here.
    resource_from: usize,
    resource: Resource,
    scope: Option<Box<str>>,
    early: Vec<Record<'static>>,
    early_bytes: usize,
    others: usize,
}

/// A name that an operator has chosen, and all those under which tracers tell it.
struct OwnKey {
    key: Box<str>,
    names: [Box<str>; OWN_NAMES.len()],
}

/// A call that waits for the body's end.
struct Waiting {
    call: Call<'static>,
    parent: Option<SpanId>,
}

/// What a resource says of its calls.
#[derive(Default)]
struct Resource {
    worker: String,
    batch_id: String,
    lead_id: String,
}

impl<'s> Collector<'s> {
    pub fn new(signal: Signal, sink: &'s mut dyn CallSink) -> Self {
        let (batch, lead) = (OwnKey::new(&sink.keys().batch), OwnKey::new(&sink.keys().lead));
        Self {
            sink,
            signal,
            batch,
            lead,
            family: Family::default(),
            waiting: Vec::new(),
            waiting_bytes: 0,
            resource_from: 0,
            resource: Resource::default(),
            scope: None,
            early: Vec::new(),
            early_bytes: 0,
            others: 0,
        }
    }

    pub fn signal(&self) -> Signal {
        self.signal
    }

    /// Whether an attribute of this name makes its record worth a closer look.
    #[inline]
    #[expect(clippy::unused_self, reason = "belongs to what a collector wants")]
    pub fn is_telling(&self, name: &[u8]) -> bool {
        // Most names of other spans differ from all of these in their first byte.
        matches!(name.first(), Some(b'g' | b'l' | b'a' | b'o' | b'e' | b'u' | b'm'))
            && TELLING.iter().any(|telling| name.starts_with(telling))
    }

    /// Whether an attribute of this name matters for a call.
    pub fn wants(&self, name: &str) -> bool {
        is_known(name) || name == OWN_NAMES_IN_JSON || self.batch.is_told_by(name) || self.lead.is_told_by(name)
    }

    /// Whether an attribute of a resource matters.
    pub fn wants_of_resource(&self, name: &str) -> bool {
        [INSTANCE, SERVICE].contains(&name) || *name == *self.batch.key || *name == *self.lead.key
    }

    pub fn begin_resource(&mut self) {
        self.resource = Resource::default();
        self.resource_from = self.waiting.len();
    }

    pub fn resource(&mut self, attributes: &Attributes<'_>) {
        let (instance, service) = (attributes.text(&[INSTANCE]), attributes.text(&[SERVICE]));
        let is_made_up = instance.is_empty() || Uuid::try_parse(&instance).is_ok();
        self.resource = Resource {
            worker: kept(if is_made_up && !service.is_empty() { &service } else { &instance }).into_owned(),
            batch_id: kept(&attributes.text(&[&self.batch.key])).into_owned(),
            lead_id: kept(&attributes.text(&[&self.lead.key])).into_owned(),
        };
    }

    pub fn end_resource(&mut self) {
        let resource = mem::take(&mut self.resource);
        for Waiting { call, .. } in self.waiting.iter_mut().skip(self.resource_from) {
            resource.complete(call);
        }
        self.resource_from = self.waiting.len();
    }

    pub fn begin_scope(&mut self) {
        self.scope = None;
    }

    /// The name of the scope, which the records told so far and those to come belong to.
    pub fn scope(&mut self, name: &str) -> Result<(), CallError> {
        self.scope = Some(kept(name).into());
        self.early_bytes = 0;
        mem::take(&mut self.early).into_iter().try_for_each(|record| self.take(&record))
    }

    pub fn end_scope(&mut self) -> Result<(), CallError> {
        self.scope("")
    }

    /// A span or log that may be a call.
    pub fn record(&mut self, record: Record<'_>) -> Result<(), CallError> {
        if self.signal == Signal::Spans {
            self.family.add(record.ids);
        }
        if self.scope.is_none() && self.early_bytes < EARLY_BYTES_MAX {
            let record = record.into_owned();
            self.early_bytes += record.bytes();
            self.early.push(record);
            return Ok(());
        }
        self.take(&record)
    }

    /// A span that is no call.
    #[inline]
    pub fn other_span(&mut self, ids: Ids) {
        self.family.add(ids);
        self.others += 1;
    }

    /// A log that is no call.
    pub fn other_log(&mut self) {
        self.others += 1;
    }

    /// Points of a metric.
    pub fn points(&mut self, count: usize) {
        self.others += count;
    }

    /// The body is over.
    pub fn finish(mut self) -> Result<(), CallError> {
        self.release()?;
        let why = if self.signal == Signal::Metrics { Ignored::Metric } else { Ignored::NotACall };
        self.sink.ignore(why, self.others);
        Ok(())
    }

    fn take(&mut self, record: &Record<'_>) -> Result<(), CallError> {
        let mut call = match find(record, self.signal, self.scope.as_deref().unwrap_or_default()) {
            Ok(Found::Call(call)) => *call,
            Ok(Found::Other) => {
                self.others += 1;
                return Ok(());
            }
            Err(why) => {
                self.sink.reject(&|| why.clone());
                return Ok(());
            }
        };
        call.batch_id = self.batch.of(&record.attributes);
        call.lead_id = self.lead.of(&record.attributes);
        self.waiting_bytes += CALL_BYTES
            + [&call.road, &call.model, &call.response_id, &call.worker].map(|text| text.len()).iter().sum::<usize>();
        self.waiting.push(Waiting { call, parent: record.ids.parent });
        if self.waiting_bytes > WAITING_BYTES_MAX { self.release() } else { Ok(()) }
    }

    /// Hands on all calls that wait, with what is known by now.
    fn release(&mut self) -> Result<(), CallError> {
        self.waiting_bytes = 0;
        let waiting = mem::take(&mut self.waiting);
        let from = mem::take(&mut self.resource_from);
        let traces: HashSet<_> = waiting.iter().filter_map(|waiting| Some(waiting.call.span.as_ref()?.trace)).collect();
        let relatives = self.family.of(&traces);
        for (at, Waiting { mut call, parent }) in waiting.into_iter().enumerate() {
            if at >= from {
                self.resource.complete(&mut call);
            }
            if let Some(SpanPlace { trace, span, .. }) = call.span {
                call.span = Some(relatives.place(trace, span, parent));
                call.links_below = relatives.links_below(trace, span);
            }
            self.sink.call(&call)?;
        }
        Ok(())
    }
}

impl OwnKey {
    fn new(key: &str) -> Self {
        Self { key: key.into(), names: OWN_NAMES.map(|before| [before, key].concat().into()) }
    }

    fn is_told_by(&self, name: &str) -> bool {
        name.ends_with(&*self.key) && self.names.iter().any(|known| **known == *name)
    }

    /// What a call says under it.
    fn of(&self, attributes: &Attributes<'_>) -> Cow<'static, str> {
        let said = self.names.iter().find_map(|name| Some(attributes.get(name)?.to_text()).filter(|said| !said.is_empty()));
        if let Some(said) = said {
            return kept(&said);
        }
        let json = attributes.text(&[OWN_NAMES_IN_JSON]);
        members(&json).and_then(|members| text_at(&members, &[&self.key])).map_or(Cow::Borrowed(""), |said| kept(&said))
    }
}

impl Resource {
    /// Puts in what the call itself does not say.
    fn complete(&self, call: &mut Call<'static>) {
        for (mine, theirs) in
            [(&mut call.worker, &self.worker), (&mut call.batch_id, &self.batch_id), (&mut call.lead_id, &self.lead_id)]
        {
            if mine.is_empty() && !theirs.is_empty() {
                *mine = theirs.clone().into();
            }
        }
    }
}
