//! `prices update`: a file of prices takes the place of the one that the settings name, and the running agent reads it.
//!
//! *Invariants.* The file is checked before anything changes, and put in place whole: an agent that starts meanwhile reads the old one or
//! the new one. Where the agent refuses it, or reads another file, the old one is put back.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use super::super::agent_args::AgentArgs;
use super::super::answer::read;
use super::super::client::AgentClient;
use super::super::output::{print_line, printable};
use super::super::settings_args::SettingsArgs;
use super::super::token::TokenArgs;
use super::super::{Exit, Failure};
use super::check::check;
use crate::config::{self, Sources};
use crate::wire::ReloadAnswer;

/// A large file of prices is read in a second.
const RELOAD_TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Args, Debug)]
pub struct UpdateArgs {
    /// The new file
    #[arg(long, value_name = "FILE")]
    pub file: PathBuf,
    #[command(flatten)]
    pub token: TokenArgs,
    #[command(flatten)]
    pub agent: AgentArgs,
    #[command(flatten)]
    pub settings: SettingsArgs,
}

/// Runs the verb.
pub fn run(arguments: &UpdateArgs, process: Sources) -> Result<Exit, Failure> {
    let token = arguments.token.to_change(&process)?;
    let client = AgentClient::new(&arguments.agent, &process, RELOAD_TIMEOUT)?;
    let sources = arguments.settings.clone().over(process);
    let version = check(&arguments.file, sources.clone())?.book.file_version().map(Box::from);
    let place = config::load_prices_file(&sources)?
        .ok_or_else(|| Failure::Usage("the settings name no PRICES_FILE to put it in the place of".to_owned()))?;
    let name = printable(&place.display().to_string());
    let failed = |error: io::Error| Failure::Failed(format!("{name}: {error}"));
    let before = match fs::read(&place) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        found => Some(found.map_err(failed)?),
    };
    put(&place, &fs::read(&arguments.file).map_err(failed)?).map_err(failed)?;
    let answer = client.post("/prices/reload", token.as_deref(), String::new()).map_err(Failure::from);
    let refused = match answer.and_then(|answer| read::<ReloadAnswer>(&answer)) {
        Ok(answer) if answer.prices_file_version == version => {
            print_line(&format!("{name} is in force"))?;
            return Ok(Exit::Done);
        }
        Err(failure) => failure,
        Ok(_) => Failure::Failed(format!(
            "the agent reads another file of prices than {name}: give this command the agent's settings"
        )),
    };
    match before {
        Some(before) => put(&place, &before),
        None => fs::remove_file(&place),
    }
    .map_err(failed)?;
    Err(refused)
}

/// Replaces a file as a whole.
fn put(place: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut new = place.as_os_str().to_owned();
    new.push(".new");
    let new = PathBuf::from(new);
    fs::write(&new, bytes)?;
    let file = File::open(&new)?;
    file.sync_all()?;
    if let Ok(before) = fs::metadata(place) {
        fs::set_permissions(&new, before.permissions())?;
    }
    fs::rename(&new, place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_as_a_whole_and_keeps_its_mode() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("prices.toml");
        fs::write(&place, "old").unwrap();
        fs::set_permissions(&place, fs::Permissions::from_mode(0o640)).unwrap();
        put(&place, b"new").unwrap();
        assert_eq!(fs::read(&place).unwrap(), b"new");
        assert_eq!(fs::metadata(&place).unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    }
}
