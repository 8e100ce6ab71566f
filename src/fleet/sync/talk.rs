//! What goes on over a connection: exchanges where they are due, looks in between.

use std::time::Duration;

use tokio::time::{Instant, timeout, timeout_at};

use super::hello::Begins;
use super::state::{Ended, STEP_MAX, Sync, within};
use crate::budget::AllowanceOrder;
use crate::domain::Usd;
use crate::fleet::Verdict;
use crate::fleet::postgres::{DatabaseError, PoolKey, Session};

/// Between two looks at the pools.
const LOOK_EVERY: Duration = Duration::from_millis(400);
/// Between two words that this agent is there.
const BEAT_EVERY: Duration = Duration::from_secs(3);
/// Between two looks at what waits, while something does.
const WAITING_POLL: Duration = Duration::from_millis(25);

/// When something is to be done next.
struct Due {
    look: Instant,
    beat: Instant,
}

impl Sync {
    /// Talks until the connection is of no use any more.
    pub(super) async fn talk(&mut self, session: &Session, begins: Begins) -> Ended {
        self.is_connected = true;
        let mut due = Due { look: Instant::now(), beat: Instant::now() };
        let ended = match self.enter(session, begins.epoch).await {
            Ok(()) => loop {
                match self.step(session, &begins, &mut due).await {
                    Ok(()) => {}
                    Err(ended) => break ended,
                }
            },
            Err(ended) => ended,
        };
        if let Ended::Stopped(Some(done)) = ended {
            // Whoever asked waits no longer than for this.
            let _ = timeout(STEP_MAX, self.retire(session)).await;
            return Ended::Stopped(Some(done));
        }
        ended
    }

    /// Takes over the database's epoch.
    async fn enter(&mut self, session: &Session, epoch: i64) -> Result<(), Ended> {
        if epoch != self.epoch {
            self.suspend().await;
            if self.epoch != 0 {
                within(session.learn(epoch)).await?;
                // What it has of this ledger's sums is to be asked for again.
                self.epoch = epoch;
                return Err(Ended::Failed(DatabaseError::SetBack));
            }
            self.epoch = epoch;
        }
        Ok(())
    }

    async fn step(&mut self, session: &Session, begins: &Begins, due: &mut Due) -> Result<(), Ended> {
        if let Ok(done) = self.stops.try_recv() {
            return Err(Ended::Stopped(Some(done)));
        }
        while let Ok(want) = self.wants.try_recv() {
            self.put(want);
        }
        self.follow_settings().await;
        let is_whole = begins.sends_first.is_none_or(|number| self.desk.has_sent(number));
        let now = self.parts.clock.instant().steady;
        let problem = if !is_whole {
            Some("the ledger was set back: its sums are sent anew, and nothing is granted before")
        } else if self.targets.all.iter().any(|target| target.is_learning(now)) {
            Some(
                "the fleet's database was set back or made anew: nothing is granted until all agents have said what they have",
            )
        } else {
            None
        };
        self.publisher.set_problem(problem.map(Into::into));
        if is_whole && self.exchange_due(session).await? {
            self.publish().await;
        }
        if due.look <= Instant::now() {
            self.look(session).await?;
            due.look = Instant::now() + LOOK_EVERY;
        }
        if due.beat <= Instant::now() {
            let is_there = within(session.beat(&self.agent, self.desk.is_synced())).await?;
            if !is_there {
                return Err(Ended::Replaced);
            }
            due.beat = Instant::now() + BEAT_EVERY;
        }
        self.rest(due).await
    }

    /// Waits until something is to be done.
    async fn rest(&mut self, due: &Due) -> Result<(), Ended> {
        let mut until = due.look.min(due.beat);
        if self.is_anybody_waiting() {
            until = until.min(Instant::now() + WAITING_POLL);
        }
        tokio::select! {
            want = timeout_at(until, self.wants.recv()) => match want {
                Ok(Some(want)) => self.put(want),
                Ok(None) => return Err(Ended::Stopped(None)),
                Err(_) => {}
            },
            done = self.stops.recv() => return Err(Ended::Stopped(done)),
        }
        Ok(())
    }

    /// Takes up new budgets and periods, and lets go of those that are over.
    pub(super) async fn follow_settings(&mut self) {
        let (now, ttl) = (self.parts.clock.instant(), self.settings.lease_ttl);
        let configured = self.parts.board.read().configured.clone();
        let (before, dropped) = (self.targets.all.len(), self.targets.refresh(&configured, now, ttl));
        if self.targets.all.len() > before {
            self.targets.all.iter().for_each(|target| self.instruments.show_budget(&target.budget));
            self.desk.watch(self.targets.all.iter().map(|target| target.key.clone()).collect());
        }
        self.order(dropped).await;
    }

    /// Looks how the pools stand, and at limits that somebody has set.
    async fn look(&mut self, session: &Session) -> Result<(), Ended> {
        let keys: Vec<&PoolKey> = self.targets.all.iter().map(|target| &target.key).collect();
        let looked = within(session.look(&keys, &self.agent.ledger_id)).await?;
        if looked.epoch != self.epoch {
            self.enter(session, looked.epoch).await?;
        }
        let of = |key: &PoolKey| looked.pools.iter().find(|pool| pool.key == *key).and_then(|pool| pool.seq);
        let forgotten = self.targets.all.iter().position(|target| target.is_forgotten(of(&target.key)));
        for pool in &looked.pools {
            if let Some(target) = self.targets.all.iter_mut().find(|target| target.key == pool.key) {
                target.share.see(pool.seen);
            }
        }
        if let Some(at) = forgotten {
            // Saying something makes it notice. Who has nothing to say must not go on with what nobody knows of.
            self.exchange(session, at).await?;
        }
        if looked.overrides > self.overrides {
            self.take_limits(session, looked.overrides).await?;
        }
        self.publisher.hear(self.parts.clock.instant());
        self.publish().await;
        Ok(())
    }

    /// Gives back all that is not used, and says farewell once all of it is.
    async fn retire(&mut self, session: &Session) -> Result<(), Ended> {
        for at in 0..self.targets.all.len() {
            if let Some(target) = self.targets.all.get_mut(at) {
                target.waits.refuse_all(Verdict::Unreachable);
                target.share.retire();
            }
            self.exchange(session, at).await?;
        }
        self.desk.flush().await;
        let is_known = self.targets.all.iter().all(|target| target.share.is_known());
        let board = self.parts.board.read();
        let now = self.parts.clock.instant();
        let in_hand = |target: &super::target::Target| {
            let used = board.used_here(&target.budget, target.span, now).unwrap_or_default().used();
            target.share.limit() > used.max(Usd::ZERO)
        };
        if is_known && !self.targets.all.iter().any(in_hand) {
            within(session.farewell(&self.agent)).await?;
        }
        Ok(())
    }

    /// Nothing is granted until the database has said so again.
    pub(super) async fn suspend(&mut self) {
        self.targets.all.iter_mut().for_each(|target| target.suspend());
        let orders = self.targets.all.iter_mut().filter_map(|target| target.allow(false)).collect();
        self.order(orders).await;
    }

    /// Tells the writer.
    pub(super) async fn order(&mut self, orders: Vec<AllowanceOrder>) {
        if !orders.is_empty() && self.parts.writer.order_allowances(orders).await.is_err() {
            // It records nothing either; it is told again.
            self.targets.all.iter_mut().for_each(|target| target.note_lowered());
        }
    }
}
