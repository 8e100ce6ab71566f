//! What stands above everything else: whether the agent answers, what is wrong, the gate, and the day and the month against their
//! limits.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use ratatui::text::{Line, Span};

use super::super::super::table::{people, wrap};
use super::super::columns::{Cell, Column, Fit, Row, drawn};
use super::super::graph::{BAND_HOURS, Bar, Change, hours};
use super::super::known::{Known, Part};
use super::super::text::{clean, hour, relative, span};
use super::super::theme::{Theme, Tone, tone_of};
use super::limit_of;
use crate::domain::{GateMode, PeriodKind, Usd};
use crate::wire::{BudgetItem, FleetAnswer};

const COLUMNS: &[Column] = &[
    Column { fit: Fit::Whole, gives_way: 0 },
    Column { fit: Fit::Number, gives_way: 0 },
    Column { fit: Fit::Whole, gives_way: 2 },
    Column { fit: Fit::Whole, gives_way: 5 },
    Column { fit: Fit::Number, gives_way: 1 },
    Column { fit: Fit::Picture(4, 40), gives_way: 4 },
    Column { fit: Fit::Whole, gives_way: 3 },
];

/// That the agent does not answer, and since when; each problem in so many lines at most.
pub fn away(known: &Known, interval: Duration, now: Instant, size: [usize; 2], theme: Theme) -> Vec<Line<'static>> {
    let age = known.age(now).as_secs();
    let said = match &known.away {
        Some(why) => {
            let why = clean(&why.replace('\n', " "));
            format!("Last answer {age} s ago: {why} Trying again every {} s.", interval.as_secs())
        }
        None => return vec![],
    };
    problem(&said, Tone::Bad, size, theme)
}

/// What somebody should look after.
pub fn problems(known: &Known, size: [usize; 2], theme: Theme) -> Vec<Line<'static>> {
    let mut lines = vec![];
    if let Some(reason) = &known.unhealthy {
        lines.extend(problem(&format!("Cost cannot be recorded: {}", clean(reason)), Tone::Bad, size, theme));
    }
    lines.extend(known.fleet.iter().filter_map(of_fleet).flat_map(|said| problem(&said, Tone::Warning, size, theme)));
    let waiting: u64 = known.unpriced.value.iter().flatten().map(|item| item.events).sum();
    if waiting > 0 {
        let have = if waiting == 1 { "has" } else { "have" };
        let said = format!("{} {have} no price yet and count 0 USD.", people::counted(waiting, "event"));
        lines.extend(problem(&said, Tone::Warning, size, theme));
    }
    lines
}

/// The first thing that is wrong with the fleet; `fleet status` tells all.
fn of_fleet(fleet: &FleetAnswer) -> Option<String> {
    let apart = fleet.problem.as_ref().map(|problem| format!("This agent takes no part in the fleet: {problem}."));
    let warning = fleet.warnings.first().map(|warning| format!("Fleet: {warning}"));
    apart.or(warning).map(|said| clean(&said))
}

fn problem(said: &str, tone: Tone, [columns, lines]: [usize; 2], theme: Theme) -> Vec<Line<'static>> {
    let lines = wrap::first_lines(&format!("! {said}"), columns, lines);
    lines.into_iter().map(|line| Line::styled(line, theme.style(tone))).collect()
}

/// The gate, in so many lines at most.
pub fn gate(known: &Known, now: Timestamp, [columns, lines]: [usize; 2], theme: Theme) -> Vec<Line<'static>> {
    let gate = &known.gate;
    let (state, tone) = match gate.scaling_gate_active {
        true => ("Gate ACTIVE", Tone::Bad),
        false if gate.mode.known() == Some(GateMode::Disabled) => ("Gate disabled", Tone::Warning),
        false => ("Gate inactive", Tone::Good),
    };
    let mut parts = vec![];
    if gate.mode.known() == Some(GateMode::Manual) {
        parts.push("by hand".to_owned());
    }
    if let Some(since) = gate.since {
        parts.push(format!("since {} ({})", hour(since, now), span(now.duration_since(since))));
    }
    if let Some(until) = gate.expires_at {
        parts.push(format!("until {} ({})", hour(until, now), relative(until, now)));
    } else if let Some(end) = period_end(known).filter(|_| gate.scaling_gate_active) {
        parts.push(format!("until {} ({}), unless the limit is raised", hour(end, now), relative(end, now)));
    }
    parts.push(clean(&gate.reason));
    let text = wrap::first_lines(&format!("{state} · {}", parts.join(" · ")), columns, lines);
    let line = |(number, line): (usize, String)| match line.strip_prefix(state).filter(|_| number == 0) {
        Some(rest) => {
            Line::from(vec![Span::styled(state, theme.style(tone)), Span::styled(rest.to_owned(), theme.style(Tone::Plain))])
        }
        None => Line::styled(line, theme.style(Tone::Plain)),
    };
    text.into_iter().enumerate().map(line).collect()
}

/// The gate's last 24 hours, an hour a column and the last one at the right.
pub fn gate_band(known: &Known, now: Timestamp, columns: usize, theme: Theme) -> Option<Line<'static>> {
    let changes: Vec<Change> =
        known.changes.value.as_ref()?.iter().map(|line| Change { at: line.timestamp, active: line.active }).collect();
    let band = hours(&changes, known.gate.scaling_gate_active, now);
    let text = wrap::cut(&format!("{BAND_HOURS} h  {band}  █ active, ▒ in part"), columns);
    Some(Line::styled(text, theme.style(Tone::Quiet)))
}

/// When all budgets that keep the automatic gate active begin anew.
fn period_end(known: &Known) -> Option<Timestamp> {
    let is_over =
        |name: &str| known.gate.budgets.iter().any(|budget| budget.name == name && budget.utilization >= budget.threshold);
    let budgets = known.budgets.value.iter().flatten();
    budgets
        .filter(|item| known.gate.mode.known() == Some(GateMode::Auto) && is_over(&item.name))
        .filter_map(|item| item.period_end)
        .max()
}

/// The day and the month against their limits: two lines.
pub fn totals(known: &Known, columns: usize, theme: Theme) -> Vec<Line<'static>> {
    let budgets = known.budgets.value.as_deref().unwrap_or_default();
    let rows = [
        total("Today", &known.today, limit_of(budgets, PeriodKind::Daily)),
        total("Month", &known.month, limit_of(budgets, PeriodKind::Monthly)),
    ];
    drawn(COLUMNS, &rows, 0..rows.len(), columns, theme)
}

fn total(label: &'static str, part: &Part<Usd>, limit: Option<(&BudgetItem, Usd)>) -> Row {
    let label = Cell::Text(label.into(), Tone::Strong);
    let Some(spent) = part.value else {
        return vec![label, Cell::plain("?")];
    };
    let amount = Cell::Text(people::money(spent), Tone::Strong);
    let Some((item, limit)) = limit else {
        return vec![label, amount, Cell::plain("USD, no limit")];
    };
    let tone = tone_of(&item.state);
    let forecast = item.forecast_usd.map_or_else(Cell::empty, |forecast| {
        let is_over = forecast > limit;
        let over = if is_over { " over" } else { "" };
        Cell::Text(format!("forecast {}{over}", people::money(forecast)), if is_over { Tone::Warning } else { Tone::Plain })
    });
    vec![
        label,
        amount,
        Cell::plain(format!("of {}", people::money(limit))),
        Cell::plain("USD"),
        Cell::Text(format!("{} %", people::percent(item.utilization_percent)), tone),
        Cell::Bar(Bar::of_money(spent, item.reserved_usd.unwrap_or(Usd::ZERO), limit), tone),
        forecast,
    ]
}
