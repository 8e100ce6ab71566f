//! Where something is: addresses, hosts, paths, URLs, time zones.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use reqwest::Url;

use super::super::kind::{Kind, Parsed, Shape};
use super::names::items;
use crate::domain::BudgetZone;

/// Longest host name (RFC 1035).
const HOST_BYTES_MAX: usize = 253;

/// Longest path of a Unix socket: the system keeps 108 bytes, the last of which is NUL.
const SOCKET_PATH_BYTES_MAX: usize = 107;

/// An address to listen on.
pub fn host() -> Kind<IpAddr> {
    let parse = |text: &str| {
        if text.eq_ignore_ascii_case("localhost") {
            return Ok(IpAddr::V4(Ipv4Addr::LOCALHOST));
        }
        let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
        bare.parse().map_err(|_| "is not an IP address".into())
    };
    Kind::new(Shape::Text, "ADDRESS", "an IPv4 or IPv6 address, or localhost", parse).shown_as(IpAddr::to_string)
}

/// An address and a port to listen on; `off` for none.
pub fn listen() -> Kind<Option<SocketAddr>> {
    let parse = |text: &str| {
        if text.eq_ignore_ascii_case("off") {
            return Ok(None);
        }
        let text = text.strip_prefix("localhost:").map_or_else(|| text.to_owned(), |port| format!("127.0.0.1:{port}"));
        text.parse().map(Some).map_err(|_| "is not an address with a port".into())
    };
    Kind::new(Shape::Text, "ADDRESS:PORT", "an IP address and a port such as 127.0.0.1:4318, or off", parse)
        .shown_as(|listen: &Option<SocketAddr>| listen.map_or_else(|| "off".to_owned(), |listen| listen.to_string()))
}

/// Host names, separated by commas; lower case afterwards.
pub fn hosts() -> Kind<Vec<String>> {
    let one = |host: &str| {
        let plain = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'));
        if plain && host.len() <= HOST_BYTES_MAX {
            Ok(host.to_ascii_lowercase())
        } else {
            Err(format!("has {host:?}, which is not a host name (without scheme and port)"))
        }
    };
    Kind::new(Shape::List, "HOSTS", "host names separated by commas", move |text| items(text).map(one).collect())
        .shown_as(|hosts: &Vec<String>| hosts.join(","))
}

/// A path.
pub fn path() -> Kind<PathBuf> {
    let parse = |text: &str| {
        if text.is_empty() {
            return Err("must not be empty".into());
        }
        if text.contains('\0') {
            return Err("contains a NUL character".into());
        }
        Ok(PathBuf::from(text))
    };
    Kind::new(Shape::Text, "FILE", "a path", parse).shown_as(|path| path.display().to_string())
}

/// A path of a Unix socket.
pub fn socket() -> Kind<Option<PathBuf>> {
    let parse = |text: &str| {
        if text.is_empty() {
            return Err("must not be empty".to_owned());
        }
        if text.contains('\0') {
            return Err("contains a NUL character".into());
        }
        if text.len() > SOCKET_PATH_BYTES_MAX {
            return Err(format!("is longer than {SOCKET_PATH_BYTES_MAX} bytes, which the system does not take"));
        }
        Ok(PathBuf::from(text))
    };
    Kind::new(Shape::Text, "FILE", "a path of 1 to 107 bytes", parse).shown_as(|path| path.display().to_string()).optional()
}

/// A zone of the time zone database.
pub fn zone() -> Kind<BudgetZone> {
    let parse = |text: &str| BudgetZone::named(text).map_err(|_| "is not in the time zone database".into());
    Kind::new(Shape::Text, "ZONE", "an IANA name such as UTC or Europe/Berlin", parse)
        .shown_as(|zone| zone.name().to_owned())
}

/// Where a webhook's messages go. Its path may be a secret: the text is not repeated.
pub fn webhook_url() -> Kind<Option<Url>> {
    let allowed = "a URL that begins with http:// or https://, without user name, password and fragment";
    Kind::new(Shape::Secret, "URL", allowed, parse_webhook_url).optional()
}

fn parse_webhook_url(text: &str) -> Parsed<Url> {
    let text = text.trim();
    if text.is_empty() {
        return Err("must not be empty".into());
    }
    if text.contains(|char: char| char.is_whitespace() || char.is_control()) {
        return Err("contains a space or a control character".into());
    }
    let url = Url::parse(text).map_err(|error| format!("is not a URL: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("does not begin with http:// or https://".into());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("contains a user name or a password".into());
    }
    if url.fragment().is_some() {
        return Err("contains a fragment, which is never sent".into());
    }
    Ok(url)
}
