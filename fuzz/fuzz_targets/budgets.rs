#![no_main]
//! What budgets decide, against the naive model of `tests/it/model`: the bytes choose the history.

#[allow(dead_code, reason = "what only a seed needs")]
#[path = "../../tests/it/model/mod.rs"]
mod model;
#[allow(dead_code, reason = "what the model has no use for")]
#[path = "../../tests/it/support/rng.rs"]
mod rng;
#[allow(dead_code, reason = "what the model has no use for")]
#[path = "../../tests/it/support/wait.rs"]
mod wait;

/// What the model uses of the tests.
mod support {
    pub use super::rng::Rng;
    pub use super::wait::within;
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| model::replay(data));
