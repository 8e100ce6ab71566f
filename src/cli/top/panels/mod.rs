//! What each part of the screen says, made of what is known.

mod budgets;
mod costs;
mod days;
mod events;
mod head;
mod holds;
mod unpriced;

pub use budgets::{budgets, limit_of};
pub use costs::costs;
pub use days::days;
pub use events::events;
pub use head::{away, gate, gate_band, problems, totals};
pub use holds::holds;
pub use unpriced::unpriced;
