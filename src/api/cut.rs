//! Why a body could not be read to its end, and what its sender is told.

use super::problem::Problem;
use crate::formats::InflateError;

/// Why a body could not be read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Cut {
    #[error("the body ended early")]
    Early,
    #[error("the body took too long to arrive")]
    Slow,
    #[error("the body is too large")]
    Large,
    #[error("the body is not valid gzip")]
    NotGzip,
}

impl Cut {
    /// What its sender is told, where a body may have so many bytes.
    pub fn problem(self, bytes_max: usize) -> Problem {
        match self {
            Self::Early => Problem::malformed("The body ended early"),
            Self::Slow => Problem::TooSlow,
            Self::Large => {
                Problem::TooLarge(format!("The body must not exceed {bytes_max} bytes, compressed or not.").into())
            }
            Self::NotGzip => Problem::malformed("The body is not valid gzip"),
        }
    }
}

impl From<InflateError> for Cut {
    fn from(error: InflateError) -> Self {
        match error {
            InflateError::TooLarge => Self::Large,
            InflateError::Malformed => Self::NotGzip,
        }
    }
}
