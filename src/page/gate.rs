//! The scaling gate: whether work may start, why, since when and until when; and how that was in the last day.

use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};

use super::budgets::BudgetShown;
use super::chart::{Band, Caption, Parts, Stretch, StretchKind, Tick};
use super::pieces::{figure, name, percent, rest_link, section};
use super::{View, words};
use crate::domain::GateMode;
use crate::people::printable;
use crate::query::ReadError;
use crate::wire::{GateBudget, GateLine, GateStatus};

/// How many hours the band shows.
pub const BAND_HOURS: i64 = 24;
/// Lines of the history that are drawn: one that changes more often is not known for all of the band.
pub const CHANGES_READ_MAX: u32 = 40;
/// So near to an edge no hour is labelled: half a label on a telephone.
const TICK_EDGE: i32 = 600;
/// Stretches that are told in words.
const STRETCHES_DESCRIBED_MAX: usize = 10;
/// Bytes that the table of changes may take.
const CHANGES_BYTES_MAX: usize = 4 * 1024;

/// The section.
pub fn gate(view: &View, status: &GateStatus, budgets: &[BudgetShown], history: Result<&[GateLine], ReadError>) -> Markup {
    let (word, class, meaning) = match (status.mode.known(), status.scaling_gate_active) {
        (Some(GateMode::Disabled), _) => ("Disabled", "off", "The gate is switched off: nothing is stopped."),
        (_, true) => ("Closed", "on", "Work that is not critical must stop."),
        (_, false) => ("Open", "off", "Work may start."),
    };
    let body = html! {
        p.state.(class) { strong { (word) } " " span { (meaning) } }
        p.reason { a href="/scaling-gate/status" { (printable(&status.reason)) } }
        p.since {
            @match status.since {
                Some(since) => { "Since " (view.time_from_now(since)) ". " }
                None => "It never was otherwise. ",
            }
            (until(view, status, budgets))
        }
        @match history {
            Ok(lines) => (band(view, status, lines)),
            Err(_) => p.failed role="status" { "The history of the gate could not be read; the log says why." },
        }
    };
    section("gate", "Scaling gate", Some("/scaling-gate/status"), &body)
}

/// Until when it is so, as far as that can be known.
fn until(view: &View, status: &GateStatus, budgets: &[BudgetShown]) -> Markup {
    let item = |name: &str| budgets.iter().find(|shown| shown.item.name == name).map(|shown| &shown.item);
    match (status.mode.known(), status.scaling_gate_active) {
        (Some(GateMode::Manual), _) => html! {
            @match status.expires_at {
                Some(end) => { "An operator's word, which lapses at " (view.time(end)) ", " strong { (words::from_now(end, view.now)) } "." }
                None => { "An operator's word, until " code { "lead-factory-metrics gate auto" } "." }
            }
        },
        (Some(GateMode::Disabled), _) => html! {},
        (_, true) => {
            let full = status.budgets.iter().filter(|budget| budget.utilization >= budget.threshold);
            let end = full.filter_map(|budget| item(&budget.name)?.period_end).max();
            html! {
                @if let Some(end) = end {
                    "It opens at the latest when the period ends, at " (view.time(end)) ", " strong { (words::from_now(end, view.now)) } "."
                } @else { "It opens when a limit is raised." }
            }
        }
        (_, false) => {
            let Some(fullest) = fullest(&status.budgets) else {
                return html! { "No budget closes it." };
            };
            let gone_at = item(&fullest.name).and_then(|item| item.exhausted_at).filter(|time| *time > view.now);
            html! {
                "The fullest budget, " (name(&fullest.name, "")) ", is at " (percent(fullest.utilization)) "; the gate closes at "
                (percent(fullest.threshold)) "."
                @if let Some(time) = gone_at { " At this pace it is used up at " (view.time(time)) ", " strong { (words::from_now(time, view.now)) } "." }
            }
        }
    }
}

/// The one that is nearest to closing the gate.
fn fullest(budgets: &[GateBudget]) -> Option<&GateBudget> {
    budgets.iter().max_by(|left, right| left.utilization.total_cmp(&right.utilization))
}

fn band(view: &View, status: &GateStatus, lines: &[GateLine]) -> Markup {
    let from = view.now.checked_sub(SignedDuration::from_hours(BAND_HOURS)).unwrap_or(Timestamp::MIN);
    let stretches = stretches(view, status, lines, from);
    let shown = match stretches.iter().filter(|stretch| stretch.kind == StretchKind::Active).count() {
        0 => "Open in all of the last 24 hours.".to_owned(),
        1 => "Closed once in the last 24 hours (hatched).".to_owned(),
        times => format!("Closed {times} times in the last 24 hours (hatched)."),
    };
    let newest = stretches.iter().rev().take(STRETCHES_DESCRIBED_MAX).map(|stretch| stretch.title.as_str());
    let caption = Caption {
        id: "gate-band",
        title: "The gate in the last 24 hours".into(),
        description: newest.collect::<Vec<_>>().join("; "),
    };
    let drawing = Band { caption: caption.clone(), stretches, ticks: ticks(view, from) }.draw();
    figure(&caption, &drawing, &html! { (shown) }, &changes(view, status, lines, from))
}

/// What somebody calls themselves, else whose token they have.
fn who(change: &GateLine) -> &str {
    change.token.as_deref().filter(|_| change.actor.is_empty()).unwrap_or(&change.actor)
}

/// The table of what was changed; without a change the state as it is.
fn changes(view: &View, status: &GateStatus, lines: &[GateLine], from: Timestamp) -> Markup {
    let line = |time: Timestamp, active: bool, reason: &str, who: &str| {
        html! {
            tr {
                th scope="row" { (view.time(time)) }
                td { (if active { "closed" } else { "open" }) }
                td { (printable(reason)) }
                td { @if who.is_empty() { "the agent" } @else { (printable(who)) } }
            }
        }
    };
    let recent = lines.iter().filter(|line| line.timestamp > from && line.timestamp <= view.now);
    let rows = recent.map(|change| line(change.timestamp, change.active, &change.reason, who(change)));
    let room = view.pool.room(CHANGES_BYTES_MAX).fill(rows);
    let is_empty = room.shown == 0;
    html! {
        table {
            caption { "Changes of the gate, newest first " (rest_link("/scaling-gate/history", "changes of the gate")) }
            thead { tr { th scope="col" { "Time" } th scope="col" { "Gate" } th scope="col" { "Reason" } th scope="col" { "By" } } }
            tbody {
                (room.into_rows())
                @if is_empty { (line(status.since.unwrap_or(view.now), status.scaling_gate_active, &status.reason, "")) }
            }
        }
    }
}

/// The states since `from`, oldest first.
fn stretches(view: &View, status: &GateStatus, lines: &[GateLine], from: Timestamp) -> Vec<Stretch> {
    let mut stretches = Vec::new();
    let mut end = view.now;
    let mut push = |start: Timestamp, end: Timestamp, kind: StretchKind| {
        let start = start.max(from);
        if start < end {
            let word = match kind {
                StretchKind::Active => "closed",
                StretchKind::Inactive => "open",
                StretchKind::Unknown => "not known: it changed more often than is drawn",
            };
            let clock = |time| words::clock(time, view.now, &view.zone);
            let title = format!("{word} from {} to {}", clock(start), clock(end));
            stretches.push(Stretch { from: place(start, from, view.now), to: place(end, from, view.now), kind, title });
        }
    };
    let kind_of = |active: bool| if active { StretchKind::Active } else { StretchKind::Inactive };
    // What came about just now, and is not written down yet.
    if lines.first().is_none_or(|newest| newest.active != status.scaling_gate_active)
        && let Some(since) = status.since
    {
        push(since, end, kind_of(status.scaling_gate_active));
        end = end.min(since.max(from));
    }
    for line in lines {
        push(line.timestamp, end, kind_of(line.active));
        end = end.min(line.timestamp.max(from));
    }
    // Before its first change it was open.
    let is_whole = lines.len() < CHANGES_READ_MAX as usize;
    push(from, end, if is_whole { StretchKind::Inactive } else { StretchKind::Unknown });
    stretches.reverse();
    stretches
}

fn place(time: Timestamp, from: Timestamp, to: Timestamp) -> Parts {
    let since = |earlier: Timestamp, later: Timestamp| later.as_nanosecond() - earlier.as_nanosecond();
    Parts::of(since(from, time), since(from, to))
}

/// Every third full hour of the zone's clock.
fn ticks(view: &View, from: Timestamp) -> Vec<Tick> {
    let civil = view.zone.civil(from);
    let past = i64::from(civil.minute()) * 60 + i64::from(civil.second());
    let hour = |number: i64| from.checked_add(SignedDuration::from_secs(number * 3_600 - past)).unwrap_or(view.now);
    (1..=BAND_HOURS)
        .map(hour)
        .filter(|time| *time < view.now)
        .map(|time| (view.zone.civil(time), time))
        .filter(|(civil, _)| civil.hour() % 3 == 0)
        .map(|(civil, time)| Tick {
            at: place(time, from, view.now),
            label: civil.strftime("%H:%M").to_string(),
            is_main: civil.hour() % 6 == 0,
        })
        // A label at an edge would stick out.
        .filter(|tick| (TICK_EDGE..=Parts::ALL.0 - TICK_EDGE).contains(&tick.at.0))
        .collect()
}
