//! The fleet that the agent belongs to: what is left of shared budgets, and who shares them.

use maud::{Markup, html};

use super::pieces::{name, number, section, usd};
use super::{View, words};
use crate::domain::Usd;
use crate::people;
use crate::wire::{FleetAgentItem, FleetAnswer, FleetBudgetItem};

/// Agents that are told.
const AGENTS_TOLD_MAX: usize = 20;
/// Bytes that the rows of both tables may take, each.
const BYTES_MAX: usize = 4 * 1024;
/// An agent that was not heard of for so long is told apart.
const SILENT_SECONDS: i64 = 30;

/// The section of an agent that belongs to one.
pub fn fleet(view: &View, fleet: &FleetAnswer) -> Markup {
    let budgets = view.pool.room(BYTES_MAX).fill(fleet.budgets.iter().map(budget));
    let agents = view.pool.room(BYTES_MAX).fill(fleet.agents.iter().take(AGENTS_TOLD_MAX).map(|one| agent(view, one)));
    let more = fleet.agents.len() - agents.shown;
    let body = html! {
        @if let Some(problem) = &fleet.problem {
            p.failed role="status" { "This agent takes no part at the moment: " (problem) "." }
        }
        @for warning in &fleet.warnings { p { (people::printable(warning)) "." } }
        @if fleet.budgets.is_empty() {
            p.empty { "No budget is shared. " code { "FLEET_BUDGETS=daily,monthly" } " makes these of the whole fleet." }
        } @else {
            table.lines {
                caption { "Shared budgets over all agents" }
                thead { tr {
                    th scope="col" { "Budget" } th.num scope="col" { "Spent" } th.num scope="col" { "Held" }
                    th.num scope="col" { "In hand" } th.num scope="col" { "Free" } th.num scope="col" { "Limit" }
                } }
                tbody { (budgets.into_rows()) }
            }
        }
        @if !fleet.agents.is_empty() {
            table.lines {
                caption { "Agents" @if let Some(as_of) = fleet.as_of { ", as of " (view.time(as_of)) } }
                thead { tr { th scope="col" { "Agent" } th scope="col" { "Last seen" } th.num scope="col" { "Spent ever" } } }
                tbody { (agents.into_rows()) }
            }
        }
        @if more > 0 { p.quiet { "And " (people::counted(more as u64, "more agent")) "." } }
    };
    section("fleet", "Fleet", Some("/fleet"), &body)
}

fn budget(item: &FleetBudgetItem) -> Markup {
    html! {
        tr {
            th scope="row" { (name(&item.name, "")) }
            td.num { (usd(item.spent_usd)) }
            td.num { (usd(item.held_usd)) }
            td.num { (usd(item.leased_usd)) }
            td.num { (usd(item.free_usd)) @if item.overrun_usd > Usd::ZERO { " " strong { "over" } } }
            td.num { (usd(item.limit_usd)) }
        }
    }
}

fn agent(view: &View, item: &FleetAgentItem) -> Markup {
    let is_silent = view.now.as_second() - item.last_seen.as_second() > SILENT_SECONDS;
    html! {
        tr {
            th scope="row" {
                (name(&item.name, "without a name")) " " span.quiet { (name(&item.version, "")) ", " (number(item.sums)) " sums" }
            }
            td.time { (words::from_now(item.last_seen, view.now)) @if is_silent { " " strong { "silent" } } }
            td.num { (usd(item.total_usd)) }
        }
    }
}
