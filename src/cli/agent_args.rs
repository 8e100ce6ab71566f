//! What every verb that asks the agent takes: where it is, and how its answer is written.

use std::path::PathBuf;

use clap::Args;

use super::output::OutputFormat;

/// Where the agent is.
#[derive(Args, Debug)]
pub struct AgentArgs {
    /// Address of the agent, or unix: and the path of its WRITE_SOCKET [default: the local agent, from METRICS_HOST, METRICS_PORT and CONFIG_FILE]
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    #[command(flatten)]
    pub access: AccessArgs,
}

/// How the agent lets somebody in.
#[derive(Args, Clone, Debug, Default)]
pub struct AccessArgs {
    /// File of the authorities (PEM) that may vouch for an agent at https://, in place of the system's
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// File whose first line is user:password, where reading asks for a login
    #[arg(long, value_name = "FILE")]
    pub user_file: Option<PathBuf>,
}

/// How the answer is written.
#[derive(Args, Debug)]
pub struct OutputArgs {
    /// Output format: table for people, json (the agent's answer) or csv for programs
    #[arg(long, value_enum, default_value = "table", value_name = "FORMAT")]
    pub output: OutputFormat,
}

/// The arguments of one verb, for tests.
#[cfg(test)]
pub fn parsed<A: Args>(line: &[&str]) -> A {
    let command = A::augment_args(clap::Command::new("p"));
    let matches = command.get_matches_from([&["p"], line].concat());
    A::from_arg_matches(&matches).unwrap()
}
