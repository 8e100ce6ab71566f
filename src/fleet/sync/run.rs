//! From one connection to the next.
//!
//! *Limits.* [`BACKOFF_MAX`] between two attempts to connect, [`OCCUPIED_EVERY`] where another place speaks for the ledger.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout, timeout_at};

use super::hello::Met;
use super::publisher::Publisher;
use super::state::{Ended, STEP_MAX, Sync};
use super::targets::Targets;
use super::waits;
use crate::fleet::chance::random;
use crate::fleet::desk::Desk;
use crate::fleet::instruments::Instruments;
use crate::fleet::parts::FleetParts;
use crate::fleet::postgres::{AgentKey, DatabaseError};
use crate::fleet::verdict::Want;
use crate::fleet::{FleetStatus, Settings, Verdict};

/// Between two attempts to connect, at first and at most.
const BACKOFF_MIN: Duration = Duration::from_millis(50);
const BACKOFF_MAX: Duration = Duration::from_secs(2);
/// Between two attempts to speak for a ledger that another place speaks for.
const OCCUPIED_EVERY: Duration = Duration::from_secs(2);

/// What is asked of the task.
pub(in crate::fleet) type Asked = (mpsc::Receiver<Want>, mpsc::Receiver<oneshot::Sender<()>>);

/// Runs until nobody can ask any more.
pub(in crate::fleet) async fn run(
    settings: Arc<Settings>,
    parts: Arc<FleetParts>,
    status: Arc<ArcSwap<FleetStatus>>,
    desk: Desk,
    instruments: Instruments,
    (wants, stops): Asked,
) {
    let agent = AgentKey { ledger_id: parts.ledger_id.clone(), incarnation: random() };
    let publisher = Publisher::new(status);
    let targets = Targets::default();
    let started = parts.clock.instant().steady;
    let sync = Sync {
        settings,
        parts,
        desk,
        instruments,
        publisher,
        agent,
        targets,
        wants,
        stops,
        epoch: 0,
        overrides: 0,
        started,
        is_connected: false,
    };
    sync.run().await;
}

impl Sync {
    async fn run(mut self) {
        let mut backoff = BACKOFF_MIN;
        loop {
            self.follow_settings().await;
            let began = Instant::now();
            let ended = match timeout(STEP_MAX, self.meet()).await {
                Ok(Ok(Met::Speaker(session, begins))) => {
                    let ended = self.talk(&session, begins).await;
                    if began.elapsed() > BACKOFF_MAX {
                        backoff = BACKOFF_MIN;
                    }
                    ended
                }
                Ok(Ok(Met::Occupied(problem))) => {
                    self.publisher.set_problem(Some(problem));
                    backoff = OCCUPIED_EVERY;
                    Ended::Replaced
                }
                Ok(Err(error)) => Ended::Failed(error),
                Err(_) => Ended::Failed(DatabaseError::TimedOut),
            };
            self.is_connected = false;
            match ended {
                Ended::Stopped(done) => return drop(done),
                Ended::Replaced => self.suspend().await,
                Ended::Failed(error) => self.publisher.fail(&error),
            }
            self.publish().await;
            if self.wait(backoff).await {
                return;
            }
            backoff = (2 * backoff).min(BACKOFF_MAX);
        }
    }

    /// Without a connection: whoever waits is told in time, and the shares stay. `true`: nobody can ask any more.
    async fn wait(&mut self, length: Duration) -> bool {
        let until = Instant::now() + length;
        loop {
            let now = self.parts.clock.instant();
            self.targets
                .all
                .iter_mut()
                .for_each(|target| target.waits.give_up(now.steady, waits::CUT_OFF_MAX, Verdict::Unreachable));
            let wake =
                if self.is_anybody_waiting() { until.min(Instant::now() + Duration::from_millis(100)) } else { until };
            tokio::select! {
                want = timeout_at(wake, self.wants.recv()) => match want {
                    Ok(Some(want)) => self.put(want),
                    Ok(None) => return true,
                    Err(_) if Instant::now() >= until => return false,
                    Err(_) => {}
                },
                stop = self.stops.recv() => {
                    // What is in hand stays claimed until this agent is back.
                    drop(stop);
                    return true;
                }
            }
        }
    }

    pub(super) fn is_anybody_waiting(&self) -> bool {
        self.targets.all.iter().any(|target| !target.waits.is_empty())
    }

    /// Lets one wait for a share, if there is something to wait for.
    pub(super) fn put(&mut self, want: Want) {
        let now = self.parts.clock.instant().steady;
        let lag = self.publisher.lag(now).unwrap_or_else(|| now.since(self.started));
        let is_heard = self.is_connected || lag < waits::CUT_OFF_MAX;
        let is_current = self.is_current(&want);
        match self.targets.of(&want.budget, want.span) {
            Some(target) if is_heard => target.waits.put(want.amount, want.reply, now, target.seq),
            // The settings or the period have changed since: the next try sees that.
            None if is_heard && !is_current => {
                let _ = want.reply.send(Verdict::TryAgain);
            }
            _ => {
                let _ = want.reply.send(Verdict::Unreachable);
            }
        }
    }

    /// Whether it is for a period that is going on, as the settings have it.
    fn is_current(&self, want: &Want) -> bool {
        let (now, board) = (self.parts.clock.now(), self.parts.board.read());
        let budget = board.policy.budgets.iter().find(|budget| budget.name == *want.budget);
        budget.is_some_and(|budget| board.policy.zone.span_of(&budget.cycle, now) == want.span)
    }
}
