//! What an event costs, by the book.

use super::{Book, Query, Rated};
use crate::domain::{CostEvent, CostSource, Usd};

impl Book {
    /// What an event costs by its service, model, usage, attributes and time, and how that is known: never
    /// [told](CostSource::Told). What is unpriced costs nothing.
    pub fn cost_of(&self, event: &CostEvent) -> (Usd, CostSource) {
        let query = Query {
            service: event.service.as_str(),
            model: event.model.as_deref().unwrap_or_default(),
            time: event.time,
            usage: &event.usage,
            attributes: event.attributes.as_deref(),
        };
        match if event.usage.is_empty() { Rated::Unpriced } else { self.rate(&query) } {
            Rated::Priced { amount, price } => (amount, CostSource::Priced(price)),
            Rated::Unpriced => (Usd::ZERO, CostSource::Unpriced),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Name, UsageCount};
    use crate::pricing::PriceTable;

    fn event(service: &str, model: Option<&str>, usage: &[(&str, u64)]) -> CostEvent {
        let service = Name::new(service).unwrap();
        CostEvent { service, model: model.map(Box::from), usage: UsageCount::list(usage), ..CostEvent::example() }
    }

    #[test]
    fn an_event_costs_what_the_book_says_of_its_model_and_usage() {
        let book = Book::embedded();
        let (amount, cost) = book.cost_of(&event("openai", Some("gpt-4o"), &[("input_tokens", 1_000)]));
        let CostSource::Priced(price) = cost else { panic!("{cost:?}") };
        assert_eq!((amount, &*price.name), (Usd::parse("0.0025").unwrap(), "genai-prices openai/gpt-4o"));
        for (model, usage) in [(Some("gpt-4o"), &[][..]), (Some("no-such-model"), &[("input_tokens", 1_000)])] {
            let found = book.cost_of(&event("openai", model, usage));
            assert_eq!(found, (Usd::ZERO, CostSource::Unpriced), "{model:?} {usage:?}");
        }
    }

    /// Guards against: a table for any model that left out events without one.
    #[test]
    fn without_a_model_a_table_for_any_model_holds_and_no_catalogue() {
        let table = |model: &str| PriceTable {
            service: "acme".into(),
            model: model.into(),
            unit: "input_tokens".into(),
            usd: "0.5".parse().unwrap(),
            ..PriceTable::default()
        };
        let usage = &[("input_tokens", 3), ("output_tokens", 3), ("requests", 1), ("seconds", 60)];
        for (model, amount) in [("*", "1.5"), ("acme-*", "0")] {
            let book = Book::with(&[table(model)], None).unwrap();
            assert_eq!(book.cost_of(&event("acme", None, usage)).0, Usd::parse(amount).unwrap(), "{model}");
        }
        let book = Book::embedded();
        for provider in book.providers() {
            let found = book.cost_of(&event(provider, None, usage));
            assert_eq!(found, (Usd::ZERO, CostSource::Unpriced), "{provider}");
        }
    }
}
