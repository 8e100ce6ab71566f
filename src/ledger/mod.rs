//! Durable and append-only.

mod settings;

pub use settings::{RETENTION_DAYS_MIN, Settings};
