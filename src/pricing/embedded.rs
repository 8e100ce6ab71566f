//! The embedded catalogue: what `scripts/update-prices` wrote. One JSON object a line, a provider before its models.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::LazyLock;

use jiff::civil::Date;
use serde::Deserialize;

use super::catalogue::{Catalogue, Model, Provider, Timed, Variant};
use super::clock::{Hours, Validity};
use super::pattern::{DIGIT, Pattern, Rule};
use super::price::{Price, Prices, Rate, RateError, Text};
use crate::domain::Quantity;

/// The catalogue as it is in the program.
const GENAI_PRICES: &str = include_str!("embedded/genai-prices.jsonl");

/// The catalogue, read when it is first asked for: an agent that is told what things cost never needs it. A test tells whether it can be
/// read; if not, nothing had a price.
pub(super) static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| read(GENAI_PRICES).unwrap_or_default());

/// Why a catalogue of this form cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum EmbeddedError {
    /// Not JSON, or not of this form.
    #[error("line {line} is not what it should be")]
    Json {
        /// The number of the line.
        line: usize,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// A line makes no sense where it is.
    #[error("line {line}: {why}")]
    Meaning {
        /// The number of the line.
        line: usize,
        /// Why.
        why: String,
    },
}

/// A line of any kind: the first field tells which.
enum Line {
    Model(ModelLine),
    Provider(ProviderLine),
    Head(HeadLine),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HeadLine {
    catalogue: &'static str,
    version: &'static str,
    date: Date,
    per: BTreeMap<&'static str, u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProviderLine {
    provider: &'static str,
    #[serde(default)]
    words: Vec<Alternative>,
    #[serde(default)]
    models: Vec<Alternative>,
    #[serde(default)]
    fallback: Vec<&'static str>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ModelLine {
    model: &'static str,
    r#match: Vec<Alternative>,
    prices: Vec<TimedLine>,
    #[serde(default)]
    variants: Vec<VariantLine>,
    #[serde(default)]
    least: BTreeMap<&'static str, &'static str>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TimedLine {
    from: Option<Date>,
    hours: Option<&'static str>,
    usd: BTreeMap<&'static str, PriceLine>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct VariantLine {
    when: BTreeMap<&'static str, &'static str>,
    from: Option<Date>,
    hours: Option<&'static str>,
    usd: BTreeMap<&'static str, PriceLine>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Alternative {
    One(&'static str),
    All(Vec<&'static str>),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum PriceLine {
    Flat(&'static str),
    Steps(Vec<StepLine>),
}

/// The price up to the first limit, or a limit and the price above it.
#[derive(Deserialize)]
#[serde(untagged)]
enum StepLine {
    Base(&'static str),
    Above(u64, &'static str),
}

/// Reads a catalogue of this form. The text stays where it is: names are parts of it.
fn read(text: &'static str) -> Result<Catalogue, EmbeddedError> {
    let mut catalogue = Catalogue::default();
    let mut per = BTreeMap::new();
    for (number, line) in text.lines().enumerate() {
        let line_number = number + 1;
        let meaning = |why: String| EmbeddedError::Meaning { line: line_number, why };
        match parse(line).map_err(|source| EmbeddedError::Json { line: line_number, source })? {
            Line::Head(head) => {
                catalogue.name = head.catalogue.into();
                catalogue.version = head.version.into();
                catalogue.date = Some(head.date);
                per = head.per;
            }
            Line::Provider(line) => {
                let mut provider = Provider::new(line.provider);
                provider.words = rule(line.words);
                provider.models = rule(line.models);
                provider.fallback = line.fallback.into_iter().map(Text::from).collect();
                catalogue.providers.push(provider);
            }
            Line::Model(mut line) => {
                let provider = catalogue.providers.last_mut().ok_or_else(|| meaning("a model without a provider".into()))?;
                let matching = rule(std::mem::take(&mut line.r#match));
                provider.push(model(line, &per).map_err(meaning)?, matching);
            }
        }
    }
    catalogue.providers.iter_mut().for_each(Provider::seal);
    Ok(catalogue)
}

/// An untagged enum would read every line up to three times, and could not lend its texts.
fn parse(line: &'static str) -> serde_json::Result<Line> {
    if line.starts_with("{\"model\"") {
        serde_json::from_str(line).map(Line::Model)
    } else if line.starts_with("{\"provider\"") {
        serde_json::from_str(line).map(Line::Provider)
    } else {
        serde_json::from_str(line).map(Line::Head)
    }
}

fn rule(alternatives: Vec<Alternative>) -> Rule {
    let all = |alternative| match alternative {
        Alternative::One(pattern) => vec![part(pattern)],
        Alternative::All(patterns) => patterns.into_iter().map(part).collect(),
    };
    Rule(alternatives.into_iter().map(all).collect())
}

fn part(text: &'static str) -> (bool, Pattern) {
    let (is_wanted, text) = text.strip_prefix('!').map_or((true, text), |text| (false, text));
    let text = if text.contains('#') { Cow::Owned(text.replace('#', &DIGIT.to_string())) } else { Cow::Borrowed(text) };
    (is_wanted, Pattern::new(text))
}

fn model(line: ModelLine, per: &BTreeMap<&str, u64>) -> Result<Model, String> {
    let prices: Result<_, String> = line.prices.into_iter().map(|timed| timed_prices(timed, per)).collect();
    let variants = line.variants.into_iter().map(|variant| {
        let VariantLine { when, from, hours, usd } = variant;
        let when = when.into_iter().next().ok_or("a variant without a condition")?;
        let timed = timed_prices(TimedLine { from, hours, usd }, per)?;
        Ok(Variant { when: (when.0.into(), when.1.into()), timed })
    });
    let least = line.least.into_iter().map(|(unit, count)| {
        let count = Quantity::parse(count).map_err(|error| format!("{unit}: {count} {error}"))?;
        Ok((unit.into(), count))
    });
    Ok(Model {
        id: line.model.into(),
        prices: prices?,
        variants: variants.collect::<Result<_, String>>()?,
        least: least.collect::<Result<_, String>>()?,
    })
}

fn timed_prices(line: TimedLine, per: &BTreeMap<&str, u64>) -> Result<Timed, String> {
    let hours = match line.hours {
        Some(text) => Some(Hours::parse(text).ok_or_else(|| format!("no part of a day: {text}"))?),
        None => None,
    };
    let mut usd = Prices::with_capacity(line.usd.len());
    for (unit, price) in line.usd {
        let per = *per.get(unit).ok_or_else(|| format!("{unit}: for how many is not said"))?;
        let price = read_price(price, per).map_err(|error| format!("{unit} {error}"))?;
        usd.push((unit.into(), price));
    }
    Ok(Timed { validity: Validity { from: line.from, hours, ..Validity::default() }, usd })
}

fn read_price(line: PriceLine, per: u64) -> Result<Price, RateError> {
    let steps = match line {
        PriceLine::Flat(text) => return Ok(Price::flat(Rate::exact(text, per)?)),
        PriceLine::Steps(steps) => steps,
    };
    let mut price = Price::flat(Rate { digits: 0, scale: 0, per });
    for step in steps {
        match step {
            StepLine::Base(text) => price.base = Rate::exact(text, per)?,
            StepLine::Above(limit, text) => price.above.push((limit, Rate::exact(text, per)?)),
        }
    }
    price.above.sort_by_key(|(limit, _)| *limit);
    Ok(price)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_in_the_program_can_be_read() {
        let catalogue = read(GENAI_PRICES).unwrap();
        assert!(catalogue.providers.len() > 40 && !catalogue.version.is_empty(), "{} providers", catalogue.providers.len());
    }

    #[test]
    fn what_cannot_be_read_is_told_by_its_line() {
        let (first, _) = GENAI_PRICES.split_once('\n').unwrap();
        let text: &'static str = format!("{first}\n{first}\n{{").leak();
        assert!(matches!(read(text), Err(EmbeddedError::Json { line: 3, .. })));
    }
}
