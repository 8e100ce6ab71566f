//! How a run ends: the exit code, and the words on standard error.

use std::io::Write;
use std::process::ExitCode;

use crate::config::Problems;

/// The exit codes, which scripts rely on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// What was asked for is done.
    Done,
    /// It failed.
    Failed,
    /// The command line makes no sense.
    Usage,
    /// The gate or a budget says no.
    Refused,
    /// The settings are wrong.
    Configuration,
}

/// Why a verb did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Said in full by the message.
    #[error("{0}")]
    Failed(String),
    /// An argument whose rule the parser does not know.
    #[error("{0}")]
    Usage(String),
    /// See the problems.
    #[error("{0}")]
    Settings(#[from] Problems),
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Refused => 3,
            Exit::Configuration => 78,
        })
    }
}

impl Failure {
    /// Says it on standard error.
    pub fn report(&self) -> Exit {
        // With nobody left to read standard error, the exit code still tells.
        let _closed = writeln!(std::io::stderr(), "lead-factory-metrics: {self}");
        self.exit()
    }

    fn exit(&self) -> Exit {
        match self {
            Self::Failed(_) => Exit::Failed,
            Self::Usage(_) => Exit::Usage,
            Self::Settings(_) => Exit::Configuration,
        }
    }
}
