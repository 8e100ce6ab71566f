//! What is set aside for work that is not done yet.

use maud::{Markup, html};

use super::pieces::{failed, name, number, section, usd};
use super::{View, words};
use crate::domain::Usd;
use crate::query::ReadError;
use crate::wire::ReservationItem;

/// More holds than these are not added up: as many as one answer of REST has.
pub const HOLDS_COUNTED_MAX: usize = 1_000;
/// Holds that are told.
const HOLDS_TOLD_MAX: usize = 8;
/// Bytes that their rows may take.
const BYTES_MAX: usize = 5 * 1024;

/// Open reservations.
#[derive(Clone, Debug)]
pub struct HoldsShown<'h> {
    /// The oldest, at most [`HOLDS_COUNTED_MAX`].
    pub oldest: &'h [ReservationItem<'h>],
    /// How many there are.
    pub count: u64,
}

/// The section.
pub fn holds(view: &View, held: Result<HoldsShown<'_>, ReadError>) -> Markup {
    let rest = format!("/reservations?state=held&limit={HOLDS_COUNTED_MAX}");
    let Ok(HoldsShown { oldest, count }) = held else {
        return failed("holds", "Open holds", &rest, "The holds could not be read; the log says why.");
    };
    if count == 0 {
        let body = html! { p.empty { "Nothing is held. " code { "POST /reservations" } " sets money aside before a call, so that no budget is passed." } };
        return section("holds", "Open holds", Some(&rest), &body);
    }
    let is_all = count == oldest.len() as u64;
    let sum: Usd = oldest.iter().map(|hold| hold.estimated_cost_usd).sum();
    let room = view.pool.room(BYTES_MAX).fill(oldest.iter().take(HOLDS_TOLD_MAX).map(|hold| row(view, hold)));
    let more = count.saturating_sub(room.shown as u64);
    let body = html! {
        p.figures {
            strong { (number(count)) } " held"
            @if is_all { ", " (usd(sum)) " together" }
        }
        table.lines {
            caption { "The oldest holds" }
            thead { tr { th scope="col" { "For" } th scope="col" { "Lapses" } th.num scope="col" { "Estimate" } } }
            tbody { (room.into_rows()) }
        }
        @if more > 0 { p.quiet { "And " (number(more)) " more." } }
    };
    section("holds", "Open holds", Some(&rest), &body)
}

fn row(view: &View, hold: &ReservationItem<'_>) -> Markup {
    html! {
        tr {
            th scope="row" {
                (name(hold.service.as_str(), "")) " · " (name(hold.operation.as_str(), ""))
                @if let Some(worker) = &hold.worker { " " span.quiet { (name(worker, "")) } }
            }
            td.time { (words::from_now(hold.expires_at, view.now)) }
            td.num { (usd(hold.estimated_cost_usd)) }
        }
    }
}
