//! What reaches a collector in increments, against a model of one that fails in every way and tells repeated requests by their
//! times, as real ones do.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Text;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics,
    Sum,
};
use proptest::prelude::*;
use prost::Message;

use super::answer::{Fate, Outcome};
use super::connect;
use super::deliver::{Collected, Courier, Delivery};
use super::increments::{Exact, Series};
use super::report::Signal;
use super::settings::{Connection, Headers, Protocol, Temporality, Tls};
use crate::domain::Usd;

const COST: &str = "lead_factory_cost_usd";
const CALLS: &str = "lead_factory_events";
const PACE: &str = "lead_factory_api_call_duration";

/// An agent's totals.
#[derive(Clone, Debug, Default)]
struct Totals {
    pico: BTreeMap<String, i128>,
    calls: i64,
    seconds: f64,
    time: u64,
}

/// A collector, told what to do with each request; afterwards it takes everything.
#[derive(Debug, Default)]
struct Collector {
    orders: RefCell<Vec<Order>>,
    requests: RefCell<Vec<ExportMetricsServiceRequest>>,
    /// By series, start and end.
    taken: RefCell<HashMap<(Series, u64, u64), f64>>,
    repeats: RefCell<HashMap<Vec<u8>, u32>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Take,
    TakeInSilence,
    LoseInSilence,
    Refuse,
    Unreached,
    RejectAll,
    /// Rejects the points of the first metric of increments that has this many, and takes the others.
    RejectSome(usize),
    /// Rejects the last point, and takes the others.
    RejectOne,
}

fn label(service: &str) -> Vec<KeyValue> {
    let value = Some(AnyValue { value: Some(Text::StringValue(service.into())) });
    vec![KeyValue { key: "service".into(), value, ..KeyValue::default() }]
}

impl Totals {
    fn collected(&self) -> Collected {
        let number = |attributes, value| NumberDataPoint {
            attributes,
            start_time_unix_nano: 1,
            time_unix_nano: self.time,
            value: Some(value),
            ..NumberDataPoint::default()
        };
        let cost =
            self.pico.iter().map(|(service, pico)| number(label(service), Value::AsDouble(Usd::from_pico(*pico).to_f64())));
        let sum = |data_points| {
            let aggregation_temporality = AggregationTemporality::Cumulative.into();
            Data::Sum(Sum { data_points, aggregation_temporality, is_monotonic: true })
        };
        let calls = u64::try_from(self.calls).unwrap();
        let pace = HistogramDataPoint {
            time_unix_nano: self.time,
            count: calls,
            sum: Some(self.seconds),
            bucket_counts: vec![calls, 0],
            explicit_bounds: vec![1.0],
            ..HistogramDataPoint::default()
        };
        let pace = Histogram { data_points: vec![pace], aggregation_temporality: AggregationTemporality::Cumulative.into() };
        let metric = |name: &str, data| Metric { name: name.into(), data: Some(data), ..Metric::default() };
        let metrics = vec![
            metric("lead_factory_build_info", Data::Gauge(Gauge { data_points: vec![number(vec![], Value::AsInt(1))] })),
            metric(COST, sum(cost.collect())),
            metric(CALLS, sum(vec![number(vec![], Value::AsInt(self.calls))])),
            metric(PACE, Data::Histogram(pace)),
        ];
        let exact: Exact = self.pico.iter().map(|(service, pico)| (Series::new(COST, &label(service)), *pico)).collect();
        let scope_metrics = vec![ScopeMetrics { metrics, ..ScopeMetrics::default() }];
        let resource_metrics = vec![ResourceMetrics { scope_metrics, ..ResourceMetrics::default() }];
        Collected { request: ExportMetricsServiceRequest { resource_metrics }, exact }
    }

    fn spend(&mut self, service: &str, pico: i128) {
        *self.pico.entry(service.to_owned()).or_default() += pico;
        self.calls += 1;
        self.seconds += 0.5;
    }
}

impl Collector {
    fn points(request: &ExportMetricsServiceRequest) -> Vec<((Series, u64, u64), f64)> {
        let scopes = request.resource_metrics.iter().flat_map(|resource| &resource.scope_metrics);
        let mut points = Vec::new();
        for metric in scopes.flat_map(|scope| &scope.metrics) {
            match metric.data.as_ref().unwrap() {
                Data::Sum(sum) => {
                    assert_eq!(sum.aggregation_temporality(), AggregationTemporality::Delta);
                    for point in &sum.data_points {
                        let value = match point.value.unwrap() {
                            Value::AsDouble(float) => float,
                            Value::AsInt(whole) => whole as f64,
                        };
                        assert!(value > 0.0, "{}: {value}", metric.name);
                        let series = Series::new(&metric.name, &point.attributes);
                        points.push(((series, point.start_time_unix_nano, point.time_unix_nano), value));
                    }
                }
                Data::Histogram(histogram) => points.extend(histogram.data_points.iter().map(|point| {
                    assert_eq!(point.bucket_counts[0], point.count);
                    let series = Series::new(&metric.name, &point.attributes);
                    ((series, point.start_time_unix_nano, point.time_unix_nano), point.count as f64)
                })),
                _ => {}
            }
        }
        points
    }

    fn take(&self, request: &ExportMetricsServiceRequest) {
        self.taken.borrow_mut().extend(Self::points(request));
    }

    fn sum(&self, metric: &str) -> Usd {
        // Increments below 9,000 USD have floats that give back every digit.
        let pico = |value: f64| Usd::parse(&format!("{value:.12}")).unwrap();
        self.taken.borrow().iter().filter(|((series, ..), _)| series.metric == metric).map(|(_, value)| pico(*value)).sum()
    }

    fn assert_has(&self, totals: &Totals) {
        assert_eq!(self.sum(COST), totals.pico.values().map(|pico| Usd::from_pico(*pico)).sum());
        assert_eq!(self.sum(CALLS), Usd::from_dollars(totals.calls));
        assert_eq!(self.sum(PACE), Usd::from_dollars(totals.calls));
    }
}

impl Courier for Collector {
    async fn send(&self, request: &ExportMetricsServiceRequest, _deadline: Instant) -> Outcome {
        self.requests.borrow_mut().push(request.clone());
        let mut order = self.orders.borrow_mut().pop().unwrap_or(Order::Take);
        let mut repeats = self.repeats.borrow_mut();
        let repeats = repeats.entry(request.encode_to_vec()).or_default();
        *repeats += 1;
        // Nobody can tell for ever; a request is settled before it is given up.
        if *repeats > 8 {
            order = Order::Take;
        }
        match order {
            Order::Take => {
                self.take(request);
                Outcome::taken()
            }
            Order::TakeInSilence => {
                self.take(request);
                Outcome::unknown("silence")
            }
            Order::LoseInSilence => Outcome::unknown("silence"),
            Order::Refuse => Outcome::refused("no"),
            Order::Unreached => Outcome::unreached("not there"),
            Order::RejectAll => rejected(1_000),
            Order::RejectOne => {
                let mut points = Self::points(request);
                points.pop();
                self.taken.borrow_mut().extend(points);
                rejected(1)
            }
            Order::RejectSome(count) => {
                let points = Self::points(request);
                let metric = |point: &((Series, u64, u64), f64)| point.0.0.metric.clone();
                let of = |name: &str| points.iter().filter(|point| metric(point) == name).count();
                let Some(name) = points.iter().map(metric).find(|name| of(name) == count) else {
                    self.take(request);
                    return Outcome::taken();
                };
                self.taken.borrow_mut().extend(points.into_iter().filter(|point| metric(point) != name));
                rejected(count as u64)
            }
        }
    }
}

fn rejected(count: u64) -> Outcome {
    Outcome { fate: Fate::Rejected(count), said: Some("no".into()), again: None }
}

#[track_caller]
fn deliver(delivery: &mut Delivery, totals: &mut Totals, collector: &Collector) -> Result<(), String> {
    totals.time += 1;
    let deadline = Instant::now() + Duration::from_secs(60);
    delivery.deliver(&totals.collected(), deadline, collector).now_or_never().expect("the model answers at once")
}

fn begun(totals: &Totals) -> Delivery {
    let mut delivery = Delivery::new(Temporality::Delta);
    delivery.begin(&totals.collected());
    delivery
}

fn order() -> impl Strategy<Value = Order> {
    prop_oneof![
        4 => Just(Order::Take),
        2 => Just(Order::TakeInSilence),
        2 => Just(Order::LoseInSilence),
        1 => Just(Order::Refuse),
        1 => Just(Order::Unreached),
        1 => Just(Order::RejectAll),
    ]
}

proptest! {
    #[test]
    fn nothing_is_lost_and_nothing_counts_twice_however_exports_fail(
        steps in prop::collection::vec((0..3_usize, 1..9_000_000_000_000_i128, order(), order()), 1..40),
    ) {
        let mut totals = Totals { time: 1, ..Totals::default() };
        let (mut delivery, collector) = (begun(&totals), Collector::default());
        for (service, pico, first, second) in steps {
            totals.spend(["a", "b", "c"][service], pico);
            *collector.orders.borrow_mut() = vec![second, first];
            let taken = deliver(&mut delivery, &mut totals, &collector);
            prop_assert!(collector.sum(COST) <= totals.pico.values().map(|pico| Usd::from_pico(*pico)).sum());
            if taken.is_ok() {
                collector.assert_has(&totals);
                prop_assert_eq!(delivery.missing_usd(&totals.collected().exact), Usd::ZERO);
            }
        }
        // The last words, to a collector that is well again: what is in doubt, then the rest.
        collector.orders.borrow_mut().clear();
        prop_assert_eq!(deliver(&mut delivery, &mut totals, &collector), Ok(()));
        collector.assert_has(&totals);
    }
}

#[test]
fn an_increment_is_the_float_nearest_to_the_exact_one() {
    let millions = Usd::parse("2700000.1").unwrap().pico();
    for amount in ["0.25", "0.0000001", "0.000000000001", "0.1", "1234.567890123456"] {
        let mut totals = Totals { time: 1, ..Totals::default() };
        totals.spend("openai", millions);
        let (mut delivery, collector) = (begun(&totals), Collector::default());
        totals.spend("openai", Usd::parse(amount).unwrap().pico());
        deliver(&mut delivery, &mut totals, &collector).unwrap();
        let taken = collector.taken.borrow();
        let value = taken.iter().find(|((series, ..), _)| series.metric == COST).map(|(_, value)| *value);
        assert_eq!(value, Some(amount.parse().unwrap()), "{amount}");
    }
}

#[test]
fn increments_follow_each_other_without_gap_or_overlap() {
    let mut totals = Totals { time: 10, ..Totals::default() };
    totals.spend("a", 5);
    let (mut delivery, collector) = (begun(&totals), Collector::default());
    for order in [Order::Take, Order::Refuse, Order::TakeInSilence, Order::Take, Order::Take] {
        totals.spend("a", 1);
        *collector.orders.borrow_mut() = vec![order];
        let _ = deliver(&mut delivery, &mut totals, &collector);
    }
    let taken = collector.taken.borrow();
    let mut spans: Vec<_> = taken
        .iter()
        .filter(|((series, ..), _)| series.metric == COST)
        .map(|((_, start, end), value)| (*start, *end, (value * 1e12).round() as i128))
        .collect();
    spans.sort_unstable();
    assert_eq!(spans, [(10, 11, 1), (11, 13, 2), (13, 14, 1), (14, 15, 1)]);
}

#[test]
fn a_partial_success_is_not_sent_again_and_the_next_one_says_more() {
    let mut totals = Totals { time: 1, ..Totals::default() };
    let (mut delivery, collector) = (begun(&totals), Collector::default());
    let push = |totals: &mut Totals, delivery: &mut Delivery, orders: Vec<Order>| {
        totals.spend("a", 1);
        totals.spend("b", 10);
        collector.requests.borrow_mut().clear();
        *collector.orders.borrow_mut() = orders;
        let delivered = deliver(delivery, totals, &collector);
        (delivered, collector.requests.borrow().len())
    };
    // Two of five points: those of cost, which nobody says.
    let (said, requests) = push(&mut totals, &mut delivery, vec![Order::RejectSome(2)]);
    let said = said.unwrap_err();
    assert!(said.contains("rejected 2 of 5 data points: no") && said.contains("lost to it"), "{said}");
    assert_eq!((requests, collector.sum(COST)), (1, Usd::ZERO));

    // Now each metric goes by itself: gauges, cost, calls, pace. Cost is rejected as a whole, and so it is known and kept.
    let refuse_cost = || vec![Order::Take, Order::Take, Order::RejectAll, Order::Take];
    for _ in 0..3 {
        let (said, requests) = push(&mut totals, &mut delivery, refuse_cost());
        assert!(said.unwrap_err().contains("data points: no"));
        assert_eq!(requests, 4);
    }
    assert_eq!(delivery.missing_usd(&totals.collected().exact), Usd::from_pico(33));
    let (said, _) = push(&mut totals, &mut delivery, Vec::new());
    assert_eq!((said, collector.sum(COST)), (Ok(()), Usd::from_pico(44)), "all but what the first one lost");

    // One point of a metric is rejected: from now on its points go by themselves.
    *collector.orders.borrow_mut() = vec![];
    let reject_one = vec![Order::Take, Order::Take, Order::RejectOne, Order::Take];
    let (_, requests) = push(&mut totals, &mut delivery, reject_one);
    assert_eq!(requests, 4);
    let (said, requests) = push(&mut totals, &mut delivery, Vec::new());
    assert_eq!((said, requests), (Ok(()), 5));
}

#[test]
fn totals_are_sent_as_they_are_and_nothing_of_them_is_kept() {
    for temporality in [Temporality::Cumulative, Temporality::LowMemory] {
        let mut totals = Totals { time: 1, ..Totals::default() };
        totals.spend("a", 5);
        let mut delivery = Delivery::new(temporality);
        delivery.begin(&totals.collected());
        let collector = Silent::default();
        for _ in 0..3 {
            totals.time += 1;
            let deadline = Instant::now() + Duration::from_secs(60);
            delivery.deliver(&totals.collected(), deadline, &collector).now_or_never().unwrap().unwrap_err();
        }
        for request in collector.0.borrow().iter() {
            let scopes = request.resource_metrics.iter().flat_map(|resource| &resource.scope_metrics);
            for metric in scopes.flat_map(|scope| &scope.metrics).filter(|metric| metric.name == COST) {
                let Some(Data::Sum(sum)) = &metric.data else { panic!("{metric:?}") };
                assert_eq!(sum.aggregation_temporality(), AggregationTemporality::Cumulative);
                assert_eq!(sum.data_points[0].value, Some(Value::AsDouble(5e-12)));
            }
        }
        assert_eq!(delivery.missing_usd(&totals.collected().exact), Usd::ZERO);
    }
}

/// Keeps what comes and never says a word.
#[derive(Debug, Default)]
struct Silent(RefCell<Vec<ExportMetricsServiceRequest>>);

impl Courier for Silent {
    async fn send(&self, request: &ExportMetricsServiceRequest, _deadline: Instant) -> Outcome {
        self.0.borrow_mut().push(request.clone());
        Outcome::unknown("silence")
    }
}

/// Guards against: the whole ledger as one increment, where the collection at the start failed.
#[test]
fn where_there_was_no_beginning_the_first_push_is_it() {
    let mut totals = Totals::default();
    totals.spend("a", 1_000);
    let (mut delivery, collector) = (Delivery::new(Temporality::Delta), Collector::default());
    deliver(&mut delivery, &mut totals, &collector).unwrap();
    assert_eq!((collector.sum(COST), collector.requests.borrow().len()), (Usd::ZERO, 1));
    totals.spend("a", 7);
    deliver(&mut delivery, &mut totals, &collector).unwrap();
    assert_eq!(collector.sum(COST), Usd::from_pico(7));
}

#[test]
fn a_request_that_nobody_settles_is_given_up_and_its_increments_go_on() {
    let mut totals = Totals { time: 1, ..Totals::default() };
    let (mut delivery, silent) = (begun(&totals), Silent::default());
    totals.spend("a", 7);
    for _ in 0..40 {
        totals.time += 1;
        let deadline = Instant::now() + Duration::from_secs(60);
        let _ = delivery.deliver(&totals.collected(), deadline, &silent).now_or_never().unwrap();
    }
    let mut times: Vec<u64> = silent
        .0
        .borrow()
        .iter()
        .flat_map(Collector::points)
        .filter(|((series, ..), _)| series.metric == COST)
        .map(|((.., end), value)| {
            assert_eq!(value, 7e-12);
            end
        })
        .collect();
    times.dedup();
    assert!((3..10).contains(&times.len()), "the same request some times, then a newer one: {times:?}");
    let collector = Collector::default();
    deliver(&mut delivery, &mut totals, &collector).unwrap();
    assert_eq!(collector.sum(COST), Usd::from_pico(7));
}

/// Guards against: increments that are held back as in doubt, or told twice, because the collector was away.
#[test]
fn a_collector_that_is_not_there_was_sent_nothing() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for protocol in [Protocol::HttpProtobuf, Protocol::Grpc] {
        let connection = Connection {
            // Nobody listens on a port of the system by chance.
            endpoint: "http://127.0.0.1:1".into(),
            protocol,
            headers: Headers::default(),
            gzip: false,
            timeout: Duration::from_secs(60),
            tls: Tls::default(),
        };
        let outcome = runtime.block_on(async {
            let line = connect::line(&connection, Signal::Metrics).unwrap();
            line.send(&ExportMetricsServiceRequest::default(), Instant::now() + connection.timeout).await
        });
        assert_eq!(outcome.fate, Fate::Unreached, "{protocol:?}: {outcome:?}");
    }
}
