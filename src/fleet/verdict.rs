//! What becomes of a reservation that this agent's share has no room for.

use std::sync::Arc;

use tokio::sync::oneshot;

use crate::domain::{Span, Usd};

/// What became of a reservation that waits for the fleet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// There may be room now: reserve again, and ask again if there is none.
    TryAgain,
    /// There is not so much: all that may have had it were asked, and have answered.
    Exhausted,
    /// It may be there, with agents that do not answer.
    Elsewhere {
        /// What they have in hand or hold.
        leased: Usd,
        /// How many they are.
        agents: u32,
    },
    /// The database does not answer, or this agent has no part in the fleet: nothing is known.
    Unreachable,
}

/// A reservation that waits.
#[derive(Debug)]
pub(super) struct Want {
    /// Of this budget.
    pub budget: Arc<str>,
    /// In this period.
    pub span: Span,
    /// So much.
    pub amount: Usd,
    /// Who waits.
    pub reply: oneshot::Sender<Verdict>,
}
