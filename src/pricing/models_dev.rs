//! models.dev's file (`api.json`): providers, their models, and dollars for a million tokens.

use super::catalogue::{Catalogue, Model, Provider, Timed};
use super::clock::Validity;
use super::json::Object;
use super::pattern::{Pattern, Rule};
use super::price::{Price, Prices, Rate};
use super::provider::{Said, said};

/// Their names and ours.
const UNITS: [(&str, &str); 7] = [
    ("input", "input_tokens"),
    ("output", "output_tokens"),
    ("cache_read", "cached_input_tokens"),
    ("cache_write", "cache_write_input_tokens"),
    ("reasoning", "reasoning_output_tokens"),
    ("input_audio", "audio_input_tokens"),
    ("output_audio", "audio_output_tokens"),
];
const PER: u64 = 1_000_000;
/// The limit of the older form of a step.
const OVER_200K: u64 = 200_000;

pub(super) fn read(file: &Object<'_>, version: String) -> Result<Catalogue, String> {
    let ids: Vec<&str> = file.names().collect();
    let mut catalogue = Catalogue { name: "models.dev".into(), version: version.into(), ..Catalogue::default() };
    for (id, entry) in file.all_objects() {
        let Some(models) = entry.object("models") else { continue };
        // `xai` is who others call `x-ai`; but `google-vertex` stays beside `google`.
        let id = match said(id) {
            Said::Provider(known) if !ids.contains(&known) => known,
            _ => id,
        };
        let mut provider = Provider::new(id.to_lowercase());
        for (name, entry) in models.all_objects() {
            let Some(cost) = entry.object("cost") else { continue };
            let usd = prices(&cost).map_err(|why| format!("{id} {name}: {why}"))?;
            let model = Model {
                id: name.to_owned().into(),
                prices: vec![Timed { validity: Validity::default(), usd }],
                ..Model::default()
            };
            provider.push(model, Rule(vec![vec![(true, Pattern::new(name.to_lowercase()))]]));
        }
        provider.seal();
        catalogue.providers.push(provider);
    }
    Ok(catalogue)
}

fn prices(cost: &Object<'_>) -> Result<Prices, String> {
    let mut steps: Vec<(u64, Object<'_>)> = Vec::new();
    for tier in cost.objects("tiers") {
        let bound = tier.object("tier");
        let is_context = bound.as_ref().and_then(|bound| bound.text("type")).as_deref() == Some("context");
        let size = bound.as_ref().and_then(|bound| whole(bound.digits(&["size"])?));
        let Some(size) = size.filter(|_| is_context) else { return Err("has a tier of an unknown kind".into()) };
        steps.push((size, tier));
    }
    if steps.is_empty() {
        steps.extend(cost.object("context_over_200k").map(|tier| (OVER_200K, tier)));
    }
    steps.sort_by_key(|(size, _)| *size);
    let rate = |object: &Object<'_>, name: &str| {
        let digits = object.digits(&[name]);
        digits.map(|digits| Rate::of_float(digits, PER).map_err(|error| format!("{name} {error}"))).transpose()
    };
    let mut found = Prices::new();
    for (name, unit) in UNITS {
        let Some(base) = rate(cost, name)? else { continue };
        let mut price = Price::flat(base);
        for (size, tier) in &steps {
            if let Some(above) = rate(tier, name)? {
                price.above.push((*size, above));
            }
        }
        found.push((unit.into(), price));
    }
    Ok(found)
}

/// A whole number, also one that is written as a float.
pub(super) fn whole(digits: &str) -> Option<u64> {
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    fraction.bytes().all(|digit| digit == b'0').then(|| whole.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalogue(json: &str) -> Result<Catalogue, String> {
        read(&Object::read(json).unwrap().unwrap(), "1".to_owned())
    }

    fn usd(price: &Price, tokens: u128) -> String {
        price.at(tokens * 1_000_000).usd()
    }

    #[test]
    fn a_model_costs_what_stands_there_for_a_million_and_more_above_a_limit() {
        let json = r#"{"acme":{"models":{"Big":{"cost":{"input":1.25,"output":10,"cache_read":0.125,"colour":7,
            "tiers":[{"tier":{"type":"context","size":400000},"input":5},{"tier":{"type":"context","size":200000.0},"input":2.5}]}},
          "old":{"cost":{"input":1,"output":2,"context_over_200k":{"output":3}}},"free":{}}},"nothing":{"name":"x"}}"#;
        let catalogue = catalogue(json).unwrap();
        assert_eq!((&*catalogue.name, &*catalogue.version, catalogue.providers.len()), ("models.dev", "1", 1));
        let provider = &catalogue.providers[0];
        assert_eq!((&*provider.id, provider.model("free").is_none()), ("acme", true));
        assert_eq!(&*provider.model("big").unwrap().id, "Big", "as it stands there");
        let price = |model: &str, unit: &str| {
            let usd = &provider.model(model).unwrap().prices[0].usd;
            usd.iter().find(|(name, _)| name == unit).map(|(_, price)| price.clone())
        };
        let input = price("big", "input_tokens").unwrap();
        assert_eq!((input.base.per, usd(&input, 200_000)), (1_000_000, "1.25".to_owned()));
        assert_eq!((usd(&input, 200_001), usd(&input, 400_001)), ("2.5".to_owned(), "5".to_owned()));
        assert_eq!(usd(&price("big", "cached_input_tokens").unwrap(), 0), "0.125");
        assert_eq!(price("big", "cache_write_input_tokens"), None);
        let output = price("old", "output_tokens").unwrap();
        assert_eq!((usd(&output, 200_000), usd(&output, 200_001)), ("2".to_owned(), "3".to_owned()));
    }

    #[test]
    fn a_word_for_a_provider_is_its_id_unless_that_has_an_entry_of_its_own() {
        let of = |words: &[&str]| {
            let entries: Vec<_> = words.iter().map(|word| format!("\"{word}\":{{\"models\":{{}}}}")).collect();
            let catalogue = catalogue(&format!("{{{}}}", entries.join(","))).unwrap();
            catalogue.providers.into_iter().map(|provider| provider.id.into_owned()).collect::<Vec<_>>()
        };
        assert_eq!(of(&["xai", "Acme"]), ["acme", "x-ai"]);
        assert_eq!(of(&["google", "google-vertex"]), ["google", "google-vertex"]);
        assert_eq!(of(&["google-vertex"]), ["google"]);
    }

    #[test]
    fn a_tier_of_another_kind_is_refused_and_not_taken_for_the_usual_price() {
        for tier in
            [r#"{"tier":{"type":"time","size":1},"input":5}"#, r#"{"tier":{"type":"context"},"input":5}"#, r#"{"input":5}"#]
        {
            let json = format!(r#"{{"acme":{{"models":{{"big":{{"cost":{{"input":1,"tiers":[{tier}]}}}}}}}}}}"#);
            assert_eq!(catalogue(&json).unwrap_err(), "acme big: has a tier of an unknown kind", "{tier}");
        }
        let negative = r#"{"acme":{"models":{"big":{"cost":{"input":-1}}}}}"#;
        assert_eq!(catalogue(negative).unwrap_err(), "acme big: input must not be negative");
    }

    #[test]
    fn a_whole_number_may_have_zeros_behind_its_point() {
        for (digits, number) in
            [("7", Some(7)), ("7.0", Some(7)), ("7.00", Some(7)), ("7.5", None), ("-7", None), ("x", None)]
        {
            assert_eq!(whole(digits), number, "{digits}");
        }
    }
}
