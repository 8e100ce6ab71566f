//! Cost day by day, with the daily limit as a line.

use maud::{Markup, html};

use super::View;
use super::budgets::BudgetShown;
use super::chart::{Bar, Bars, Caption};
use super::pieces::finer_decimals;
use super::pieces::{failed, figure, section, usd, usd_cell, usd_text};
use super::totals::global;
use crate::domain::{Month, PeriodKind, Usd};
use crate::query::ReadError;

/// The section, of what each day of the month cost so far.
pub fn days(view: &View, costs: Result<&[Usd], ReadError>, budgets: &[BudgetShown]) -> Markup {
    let rest = view.history_link("service");
    let Ok(costs) = costs else {
        return failed("days", "Cost by day", &rest, "What the days cost could not be read; the log says why.");
    };
    let limit = global(budgets, PeriodKind::Daily).and_then(|budget| budget.limit_usd);
    let days = view.each_day();
    let total: Usd = costs.iter().copied().sum();
    let highest = days.iter().zip(costs).filter(|(_, cost)| **cost > Usd::ZERO).max_by_key(|(_, cost)| **cost);
    let over = limit.map(|limit| costs.iter().filter(|cost| **cost > limit).count());
    let shown = html! {
        @match highest {
            None => "No cost in this month so far.",
            Some((day, cost)) => {
                "Highest on " (day.strftime("%b %-d").to_string()) ": " (usd(*cost)) ". "
                @if let (Some(limit), Some(over)) = (limit, over) {
                    @if over == 0 { "No day was above the daily limit of " (usd(limit)) "." }
                    @else { strong { (over) " " (if over == 1 { "day was" } else { "days were" }) } " above the daily limit of " (usd(limit)) "." }
                }
            }
        }
    };
    let caption = Caption {
        id: "days-chart",
        title: format!("Cost by day, {}", view.month_words()),
        description: match highest {
            None => "No cost.".into(),
            Some((day, cost)) => format!(
                "{} in {} days; the most was {} on {}.{}",
                usd_text(total),
                days.len(),
                usd_text(*cost),
                day.strftime("%B %-d"),
                limit.map(|limit| format!(" The daily limit is {}.", usd_text(limit))).unwrap_or_default()
            ),
        },
    };
    let bars = days.iter().zip(costs).map(|(day, cost)| {
        let is_over = limit.is_some_and(|limit| *cost > limit);
        let (is_today, words) = (*day == view.today, usd_text(*cost));
        let more = if is_over { ", above the limit" } else { "" };
        Bar {
            label: day.day().to_string(),
            is_main: matches!(day.day(), 1 | 8 | 15 | 22 | 29),
            value: cost.pico(),
            title: format!("{}{}: {words}{more}", day.strftime("%a, %b %-d"), if is_today { " so far" } else { "" }),
            class: if is_over {
                "over"
            } else if is_today {
                "today"
            } else {
                ""
            },
        }
    });
    let chart = Bars {
        caption: caption.clone(),
        bars: bars.collect(),
        places: usize::from(Month::last_day(view.month).day().unsigned_abs()),
        limit: limit.map(|limit| (limit.pico(), format!("daily limit {}", usd_text(limit)))),
        write: |pico| axis_text(Usd::from_pico(pico)),
    };
    let column = costs.iter().map(|cost| finer_decimals(*cost)).max().unwrap_or(0);
    let table = html! {
        table {
            caption { (caption.title) ", in USD" }
            thead { tr { th scope="col" { "Day" } th.num scope="col" { "Cost" } } }
            tbody {
                @for (day, cost) in days.iter().zip(costs) {
                    tr { th scope="row" { (day.strftime("%a, %b %-d").to_string()) } (usd_cell(*cost, column)) }
                }
            }
            tfoot { tr { th scope="row" { "Together" } (usd_cell(total, column)) } }
        }
    };
    section("days", "Cost by day", Some(&rest), &figure(&caption, &chart.draw(), &shown, &table))
}

/// A round amount, short.
fn axis_text(amount: Usd) -> String {
    const UNITS: [(&str, i64); 3] = [("B", 1_000_000_000), ("M", 1_000_000), ("k", 1_000)];
    let divides = |unit: i64| amount.pico() != 0 && amount.pico() % Usd::from_dollars(unit).pico() == 0;
    for (word, unit) in UNITS {
        if divides(unit) {
            return format!("{}{word}", axis_text(Usd::from_pico(amount.pico() / i128::from(unit))));
        }
    }
    let text = usd_text(amount);
    text.strip_suffix(".00").map_or(text.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_says_round_amounts_in_few_characters() {
        for (amount, told) in [
            ("0", "$0"),
            ("20", "$20"),
            ("-5", "-$5"),
            ("2.5", "$2.50"),
            ("0.005", "$0.005"),
            ("2000", "$2k"),
            ("500000", "$500k"),
            ("3000000", "$3M"),
            ("2000000000", "$2B"),
            ("1500", "$1,500"),
        ] {
            assert_eq!(axis_text(amount.parse().unwrap()), told, "{amount}");
        }
    }
}
