//! What the receivers of webhooks are told: that a budget came to a state, that the gate changed.
//!
//! *Invariants.* A message goes into the commit whose state it tells of. One for each budget, state, period, limit, key and, where it has
//! several, alert threshold: its topic says these, and the ledger passes over a topic that it knows, also after a restart. So another limit begins anew, and one that was in
//! force before has been told of. A commit that fails has told nothing.
//!
//! *Limits.* [`TOLD_MAX`] topics in memory. While the outbox is full nothing is told; once there is room, what holds then is.
//!
//! *Deliberately not here.* How receivers get it.

use std::collections::HashSet;
use std::convert::Infallible;
use std::sync::Arc;

use crate::budget::Standing;
use crate::domain::{GateChange, Now, Receiver, Threshold};
use crate::ledger::{DeliveryReport, LedgerError, NewMessage, OutboxChanges};
use crate::views::Published;
use crate::views::tallies::Crossing;
use crate::wire::{BudgetItem, Message, MessageData, MessageType, Origin};

/// Topics that are known without asking the ledger. Far more than budgets have states; beyond it they are forgotten, and the
/// ledger is asked again.
const TOLD_MAX: usize = 4_096;

/// What was told, and what is to be noted about its delivery.
#[derive(Debug)]
pub(super) struct Notices {
    receivers: Arc<[Receiver]>,
    origin: Origin,
    told: HashSet<String>,
    /// The state of the gate that was told last, or that it had at the start.
    gate_active: bool,
    reports: Vec<DeliveryReport>,
    /// Whether the log says already that the outbox is full.
    is_full: bool,
}

impl Notices {
    /// Nothing is ever told without receivers. `gate` is the newest line of the gate's history.
    pub fn new(receivers: Arc<[Receiver]>, origin: Origin, gate: Option<&GateChange>) -> Self {
        Self {
            receivers,
            origin,
            told: HashSet::new(),
            gate_active: gate.is_some_and(|line| line.active),
            reports: Vec::new(),
            is_full: false,
        }
    }

    /// Takes what became of deliveries, for the next commit.
    pub fn take_reports(&mut self, reports: Vec<DeliveryReport>) {
        self.reports.extend(reports);
    }

    /// What a commit that leads to `next` writes to the outbox. `room` says how many deliveries may be added.
    ///
    /// # Errors
    /// Those of `room`.
    pub fn changes(
        &mut self,
        next: &Published,
        crossings: &[Crossing],
        now: Now,
        room: impl FnOnce() -> Result<usize, LedgerError>,
    ) -> Result<OutboxChanges, LedgerError> {
        let mut messages = self.due(next, crossings, now);
        if !messages.is_empty() {
            let room = room()?;
            let deliveries = messages.iter().scan(0, |sum, message| {
                *sum += message.to.len();
                Some(*sum)
            });
            let fitting = deliveries.take_while(|sum| *sum <= room).count();
            let is_full = messages.len() > fitting;
            if is_full && !self.is_full {
                tracing::warn!("the webhook outbox is full; no new messages until some are delivered");
            }
            self.is_full = is_full;
            messages.truncate(fitting);
        }
        Ok(OutboxChanges { messages, reports: std::mem::take(&mut self.reports) })
    }

    /// Takes note that a commit is on the disk.
    pub fn told(&mut self, changes: &OutboxChanges) {
        for message in &changes.messages {
            let of_gate = [true, false].into_iter().find(|active| message.kind == MessageType::of_gate(*active).as_str());
            if let Some(active) = of_gate {
                self.gate_active = active;
                continue;
            }
            if self.told.len() >= TOLD_MAX {
                self.told.clear();
            }
            self.told.insert(message.topic.clone());
        }
    }

    /// Whether there was no room for all of the newest messages.
    pub fn is_full(&self) -> bool {
        self.is_full
    }

    fn due(&self, next: &Published, crossings: &[Crossing], now: Now) -> Vec<NewMessage> {
        if self.receivers.is_empty() {
            return Vec::new();
        }
        // Those that came to a threshold just now are in memory.
        let of_key = |crossing: &Crossing| {
            let Ok(standing) = next.key_standing(crossing.position, &crossing.key, now, |_| Ok::<_, Infallible>(None));
            standing.filter(|standing| standing.span == crossing.span)
        };
        let standings = next.standings(now).into_iter().chain(crossings.iter().filter_map(of_key));
        let of_budgets = standings.flat_map(|standing| {
            let new = topics(&standing).into_iter().filter(|(_, topic, _)| !self.told.contains(topic));
            let messages = new.filter_map(|(kind, topic, threshold)| {
                // What nobody wants is not written: a budget may have more keys than the outbox has room.
                let to = Some(self.told_of(kind, Some(&standing.name))).filter(|to| !to.is_empty())?;
                let item = BudgetItem { threshold: threshold.map(Threshold::share), ..standing.clone().into() };
                self.message(kind, topic, MessageData::Budget(Box::new(item)), to, now)
            });
            messages.collect::<Vec<_>>()
        });
        // A change of the gate is remembered for nobody, too: the next one is a change only from there.
        let of_gate = self.gate_topic(next).and_then(|(kind, topic)| {
            let data = MessageData::Gate(next.gate_standing(now).into());
            self.message(kind, topic, data, self.told_of(kind, None), now)
        });
        of_budgets.chain(of_gate).collect()
    }

    /// Who wants a message of this type, about the budget of this name if it is about one.
    fn told_of(&self, kind: MessageType, budget: Option<&str>) -> Arc<[Arc<str>]> {
        let wants = self.receivers.iter().filter(|receiver| receiver.wants(kind.as_str(), budget));
        wants.map(|receiver| Arc::clone(&receiver.name)).collect()
    }

    fn message(
        &self,
        r#type: MessageType,
        topic: String,
        data: MessageData,
        to: Arc<[Arc<str>]>,
        now: Now,
    ) -> Option<NewMessage> {
        let kind = r#type.as_str();
        match serde_json::to_string(&Message { r#type, timestamp: now.time, origin: self.origin.clone(), data }) {
            Ok(body) => Some(NewMessage { topic, kind, created_at: now.time, body, to }),
            Err(error) => {
                tracing::error!(%error, kind, "cannot write a webhook message");
                None
            }
        }
    }

    /// The change of the gate that is not told yet. It is known by how often the gate had become active.
    fn gate_topic(&self, next: &Published) -> Option<(MessageType, String)> {
        let line = next.views.gate.as_ref().filter(|line| line.active != self.gate_active)?;
        let kind = MessageType::of_gate(line.active);
        Some((kind, format!("{} {}", kind.as_str(), next.views.gate_activations)))
    }
}

/// What is to be told of a budget: of its state, and of each alert threshold that it has come to, if it has several.
fn topics(standing: &Standing) -> Vec<(MessageType, String, Option<Threshold>)> {
    let Standing { name, span, limit, key, warn_at, state, account, .. } = standing;
    let start = span.starts_at().map(|start| start.to_string()).unwrap_or_default();
    let limit = limit.usd().map_or_else(|| limit.to_string(), |usd| usd.to_string());
    let key = key.as_ref().map(|key| format!(" key {key}")).unwrap_or_default();
    let topic = |kind: MessageType, more: String| format!("{} {name} {start} {limit}{key}{more}", kind.as_str());
    let mut topics = Vec::new();
    if let [_, _, ..] = warn_at.as_slice() {
        for threshold in warn_at.iter().filter(|share| account.at_or_above(**share).is_some()) {
            let kind = MessageType::BudgetWarning;
            topics.push((kind, topic(kind, format!(" at {}", threshold.share())), Some(*threshold)));
        }
    }
    match MessageType::of_budget(*state) {
        Some(MessageType::BudgetWarning) if topics.is_empty() => {
            let kind = MessageType::BudgetWarning;
            topics.push((kind, topic(kind, String::new()), warn_at.first().copied()));
        }
        Some(MessageType::BudgetWarning) | None => {}
        Some(kind) => topics.push((kind, topic(kind, String::new()), None)),
    }
    topics
}

#[cfg(test)]
mod tests;
