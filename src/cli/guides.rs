//! `completions` and `man`: the command line as shells and manual pages know it.

use std::io;
use std::path::Path;

use clap::Command;
use clap_complete::Shell;

use super::output::print_text;
use super::{Exit, Failure};

/// Writes a shell's completions to standard output.
pub fn completions(shell: Shell, command: &mut Command) -> Result<Exit, Failure> {
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(shell, command, name, &mut script);
    print_text(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}

/// Writes the program's manual page to standard output, or every verb's into a folder.
pub fn man(folder: Option<&Path>, command: Command) -> Result<Exit, Failure> {
    let Some(folder) = folder else {
        let mut page = Vec::new();
        clap_mangen::Man::new(command).render(&mut page).map_err(|error| not_written(Path::new("the man page"), &error))?;
        print_text(&String::from_utf8_lossy(&page))?;
        return Ok(Exit::Done);
    };
    std::fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(command.disable_help_subcommand(true), folder))
        .map_err(|error| not_written(folder, &error))?;
    Ok(Exit::Done)
}

fn not_written(what: &Path, error: &io::Error) -> Failure {
    Failure::Failed(format!("cannot write {}: {error}", what.display()))
}
