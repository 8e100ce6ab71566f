//! Which host a request is addressed to.

use std::net::{Ipv4Addr, Ipv6Addr};

use warp::http::HeaderMap;
use warp::http::header::HOST;
use warp::http::uri::Authority;

/// The host of a well-formed `host[:port]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Host {
    /// An IP address, which no rebinding of names can forge.
    Address,
    /// A name in lower case, without the dot that may end it.
    Name(String),
}

impl Host {
    /// The host that `Host` names; `None` unless there is exactly one such header and it is well-formed.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(HOST).iter();
        let (Some(value), None) = (values.next(), values.next()) else { return None };
        Self::parse(value.to_str().ok()?)
    }

    /// Reads `host[:port]` (RFC 9110, section 7.2).
    pub fn parse(text: &str) -> Option<Self> {
        Self::of_authority(&text.parse().ok()?)
    }

    /// The host of an authority, such as that of a request target in absolute form. No user, no empty host, no zone in an IPv6
    /// address.
    ///
    /// The library splits it and knows its characters. It allows more than a host may be: a user, any text in brackets, any
    /// registered name, and `+80` or `x` for a port.
    pub fn of_authority(authority: &Authority) -> Option<Self> {
        let host = authority.host();
        // What is left where a user stands before the host does not begin with it.
        let port = authority.as_str().strip_prefix(host)?;
        // An empty port is allowed by the grammar.
        let is_port = |digits: &str| {
            digits.bytes().all(|byte| byte.is_ascii_digit()) && (digits.is_empty() || digits.parse::<u16>().is_ok())
        };
        if !port.is_empty() && !port.strip_prefix(':').is_some_and(is_port) {
            return None;
        }
        match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            Some(address) => address.parse::<Ipv6Addr>().ok().map(|_| Self::Address),
            None => Self::parse_name(host),
        }
    }

    fn parse_name(text: &str) -> Option<Self> {
        if text.parse::<Ipv4Addr>().is_ok() {
            return Some(Self::Address);
        }
        let name = text.strip_suffix('.').unwrap_or(text);
        // `_` is no letter of host names, but container networks use it.
        let well_formed = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'));
        (well_formed && !name.is_empty() && name.len() <= 253 && !name.split('.').any(str::is_empty))
            .then(|| Self::Name(name.to_ascii_lowercase()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_read_by_the_grammar() {
        for text in ["127.0.0.1", "10.0.0.1:8000", "[::1]", "[::1]:8000", "[2001:db8::1]:", "1.2.3.4:65535"] {
            assert_eq!(Host::parse(text), Some(Host::Address), "{text}");
        }
        for (text, name) in [
            ("localhost", "localhost"),
            ("LocalHost:8000", "localhost"),
            ("localhost.", "localhost"),
            ("agent_1.internal:80", "agent_1.internal"),
            ("127.1", "127.1"),
            ("1.2.3.4.", "1.2.3.4"),
        ] {
            assert_eq!(Host::parse(text), Some(Host::Name(name.into())), "{text}");
        }
        for text in [
            "",
            ":80",
            ".",
            "a b",
            "user@localhost",
            "localhost:65536",
            "localhost:+80",
            "localhost:x",
            "::1",
            "[::1",
            "[::1]x",
            "[1.2.3.4]",
            "[fe80::1%25eth0]",
            "a,b",
            "localhost/",
            "a..b",
            "localhost..",
            ".a",
            "é",
            "a%00b",
        ] {
            assert_eq!(Host::parse(text), None, "{text}");
        }
    }

    #[test]
    fn exactly_one_host_is_wanted() {
        let mut headers = HeaderMap::new();
        assert_eq!(Host::of(&headers), None);
        headers.append(HOST, "localhost".parse().unwrap());
        assert_eq!(Host::of(&headers), Some(Host::Name("localhost".into())));
        headers.append(HOST, "localhost".parse().unwrap());
        assert_eq!(Host::of(&headers), None);
    }
}
