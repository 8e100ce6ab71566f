//! Messages to webhooks.

use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;
use strum::{EnumString, IntoStaticStr, VariantArray};

use super::{BudgetItem, GateStatus};
use crate::budget::BudgetState;

/// What is told, when, and of what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Envelope")]
pub struct Message {
    /// What happened.
    pub r#type: MessageType,
    /// When.
    pub timestamp: Timestamp,
    /// Who says so.
    #[serde(flatten)]
    pub origin: Origin,
    /// The state that it led to.
    pub data: MessageData,
}

/// Which agent tells something.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Origin {
    /// Its name.
    pub agent: String,
    /// The deployment that it is part of.
    pub environment: String,
}

/// What receivers are told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr, EnumString, VariantArray)]
pub enum MessageType {
    /// A budget is at its alert threshold.
    #[serde(rename = "budget.warning")]
    #[strum(serialize = "budget.warning")]
    BudgetWarning,
    /// A budget is at its gate threshold.
    #[serde(rename = "budget.critical")]
    #[strum(serialize = "budget.critical")]
    BudgetCritical,
    /// A budget is spent.
    #[serde(rename = "budget.exhausted")]
    #[strum(serialize = "budget.exhausted")]
    BudgetExhausted,
    /// The gate closed.
    #[serde(rename = "gate.active")]
    #[strum(serialize = "gate.active")]
    GateActive,
    /// The gate opened.
    #[serde(rename = "gate.inactive")]
    #[strum(serialize = "gate.inactive")]
    GateInactive,
}

/// What a message carries.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum MessageData {
    /// An item of `GET /budgets`, with the budget's name under `budget` as well, where refusals have it.
    #[serde(serialize_with = "with_budget")]
    Budget(Box<BudgetItem>),
    /// The answer of `GET /scaling-gate/status`.
    Gate(GateStatus),
}

/// A message whose data is not read yet: what it is depends on the type. Older ones do not say who tells them.
#[derive(Deserialize)]
struct Envelope {
    r#type: MessageType,
    timestamp: Timestamp,
    #[serde(default)]
    agent: String,
    #[serde(default)]
    environment: String,
    data: Box<RawValue>,
}

impl MessageType {
    /// The word in JSON and in the ledger.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// What is told of a budget in this state, if anything is.
    pub const fn of_budget(state: BudgetState) -> Option<Self> {
        match state {
            BudgetState::Ok => None,
            BudgetState::Warning => Some(Self::BudgetWarning),
            BudgetState::Critical => Some(Self::BudgetCritical),
            BudgetState::Exhausted => Some(Self::BudgetExhausted),
        }
    }

    /// What is told of the gate.
    pub const fn of_gate(active: bool) -> Self {
        if active { Self::GateActive } else { Self::GateInactive }
    }
}

impl TryFrom<Envelope> for Message {
    type Error = serde_json::Error;

    fn try_from(Envelope { r#type, timestamp, agent, environment, data }: Envelope) -> Result<Self, serde_json::Error> {
        let data = match r#type {
            MessageType::BudgetWarning | MessageType::BudgetCritical | MessageType::BudgetExhausted => {
                MessageData::Budget(serde_json::from_str(data.get())?)
            }
            MessageType::GateActive | MessageType::GateInactive => MessageData::Gate(serde_json::from_str(data.get())?),
        };
        Ok(Self { r#type, timestamp, origin: Origin { agent, environment }, data })
    }
}

fn with_budget<S: Serializer>(item: &BudgetItem, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Named<'a> {
        budget: &'a str,
        #[serde(flatten)]
        item: &'a BudgetItem,
    }
    Named { budget: &item.name, item }.serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_written_as_it_was_read() {
        for json in [
            r#"{"type":"budget.exhausted","timestamp":"2026-11-22T10:00:00Z","agent":"factory-7","environment":"staging","data":{"budget":"daily","name":"daily","service":null,"period":"daily","limit_usd":50,"spent_usd":50.000000000001,"reserved_usd":0,"remaining_usd":-0.000000000001,"utilization_percent":100.000000000002,"state":"exhausted","period_start":"2026-11-22T00:00:00Z","period_end":"2026-11-23T00:00:00Z","forecast_usd":120,"exhausted_at":"2026-11-22T10:00:00Z"}}"#,
            r#"{"type":"gate.inactive","timestamp":"2026-11-22T10:00:00Z","agent":"a","environment":"b","data":{"scaling_gate_active":false,"reason":"Below threshold","timestamp":"2026-11-22T10:00:00Z","mode":"auto","since":null,"expires_at":null,"budgets":[]}}"#,
        ] {
            let message: Message = serde_json::from_str(json).unwrap();
            assert!(json.contains(&format!("\"type\":\"{}\"", message.r#type.as_str())));
            assert_eq!(serde_json::to_string(&message).unwrap(), json);
        }
        assert!(
            serde_json::from_str::<Message>(r#"{"type":"gate.active","timestamp":"2026-11-22T10:00:00Z","data":{}}"#)
                .is_err()
        );
    }
}
