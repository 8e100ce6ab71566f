//! The program: arguments in, exit code out.

use std::process::ExitCode;

fn main() -> ExitCode {
    lead_factory_metrics::cli::main()
}
