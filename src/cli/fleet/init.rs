//! `fleet init`: makes a database ready for a fleet.

use clap::Args;

use super::super::output::{print_line, printable};
use super::super::{Exit, Failure};
use super::database::DatabaseArgs;
use crate::config::Sources;
use crate::fleet;

#[derive(Args, Debug)]
pub struct InitArgs {
    /// Let this role of the database be the agents': it may read and write the fleet's rows, and no more
    #[arg(long, value_name = "ROLE", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    grant: Option<String>,
    #[command(flatten)]
    database: DatabaseArgs,
}

/// Runs the verb.
pub fn run(arguments: &InitArgs, process: Sources) -> Result<Exit, Failure> {
    let database = arguments.database.find(process)?;
    let role = arguments.grant.as_deref();
    database.wait(fleet::init(&database.url, role))?;
    let may = role.map(|role| format!(", and {} may take part", printable(role))).unwrap_or_default();
    print_line(&format!("{} is ready for a fleet{may}", database.url.hosts()))?;
    Ok(Exit::Done)
}
