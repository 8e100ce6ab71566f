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
use crate::budget::{Admission, Spend};
use crate::domain::{Name, Subject, Usd, check_text, check_visible};
use crate::formats::native::read_usage;
use crate::ingest::{OPERATION_DEFAULT, TEXT_BYTES_MAX, parse_estimate};

const SERVICE: &str = "service";
const OPERATION: &str = "operation";
const ESTIMATE: &str = "estimated_cost_usd";
const MODEL: &str = "model";
const USAGE: &str = "usage";

/// The query parameters of a question.
pub(super) const NAMES: &[&str] = &[SERVICE, OPERATION, ESTIMATE, MODEL, USAGE];

/// The header that says the same as a query parameter.
fn header_for(name: &str) -> Option<HeaderName> {
    match name {
        SERVICE => Some(HeaderName::from_static("x-cost-service")),
        OPERATION => Some(HeaderName::from_static("x-cost-operation")),
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
    estimate: Usd,
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
        let estimate = self.estimate_in(words, &service)?;
        Ok(Question { service, operation, estimate })
    }

    /// Whether it may be paid for now. Nothing is set aside by asking.
    pub(super) fn weigh(&self, question: &Question) -> Admission {
        let Question { service, operation, estimate } = question;
        let subject = Subject { service, operation, worker: None, batch: None, lead: None, model: None };
        let spend = Spend { subject, estimate: *estimate, usage: &[] };
        let Ok(admission) =
            self.board.read().admit(spend, self.clock.instant(), |_| Ok::<_, std::convert::Infallible>(None));
        admission
    }

    /// Counts a refusal.
    pub(super) fn count_refused(&self, question: &Question) {
        let Question { service, operation, .. } = question;
        self.instruments.count_blocked(&self.board.read().views.series.label(service, operation));
    }

    fn estimate_in(&self, words: &Words<'_>, service: &Name) -> Result<Usd, Problem> {
        let usage = words.get(USAGE)?;
        let amount = match words.query.get(ESTIMATE) {
            Some(amount) => Some(amount),
            // Of two ways to say it, the one that stands in the query.
            None if usage.is_some() => None,
            None => words.header(ESTIMATE)?,
        };
        match (amount, usage) {
            (Some(text), _) => parse_estimate(text).map_err(|error| Problem::malformed(format!("{ESTIMATE} {error}"))),
            (None, Some(usage)) => {
                let model = words.get(MODEL)?.filter(|model| !model.is_empty());
                let model = model.ok_or_else(|| Problem::malformed("model is required, to price usage by"))?;
                check_text(model, TEXT_BYTES_MAX).map_err(|error| Problem::malformed(format!("{MODEL} {error}")))?;
                self.estimate(service, model, &read_usage(usage.as_bytes())?)
            }
            (None, None) => Ok(Usd::ZERO),
        }
    }
}

fn name(parameter: &str, text: &str) -> Result<Name, Problem> {
    let name = Name::new(text).and_then(|name| check_visible(text).map(|()| name));
    name.map_err(|error| Problem::malformed(format!("{parameter} {error}")))
}
