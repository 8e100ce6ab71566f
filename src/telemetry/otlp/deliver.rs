//! Brings collections of metrics to a collector, and keeps account of what it took of the increments.
//!
//! *Invariants.* With totals nothing needs to be kept: the next ones contain these. Increments that a collector surely did not take
//! are part of the next ones. Where nobody knows (no answer, or one that means nothing), the very same request is sent again, so
//! that a collector which did take it can tell by its times; until that is settled, its series are left out of newer requests.
//! A partial success is not sent again, as OTLP demands: the collector does not say what it rejected, and most of it would
//! count twice. After one, requests are smaller, so that the next one says more.
//!
//! *Limits.* [`DOUBTS_MAX`] requests are kept, and each is sent again [`REPEATS_MAX`] times; then its increments are part of the
//! next ones, at the risk of counting twice. A metric goes in [`PIECES_MAX`] requests at most.

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::time::Instant;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{Metric, ResourceMetrics, ScopeMetrics};

use super::answer::{Fate, Outcome};
use super::carrier::Carrier;
use super::increments::{Change, Exact, Series, Taken};
use super::report::Signal;
use super::settings::Temporality;
use crate::domain::Usd;

/// Requests that are kept because nobody knows whether they were taken.
const DOUBTS_MAX: usize = 64;
/// How often such a request is sent again, once a push.
const REPEATS_MAX: u32 = 10;
/// Requests that a metric is parted into, at most.
const PIECES_MAX: usize = 64;

/// All metrics of one moment.
#[derive(Debug, Default)]
pub(super) struct Collected {
    /// As totals.
    pub request: ExportMetricsServiceRequest,
    pub exact: Exact,
}

/// What is pushed to a collector, and what it took.
#[derive(Debug)]
pub(super) struct Delivery {
    temporality: Temporality,
    /// Whether it is known what is history.
    begun: bool,
    taken: Taken,
    /// Oldest first; no two of them with a series in common.
    doubts: VecDeque<Parcel>,
    /// Whether each metric goes by itself.
    by_metric: bool,
    /// Metrics whose points go by themselves.
    by_point: BTreeSet<String>,
}

/// One request.
#[derive(Clone, Debug, Default)]
struct Parcel {
    request: ExportMetricsServiceRequest,
    /// What is taken when it is.
    changes: Vec<Change>,
    points: usize,
    /// Whether it may have been taken.
    in_doubt: bool,
    repeats: u32,
}

/// Sends requests.
pub(super) trait Courier {
    fn send(&self, request: &ExportMetricsServiceRequest, deadline: Instant) -> impl Future<Output = Outcome>;
}

impl Courier for Carrier {
    async fn send(&self, request: &ExportMetricsServiceRequest, deadline: Instant) -> Outcome {
        let outcome = self.line.send(request, deadline).await;
        self.heard(&outcome);
        outcome
    }
}

// === impl Delivery ===

impl Delivery {
    pub fn new(temporality: Temporality) -> Self {
        let (taken, doubts) = (Taken::default(), VecDeque::new());
        Self { temporality, begun: false, taken, doubts, by_metric: false, by_point: BTreeSet::new() }
    }

    /// Takes what is there at the start for history. Without this the first push would be everything since the ledger began, once
    /// more after each start (`findings/otlp-first-increment-is-all-history.sh`).
    pub fn begin(&mut self, Collected { request, exact }: &Collected) {
        self.begun = true;
        let scopes = request.resource_metrics.iter().flat_map(|resource| &resource.scope_metrics);
        for metric in scopes.flat_map(|scope| &scope.metrics) {
            // What the process counts by itself begins at nothing.
            if is_exact(metric, exact) {
                self.taken.begin(metric.clone(), exact);
            }
        }
    }

    /// Sends what was collected, after what is in doubt.
    ///
    /// # Errors
    /// Why something of it did not arrive, in a sentence for the log.
    pub async fn deliver(&mut self, collected: &Collected, deadline: Instant, courier: &impl Courier) -> Result<(), String> {
        if !self.begun {
            // There was no collection at the start.
            self.begin(collected);
        }
        let mut first_failure = Ok(());
        for parcel in std::mem::take(&mut self.doubts) {
            first_failure = first_failure.and(self.try_parcel(parcel, deadline, courier).await);
        }
        for parcel in self.parcels(collected) {
            first_failure = first_failure.and(self.try_parcel(parcel, deadline, courier).await);
        }
        first_failure
    }

    /// Charges that no collector is known to have.
    pub fn missing_usd(&self, exact: &Exact) -> Usd {
        if self.temporality == Temporality::Delta { self.taken.missing("lead_factory_cost_usd", exact) } else { Usd::ZERO }
    }

    async fn try_parcel(&mut self, parcel: Parcel, deadline: Instant, courier: &impl Courier) -> Result<(), String> {
        let outcome = if Instant::now() < deadline {
            courier.send(&parcel.request, deadline).await
        } else {
            Outcome::unreached("no time was left")
        };
        let points = parcel.points as u64;
        let verdict = outcome.taken_of(points, Signal::Metrics);
        match outcome.fate {
            Fate::Taken => self.taken.advance(parcel.changes),
            Fate::Rejected(count) if count < points && !parcel.changes.is_empty() => {
                self.part(&parcel);
                self.taken.advance(parcel.changes);
                let hint = "which ones it does not say, so increments among them are lost to it";
                return verdict.map_err(|why| format!("{why} ({hint})"));
            }
            fate => self.keep_in_doubt(parcel, fate),
        }
        verdict
    }

    /// Keeps a request that may have been taken. Only its being taken, or in part, settles it: a refusal can come of its having been
    /// taken before.
    fn keep_in_doubt(&mut self, mut parcel: Parcel, fate: Fate) {
        let in_doubt = parcel.in_doubt || fate == Fate::Unknown;
        if parcel.changes.is_empty() || !in_doubt || self.doubts.len() >= DOUBTS_MAX {
            return;
        }
        // One that did not reach the collector was not sent again.
        parcel.repeats += u32::from(parcel.in_doubt && fate != Fate::Unreached);
        parcel.in_doubt = true;
        if parcel.repeats < REPEATS_MAX {
            self.doubts.push_back(parcel);
        }
    }

    /// Makes further requests smaller than this one.
    fn part(&mut self, parcel: &Parcel) {
        let metrics: BTreeSet<&String> = parcel.changes.iter().map(|change| &change.series.metric).collect();
        match metrics.first() {
            Some(metric) if metrics.len() == 1 && self.by_metric => drop(self.by_point.insert((*metric).clone())),
            _ => self.by_metric = true,
        }
    }

    /// The requests that bring what was collected.
    fn parcels(&self, collected: &Collected) -> Vec<Parcel> {
        let doubtful: HashSet<&Series> =
            self.doubts.iter().flat_map(|parcel| &parcel.changes).map(|change| &change.series).collect();
        let mut parcels = vec![Parcel::default()];
        for resource in &collected.request.resource_metrics {
            for scope in &resource.scope_metrics {
                for metric in &scope.metrics {
                    self.add(metric.clone(), (resource, scope), &collected.exact, &doubtful, &mut parcels);
                }
            }
        }
        parcels.retain(|parcel| parcel.points > 0);
        parcels
    }

    fn add(
        &self,
        mut metric: Metric,
        around: (&ResourceMetrics, &ScopeMetrics),
        exact: &Exact,
        doubtful: &HashSet<&Series>,
        parcels: &mut Vec<Parcel>,
    ) {
        let increments = match self.temporality {
            Temporality::Cumulative => false,
            Temporality::Delta => true,
            Temporality::LowMemory => !is_exact(&metric, exact),
        };
        let changes = if increments { self.taken.increments(&mut metric, exact) } else { None };
        let Some(mut changes) = changes else {
            parcels[0].add(metric, Vec::new(), around);
            return;
        };
        let certain: Vec<bool> = changes.iter().map(|change| !doubtful.contains(&change.series)).collect();
        keep(&mut metric, &certain);
        let mut kept = certain.iter();
        changes.retain(|_| kept.next().copied().unwrap_or(false));
        if changes.is_empty() {
            return;
        }
        if !self.by_metric {
            parcels[0].add(metric, changes, around);
            return;
        }
        let size = if self.by_point.contains(&metric.name) { changes.len().div_ceil(PIECES_MAX) } else { changes.len() };
        for (index, changes) in changes.chunks(size).enumerate() {
            let mut piece = metric.clone();
            let wanted: Vec<bool> = certain_in(index * size..index * size + changes.len(), point_count(&metric));
            keep(&mut piece, &wanted);
            let mut parcel = Parcel::default();
            parcel.add(piece, changes.to_vec(), around);
            parcels.push(parcel);
        }
    }
}

fn certain_in(range: std::ops::Range<usize>, count: usize) -> Vec<bool> {
    (0..count).map(|index| range.contains(&index)).collect()
}

/// Whether the ledger counts it.
fn is_exact(metric: &Metric, exact: &Exact) -> bool {
    match &metric.data {
        Some(Data::Sum(sum)) => {
            sum.data_points.iter().any(|point| exact.contains_key(&Series::new(&metric.name, &point.attributes)))
        }
        _ => false,
    }
}

fn point_count(metric: &Metric) -> usize {
    match &metric.data {
        Some(Data::Gauge(gauge)) => gauge.data_points.len(),
        Some(Data::Sum(sum)) => sum.data_points.len(),
        Some(Data::Histogram(histogram)) => histogram.data_points.len(),
        Some(Data::ExponentialHistogram(histogram)) => histogram.data_points.len(),
        Some(Data::Summary(summary)) => summary.data_points.len(),
        None => 0,
    }
}

/// Keeps the points that are wanted.
fn keep(metric: &mut Metric, wanted: &[bool]) {
    let mut wanted = wanted.iter().copied();
    let mut next = || wanted.next().unwrap_or(false);
    match &mut metric.data {
        Some(Data::Sum(sum)) => sum.data_points.retain(|_| next()),
        Some(Data::Histogram(histogram)) => histogram.data_points.retain(|_| next()),
        _ => {}
    }
}

// === impl Parcel ===

impl Parcel {
    /// Adds a metric below the resource and the scope that it has.
    fn add(&mut self, metric: Metric, changes: Vec<Change>, (resource, scope): (&ResourceMetrics, &ScopeMetrics)) {
        let points = point_count(&metric);
        if points == 0 {
            return;
        }
        self.points += points;
        self.changes.extend(changes);
        let resources = &mut self.request.resource_metrics;
        if resources.last().is_none_or(|last| last.resource != resource.resource) {
            let (resource, schema_url) = (resource.resource.clone(), resource.schema_url.clone());
            resources.push(ResourceMetrics { resource, scope_metrics: Vec::new(), schema_url });
        }
        let Some(last) = resources.last_mut() else { return };
        if last.scope_metrics.last().is_none_or(|last| last.scope != scope.scope) {
            let (scope, schema_url) = (scope.scope.clone(), scope.schema_url.clone());
            last.scope_metrics.push(ScopeMetrics { scope, metrics: Vec::new(), schema_url });
        }
        if let Some(last) = last.scope_metrics.last_mut() {
            last.metrics.push(metric);
        }
    }
}
