//! Where settings may come from, as a plain value: tests write one down instead of changing the process.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::io::IsTerminal;
use std::path::PathBuf;

/// The layers above the defaults. Reading a file that they name is left to [`load`](super::load), so loading the same sources
/// again picks up a changed file.
#[derive(Clone, Default)]
pub struct Sources {
    /// Flags in the order given: a setting's key (`daily_budget`) and its text.
    pub flags: Vec<(String, String)>,
    /// The file that a flag names (`--config`).
    pub config_flag: Option<PathBuf>,
    /// Environment variables.
    pub environment: BTreeMap<String, String>,
    /// Names of environment variables whose value is not UTF-8.
    pub not_utf8: Vec<String>,
    /// Whether what is doubtful is wrong (`--strict`).
    pub strict: bool,
    /// Whether the log goes to a terminal: decides the default of `log_format`.
    pub terminal: bool,
}

impl Sources {
    /// The environment and terminal of this process, without flags.
    pub fn of_process() -> Self {
        let mut sources = Self { terminal: std::io::stderr().is_terminal(), ..Self::default() };
        for (name, value) in std::env::vars_os() {
            sources.add_variable(name, value);
        }
        sources
    }

    fn add_variable(&mut self, name: OsString, value: OsString) {
        match (name.into_string(), value.into_string()) {
            (Ok(name), Ok(value)) => drop(self.environment.insert(name, value)),
            (Ok(name), Err(_)) => self.not_utf8.push(name),
            // No setting has such a name.
            (Err(_), _) => {}
        }
    }

    /// An environment variable; the empty string counts as not set, since compose files and unit files write it for that.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.environment.get(name).map(String::as_str).filter(|value| !value.trim().is_empty())
    }

    /// The file of settings, and whether a flag named it.
    pub(super) fn config_path(&self) -> Option<PathBuf> {
        self.config_flag.clone().or_else(|| self.variable("CONFIG_FILE").map(PathBuf::from))
    }
}

/// Values may be secrets: only names are shown.
impl fmt::Debug for Sources {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Sources")
            .field("flags", &self.flags.iter().map(|(key, _)| key).collect::<Vec<_>>())
            .field("config_flag", &self.config_flag)
            .field("environment", &self.environment.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_do_not_print_values() {
        let mut sources = Sources::default();
        sources.environment.insert("API_TOKEN".into(), "s3cret".into());
        sources.flags.push(("api_token".into(), "s3cret".into()));
        assert!(!format!("{sources:?}").contains("s3cret"));
    }

    #[cfg(unix)]
    #[test]
    fn a_variable_that_is_not_utf8_is_remembered_by_name() {
        use std::os::unix::ffi::OsStringExt;
        let mut sources = Sources::default();
        sources.add_variable("DB_PATH".into(), OsString::from_vec(vec![0xff]));
        assert_eq!(sources.not_utf8, ["DB_PATH"]);
    }
}
