//! The layers of prices, and the one function that rates by them.

use std::borrow::Cow;
use std::fmt;
use std::sync::LazyLock;

use jiff::Timestamp;

use super::amount::Sum;
use super::catalogue::{Catalogue, Model, Provider, price_of};
use super::counts::{self, Count, REQUESTS, counts, fallback};
use super::embedded;
use super::file::{Content, PriceFile};
use super::overlay;
use super::own::{Asked, OwnPrice, PriceTable, pick};
use super::price::{Price, Rate, RateError};
use super::seller::{Seller, seller};
use super::spelling::spellings;
use super::tier::Said;
use crate::domain::{PriceTag, Quantity, UsageCount, Usd};

/// All prices: tables of the operator's own before the operator's file, before the embedded catalogue.
#[derive(Default)]
pub struct Book {
    tables: Vec<OwnPrice>,
    file: Option<Catalogue>,
    file_version: Option<Box<str>>,
    /// Whether the embedded catalogue is one of them.
    has_embedded: bool,
}

/// Why there is no book.
#[derive(Debug, thiserror::Error)]
pub enum BookError {
    /// A table has no price.
    #[error("the price for {unit} of {service} {model} cannot be read")]
    Table {
        /// As it says.
        service: String,
        /// As it says.
        model: String,
        /// As it says.
        unit: String,
        /// Why.
        #[source]
        source: RateError,
    },
}

/// What a price is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Query<'q> {
    /// The service, or the provider, as the event names it.
    pub service: &'q str,
    /// The model; empty where there is none.
    pub model: &'q str,
    /// When it happened: prices hold from a day, and for hours.
    pub time: Timestamp,
    /// What was used, each name once.
    pub usage: &'q [UsageCount],
    /// The event's attributes, a JSON object: a batch or another service tier has prices of its own.
    pub attributes: Option<&'q str>,
}

/// What something costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rated {
    /// This much, by that price.
    Priced {
        /// Exact, rounded once, half to even at the twelfth decimal.
        amount: Usd,
        /// What made it.
        price: PriceTag,
    },
    /// The book does not know for certain.
    Unpriced,
}

/// A model in a catalogue, with who sells it.
#[derive(Clone, Copy)]
pub(super) struct Listed<'b> {
    pub catalogue: &'b Catalogue,
    /// Who sells it.
    pub provider: &'b Provider,
    pub model: &'b Model,
    /// It is listed by its maker only, and sold at the same price.
    pub is_of_other: bool,
}

/// The prices that are about one event.
pub(super) struct Sheet<'b> {
    pub tables: Vec<&'b OwnPrice>,
    pub listed: Option<Listed<'b>>,
    pub at: Timestamp,
    pub said: Said,
}

/// A price and where it comes from.
#[derive(Clone, Copy)]
pub(super) enum Source<'b> {
    Table(&'b OwnPrice),
    Listed(Listed<'b>),
}

// === impl Book ===

/// Short: a book has thousands of prices.
impl fmt::Debug for Book {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tables = self.tables.len();
        formatter.debug_struct("Book").field("tables", &tables).field("file", &self.file_version).finish_non_exhaustive()
    }
}

impl Book {
    /// The embedded catalogue alone.
    pub fn embedded() -> Self {
        Self { has_embedded: true, ..Self::default() }
    }

    /// Own tables before a file, before the embedded catalogue. The tables of the file come before the others: the last one counts.
    ///
    /// # Errors
    /// A table has no price.
    pub fn with(tables: &[PriceTable], file: Option<PriceFile>) -> Result<Self, BookError> {
        let (content, file_version) = file.map(|PriceFile { content, version }| (content, version)).unzip();
        let (of_file, file) = match content {
            Some(Content::Tables(tables)) => (tables, None),
            Some(Content::Catalogue(catalogue)) => (Vec::new(), Some(catalogue)),
            None => (Vec::new(), None),
        };
        let own = of_file.iter().chain(tables).map(|table| {
            OwnPrice::new(table).map_err(|source| BookError::Table {
                service: table.service.clone(),
                model: table.model.clone(),
                unit: table.unit.clone(),
                source,
            })
        });
        Ok(Self { tables: own.collect::<Result<_, _>>()?, file, file_version, has_embedded: true })
    }

    /// What tells the text of the operator's file from others: 16 hexadecimal digits. `None` without a file.
    pub fn file_version(&self) -> Option<&str> {
        self.file_version.as_deref()
    }

    /// The embedded catalogue, or one that is empty.
    fn catalogue(&self) -> &'static Catalogue {
        static EMPTY: LazyLock<Catalogue> = LazyLock::new(Catalogue::default);
        if self.has_embedded { &embedded::CATALOGUE } else { &EMPTY }
    }

    /// What an event costs.
    pub fn rate(&self, query: &Query<'_>) -> Rated {
        let sheet = self.sheet(query.service, query.model, query.time, Said::of(query.attributes));
        sheet.rate(query.usage)
    }

    /// The provider, by the catalogue's id, from a sender's word for it or, where that says nothing, from the model's name. `None` where
    /// neither tells for certain.
    pub fn provider(&self, said: Option<&str>, model: &str) -> Option<&str> {
        let model = model.trim().to_lowercase();
        match seller(self.catalogue(), &said.unwrap_or_default().trim().to_lowercase(), &model) {
            Seller::Provider { provider, is_certain: true, .. } => Some(&provider.id),
            Seller::Provider { .. } | Seller::Other | Seller::Unknown => None,
        }
    }

    /// The ids of all providers that the embedded catalogue knows.
    pub fn providers(&self) -> Vec<&str> {
        self.catalogue().providers.iter().map(|provider| &*provider.id).collect()
    }

    /// All prices that are about such an event.
    pub(super) fn sheet(&self, service: &str, model: &str, at: Timestamp, said: Said) -> Sheet<'_> {
        let (service, model) = (service.trim().to_lowercase(), model.trim().to_lowercase());
        let seller = seller(self.catalogue(), &service, &model);
        let id = if let Seller::Provider { provider, .. } = &seller { Some(&*provider.id) } else { None };
        let name = if let Seller::Provider { model, .. } = &seller { model } else { model.as_str() };
        let is_provider = |word: &str| {
            id == Some(word)
                || matches!(super::provider::said(word), super::provider::Said::Provider(known) if id == Some(known))
        };
        let mut names = spellings(name, is_provider);
        let is_open = matches!(seller, Seller::Unknown);
        // Without a model only tables of the operator's own can tell.
        let listed = if model.is_empty() { None } else { self.listed(&service, id, is_open, &names) };
        if name != model {
            names.insert(0, Cow::Borrowed(&model));
        }
        let services: Vec<&str> = std::iter::once(service.as_str()).chain(id).collect();
        let asked = Asked { services: &services, models: &names, at, tier: said.tier };
        let tables = self.tables.iter().filter(|table| table.is_for(asked)).collect();
        Sheet { tables, listed, at, said }
    }

    /// The model under the first of its spellings that a catalogue has; the operator's file first.
    fn listed(&self, service: &str, id: Option<&str>, is_open: bool, names: &[Cow<'_, str>]) -> Option<Listed<'_>> {
        let catalogues = self.file.iter().chain(std::iter::once(self.catalogue()));
        let mut found = catalogues.filter_map(|catalogue| {
            let of = |id: &str| catalogue.providers.iter().find(|provider| provider.id == id);
            let by_name = || {
                // Nothing tells who sold it, and only one in this file sells it.
                let mut sellers = catalogue
                    .providers
                    .iter()
                    .filter(|provider| names.first().is_some_and(|name| provider.model(name).is_some()));
                let only = (sellers.next(), sellers.next());
                if let (Some(provider), None) = only { Some(provider) } else { None }
            };
            let provider = of(service)
                .or_else(|| of(id?))
                .or_else(|| by_name().filter(|_| is_open && !std::ptr::eq(catalogue, self.catalogue())))?;
            let own = names.iter().find_map(|name| provider.model(name));
            if let Some(model) = own {
                return Some(Listed { catalogue, provider, model, is_of_other: false });
            }
            let makers = provider.fallback.iter().filter_map(|id| of(id));
            let model = makers.into_iter().find_map(|maker| names.iter().find_map(|name| maker.model(name)))?;
            Some(Listed { catalogue, provider, model, is_of_other: true })
        });
        found.next()
    }
}

// === impl Sheet ===

impl<'b> Sheet<'b> {
    fn rate(&self, usage: &[UsageCount]) -> Rated {
        let (used, prompt) = counts(usage);
        let mut sum = Sum::ZERO;
        let mut first = None;
        for count in &used {
            let Some((rate, source)) = self.price(count, prompt) else { continue };
            sum.add(self.billed(count), rate);
            // Where tables of the operator's own took part, the first of them says whose amount it is.
            if first.is_none() || matches!((first, source), (Some(Source::Listed(_)), Source::Table(_))) {
                first = Some(source);
            }
        }
        let mut source = first;
        let fee = self.fee(usage, prompt);
        if let Some((count, rate, by)) = fee {
            sum.add(count, rate);
            // A fee beside other prices says nothing of a call whose tokens have none.
            source = source.or_else(|| self.is_fee_only().then_some(by));
        }
        if source.is_none() && used.is_empty() {
            source =
                usage.iter().find_map(|count| self.price_of(count.kind.as_str(), Quantity::ZERO)).map(|(_, source)| source);
        }
        match source {
            Some(source) => Rated::Priced { amount: sum.rounded(), price: self.tag(source) },
            None => Rated::Unpriced,
        }
    }

    /// What one of something costs.
    fn price(&self, count: &Count<'_>, prompt: Quantity) -> Option<(Rate, Source<'b>)> {
        if count.name == REQUESTS {
            return None;
        }
        let counted = if counts::is_tokens(count.name) { prompt } else { count.count };
        self.price_of(count.name, counted)
    }

    /// The price of a name, or of what it falls back to.
    fn price_of(&self, name: &str, counted: Quantity) -> Option<(Rate, Source<'b>)> {
        let listed_name = self.listed.map_or("", |listed| &*listed.model.id);
        if let Some(found) = self.own(name, counted) {
            return Some(found);
        }
        if let Some((unit, times)) = overlay::stand_in(listed_name, name) {
            let (rate, source) = self.own(unit, counted)?;
            return Some((rate.times(times, 0)?, source));
        }
        fallback(name).iter().find_map(|unit| self.own(unit, counted))
    }

    /// The price under exactly this name.
    pub(super) fn own(&self, unit: &str, counted: Quantity) -> Option<(Rate, Source<'b>)> {
        if let Some(table) = pick(self.tables.iter().copied(), unit, counted.micros()) {
            return Some((table.rate, Source::Table(table)));
        }
        let listed = self.listed?;
        self.listed_price(listed, unit).map(|price| (price.at(counted.micros()), Source::Listed(listed)))
    }

    /// The catalogue's price for this kind of call.
    pub(super) fn listed_price(&self, listed: Listed<'b>, unit: &str) -> Option<Cow<'b, Price>> {
        let usual = || price_of(&listed.model.usd(self.at)?.usd, unit);
        let variant = |(key, value)| if listed.is_of_other { None } else { listed.model.variant(key, value, self.at) };
        if let Some(condition) = self.said.condition() {
            if let Some(timed) = variant(condition) {
                return price_of(&timed.usd, unit).or_else(usual).map(Cow::Borrowed);
            }
            let (digits, scale) = overlay::share(&listed.provider.id, &listed.model.id, condition.1, unit)?;
            return usual()?.times(digits, scale).map(Cow::Owned);
        }
        let others = self.said.others.iter().filter_map(|(key, value)| variant((key, value.as_str())));
        let special = others.into_iter().find_map(|timed| price_of(&timed.usd, unit));
        special.or_else(usual).map(Cow::Borrowed)
    }

    /// What is billed of something: no less than the least.
    fn billed(&self, count: &Count<'_>) -> Quantity {
        let least = self.listed.and_then(|listed| listed.model.least.iter().find(|(name, _)| name == count.name));
        least.map_or(count.count, |(_, least)| count.count.max(*least))
    }

    /// The fee for asking, once unless the usage says how often.
    fn fee(&self, usage: &[UsageCount], prompt: Quantity) -> Option<(Quantity, Rate, Source<'b>)> {
        let (rate, source) = self.own(REQUESTS, prompt)?;
        let said = usage.iter().find(|count| count.kind.as_str() == REQUESTS);
        Some((said.map_or(Quantity::of(1), |count| count.count), rate, source))
    }

    /// Whether nothing else than asking has a price.
    fn is_fee_only(&self) -> bool {
        let listed = self.listed.and_then(|listed| listed.model.usd(self.at));
        self.tables.iter().all(|table| table.unit == REQUESTS)
            && listed.is_none_or(|timed| timed.usd.iter().all(|(unit, _)| unit == REQUESTS))
    }

    /// What an amount by such a price is said to come from.
    pub(super) fn tag(&self, source: Source<'b>) -> PriceTag {
        match source {
            Source::Table(table) => PriceTag {
                name: table.name.as_str().into(),
                version: table.version.as_str().into(),
                date: table.validity.from,
            },
            Source::Listed(Listed { catalogue, provider, model, .. }) => {
                let tier = self.said.tier.map(|tier| format!(" {tier}")).unwrap_or_default();
                PriceTag {
                    name: format!("{} {}/{}{tier}", catalogue.name, provider.id, model.id).into(),
                    version: catalogue.version.as_ref().into(),
                    date: catalogue.date,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_is_told_for_certain_or_not_at_all() {
        let book = Book::embedded();
        for (word, model, provider) in [
            // The sender's word, by the catalogue's id, by another word, or by a part of it.
            (Some(" OpenAI "), "anything", Some("openai")),
            (Some("xai"), "anything", Some("x-ai")),
            (Some("my-anthropic-proxy"), "gpt-4o", Some("anthropic")),
            // Nobody's word: the model tells, by its name, its provider's name, or its place on Bedrock.
            (None, "gpt-4o", Some("openai")),
            (Some("litellm"), "Claude-Sonnet-4-5", Some("anthropic")),
            (None, "text-embedding-3-small", Some("openai")),
            (None, "gemini/some-model", Some("google")),
            (None, "groq/some-model", Some("groq")),
            (None, "us.amazon.nova-pro-v1:0", Some("aws")),
            (None, "amazon.nova-pro-v1:0", Some("aws")),
            (None, "arn:aws:bedrock:us-east-1:1:inference-profile/x", Some("aws")),
            // Others have prices of their own, and what is unknown may be anybody's.
            (Some("openrouter"), "gpt-4o", None),
            (None, "openrouter/openai/gpt-4o", None),
            (Some("acme"), "gpt-4o", None),
            (None, "llama-3.3-70b-instruct", None),
            (None, "", None),
        ] {
            assert_eq!(book.provider(word, model), provider, "{word:?} {model}");
        }
        assert_eq!(Book::default().provider(Some("openai"), "gpt-4o"), None, "an empty book knows nobody");
        let known = book.providers();
        assert!(known.len() > 40 && ["openai", "aws", "x-ai"].iter().all(|id| known.contains(id)), "{known:?}");
    }

    fn amount(book: &Book, service: &str, model: &str) -> Option<String> {
        let usage = UsageCount::list(&[("input_tokens", 1_000_000)]);
        let time = "2026-11-25T12:00:00Z".parse().unwrap();
        match book.rate(&Query { service, model, time, usage: &usage, attributes: None }) {
            Rated::Priced { amount, .. } => Some(amount.to_string()),
            Rated::Unpriced => None,
        }
    }

    #[test]
    fn a_model_may_have_its_own_providers_name_before_it_and_no_other() {
        let book = Book::embedded();
        for (service, model, usd) in [
            ("openai", "gpt-4o", Some("2.5")),
            ("openai", "openai/gpt-4o", Some("2.5")),
            ("google", "gemini/gemini-2.5-pro", Some("2.5")),
            ("google", "vertex_ai/gemini-2.5-pro", Some("2.5")),
            ("openai", "meta/gpt-4o", None),
            ("openai", "gemini/gpt-4o", None),
        ] {
            assert_eq!(amount(&book, service, model).as_deref(), usd, "{service} {model}");
        }
    }

    #[test]
    fn a_table_finds_a_model_with_its_providers_name_and_without() {
        for model in ["openai/gpt-4o", "gpt-4o"] {
            let unit = "input_tokens".to_owned();
            let table = PriceTable {
                model: model.to_owned(),
                unit,
                usd: "7".parse().unwrap(),
                per: 1_000_000,
                ..PriceTable::default()
            };
            let book = Book::with(&[table], None).unwrap();
            assert_eq!(amount(&book, "litellm", "OpenAI/gpt-4o").as_deref(), Some("7"), "{model}");
        }
    }

    /// Guards against: a call of somebody with other prices charged as the only seller in a file charges.
    #[test]
    fn the_only_seller_in_a_file_is_taken_where_nothing_tells_who_sold_it() {
        let file = r#"{"acme/one":{"litellm_provider":"acme","input_cost_per_token":1e-06},
            "acme/two":{"litellm_provider":"acme","input_cost_per_token":1e-06},
            "other/two":{"litellm_provider":"other","input_cost_per_token":2e-06}}"#;
        let book = Book::with(&[], Some(PriceFile::of_json(file).unwrap())).unwrap();
        for (service, model, usd) in [
            ("nobody", "one", Some("1")),
            ("nobody", "two", None),
            ("other", "two", Some("2")),
            ("openrouter", "one", None),
            ("openai", "one", None),
            // Of the embedded catalogue nobody is taken for the only one.
            ("nobody", "sonar", None),
        ] {
            assert_eq!(amount(&book, service, model).as_deref(), usd, "{service} {model}");
        }
    }

    #[test]
    fn a_fee_alone_is_a_price_where_nothing_else_has_one() {
        let file = r#"{"asked":{"litellm_provider":"acme","input_cost_per_request":0.5},
            "both":{"litellm_provider":"acme","input_cost_per_request":0.5,"output_cost_per_token":1e-06}}"#;
        let book = Book::with(&[], Some(PriceFile::of_json(file).unwrap())).unwrap();
        assert_eq!(amount(&book, "acme", "asked").as_deref(), Some("0.5"));
        assert_eq!(amount(&book, "acme", "both"), None);
    }
}
