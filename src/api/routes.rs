//! The route table: what this agent answers to, and who answers.

use std::sync::Arc;

use super::State;
use super::endpoint::{Routes, read, write};
use super::{budgets, costs_read, costs_write, gate, health, index, metrics, openapi};

/// Every path there is.
pub(super) fn routes(state: &Arc<State>) -> Routes {
    Routes::of([
        write(state, "/costs", costs_write::record),
        read(state, "/metrics", metrics::show),
        read(state, "/health", health::health),
        read(state, "/-/healthy", health::alive),
        read(state, "/-/ready", health::ready),
        read(state, "/costs/daily", costs_read::daily),
        read(state, "/costs/monthly", costs_read::monthly),
        read(state, "/costs/history", costs_read::history),
        read(state, "/budgets", budgets::list),
        read(state, "/scaling-gate/status", gate::status),
        read(state, "/scaling-gate/history", gate::history),
        read(state, "/openapi.json", openapi::show),
        read(state, "/", index::show),
    ])
}
