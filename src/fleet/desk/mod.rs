//! The second way to the fleet's database: sends what this ledger adds up to, and answers questions. So neither delays an exchange.
//!
//! *Invariants.* Sums are sent as totals of a committed state, and acknowledged once all of that state are there. What was read last is kept, for
//! the time when nothing can be read.
//!
//! *Limits.* [`REQUESTS_MAX`] questions that wait; [`ANSWER_MAX`] for each.

mod memory;
mod request;
mod sending;
mod shared;
mod task;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::costs::{CostsRead, FleetCosts};
use super::instruments::Instruments;
use super::parts::FleetParts;
use super::postgres::{Contest, Difference, PoolKey, SetLimit};
use super::{ANSWER_MAX, FleetAgent, FleetError, Known, Settings};
use crate::budget::Unit;
use crate::domain::{LimitOverride, Usd};
pub(super) use request::Membership;
use request::Request;
use shared::Shared;
use task::Task;

/// Questions that wait; a further one is answered from what is known.
const REQUESTS_MAX: usize = 64;
/// For so long a limit that is set here is left to who sets it.
const SETTING_MAX: Duration = Duration::from_secs(5);

/// A handle to the desk.
#[derive(Clone, Debug)]
pub(super) struct Desk {
    requests: mpsc::Sender<Request>,
    shared: Arc<Shared>,
    parts: Arc<FleetParts>,
}

/// Opens the desk, on the runtime that this is called on. It closes when the last handle is dropped.
pub(super) fn open(settings: Arc<Settings>, parts: Arc<FleetParts>, instruments: Instruments) -> Desk {
    let (requests, asked) = mpsc::channel(REQUESTS_MAX);
    let shared = Arc::new(Shared::default());
    let task = Task::new(settings, Arc::clone(&parts), Arc::clone(&shared), instruments);
    tokio::spawn(task.run(asked));
    Desk { requests, shared, parts }
}

impl Desk {
    pub async fn agents(&self) -> Result<Known<Vec<FleetAgent>>, FleetError> {
        match self.ask(Request::Agents).await {
            Ok(value) => Ok(Known { value, as_of: None }),
            Err(error) => self.shared.remembered(|memory| memory.agents().cloned()).ok_or(error),
        }
    }

    pub async fn costs(&self, read: CostsRead) -> Result<Known<Arc<FleetCosts>>, FleetError> {
        match self.ask(|reply| Request::Costs(read, reply)).await {
            Ok(value) => Ok(Known { value, as_of: None }),
            Err(error) => self.shared.remembered(|memory| memory.costs(&read).cloned()).ok_or(error),
        }
    }

    pub async fn set_limit(&self, line: LimitOverride) -> Result<(), FleetError> {
        let LimitOverride { budget, limit, reason, actor, timestamp, expires_at, .. } = line;
        let usd = |amounts: Vec<(Box<str>, i128)>| {
            let (_, pico) = amounts.into_iter().find(|(unit, _)| **unit == *Unit::Usd.as_str())?;
            Some(Usd::from_pico(pico))
        };
        let (budget, limit) = (budget.into_string(), limit.and_then(usd));
        let set = SetLimit { budget, limit, reason, actor, set_at: timestamp, expires_at };
        let key = (set.budget.clone(), set.set_at);
        let until = self.parts.clock.instant().steady + SETTING_MAX;
        self.shared.with_memory(|memory| memory.begin_setting(key.clone(), until));
        let done = self.ask(|reply| Request::SetLimit(set, reply)).await;
        if done.is_err() {
            self.shared.with_memory(|memory| memory.end_setting(&key));
        }
        done
    }

    /// Whether this line is set here at the moment: who sets it also writes it down.
    pub fn is_setting(&self, line: &LimitOverride) -> bool {
        let (now, board) = (self.parts.clock.instant().steady, self.parts.board.read());
        let key = ((*line.budget).to_owned(), line.timestamp);
        let is_written = board.views.overrides.newest(&line.budget).is_some_and(|known| known.timestamp == line.timestamp);
        self.shared.with_memory(|memory| {
            if is_written {
                memory.end_setting(&key);
            }
            memory.is_setting(&key, now)
        })
    }

    /// Begins to send what the ledger adds up to, and gives the membership a number.
    pub async fn speak(&self, membership: Membership) -> u64 {
        let number = self.shared.spoken.fetch_add(1, Ordering::Relaxed) + 1;
        // Without a task there is nobody who asks for it.
        let _ = self.requests.send(Request::Speak(number, membership)).await;
        number
    }

    /// Whether all sums were sent since a membership began.
    pub fn has_sent(&self, number: u64) -> bool {
        self.shared.sent.load(Ordering::Acquire) >= number
    }

    /// Whether all sums of the state that is published are there.
    pub fn is_synced(&self) -> bool {
        let is_newest = self.has_sent(self.shared.spoken.load(Ordering::Relaxed));
        is_newest && self.shared.sent_entries.load(Ordering::Relaxed) == self.parts.board.read().views.entries
    }

    /// Reads of these pools from now on.
    pub fn watch(&self, keys: Vec<PoolKey>) {
        // Where too much waits, the next change is soon enough: it is about what people see.
        let _ = self.requests.try_send(Request::Watch(keys));
    }

    /// What somebody should look at, one sentence each.
    pub fn warnings(&self) -> Vec<String> {
        self.shared.with_memory(|memory| {
            let contests = memory.contests.iter().map(Contest::warning);
            memory.differences.iter().map(Difference::warning).chain(contests).collect()
        })
    }

    /// Sends what is not sent yet.
    pub async fn flush(&self) {
        let (reply, done) = oneshot::channel();
        if self.requests.send(Request::Flush(reply)).await.is_ok() {
            // A task that ends has sent what it could.
            let _ = done.await;
        }
    }

    async fn ask<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<Result<T, FleetError>>) -> Request,
    ) -> Result<T, FleetError> {
        let (reply, answer) = oneshot::channel();
        let busy = || FleetError::Unreachable("it does not answer in time".into());
        self.requests.try_send(request(reply)).map_err(|_| busy())?;
        timeout(ANSWER_MAX, answer).await.ok().and_then(Result::ok).unwrap_or_else(|| Err(busy()))
    }
}

impl Difference {
    /// For people.
    fn warning(&self) -> String {
        let Self { budget, definitions, smallest, largest } = self;
        if *definitions > 1 {
            format!(
                "Agents count different things under the budget {budget}: each kind has a limit of its own until their settings agree"
            )
        } else {
            format!("Agents' settings limit the budget {budget} to {smallest} and to {largest} USD: the smallest holds")
        }
    }
}

impl Contest {
    /// For people.
    fn warning(&self) -> String {
        let Self { ledger_id, name, by } = self;
        format!(
            "Two places have the ledger {ledger_id}: agent {name} speaks for it, and agent {by} has no part in the fleet"
        )
    }
}
