//! Texts to values: one function for each kind of setting. An error completes a sentence that begins with the value.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use reqwest::Url;
use tracing::level_filters::LevelFilter;

use crate::api::Token;
use crate::domain::{BudgetZone, NAME_BYTES_MAX, ParseUsdError, PeriodKind, Threshold, Usd, check_text};
use crate::notify::WebhookFormat;
use crate::telemetry::LogFormat;

/// What [`limit`] takes.
pub const LIMIT: &str = "an amount in USD from 0, or none";
/// What [`threshold`] takes.
pub const SHARE: &str = "a share above 0 and at most 10, where 1 is the whole limit";
/// What [`webhook_url`] takes.
pub const WEBHOOK_URL: &str = "a URL that begins with http:// or https://, without user, password and fragment";
/// What [`webhook_format`] takes.
pub const WEBHOOK_FORMAT: &str = "json or slack";

/// Longest host name (RFC 1035).
const HOST_BYTES_MAX: usize = 253;
/// Longest token: what fits a header line that servers accept, with room to spare.
const TOKEN_BYTES_MAX: usize = 1_024;

type Parsed<T> = Result<T, String>;

/// true/false in the spellings of compose files, unit files and shells.
pub fn boolean(text: &str) -> Parsed<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err("is neither true nor false".into()),
    }
}

/// A whole number between two bounds, both included.
pub fn whole(text: &str, least: u64, most: u64) -> Parsed<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits {
        return Err("is not a whole number".into());
    }
    match text.parse::<u64>() {
        Ok(number) if number < least => Err(format!("is below {least}")),
        Ok(number) if number <= most => Ok(number),
        _ => Err(format!("is above {most}")),
    }
}

/// A count that is a size in memory.
pub fn count(text: &str, least: usize, most: usize) -> Parsed<usize> {
    let number = whole(text, least as u64, most as u64)?;
    usize::try_from(number).map_err(|_| format!("is above {most}"))
}

/// Seconds, with decimals, between a tenth of a second and an hour.
pub fn timeout(text: &str) -> Parsed<Duration> {
    let seconds = text.parse::<f64>().map_err(|_| "is not a number of seconds".to_owned())?;
    if !(0.1..=3_600.0).contains(&seconds) {
        return Err("is not between 0.1 and 3600 seconds".into());
    }
    Duration::try_from_secs_f64(seconds).map_err(|_| "is not a number of seconds".into())
}

fn usd(text: &str) -> Parsed<Usd> {
    Usd::parse(text).map_err(|problem| match problem {
        ParseUsdError::NotANumber => "is not an amount in USD such as 50 or 0.25".into(),
        ParseUsdError::OutOfRange => "is out of range".into(),
    })
}

/// A limit in USD, or `none`.
pub fn limit(text: &str) -> Parsed<Option<Usd>> {
    if text.eq_ignore_ascii_case("none") {
        return Ok(None);
    }
    let amount = usd(text)?;
    if amount < Usd::ZERO { Err("is negative".into()) } else { Ok(Some(amount)) }
}

/// How often a budget begins anew.
pub fn period(text: &str) -> Parsed<PeriodKind> {
    text.parse().map_err(|_| "is not a period".into())
}

/// The largest size of one event.
pub fn event_usd(text: &str) -> Parsed<Usd> {
    let amount = usd(text)?;
    if amount <= Usd::ZERO || amount > Usd::from_dollars(1_000_000) {
        return Err("is not above 0 and at most 1000000 USD".into());
    }
    Ok(amount)
}

/// A share of a limit. Percent figures are the usual mistake, so they get the answer they need.
pub fn threshold(text: &str) -> Parsed<Threshold> {
    if let Ok(threshold) = Threshold::parse(text) {
        return Ok(threshold);
    }
    let figure = text.strip_suffix('%').unwrap_or(text).trim_end();
    match Usd::parse(figure) {
        Ok(percent) if percent > Usd::ZERO && percent <= Usd::from_dollars(1_000) => {
            let share = Usd::from_pico(percent.pico() / 100);
            Err(format!("is not a share of the limit, where 1 is all of it; for {figure} percent write {share}"))
        }
        Ok(_) => Err("is out of range".into()),
        Err(_) => Err("is not a number".into()),
    }
}

/// Days, or `none` for ever.
pub fn retention_days(text: &str, least: u32) -> Parsed<Option<u32>> {
    if text.eq_ignore_ascii_case("none") {
        return Ok(None);
    }
    let days = whole(text, u64::from(least), 36_500)?;
    u32::try_from(days).map(Some).map_err(|_| "is out of range".into())
}

/// An address to listen on.
pub fn host(text: &str) -> Parsed<IpAddr> {
    if text.eq_ignore_ascii_case("localhost") {
        return Ok(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    bare.parse().map_err(|_| "is not an IP address".into())
}

/// A level by its Rust or Python name.
pub fn level(text: &str) -> Parsed<LevelFilter> {
    match text.to_ascii_uppercase().as_str() {
        "OFF" => Ok(LevelFilter::OFF),
        "ERROR" | "CRITICAL" | "FATAL" => Ok(LevelFilter::ERROR),
        "WARN" | "WARNING" => Ok(LevelFilter::WARN),
        "INFO" => Ok(LevelFilter::INFO),
        "DEBUG" => Ok(LevelFilter::DEBUG),
        "TRACE" => Ok(LevelFilter::TRACE),
        _ => Err("is not a level".into()),
    }
}

/// How a line of the log looks.
pub fn log_format(text: &str) -> Parsed<LogFormat> {
    match text.to_ascii_lowercase().as_str() {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("is not a format".into()),
    }
}

/// A label such as `production`.
pub fn label(text: &str) -> Parsed<String> {
    if text.is_empty() {
        return Err("must not be empty".into());
    }
    check_text(text, NAME_BYTES_MAX).map_err(|problem| problem.to_string())?;
    Ok(text.to_owned())
}

/// A path.
pub fn path(text: &str) -> Parsed<PathBuf> {
    if text.is_empty() {
        return Err("must not be empty".into());
    }
    if text.contains('\0') {
        return Err("contains a NUL character".into());
    }
    Ok(PathBuf::from(text))
}

/// A zone of the time zone database.
pub fn zone(text: &str) -> Parsed<BudgetZone> {
    BudgetZone::named(text).map_err(|_| "is not in the time zone database".into())
}

/// Host names, separated by commas; lower case afterwards.
pub fn hosts(text: &str) -> Parsed<Vec<String>> {
    items(text)
        .map(|host| {
            let plain = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'));
            if plain && host.len() <= HOST_BYTES_MAX {
                Ok(host.to_ascii_lowercase())
            } else {
                Err(format!("has {host:?}, which is not a host name (without scheme and port)"))
            }
        })
        .collect()
}

/// Patterns of operations, separated by commas.
pub fn operations(text: &str) -> Parsed<Vec<String>> {
    items(text)
        .map(|pattern| match check_text(pattern, 2 * NAME_BYTES_MAX + 1) {
            Ok(()) if pattern.starts_with(':') || pattern.ends_with(':') => {
                Err(format!("has {pattern:?}, where a side of the colon is missing"))
            }
            Ok(()) => Ok(pattern.to_owned()),
            Err(problem) => Err(format!("has a pattern that {problem}")),
        })
        .collect()
}

fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}

/// A bearer token. What a header cannot carry would never match, so it is refused here; the text is not repeated.
pub fn token(text: &str) -> Parsed<Token> {
    if text.is_empty() {
        return Err("must not be empty".into());
    }
    if text.len() > TOKEN_BYTES_MAX {
        return Err(format!("is longer than {TOKEN_BYTES_MAX} bytes"));
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("contains a blank or another character that a header cannot carry".into());
    }
    Ok(Token::new(text))
}

/// Where a webhook's messages go. Its path may be a secret: the text is not repeated.
pub fn webhook_url(text: &str) -> Parsed<Url> {
    let text = text.trim();
    if text.is_empty() {
        return Err("must not be empty".into());
    }
    if text.contains(|char: char| char.is_whitespace() || char.is_control()) {
        return Err("contains a blank or a control character".into());
    }
    let url = Url::parse(text).map_err(|error| format!("is not a URL: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("does not begin with http:// or https://".into());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("carries a user or a password".into());
    }
    if url.fragment().is_some() {
        return Err("carries a fragment, which is never sent".into());
    }
    Ok(url)
}

/// How a webhook's messages are written.
pub fn webhook_format(text: &str) -> Parsed<WebhookFormat> {
    text.parse().map_err(|_| "is not a format of this agent".into())
}
