//! One source of prices: its providers, their models, and when which price holds.

use jiff::Timestamp;
use jiff::civil::Date;

use super::clock::Validity;
use super::pattern::{Pattern, Rule};
use super::price::{Price, Prices, Text};
use crate::domain::Quantity;

/// Prices of one source, with what is known of it.
#[derive(Debug, Default)]
pub(super) struct Catalogue {
    /// As a price that it gives is called by, before the provider and the model.
    pub name: Text,
    pub version: Text,
    /// When it was made.
    pub date: Option<Date>,
    pub providers: Vec<Provider>,
}

/// Who sells models.
#[derive(Debug, Default)]
pub(super) struct Provider {
    /// In lower case.
    pub id: Text,
    /// Other words for it.
    pub words: Rule,
    /// Names that tell by themselves whose models they are.
    pub models: Rule,
    /// Whose models it sells at their price, where it has none of its own for them.
    pub fallback: Vec<Text>,
    list: Vec<Model>,
    /// Names that stand for a model, and where it is in the list; ordered by name.
    exact: Vec<(Text, usize)>,
    /// What else matches a model; ordered as the list is.
    loose: Vec<(usize, Rule)>,
}

/// What a model costs.
#[derive(Debug, Default)]
pub(super) struct Model {
    pub id: Text,
    /// The last one that holds counts; the first one where none does.
    pub prices: Vec<Timed>,
    /// Other prices for calls that are made in another way.
    pub variants: Vec<Variant>,
    /// What is billed at least, where something was used at all.
    pub least: Vec<(Text, Quantity)>,
}

/// Prices, and when they hold.
#[derive(Debug, Default)]
pub(super) struct Timed {
    pub validity: Validity,
    pub usd: Prices,
}

/// Prices for calls of which something is said, such as `service_tier` = `flex`. They stand in for the usual ones name by name.
#[derive(Debug)]
pub(super) struct Variant {
    pub when: (Text, Text),
    pub timed: Timed,
}

// === impl Provider ===

impl Provider {
    /// Without models.
    pub fn new(id: impl Into<Text>) -> Self {
        Self { id: id.into(), ..Self::default() }
    }

    /// Adds a model that one of these patterns finds. Where several models match a name, the one added first counts.
    pub fn push(&mut self, model: Model, matching: Rule) {
        let at = self.list.len();
        self.list.push(model);
        let is_exact = |all: &[(bool, Pattern)]| matches!(all, [(true, pattern)] if pattern.exact().is_some());
        let (exact, loose): (Vec<_>, Vec<_>) = matching.0.into_iter().partition(|all| is_exact(all));
        let names = exact.iter().flatten().filter_map(|(_, pattern)| pattern.exact());
        self.exact.extend(names.map(|name| (name.clone(), at)));
        if !loose.is_empty() {
            self.loose.push((at, Rule(loose)));
        }
    }

    /// To be called when all models are there.
    pub fn seal(&mut self) {
        self.exact.sort();
        self.exact.dedup_by(|next, first| next.0 == first.0);
        self.list.shrink_to_fit();
        self.exact.shrink_to_fit();
    }

    /// The model that a name in lower case stands for.
    pub fn model(&self, name: &str) -> Option<&Model> {
        let exact = self.exact.binary_search_by(|(known, _)| known.as_ref().cmp(name)).ok().map(|found| self.exact[found].1);
        let before = self.loose.iter().take_while(|(at, _)| exact.is_none_or(|exact| *at < exact));
        let loose = before.into_iter().find(|(_, rule)| rule.matches(name)).map(|(at, _)| *at);
        self.list.get(loose.or(exact)?)
    }
}

// === impl Model ===

impl Model {
    /// What it costs at a time.
    pub fn usd(&self, at: Timestamp) -> Option<&Timed> {
        self.prices.iter().rev().find(|timed| timed.validity.has(at)).or_else(|| self.prices.first())
    }

    /// What it costs at a time when something is said of the call; the earliest price counts before it, too.
    pub fn variant(&self, key: &str, value: &str, at: Timestamp) -> Option<&Timed> {
        let said = || self.variants.iter().filter(|variant| variant.when.0 == key && variant.when.1 == value);
        let held = said().rev().find(|variant| variant.timed.validity.has(at));
        held.or_else(|| said().next()).map(|variant| &variant.timed)
    }
}

/// The price of a name in a list.
pub(super) fn price_of<'p>(list: &'p [(Text, Price)], unit: &str) -> Option<&'p Price> {
    list.iter().find(|(name, _)| name == unit).map(|(_, price)| price)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_the_models_that_match_a_name_the_one_added_first_counts() {
        let rule = |pattern: &str| Rule(vec![vec![(true, Pattern::new(pattern.to_owned()))]]);
        let model = |id: &str| Model { id: id.to_owned().into(), ..Model::default() };
        let provider = |models: &[(&str, &str)]| {
            let mut provider = Provider::new("acme");
            models.iter().for_each(|(id, pattern)| provider.push(model(id), rule(pattern)));
            provider.seal();
            provider
        };
        for (models, found) in [
            (&[("loose", "gpt-*"), ("exact", "gpt-4o")][..], Some("loose")),
            (&[("exact", "gpt-4o"), ("loose", "gpt-*")], Some("exact")),
            (&[("other", "o*"), ("exact", "gpt-4o"), ("loose", "gpt-*")], Some("exact")),
            (&[("first", "gpt-4o"), ("second", "gpt-4o")], Some("first")),
            (&[("first", "gpt-*"), ("second", "*4o")], Some("first")),
            (&[("other", "o*")], None),
        ] {
            let provider = provider(models);
            assert_eq!(provider.model("gpt-4o").map(|model| &*model.id), found, "{models:?}");
        }
    }
}
