//! What counts against the budgets of single services: sums over all names that differ from theirs in letter case only.
//!
//! *Invariants.* The sum of a budget's name is the sum over the services that are like it, in each resident day and month. Where a day
//! has no room for such a service's own name, its cost stands under the name that the budget uses, never under `other`: so the sums
//! can be built from the day's rows at any time.
//!
//! *Limits.* Only the names that budgets name, however many spellings of them occur.

use std::collections::BTreeMap;
use std::sync::Arc;

use imbl::OrdMap;
use jiff::civil::Date;

use crate::domain::{Folded, Month, Name, Period, Sums};

/// Sums by the names of budgets.
#[derive(Clone, Debug)]
pub(super) struct Budgeted {
    /// Each name as a budget spells it, the first of several spellings.
    names: Arc<BTreeMap<Folded, Name>>,
    days: OrdMap<(Date, Folded), Sums>,
    months: OrdMap<(Month, Folded), Sums>,
}

impl Budgeted {
    /// No cost yet; only these names are counted.
    pub fn new(names: &[Name]) -> Self {
        // From the last to the first, so that the first stays.
        let names = names.iter().rev().map(|name| (Folded::of(name), name.clone())).collect();
        Self { names: Arc::new(names), days: OrdMap::new(), months: OrdMap::new() }
    }

    /// The spelling of a budget that is like this service's.
    pub fn name_like(&self, service: &Name) -> Option<&Name> {
        self.find(service).map(|(_, name)| name)
    }

    /// A service's folded name, if a budget names it.
    pub fn folded(&self, service: &Name) -> Option<&Folded> {
        self.find(service).map(|(folded, _)| folded)
    }

    /// Adds to a service's day, if a budget names the service.
    pub fn add_to_day(&mut self, day: Date, service: &Name, sums: Sums) {
        if let Some((folded, _)) = self.find(service) {
            let key = (day, folded.clone());
            *self.days.entry(key).or_default() += sums;
        }
    }

    /// Adds to a service's month, if a budget names the service.
    pub fn add_to_month(&mut self, month: Month, service: &Name, sums: Sums) {
        if let Some((folded, _)) = self.find(service) {
            let key = (month, folded.clone());
            *self.months.entry(key).or_default() += sums;
        }
    }

    /// What all services like this one come to in a period.
    pub fn sums(&self, service: &Name, period: Period) -> Option<Sums> {
        match period {
            Period::Day(day) => self.days.get(&(day, Folded::of(service))),
            Period::Month(month) => self.months.get(&(month, Folded::of(service))),
        }
        .copied()
    }

    /// Lets go of days before `first_day` and months before `first_month`.
    pub fn retire(&mut self, first_day: Date, first_month: Month) {
        while let Some(key) = self.days.get_min().map(|(key, _)| key.clone()).filter(|(day, _)| *day < first_day) {
            self.days.remove(&key);
        }
        while let Some(key) = self.months.get_min().map(|(key, _)| key.clone()).filter(|(month, _)| *month < first_month) {
            self.months.remove(&key);
        }
    }

    fn find(&self, service: &Name) -> Option<(&Folded, &Name)> {
        if self.names.is_empty() { None } else { self.names.get_key_value(&Folded::of(service)) }
    }
}
