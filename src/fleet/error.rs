//! Why the fleet's database did not do something.

use super::postgres::DatabaseError;
use crate::error_chain::ErrorChain;

/// Why something could not be had of the fleet. It may be tried again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FleetError {
    /// The database does not answer, or not in time.
    #[error("the fleet's database does not answer: {0}")]
    Unreachable(String),
    /// It answers and says no: what is set up wrong, and what to do about it. Trying again changes nothing.
    #[error("{0}")]
    Refused(String),
    /// It is not made ready for a fleet, or for a newer program.
    #[error("{0}")]
    NotReady(String),
}

impl From<DatabaseError> for FleetError {
    fn from(error: DatabaseError) -> Self {
        if let Some(said) = error.refusal() {
            return Self::Refused(said);
        }
        match error {
            DatabaseError::NoSchema | DatabaseError::OtherSchema { .. } | DatabaseError::NoRight => {
                Self::NotReady(error.to_string())
            }
            other => Self::Unreachable(ErrorChain(&other).to_string()),
        }
    }
}
