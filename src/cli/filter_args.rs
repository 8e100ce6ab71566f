//! Which costs or events a verb is about, as arguments that are named like the query parameters they become.

use clap::Args;

/// Only what has all of these.
#[derive(Args, Clone, Debug, Default)]
pub struct FilterArgs {
    /// Only this service
    #[arg(long)]
    pub service: Option<String>,
    /// Only this operation
    #[arg(long)]
    pub operation: Option<String>,
    /// Only this worker; '' for what has none
    #[arg(long)]
    pub worker: Option<String>,
    /// Only this batch; '' for what has none
    #[arg(long)]
    pub batch: Option<String>,
    /// Only this lead; '' for what has none
    #[arg(long)]
    pub lead: Option<String>,
    /// Only this model; '' for what has none
    #[arg(long)]
    pub model: Option<String>,
}

impl FilterArgs {
    /// Those that are given, by the names of their parameters. An empty one is given.
    pub fn given(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let Self { service, operation, worker, batch, lead, model } = self;
        [
            ("service", service),
            ("operation", operation),
            ("worker", worker),
            ("batch", batch),
            ("lead", lead),
            ("model", model),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.as_deref()?)))
    }
}
