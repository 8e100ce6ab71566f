//! What is wrong, at the top: each with a sentence of what to do, and the runbook that says more. Nothing where nothing is.

use jiff::Timestamp;
use maud::{Markup, html};

use super::budgets::BudgetShown;
use super::pieces::{name, number, section};
use super::{View, words};
use crate::budget::{Action, BudgetState};
use crate::people;

/// A newest event that is so far ahead of the clock means that the clock was set back, and not that two cores disagree.
const AHEAD_SECONDS: i64 = 2;
/// Budgets that are told one by one.
const BUDGETS_TOLD_MAX: usize = 5;

/// What the parts of the agent know of troubles.
#[derive(Clone, Debug, Default)]
pub struct Troubles {
    /// Why cost cannot be recorded.
    pub ledger: Option<&'static str>,
    /// When the newest event was recorded.
    pub last_recorded_at: Option<Timestamp>,
    /// Events that wait for a price.
    pub unpriced_events: u64,
    /// What cannot be pushed over OTLP at present: `metrics`, `traces`, `logs`.
    pub exports_failing: Vec<&'static str>,
    /// Messages that a receiver did not take so far, and since when the oldest of them waits.
    pub webhooks_failing: Option<(u64, Timestamp)>,
    /// The settings that were to be loaded last were bad.
    pub settings_refused: bool,
}

/// The section; nothing where nothing is wrong.
pub fn problems(view: &View, troubles: &Troubles, budgets: &[BudgetShown]) -> Markup {
    let told: Vec<Markup> = ledger(troubles)
        .into_iter()
        .chain(clock(view, troubles))
        .chain(exhausted(view, budgets))
        .chain(unpriced(troubles))
        .chain(settings(troubles))
        .chain(webhooks(view, troubles))
        .chain(exports(troubles))
        .collect();
    if told.is_empty() {
        return html! {};
    }
    section("problems", "What is wrong", Some("/health"), &html! { ul { @for problem in told { li { (problem) } } } })
}

/// What is wrong and what to do, with the page that says more.
fn problem(what: &Markup, to_do: &Markup, runbook: &str) -> Markup {
    html! { strong { (what) } " " (to_do) " " span.runbook { "More: " code { "docs/runbooks/" (runbook) ".md" } } }
}

fn ledger(troubles: &Troubles) -> Option<Markup> {
    let why = troubles.ledger?;
    Some(problem(
        &html! { "Cost cannot be recorded: " (why) "." },
        &html! { "Writes get 503 and are safe to send again. Look for a full disk or a read-only folder first." },
        "LedgerNotWriting",
    ))
}

fn clock(view: &View, troubles: &Troubles) -> Option<Markup> {
    let newest = troubles.last_recorded_at?;
    let ahead = newest.as_second() - view.now.as_second();
    (ahead > AHEAD_SECONDS).then(|| {
        problem(
            &html! { "The clock was set back: the newest event was recorded " (words::span(ahead)) " after now." },
            &html! { "Days and budgets follow the clock: check the time service of this machine (" code { "timedatectl" } ")." },
            "NoEvents",
        )
    })
}

fn exhausted(view: &View, budgets: &[BudgetShown]) -> Option<Markup> {
    let refuses = |shown: &&BudgetShown| {
        let action = shown.item.action.as_ref().and_then(|action| action.known());
        let is_whole = shown.item.each.is_none();
        is_whole && action != Some(Action::Watch) && shown.item.state.known() == Some(BudgetState::Exhausted)
    };
    let spent: Vec<&BudgetShown> = budgets.iter().filter(refuses).collect();
    let first = spent.first()?;
    let what = html! {
        @if spent.len() == 1 { "A budget is used up: " } @else { (number(spent.len() as u64)) " budgets are used up: " }
        @for (place, budget) in spent.iter().take(BUDGETS_TOLD_MAX).enumerate() {
            @if place > 0 { ", " }
            (name(&budget.item.name, ""))
        }
        @if spent.len() > BUDGETS_TOLD_MAX { " and more" }
        "."
    };
    let to_do = html! {
        "Work that it covers is refused"
        @if let (1, Some(end)) = (spent.len(), first.item.period_end) { " until " (view.time_from_now(end)) }
        ". Find what spends it below, or raise the limit: "
        code { "lead-factory-metrics budgets set" }
        "."
    };
    Some(problem(&what, &to_do, "BudgetExhausted"))
}

fn unpriced(troubles: &Troubles) -> Option<Markup> {
    (troubles.unpriced_events > 0).then(|| {
        problem(
            &html! { (number(troubles.unpriced_events)) " recorded " (if troubles.unpriced_events == 1 { "event has" } else { "events have" }) " no price yet and count $0." },
            &html! { "See " a href="#unpriced" { "which models" } " and give them a price: they are rated then, in their own days." },
            "EventsUnpriced",
        )
    })
}

fn settings(troubles: &Troubles) -> Option<Markup> {
    troubles.settings_refused.then(|| {
        problem(
            &html! { "The settings that were loaded last are wrong, so the earlier ones are still in force." },
            &html! { code { "lead-factory-metrics check-config" } " says what to mend; then load them again." },
            "SettingsReloadFailed",
        )
    })
}

fn webhooks(view: &View, troubles: &Troubles) -> Option<Markup> {
    let (messages, since) = troubles.webhooks_failing?;
    Some(problem(
        &html! { (people::counted(messages, "message")) " could not be delivered to a webhook, the oldest of " (view.time_from_now(since)) "." },
        &html! { "Nobody there knows of budgets and the gate. The agent tries again; its log says why the receiver does not take them." },
        "WebhookDeliveryFailing",
    ))
}

fn exports(troubles: &Troubles) -> Option<Markup> {
    let failing = troubles.exports_failing.join(", ");
    (!failing.is_empty()).then(|| {
        problem(
            &html! { "The push over OTLP fails (" (failing) ")." },
            &html! { "The collector has a gap; recording is not concerned. The log says why; check the endpoint and the collector." },
            "OtlpExportFailing",
        )
    })
}
