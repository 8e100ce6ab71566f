//! What telemetry may be told.

use crate::views::SeriesLimits;

/// Settings of the metrics.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which deployment this is (`ENVIRONMENT`): a label of `lead_factory_build_info`.
    pub environment: String,
    /// The commit that was built; `unknown` when the build was not told (`LEAD_FACTORY_REVISION` in its environment).
    pub revision: String,
    /// How many names the metrics may show; the same value the views were made with.
    pub series: SeriesLimits,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            environment: "production".into(),
            revision: option_env!("LEAD_FACTORY_REVISION").unwrap_or("unknown").into(),
            series: SeriesLimits::default(),
        }
    }
}
