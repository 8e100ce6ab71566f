//! One exchange, seen from the agent.

use super::state::{Ended, Sync, within};
use crate::budget::{AllowanceOrder, InUse};
use crate::domain::Now;
use crate::fleet::Ask;
use crate::fleet::postgres::{DatabaseError, Message, PoolKey, Reply, Session};

/// Times that an exchange is tried that other transactions are in the way of.
const TRIES: usize = 8;

impl Sync {
    /// Exchanges where it is due, whoever has waited longest first; says whether it was anywhere.
    pub(super) async fn exchange_due(&mut self, session: &Session) -> Result<bool, Ended> {
        let mut is_any = false;
        for at in 0..self.targets.all.len() {
            let now = self.parts.clock.instant();
            let Some(in_use) = self.in_use(at, now) else { continue };
            let Some(target) = self.targets.all.get_mut(at) else { continue };
            target.give_up(now.steady, &in_use);
            target.share.observe(now.steady, &in_use);
            let waiting = target.waits.waiting(now.steady, in_use.used());
            if target.share.is_due(now.steady, &in_use, &waiting) {
                self.exchange(session, at).await?;
                is_any = true;
            }
        }
        Ok(is_any)
    }

    /// Says what is used and wanted of one budget, and takes what is given.
    pub(super) async fn exchange(&mut self, session: &Session, at: usize) -> Result<(), Ended> {
        let Some((key, ask, message)) = self.prepare(at).await else { return Ok(()) };
        match self.send(session, &key, &message).await? {
            Reply::Done(done) => {
                let now = self.parts.clock.instant();
                self.publisher.hear(now);
                if let Some(target) = self.targets.all.get_mut(at) {
                    target.learn(&ask, &done, now.steady);
                }
                self.hand_out(at, done.outcome).await;
            }
            Reply::Epoch => {
                self.suspend().await;
                return Err(Ended::Failed(DatabaseError::SetBack));
            }
            Reply::Replaced => return Err(Ended::Replaced),
            Reply::Stale | Reply::NoPool => {}
        }
        Ok(())
    }

    /// What to say, once the writer uses no more of what is given back.
    async fn prepare(&mut self, at: usize) -> Option<(PoolKey, Ask, Message)> {
        let before = self.in_use(at, self.parts.clock.instant())?;
        let now = self.parts.clock.instant().steady;
        let epoch = self.epoch;
        let target = self.targets.all.get_mut(at)?;
        let waiting = target.waits.waiting(now, before.used());
        let keep = target.share.keep(&before, &waiting);
        let lowered = self.parts.writer.order_allowances(vec![target.lower(keep)]).await;
        target.note_lowered();
        let in_use = lowered.ok()?.first().copied().flatten()?;
        target.share.give_back(&in_use, keep);
        let ask = target.share.ask(self.parts.clock.instant().steady, &in_use, &waiting);
        Some((target.key.clone(), ask, target.message(epoch, ask)))
    }

    /// Sends it until it is through.
    async fn send(&self, session: &Session, key: &PoolKey, message: &Message) -> Result<Reply, Ended> {
        for _ in 0..TRIES {
            match within(session.exchange(key, &self.agent, message)).await {
                Ok(Reply::NoPool) => match within(session.begin(key, message.ask.limit)).await {
                    Err(Ended::Failed(error)) if error.is_transient() => within(session.give_up()).await?,
                    begun => begun?,
                },
                Err(Ended::Failed(error)) if error.is_transient() => within(session.give_up()).await?,
                other => return other,
            }
        }
        Err(Ended::Failed(DatabaseError::TimedOut))
    }

    /// Lets the writer use what was given, and tells those who waited.
    async fn hand_out(&mut self, at: usize, outcome: crate::fleet::Outcome) {
        let Some(target) = self.targets.all.get_mut(at) else { return };
        let Some(order) = target.allow(true) else { return };
        let AllowanceOrder::Set(allowance) = &order else { return };
        let (limit, free) = (allowance.limit, allowance.free);
        let told = self.parts.writer.order_allowances(vec![order]).await;
        let Ok(Some(in_use)) = told.map(|told| told.first().copied().flatten()) else {
            return target.note_lowered();
        };
        let room = limit - in_use.used();
        let now = self.parts.clock.instant().steady;
        target.waits.take(outcome, target.seq, (room, in_use.used()), free, now);
    }

    fn in_use(&self, at: usize, now: Now) -> Option<InUse> {
        let target = self.targets.all.get(at)?;
        self.parts.board.read().used_here(&target.budget, target.span, now)
    }
}
