//! Cost day by day, with the daily limit as a line.

use jiff::civil::Date;
use maud::{Markup, html};

use super::View;
use super::budgets::BudgetShown;
use super::chart::{Bar, Bars, Caption};
use super::pieces::{failed, figure, finer_decimals, section, usd, usd_cell, usd_text};
use super::totals::global;
use crate::domain::{PeriodKind, Usd};
use crate::people;
use crate::query::ReadError;

/// What is shown of the days of a month.
struct Days<'d> {
    view: &'d View,
    days: Vec<Date>,
    costs: &'d [Usd],
    /// The daily limit.
    limit: Option<Usd>,
    /// The day that cost most.
    highest: Option<(Date, Usd)>,
    total: Usd,
}

/// The section, of what each day of the month cost so far.
pub fn days(view: &View, costs: Result<&[Usd], ReadError>, budgets: &[BudgetShown]) -> Markup {
    let rest = view.history_link("service");
    let Ok(costs) = costs else {
        return failed("days", "Cost by day", &rest, "What the days cost could not be read; the log says why.");
    };
    let days = view.each_day();
    let highest = days.iter().copied().zip(costs.iter().copied()).filter(|(_, cost)| *cost > Usd::ZERO);
    let shown = Days {
        view,
        costs,
        limit: global(budgets, PeriodKind::Daily).and_then(|budget| budget.limit_usd),
        highest: highest.max_by_key(|(_, cost)| *cost),
        total: costs.iter().copied().sum(),
        days,
    };
    let caption = shown.caption();
    let body = figure(&caption, &shown.chart(&caption).draw(), &shown.sentence(), &shown.table(&caption));
    section("days", "Cost by day", Some(&rest), &body)
}

impl Days<'_> {
    fn is_over(&self, cost: Usd) -> bool {
        self.limit.is_some_and(|limit| cost > limit)
    }

    fn sentence(&self) -> Markup {
        let over = self.costs.iter().filter(|cost| self.is_over(**cost)).count();
        html! {
            @match self.highest {
                None => "No cost in this month so far.",
                Some((day, cost)) => {
                    "Highest on " (day.strftime("%b %-d").to_string()) ": " (usd(cost)) ". "
                    @if let Some(limit) = self.limit {
                        @if over == 0 { "No day was above the daily limit of " (usd(limit)) "." }
                        @else { strong { (over) " " (if over == 1 { "day was" } else { "days were" }) } " above the daily limit of " (usd(limit)) "." }
                    }
                }
            }
        }
    }

    fn caption(&self) -> Caption {
        let limit = self.limit.map(|limit| format!(" The daily limit is {}.", usd_text(limit))).unwrap_or_default();
        let (total, days) = (usd_text(self.total), people::counted(self.days.len() as u64, "day"));
        let description = match self.highest {
            None => format!("No cost.{limit}"),
            Some((day, cost)) => {
                format!("{total} in {days}; the most was {} on {}.{limit}", usd_text(cost), day.strftime("%B %-d"))
            }
        };
        Caption { id: "days-chart", title: format!("Cost by day, {}", self.view.month_words()), description }
    }

    fn chart(&self, caption: &Caption) -> Bars {
        Bars {
            caption: caption.clone(),
            bars: self.days.iter().zip(self.costs).map(|(day, cost)| self.bar(*day, *cost)).collect(),
            places: usize::from(self.view.month.last_day().day().unsigned_abs()),
            limit: self.limit.map(|limit| (limit.pico(), format!("daily limit {}", usd_text(limit)))),
            write: |pico| axis_text(Usd::from_pico(pico)),
        }
    }

    fn bar(&self, day: Date, cost: Usd) -> Bar {
        let (is_over, is_today) = (self.is_over(cost), day == self.view.today);
        let (so_far, more) = (if is_today { " so far" } else { "" }, if is_over { ", above the limit" } else { "" });
        Bar {
            label: day.day().to_string(),
            is_main: matches!(day.day(), 1 | 8 | 15 | 22 | 29),
            value: cost.pico(),
            title: format!("{}{so_far}: {}{more}", day.strftime("%a, %b %-d"), usd_text(cost)),
            class: match (is_over, is_today) {
                (true, _) => "over",
                (false, true) => "today",
                (false, false) => "",
            },
        }
    }

    fn table(&self, caption: &Caption) -> Markup {
        let column = self.costs.iter().chain([&self.total]).map(|cost| finer_decimals(*cost)).max().unwrap_or(0);
        html! {
            table {
                caption { (caption.title) ", in USD" }
                thead { tr { th scope="col" { "Day" } th.num scope="col" { "Cost" } } }
                tbody {
                    @for (day, cost) in self.days.iter().zip(self.costs) {
                        tr { th scope="row" { (day.strftime("%a, %b %-d").to_string()) } (usd_cell(*cost, column)) }
                    }
                }
                tfoot { tr { th scope="row" { "Together" } (usd_cell(self.total, column)) } }
            }
        }
    }
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
