//! What is wrong with the settings, and where it was written.

use std::fmt;

/// Which layer a value came from, in the words its author would use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// A place in the file of settings.
    File {
        /// The file's path as it was given.
        path: String,
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
    },
    /// An environment variable, by its name.
    Environment(String),
    /// A flag, without the dashes in front.
    Flag(String),
}

/// One thing that must be corrected before the agent can start. Never holds the value of a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The setting in question, by its key in the file; `None` when it is not about one.
    pub setting: Option<&'static str>,
    /// Where it was written.
    pub origin: Origin,
    /// What is wrong, and what is allowed.
    pub detail: String,
}

/// A value, and where it was written.
#[derive(Clone, Debug)]
pub(super) struct Placed<T> {
    pub value: T,
    pub origin: Origin,
}

/// Settings that contradict each other: told about the first one that somebody set.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Conflict {
    pub keys: [&'static str; 2],
    /// A sentence of its own, or one that begins with the setting.
    pub says: Says,
}

/// What a [`Conflict`] is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Says {
    /// Names both settings.
    Of(String),
    /// Goes on after the name of the setting.
    After(String),
}

/// Everything that is wrong, found in one go; never empty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => write!(formatter, "default"),
            Self::File { path, line, column } => write!(formatter, "{path}:{line}:{column}"),
            Self::Environment(name) => write!(formatter, "environment {name}"),
            Self::Flag(name) => write!(formatter, "flag --{name}"),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.origin, self.setting) {
            // Environment names and flags say which setting it is; a default needs it said.
            (Origin::File { .. } | Origin::Default, Some(setting)) => {
                write!(formatter, "{}: {setting} {}", self.origin, self.detail)
            }
            _ => write!(formatter, "{}: {}", self.origin, self.detail),
        }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => write!(formatter, "1 configuration error; nothing was started:")?,
            count => write!(formatter, "{count} configuration errors; nothing was started:")?,
        }
        for problem in &self.0 {
            write!(formatter, "\n  {problem}")?;
        }
        Ok(())
    }
}
