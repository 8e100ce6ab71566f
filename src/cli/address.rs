//! Where the agent is asked: `--url`, or the address that the settings have it listen on.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use reqwest::Url;

use super::Failure;

/// The path of a Unix socket, where that is what is named.
pub fn socket(text: &str) -> Option<&Path> {
    text.strip_prefix("unix:").map(Path::new).filter(|path| !path.as_os_str().is_empty())
}

pub fn parse(text: &str) -> Result<Url, Failure> {
    let wrong = || Failure::Usage("--url must be an address such as http://127.0.0.1:8000 or unix:/run/agent.sock".into());
    let url = Url::parse(text).map_err(|_| wrong())?;
    let plain = matches!(url.scheme(), "http" | "https") && url.query().is_none() && url.fragment().is_none();
    // A password would be repeated in every message; there is --user-file for it.
    let plain = plain && url.username().is_empty() && url.password().is_none();
    if plain && url.has_host() { Ok(url) } else { Err(wrong()) }
}

/// The address of an item of the list at `url`. Slashes in its id are encoded.
pub fn of_item(mut url: Url, id: &str) -> Url {
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.push(id);
    }
    url
}

/// Where an agent that listens on `listen` is reached from its own host.
pub fn local(listen: SocketAddr, is_tls: bool) -> Result<Url, Failure> {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    if listen.port() == 0 {
        return Err(Failure::Usage("METRICS_PORT is 0, so the agent chose a free port: give its address with --url".into()));
    }
    let scheme = if is_tls { "https" } else { "http" };
    parse(&format!("{scheme}://{}", SocketAddr::new(ip, listen.port())))
}

/// Whether it is on this host.
pub fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_that_listens_everywhere_is_asked_on_loopback() {
        for (listen, url) in [
            ("0.0.0.0:8000", "http://127.0.0.1:8000/"),
            ("[::]:8000", "http://[::1]:8000/"),
            ("10.1.2.3:9", "http://10.1.2.3:9/"),
            ("0.0.0.0:8000", "https://127.0.0.1:8000/"),
        ] {
            assert_eq!(local(listen.parse().unwrap(), url.starts_with("https")).unwrap().as_str(), url);
        }
        assert!(matches!(local("0.0.0.0:0".parse().unwrap(), false), Err(Failure::Usage(_))));
    }

    #[test]
    fn only_http_addresses_are_taken() {
        for text in ["127.0.0.1:8000", "ftp://a", "http://a?b", "", "http://", "http://user:secret@a", "unix:"] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse("https://agent.internal/base").is_ok());
        assert_eq!(socket("unix:/run/a.sock"), Some(Path::new("/run/a.sock")));
        assert_eq!((socket("unix:"), socket("http://a")), (None, None));
    }

    #[test]
    fn an_id_is_one_segment_of_a_path() {
        for (id, path) in [
            ("job-7", "/base/reservations/job-7"),
            ("a/b c?d#e%", "/base/reservations/a%2Fb%20c%3Fd%23e%25"),
            ("é", "/base/reservations/%C3%A9"),
        ] {
            let url = of_item(Url::parse("http://a/base/reservations").unwrap(), id);
            assert_eq!((url.path(), url.query()), (path, None), "{id}");
        }
    }

    #[test]
    fn loopback_is_told_from_the_rest() {
        for (url, loopback) in [
            ("http://127.0.0.9:1", true),
            ("http://[::1]:1", true),
            ("http://localhost", true),
            ("http://localhost.example", false),
            ("http://10.0.0.1", false),
        ] {
            assert_eq!(is_loopback(&Url::parse(url).unwrap()), loopback, "{url}");
        }
    }
}
