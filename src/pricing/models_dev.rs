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
