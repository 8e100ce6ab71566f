//! The tables.

/// Their version.
pub(super) const VERSION: i32 = 1;

/// Makes them where they are not there.
pub(super) const SCHEMA: &str = include_str!("schema.sql");
