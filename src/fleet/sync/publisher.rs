//! Says how the fleet stands.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

use crate::domain::{Now, Steady};
use crate::error_chain::ErrorChain;
use crate::fleet::postgres::DatabaseError;
use crate::fleet::{FleetStatus, SharedBudget};

/// Where everybody reads how the fleet stands. Each change of what is wrong is logged once.
#[derive(Debug)]
pub(super) struct Publisher {
    status: Arc<ArcSwap<FleetStatus>>,
    problem: Option<Arc<str>>,
    heard: Option<Now>,
    warnings: Vec<Arc<str>>,
}

impl Publisher {
    pub fn new(status: Arc<ArcSwap<FleetStatus>>) -> Self {
        let problem = status.load().problem.clone();
        Self { status, problem, heard: None, warnings: Vec::new() }
    }

    /// What is wrong, from now on.
    pub fn set_problem(&mut self, problem: Option<String>) {
        match &problem {
            Some(problem) if self.problem.as_deref() != Some(problem) => {
                tracing::warn!(%problem, "no part in the fleet");
            }
            None if self.problem.is_some() => tracing::info!("has a part in the fleet"),
            _ => {}
        }
        self.problem = problem.map(Into::into);
    }

    /// A connection failed.
    pub fn fail(&mut self, error: &DatabaseError) {
        self.set_problem(Some(ErrorChain(error).to_string()));
    }

    /// The database has answered.
    pub fn hear(&mut self, now: Now) {
        self.heard = Some(now);
    }

    /// For how long it has not.
    pub fn lag(&self, now: Steady) -> Option<Duration> {
        self.heard.map(|heard| now.since(heard.steady))
    }

    /// What somebody should look at.
    pub fn warn(&mut self, warnings: Vec<String>) {
        let warnings: Vec<Arc<str>> = warnings.into_iter().map(Into::into).collect();
        for warning in warnings.iter().filter(|warning| !self.warnings.contains(warning)) {
            tracing::warn!("{warning}");
        }
        self.warnings = warnings;
    }

    pub fn publish(&self, budgets: Vec<SharedBudget>) {
        let (problem, heard, warnings) = (self.problem.clone(), self.heard, self.warnings.clone());
        self.status.store(Arc::new(FleetStatus { problem, heard, budgets, warnings }));
    }
}
