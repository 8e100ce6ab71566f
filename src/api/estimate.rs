//! What a call is going to cost, by the book: for those who say what they are going to use in place of an estimate.

use super::State;
use super::problem::Problem;
use crate::domain::{Name, UsageCount, Usd};
use crate::ingest::within;
use crate::pricing::{Query, Rated};

impl State {
    /// What this costs if it is done now.
    ///
    /// # Errors
    /// `unpriced-model`; or it comes to more than an event may cost.
    pub(super) fn estimate(&self, service: &Name, model: &str, usage: &[UsageCount]) -> Result<Usd, Problem> {
        let query = Query { service: service.as_str(), model, time: self.clock.now(), usage, attributes: None };
        match self.book.load().rate(&query) {
            Rated::Priced { amount, .. } => {
                within(amount, &self.limits).map_err(|message| Problem::field("usage", &message))?;
                Ok(amount)
            }
            Rated::Unpriced => Err(Problem::UnpricedModel {
                service: service.as_str().to_owned(),
                model: model.to_owned(),
                instead: Some("estimated_cost_usd"),
            }),
        }
    }
}
