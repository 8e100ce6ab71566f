//! How a body ends that is not read to its end.

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
