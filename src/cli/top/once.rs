//! All of it on paper, once: the tables of the other commands, one below the other.

use super::super::fleet::status;
use super::super::output::{Screen, note, print_text};
use super::super::prices::unpriced;
use super::super::table::{Cell, Table, people};
use super::super::{Exit, Failure, budgets, gate, reservations};
use super::ask::{Costs, Heard, Standing};
use super::panels::limit_of;
use crate::domain::{PeriodKind, Usd};
use crate::wire::{BudgetItem, EventSeen};

/// Events on paper: the newest.
const EVENTS_MAX: usize = 20;

/// Writes what is known.
///
/// # Errors
/// Standard output takes nothing. What the agent could not tell is said on standard error, and the exit code says so.
pub fn print(standing: Standing, spent: Heard<Costs>, screen: &Screen) -> Result<Exit, Failure> {
    let Standing { unhealthy, gate: status, budgets: limits, today, month, holds, unpriced: waiting, events, fleet, .. } =
        standing;
    let mut exit = Exit::Done;
    let mut text = String::new();
    if let Some(reason) = unhealthy {
        note(&format!("cost cannot be recorded: {reason}"));
        exit = Exit::Failed;
    }
    let known_limits = limits.as_deref().unwrap_or_default();
    let totals = [("today", &today, PeriodKind::Daily), ("month", &month, PeriodKind::Monthly)];
    let question = spent.as_ref().map(|spent| spent.question).unwrap_or_default();
    let costs_heading = &*format!("{} {}", question.by.heading(), question.period.word());
    let tables = [
        ("Gate", Ok(Some(gate::status::table(status)))),
        ("Totals", Ok(Some(totals_table(totals, known_limits)))),
        ("Budgets", limits.clone().map(|items| Some(budgets::show::table(items)))),
        (costs_heading, spent.map(|spent| Some(costs_table(&spent)))),
        ("Holds", holds.map(|items| Some(reservations::table(items)))),
        ("Unpriced", waiting.map(|items| if items.is_empty() { None } else { Some(unpriced::table(items)) })),
        ("Fleet", Ok(fleet.map(|fleet| status::for_people(&fleet)))),
        ("Events", events.map(|events| Some(events_table(&events)))),
    ];
    for (heading, table) in tables {
        match table {
            Ok(Some(table)) => text += &format!("{heading}\n{}", table.without_csv().paint(*screen)),
            Ok(None) => {}
            Err(why) => {
                note(&format!("{}: {why}", heading.to_lowercase()));
                exit = Exit::Failed;
            }
        }
    }
    print_text(&text)?;
    Ok(exit)
}

/// The day and the month against their limits.
pub fn totals_table(totals: [(&str, &Heard<Usd>, PeriodKind); 2], limits: &[BudgetItem]) -> Table {
    let mut table = Table::new(&["period", "cost_usd", "limit_usd", "used_percent", "forecast_usd"]);
    for (name, total, period) in totals {
        let limit = limit_of(limits, period);
        let of =
            |cell: fn(&BudgetItem) -> Option<Cell>| limit.and_then(|(item, _)| cell(item)).unwrap_or_else(|| Cell::text(""));
        table.push(vec![
            Cell::text(name),
            Cell::optional(total.as_ref().ok().copied(), Cell::money),
            of(|item| item.limit_usd.map(Cell::money)),
            of(|item| Some(Cell::percent(item.utilization_percent))),
            of(|item| item.forecast_usd.map(Cell::money)),
        ]);
    }
    table
}

fn costs_table(costs: &Costs) -> Table {
    let mut table = Table::new(&[costs.question.by.word(), "cost_usd"]);
    for row in &costs.rows {
        table.push(vec![Cell::name(row.name.as_str()), Cell::money(row.cost)]);
    }
    if costs.more > 0 {
        let rest = costs.total - costs.rows.iter().map(|row| row.cost).sum::<Usd>();
        table.push(vec![Cell::text(format!("{} more", people::grouped(costs.more as u128))), Cell::money(rest)]);
    }
    table.set_total(vec![Cell::text("total"), Cell::money(costs.total)]);
    table
}

/// The newest events.
pub fn events_table(events: &[EventSeen]) -> Table {
    let columns = ["time", "service", "operation", "kind", "cost_usd", "model", "worker", "lead", "outcome"];
    let mut table = Table::new(&columns).for_people(&columns, &["lead", "worker", "outcome", "kind", "model"]);
    for event in events.iter().take(EVENTS_MAX) {
        table.push(vec![
            Cell::time(event.time),
            Cell::name(event.service.as_str()),
            Cell::name(event.operation.as_str()),
            Cell::text(event.kind.as_str()),
            Cell::money(event.amount_usd),
            Cell::optional(event.model.as_deref(), Cell::name),
            Cell::optional(event.worker.as_deref(), Cell::name),
            Cell::optional(event.lead_id.as_deref(), Cell::name),
            Cell::text(event.outcome.as_str()),
        ]);
    }
    table
}
