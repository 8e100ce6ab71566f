//! The numbers of one push.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{AggregationTemporality, Metric, NumberDataPoint};

use super::texts;

/// One number, with what a collector is told about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    pub value: f64,
    pub unit: String,
    pub description: String,
    /// Of sums and histograms.
    pub temporality: Option<AggregationTemporality>,
    /// Whether it is a sum that only grows.
    pub monotonic: bool,
    /// Whether it is a histogram; its value is the count then.
    pub histogram: bool,
    pub start: u64,
    pub time: u64,
}

/// All numbers of a push, by name and labels.
#[derive(Debug, Default)]
pub struct Points {
    pub points: BTreeMap<(String, BTreeMap<String, String>), Point>,
    pub resource: BTreeMap<String, String>,
}

impl Points {
    #[track_caller]
    pub fn of(request: &ExportMetricsServiceRequest) -> Self {
        let mut found = Self::default();
        for resource in &request.resource_metrics {
            found.resource = texts(&resource.resource.as_ref().unwrap().attributes);
            for metric in resource.scope_metrics.iter().flat_map(|scope| &scope.metrics) {
                found.add(metric);
            }
        }
        found
    }

    #[track_caller]
    fn add(&mut self, metric: &Metric) {
        let blank = Point {
            value: 0.0,
            unit: metric.unit.clone(),
            description: metric.description.clone(),
            temporality: None,
            monotonic: false,
            histogram: false,
            start: 0,
            time: 0,
        };
        match metric.data.as_ref().unwrap() {
            Data::Gauge(gauge) => gauge.data_points.iter().for_each(|point| self.insert(metric, point, &blank)),
            Data::Sum(sum) => {
                let blank = Point { temporality: Some(sum.aggregation_temporality()), monotonic: sum.is_monotonic, ..blank };
                sum.data_points.iter().for_each(|point| self.insert(metric, point, &blank));
            }
            Data::Histogram(histogram) => {
                for point in &histogram.data_points {
                    let found = Point {
                        value: point.count as f64,
                        temporality: Some(histogram.aggregation_temporality()),
                        histogram: true,
                        start: point.start_time_unix_nano,
                        time: point.time_unix_nano,
                        ..blank.clone()
                    };
                    let before = self.points.insert((metric.name.clone(), texts(&point.attributes)), found);
                    assert!(before.is_none(), "{} appears once with its labels", metric.name);
                }
            }
            other => panic!("{}: unexpected {other:?}", metric.name),
        }
    }

    #[track_caller]
    fn insert(&mut self, metric: &Metric, point: &NumberDataPoint, blank: &Point) {
        let value = match point.value.unwrap() {
            Value::AsDouble(value) => value,
            Value::AsInt(value) => value as f64,
        };
        let (start, time) = (point.start_time_unix_nano, point.time_unix_nano);
        let found = Point { value, start, time, ..blank.clone() };
        let before = self.points.insert((metric.name.clone(), texts(&point.attributes)), found);
        assert!(before.is_none(), "{} appears once with its labels", metric.name);
    }

    pub fn find(&self, name: &str, labels: &[(&str, &str)]) -> Option<&Point> {
        let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        self.points.get(&(name.to_owned(), labels))
    }

    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        self.find(name, labels).map(|point| point.value)
    }
}
