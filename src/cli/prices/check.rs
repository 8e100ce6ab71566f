//! `prices check`: whether the agent would take a file of prices.

use std::path::{Path, PathBuf};

use clap::Args;

use super::super::output::{note, print_line, printable};
use super::super::settings_args::SettingsArgs;
use super::super::{Exit, Failure};
use crate::config::{self, Config, Sources};

/// The setting that names the file.
const PRICES_FILE: &str = "prices_file";

#[derive(Args, Debug)]
pub struct CheckArgs {
    /// The file
    #[arg(long, value_name = "FILE")]
    pub file: PathBuf,
    #[command(flatten)]
    pub settings: SettingsArgs,
}

/// Runs the verb.
pub fn run(arguments: &CheckArgs, process: Sources) -> Result<Exit, Failure> {
    check(&arguments.file, arguments.settings.clone().over(process))?;
    print_line(&format!("{} is good", printable(&arguments.file.display().to_string())))?;
    Ok(Exit::Done)
}

/// The settings as they would be with this file.
pub(super) fn check(file: &Path, mut sources: Sources) -> Result<Config, Failure> {
    let name = file.to_str().ok_or_else(|| Failure::Usage("the name of the file is not UTF-8".to_owned()))?;
    sources.flags.retain(|(setting, _)| setting != PRICES_FILE);
    sources.flags.push((PRICES_FILE.to_owned(), name.to_owned()));
    let config = config::load(&sources)?;
    config.warnings.iter().for_each(|warning| note(&format!("warning: {warning}")));
    Ok(config)
}
