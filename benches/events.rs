//! The work: paid calls, one a request or a batch, as every contender gets them.

use crate::http;
use crate::template::{ID_PLACE, Template};

/// Events of one batch.
pub const BATCH: usize = 1_000;

const SERVICES: [&str; 5] = ["openai", "anthropic", "sendgrid", "serper", "screenshots"];
const OPERATIONS: [&str; 4] = ["chat", "embeddings", "search", "send"];
/// Pairs of service and operation, each with a rollup of its own.
pub const PAIRS: usize = SERVICES.len() * OPERATIONS.len();

/// One paid call, all but its id.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    pub service: &'static str,
    pub operation: &'static str,
    pub amount_usd: &'static str,
}

/// The call with this number; they repeat after [`PAIRS`].
pub fn call(number: usize) -> Call {
    const AMOUNTS_USD: [&str; 4] = ["0.00235", "0.0000015", "0.125", "0.0008"];
    let service = SERVICES[number % SERVICES.len()];
    let operation = OPERATIONS[number / SERVICES.len() % OPERATIONS.len()];
    Call { service, operation, amount_usd: AMOUNTS_USD[number % AMOUNTS_USD.len()] }
}

/// One event a request, each pair once.
pub fn single_posts() -> Vec<Template> {
    (0..PAIRS).map(|number| Template::new(http::post("application/json", &json(call(number))))).collect()
}

/// One request of [`BATCH`] events, a line each.
pub fn batch_post() -> Template {
    Template::new(http::post("application/x-ndjson", &lines(BATCH)))
}

/// So many events, a line each, their ids open.
pub fn lines(count: usize) -> String {
    lines_of(PAIRS, count)
}

/// So many events of so many pairs of service and operation, a line each, their ids open.
pub fn lines_of(pairs: usize, count: usize) -> String {
    (0..count).map(|number| json(call(number % pairs)) + "\n").collect()
}

fn json(call: Call) -> String {
    let Call { service, operation, amount_usd } = call;
    format!(r#"{{"id":"{ID_PLACE}","service":"{service}","operation":"{operation}","amount_usd":{amount_usd}}}"#)
}
