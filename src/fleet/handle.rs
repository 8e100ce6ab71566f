//! The way in: what the rest of the program asks of the fleet.
//!
//! *Limits.* [`WANT_MAX`] for a reservation that waits, [`WANTS_MAX`] of them at once; [`ANSWER_MAX`](super::ANSWER_MAX) for a read; [`STOP_MAX`] to end.

use std::sync::Arc;

use arc_swap::ArcSwap;
use opentelemetry::metrics::Meter;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::bounds::{STOP_MAX, WANT_MAX, WANTS_MAX};
use super::costs::CostsRead;
use super::desk::{self, Desk};
use super::instruments::Instruments;
use super::parts::FleetParts;
use super::verdict::Want;
use super::{FleetAgent, FleetError, FleetStatus, Known, Settings, Verdict, sync};
use crate::domain::{CostQuestion, GroupsByDay, LimitOverride, Span, Usd};

/// A handle to this agent's part in a fleet. Cloning it shares the part; when the last one is dropped, the part ends.
#[derive(Clone, Debug)]
pub struct Fleet {
    wants: mpsc::Sender<Want>,
    stop: mpsc::Sender<oneshot::Sender<()>>,
    status: Arc<ArcSwap<FleetStatus>>,
    desk: Desk,
    instruments: Instruments,
}

impl Fleet {
    /// Begins to take part, on the runtime that this is called on. Waits for nothing: until the database has answered, nothing is granted of
    /// the fleet's budgets, and `status` says why.
    pub fn start(settings: Settings, parts: FleetParts, meter: &Meter) -> Self {
        let (want, wants) = mpsc::channel(WANTS_MAX);
        let (stop, stops) = mpsc::channel(1);
        let status = Arc::new(ArcSwap::from_pointee(FleetStatus::starting()));
        let instruments = Instruments::new(meter, Arc::clone(&status), parts.clock.clone());
        let (settings, parts) = (Arc::new(settings), Arc::new(parts));
        let desk = desk::open(Arc::clone(&settings), Arc::clone(&parts), instruments.clone());
        tokio::spawn(sync::run(settings, parts, Arc::clone(&status), desk.clone(), instruments.clone(), (wants, stops)));
        Self { wants: want, stop, status, desk, instruments }
    }

    /// Asks for room for a reservation of `amount` that this agent's share of a budget in a period has none for, and waits at most
    /// [`WANT_MAX`]. Whoever is told to try again and finds no room may ask again.
    pub async fn want(&self, budget: &str, span: Span, amount: Usd) -> Verdict {
        let (reply, verdict) = oneshot::channel();
        let verdict = match self.wants.try_send(Want { budget: budget.into(), span, amount, reply }) {
            // Answered within the time; the bound is for the case that the task is gone.
            Ok(()) => timeout(2 * WANT_MAX, verdict).await.ok().and_then(Result::ok).unwrap_or(Verdict::Unreachable),
            Err(_full) => Verdict::Unreachable,
        };
        if verdict != Verdict::TryAgain {
            self.instruments.count_refusal(budget);
        }
        verdict
    }

    /// How the fleet stands, as far as is known.
    pub fn status(&self) -> Arc<FleetStatus> {
        self.status.load_full()
    }

    /// The fleet's agents, in the order of their names. Waits at most [`ANSWER_MAX`](super::ANSWER_MAX); without the database this is what was known last.
    ///
    /// # Errors
    /// The database cannot be asked, and nothing is known.
    pub async fn agents(&self) -> Result<Known<Vec<FleetAgent>>, FleetError> {
        self.desk.agents().await
    }

    /// What all agents together spent, grouped as asked for by service and operation. Waits at most [`ANSWER_MAX`](super::ANSWER_MAX); without the database
    /// this is what was known last.
    ///
    /// # Errors
    /// The database cannot be asked, and nothing is known of these days.
    pub async fn costs(&self, question: CostQuestion) -> Result<Known<GroupsByDay>, FleetError> {
        let Known { value, as_of } = self.desk.costs(CostsRead { first: question.first, last: question.last }).await?;
        Ok(Known { value: value.groups(&question), as_of })
    }

    /// Has the limit of a budget be what the line says, for all agents; without a limit, that of their settings again. The agents' ledgers
    /// get the line within a second; this one's must be written by the caller, too. Waits at most [`ANSWER_MAX`](super::ANSWER_MAX).
    ///
    /// # Errors
    /// The database did not take it, or it is not known whether it did: saying it again does no harm.
    pub async fn set_limit(&self, line: LimitOverride) -> Result<(), FleetError> {
        self.desk.set_limit(line).await
    }

    /// Gives back what this agent does not use, and sends the newest sums, as far as that is done in [`STOP_MAX`]. To be called once nobody
    /// reserves any more, and before the writer stops. Afterwards nothing is granted.
    pub async fn stop(self) {
        let (done, told) = oneshot::channel();
        if self.stop.try_send(done).is_ok() {
            // Without an answer the lease stays: what it had in hand is in doubt until the agent is back.
            let _ = timeout(STOP_MAX, told).await;
        }
    }
}
