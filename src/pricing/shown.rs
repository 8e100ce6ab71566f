//! What the book says of a model, to be looked at.

use jiff::Timestamp;

use super::book::{Book, Source};
use super::tier::Said;
use crate::domain::{PriceTag, Quantity};

/// A model in the book.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Who sells it, by the catalogue's id; the service as asked for, where only own tables know it.
    pub provider: String,
    /// The model, as the catalogue calls it; as asked for, where only own tables know it.
    pub model: String,
    /// Every unit that has a price, ordered by name.
    pub units: Vec<UnitPrice>,
}

/// The price of one unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitPrice {
    /// The name in `usage` that it is for.
    pub unit: String,
    /// What so many cost, in exact decimal digits.
    pub usd: String,
    /// How many that is.
    pub per: u64,
    /// Above so many input tokens, another price for all of the call: the limit and the dollars for as many.
    pub above: Vec<(u64, String)>,
    /// Where the price is from.
    pub price: PriceTag,
}

impl Book {
    /// Every price that an event at that time would have. `None` where the book does not know the model for certain.
    pub fn find(&self, service: &str, model: &str, at: Timestamp) -> Option<Found> {
        let sheet = self.sheet(service, model, at, Said::default());
        let listed = sheet.listed;
        let names = listed.and_then(|listed| listed.model.usd(at)).into_iter().flat_map(|timed| &timed.usd);
        let mut units: Vec<String> = names.map(|(unit, _)| unit.to_string()).collect();
        units.extend(sheet.tables.iter().map(|table| table.unit.clone()));
        units.sort_unstable();
        units.dedup();
        let units: Vec<_> = units
            .into_iter()
            .filter_map(|unit| {
                let (base, source) = sheet.own(&unit, Quantity::ZERO).or_else(|| {
                    // A table that only holds above a limit.
                    let step = sheet.tables.iter().find(|table| table.unit == unit)?;
                    Some((step.rate, Source::Table(step)))
                })?;
                let mut limits: Vec<u64> =
                    sheet.tables.iter().filter(|table| table.unit == unit).filter_map(|table| table.above).collect();
                limits.extend(
                    listed
                        .and_then(|listed| sheet.listed_price(listed, &unit))
                        .iter()
                        .flat_map(|price| price.above.iter().map(|(limit, _)| *limit)),
                );
                limits.sort_unstable();
                limits.dedup();
                let above = limits.into_iter().filter_map(|limit| {
                    let (rate, _) = sheet.own(&unit, Quantity::of(limit.checked_add(1)?))?;
                    (rate != base).then(|| (limit, rate.usd()))
                });
                let above = above.collect();
                Some(UnitPrice { unit, usd: base.usd(), per: base.per, above, price: sheet.tag(source) })
            })
            .collect();
        let (provider, model) = listed.map_or((service, model), |listed| (&*listed.provider.id, &*listed.model.id));
        (!units.is_empty()).then(|| Found { provider: provider.to_owned(), model: model.to_owned(), units })
    }
}
