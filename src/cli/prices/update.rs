//! `prices update`: a file of prices takes the place of the one that the settings name, and the running agent reads it.
//!
//! *Invariants.* The file is checked before anything changes, and put in place whole: an agent that starts meanwhile reads the old one or
//! the new one. An agent that refuses it gets the old one back.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use super::super::agent_args::AgentArgs;
use super::super::client::AgentClient;
use super::super::output::{print_line, printable};
use super::super::settings_args::SettingsArgs;
use super::super::token::TokenArgs;
use super::super::{Exit, Failure};
use super::check::{PRICES_FILE, check};
use crate::config::{self, Sources};

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
    check(&arguments.file, sources.clone())?;
    let running = config::load(&sources)?;
    let shown = running.shown.iter().find(|shown| shown.key == PRICES_FILE);
    let place = shown.and_then(|shown| shown.value.as_deref()).filter(|path| !path.is_empty()).map(PathBuf::from);
    let place =
        place.ok_or_else(|| Failure::Usage("the settings name no PRICES_FILE to put it in the place of".to_owned()))?;
    let failed = |error: io::Error| Failure::Failed(format!("{}: {error}", printable(&place.display().to_string())));
    let before = fs::read(&place).map_err(failed)?;
    put(&place, &fs::read(&arguments.file).map_err(failed)?).map_err(failed)?;
    if let Err(error) = client.post("/prices/reload", token.as_deref(), String::new()) {
        put(&place, &before).map_err(failed)?;
        return Err(error.into());
    }
    print_line(&format!("{} is in force", printable(&place.display().to_string())))?;
    Ok(Exit::Done)
}

/// Replaces a file as a whole.
fn put(place: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut new = place.as_os_str().to_owned();
    new.push(".new");
    let new = PathBuf::from(new);
    fs::write(&new, bytes)?;
    let file = File::open(&new)?;
    file.sync_all()?;
    fs::set_permissions(&new, fs::metadata(place)?.permissions())?;
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
