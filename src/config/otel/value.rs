//! Texts of `OTEL_*` settings to values. An error completes a sentence that begins with the value, and repeats no secret.

use std::time::Duration;

use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};
use percent_encoding::percent_decode_str;

use super::super::value::whole;
use super::SamplerName;
use crate::telemetry::otlp::{Headers, Protocol, Temporality};

/// Bytes of all headers together; what collectors and proxies take, with room to spare.
const HEADER_BYTES_MAX: usize = 8 * 1024;
/// Attributes of the resource; each goes out with every export.
const ATTRIBUTES_MAX: usize = 128;

type Parsed<T> = Result<T, String>;

/// An absolute URL without anything that could be a secret.
pub fn endpoint(text: &str) -> Parsed<String> {
    let url = reqwest::Url::parse(text).map_err(|error| format!("is not a URL: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("does not begin with http:// or https://".into());
    }
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return Err("carries a user, a query or a fragment; credentials belong into headers".into());
    }
    Ok(url.into())
}

pub fn protocol(text: &str) -> Parsed<Protocol> {
    match text.to_ascii_lowercase().as_str() {
        "http/protobuf" => Ok(Protocol::HttpProtobuf),
        "grpc" => Ok(Protocol::Grpc),
        _ => Err("is not a protocol of this agent".into()),
    }
}

/// Whether to compress.
pub fn compression(text: &str) -> Parsed<bool> {
    match text.to_ascii_lowercase().as_str() {
        "gzip" => Ok(true),
        "none" => Ok(false),
        _ => Err("is not a compression of this agent".into()),
    }
}

/// Milliseconds from 10 to an hour.
pub fn milliseconds(text: &str) -> Parsed<Duration> {
    whole(text, 10, 3_600_000).map(Duration::from_millis)
}

/// Whether a signal is pushed.
pub fn exporter(text: &str) -> Parsed<bool> {
    match text.to_ascii_lowercase().as_str() {
        "otlp" => Ok(true),
        "none" => Ok(false),
        _ => Err("is not an exporter of this agent".into()),
    }
}

pub fn temporality(text: &str) -> Parsed<Temporality> {
    match text.to_ascii_lowercase().as_str() {
        "cumulative" => Ok(Temporality::Cumulative),
        "delta" => Ok(Temporality::Delta),
        "lowmemory" => Ok(Temporality::LowMemory),
        _ => Err("is not a temporality".into()),
    }
}

pub fn sampler(text: &str) -> Parsed<SamplerName> {
    match text.to_ascii_lowercase().as_str() {
        "always_on" => Ok(SamplerName::AlwaysOn),
        "always_off" => Ok(SamplerName::AlwaysOff),
        "traceidratio" => Ok(SamplerName::Ratio),
        "parentbased_always_on" => Ok(SamplerName::ParentAlwaysOn),
        "parentbased_always_off" => Ok(SamplerName::ParentAlwaysOff),
        "parentbased_traceidratio" => Ok(SamplerName::ParentRatio),
        _ => Err("is not a sampler of this agent".into()),
    }
}

/// A share from 0 to 1.
pub fn share(text: &str) -> Parsed<f64> {
    match text.parse::<f64>() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("is not a number from 0 to 1".into()),
    }
}

/// `name=value` pairs of headers, values percent-encoded. The text is a secret: no part of it is repeated.
pub fn headers(text: &str) -> Parsed<Headers> {
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
pub fn attributes(text: &str) -> Parsed<Vec<(String, String)>> {
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
