//! Where every budget stands: its bar, what is left, and of a budget with `each` its fullest keys.

use maud::{Markup, html};

use super::chart::{Meter, meter};
use super::pieces::{name, number, percent, section, usd, usd_text};
use super::{View, words};
use crate::budget::{Action, BudgetState};
use crate::domain::{Quantity, Threshold, Usd};
use crate::people::{self, printable};
use crate::wire::{BudgetItem, Exact, KeyItem, OverrideItem, UsageAmounts};

/// Bytes that all budgets together may take.
const BYTES_MAX: usize = 14 * 1024;
/// Keys that are told of one budget; REST has more.
const KEYS_TOLD_MAX: usize = 5;

/// A budget, with what REST does not say of it.
#[derive(Clone, Debug)]
pub struct BudgetShown {
    /// As REST tells it.
    pub item: BudgetItem,
    /// The shares at which a message is sent.
    pub warn_at: Vec<Threshold>,
    /// The share at which it closes the gate, if it does.
    pub closes_gate_at: Option<Threshold>,
    /// Whether its periods are the calendar's days or months, so that a day's or month's cost is its own.
    pub is_calendar: bool,
}

/// An amount of one unit, as it is drawn and as it is told.
struct Amount {
    parts: i128,
    shown: Markup,
    text: String,
}

/// One unit of a budget.
struct Unit {
    limit: Amount,
    spent: Amount,
    held: Amount,
    left: Amount,
}

/// The section.
pub fn budgets(view: &View, budgets: &[BudgetShown]) -> Markup {
    if budgets.is_empty() {
        let body = html! { p.empty { "There are no budgets. " code { "DAILY_BUDGET=50" } " sets one; " code { "docs/budgets.md" } " has recipes." } };
        return section("budgets", "Budgets", Some("/budgets"), &body);
    }
    let room = view.pool.room(BYTES_MAX).fill(budgets.iter().map(|shown| budget(view, shown)));
    let left_out = budgets.len() - room.shown;
    let body = html! {
        ul.budgets { (room.into_rows()) }
        @if left_out > 0 { p { a href="/budgets" { (people::counted(left_out as u64, "more budget")) } } }
    };
    section("budgets", "Budgets", Some("/budgets"), &body)
}

fn budget(view: &View, shown: &BudgetShown) -> Markup {
    let item = &shown.item;
    let class = state_class(item.state.known());
    html! {
        li {
            h3 { (name(&item.name, "")) " " span.badge.(class) { (item.state.as_str()) } }
            p.quiet { (covers(item)) }
            @if item.each.is_some() {
                (keys(item))
            } @else {
                @for unit in units(item) { (bar(shown, &unit, class)) }
                p.quiet { (course(view, shown)) }
            }
            @if let Some(overridden) = &item.overridden { (told_override(view, overridden)) }
        }
    }
}

/// What it covers, how often it begins anew, and what it does.
fn covers(item: &BudgetItem) -> Markup {
    let watches = item.action.as_ref().is_some_and(|action| action.known() == Some(Action::Watch));
    html! {
        @match (&item.service, &item.cover) {
            (Some(service), _) => { "service " (name(service, "")) }
            (None, Some(cover)) => {
                @for (place, (facet, patterns)) in cover.iter().enumerate() {
                    @if place > 0 { ", " }
                    (facet) " " (name(&patterns.join(", "), ""))
                }
            }
            (None, None) => "all cost",
        }
        @if let Some(each) = &item.each { ", each " (each.as_str()) " by itself: " (printable(&item.limit())) }
        ", " (item.period.as_str())
        @if watches { ", watches only" }
    }
}

fn bar(shown: &BudgetShown, unit: &Unit, class: &str) -> Markup {
    let Unit { limit, spent, held, left } = unit;
    let at = |share: &Threshold| {
        limit.parts.checked_mul(share.share().pico()).map(|product| product / Usd::from_dollars(1).pico())
    };
    let warns = shown.warn_at.iter().filter_map(|share| Some((at(share)?, "warns")));
    let closes = shown.closes_gate_at.iter().filter_map(|share| Some((at(share)?, "closes the gate")));
    let marks: Vec<(i128, &str)> = warns.chain(closes).collect();
    let title = format!("{} spent and {} held of {}", spent.text, held.text, limit.text);
    let meter = meter(Meter { spent: spent.parts, held: held.parts, limit: limit.parts, marks: &marks, class }, &title);
    html! {
        (meter)
        p.figures {
            (spent.shown) " of " (limit.shown)
            @if shown.item.limit_usage.as_ref().is_none_or(|limit| limit.len() == 1) { " (" (percent(shown.item.utilization_percent)) ")" }
            @if held.parts > 0 { ", " (held.shown) " held" }
            ", " (left.shown) " left"
        }
    }
}

/// Where it goes: forecast, when it is used up, when it begins anew; and what its marks are.
fn course(view: &View, shown: &BudgetShown) -> Markup {
    let item = &shown.item;
    let is_exhausted = item.state.known() == Some(BudgetState::Exhausted);
    html! {
        @if let Some(forecast) = item.forecast_usd { "Forecast " (usd(forecast)) ". " }
        @match item.exhausted_at {
            Some(time) if is_exhausted => { "Used up since " (view.time(time)) ". " }
            Some(time) => { "At this pace used up at " (view.time_from_now(time)) ". " }
            None => {}
        }
        @match item.period_end {
            Some(end) => { "Begins anew " (words::from_now(end, view.now)) "." }
            None => "Never begins anew.",
        }
        " Alert at "
        @for (place, share) in shown.warn_at.iter().enumerate() {
            @if place > 0 { ", " }
            (people::percent(share.percent()).trim_end_matches(".0")) " %"
        }
        @if let Some(share) = shown.closes_gate_at { "; the gate closes at " (people::percent(share.percent()).trim_end_matches(".0")) " %" }
        "."
    }
}

fn told_override(
    view: &View,
    OverrideItem { configured_limit_usd, configured_limit_usage, reason, actor, expires_at, .. }: &OverrideItem,
) -> Markup {
    html! {
        p.override {
            strong { "The limit is overridden" }
            @if !actor.is_empty() { " by " (printable(actor)) }
            ": " (printable(reason)) ". "
            @if let Some(usd_limit) = configured_limit_usd { "In the settings it is " (usd(*usd_limit)) ". " }
            @if let Some(usage) = configured_limit_usage { "In the settings it is " (usage_text(usage)) ". " }
            @match expires_at {
                Some(end) => { "Until " (view.time_from_now(*end)) "." }
                None => "Until it is lifted.",
            }
        }
    }
}

fn keys(item: &BudgetItem) -> Markup {
    let fullest = item.fullest.as_deref().unwrap_or_default();
    let (all, warning, exhausted) =
        (item.keys.unwrap_or(0), item.keys_warning.unwrap_or(0), item.keys_exhausted.unwrap_or(0));
    let each = item.each.as_ref().map_or("key", |each| each.as_str());
    html! {
        p.figures {
            (number(all)) " with cost or holds"
            @if warning > 0 { ", " strong { (number(warning)) " nearly used up" } }
            @if exhausted > 0 { ", " strong { (number(exhausted)) " used up" } }
        }
        @if !fullest.is_empty() {
            table.keys {
                caption { "The fullest" }
                thead { tr { th scope="col" { (each) } th.num scope="col" { "spent" } th.num scope="col" { "used" } th scope="col" { "state" } } }
                tbody { @for key in fullest.iter().take(KEYS_TOLD_MAX) { (key_row(key)) } }
            }
        }
    }
}

fn key_row(key: &KeyItem) -> Markup {
    let amount = |money: Option<Usd>, usage: &Option<UsageAmounts>| {
        html! {
            @if let Some(money) = money { (usd(money)) } @else if let Some(usage) = usage { (usage_text(usage)) }
        }
    };
    html! {
        tr {
            th scope="row" { (name(&key.key, "")) }
            td.num { (amount(key.spent_usd, &key.spent_usage)) }
            td.num { (percent(key.utilization_percent)) }
            td { span.badge.(state_class(key.state.known())) { (key.state.as_str()) } }
        }
    }
}

fn units(item: &BudgetItem) -> Vec<Unit> {
    if let (Some(limit), Some(spent), Some(held), Some(left)) =
        (item.limit_usd, item.spent_usd, item.reserved_usd, item.remaining_usd)
    {
        let amount = |amount: Usd| Amount { parts: amount.pico(), shown: usd(amount), text: usd_text(amount) };
        return vec![Unit { limit: amount(limit), spent: amount(spent), held: amount(held), left: amount(left) }];
    }
    let none = UsageAmounts::new();
    let all = |amounts: &Option<UsageAmounts>| amounts.clone().unwrap_or_else(|| none.clone());
    let (limits, spent, held, left) =
        (&item.limit_usage, all(&item.spent_usage), all(&item.reserved_usage), all(&item.remaining_usage));
    let unit = |(kind, limit): (&String, &Exact)| {
        let amount = |amount: Option<&Exact>, with_kind: bool| usage_amount(amount, with_kind.then_some(kind));
        Unit {
            limit: amount(Some(limit), true),
            spent: amount(spent.get(kind), false),
            held: amount(held.get(kind), false),
            left: amount(left.get(kind), false),
        }
    };
    limits.iter().flatten().map(unit).collect()
}

fn usage_amount(amount: Option<&Exact>, kind: Option<&String>) -> Amount {
    let digits = amount.map_or_else(|| "0".to_owned(), Exact::to_string);
    let parts = Quantity::parse(digits.trim_start_matches('-'))
        .map_or(0, |count| i128::try_from(count.micros()).unwrap_or(i128::MAX));
    let parts = if digits.starts_with('-') { -parts } else { parts };
    let kind = kind.map(|kind| format!(" {}", printable(kind))).unwrap_or_default();
    let shown = people::digits(&digits);
    Amount { parts, shown: html! { data value=(digits) { (shown) } (kind) }, text: format!("{shown}{kind}") }
}

fn usage_text(usage: &UsageAmounts) -> Markup {
    html! {
        @for (place, (kind, amount)) in usage.iter().enumerate() {
            @if place > 0 { ", " }
            (usage_amount(Some(amount), Some(kind)).shown)
        }
    }
}

fn state_class(state: Option<BudgetState>) -> &'static str {
    match state {
        Some(BudgetState::Ok) | None => "ok",
        Some(BudgetState::Warning) => "warning",
        Some(BudgetState::Critical) => "critical",
        Some(BudgetState::Exhausted) => "exhausted",
    }
}
