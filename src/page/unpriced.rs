//! Models that nobody knows a price of, and what helps.

use maud::{Markup, html};

use super::View;
use super::pieces::{failed, name, number, section};
use crate::people;
use crate::people::printable;
use crate::query::ReadError;
use crate::wire::UnpricedItem;

/// Models that are told.
const MODELS_TOLD_MAX: usize = 10;
/// Bytes that their rows may take.
const BYTES_MAX: usize = 5 * 1024;
const TITLE: &str = "Without a price";

/// The section.
pub fn unpriced(view: &View, groups: Result<&[UnpricedItem], ReadError>) -> Markup {
    let Ok(groups) = groups else {
        return failed("unpriced", TITLE, "/unpriced", "What waits for a price could not be read; the log says why.");
    };
    let Some(first) = groups.first() else {
        let body = html! { p.empty { "Every recorded call has its price." } };
        return section("unpriced", TITLE, Some("/unpriced"), &body);
    };
    let room = view.pool.room(BYTES_MAX).fill(groups.iter().take(MODELS_TOLD_MAX).map(|group| row(view, group)));
    let more = groups.len() - room.shown;
    let body = html! {
        table.lines {
            caption { "Calls that are recorded with $0 until their price is known" }
            thead { tr { th scope="col" { "Model" } th scope="col" { "Since" } th.num scope="col" { "Events" } } }
            tbody { (room.into_rows()) }
        }
        @if more > 0 { p.quiet { "And " (people::counted(more as u64, "more group")) "." } }
        p { "A price of your own, in the settings file:" }
        pre tabindex="0" { (price_table(first)) }
        p { "Then " code { "lead-factory-metrics prices reload" } " rates what waits, in its own days." }
    };
    section("unpriced", TITLE, Some("/unpriced"), &body)
}

fn row(view: &View, group: &UnpricedItem) -> Markup {
    html! {
        tr {
            th scope="row" {
                (name(&group.service, "")) " · " (name(&group.model, "no model"))
                " " span.quiet { (name(&group.usage.join(", "), "without usage")) }
            }
            td.time { (view.time(group.first)) }
            td.num { (number(group.events)) }
        }
    }
}

/// A table of settings for the first of them, to be filled in.
fn price_table(group: &UnpricedItem) -> String {
    let quoted = |text: &str| format!("{:?}", printable(text));
    let unit = group.usage.first().map_or("requests", String::as_str);
    format!(
        "[[price]]\nservice = {}\nmodel = {}\nunit = {}\nusd = \"2.50\"\nper = 1000000",
        quoted(&group.service),
        quoted(&group.model),
        quoted(unit)
    )
}
