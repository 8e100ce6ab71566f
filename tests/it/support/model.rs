//! The naive model: every event that was sent, added up exactly, by every grouping.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::{Amount, recorded};

/// What `by=` takes.
pub const GROUPINGS: [&str; 6] = ["service", "operation", "worker", "batch", "lead", "model"];

/// One event as it was sent.
#[derive(Clone, Debug)]
pub struct Sent {
    pub id: String,
    pub service: String,
    pub operation: String,
    /// The amount's text, exactly as it goes into the JSON.
    pub amount: String,
    pub credit: bool,
    pub time: Timestamp,
    pub worker: String,
    pub batch: String,
    pub lead: String,
    pub model: String,
}

/// Sums by day, grouping and key. The key of `operation` is service, a line feed, and operation: no name contains one.
pub struct Model {
    zone: TimeZone,
    sums: BTreeMap<(Date, &'static str), BTreeMap<String, Amount>>,
    /// Charges by service and operation.
    pub charges: BTreeMap<(String, String), Amount>,
    /// Credits by service.
    pub credits: BTreeMap<String, Amount>,
}

impl Sent {
    /// The event as one JSON object; absent attributes are left out.
    pub fn json(&self) -> String {
        let quote = |text: &str| serde_json::to_string(text).unwrap();
        let mut json = format!(
            r#"{{"id":{},"service":{},"operation":{},"amount_usd":{},"time":"{}""#,
            quote(&self.id),
            quote(&self.service),
            quote(&self.operation),
            self.amount,
            self.time
        );
        if self.credit {
            json.push_str(r#","kind":"credit""#);
        }
        for (field, value) in
            [("worker", &self.worker), ("batch_id", &self.batch), ("lead_id", &self.lead), ("model", &self.model)]
        {
            if !value.is_empty() {
                json.push_str(&format!(",\"{field}\":{}", quote(value)));
            }
        }
        json.push('}');
        json
    }
}

impl Model {
    pub fn new(zone: &str) -> Self {
        Self {
            zone: TimeZone::get(zone).unwrap(),
            sums: BTreeMap::new(),
            charges: BTreeMap::new(),
            credits: BTreeMap::new(),
        }
    }

    pub fn day_of(&self, time: Timestamp) -> Date {
        time.to_zoned(self.zone.clone()).date()
    }

    pub fn add(&mut self, sent: &Sent) {
        let amount = recorded(sent.amount.trim_matches('"'));
        let day = self.day_of(sent.time);
        let pair = format!("{}\n{}", sent.service, sent.operation);
        let keys = [&sent.service, &pair, &sent.worker, &sent.batch, &sent.lead, &sent.model];
        for (by, key) in GROUPINGS.into_iter().zip(keys) {
            *self.sums.entry((day, by)).or_default().entry(key.clone()).or_default() += &amount;
        }
        if sent.credit {
            *self.credits.entry(sent.service.clone()).or_default() += &amount;
        } else {
            *self.charges.entry((sent.service.clone(), sent.operation.clone())).or_default() += &amount;
        }
    }

    /// Days with cost.
    pub fn days(&self) -> Vec<Date> {
        self.sums.keys().filter(|(_, by)| *by == "service").map(|(day, _)| *day).collect()
    }

    /// The sums of a day by a grouping.
    pub fn day(&self, day: Date, by: &'static str) -> BTreeMap<String, Amount> {
        self.sums.get(&(day, by)).cloned().unwrap_or_default()
    }

    /// The sums of a month (`2026-11`) by a grouping.
    pub fn month(&self, month: &str, by: &'static str) -> BTreeMap<String, Amount> {
        let mut sums = BTreeMap::new();
        for ((day, _), keys) in self.sums.iter().filter(|((day, known), _)| *known == by && month_of(*day) == month) {
            debug_assert_eq!(month_of(*day), month);
            for (key, amount) in keys {
                *sums.entry(key.clone()).or_insert_with(Amount::default) += amount;
            }
        }
        sums
    }

    /// Months with cost.
    pub fn months(&self) -> Vec<String> {
        let mut months: Vec<String> = self.days().into_iter().map(month_of).collect();
        months.dedup();
        months
    }

    pub fn day_total(&self, day: Date) -> Amount {
        self.day(day, "service").into_values().sum()
    }

    pub fn total(&self) -> Amount {
        self.days().into_iter().map(|day| self.day_total(day)).sum()
    }
}

fn month_of(day: Date) -> String {
    format!("{:04}-{:02}", day.year(), day.month())
}
