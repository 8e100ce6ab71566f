//! What an instrument over the views is, and what it reads.

use opentelemetry::{KeyValue, StringValue};

use crate::domain::{Quantity, Usd};
use crate::telemetry::moment::Moment;

/// Of a millionth, in which quantities are counted.
const PICO_PER_MICRO: i128 = 1_000_000;

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

/// A counter over the ledger: a [`Definition`] whose values keep every digit, so that what two of them differ by is exact too.
pub(in crate::telemetry) struct Counter {
    pub name: &'static str,
    pub unit: &'static str,
    pub help: &'static str,
    pub read: fn(&Moment) -> Vec<Total>,
}

/// One series' total since the ledger began, never negative.
#[derive(Debug)]
pub(in crate::telemetry) struct Total {
    /// In 10⁻¹² of the unit: pico-dollars for money.
    pub pico: i128,
    pub labels: Vec<KeyValue>,
}

// === impl Reading ===

impl Reading {
    pub(in crate::telemetry) fn plain(value: f64) -> Self {
        Self { value, labels: Vec::new() }
    }

    pub fn labelled<const N: usize>(value: f64, labels: [(&'static str, &str); N]) -> Self {
        Self { value, labels: in_order(labels) }
    }
}

// === impl Total ===

impl Total {
    pub fn usd<const N: usize>(amount: Usd, labels: [(&'static str, &str); N]) -> Self {
        Self { pico: amount.pico(), labels: in_order(labels) }
    }

    pub fn count<const N: usize>(count: Quantity, labels: [(&'static str, &str); N]) -> Self {
        let micros = i128::try_from(count.micros()).unwrap_or(i128::MAX);
        Self { pico: micros.saturating_mul(PICO_PER_MICRO), labels: in_order(labels) }
    }

    /// The float nearest to it.
    pub fn to_f64(&self) -> f64 {
        Usd::from_pico(self.pico).to_f64()
    }
}

fn in_order<const N: usize>(labels: [(&'static str, &str); N]) -> Vec<KeyValue> {
    debug_assert!(labels.is_sorted(), "labels stand in the order of their names");
    labels.into_iter().map(|(name, value)| KeyValue::new(name, StringValue::from(value.to_owned()))).collect()
}
