//! What an instrument over the views is, and what it reads.

use opentelemetry::{KeyValue, StringValue};

use crate::telemetry::moment::Moment;

/// Units in braces say what is counted and become no part of a name.
pub(super) const USD: &str = "{USD}";
pub(super) const PERCENT: &str = "{percent}";
pub(super) const NONE: &str = "";

/// An instrument: its name as the SDK wants it (without what readers add: `_total` for a counter, `_seconds` for the unit `s`),
/// its unit, its help, and what it shows of a moment.
pub(in crate::telemetry) struct Definition {
    pub name: &'static str,
    pub unit: &'static str,
    pub help: &'static str,
    pub read: fn(&Moment) -> Vec<Reading>,
}

/// One series' value.
#[derive(Debug)]
pub(in crate::telemetry) struct Reading {
    pub value: f64,
    pub labels: Vec<KeyValue>,
}

// === impl Reading ===

impl Reading {
    pub(in crate::telemetry) fn plain(value: f64) -> Self {
        Self { value, labels: Vec::new() }
    }

    pub fn labelled<const N: usize>(value: f64, labels: [(&'static str, &str); N]) -> Self {
        debug_assert!(labels.is_sorted(), "labels stand in the order of their names");
        let labels =
            labels.into_iter().map(|(name, value)| KeyValue::new(name, StringValue::from(value.to_owned()))).collect();
        Self { value, labels }
    }
}
