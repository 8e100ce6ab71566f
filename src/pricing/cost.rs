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
        let can_be_rated = event.model.is_some() && !event.usage.is_empty();
        match if can_be_rated { self.rate(&query) } else { Rated::Unpriced } {
            Rated::Priced { amount, price } => (amount, CostSource::Priced(price)),
            Rated::Unpriced => (Usd::ZERO, CostSource::Unpriced),
        }
    }
}
