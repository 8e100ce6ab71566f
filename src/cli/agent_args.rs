//! What every verb that asks the agent takes: where it is, and how its answer is written.

use clap::Args;

use super::output::OutputFormat;

/// Where the agent is.
#[derive(Args, Debug)]
pub struct AgentArgs {
    /// Address of the agent, or unix: and the path of its WRITE_SOCKET [default: the local agent, from METRICS_HOST, METRICS_PORT and CONFIG_FILE]
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
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
