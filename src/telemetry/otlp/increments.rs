//! From totals to what was added since a collector last took a series.
//!
//! *Invariants.* Money and whatever else the ledger counts is subtracted to the last digit and only then made a float, the nearest
//! one: 0.25 after millions is 0.25. A series' increments follow each other without gap or overlap, however many exports
//! failed in between: what is not taken stays in the next one. A total that fell adds nothing until it is above what was taken.
//!
//! *Why our own.* The SDK subtracts floats, and counts an increment as told when it is collected, not when it is taken.
//!
//! *Limits.* What is remembered is one total for each series of a counter or histogram; the instruments bound those.

use std::collections::HashMap;

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{AggregationTemporality, HistogramDataPoint, Metric, NumberDataPoint};
use prost::Message;

use crate::domain::Usd;

/// A metric with its labels.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Series {
    pub metric: String,
    /// As they are sent, which for equal labels is equal: they stand in the order of their names.
    labels: Vec<u8>,
}

/// What the ledger counts, to the last digit: in 10⁻¹² of the unit.
pub(super) type Exact = HashMap<Series, i128>;

/// What a counter or a histogram adds up to, or by how much it grew.
#[derive(Clone, Debug, PartialEq)]
enum Amount {
    Pico(i128),
    Whole(i64),
    Float(f64),
    Histogram { count: u64, sum: f64, buckets: Vec<u64> },
}

/// How far a series is taken once a request is.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub series: Series,
    total: Amount,
    at_unix_nano: u64,
}

/// How far each series was taken, and when.
#[derive(Debug, Default)]
pub(super) struct Taken(HashMap<Series, (Amount, u64)>);

// === impl Series ===

impl Series {
    pub fn new(metric: &str, labels: &[KeyValue]) -> Self {
        Self { metric: metric.to_owned(), labels: labels.iter().flat_map(Message::encode_length_delimited_to_vec).collect() }
    }
}

// === impl Amount ===

impl Amount {
    /// What came on top of `before`, if anything.
    fn above(&self, before: Option<&Self>) -> Option<Self> {
        match (self, before) {
            (Self::Pico(now), None) => (*now > 0).then_some(Self::Pico(*now)),
            (Self::Pico(now), Some(Self::Pico(before))) => (now > before).then(|| Self::Pico(now - before)),
            (Self::Whole(now), None) => (*now > 0).then_some(Self::Whole(*now)),
            (Self::Whole(now), Some(Self::Whole(before))) => (now > before).then(|| Self::Whole(now - before)),
            (Self::Float(now), None) => (*now > 0.0).then_some(Self::Float(*now)),
            (Self::Float(now), Some(Self::Float(before))) => (now > before).then(|| Self::Float(now - before)),
            (Self::Histogram { count, .. }, None) => (*count > 0).then(|| self.clone()),
            (
                Self::Histogram { count, sum, buckets },
                Some(Self::Histogram { count: count_before, sum: sum_before, buckets: before }),
            ) => (count > count_before).then(|| Self::Histogram {
                count: count - count_before,
                sum: sum - sum_before,
                buckets: buckets.iter().zip(before).map(|(now, before)| now.saturating_sub(*before)).collect(),
            }),
            // A series does not change its kind.
            _ => None,
        }
    }

    fn of_number(point: &NumberDataPoint, pico: Option<i128>) -> Option<Self> {
        Some(match (pico, point.value?) {
            (Some(pico), _) => Self::Pico(pico),
            (None, Value::AsInt(whole)) => Self::Whole(whole),
            (None, Value::AsDouble(float)) => Self::Float(float),
        })
    }

    fn of_histogram(point: &HistogramDataPoint) -> Self {
        Self::Histogram { count: point.count, sum: point.sum.unwrap_or_default(), buckets: point.bucket_counts.clone() }
    }
}

// === impl Taken ===

impl Taken {
    /// Remembers that the totals of this metric are history, and no increment.
    pub fn begin(&mut self, mut metric: Metric, exact: &Exact) {
        let changes = self.increments(&mut metric, exact).unwrap_or_default();
        self.advance(changes);
    }

    /// Notes what was taken.
    pub fn advance(&mut self, changes: Vec<Change>) {
        for Change { series, total, at_unix_nano } in changes {
            self.0.insert(series, (total, at_unix_nano));
        }
    }

    /// Turns a metric's totals into increments, and leaves out what did not grow. Each point that stays has its change, at the same
    /// place. `None` for a metric that is not one of totals that only grow: it stays as it is.
    pub fn increments(&self, metric: &mut Metric, exact: &Exact) -> Option<Vec<Change>> {
        let mut changes = Vec::new();
        let name = &metric.name;
        match metric.data.as_mut()? {
            Data::Sum(sum) if sum.is_monotonic => {
                sum.aggregation_temporality = AggregationTemporality::Delta.into();
                sum.data_points.retain_mut(|point| {
                    let series = Series::new(name, &point.attributes);
                    let Some(total) = Amount::of_number(point, exact.get(&series).copied()) else { return false };
                    let (before, since) = self.of(&series);
                    point.value = match total.above(before) {
                        Some(Amount::Pico(pico)) => Some(Value::AsDouble(Usd::from_pico(pico).to_f64())),
                        Some(Amount::Whole(whole)) => Some(Value::AsInt(whole)),
                        Some(Amount::Float(float)) => Some(Value::AsDouble(float)),
                        Some(Amount::Histogram { .. }) | None => return false,
                    };
                    // A series that was not there yet began with its counter, as the SDK says.
                    point.start_time_unix_nano = since.unwrap_or(point.start_time_unix_nano);
                    changes.push(Change { series, total, at_unix_nano: point.time_unix_nano });
                    true
                });
            }
            Data::Histogram(histogram) => {
                histogram.aggregation_temporality = AggregationTemporality::Delta.into();
                histogram.data_points.retain_mut(|point| {
                    let series = Series::new(name, &point.attributes);
                    let total = Amount::of_histogram(point);
                    let (before, since) = self.of(&series);
                    let Some(Amount::Histogram { count, sum, buckets }) = total.above(before) else { return false };
                    (point.count, point.sum, point.bucket_counts) = (count, Some(sum), buckets);
                    // They are known of all time, not of the time since.
                    (point.min, point.max) = (None, None);
                    point.start_time_unix_nano = since.unwrap_or(point.start_time_unix_nano);
                    changes.push(Change { series, total, at_unix_nano: point.time_unix_nano });
                    true
                });
            }
            _ => return None,
        }
        Some(changes)
    }

    /// How much of a metric of money was not taken yet.
    pub fn missing(&self, metric: &str, exact: &Exact) -> Usd {
        let missing = exact.iter().filter(|(series, _)| series.metric == metric).filter_map(|(series, pico)| {
            match Amount::Pico(*pico).above(self.of(series).0)? {
                Amount::Pico(pico) => Some(Usd::from_pico(pico)),
                _ => None,
            }
        });
        missing.sum()
    }

    fn of(&self, series: &Series) -> (Option<&Amount>, Option<u64>) {
        self.0.get(series).map_or((None, None), |(total, at)| (Some(total), Some(*at)))
    }
}
