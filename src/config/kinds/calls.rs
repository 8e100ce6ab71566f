//! What operators decide about calls.

use super::super::kind::{Kind, Shape, word};
use super::names::items;
use crate::domain::{NAME_BYTES_MAX, check_text};
use crate::ingest::{ChargeFrom, CostFrom};

/// The roads that there are.
const ROADS: [&str; 4] = ["native", "litellm", "cloudevents", "otlp"];

/// Which cost is recorded.
pub fn cost_from() -> Kind<CostFrom> {
    let words = &[("sender", CostFrom::Sender), ("prices", CostFrom::Prices)];
    word("WHICH", "sender or prices", "is neither sender nor prices", words)
}

/// Pairs of provider and road, separated by commas.
pub fn roads() -> Kind<Vec<ChargeFrom>> {
    let allowed = "provider=road, separated by commas; roads are native, litellm, cloudevents, otlp and otlp:SCOPE";
    Kind::new(Shape::List, "ROADS", allowed, |text| {
        let mut chosen: Vec<ChargeFrom> = Vec::new();
        for item in items(text) {
            let one = parse_road(item)?;
            if chosen.iter().any(|known| known.provider.eq_ignore_ascii_case(&one.provider)) {
                return Err(format!("has {:?} twice", one.provider));
            }
            chosen.push(one);
        }
        Ok(chosen)
    })
    .shown_as(|list: &Vec<ChargeFrom>| {
        let items: Vec<_> = list.iter().map(|ChargeFrom { provider, road }| format!("{provider}={road}")).collect();
        items.join(",")
    })
}

fn parse_road(item: &str) -> Result<ChargeFrom, String> {
    let (provider, road) = item.split_once('=').ok_or_else(|| format!("has {item:?}, which is not provider=road"))?;
    let (provider, road) = (provider.trim(), road.trim());
    if provider.is_empty() {
        return Err(format!("has {item:?}, which names no provider"));
    }
    let is_known = ROADS.contains(&road) || road.strip_prefix("otlp:").is_some_and(|scope| !scope.is_empty());
    if !is_known {
        return Err(format!("has the road {road:?}; there are native, litellm, cloudevents, otlp and otlp:SCOPE"));
    }
    Ok(ChargeFrom { provider: provider.into(), road: road.into() })
}

/// The name of an attribute.
pub fn call_key() -> Kind<Box<str>> {
    let parse = |text: &str| {
        if text.is_empty() {
            return Err("must not be empty".to_owned());
        }
        check_text(text, NAME_BYTES_MAX).map_err(|problem| problem.to_string())?;
        Ok(Box::from(text))
    };
    Kind::new(Shape::Text, "NAME", "1 to 128 bytes without control characters", parse).shown_as(Box::to_string)
}
