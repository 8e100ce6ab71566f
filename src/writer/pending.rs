//! Commands that were decided, and their answers until the commit is through.
//!
//! *Invariants.* Whoever asked hears once: what was decided, after its commit is synced and published, or that it is not known.

use super::answer::{RecordAnswer, RecordError, ReservationAnswer, Taking};
use super::command::{Command, Reply};
use super::decision::Decision;
use super::draft::Draft;
use super::memory::Memory;
use super::rate::RateAnswer;
use crate::budget::InUse;
use crate::ledger::LedgerError;

/// An answer that waits for the commit on which it rests.
pub(super) enum Pending {
    Batch(Reply<RecordAnswer>, RecordAnswer),
    Reservation(Reply<ReservationAnswer>, ReservationAnswer),
    Order(Reply<Result<(), RecordError>>),
    Rate(Reply<Result<RateAnswer, RecordError>>, RateAnswer),
    Allowances(Reply<Result<Vec<Option<InUse>>, RecordError>>, Vec<Option<InUse>>),
}

impl Draft<'_> {
    /// Decides one command. After an error nobody waits for it any more.
    pub fn decide(
        &mut self,
        command: Command,
        memory: &mut Memory,
        pending: &mut Vec<Pending>,
        holds_max: usize,
    ) -> Result<(), LedgerError> {
        match command {
            Command::Record { events, taking, reply } => {
                let ledger = self.ledger;
                let batch = events.into_iter().map(|event| ledger.keyed(event));
                let before = self.events.len();
                let decided = match taking {
                    Taking::Calls => self.record_calls(batch.collect(), memory).map(Decision::Taken),
                    Taking::AllOrNothing | Taking::GoodOnes => self.record(batch, taking),
                };
                let decided = decided.and_then(|mut decision| {
                    if let Decision::Taken(recorded) = &mut decision {
                        recorded.suspected = self.suspect_behind(before, memory)?;
                    }
                    Ok(decision)
                });
                match decided {
                    // A refusal waits as well: it may rest on a batch of this group, which is not on the disk yet.
                    Ok(decision) => pending.push(Pending::Batch(reply, decision.into_answer())),
                    Err(error) => {
                        reply.send(Err(RecordError::Unavailable));
                        return Err(error);
                    }
                }
            }
            Command::Reservation { command, reply } => match self.reservation(command, holds_max) {
                Ok(decision) => pending.push(Pending::Reservation(reply, decision.into_answer())),
                Err(error) => {
                    reply.send(Err(RecordError::Unavailable.into()));
                    return Err(error);
                }
            },
            Command::Rate { order, reply } => match self.rate(order) {
                Ok(answer) => pending.push(Pending::Rate(reply, answer)),
                Err(error) => {
                    reply.send(Err(RecordError::Unavailable));
                    return Err(error);
                }
            },
            Command::SetGate { order, reply } => match self.order_gate(order) {
                Ok(()) => pending.push(Pending::Order(reply)),
                Err(error) => {
                    reply.send(Err(RecordError::Unavailable));
                    return Err(error);
                }
            },
            Command::SetLimit { line, reply } => match self.set_limit(line) {
                Ok(()) => pending.push(Pending::Order(reply)),
                Err(error) => {
                    reply.send(Err(RecordError::Unavailable));
                    return Err(error);
                }
            },
            Command::OrderAllowances { orders, reply } => match self.order_allowances(orders) {
                Ok(in_use) => pending.push(Pending::Allowances(reply, in_use)),
                Err(error) => {
                    reply.send(Err(RecordError::Unavailable));
                    return Err(error);
                }
            },
            // Nobody waits for these; they were taken out of the group.
            Command::SetPolicy { .. } | Command::ReportDeliveries(_) | Command::Tick | Command::Stop => {}
        }
        Ok(())
    }
}

impl Pending {
    pub fn send(self) {
        match self {
            Self::Batch(reply, outcome) => reply.send(outcome),
            Self::Reservation(reply, outcome) => reply.send(outcome),
            Self::Order(reply) => reply.send(Ok(())),
            Self::Rate(reply, answer) => reply.send(Ok(answer)),
            Self::Allowances(reply, in_use) => reply.send(Ok(in_use)),
        }
    }

    /// Tells that it is not known whether the disk has what was decided.
    pub fn refuse(self) {
        match self {
            Self::Batch(reply, _) => reply.send(Err(RecordError::Unavailable)),
            Self::Reservation(reply, _) => reply.send(Err(RecordError::Unavailable.into())),
            Self::Order(reply) => reply.send(Err(RecordError::Unavailable)),
            Self::Rate(reply, _) => reply.send(Err(RecordError::Unavailable)),
            Self::Allowances(reply, _) => reply.send(Err(RecordError::Unavailable)),
        }
    }
}
