//! What the desk's task is asked.

use std::sync::Arc;

use tokio::sync::oneshot;

use crate::fleet::costs::{CostsRead, FleetCosts};
use crate::fleet::postgres::{AgentKey, PoolKey, SetLimit};
use crate::fleet::{FleetAgent, FleetError};

/// A process that speaks for its ledger, and what the database has of it.
#[derive(Clone, Debug)]
pub(in crate::fleet) struct Membership {
    pub agent: AgentKey,
    /// Under which sums are sent.
    pub sums_epoch: i64,
    /// Up to which entry the database has all sums; `None`: all are sent anew, and what is not among them is removed.
    pub after: Option<i64>,
}

/// What the task is asked.
#[derive(Debug)]
pub(super) enum Request {
    Speak(u64, Membership),
    Watch(Vec<PoolKey>),
    Agents(oneshot::Sender<Result<Vec<FleetAgent>, FleetError>>),
    Costs(CostsRead, oneshot::Sender<Result<Arc<FleetCosts>, FleetError>>),
    SetLimit(SetLimit, oneshot::Sender<Result<(), FleetError>>),
    Flush(oneshot::Sender<()>),
}
