//! The agent's own JSON: events ([`FORMATS`]), and requests that are one object.

mod events;
mod fields;
mod key;
mod requests;
#[cfg(test)]
mod tests;

pub use events::{FORMATS, IMPORTS};
pub use key::idempotency_key;
pub use requests::{read_extension, read_gate, read_limit, read_release, read_reservation, read_settlement, read_usage};
