//! The built program, seen from outside: one binary, one module per promise.
//!
//! Every test starts the real program on a ledger of its own and talks to it as a worker, Prometheus or an operator would.
//! Nothing is skipped: a test whose tool is missing fails and says which package has it (`scripts/test` installs them all).
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on stops with the reason"
)]

mod support;

mod alerts;
mod backup;
mod bad_bodies;
mod bad_events;
mod bad_requests;
mod bitflip;
mod bounds;
mod budget_races;
mod budgets;
mod budgets_guide;
mod circles;
mod cli;
mod corrections_guide;
mod dashboard;
mod deploy_prometheus;
mod disk;
mod doc_links;
mod exact;
mod findings;
mod fleet;
mod focus;
mod gate_guide;
mod gateways;
mod head_room;
mod hostile;
mod intake;
mod kill;
mod kill_at_system_call;
mod ledger_locks;
mod limits;
mod metrics;
mod model;
mod not_a_ledger;
mod older_ledgers;
mod otlp;
mod otlp_in;
mod overload;
mod overshoot;
mod page;
mod power_cut;
mod prices;
mod prometheus;
mod python_client;
mod quick_start;
mod rating;
mod reading;
mod readme;
mod reservation_kill;
mod reservations_surface;
mod revisions;
mod scopes;
mod service_manager;
mod settings;
mod shutdown;
mod slow;
mod soak;
mod sync_failure;
mod tidy;
mod time;
mod top;
mod torture;
mod transfer;
mod upgrade_guide;
mod watch;
mod web;
mod webhooks;
mod write_socket;
mod writes_auth;
