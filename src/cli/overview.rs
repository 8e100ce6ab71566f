//! The line above what is watched: the time, the gate and the budgets.

use jiff::Timestamp;

use super::Failure;
use super::answer::read;
use super::client::AgentClient;
use super::output::printable;
use super::table::people;
use super::table::wrap::cut;
use crate::budget::BudgetState;
use crate::wire::{BudgetItem, GateStatus};

/// Budgets that are named in the line.
const BUDGETS_MAX: usize = 6;
/// Columns of a name or a reason.
const TEXT_COLUMNS: usize = 40;

/// Asks for what it says.
///
/// # Errors
/// The agent does not answer, or says something else.
pub fn line(client: &AgentClient, now: Timestamp) -> Result<String, Failure> {
    let gate = read(&client.get("/scaling-gate/status", &[])?)?;
    let budgets: Vec<BudgetItem> = read(&client.get("/budgets", &[])?)?;
    Ok(written(now, &gate, &budgets))
}

fn written(now: Timestamp, gate: &GateStatus, budgets: &[BudgetItem]) -> String {
    let mut parts = vec![people::time(now)];
    parts.push(match gate.scaling_gate_active {
        true => format!("gate ACTIVE: {}", cut(&printable(&gate.reason), TEXT_COLUMNS)),
        false => "gate inactive".into(),
    });
    // Of single services only what somebody should look at.
    let is_named = |budget: &&BudgetItem| budget.service.is_none() || budget.state.known() != Some(BudgetState::Ok);
    let named: Vec<&BudgetItem> = budgets.iter().filter(is_named).collect();
    parts.extend(named.iter().take(BUDGETS_MAX).map(|budget| {
        let name = cut(&printable(&budget.name), TEXT_COLUMNS);
        format!(
            "{name} {} % of {}",
            people::percent(budget.utilization_percent),
            budget.limit_usd.map_or_else(|| budget.limit(), people::money)
        )
    }));
    if let Some(more) = named.len().checked_sub(BUDGETS_MAX).filter(|more| *more > 0) {
        parts.push(format!("{more} more budgets to look at"));
    }
    parts.join(" · ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_has_time_gate_and_what_to_look_at() {
        let gate = |active| GateStatus {
            scaling_gate_active: active,
            reason: "night\u{1b}".into(),
            timestamp: Timestamp::UNIX_EPOCH,
            mode: Default::default(),
            since: None,
            expires_at: None,
            budgets: vec![],
        };
        let budget = |name: &str, service: &str, state: &str| {
            format!(
                r#"{{"name":"{name}","service":{service},"period":"daily","limit_usd":1000,"spent_usd":1,"reserved_usd":0,
                "remaining_usd":1,"utilization_percent":41.27,"state":"{state}","period_start":"2026-11-22T00:00:00Z",
                "period_end":"2026-11-23T00:00:00Z","forecast_usd":null,"exhausted_at":null}}"#
            )
        };
        let budgets =
            [budget("daily", "null", "ok"), budget("a-daily", "\"a\"", "ok"), budget("b-daily", "\"b\"", "exhausted")];
        let budgets: Vec<BudgetItem> = read(&format!("[{}]", budgets.join(","))).unwrap();
        let now = "2026-11-22T10:00:00.5Z".parse().unwrap();
        assert_eq!(
            written(now, &gate(false), &budgets),
            "2026-11-22 10:00:00Z · gate inactive · daily 41.2 % of 1,000.00 · b-daily 41.2 % of 1,000.00"
        );
        assert!(written(now, &gate(true), &[]).ends_with("gate ACTIVE: night\u{fffd}"));
        let many: Vec<BudgetItem> = std::iter::repeat_n(budgets[0].clone(), 8).collect();
        assert!(written(now, &gate(false), &many).ends_with("2 more budgets to look at"));
    }
}
