//! `lead-factory-metrics`: a sidecar that keeps an exact, durable ledger of what paid calls cost.

pub mod api;
pub mod budget;
pub mod clock;
pub mod config;
pub mod domain;
pub mod ingest;
pub mod ledger;
pub mod telemetry;
pub mod views;
pub mod writer;
