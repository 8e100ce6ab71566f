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

impl Problems {
    /// All of them in a line, files by their names alone: an answer says nothing of folders.
    pub fn outward(&self) -> String {
        let all: Vec<String> = self.0.iter().map(|problem| without_folders(&problem.to_string())).collect();
        all.join("; ")
    }
}

/// A text with what stands behind the last slash in the place of each absolute path. One in quotes may have blanks in it.
fn without_folders(text: &str) -> String {
    let mut is_quoted = false;
    let ends_path = |c: char| {
        is_quoted ^= c == '"';
        c == '"' || !is_quoted && (c.is_whitespace() || "'`,;:()".contains(c))
    };
    let bare = |path: &str| {
        let is_path = path.starts_with('/') && !path.starts_with("//");
        path.rfind('/').filter(|_| is_path).map_or(0, |last| last + 1)
    };
    text.split_inclusive(ends_path).map(|word| &word[bare(word)..]).collect()
}

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
            1 => write!(formatter, "1 configuration error:")?,
            count => write!(formatter, "{count} configuration errors:")?,
        }
        for problem in &self.0 {
            write!(formatter, "\n  {problem}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_says_nothing_of_folders() {
        for (text, outward) in [
            ("/etc/agent/agent.toml:3:1: price 1: usd is missing", "agent.toml:3:1: price 1: usd is missing"),
            (
                "default: prices_file \"/srv/my prices/p.json\" cannot be read",
                "default: prices_file \"p.json\" cannot be read",
            ),
            ("agent.toml:1:1: a/b and 1/2 stay, (/a/b) does not", "agent.toml:1:1: a/b and 1/2 stay, (b) does not"),
            ("fleet_url https://example.org/fleet", "fleet_url https://example.org/fleet"),
            ("", ""),
        ] {
            assert_eq!(without_folders(text), outward);
        }
    }
}
