//! The keys of a `[[price]]` table.

use super::super::spec::Spec;
use super::kinds::{day, days, hours, pattern, tier, unit, usd, whole};
use crate::pricing::PriceTable;

/// One key.
pub(in crate::config) type Field = Spec<PriceTable>;

/// All of them, in the order in which they are listed.
pub(in crate::config) fn all() -> Vec<Field> {
    vec![
        Field::new("service", "The service it is for; any without it", pattern(), |to| &mut to.service),
        Field::new("model", "The model it is for; any without it, and events without a model", pattern(), |to| {
            &mut to.model
        }),
        Field::new("unit", "The name of usage that it prices", unit(), |to| &mut to.unit).required(),
        Field::new("usd", "What so many cost", usd(), |to| &mut to.usd).required(),
        Field::new("per", "How many that is; 1 without it", whole(1, "a whole number from 1"), |to| &mut to.per),
        Field::new(
            "above",
            "Only above so many input tokens, for all of the call; of what is not tokens, above so many of it",
            whole(0, "a whole number").optional(),
            |to| &mut to.above,
        ),
        Field::new("from", "The first day, in UTC", day().optional(), |to| &mut to.from),
        Field::new("until", "The first day on which it no longer holds", day().optional(), |to| &mut to.until),
        Field::new("hours", "The part of the day, in UTC", hours().optional(), |to| &mut to.hours),
        Field::new("days", "The days of the week, in UTC", days().optional(), |to| &mut to.days),
        Field::new("tier", "Only for calls of this tier; for all without it", tier().optional(), |to| &mut to.tier),
    ]
}
