//! Every limit and how far it is used; those to look at first.

use std::cmp::Reverse;

use jiff::Timestamp;

use super::super::super::table::people;
use super::super::columns::{Cell, Column, Fit, Row};
use super::super::graph::Bar;
use super::super::known::Known;
use super::super::panel::{Panel, Place};
use super::super::text::{clean, span};
use super::super::theme::{Tone, tone_of};
use crate::budget::BudgetState;
use crate::domain::{PeriodKind, Quantity, Usd};
use crate::wire::{BudgetItem, Exact, KeyItem, UsageAmounts};

/// Keys that are shown of a budget with `each`: the fullest.
const KEYS_MAX: usize = 3;

const COLUMNS: &[Column] = &[
    Column { fit: Fit::Cut(12), gives_way: 0 },
    Column { fit: Fit::Whole, gives_way: 0 },
    Column { fit: Fit::Number, gives_way: 1 },
    Column { fit: Fit::Picture(5, 24), gives_way: 3 },
    Column { fit: Fit::Number, gives_way: 2 },
    Column { fit: Fit::Number, gives_way: 5 },
    Column { fit: Fit::Whole, gives_way: 2 },
    Column { fit: Fit::Cut(3), gives_way: 4 },
    Column { fit: Fit::Whole, gives_way: 6 },
    Column { fit: Fit::Cut(10), gives_way: 7 },
];

/// How far one kind of usage, or money, is used.
struct Use {
    bar: Bar,
    spent: String,
    held: String,
    limit: String,
    unit: String,
}

/// What a budget and one of its keys have in common.
struct Amounts<'a> {
    spent_usd: Option<Usd>,
    reserved_usd: Option<Usd>,
    spent: Option<&'a UsageAmounts>,
    reserved: Option<&'a UsageAmounts>,
}

/// The part about budgets.
pub fn budgets(known: &Known, now: Timestamp) -> Panel {
    let mut items: Vec<&BudgetItem> = known.budgets.value.iter().flatten().collect();
    let count = items.len();
    // Stable: what is in no danger stays where the settings have it.
    items.sort_by_key(|item| Reverse(item.state.known().unwrap_or(BudgetState::Ok)));
    let urgent = items.iter().filter(|item| item.state.known() == Some(BudgetState::Exhausted)).count() as u64;
    Panel {
        place: Place::Budgets,
        heading: "Budgets",
        summary: if urgent > 0 {
            format!("{count}, {} exhausted", people::grouped(urgent.into()))
        } else {
            count.to_string()
        },
        trouble: known.budgets.trouble.clone().filter(|_| known.away.is_none()),
        empty: "no budget: set DAILY_BUDGET or a [[budget]] table",
        columns: COLUMNS,
        rows: items.into_iter().flat_map(|item| rows(item, now)).collect(),
    }
}

/// The limit of everything in a day or a month, if there is one in money.
pub fn limit_of(budgets: &[BudgetItem], period: PeriodKind) -> Option<(&BudgetItem, Usd)> {
    let covers_all = |item: &&BudgetItem| {
        item.service.is_none() && item.cover.is_none() && item.each.is_none() && item.period.known() == Some(period)
    };
    let mut all = budgets.iter().filter(covers_all).filter_map(|item| Some((item, item.limit_usd?)));
    all.clone().find(|(item, _)| item.name == item.period.as_str()).or_else(|| all.next())
}

fn rows(item: &BudgetItem, now: Timestamp) -> Vec<Row> {
    let own = Amounts {
        spent_usd: item.spent_usd,
        reserved_usd: item.reserved_usd,
        spent: item.spent_usage.as_ref(),
        reserved: item.reserved_usage.as_ref(),
    };
    let tone = tone_of(&item.state);
    let mut rows = if item.keys.is_some() {
        let (bar, [limit, unit]) = (Bar::of_percent(item.utilization_percent), limit_of_each(item));
        let limit_only = Use { bar, spent: String::new(), held: String::new(), limit, unit };
        lines(&clean(&item.name), item.state.as_str(), item.utilization_percent, tone, vec![limit_only])
    } else {
        lines(&clean(&item.name), item.state.as_str(), item.utilization_percent, tone, uses(item, &own))
    };
    if let Some(first) = rows.first_mut() {
        let left = item.period_end.map(|end| format!("{} left", span(end.duration_since(now))));
        first.push(Cell::Text(left.unwrap_or_default(), Tone::Quiet));
        first.push(note(item));
    }
    for key in item.fullest.iter().flatten().take(KEYS_MAX) {
        rows.extend(rows_of_key(item, key));
    }
    rows
}

fn rows_of_key(item: &BudgetItem, key: &KeyItem) -> Vec<Row> {
    let own = Amounts {
        spent_usd: key.spent_usd,
        reserved_usd: key.reserved_usd,
        spent: key.spent_usage.as_ref(),
        reserved: key.reserved_usage.as_ref(),
    };
    let name = if key.key.is_empty() { "(none)".to_owned() } else { clean(&key.key) };
    lines(&format!("  {name}"), key.state.as_str(), key.utilization_percent, tone_of(&key.state), uses(item, &own))
}

/// A line for the fullest of the uses, and one below it for each of the others.
fn lines(name: &str, state: &str, percent: f64, tone: Tone, mut uses: Vec<Use>) -> Vec<Row> {
    uses.sort_by_key(|one| Reverse(one.bar));
    let mut rows: Vec<Row> = vec![];
    for (number, Use { bar, spent, held, limit, unit }) in uses.into_iter().enumerate() {
        let is_first = number == 0;
        let state = Cell::Text(if is_first { clean(state) } else { String::new() }, tone);
        let percent = if is_first { format!("{} %", people::percent(percent)) } else { String::new() };
        rows.push(vec![
            Cell::plain(if is_first { name.to_owned() } else { String::new() }),
            state,
            Cell::plain(percent),
            Cell::Bar(bar, tone),
            Cell::plain(spent),
            Cell::Text(held, Tone::Quiet),
            Cell::plain(limit),
            Cell::plain(unit),
        ]);
    }
    rows
}

fn uses(item: &BudgetItem, own: &Amounts<'_>) -> Vec<Use> {
    if let Some(limit) = item.limit_usd {
        let (spent, held) = (own.spent_usd.unwrap_or(Usd::ZERO), own.reserved_usd.unwrap_or(Usd::ZERO));
        let held_text = if held == Usd::ZERO { String::new() } else { format!("+{} held", people::money(held)) };
        return vec![Use {
            bar: Bar::of_money(spent, held, limit),
            spent: people::money(spent),
            held: held_text,
            limit: format!("of {}", people::money(limit)),
            unit: "USD".into(),
        }];
    }
    let of = |amounts: Option<&UsageAmounts>, kind: &str| {
        amounts.and_then(|amounts| amounts.get(kind)).map(Exact::to_string).unwrap_or_else(|| "0".into())
    };
    let quantity = |digits: &str| Quantity::parse(digits).unwrap_or_default();
    let one = |(kind, limit): (&String, &Exact)| {
        let (spent, held, limit) = (of(own.spent, kind), of(own.reserved, kind), limit.to_string());
        Use {
            bar: Bar::of_usage(quantity(&spent), quantity(&held), quantity(&limit)),
            held: if quantity(&held) == Quantity::ZERO { String::new() } else { format!("+{} held", people::digits(&held)) },
            spent: people::digits(&spent),
            limit: format!("of {}", people::digits(&limit)),
            unit: clean(kind),
        }
    };
    item.limit_usage.iter().flatten().map(one).collect()
}

/// The limit that every key has by itself, and its unit.
fn limit_of_each(item: &BudgetItem) -> [String; 2] {
    let each = item.each.as_ref().map_or("key", |each| each.as_str());
    match item.limit_usd {
        Some(limit) => [format!("of {}", people::money(limit)), format!("USD a {}", clean(each))],
        None => [String::new(), format!("{} a {}", clean(&item.limit()), clean(each))],
    }
}

fn note(item: &BudgetItem) -> Cell {
    let mut notes = vec![];
    if let Some(keys) = item.keys {
        notes.push(people::counted(keys, "key"));
        let counts = [(item.keys_warning, "warning"), (item.keys_exhausted, "exhausted")];
        notes.extend(counts.into_iter().filter_map(|(count, what)| {
            Some(format!("{} {what}", people::grouped(count.filter(|count| *count > 0)?.into())))
        }));
    }
    if let Some(forecast) = item.forecast_usd {
        let over = if item.limit_usd.is_some_and(|limit| forecast > limit) { " over" } else { "" };
        notes.push(format!("forecast {}{over}", people::money(forecast)));
    }
    if let Some(action) = &item.action {
        notes.push(clean(action.as_str()));
    }
    if let Some(line) = &item.overridden {
        notes.push(format!("overridden: {}", clean(&line.reason)));
    }
    Cell::plain(notes.join(", "))
}
