//! What the ledger adds up to, kept in memory: cost by day, service and operation, the bounded series of the metrics, open
//! reservations, and the state of the gate.
//!
//! *Invariants.* Views are derived: applying the ledger's entries in order gives the same views as loading its rollups. A
//! `Views` value is immutable to its readers and shares its structure with its predecessors, so publishing one is cheap and
//! whoever holds one sees a single committed state. What budgets count by key is apart from that: see [`tallies`]. The sum over any grouping
//! equals the total.
//!
//! *Limits.* [`PAIRS_PER_DAY_MAX`](crate::domain::PAIRS_PER_DAY_MAX) names a day, [`RESIDENT_PAIRS_MAX`] in all, [`SeriesLimits`] for metrics.
//!
//! *Deliberately not here.* Groupings by worker, batch, lead and model: they read the ledger, but for what [`Newest`] says.

mod allowances;
mod batch;
mod changes;
mod costs;
mod holds;
mod keyed;
mod limits;
mod models;
mod newest;
mod overrides;
mod per_lead;
mod published;
mod series;
mod status;
pub mod tallies;
mod unpriced;
mod usage;

use std::collections::BTreeSet;

use imbl::OrdMap;
use jiff::Timestamp;
use jiff::civil::Date;

use crate::domain::{CostEvent, Entry, GateChange, GateOverride, ModelKey, Month, Name, Pair, Period, Sums, UsageKey};

use batch::Batch;
pub use changes::CostChanges;
pub use costs::DayCosts;
pub use holds::{HOLDS_MAX, Hold, Holds};
pub use models::Models;
pub use newest::Newest;
pub use overrides::Overrides;
pub use per_lead::CostPerLead;
pub use published::{Board, Found, Published, Recorded};
pub use series::{RESERVED_MAX, Series, SeriesLimits};
pub use unpriced::UnpricedEvents;
pub use usage::{USAGE_KINDS_MAX, USAGE_PAIRS_MAX, Usage};

/// Day × service × operation sums kept in memory. Beyond it the oldest days are left to the ledger; today always stays.
/// At about 150 bytes each this is 30 MB, half of the memory promised under a flood of names.
pub const RESIDENT_PAIRS_MAX: usize = 200_000;

/// Everything derived from the ledger that readers may want to know. Cloning it is cheap.
#[derive(Clone, Debug)]
pub struct Views {
    /// Cost of each resident day: every day from `resident_from` on that has any.
    days: OrdMap<Date, DayCosts>,
    /// First day that is answered from memory; earlier ones are read from the ledger.
    resident_from: Date,
    /// Cost of the months since `months_from`, by the service's metric label.
    months: OrdMap<Month, MonthCosts>,
    /// The first month of which every event is counted here.
    months_from: Month,
    /// The limits that somebody has set.
    pub overrides: Overrides,
    /// The metric series since the ledger began.
    pub series: Series,
    /// Quantities since the ledger began.
    pub usage: Usage,
    /// Charges by model since the ledger began.
    pub models: Models,
    /// Events that wait for a price.
    pub unpriced: UnpricedEvents,
    /// The newest line of the gate's history.
    pub gate: Option<GateChange>,
    /// What an operator says the gate is to be, until it is taken back or its lapse is written down.
    pub gate_override: Option<GateOverride>,
    /// How often the gate became active since the ledger began.
    pub gate_activations: u64,
    /// Open reservations.
    pub holds: Holds,
    /// Entries since the ledger began.
    pub entries: u64,
    /// When the newest event was recorded.
    pub last_recorded_at: Option<Timestamp>,
}

/// Cost of a month: what the monthly budget and the monthly gauge need.
#[derive(Clone, Debug, Default)]
pub struct MonthCosts {
    /// Of everything.
    pub total: Sums,
    /// By the service's metric label.
    pub by_label: OrdMap<Name, Sums>,
}

/// The sums that recording events changes: the keys of the rows that the ledger must write anew.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Touched {
    /// By day, service and operation, as that day's rollup names them.
    pub pairs: BTreeSet<(Date, Pair)>,
    /// By service and operation, as metrics name them.
    pub labels: BTreeSet<Pair>,
    /// The usage series.
    pub usage: BTreeSet<UsageKey>,
    /// The charges by model.
    pub models: BTreeSet<ModelKey>,
}

impl Views {
    /// An empty ledger's views, answering from memory for `resident_from` and later.
    pub fn new(limits: SeriesLimits, resident_from: Date) -> Self {
        Self {
            days: OrdMap::new(),
            resident_from,
            months: OrdMap::new(),
            months_from: Month::of(resident_from),
            overrides: Overrides::default(),
            series: Series::new(limits),
            usage: Usage::default(),
            models: Models::default(),
            unpriced: UnpricedEvents::default(),
            gate: None,
            gate_override: None,
            holds: Holds::default(),
            gate_activations: 0,
            entries: 0,
            last_recorded_at: None,
        }
    }

    /// Adds entries, each with the day that it counts in, and says which sums changed.
    ///
    /// The days must be resident ([`Views::is_resident`]); the writer loads them before.
    pub fn record<'e>(
        &mut self,
        entries: impl IntoIterator<Item = (&'e CostEvent, &'e Entry, Date)>,
        recorded_at: Timestamp,
    ) -> Touched {
        let batch = Batch::of(entries);
        if batch.entries > 0 {
            self.entries += batch.entries;
            self.last_recorded_at = Some(recorded_at);
        }
        let mut touched = Touched::default();
        for ((day, service, operation), sums) in batch.sums {
            let label = self.series.add(service, operation, sums);
            let own_name = || self.series.reserves(service).then(|| service.clone());
            let pair = self.days.entry(day).or_default().add(service, operation, sums, own_name);
            // What is known of an older month is no more than this: no sum is better than a wrong one.
            if Month::of(day) >= self.months_from {
                self.month_mut(day).add(&label.service, sums);
            }
            touched.pairs.insert((day, pair));
            touched.labels.insert(label);
        }
        for ((service, model), charge) in batch.models {
            touched.models.insert(self.models.add(&self.series.service_label(service), model, charge));
        }
        for ((service, model, kind), count) in batch.usage {
            touched.usage.insert(self.usage.add(&self.series.service_label(service), model, kind, count));
        }
        touched
    }

    /// Counts an event that waits for a price from now on, or no longer.
    pub fn change_unpriced(&mut self, service: &str, model: &str, is_added: bool) {
        let label = Name::new(service).map_or_else(|_| Name::other(), |service| self.series.service_label(&service));
        if is_added { self.unpriced.add(&label, model) } else { self.unpriced.remove(&label, model) }
    }

    /// Adds one line of the gate's history.
    pub fn change_gate(&mut self, change: GateChange) {
        let was_active = self.gate.as_ref().is_some_and(|before| before.active);
        self.gate_activations += u64::from(change.active && !was_active);
        self.gate = Some(change);
    }

    /// The operator's word on the gate, while it holds.
    pub fn manual(&self, now: Timestamp) -> Option<&GateOverride> {
        self.gate_override.as_ref().filter(|manual| manual.holds_at(now))
    }

    /// Takes one row of a day's rollup while loading.
    pub fn load_pair(&mut self, day: Date, pair: Pair, sums: Sums) {
        self.load_month(day, &pair.service, sums);
        self.days.entry(day).or_default().load(pair, sums);
    }

    /// Takes one row of a day that is too old to be kept, for its month's sums only.
    pub fn load_month(&mut self, day: Date, service: &Name, sums: Sums) {
        let label = self.series.service_label(service);
        self.month_mut(day).add(&label, sums);
    }

    /// Takes a whole day that was read back because an event is about to be added to it. Its month is not added to: months
    /// are complete from the start.
    pub fn load_day(&mut self, day: Date, costs: DayCosts) {
        self.days.insert(day, costs);
    }

    /// Whether events of this day may be added, because its sums are in memory.
    pub fn is_resident(&self, day: Date) -> bool {
        day >= self.resident_from || self.days.contains_key(&day)
    }

    /// First day answered from memory.
    pub fn resident_from(&self) -> Date {
        self.resident_from
    }

    /// Answers for days up to and including `day` come from the ledger from now on.
    pub fn leave_to_ledger(&mut self, day: Date) {
        self.resident_from = self.resident_from.max(day.tomorrow().unwrap_or(Date::MAX));
    }

    /// Lets go of days before `floor`, then of the oldest ones beyond [`RESIDENT_PAIRS_MAX`], but never of `today` and later;
    /// and of the months before `floor`'s.
    pub fn retire(&mut self, floor: Date, today: Date) {
        self.resident_from = self.resident_from.max(floor.min(today));
        let mut pairs: usize = self.days.values().map(DayCosts::pairs_len).sum();
        while let Some((&day, costs)) = self.days.get_min().map(|(day, costs)| (day, costs)) {
            let dispensable = day < self.resident_from || (pairs > RESIDENT_PAIRS_MAX && day < today);
            if !dispensable {
                break;
            }
            pairs -= costs.pairs_len();
            self.leave_to_ledger(day);
            self.days.remove(&day);
        }
        self.months_from = self.months_from.max(Month::of(floor.min(today)));
        while let Some(month) = self.months.get_min().map(|(month, _)| *month).filter(|month| *month < self.months_from) {
            self.months.remove(&month);
        }
    }

    /// Cost of a resident day; `None` when nothing was recorded in it (or it is not resident).
    pub fn day(&self, day: Date) -> Option<&DayCosts> {
        self.days.get(&day)
    }

    /// Cost of a recent month; `None` when nothing was recorded in it.
    pub fn month(&self, month: Month) -> Option<&MonthCosts> {
        self.months.get(&month)
    }

    /// What was spent in a day or month that memory has.
    pub fn sums(&self, period: Period) -> Sums {
        match period {
            Period::Day(day) => self.day(day).map(DayCosts::total),
            Period::Month(month) => self.month(month).map(|costs| costs.total),
        }
        .unwrap_or_default()
    }

    /// A day's cost by the service's metric label; empty without cost.
    pub fn day_by_label(&self, day: Date) -> OrdMap<Name, Sums> {
        let mut by_label = OrdMap::new();
        for (service, sums) in self.day(day).into_iter().flat_map(DayCosts::services) {
            *by_label.entry(self.series.service_label(service)).or_insert(Sums::default()) += *sums;
        }
        by_label
    }

    fn month_mut(&mut self, day: Date) -> &mut MonthCosts {
        self.months.entry(Month::of(day)).or_default()
    }
}

impl Touched {
    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        // Whatever touches a series or a usage touches a pair.
        self.pairs.is_empty()
    }

    /// Adds what else was touched.
    pub fn merge(&mut self, other: Self) {
        self.pairs.extend(other.pairs);
        self.labels.extend(other.labels);
        self.usage.extend(other.usage);
        self.models.extend(other.models);
    }
}

impl MonthCosts {
    fn add(&mut self, label: &Name, sums: Sums) {
        self.total += sums;
        match self.by_label.get_mut(label) {
            Some(present) => *present += sums,
            None => drop(self.by_label.insert(label.clone(), sums)),
        }
    }
}

#[cfg(test)]
mod published_tests;
#[cfg(test)]
mod tests;
