//! The route table: what this agent answers to, and who answers.

use std::sync::Arc;

use super::State;
use super::endpoint::{Routes, put, read, write};
use super::{budgets, costs_read, costs_write, gate, health, index, metrics, openapi, reservation_list, reservations};

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
        read(state, "/scaling-gate/check", gate::check),
        put(state, "/scaling-gate", gate::set),
        read(state, "/reservations", reservation_list::list),
        // The last of a path is tried first: workers reserve, people list.
        write(state, "/reservations", reservations::reserve),
        read(state, "/reservations/{id}", reservation_list::show),
        write(state, "/reservations/{id}/commit", reservations::commit),
        write(state, "/reservations/{id}/release", reservations::release),
        write(state, "/reservations/{id}/extend", reservations::extend),
        read(state, "/openapi.json", openapi::show),
        read(state, "/", index::show),
    ])
}
