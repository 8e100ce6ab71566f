//! The one owner of all state.

mod handle;
mod health;

pub use handle::{Conflict, QUEUE_MESSAGES_MAX, RecordError, Recorded, Writer};
pub use health::Health;
