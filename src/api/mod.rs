//! The HTTP surface.

mod settings;

pub use settings::{Settings, Token};
