//! Kinds of value of the `OTEL_*` settings. An error completes a sentence that begins with the value, and repeats no secret.

use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};
use percent_encoding::percent_decode_str;

use super::super::kind::{Kind, Parsed, Shape, word};
use crate::telemetry::otlp::{Headers, Protocol, Root, Sampler, Temporality};

/// Bytes of all headers together; what collectors and proxies take, with room to spare.
const HEADER_BYTES_MAX: usize = 8 * 1024;
/// Attributes of the resource; each goes out with every export.
const ATTRIBUTES_MAX: usize = 128;
/// How pairs are written.
const PAIRS: &str = "separated by commas, values percent-encoded";

/// An absolute URL without anything that could be a secret.
pub fn endpoint() -> Kind<Option<String>> {
    let parse = |text: &str| {
        let url = reqwest::Url::parse(text).map_err(|error| format!("is not a URL: {error}"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err("does not begin with http:// or https://".into());
        }
        if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
            return Err("contains a user name, a query or a fragment; credentials belong in the headers".into());
        }
        Ok(url.into())
    };
    Kind::new(Shape::Text, "URL", "a URL that begins with http:// or https://", parse).optional()
}

pub fn protocol() -> Kind<Option<Protocol>> {
    let words = &[("http/protobuf", Protocol::HttpProtobuf), ("grpc", Protocol::Grpc)];
    word("PROTOCOL", "http/protobuf or grpc", "is not a supported protocol", words).optional()
}

/// Whether to compress.
pub fn compression() -> Kind<Option<bool>> {
    word("NAME", "gzip or none", "is not a supported compression", &[("gzip", true), ("none", false)]).optional()
}

/// Whether a signal is pushed.
pub fn exporter() -> Kind<bool> {
    word("NAME", "otlp or none", "is not a supported exporter", &[("otlp", true), ("none", false)])
}

pub fn temporality() -> Kind<Temporality> {
    let words =
        &[("cumulative", Temporality::Cumulative), ("delta", Temporality::Delta), ("lowmemory", Temporality::LowMemory)];
    word("NAME", "cumulative, delta or lowmemory", "is not a temporality", words)
}

/// A sampler without its argument: as if that were 1.
pub fn sampler() -> Kind<Sampler> {
    let words = &[
        ("always_on", Sampler::AlwaysOn),
        ("always_off", Sampler::AlwaysOff),
        ("traceidratio", Sampler::Ratio(1.0)),
        ("parentbased_always_on", Sampler::ParentBased(Root::AlwaysOn)),
        ("parentbased_always_off", Sampler::ParentBased(Root::AlwaysOff)),
        ("parentbased_traceidratio", Sampler::ParentBased(Root::Ratio(1.0))),
    ];
    let allowed =
        "always_on, always_off, traceidratio, parentbased_always_on, parentbased_always_off or parentbased_traceidratio";
    word("NAME", allowed, "is not a supported sampler", words)
}

/// A share from 0 to 1.
pub fn share() -> Kind<f64> {
    let parse = |text: &str| match text.parse::<f64>() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("is not a number from 0 to 1".into()),
    };
    Kind::new(Shape::Number, "SHARE", "0 to 1", parse).shown_as(f64::to_string)
}

/// Not a setting of ours; kept so that images which set it for all their services start.
pub fn propagators() -> Kind<()> {
    let parse = |text: &str| {
        let known = |name: &str| matches!(name.trim(), "tracecontext" | "baggage" | "none");
        if text.split(',').all(known) { Ok(()) } else { Err("has an unsupported propagator".into()) }
    };
    Kind::new(Shape::Text, "NAMES", "tracecontext, baggage or none, separated by commas", parse)
}

/// Headers; often credentials.
pub fn headers() -> Kind<Option<Headers>> {
    Kind::new(Shape::Secret, "PAIRS", format!("name=value, {PAIRS}"), parse_headers).optional()
}

/// Attributes of the resource.
pub fn attributes() -> Kind<Vec<(String, String)>> {
    Kind::new(Shape::List, "PAIRS", format!("key=value, {PAIRS}"), parse_attributes)
}

/// `name=value` pairs of headers, values percent-encoded. The text is a secret: no part of it is repeated.
fn parse_headers(text: &str) -> Parsed<Headers> {
    let mut headers = HeaderMap::new();
    for (position, pair) in pairs(text).enumerate() {
        let place = position + 1;
        let (name, value) = pair.ok_or_else(|| format!("has no name=value at place {place}"))?;
        let name = HeaderName::from_bytes(name.as_bytes())
            .ok()
            .filter(|name| !name.as_str().ends_with("-bin"))
            .ok_or_else(|| format!("has a name at place {place} that is not one of a header"))?;
        let value =
            HeaderValue::from_str(&value).map_err(|_| format!("has a value at place {place} that a header cannot carry"))?;
        headers.insert(name, value);
    }
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if bytes > HEADER_BYTES_MAX {
        return Err(format!("is longer than {HEADER_BYTES_MAX} bytes"));
    }
    Ok(Headers(headers))
}

/// `key=value` pairs of the resource, values percent-encoded.
fn parse_attributes(text: &str) -> Parsed<Vec<(String, String)>> {
    let attributes = pairs(text)
        .map(|pair| pair.map(|(key, value)| (key.to_owned(), value)))
        .collect::<Option<Vec<_>>>()
        .ok_or("has a part that is not key=value")?;
    if attributes.len() > ATTRIBUTES_MAX {
        return Err(format!("has more than {ATTRIBUTES_MAX} attributes"));
    }
    Ok(attributes)
}

/// The pairs of a list, decoded; `None` for a part that is no pair.
fn pairs(text: &str) -> impl Iterator<Item = Option<(&str, String)>> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(|part| {
        let (key, value) = part.split_once('=')?;
        let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
        (!key.trim().is_empty()).then(|| (key.trim(), value.into_owned()))
    })
}
