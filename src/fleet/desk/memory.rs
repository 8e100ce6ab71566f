//! What was read last, for the time when nothing can be read.
//!
//! *Limits.* [`COSTS_MAX`] answers about cost, the newest.

use std::collections::VecDeque;
use std::sync::Arc;

use jiff::Timestamp;

use crate::domain::Steady;
use crate::fleet::FleetAgent;
use crate::fleet::costs::{CostsRead, FleetCosts};
use crate::fleet::postgres::{Contest, Difference};

/// Answers about cost that are kept.
const COSTS_MAX: usize = 4;

/// A limit that is being set: of which budget, and when it was.
type SettingKey = (String, Timestamp);

/// What was read last.
#[derive(Debug, Default)]
pub(super) struct Memory {
    agents: Option<(Vec<FleetAgent>, Timestamp)>,
    /// The newest first.
    costs: VecDeque<(CostsRead, (Arc<FleetCosts>, Timestamp))>,
    pub differences: Vec<Difference>,
    pub contests: Vec<Contest>,
    /// Limits that are being set here, and until when they are left to who does so.
    setting: Vec<(SettingKey, Steady)>,
}

impl Memory {
    pub fn agents(&self) -> Option<&(Vec<FleetAgent>, Timestamp)> {
        self.agents.as_ref()
    }

    pub fn keep_agents(&mut self, agents: Vec<FleetAgent>, at: Timestamp) {
        self.agents = Some((agents, at));
    }

    /// The newest answer that has these days.
    pub fn costs(&self, read: &CostsRead) -> Option<&(Arc<FleetCosts>, Timestamp)> {
        self.costs.iter().find(|(kept, _)| read.is_within(kept)).map(|(_, costs)| costs)
    }

    pub fn keep_costs(&mut self, read: CostsRead, costs: Arc<FleetCosts>, at: Timestamp) {
        self.costs.retain(|(kept, _)| !kept.is_within(&read));
        self.costs.push_front((read, (costs, at)));
        self.costs.truncate(COSTS_MAX);
    }

    pub fn begin_setting(&mut self, key: SettingKey, until: Steady) {
        self.setting.push((key, until));
    }

    pub fn end_setting(&mut self, key: &SettingKey) {
        self.setting.retain(|(setting, _)| setting != key);
    }

    pub fn is_setting(&mut self, key: &SettingKey, now: Steady) -> bool {
        self.setting.retain(|(_, until)| now < *until);
        self.setting.iter().any(|(setting, _)| setting == key)
    }
}
