//! What the log may be told.

use tracing::level_filters::LevelFilter;

/// Settings of the log, which goes to standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// The least serious level that is written (`LOG_LEVEL`).
    pub level: LevelFilter,
    /// How a line looks (`LOG_FORMAT`).
    pub format: LogFormat,
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line, for programs.
    Json,
}

impl LogFormat {
    /// For a terminal text, for everything else JSON.
    pub const fn default_for(terminal: bool) -> Self {
        if terminal { Self::Text } else { Self::Json }
    }
}
