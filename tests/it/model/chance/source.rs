//! Where chance comes from.

use std::collections::VecDeque;

use crate::support::Rng;

/// Numbers as they are needed.
pub enum Source {
    Seed(Rng),
    /// A fuzzer's; when they are used up, everything is 0.
    Bytes(VecDeque<u8>),
}

impl Source {
    pub fn of_seed(seed: u64) -> Self {
        Self::Seed(Rng::new(seed))
    }

    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self::Bytes(bytes.iter().copied().collect())
    }

    /// A seed never is.
    pub fn is_used_up(&self) -> bool {
        matches!(self, Self::Bytes(bytes) if bytes.is_empty())
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        match self {
            Self::Seed(rng) => rng.below(bound),
            // As many bytes as such a number has.
            Self::Bytes(bytes) => {
                let count = (u64::BITS - (bound - 1).leading_zeros()).div_ceil(8) as usize;
                (0..count).fold(0, |number, _| number << 8 | u64::from(bytes.pop_front().unwrap_or(0))) % bound
            }
        }
    }
}
