//! The sums that matter first: today, the month, and what the month will come to, each against the limit that concerns it.

use maud::{Markup, html};

use super::View;
use super::budgets::BudgetShown;
use super::chart::{Meter, meter};
use super::pieces::{name, percent, rest_link, section, share, usd, usd_text};
use crate::budget::BudgetScope;
use crate::domain::{PeriodKind, Usd};
use crate::people;
use crate::query::ReadError;
use crate::wire::BudgetItem;

/// What was read for it.
#[derive(Clone, Copy, Debug)]
pub struct Totals {
    /// The cost of the current day.
    pub today: Result<Usd, ReadError>,
    /// The cost of the month that is shown.
    pub month: Result<Usd, ReadError>,
}

/// The section.
pub fn totals(view: &View, totals: &Totals, budgets: &[BudgetShown]) -> Markup {
    let (daily, monthly) = (global(budgets, PeriodKind::Daily), global(budgets, PeriodKind::Monthly));
    let month_target = format!("/costs/monthly?month={}", view.month);
    let ahead = daily.and_then(|budget| budget.forecast_usd);
    let body = html! {
        div.cards {
            (card("Today", "/costs/daily", totals.today, daily, true, ahead))
            (card(&view.month_words(), &month_target, totals.month, monthly, view.is_current(), None))
            @if view.is_current() { (forecast(monthly)) }
        }
    };
    section("totals", "Totals", Some("/budgets"), &body)
}

/// The budget of all cost with the lowest limit for such a period. One that refuses comes before one that only watches.
pub fn global(budgets: &[BudgetShown], period: PeriodKind) -> Option<&BudgetItem> {
    let of_all_cost = |item: &&BudgetItem| {
        let is_everything = item.service.is_none() && item.cover.is_none() && item.each.is_none();
        is_everything && item.limit_usd.is_some() && item.period.known() == Some(period)
    };
    let items = budgets.iter().filter(|shown| shown.is_calendar).map(|shown| &shown.item);
    items.filter(of_all_cost).min_by_key(|item| (item.action.is_some(), item.limit_usd))
}

fn card(
    title: &str,
    target: &str,
    amount: Result<Usd, ReadError>,
    budget: Option<&BudgetItem>,
    is_current: bool,
    ahead: Option<Usd>,
) -> Markup {
    let left = budget.and_then(|budget| budget.remaining_usd).filter(|_| is_current);
    // Of what a fleet shares the limit is compared with what all agents spent, which is known of the current period.
    let of_fleet = budget.filter(|budget| is_shared(budget)).map(|budget| budget.spent_usd.filter(|_| is_current));
    html! {
        div.card {
            h3 { (title) " " (rest_link(target, title)) }
            @match amount {
                Err(_) => p.failed role="status" { "This could not be read; the log says why." },
                Ok(amount) => {
                    p.big { (usd(amount)) }
                    @match of_fleet {
                        Some(None) => p.quiet { "Its limit is shared by a fleet." },
                        Some(Some(all)) => (against(all, budget, "spent", left)),
                        None => (against(amount, budget, "spent", left)),
                    }
                    @if let Some(ahead) = ahead {
                        p.quiet { "At this pace " @if of_fleet.is_some() { "all agents come to " } (usd(ahead)) " by the end of the day." }
                    }
                }
            }
        }
    }
}

/// An amount against a limit. What is left of it is what the budget says, holds counted, and of its present period alone.
fn against(amount: Usd, budget: Option<&BudgetItem>, what: &str, left: Option<Usd>) -> Markup {
    let Some((budget, limit)) = budget.and_then(|budget| Some((budget, budget.limit_usd?))) else {
        return html! { p.quiet { "There is no limit for it." } };
    };
    let used = share(amount, limit);
    let words = used.map_or_else(|| "used up".to_owned(), |used| format!("{} %", people::percent(used)));
    let title = format!("{words} of the limit of {} {what}", usd_text(limit));
    let class = if amount > limit || limit <= Usd::ZERO { "exhausted" } else { "" };
    html! {
        (meter(Meter { spent: amount.pico(), limit: limit.pico(), class, ..Meter::default() }, &title))
        p {
            "Budget " (name(&budget.name, "")) @if is_shared(budget) { " of the fleet" } ": "
            @if let Some(used) = used { (percent(used)) " " }
            "of " (usd(limit))
            @if let Some(left) = left { ", " @if left < Usd::ZERO { strong { (usd(left)) " left" } } @else { (usd(left)) " left" } }
            "."
        }
    }
}

fn is_shared(budget: &BudgetItem) -> bool {
    budget.scope.as_ref().and_then(|scope| scope.known()) == Some(BudgetScope::Fleet)
}

fn forecast(monthly: Option<&BudgetItem>) -> Markup {
    html! {
        div.card {
            h3 { "Forecast " (rest_link("/budgets", "forecast")) }
            @match monthly.map(|budget| budget.forecast_usd) {
                Some(Some(amount)) => {
                    p.big { (usd(amount)) }
                    (against(amount, monthly, "expected", None))
                }
                Some(None) => {
                    p.big.none { "–" }
                    p.quiet { "None until a twentieth of the month has passed." }
                }
                None => {
                    p.big.none { "–" }
                    p.quiet { "There is no monthly budget: " code { "MONTHLY_BUDGET=1000" } " sets one." }
                }
            }
        }
    }
}
