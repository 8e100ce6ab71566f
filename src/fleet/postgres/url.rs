//! The URL of the fleet's database, as libpq reads it.
//!
//! *Invariants.* Nothing that is said of a URL repeats any part of it: a password with an unescaped `@`, `/` or `?` may be anywhere.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

/// What the server is told who connects.
const APPLICATION: &str = "lead-factory-metrics";
/// For one address of the server to answer.
const CONNECT_MAX: Duration = Duration::from_secs(2);
/// What was sent and is not confirmed for so long means that the connection is lost.
const UNCONFIRMED_MAX: Duration = Duration::from_secs(10);

/// Where the fleet's database is, and as whom to speak with it. It does not show.
#[derive(Clone)]
pub struct DatabaseUrl {
    pub(super) config: Config,
    pub(super) trust: Trust,
}

/// Which servers are trusted over TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// Whoever answers: nobody who listens reads along, but somebody in between may.
    Any,
    /// Who has a certificate of one of these authorities.
    Authorities(Authorities),
    /// Who has one for the name that was asked for.
    Named(Authorities),
}

/// Whose word on certificates counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Authorities {
    /// Those that the system trusts.
    System,
    /// Those of a file of certificates in PEM.
    File(PathBuf),
}

/// What is wrong with a URL, for people; it repeats nothing of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct DatabaseUrlError(String);

impl DatabaseUrl {
    /// Reads `postgres://user:password@host:port/database?sslmode=verify-full`. TLS is that of libpq: `prefer` without `sslmode`, `require`
    /// trusts whoever answers but for `sslrootcert`, `verify-ca` and `verify-full` check. Without `sslrootcert` the system's authorities count.
    ///
    /// # Errors
    /// It is none, or has a parameter that is not known here.
    pub fn parse(text: &str) -> Result<Self, DatabaseUrlError> {
        let error = |what: &str| DatabaseUrlError(what.to_owned());
        if !(text.starts_with("postgres://") || text.starts_with("postgresql://")) {
            return Err(error("must begin with postgres://, such as postgres://user:password@host:5432/database"));
        }
        let (place, parameters) = text.split_once('?').unwrap_or((text, ""));
        // A part of a password is no host, and hosts are shown.
        if place.matches('@').count() > 1 || parameters.contains('@') {
            return Err(error("has an @ out of place: write %40 for @, %2F for / and %3F for ? in a password"));
        }
        let (mut mode, mut file, mut others) = (None, None, Vec::new());
        for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
            let (name, value) = parameter.split_once('=').ok_or_else(|| error("has a parameter without ="))?;
            let value = percent_decode_str(value).decode_utf8().map_err(|_| error("has a parameter that is no UTF-8"))?;
            match name {
                "sslmode" => mode = Some(value.into_owned()),
                "sslrootcert" => file = Some(value.into_owned()),
                _ => others.push(parameter),
            }
        }
        let (mode, trust) = tls(mode.as_deref(), file.as_deref())?;
        let separator = if others.is_empty() { "" } else { "?" };
        let mut config = Config::from_str(&format!("{place}{separator}{}", others.join("&"))).map_err(|_| {
            error(
                "is no URL of a PostgreSQL database: write postgres://user:password@host:5432/database?sslmode=require, with %40 for @, %2F \
                 for / and %3F for ? in a password",
            )
        })?;
        if config.get_hosts().is_empty() {
            return Err(error("names no host"));
        }
        // A part of a password is no host, and hosts are shown.
        let is_split = config.get_dbname().is_some_and(|name| name.contains(['@', '/']));
        if is_split || config.get_hosts().iter().any(|host| !is_host(host)) {
            return Err(error("has a host that is none: write %40 for @, %2F for / and %3F for ? in a password"));
        }
        config.ssl_mode(mode);
        if config.get_application_name().is_none() {
            config.application_name(APPLICATION);
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_MAX);
        }
        config.tcp_user_timeout(UNCONFIRMED_MAX);
        Ok(Self { config, trust })
    }

    /// What may be shown of it: the hosts.
    pub fn hosts(&self) -> String {
        let ports = self.config.get_ports();
        let host = |(at, host): (usize, &Host)| {
            let port = ports.get(at).or(ports.first()).copied().unwrap_or(5432);
            match host {
                Host::Tcp(name) if name.contains(':') => format!("[{name}]:{port}"),
                Host::Tcp(name) => format!("{name}:{port}"),
                #[cfg(unix)]
                Host::Unix(path) => path.display().to_string(),
            }
        };
        self.config.get_hosts().iter().enumerate().map(host).collect::<Vec<_>>().join(",")
    }
}

fn is_host(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => name.chars().all(|char| char.is_alphanumeric() || "-._:%".contains(char)),
        #[cfg(unix)]
        Host::Unix(_) => true,
    }
}

/// What libpq makes of `sslmode` and `sslrootcert`.
fn tls(mode: Option<&str>, file: Option<&str>) -> Result<(SslMode, Trust), DatabaseUrlError> {
    let is_system = file == Some("system");
    let authorities = || match file {
        Some(path) if !is_system => Authorities::File(path.into()),
        _ => Authorities::System,
    };
    Ok(match mode {
        // With the system's authorities libpq takes nothing but names for an answer.
        None if is_system => (SslMode::Require, Trust::Named(Authorities::System)),
        Some(weaker) if is_system && weaker != "verify-full" => {
            return Err(DatabaseUrlError("has sslrootcert=system, which needs sslmode=verify-full".into()));
        }
        Some("disable") => (SslMode::Disable, Trust::Any),
        None | Some("allow" | "prefer") => (SslMode::Prefer, Trust::Any),
        Some("require") if file.is_none() => (SslMode::Require, Trust::Any),
        Some("require" | "verify-ca") => (SslMode::Require, Trust::Authorities(authorities())),
        Some("verify-full") => (SslMode::Require, Trust::Named(authorities())),
        Some(_) => {
            let words = "disable, prefer, require, verify-ca, verify-full";
            return Err(DatabaseUrlError(format!("has an sslmode that there is not: it is one of {words}")));
        }
    })
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("DatabaseUrl").field(&self.hosts()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_is_what_it_is_for_libpq() {
        let file = || Authorities::File("/ca.pem".into());
        for (parameters, mode, trust) in [
            ("", SslMode::Prefer, Trust::Any),
            ("?sslmode=disable", SslMode::Disable, Trust::Any),
            ("?sslmode=prefer&sslrootcert=/ca.pem", SslMode::Prefer, Trust::Any),
            ("?sslmode=require", SslMode::Require, Trust::Any),
            ("?sslmode=require&sslrootcert=%2Fca.pem", SslMode::Require, Trust::Authorities(file())),
            ("?sslmode=verify-ca&application_name=x", SslMode::Require, Trust::Authorities(Authorities::System)),
            ("?sslrootcert=/ca.pem&sslmode=verify-full", SslMode::Require, Trust::Named(file())),
            ("?sslmode=verify-full", SslMode::Require, Trust::Named(Authorities::System)),
            ("?sslrootcert=system", SslMode::Require, Trust::Named(Authorities::System)),
        ] {
            let url = DatabaseUrl::parse(&format!("postgres://u:p@db.example/fleet{parameters}")).unwrap();
            assert_eq!((url.config.get_ssl_mode(), url.trust), (mode, trust), "{parameters}");
        }
    }

    /// Guards against: a password in a message about the URL that it stands in.
    #[test]
    fn what_is_wrong_is_said_without_what_is_secret() {
        for (text, expected) in [
            ("mysql://u:s3cret@h/d", "must begin with postgres://"),
            ("s3cret", "must begin with postgres://"),
            ("postgres://u:s3cret@h/d?sslmode=s3cret", "has an sslmode that there is not"),
            ("postgres://u:s3cret@h/d?s3cret", "has a parameter without ="),
            ("postgres://u:s3cret@h/d?s3cret=1", "is no URL"),
            ("postgres://u:p@s3cret@h/d", "has an @ out of place"),
            ("postgres://u:x?s3cret=@h/d?sslmode=require", "has an @ out of place"),
            ("postgres://u:s3cret@h:port/d", "is no URL"),
            ("postgres://u:s3cret@/d", "names no host"),
            ("postgres://u:s3cret@h/d?sslrootcert=system&sslmode=require", "needs sslmode=verify-full"),
        ] {
            let said = DatabaseUrl::parse(text).map(|url| format!("{url:?}")).expect_err(text).to_string();
            assert!(said.contains(expected) && !said.contains("s3cret"), "{text}: {said}");
        }
        let url = DatabaseUrl::parse("postgresql://u:s3cret@one:6000,[::1]:6001/d").unwrap();
        assert_eq!(format!("{url:?}"), r#"DatabaseUrl("one:6000,[::1]:6001")"#);
    }
}
