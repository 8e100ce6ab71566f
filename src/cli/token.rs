//! The token that allows writing.
//!
//! *Invariants.* It is never printed.

use std::path::PathBuf;

use clap::Args;

use super::Failure;
use crate::config::{self, Sources};

/// Where the token is.
#[derive(Args, Debug)]
pub struct TokenArgs {
    /// Token for writing (API_TOKEN); prefer --token-file, since other users can see command lines
    #[arg(long, conflicts_with = "token_file")]
    pub token: Option<Secret>,
    /// File whose first line is a token for writing (API_TOKEN_FILE)
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
}

/// A text that does not print.
#[derive(Clone)]
pub struct Secret(pub String);

impl TokenArgs {
    /// The token of the arguments, else the one that the agent itself is set up with.
    pub fn load(&self, process: &Sources) -> Result<Option<String>, Failure> {
        let mut sources = process.clone();
        if let Some(token) = &self.token {
            sources.flags.push(("api_token".into(), token.0.clone()));
        } else if let Some(path) = &self.token_file {
            // The named file alone counts: a token of the environment may be another agent's.
            sources.environment.remove("API_TOKEN");
            sources.flags.push(("api_token_file".into(), path.display().to_string()));
        }
        let token = config::load_token(&sources)?;
        Ok(token.map(|token| String::from_utf8_lossy(token.expose()).into_owned()))
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Secret(…)")
    }
}
