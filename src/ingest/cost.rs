//! What something costs whose sender does not say: by the book, or nothing until there is a price.
//!
//! *Invariants.* A charge has its amount from its sender, or model and usage from which the book works it out. What the book does not know
//! costs nothing and says so; it is never refused for that.

use super::check::Check;
use super::limits::{Limits, TEXT_BYTES_MAX};
use super::raw::{Field, RawEvent, RawJson, RawText, RawUsage};
use crate::domain::{ANCESTORS_MAX, CostEvent, CostSource, Kind, NATIVE_ROAD, Origin, Usd};
use crate::pricing::Book;

/// Gives an event that has no amount the one of the book.
pub(super) fn complete(event: &mut CostEvent, book: Option<&Book>, limits: &Limits, check: &mut Check) {
    let (amount, cost) = book.map_or((Usd::ZERO, CostSource::Unpriced), |book| book.cost_of(event));
    if let Err(message) = within(amount, limits) {
        check.refuse("usage", || message);
    }
    event.amount = amount;
    event.origin = Some(Box::new(Origin { cost, ..Origin::of(NATIVE_ROAD) }));
}

/// Whether an amount that was worked out is one that an event may have.
///
/// # Errors
/// A message that completes a sentence which begins with `usage`.
pub fn within(amount: Usd, limits: &Limits) -> Result<(), String> {
    if amount.abs() <= limits.event_usd_max {
        return Ok(());
    }
    Err(format!("comes to {amount} USD, and an event may be at most {} USD", limits.event_usd_max))
}

/// What completes a sentence that begins with the name of an amount, where only the model is missing to price usage by.
pub const MODEL_MISSING: &str = "is required, or model, to price usage by";

impl Check {
    /// Whether an event without an amount can be priced; what it lacks is noted.
    pub(super) fn can_be_priced(&mut self, raw: &RawEvent<'_>, kind: Option<Kind>) -> bool {
        if kind == Some(Kind::Credit) {
            self.refuse("amount_usd", || "is required in a credit".to_owned());
            return false;
        }
        self.has_model_and_usage("amount_usd", &raw.model, &raw.usage, raw.usage_raw.is_present())
    }

    /// Whether there is what takes the place of an amount, the field of this name; what is missing is noted. `has_other` says that what was
    /// used is said in another way.
    pub(super) fn has_model_and_usage(
        &mut self,
        amount: &str,
        model: &RawText<'_>,
        usage: &Field<RawUsage<'_>>,
        has_other: bool,
    ) -> bool {
        // What is wrong with these is told where they are read.
        if is_misshapen(model) || is_misshapen(usage) {
            return true;
        }
        let has_model = matches!(model, Field::Given(model) if !model.is_empty());
        let has_usage = has_other || matches!(usage, Field::Given(usage) if !usage.is_empty());
        let lacks = match (has_model, has_usage) {
            (true, true) => return true,
            (true, false) => "is required, or usage, to price model by",
            (false, true) => MODEL_MISSING,
            (false, false) => "is required, or model and usage, to price it by",
        };
        self.refuse(amount, || lacks.to_owned());
        false
    }

    /// How an event came to be by the ledger that it was imported from.
    pub(super) fn origin(&mut self, value: &Field<RawJson<'_>>) -> Option<Box<Origin>> {
        let json = self.optional("origin", value, "an object")?;
        let origin: Result<Origin, _> = serde_json::from_str(&json.text);
        // serde would say in Rust's words what it expected.
        let origin = origin.map_err(|_| "is not as an export writes it").and_then(|origin| {
            let is_bounded = origin.road.len() <= TEXT_BYTES_MAX
                && origin.span.as_ref().is_none_or(|span| span.ancestors.len() <= ANCESTORS_MAX);
            if is_bounded { Ok(origin) } else { Err("is too large") }
        });
        origin.map(Box::new).map_err(|error| self.refuse("origin", || error.to_owned())).ok()
    }
}

const fn is_misshapen<T>(field: &Field<T>) -> bool {
    matches!(field, Field::Misshapen(_))
}
