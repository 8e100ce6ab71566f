//! What was recorded last.

use maud::{Markup, html};

use super::View;
use super::pieces::{failed, finer_decimals, name, section, usd_cell};
use crate::domain::CostEvent;
use crate::query::ReadError;

/// Events that are told.
pub const EVENTS_SHOWN: u32 = 20;
/// Bytes that their rows may take.
const BYTES_MAX: usize = 8 * 1024;
const TITLE: &str = "Recent events";

/// The section, of the newest events first.
pub fn events(view: &View, events: Result<&[CostEvent], ReadError>) -> Markup {
    let rest = format!("/events?limit={EVENTS_SHOWN}");
    let Ok(events) = events else {
        return failed("events", TITLE, &rest, "The events could not be read from the ledger; the log says why.");
    };
    if events.is_empty() {
        return section("events", TITLE, Some(&rest), &html! { p.empty { "Nothing is recorded yet." } });
    }
    let finer = events.iter().map(|event| finer_decimals(event.amount)).max().unwrap_or(0);
    let room = view.pool.room(BYTES_MAX).fill(events.iter().map(|event| row(view, event, finer)));
    let (first, last) = view.days();
    let body = html! {
        table.lines {
            caption { "The newest events, amounts in USD" }
            thead { tr { th scope="col" { "Time" } th scope="col" { "What" } th.num scope="col" { "USD" } } }
            tbody { (room.into_rows()) }
        }
        p.quiet {
            "All of " (view.month_words()) ": "
            a href={ "/export?format=csv&from=" (first) "&to=" (last) } { "CSV" } ", "
            a href={ "/export?format=focus&from=" (first) "&to=" (last) } { "FOCUS" } "."
        }
    };
    section("events", TITLE, Some(&rest), &body)
}

fn row(view: &View, event: &CostEvent, finer: usize) -> Markup {
    let model = event.model.as_deref().unwrap_or_default();
    let worker = event.worker.as_deref().unwrap_or_default();
    html! {
        tr {
            td.time { (view.time(event.time)) }
            th scope="row" {
                (name(event.service.as_str(), "")) " · " (name(event.operation.as_str(), ""))
                @if !model.is_empty() || !worker.is_empty() {
                    " " span.quiet { @if !model.is_empty() { (name(model, "")) } @if !worker.is_empty() { " " (name(worker, "")) } }
                }
                @if event.is_unpriced() { " " span.badge.warning { "no price" } }
            }
            (usd_cell(event.amount, finer))
        }
    }
}
