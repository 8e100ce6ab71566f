//! What may go wrong with the fleet's database.

use std::io;

use tokio_postgres::error::SqlState;

use super::schema::VERSION;
use crate::error_chain::ErrorChain;

/// Why the fleet's database did not do something.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// Nobody answers there, or not as a database.
    #[error("cannot connect to {hosts}")]
    Connect {
        /// Where.
        hosts: String,
        /// Why.
        #[source]
        source: tokio_postgres::Error,
    },
    /// The certificates of authorities cannot be read.
    #[error("cannot read the certificates of sslrootcert")]
    Certificates(#[source] io::Error),
    /// TLS cannot be had.
    #[error("TLS cannot be used")]
    Tls(#[source] rustls::Error),
    /// A statement failed.
    #[error("a statement failed")]
    Statement(#[source] tokio_postgres::Error),
    /// It took too long.
    #[error("it takes too long")]
    TimedOut,
    /// There is no fleet in it.
    #[error("the database has no fleet in it: run `lead-factory-metrics fleet init` once")]
    NoSchema,
    /// The fleet in it is of another version of the program.
    #[error("{}", of_version(*found))]
    OtherSchema {
        /// The version found.
        found: i32,
    },
    /// The role may not use it.
    #[error("the database's role may not use the fleet's tables: run `lead-factory-metrics fleet init --grant ROLE`")]
    NoRight,
    /// What it has makes no sense.
    #[error("what the database has of the fleet makes no sense: {0}")]
    Damaged(&'static str),
    /// It is of an earlier time, or another one.
    #[error("the fleet's database was set back or made anew: all is said to it again")]
    SetBack,
    /// So much that nobody wants to wait for it.
    #[error("the answer would have more than {0} rows")]
    TooMuch(usize),
}

fn of_version(found: i32) -> String {
    if found > VERSION {
        format!("the database's fleet is of version {found}, and this program knows {VERSION}: update the program")
    } else {
        format!("the database's fleet is of version {found}: run `lead-factory-metrics fleet init` for version {VERSION}")
    }
}

impl DatabaseError {
    /// What the database said when it refused what only somebody else can put right, and what to do about it; nothing it says repeats a
    /// password. `None`: it is something else.
    pub fn refusal(&self) -> Option<String> {
        let (Self::Connect { source: error, .. } | Self::Statement(error)) = self else { return None };
        let hosts = if let Self::Connect { hosts, .. } = self { format!("{hosts}: ") } else { String::new() };
        let refused = |said: &str, advice: &str| Some(format!("the fleet's database refuses: {hosts}{said}; {advice}"));
        let Some(database) = error.as_db_error() else {
            let (said, advice) = before_login(&ErrorChain(error).to_string())?;
            return refused(&said, advice);
        };
        let code = database.code();
        let advice = if *code == SqlState::INVALID_PASSWORD || *code == SqlState::INVALID_AUTHORIZATION_SPECIFICATION {
            "check user and password in the fleet's URL, and pg_hba.conf of the database"
        } else if *code == SqlState::INVALID_CATALOG_NAME {
            "check the database's name in the fleet's URL, or make it (createdb)"
        } else if *code == SqlState::UNDEFINED_OBJECT {
            "make the role first: CREATE ROLE name LOGIN PASSWORD '...'"
        } else if *code == SqlState::INSUFFICIENT_PRIVILEGE {
            "name a role that may, such as the database's owner"
        } else {
            return None;
        };
        refused(database.message(), advice)
    }

    /// Whether the same may be tried again at once: another transaction was in the way.
    pub fn is_transient(&self) -> bool {
        let Self::Statement(error) = self else { return false };
        matches!(error.code(), Some(&SqlState::T_R_SERIALIZATION_FAILURE | &SqlState::T_R_DEADLOCK_DETECTED))
    }
}

/// What is told of a connection that never got as far as a user: the driver and rustls say it in words alone, which tests hold us to.
fn before_login(said: &str) -> Option<(String, &'static str)> {
    if said.ends_with("password missing") {
        return Some(("it asks for a password".into(), "put one into the fleet's URL"));
    }
    if said.ends_with("server does not support TLS") {
        return Some((
            "it has no TLS".into(),
            "switch it on there (ssl = on), or write sslmode=disable within a network of your own",
        ));
    }
    let certificate = &said[said.find("invalid peer certificate")?..];
    Some((certificate.to_owned(), "check the host, sslmode and sslrootcert in the fleet's URL"))
}

impl From<tokio_postgres::Error> for DatabaseError {
    fn from(error: tokio_postgres::Error) -> Self {
        match error.code() {
            Some(&SqlState::UNDEFINED_TABLE | &SqlState::INVALID_SCHEMA_NAME) => Self::NoSchema,
            Some(&SqlState::INSUFFICIENT_PRIVILEGE) => Self::NoRight,
            _ => Self::Statement(error),
        }
    }
}
