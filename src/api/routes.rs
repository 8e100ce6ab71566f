//! The route table: what this agent answers to, and who answers.

use std::sync::Arc;

use warp::reply::Response;

use super::State;
use super::call::Call;
use super::endpoint::Accepts::{Calls, Events, Json, OptionalJson};
use super::endpoint::Group::{About, Budgets, Costs, Fleet, Gate, Operations, Prices, Reservations};
use super::problem::Problem;
use super::route::{Route, any, get, post, put};
use super::token::Scope::{Admin, Record, Reserve};
use super::{
    authorize, budgets, costs_read, costs_spread, costs_write, events, export, fleet, gate, health, import, index, ingest,
    limits, metrics, openapi, page, prices, question, reservation_list, reservations,
};
use crate::formats::{cloudevents, litellm, native, otlp};

/// What is served at a port for OTLP alone.
pub(super) const OTLP_PATHS: [&str; 3] = ["/v1/traces", "/v1/logs", "/v1/metrics"];

/// Everything there is.
#[rustfmt::skip] // One row, one line.
pub(super) static ROUTES: &[Route] = &[
    post("/costs", &costs_write::record).about(Costs, "Record events").needs(Record).query(&["partial", "verbose"])
        .accepts(Events(native::FORMATS)),
    get("/costs", &costs_read::of_range).about(Costs, "Cost of a range of days")
        .query(&["from", "to", "by", "service", "operation", "worker", "batch", "lead", "model"]).linked_as("?from=2026-01-01"),
    get("/costs/daily", &costs_read::daily).about(Costs, "Cost of a day").query(&["date", "by", "service", "operation", "worker", "batch", "lead", "model"]),
    get("/costs/monthly", &costs_read::monthly).about(Costs, "Cost of a month").query(&["month", "by", "service", "operation", "worker", "batch", "lead", "model"]),
    get("/costs/history", &costs_read::history).about(Costs, "Cost by day").query(&["days", "from", "to", "by", "service", "operation", "worker", "batch", "lead", "model"]),
    get("/costs/leads", &costs_spread::leads).about(Costs, "What a lead costs")
        .query(&["date", "month", "from", "to", "service", "operation", "worker", "batch", "lead", "model"]),
    get("/costs/batches", &costs_spread::batches).about(Costs, "What a batch costs")
        .query(&["date", "month", "from", "to", "service", "operation", "worker", "batch", "lead", "model"]),

    get("/events", &events::list).about(Costs, "List events").query(&[
        "from", "to", "service", "operation", "worker", "batch", "lead", "model", "id", "source", "suspected", "limit", "order", "after",
    ]),
    post("/import", &import::import).about(Costs, "Import events").needs(Record).query(&["any_age"])
        .accepts(Events(native::IMPORTS)),
    get("/export", &export::export).about(Costs, "Export the ledger").query(&[
        "format", "from", "to", "service", "operation", "worker", "batch", "lead", "model", "source",
    ]),

    post("/ingest/litellm", &ingest::ingest).about(Costs, "Record calls that LiteLLM logs").needs(Record)
        .accepts(Calls(litellm::FORMATS)),
    post("/ingest/cloudevents", &ingest::ingest).about(Costs, "Record calls that CloudEvents tell").needs(Record)
        .accepts(Calls(cloudevents::FORMATS)),
    post("/api/v1/events", &ingest::ingest).about(Costs, "Record calls that OpenMeter's senders tell").needs(Record)
        .accepts(Calls(cloudevents::FORMATS)),
    post("/v1/traces", &ingest::ingest).about(Costs, "Record calls that traces tell").needs(Record).accepts(Calls(otlp::TRACES)),
    post("/api/public/otel/v1/traces", &ingest::ingest).about(Costs, "Record calls that traces tell, where Langfuse sends them").needs(Record)
        .accepts(Calls(otlp::TRACES)),
    post("/v1/logs", &ingest::ingest).about(Costs, "Record calls that logs tell").needs(Record).accepts(Calls(otlp::LOGS)),
    post("/v1/metrics", &ingest::ingest).about(Costs, "Take metrics, and record nothing").needs(Record).accepts(Calls(otlp::METRICS)),

    get("/prices", &prices::show).about(Prices, "What a model costs").query(&["service", "model", "at"]).linked_as("?model=gpt-4o"),
    get("/unpriced", &prices::unpriced).about(Prices, "What waits for a price"),
    post("/prices/reload", &prices::reload).about(Prices, "Read settings and prices again"),
    post("/reprice", &prices::reprice).about(Prices, "Rate priced events anew")
        .query(&["from", "to", "model", "service", "dry_run", "after"]),

    get("/budgets", &budgets::list).about(Budgets, "List budgets").query(&["key"]),
    put("/budgets/{name}", &limits::set).about(Budgets, "Override a limit").needs(Admin).accepts(Json),
    get("/budgets/history", &limits::history).about(Budgets, "History of limits").query(&["limit"]),

    get("/scaling-gate/status", &gate::status).about(Gate, "Gate status"),
    get("/scaling-gate/history", &gate::history).about(Gate, "Gate history").query(&["limit"]),
    get("/scaling-gate/check", &gate::check).about(Gate, "Check whether work may start")
        .query(question::NAMES).linked_as("?service=openai"),
    any("/scaling-gate/authorize", &authorize::authorize).about(Gate, "Let a gateway's request pass, or not")
        .query(question::NAMES).linked_as("?service=openai"),
    any("/scaling-gate/authorize/{path}", &authorize::authorize).about(Gate, "The same, below the path that a gateway adds its caller's to")
        .query_among_others(question::NAMES),
    put("/scaling-gate", &gate::set).about(Gate, "Override the gate").needs(Admin).accepts(Json),

    get("/reservations", &reservation_list::list).about(Reservations, "List reservations").query(&["state", "limit", "after"]),
    post("/reservations", &reservations::reserve).about(Reservations, "Reserve money").needs(Reserve).accepts(Json),
    get("/reservations/{id}", &reservation_list::show).about(Reservations, "Show a reservation"),
    post("/reservations/{id}/commit", &reservations::settle).about(Reservations, "Settle with the real cost").needs(Reserve).accepts(Json),
    post("/reservations/{id}/release", &reservations::release).about(Reservations, "Release without cost").needs(Reserve).accepts(OptionalJson),
    post("/reservations/{id}/extend", &reservations::extend).about(Reservations, "Extend").needs(Reserve).accepts(Json),

    get("/fleet", &fleet::show).about(Fleet, "Agents and budgets of the fleet"),
    get("/fleet/costs/daily", &fleet::daily).about(Fleet, "Cost of a day over the fleet").query(&["date", "by"]),
    get("/fleet/costs/monthly", &fleet::monthly).about(Fleet, "Cost of a month over the fleet").query(&["month", "by"]),
    get("/fleet/costs/history", &fleet::history).about(Fleet, "Cost by day over the fleet").query(&["days", "from", "to", "by"]),

    get("/metrics", &metrics::show).about(Operations, "Prometheus metrics").ignoring_query(),
    get("/health", &health::health).about(Operations, "Health").ignoring_query(),
    get("/-/healthy", &health::alive).about(Operations, "Liveness probe").ignoring_query(),
    get("/-/ready", &health::ready).about(Operations, "Readiness probe").ignoring_query(),

    get("/openapi.json", &openapi::show).about(About, "OpenAPI document"),
    get("/", &show_index).about(About, "The page, or what is answered here").query(page::NAMES),
];

/// The page is about the table, so it is given the table here.
async fn show_index(state: Arc<State>, call: Arc<Call>) -> Result<Response, Problem> {
    let endpoints: Vec<_> = ROUTES.iter().map(|route| &route.endpoint).collect();
    Ok(index::show(&state, &call, endpoints))
}
