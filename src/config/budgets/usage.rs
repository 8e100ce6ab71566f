//! `limit_usage = { input_tokens = 2_000_000 }`: a limit of something that is counted.
//!
//! *Limits.* [`UNITS_MAX`] kinds, each below 2⁵³, as in an event.

use toml::Spanned;
use toml::de::DeValue;

use super::super::kind::{Parsed, Shape};
use super::super::page::Reading;
use super::super::spec::quoted;
use super::super::table::{text_of, with_article};
use super::draft::BudgetDraft;
use crate::budget::UNITS_MAX;
use crate::domain::{Name, Quantity, UsageCount, check_visible};

/// What messages call it.
const NAME: &str = "budget limit_usage";
/// First whole number that an event cannot have.
const COUNT_END: Quantity = Quantity::of(1 << 53);

/// Reads the value of the key.
pub(super) fn put(into: &mut BudgetDraft, value: &Spanned<DeValue<'_>>, reading: &mut Reading<'_>) {
    let start = value.span().start;
    let Some(table) = value.get_ref().as_table() else {
        let found = with_article(value.get_ref().type_str());
        let detail = format!("must be a table in braces such as {{ input_tokens = 1000000 }}, not {found}");
        return reading.wrong(Some(NAME), start, detail);
    };
    if table.is_empty() {
        reading.wrong(Some(NAME), start, "is empty; it has the names of what is counted, each with its limit".into());
    }
    let mut kinds: Vec<_> = table.iter().collect();
    kinds.sort_by_key(|(kind, _)| kind.span().start);
    if let Some((beyond, _)) = kinds.get(UNITS_MAX) {
        let detail = format!("has {} names; the maximum is {UNITS_MAX}", kinds.len());
        reading.wrong(Some(NAME), beyond.span().start, detail);
    }
    for (kind, count) in kinds.into_iter().take(UNITS_MAX) {
        let read = name(kind.get_ref()).and_then(|name| {
            let count = limit(count.get_ref()).map_err(|wrong| format!("{name} {wrong}"))?;
            Ok(UsageCount { kind: name, count })
        });
        match read {
            Ok(limit) => into.limit_usage.push(limit),
            Err(detail) => reading.wrong(Some(NAME), count.span().start, detail),
        }
    }
    into.limit_usage.sort_by(|one, other| one.kind.cmp(&other.kind));
}

fn name(text: &str) -> Parsed<Name> {
    let name = Name::new(text).and_then(|name| check_visible(text).map(|()| name));
    name.map_err(|wrong| format!("name {} {wrong}", quoted(text)))
}

fn limit(value: &DeValue<'_>) -> Parsed<Quantity> {
    let text = text_of(Shape::Number, value)?;
    let count = Quantity::parse(text.trim()).map_err(|wrong| format!("{} {wrong}", quoted(&text)))?;
    if count < COUNT_END { Ok(count) } else { Err(format!("{} is not below {COUNT_END}", quoted(&text))) }
}
