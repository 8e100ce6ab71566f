//! Bodies to valid events; one file per format.

mod limits;

pub use limits::Limits;
