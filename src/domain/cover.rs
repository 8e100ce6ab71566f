//! What a budget looks at: the six things that an event or a question may say of itself, and which values of them it covers.
//!
//! *Invariants.* Values are compared without regard to letter case (see [`Folded`](super::Folded)). What says nothing of a facet is
//! covered by no condition on that facet, `*` included.
//!
//! *Limits.* [`PATTERNS_MAX`] for a facet, [`PATTERN_BYTES_MAX`] each.

use std::borrow::Cow;
use std::fmt::Write;

use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr, VariantArray};

use super::{CostEvent, Name, ReservationRequest, fold_text, matches};

/// Patterns that a budget may have for one facet.
pub const PATTERNS_MAX: usize = 100;
/// Longest pattern, in bytes of UTF-8: as long as the longest value.
pub const PATTERN_BYTES_MAX: usize = 200;

/// Something that an event may say of itself, and that budgets look at.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, EnumString, IntoStaticStr, VariantArray,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Facet {
    /// The paid service.
    Service,
    /// What it is asked to do.
    Operation,
    /// The process that makes the call.
    Worker,
    /// The batch of work.
    Batch,
    /// The lead it is for.
    Lead,
    /// The model that is used.
    Model,
}

/// What an event, or somebody who asks, says of itself.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The paid service.
    pub service: &'a Name,
    /// What it is asked to do.
    pub operation: &'a Name,
    /// The process that makes the call.
    pub worker: Option<&'a str>,
    /// The batch of work.
    pub batch: Option<&'a str>,
    /// The lead it is for.
    pub lead: Option<&'a str>,
    /// The model that is used.
    pub model: Option<&'a str>,
}

/// The same without regard to letter case.
#[derive(Clone, Debug)]
pub struct FoldedSubject<'a>([Option<Cow<'a, str>>; Facet::VARIANTS.len()]);

/// A text in which `*` stands for any text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pattern {
    folded: Box<str>,
    written: Box<str>,
}

/// What a budget covers: for each facet nothing, which covers whatever it is, or patterns of which one must match.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Cover {
    patterns: [Box<[Pattern]>; Facet::VARIANTS.len()],
    /// The facets with patterns, a bit for each. Nearly all covers ask for one or none.
    asked: u8,
}

impl Facet {
    /// The word used in settings and JSON.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl<'a> Subject<'a> {
    /// The same without regard to letter case.
    pub fn folded(&self) -> FoldedSubject<'a> {
        let Self { service, operation, worker, batch, lead, model } = *self;
        let said = [Some(service.as_str()), Some(operation.as_str()), worker, batch, lead, model];
        // An empty text says nothing.
        FoldedSubject(said.map(|text| text.filter(|text| !text.is_empty()).map(fold_text)))
    }
}

impl FoldedSubject<'_> {
    /// What is said of a facet, folded.
    pub fn get(&self, facet: Facet) -> Option<&str> {
        self.0[facet as usize].as_deref()
    }
}

impl Pattern {
    /// Reads one.
    pub fn new(text: &str) -> Self {
        Self { folded: fold_text(text).into(), written: text.into() }
    }

    /// The name that alone matches it, as it was written, if no `*` is in it.
    pub fn literal(&self) -> Option<&str> {
        (!self.written.contains('*')).then_some(&*self.written)
    }

    /// Whether a text that is folded matches.
    pub fn matches_folded(&self, text: &str) -> bool {
        matches(&self.folded, text)
    }

    /// The pattern, as it was written.
    pub fn as_str(&self) -> &str {
        &self.written
    }
}

impl Cover {
    /// One that covers a service, in any letter case.
    pub fn of_service(service: &Name) -> Self {
        Self::default().with(Facet::Service, [Pattern::new(service.as_str())])
    }

    /// The same with these patterns for a facet.
    #[must_use]
    pub fn with(mut self, facet: Facet, patterns: impl IntoIterator<Item = Pattern>) -> Self {
        let mut patterns: Vec<_> = patterns.into_iter().collect();
        patterns.sort();
        patterns.dedup_by(|one, other| one.folded == other.folded);
        let bit = 1 << facet as u8;
        self.asked = if patterns.is_empty() { self.asked & !bit } else { self.asked | bit };
        self.patterns[facet as usize] = patterns.into();
        self
    }

    /// Whether it covers everything.
    pub fn is_everything(&self) -> bool {
        self.asked == 0
    }

    /// The patterns for a facet, ordered; none cover whatever it is.
    pub fn patterns(&self, facet: Facet) -> &[Pattern] {
        &self.patterns[facet as usize]
    }

    /// Whether it covers this.
    pub fn covers(&self, subject: &FoldedSubject<'_>) -> bool {
        let mut asked = self.asked;
        while asked != 0 {
            let at = asked.trailing_zeros() as usize;
            asked &= asked - 1;
            let Some(text) = subject.0[at].as_deref() else { return false };
            if !self.patterns[at].iter().any(|pattern| pattern.matches_folded(text)) {
                return false;
            }
        }
        true
    }

    /// Under which key this counts: what it says of `each`, empty where there is one limit for all; `None` where it does not count.
    pub fn key_of<'s>(&self, each: Option<Facet>, subject: &'s FoldedSubject<'_>) -> Option<&'s str> {
        if !self.covers(subject) {
            return None;
        }
        each.map_or(Some(""), |facet| subject.get(facet))
    }

    /// The one service that it covers, as it was written, if it names one.
    pub fn service(&self) -> Option<&str> {
        match self.patterns(Facet::Service) {
            [service] => service.literal(),
            _ => None,
        }
    }

    /// How people are told what it covers: the service where one is all it asks for, else the patterns of each facet that it asks for.
    pub fn told(&self) -> (Option<&str>, Vec<(Facet, &[Pattern])>) {
        let asked = Facet::VARIANTS.iter().map(|facet| (*facet, self.patterns(*facet)));
        let asked: Vec<_> = asked.filter(|(_, patterns)| !patterns.is_empty()).collect();
        match (self.service(), asked.len()) {
            (Some(service), 1) => (Some(service), Vec::new()),
            _ => (None, asked),
        }
    }

    /// One text for all covers that cover the same: a JSON object.
    pub fn definition(&self) -> String {
        let mut text = String::from("{");
        for facet in Facet::VARIANTS.iter().filter(|facet| !self.patterns(**facet).is_empty()) {
            let patterns: Vec<&str> = self.patterns(*facet).iter().map(|pattern| &*pattern.folded).collect();
            let separator = if text.len() > 1 { "," } else { "" };
            // A list of texts always serializes, and a String can always be written to.
            let patterns = serde_json::to_string(&patterns).unwrap_or_default();
            let _ = write!(text, "{separator}\"{}\":{patterns}", facet.as_str());
        }
        text.push('}');
        text
    }
}

impl CostEvent {
    /// What budgets look at.
    pub fn subject(&self) -> Subject<'_> {
        Subject {
            service: &self.service,
            operation: &self.operation,
            worker: self.worker.as_deref(),
            batch: self.batch_id.as_deref(),
            lead: self.lead_id.as_deref(),
            model: self.model.as_deref(),
        }
    }
}

impl ReservationRequest {
    /// What budgets look at.
    pub fn subject(&self) -> Subject<'_> {
        let [worker, batch, lead] = self.attributed_to();
        Subject { service: &self.service, operation: &self.operation, worker, batch, lead, model: self.model.as_deref() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covers(cover: &Cover, lead: Option<&str>, model: Option<&str>) -> bool {
        let (service, operation) = (Name::new("OpenAI").unwrap(), Name::new("chat").unwrap());
        let subject = Subject { service: &service, operation: &operation, worker: None, batch: None, lead, model };
        cover.covers(&subject.folded())
    }

    fn patterns(texts: &[&str]) -> Vec<Pattern> {
        texts.iter().map(|text| Pattern::new(text)).collect()
    }

    #[test]
    fn every_condition_must_hold_and_of_its_patterns_one() {
        let cover = Cover::default().with(Facet::Service, patterns(&["anthropic", "OPENAI"]));
        assert!(covers(&cover, None, None));
        let cover = cover.with(Facet::Model, patterns(&["gpt-*", "o?"]));
        assert!(covers(&cover, None, Some("GPT-5")));
        assert!(!covers(&cover, None, Some("o3")));
        assert!(!covers(&cover.with(Facet::Operation, patterns(&["embeddings"])), None, Some("gpt-5")));
        assert!(covers(&Cover::default(), None, None) && Cover::default().is_everything());
    }

    #[test]
    fn what_says_nothing_is_not_covered_even_by_a_star() {
        let any_lead = Cover::default().with(Facet::Lead, patterns(&["*"]));
        assert!(covers(&any_lead, Some("x"), None));
        assert!(!covers(&any_lead, None, None));
        assert!(!covers(&any_lead, Some(""), None));
    }

    #[test]
    fn covers_of_the_same_have_one_definition() {
        let one = Cover::default().with(Facet::Lead, patterns(&["b*", "A"])).with(Facet::Service, patterns(&["x\"y"]));
        let other =
            Cover::default().with(Facet::Service, patterns(&["X\"y"])).with(Facet::Lead, patterns(&["a", "B*", "a"]));
        assert_eq!(one.definition(), other.definition());
        assert_eq!(one.definition(), r#"{"service":["x\"y"],"lead":["a","b*"]}"#);
        assert_eq!(Cover::default().definition(), "{}");
    }

    #[test]
    fn a_facet_is_asked_for_as_long_as_it_has_patterns() {
        let cover = Cover::default().with(Facet::Model, patterns(&["gpt-*"])).with(Facet::Lead, patterns(&["acme"]));
        assert!(!cover.is_everything() && !covers(&cover, Some("acme"), None));
        let cover = cover.with(Facet::Model, []);
        assert!(!cover.is_everything() && covers(&cover, Some("ACME"), None));
        assert_eq!(cover.patterns(Facet::Lead), patterns(&["acme"]));
        let cover = cover.with(Facet::Lead, patterns(&["other"]));
        assert!(!covers(&cover, Some("acme"), None) && covers(&cover, Some("other"), None));
        assert!(cover.with(Facet::Lead, []).is_everything());
        assert_eq!(Pattern::new("Gpt-*").as_str(), "Gpt-*");
    }

    #[test]
    fn what_is_not_covered_has_no_key_and_what_has_one_limit_the_empty_one() {
        let (service, operation) = (Name::new("openai").unwrap(), Name::new("chat").unwrap());
        let subject =
            Subject { service: &service, operation: &operation, worker: None, batch: None, lead: Some("ACME"), model: None };
        let subject = subject.folded();
        let everything = Cover::default();
        assert_eq!(everything.key_of(None, &subject), Some(""));
        assert_eq!(everything.key_of(Some(Facet::Lead), &subject), Some("acme"));
        assert_eq!(everything.key_of(Some(Facet::Worker), &subject), None);
        let other = Cover::of_service(&Name::new("anthropic").unwrap());
        assert_eq!((other.key_of(None, &subject), other.key_of(Some(Facet::Lead), &subject)), (None, None));
    }

    #[test]
    fn people_are_told_one_service_or_all_patterns() {
        let service = Cover::of_service(&Name::new("OpenAI").unwrap());
        assert_eq!((service.service(), service.told()), (Some("OpenAI"), (Some("OpenAI"), vec![])));
        let model = patterns(&["GPT-*"]);
        let both = service.with(Facet::Model, model.clone());
        let openai = patterns(&["OpenAI"]);
        let told = vec![(Facet::Service, openai.as_slice()), (Facet::Model, model.as_slice())];
        assert_eq!((both.service(), both.told()), (Some("OpenAI"), (None, told)));
        for services in [&["open*"][..], &["openai", "anthropic"]] {
            let cover = Cover::default().with(Facet::Service, patterns(services));
            assert_eq!(cover.service(), None, "{services:?}");
            assert_eq!(cover.told().1.len(), 1, "{services:?}");
        }
        assert_eq!(Cover::default().told(), (None, vec![]));
    }

    #[test]
    fn budgets_look_at_what_an_event_and_a_request_say() {
        use crate::domain::{Attribution, Usd};
        let said = |subject: Subject<'_>| {
            let folded = subject.folded();
            Facet::VARIANTS.iter().map(|facet| folded.get(*facet).map(str::to_owned)).collect::<Vec<_>>()
        };
        let event = CostEvent {
            worker: Some("W".into()),
            batch_id: Some("B".into()),
            lead_id: Some("L".into()),
            model: Some("M".into()),
            ..CostEvent::example()
        };
        let all = ["openai", "chat", "w", "b", "l", "m"].map(|text| Some(text.to_owned()));
        assert_eq!(said(event.subject()), all);
        let request = ReservationRequest {
            id: "r".into(),
            id_given: true,
            service: event.service.clone(),
            operation: event.operation.clone(),
            estimated_cost: Usd::ZERO,
            ttl_seconds: 1,
            attribution: Attribution { worker: event.worker, batch_id: event.batch_id, lead_id: event.lead_id }.shared(),
            model: event.model,
            usage: vec![],
        };
        assert_eq!(said(request.subject()), all);
    }
}
