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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::civil::date;

    use super::*;

    fn read(first: i8, last: i8) -> CostsRead {
        CostsRead { first: date(2026, 11, first), last: date(2026, 11, last) }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn the_newest_answer_that_has_the_days_is_kept_and_four_of_them() {
        let mut memory = Memory::default();
        let mut keep = |first, last, second| {
            memory.keep_costs(read(first, last), Arc::default(), at(second));
            [read(1, 1), read(2, 3), read(9, 9)].map(|days| memory.costs(&days).map(|(_, as_of)| as_of.as_second()))
        };
        assert_eq!(keep(1, 5, 1), [Some(1), Some(1), None]);
        assert_eq!(keep(2, 3, 2), [Some(1), Some(2), None]);
        assert_eq!(keep(1, 4, 3), [Some(3), Some(3), None], "in it is all that the one before has");
        assert_eq!(keep(9, 9, 4), [Some(3), Some(3), Some(4)]);
        assert_eq!(keep(11, 11, 5), [Some(3), Some(3), Some(4)]);
        assert_eq!(keep(12, 12, 6), [Some(3), Some(3), Some(4)]);
        assert_eq!(keep(13, 13, 7), [None, None, Some(4)]);
    }

    #[test]
    fn agents_are_known_as_of_when_they_were_read() {
        let mut memory = Memory::default();
        assert_eq!(memory.agents().map(|(_, as_of)| *as_of), None);
        memory.keep_agents(Vec::new(), at(7));
        assert_eq!(memory.agents().map(|(agents, as_of)| (agents.len(), *as_of)), Some((0, at(7))));
    }

    #[test]
    fn a_limit_is_left_to_who_sets_it_until_that_ends_or_takes_too_long() {
        let steady = |seconds| Steady::since_start(Duration::from_secs(seconds));
        let key = |budget: &str| (budget.to_owned(), at(0));
        let mut memory = Memory::default();
        memory.begin_setting(key("a"), steady(5));
        memory.begin_setting(key("b"), steady(9));
        assert!(memory.is_setting(&key("a"), steady(4)) && !memory.is_setting(&key("c"), steady(4)));
        assert!(!memory.is_setting(&key("a"), steady(5)) && memory.is_setting(&key("b"), steady(5)));
        memory.end_setting(&key("b"));
        assert!(!memory.is_setting(&key("b"), steady(5)));
    }
}
