//! What a check asks: whether something may be paid for. One set of words, read from the query, and where a gateway asks, from its
//! headers too; one rule that answers.
//!
//! *Invariants.* The query wins over the headers, since whoever runs a gateway writes the query, and a caller can send headers. A word that
//! comes twice in one place is refused: two people have said something.

use warp::http::HeaderMap;
use warp::http::header::HeaderName;

use super::State;
use super::problem::Problem;
use super::query_string::QueryString;
use crate::budget::{Admission, Asking, Spend};
use crate::domain::{Name, OPERATION_DEFAULT, Subject, UsageCount, Usd, check_text, check_visible};
use crate::formats::native::read_usage;
use crate::ingest::{TEXT_BYTES_MAX, parse_estimate};

const SERVICE: &str = "service";
const OPERATION: &str = "operation";
const WORKER: &str = "worker";
const BATCH: &str = "batch_id";
const LEAD: &str = "lead_id";
const MODEL: &str = "model";
const ESTIMATE: &str = "estimated_cost_usd";
const USAGE: &str = "usage";

/// The query parameters of a question.
pub(super) const NAMES: &[&str] = &[SERVICE, OPERATION, WORKER, BATCH, LEAD, MODEL, ESTIMATE, USAGE];

/// The header that says the same as a query parameter.
fn header_for(name: &str) -> Option<HeaderName> {
    match name {
        SERVICE => Some(HeaderName::from_static("x-cost-service")),
        OPERATION => Some(HeaderName::from_static("x-cost-operation")),
        WORKER => Some(HeaderName::from_static("x-cost-worker")),
        BATCH => Some(HeaderName::from_static("x-cost-batch")),
        LEAD => Some(HeaderName::from_static("x-cost-lead")),
        MODEL => Some(HeaderName::from_static("x-cost-model")),
        ESTIMATE => Some(HeaderName::from_static("x-cost-estimate")),
        _ => None,
    }
}

/// Where a question stands.
pub(super) struct Words<'c> {
    query: QueryString<'c>,
    /// `None` where headers are not looked at.
    headers: Option<&'c HeaderMap>,
}

/// What somebody wants to pay for.
#[derive(Debug)]
pub(super) struct Question {
    service: Name,
    operation: Name,
    worker: Option<Box<str>>,
    batch: Option<Box<str>>,
    lead: Option<Box<str>>,
    model: Option<Box<str>>,
    estimate: Usd,
    usage: Vec<UsageCount>,
}

impl Question {
    fn spend(&self) -> Spend<'_> {
        let Self { service, operation, worker, batch, lead, model, estimate, usage } = self;
        let (worker, batch, lead, model) = (worker.as_deref(), batch.as_deref(), lead.as_deref(), model.as_deref());
        Spend { subject: Subject { service, operation, worker, batch, lead, model }, estimate: *estimate, usage }
    }
}

impl<'c> Words<'c> {
    /// A question in the query alone.
    pub fn of_query(query: QueryString<'c>) -> Self {
        Self { query, headers: None }
    }

    /// A question in the query, and in headers where the query is silent.
    pub fn of_query_and_headers(query: QueryString<'c>, headers: &'c HeaderMap) -> Self {
        Self { query, headers: Some(headers) }
    }

    /// What is said under this name.
    ///
    /// # Errors
    /// `malformed`: a header that comes twice or is not UTF-8.
    fn get(&self, name: &str) -> Result<Option<&str>, Problem> {
        match self.query.get(name) {
            Some(value) => Ok(Some(value)),
            None => self.header(name),
        }
    }

    fn header(&self, name: &str) -> Result<Option<&str>, Problem> {
        let (Some(headers), Some(header)) = (self.headers, header_for(name)) else { return Ok(None) };
        let mut values = headers.get_all(&header).iter();
        let value = match (values.next(), values.next()) {
            (None, _) => return Ok(None),
            (Some(value), None) => value.as_bytes(),
            (Some(_), Some(_)) => return Err(Problem::malformed(format!("The header {header} is given twice"))),
        };
        let text = std::str::from_utf8(value);
        let text = text.map_err(|_| Problem::malformed(format!("The header {header} is not UTF-8")))?;
        // Gateways fill headers from variables that may be empty.
        Ok(Some(text).filter(|text| !text.is_empty()))
    }
}

impl State {
    /// Reads a question.
    ///
    /// # Errors
    /// `malformed`: no service, or something that is not what its name says. `unpriced-model`, where usage is to be priced.
    pub(super) fn question(&self, words: &Words<'_>) -> Result<Question, Problem> {
        let service = words.get(SERVICE)?.ok_or_else(|| Problem::malformed("service is required"))?;
        let service = name(SERVICE, service)?;
        let operation = name(OPERATION, words.get(OPERATION)?.unwrap_or(OPERATION_DEFAULT))?;
        let said = |parameter| words.get(parameter).and_then(|text| optional(parameter, text));
        let (worker, batch, lead, model) = (said(WORKER)?, said(BATCH)?, said(LEAD)?, said(MODEL)?);
        let usage = words.get(USAGE)?.map(|text| read_usage(text.as_bytes())).transpose()?;
        let amount = match words.query.get(ESTIMATE) {
            Some(amount) => Some(amount),
            // Of two ways to say it, the one that stands in the query.
            None if usage.is_some() => None,
            None => words.header(ESTIMATE)?,
        };
        let estimate = match (amount, &usage) {
            (Some(text), _) => parse_estimate(text).map_err(|error| Problem::malformed(format!("{ESTIMATE} {error}")))?,
            (None, Some(usage)) => {
                let model = model.as_deref();
                let model = model.ok_or_else(|| Problem::malformed("model is required, to price usage by"))?;
                self.estimate(&service, model, usage)?
            }
            (None, None) => Usd::ZERO,
        };
        Ok(Question { service, operation, worker, batch, lead, model, estimate, usage: usage.unwrap_or_default() })
    }

    /// Whether it may be paid for now. Nothing is set aside by asking.
    ///
    /// # Errors
    /// What only the ledger knows of it cannot be read.
    pub(super) async fn weigh(&self, question: &Question) -> Result<Admission, Problem> {
        let spend = question.spend();
        self.with_tallies(|published, look_up| published.admit(spend, Asking::Check, self.clock.instant(), look_up)).await
    }

    /// Counts a refusal.
    pub(super) fn count_refused(&self, question: &Question) {
        let Question { service, operation, .. } = question;
        self.instruments.count_blocked(&self.board.read().views.series.label(service, operation));
    }
}

/// What is said of something that has a name; nothing where the text is empty.
fn optional(parameter: &str, text: Option<&str>) -> Result<Option<Box<str>>, Problem> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    check_text(text, TEXT_BYTES_MAX)
        .and_then(|()| check_visible(text))
        .map_err(|error| Problem::malformed(format!("{parameter} {error}")))?;
    Ok(Some(text.into()))
}

fn name(parameter: &str, text: &str) -> Result<Name, Problem> {
    let name = Name::new(text).and_then(|name| check_visible(text).map(|()| name));
    name.map_err(|error| Problem::malformed(format!("{parameter} {error}")))
}
