//! What the writer decides about a command: to take it, or to refuse it.
//!
//! A refusal is a decision, with a reason that the asker can act on. An error of the ledger is none: then nothing is known.

/// A decision about one command.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Decision<T, R> {
    /// It is done once the commit is through.
    Taken(T),
    /// It is not done, and changes nothing.
    Refused(R),
}

impl<T, R> Decision<T, R> {
    /// The answer for whoever waits.
    pub fn into_answer<E: From<R>>(self) -> Result<T, E> {
        match self {
            Self::Taken(done) => Ok(done),
            Self::Refused(why) => Err(why.into()),
        }
    }
}
