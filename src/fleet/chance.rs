//! Numbers that nobody else has.

use ring::rand::{SecureRandom, SystemRandom};
use std::hash::{BuildHasher, RandomState};

/// A random number above 0.
pub(super) fn random() -> i64 {
    let mut bytes = [0; 8];
    if SystemRandom::new().fill(&mut bytes).is_err() {
        // Where the system gives none, what it gave for hash maps will do: it is nothing secret.
        bytes = RandomState::new().hash_one(0).to_ne_bytes();
    }
    (i64::from_ne_bytes(bytes) & i64::MAX).max(1)
}
