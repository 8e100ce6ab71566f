//! Prices of the operator's own: `[[price]]` tables of the file of settings, and the file of prices that `prices_file` names. Together
//! with the embedded catalogue they make the book.
//!
//! *Limits.* [`TABLES_MAX`](crate::pricing::TABLES_MAX), [`FILE_BYTES_MAX`](crate::pricing::FILE_BYTES_MAX).

pub(super) mod fields;
pub(super) mod kinds;
pub(super) mod resolve;
