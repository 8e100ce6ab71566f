//! The token that allows writing.
//!
//! *Invariants.* It is never printed.

use std::path::PathBuf;

use clap::Args;

use super::Failure;
use crate::config::{self, Problems, Sources};

/// Where the token is.
#[derive(Args, Debug)]
pub struct TokenArgs {
    /// Token for writing (API_TOKEN); prefer --token-file, since other users can see command lines
    #[arg(long, conflicts_with = "token_file")]
    pub token: Option<Secret>,
    /// File of tokens for writing, of which the first that allows this is sent (API_TOKEN_FILE)
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
}

/// A text that does not print.
#[derive(Clone)]
pub struct Secret(pub String);

impl TokenArgs {
    /// The token of the arguments, else the one that the agent itself is set up with, to record with.
    pub fn to_record(&self, process: &Sources) -> Result<Option<String>, Failure> {
        self.load(process, config::load_recording_token)
    }

    /// The same to change something else than cost.
    pub fn to_change(&self, process: &Sources) -> Result<Option<String>, Failure> {
        self.load(process, config::load_admin_token)
    }

    fn load(
        &self,
        process: &Sources,
        choose: fn(&Sources) -> Result<Option<String>, Problems>,
    ) -> Result<Option<String>, Failure> {
        let mut sources = process.clone();
        if let Some(token) = &self.token {
            sources.flags.push(("api_token".into(), token.0.clone()));
        } else if let Some(path) = &self.token_file {
            // The named file alone counts: a token of the environment may be another agent's.
            sources.environment.remove("API_TOKEN");
            sources.flags.push(("api_token_file".into(), path.display().to_string()));
        }
        Ok(choose(&sources)?)
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
