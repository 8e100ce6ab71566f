//! The fleet's database, for verbs that work on it themselves.
//!
//! *Limits.* [`WORK_MAX`] for what is done there. No part of its URL is ever printed but the hosts.

use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::super::Failure;
use crate::config::{self, Sources};
use crate::fleet::{DatabaseUrl, FleetError};

/// For so long the database may take. Making tables, or waiting for an agent's transaction to end, takes milliseconds.
const WORK_MAX: Duration = Duration::from_secs(60);

/// Where the database is.
#[derive(Args, Clone, Debug)]
pub struct DatabaseArgs {
    /// File with the URL of the fleet's database [default: FLEET_URL or FLEET_URL_FILE]
    #[arg(long, value_name = "FILE")]
    fleet_url_file: Option<PathBuf>,
    /// Configuration file that names the database (CONFIG_FILE)
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Where the database is, and the means to wait for it.
pub struct Database {
    pub url: DatabaseUrl,
    runtime: tokio::runtime::Runtime,
}

impl DatabaseArgs {
    /// The database that the arguments or the settings name.
    pub fn find(&self, process: Sources) -> Result<Database, Failure> {
        let mut sources = Sources { config_flag: self.config.clone(), ..process };
        if let Some(path) = &self.fleet_url_file {
            // The named file alone counts: the environment may have the URL of an agent, who may do less.
            sources.environment.remove("FLEET_URL");
            sources.flags.push(("fleet_url_file".into(), path.display().to_string()));
        }
        let url = config::load_fleet_url(&sources)?.ok_or_else(|| {
            let where_to = "set FLEET_URL or FLEET_URL_FILE, or name the file with --fleet-url-file";
            Failure::Usage(format!("no database is named: {where_to}"))
        })?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Failure::Failed(format!("cannot start: {error}")))?;
        Ok(Database { url, runtime })
    }
}

impl Database {
    /// Waits for something to be done there.
    pub fn wait<T>(&self, work: impl Future<Output = Result<T, FleetError>>) -> Result<T, Failure> {
        // The timer belongs to the runtime.
        let done = self.runtime.block_on(async { tokio::time::timeout(WORK_MAX, work).await });
        match done {
            Ok(done) => done.map_err(|error| Failure::Failed(error.to_string())),
            Err(_elapsed) => {
                let seconds = WORK_MAX.as_secs();
                Err(Failure::Failed(format!("{} did not do it within {seconds} s: try it again", self.url.hosts())))
            }
        }
    }
}
