//! `GET /fleet`, and what the whole fleet spent: `GET /fleet/costs/...`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use super::CostsByName;
use crate::domain::{GroupKey, Usd};

/// The fleet that an agent belongs to, as the agent knows it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct FleetAnswer {
    /// Whether the agent takes part: the fleet's database answers, and nobody else speaks for its ledger.
    pub up: bool,
    /// Why it does not; null where it does.
    pub problem: Option<String>,
    /// Seconds since the database answered last; null if it never did.
    pub lag_seconds: Option<f64>,
    /// Where the database cannot be asked for the agents: when they were like this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of: Option<Timestamp>,
    /// What somebody should look at, one sentence each.
    pub warnings: Vec<String>,
    /// The budgets that the fleet shares, each in its current period.
    pub budgets: Vec<FleetBudgetItem>,
    /// The agents, by name.
    pub agents: Vec<FleetAgentItem>,
}

/// A budget that a fleet shares, in its current period, over all agents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FleetBudgetItem {
    /// Its name.
    pub name: String,
    /// First instant of the period; null where it always was.
    pub period_start: Option<Timestamp>,
    /// First instant of the next one; null where there is none.
    pub period_end: Option<Timestamp>,
    /// What all agents together may spend.
    pub limit_usd: Usd,
    /// What they have spent.
    pub spent_usd: Usd,
    /// What their open reservations set aside.
    pub held_usd: Usd,
    /// What they may use beyond that.
    pub leased_usd: Usd,
    /// What nobody has; negative once the limit is passed.
    pub free_usd: Usd,
    /// By how much the limit is passed.
    pub overrun_usd: Usd,
    /// What this agent may use beyond what it has spent and holds.
    pub own_lease_usd: Usd,
}

/// An agent of a fleet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FleetAgentItem {
    /// The ledger that it speaks for.
    pub ledger_id: String,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// When the database heard of it last, by its clock.
    pub last_seen: Timestamp,
    /// How many seconds what the database has of it is behind.
    pub lag_seconds: f64,
    /// How many sums it has sent: of a day, a service and an operation each.
    pub sums: u64,
    /// What they add up to.
    pub total_usd: Usd,
    /// What it may still use of shared budgets, as far as is known.
    pub leased_usd: Usd,
}

/// What a fleet spent by name, and when that was so where its database cannot be asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FleetCosts {
    /// As an agent's own cost is written.
    pub costs: CostsByName,
    /// A member `as_of` among the names; absent while the database answers.
    pub as_of: Option<Timestamp>,
}

const AS_OF: &str = "as_of";

impl Serialize for FleetCosts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Some(as_of) = self.as_of else { return self.costs.serialize(serializer) };
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry(AS_OF, &as_of)?;
        for group in
            self.costs.0.iter().collect::<Vec<_>>().chunk_by(|(left, _), (right, _)| split(left).0 == split(right).0)
        {
            let Some((first, sum)) = group.first() else { continue };
            match split(first) {
                (name, None) => map.serialize_entry(&GroupKey::unescape(name), sum)?,
                (name, Some(_)) => {
                    let of = |(key, sum): &(&GroupKey, &Usd)| Some((GroupKey::unescape(split(key).1?).into_owned(), **sum));
                    let inner: BTreeMap<String, Usd> = group.iter().filter_map(of).collect();
                    map.serialize_entry(&GroupKey::unescape(name), &inner)?;
                }
            }
        }
        map.end()
    }
}

/// The outer name of a key, and the inner one if there is one: a fleet has sums by service and operation alone.
fn split(key: &GroupKey) -> (&str, Option<&str>) {
    let text = key.as_joined();
    text.split_once(GroupKey::SEPARATOR).map_or((text, None), |(outer, inner)| (outer, Some(inner)))
}

impl<'de> Deserialize<'de> for FleetCosts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut values = BTreeMap::<String, Box<RawValue>>::deserialize(deserializer)?;
        // An amount is no text, so a service of that name is told apart.
        let is_time = values.get(AS_OF).is_some_and(|value| value.get().starts_with('"'));
        let as_of = if is_time { values.remove(AS_OF) } else { None };
        let as_of = as_of.map(|text| serde_json::from_str(text.get())).transpose().map_err(serde::de::Error::custom)?;
        let text = serde_json::to_string(&values).map_err(serde::de::Error::custom)?;
        Ok(Self { costs: serde_json::from_str(&text).map_err(serde::de::Error::custom)?, as_of })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_fleet_spent_is_written_as_an_agents_own_with_its_time_when_old() {
        for json in [
            r#"{"openai":10.500000000001,"sendgrid":-0.2}"#,
            r#"{"as_of":"2026-11-29T10:00:00Z","openai":10.500000000001,"sendgrid":-0.2}"#,
            r#"{"as_of":"2026-11-29T10:00:00Z","openai":{"chat":1,"embed":0.1},"other":{"other":1}}"#,
            r#"{"as_of":1.5}"#,
            "{}",
        ] {
            let costs: FleetCosts = serde_json::from_str(json).unwrap();
            assert_eq!(serde_json::to_string(&costs).unwrap(), json);
            assert_eq!(costs.as_of.is_some(), json.contains("as_of\":\""), "{json}");
        }
    }
}
