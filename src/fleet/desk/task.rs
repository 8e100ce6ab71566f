//! The task behind the desk.
//!
//! *Limits.* [`SEND_EVERY`] between two looks whether there are new sums; [`REFRESH_MIN`] to [`REFRESH_MAX`] between two reads for later, such that
//! these take at most one part in [`REFRESH_PARTS`] of the time if that can be; [`RETRY`] between two attempts to connect.

use std::sync::Arc;
use std::time::Duration;

use jiff::ToSpan;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};

use super::request::Request;
use super::sending::Sending;
use super::shared::Shared;
use crate::fleet::costs::{CostsRead, FleetCosts};
use crate::fleet::instruments::Instruments;
use crate::fleet::parts::FleetParts;
use crate::fleet::postgres::{DatabaseError, PoolKey, Session};
use crate::fleet::{ANSWER_MAX, FleetError, Settings};

/// Between two looks whether there are new sums. They are there within twice that.
const SEND_EVERY: Duration = Duration::from_secs(2);
/// Between two reads of what is kept for when nothing can be read.
const REFRESH_MIN: Duration = Duration::from_secs(5);
const REFRESH_MAX: Duration = Duration::from_secs(30);
const REFRESH_PARTS: u32 = 500;
/// Between two attempts to connect, while questions come.
const RETRY: Duration = Duration::from_secs(1);
/// For the sums of one look, or one chunk of all.
const SEND_MAX: Duration = Duration::from_secs(60);
/// Days before today that are kept: as many as a history shows that nobody asked more of.
const KEPT_DAYS: i64 = 31;

pub(super) struct Task {
    settings: Arc<Settings>,
    parts: Arc<FleetParts>,
    shared: Arc<Shared>,
    sending: Sending,
    keys: Vec<PoolKey>,
    session: Option<Session>,
    /// When to connect at the earliest, and why the last attempt failed.
    failed: Option<(Instant, FleetError)>,
    refresh_at: Instant,
}

impl Task {
    pub fn new(settings: Arc<Settings>, parts: Arc<FleetParts>, shared: Arc<Shared>, instruments: Instruments) -> Self {
        let sending = Sending::new(Arc::clone(&parts), Arc::clone(&shared), instruments);
        let refresh_at = Instant::now();
        Self { settings, parts, shared, sending, keys: Vec::new(), session: None, failed: None, refresh_at }
    }

    pub async fn run(mut self, mut asked: mpsc::Receiver<Request>) {
        let mut send_at = Instant::now();
        loop {
            match timeout_at(send_at, asked.recv()).await {
                Ok(Some(request)) => {
                    let is_new = matches!(request, Request::Speak(..));
                    self.answer(request).await;
                    if is_new {
                        send_at = Instant::now();
                    }
                }
                Ok(None) => return,
                Err(_) => {
                    send_at = Instant::now() + SEND_EVERY;
                    self.send().await;
                    self.refresh().await;
                }
            }
        }
    }

    async fn answer(&mut self, request: Request) {
        // Who asked may be gone.
        match request {
            Request::Speak(number, membership) => self.sending.begin(number, membership),
            Request::Watch(keys) => self.keys = keys,
            Request::Agents(reply) if !reply.is_closed() => {
                let _ = reply.send(self.read_agents().await);
            }
            Request::Costs(read, reply) if !reply.is_closed() => {
                let _ = reply.send(self.read_costs(read).await);
            }
            Request::SetLimit(set, reply) => {
                let done = self.ask(ANSWER_MAX, async |session| session.set_limit(&set).await).await;
                let _ = reply.send(done);
            }
            Request::Flush(reply) => {
                self.send().await;
                let _ = reply.send(());
            }
            Request::Agents(_) | Request::Costs(..) => {}
        }
    }

    async fn read_agents(&mut self) -> Result<Vec<crate::fleet::FleetAgent>, FleetError> {
        let keys = self.keys.clone();
        let agents = self.ask(ANSWER_MAX, async |session| session.agents(&keys).await).await?;
        let now = self.parts.clock.now();
        self.shared.with_memory(|memory| memory.keep_agents(agents.clone(), now));
        Ok(agents)
    }

    async fn read_costs(&mut self, read: CostsRead) -> Result<Arc<FleetCosts>, FleetError> {
        let rows = self.ask(ANSWER_MAX, async |session| session.costs(read.first, read.last).await).await?;
        let (costs, now) = (Arc::new(FleetCosts::of(rows)), self.parts.clock.now());
        self.shared.with_memory(|memory| memory.keep_costs(read, Arc::clone(&costs), now));
        Ok(costs)
    }

    /// Sends new sums, if there are any.
    async fn send(&mut self) {
        if !self.sending.is_due() {
            return;
        }
        let mut sending = {
            let empty = self.sending.empty();
            std::mem::replace(&mut self.sending, empty)
        };
        let sent = self.ask(SEND_MAX, async |session| sending.send(session).await).await;
        self.sending = sending;
        if let Err(error) = sent {
            tracing::debug!(%error, "sums were not sent");
        }
    }

    /// Reads what is kept for when nothing can be read.
    async fn refresh(&mut self) {
        if Instant::now() < self.refresh_at || self.keys.is_empty() {
            return;
        }
        let began = Instant::now();
        let today = self.parts.board.read().policy.zone.day_of(self.parts.clock.now());
        let read = CostsRead { first: today.saturating_sub(KEPT_DAYS.days()), last: today.saturating_add(1.days()) };
        let keys = self.keys.clone();
        // The errors are those of the other connection, which tells them.
        let _ = self.read_costs(read).await;
        let _ = self.read_agents().await;
        if let Ok(differences) = self.ask(ANSWER_MAX, async |session| session.differences(&keys).await).await {
            self.shared.with_memory(|memory| memory.differences = differences);
        }
        if let Ok(contests) = self.ask(ANSWER_MAX, async |session| session.contests().await).await {
            self.shared.with_memory(|memory| memory.contests = contests);
        }
        self.refresh_at = Instant::now() + (began.elapsed() * REFRESH_PARTS).clamp(REFRESH_MIN, REFRESH_MAX);
    }

    /// Asks the database, over a connection that is there or a new one. One over which something failed is not used again.
    async fn ask<T>(
        &mut self,
        most: Duration,
        work: impl AsyncFnOnce(&Session) -> Result<T, DatabaseError>,
    ) -> Result<T, FleetError> {
        let session = match self.session.take() {
            Some(session) => session,
            None => self.connect().await?,
        };
        let done = timeout(most, work(&session)).await.unwrap_or(Err(DatabaseError::TimedOut));
        if done.is_ok() {
            self.session = Some(session);
        }
        Ok(done?)
    }

    async fn connect(&mut self) -> Result<Session, FleetError> {
        if let Some((until, why)) = &self.failed
            && Instant::now() < *until
        {
            return Err(why.clone());
        }
        let opened = timeout(ANSWER_MAX / 2, Session::open(&self.settings.url)).await;
        let opened = opened.unwrap_or(Err(DatabaseError::TimedOut)).map_err(FleetError::from);
        self.failed = opened.as_ref().err().map(|error| (Instant::now() + RETRY, error.clone()));
        opened
    }
}
