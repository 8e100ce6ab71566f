//! Who sold a call: from the sender's word for it, else from the model's name.

use super::catalogue::{Catalogue, Provider};
use super::provider::{Said, said};

/// Beginnings of the names of OpenAI's models that the catalogue's own rule leaves out.
const OPENAI: [&str; 4] = ["text-embedding-3-", "text-embedding-ada-", "dall-e-", "omni-moderation-"];
/// Beginnings of the names that models have on Amazon Bedrock, after a region.
const BEDROCK: [&str; 14] = [
    "ai21.",
    "amazon.",
    "anthropic.",
    "cohere.",
    "deepseek.",
    "google.",
    "meta.",
    "minimax.",
    "mistral.",
    "moonshotai.",
    "nvidia.",
    "openai.",
    "qwen.",
    "zai.",
];
/// What such a name may have before it: where the call may be answered.
const REGIONS: [&str; 9] = ["us.", "us-gov.", "eu.", "apac.", "jp.", "au.", "ca.", "sa.", "global."];

/// Who sold a call.
#[derive(Debug)]
pub(super) enum Seller<'c, 'm> {
    /// This provider, and the model without the provider's name before it.
    Provider {
        provider: &'c Provider,
        model: &'m str,
        /// The sender's word or the model's own name says so; else the word only has the provider's name in it, or says nothing.
        is_certain: bool,
    },
    /// Somebody who is known to have other prices.
    Other,
    /// Nothing tells.
    Unknown,
}

/// Who sold a model, by a word and a name in lower case.
pub(super) fn seller<'c, 'm>(catalogue: &'c Catalogue, word: &str, model: &'m str) -> Seller<'c, 'm> {
    let of = |id: &str| catalogue.providers.iter().find(|provider| provider.id == id);
    let found = |provider, model, is_certain| Seller::Provider { provider, model, is_certain };
    if let Some(provider) = of(word) {
        return found(provider, model, true);
    }
    let is_gateway = match said(word) {
        Said::Provider(id) => return of(id).map_or(Seller::Other, |provider| found(provider, model, true)),
        Said::Other => return Seller::Other,
        Said::Gateway => true,
        Said::Unknown => false,
    };
    if !is_gateway && let Some(provider) = catalogue.providers.iter().find(|provider| provider.words.matches(word)) {
        return found(provider, model, true);
    }
    if let Some((first, rest)) = model.split_once('/') {
        match said(first) {
            Said::Provider(id) => return of(id).map_or(Seller::Other, |provider| found(provider, rest, is_gateway)),
            Said::Other => return Seller::Other,
            Said::Gateway | Said::Unknown => {}
        }
        if let Some(provider) = of(first) {
            return found(provider, rest, is_gateway);
        }
    }
    if is_bedrock(model) {
        return of("aws").map_or(Seller::Unknown, |provider| found(provider, model, is_gateway));
    }
    let is_named = |provider: &&Provider| {
        provider.models.matches(model)
            || provider.id == *"openai" && OPENAI.iter().any(|beginning| model.starts_with(beginning))
    };
    let mut by_name = catalogue.providers.iter().filter(is_named);
    match (by_name.next(), by_name.next()) {
        (Some(provider), None) => found(provider, model, is_gateway),
        _ => Seller::Unknown,
    }
}

fn is_bedrock(model: &str) -> bool {
    let name = REGIONS.iter().find_map(|region| model.strip_prefix(region)).unwrap_or(model);
    model.starts_with("arn:aws:bedrock:") || BEDROCK.iter().any(|beginning| name.starts_with(beginning))
}
