//! A call as a format found it to an event, or why it is none: under which key, for which service, at what cost.
//!
//! *Invariants.* What is known of the cost is never lost for something that matters less: a name that cannot be kept is left out, and the call
//! recorded without it. A call without a known cost is unpriced, never free.

use std::borrow::Cow;
use std::collections::BTreeSet;

use jiff::Timestamp;

use super::amount::check_charge;
use super::call::{Call, Ignored};
use super::call_settings::{CallSettings, CostFrom};
use super::limits::{ATTRIBUTES_BYTES_MAX, Limits, TEXT_BYTES_MAX, USAGE_COUNT_END, USAGE_NAMES_MAX};
use super::names::Names;
use crate::domain::{
    CostEvent, CostSource, EventKey, Kind, Name, OPERATION_DEFAULT, Origin, Outcome, RESPONSE_SOURCE, UsageCount, Usd, Zero,
    check_text, check_visible,
};
use crate::pricing::{Book, Query, Rated};

/// The source of ids that are made of a trace's and a span's.
const SPAN_SOURCE: &str = "span";
/// What the roads of LiteLLM's callbacks have in their names.
const LITELLM: &str = "litellm";
/// The provider whose API others speak too, so that its clients' tracers take them for it.
const COMPATIBLE_API: &str = "openai";
/// Who sells its models under their own names, through the same client.
const RESELLER: &str = "azure";
/// Answers of the book that are kept while a body is read: looked through one by one, so only a few.
const PROVIDERS_KEPT_MAX: usize = 16;
/// The service of a call of which nobody knows the provider.
const SERVICE_UNKNOWN: &str = "unknown";

/// What becomes of something that may be a call.
#[derive(Clone, Debug, PartialEq)]
pub enum TakenCall {
    /// It is to be recorded.
    Event(Box<CostEvent>),
    /// Another road charges this provider's calls.
    ChargedElsewhere,
    /// It is no paid call.
    Ignored(Ignored),
    /// It cannot be recorded, and why.
    Rejected(String),
}

/// Makes events of the calls of one body.
pub struct CallRules<'r> {
    received_at: Timestamp,
    book: &'r Book,
    settings: &'r CallSettings,
    limits: &'r Limits,
    new_id: &'r mut dyn FnMut() -> Box<str>,
    names: Names,
    /// The providers of the calls before, by what was said of them: most calls of a body are of a few models, and the book tries many patterns.
    providers: Vec<KnownProvider<'r>>,
}

/// What the book says of a sender's word for a provider, if there was one, and a model.
struct KnownProvider<'r> {
    said: Option<Box<str>>,
    model: Box<str>,
    provider: Option<&'r str>,
}

/// What a call costs, and how that is known.
struct Cost {
    amount: Usd,
    source: CostSource,
}

impl<'r> CallRules<'r> {
    /// For a body that came at `received_at`. `new_id` is asked for the id of a call that has nothing of the kind.
    pub fn new(
        received_at: Timestamp,
        book: &'r Book,
        settings: &'r CallSettings,
        limits: &'r Limits,
        new_id: &'r mut dyn FnMut() -> Box<str>,
    ) -> Self {
        Self { received_at, book, settings, limits, new_id, names: Names::default(), providers: Vec::new() }
    }

    /// What becomes of a call.
    pub fn take(&mut self, call: &Call<'_>) -> TakenCall {
        if call.is_cache_hit {
            return TakenCall::Ignored(Ignored::CacheHit);
        }
        // What has a response's id was answered: a stream that broke off costs what had come of it.
        let is_answered = !call.response_id.is_empty() || !call.usage.is_empty();
        if call.has_failed && !is_answered && call.cost.is_none_or(|cost| cost == Usd::ZERO) {
            return TakenCall::Ignored(Ignored::Failed);
        }
        let provider = self.provider(call);
        if !self.settings.charges(&provider, &call.road) {
            return TakenCall::ChargedElsewhere;
        }
        match self.event(call, &provider) {
            Ok(event) => TakenCall::Event(Box::new(event)),
            Err(why) => TakenCall::Rejected(why),
        }
    }

    /// What the book says of a sender's word for a provider, and a model.
    fn in_book(&mut self, said: Option<&str>, model: &str) -> Option<&'r str> {
        let is_asked = |known: &&KnownProvider<'_>| known.said.as_deref() == said && *known.model == *model;
        if let Some(known) = self.providers.iter().find(is_asked) {
            return known.provider;
        }
        let provider = self.book.provider(said, model);
        if self.providers.len() == PROVIDERS_KEPT_MAX {
            self.providers.clear();
        }
        self.providers.push(KnownProvider { said: said.map(Box::from), model: model.into(), provider });
        provider
    }

    /// The provider by the book's name for it; else by the sender's, or whatever stands for it.
    fn provider(&mut self, call: &Call<'_>) -> Cow<'r, str> {
        let said = Some(&*call.provider).filter(|said| !said.is_empty());
        if let Some(known) = self.in_book(said, &call.model) {
            return Cow::Borrowed(known);
        }
        let otherwise = Some(&*call.service_otherwise).filter(|otherwise| !otherwise.is_empty());
        Cow::Owned(said.or(otherwise).unwrap_or(SERVICE_UNKNOWN).to_owned())
    }

    fn event(&mut self, call: &Call<'_>, provider: &str) -> Result<CostEvent, String> {
        let service = self.name("service", provider)?;
        let operation = if call.operation.is_empty() { OPERATION_DEFAULT } else { &call.operation };
        let operation = self.name("operation", operation)?;
        let time = self.time(call.end)?;
        let model = text(&call.model);
        let usage = self.usage(call)?;
        let cost = self.cost(call, provider, model.as_deref(), time, &usage)?;
        let origin = Origin {
            cost: cost.source,
            quality: call.quality,
            rank: call.rank,
            is_wrapper: call.is_wrapper,
            zero: if says_free(call) { Zero::Sure } else { call.zero },
            also_under: self.also_under(call, provider),
            span: call.span.clone(),
            links_below: call.links_below.clone(),
            ..Origin::of(&call.road)
        };
        Ok(CostEvent {
            key: self.key(call, provider),
            service,
            operation,
            amount: cost.amount,
            kind: Kind::Charge,
            time,
            time_given: call.end.is_some(),
            worker: text(&call.worker),
            batch_id: text(&call.batch_id),
            lead_id: text(&call.lead_id),
            model,
            usage,
            duration_seconds: call.duration_seconds.filter(|seconds| seconds.is_finite() && *seconds >= 0.0),
            outcome: if call.has_failed { Outcome::Error } else { Outcome::Ok },
            attributes: call.attributes.clone().filter(|attributes| attributes.len() <= ATTRIBUTES_BYTES_MAX),
            revision: 0,
            first_recorded_at: None,
            origin: Some(Box::new(origin)),
        })
    }

    fn name(&mut self, field: &str, text: &str) -> Result<Name, String> {
        let name = self.names.take(text).and_then(|name| check_visible(text).map(|()| name));
        name.map_err(|error| format!("{field} {error}"))
    }

    /// The key by which other roads know the call, too, as far as there is one.
    fn key(&mut self, call: &Call<'_>, provider: &str) -> EventKey {
        let bounded = |text: &str| -> Box<str> { shortened(text).into() };
        // What adds up several calls carries the id of one of them, which is not to be charged for all.
        let is_of_one = !call.is_wrapper || call.span.is_none();
        if is_of_one && !call.response_id.is_empty() {
            let source = response_source(self.response_provider(call, provider));
            return EventKey { source: bounded(&source), id: bounded(&call.response_id) };
        }
        if let Some(place) = &call.span {
            return EventKey { source: SPAN_SOURCE.into(), id: format!("{}-{}", place.trace, place.span).into() };
        }
        match &call.own_key {
            Some((source, id)) if !id.is_empty() => EventKey { source: bounded(source), id: bounded(id) },
            _ => EventKey { source: "".into(), id: (self.new_id)() },
        }
    }

    /// Whose ids those of its response are. LiteLLM says who was paid, which whoever asked it may not know: its calls stand under the maker of
    /// their model.
    fn response_provider<'p>(&mut self, call: &Call<'_>, provider: &'p str) -> &'p str
    where
        'r: 'p,
    {
        match self.in_book(None, &call.model) {
            Some(maker) if call.road.contains(LITELLM) => maker,
            None if call.provider.is_empty() => SERVICE_UNKNOWN,
            _ => provider,
        }
    }

    /// The other sources under which its response's id may stand, since roads name the provider of one call differently: LiteLLM's `openmeter`
    /// callback not at all, a client of a proxy or of a compatible API by the API that it speaks.
    fn also_under(&mut self, call: &Call<'_>, provider: &str) -> Vec<Box<str>> {
        if call.response_id.is_empty() {
            return Vec::new();
        }
        let own = self.response_provider(call, provider);
        let by_model = self.in_book(None, &call.model);
        let may_be_anybodys = call.provider.is_empty() || (provider == COMPATIBLE_API && by_model != Some(provider));
        let all = if may_be_anybodys { self.book.providers() } else { Vec::new() };
        let names = all.into_iter().chain([provider]).chain(by_model).chain([COMPATIBLE_API, RESELLER, SERVICE_UNKNOWN]);
        names.filter(|name| *name != own).map(|name| response_source(name).into()).collect()
    }

    fn time(&self, end: Option<Timestamp>) -> Result<Timestamp, String> {
        let time = end.unwrap_or(self.received_at);
        let age = self.received_at.duration_since(time);
        if age > self.limits.age_max {
            return Err(format!("it ended at {time}, which is too long ago"));
        }
        if age < -self.limits.ahead_max {
            return Err(format!("it ended at {time}, which is in the future"));
        }
        Ok(time)
    }

    fn usage(&mut self, call: &Call<'_>) -> Result<Vec<UsageCount>, String> {
        let mut usage: Vec<UsageCount> = Vec::with_capacity(call.usage.len().min(USAGE_NAMES_MAX));
        for (kind, count) in call.usage.iter().take(USAGE_NAMES_MAX) {
            if *count >= USAGE_COUNT_END {
                return Err(format!("{kind} must be below {USAGE_COUNT_END}"));
            }
            let kind = self.names.take(kind).map_err(|error| format!("usage {error}"))?;
            if usage.iter().all(|known| known.kind != kind) {
                usage.push(UsageCount { kind, count: *count });
            }
        }
        usage.sort_unstable_by(|left, right| left.kind.cmp(&right.kind));
        Ok(usage)
    }

    fn cost(
        &self,
        call: &Call<'_>,
        provider: &str,
        model: Option<&str>,
        time: Timestamp,
        usage: &[UsageCount],
    ) -> Result<Cost, String> {
        let told = match call.cost {
            Some(cost) => {
                // Held to the rules of an amount that a worker sends.
                let cost = check_charge(cost, self.limits.event_usd_max);
                Some(cost.map_err(|why| format!("its cost {why}"))?)
            }
            None => None,
        };
        // Where something was used, a zero is what a sender says that does not know the price, or did not have to pay it again.
        let told = told.filter(|_| !says_free(call)).map(|amount| Cost { amount, source: CostSource::Told });
        let rated = || {
            let model = model.filter(|_| !usage.is_empty())?;
            let attributes = call.attributes.as_deref();
            match self.book.rate(&Query { service: provider, model, time, usage, attributes }) {
                Rated::Priced { amount, price } => Some(Cost { amount, source: CostSource::Priced(price) }),
                Rated::Unpriced => None,
            }
        };
        let cost = match self.settings.cost_from {
            CostFrom::Sender => told.or_else(rated),
            CostFrom::Prices => rated().or(told),
        };
        let cost = cost.unwrap_or(Cost { amount: Usd::ZERO, source: CostSource::Unpriced });
        if cost.amount > self.limits.event_usd_max {
            return Err(format!("it costs {} USD, more than an event may", cost.amount));
        }
        Ok(cost)
    }
}

/// The sources that calls of these providers may have: their ids are those of responses, or made of a trace's and a span's.
pub fn sources_of_calls<'n>(providers: impl Iterator<Item = &'n str>) -> BTreeSet<Box<str>> {
    let of_responses = providers.chain([SERVICE_UNKNOWN]).map(response_source);
    of_responses.chain([SPAN_SOURCE.to_owned()]).map(String::into_boxed_str).collect()
}

/// The source of the ids of a provider's responses.
fn response_source(provider: &str) -> String {
    [RESPONSE_SOURCE, provider].concat()
}

/// Whether the sender says that something was used and cost nothing.
fn says_free(call: &Call<'_>) -> bool {
    call.cost == Some(Usd::ZERO) && !call.usage.is_empty()
}

/// A text that is worth keeping; `None` if it cannot be.
fn text(text: &str) -> Option<Box<str>> {
    let is_fine = !text.is_empty() && check_text(text, TEXT_BYTES_MAX).and_then(|()| check_visible(text)).is_ok();
    is_fine.then(|| text.into())
}

/// A text within the bound of a key. Of a longer one, or one with control characters, a digest: what was different stays different.
fn shortened(text: &str) -> Cow<'_, str> {
    if check_text(text, TEXT_BYTES_MAX).is_ok() {
        return Cow::Borrowed(text);
    }
    let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    Cow::Owned(digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect())
}
