//! The keys of a `[[budget]]` table.

use super::super::draft::Draft;
use super::super::kinds::{action, day_of_month, facet, label, limit, period, scope, service, share, shares, weekday};
use super::super::patterns::patterns;
use super::super::spec::Spec;
use super::super::table::{inner, tables};
use super::draft::BudgetDraft;
use super::resolve::BUDGETS_MAX;
use super::{rules, usage};
use crate::domain::{Facet, Pattern};

/// One key.
type Field = Spec<BudgetDraft>;

/// The setting of the tables.
pub(in crate::config) fn setting() -> Spec<Draft> {
    tables("budget", "A further budget", BUDGETS_MAX, all(), rules::check, |to: &mut Draft| &mut to.budgets)
}

/// All of them, in the order in which they are listed.
fn all() -> Vec<Field> {
    vec![
        Field::new("name", "Unique name", label(), |to| &mut to.budget.name).required(),
        Field::new("service", "The service it is for; all services without it", service(), |to| &mut to.service),
        Field::new("period", "How often it begins anew", period(), |to| &mut to.budget.cycle.kind).required(),
        Field::new("week_starts", "The first day of its weeks", weekday(), |to| &mut to.week_starts),
        Field::new("start_day", "The day of the month on which its periods begin", day_of_month(), |to| &mut to.start_day),
        inner("budget match", "match", "What counts against it; all cost without it", covered()),
        Field::new("each", "Of what each value has the limit by itself", facet(), |to| &mut to.budget.each),
        Field::new("limit_usd", "What may be spent in one period", limit(), |to| &mut to.limit),
        Field::of_file("limit_usage", "What may be used in one period, in place of limit_usd", usage::put),
        Field::new("warn_at", "Share of the limit at which its state becomes warning, or several", shares(), |to| {
            &mut to.budget.warn_at
        }),
        Field::new("gate_at", "Share of the limit at which its state becomes critical", share(), |to| {
            &mut to.budget.gate_at
        }),
        Field::new("action", "What happens to work that would pass the limit", action(), |to| &mut to.budget.action),
        Field::new("scope", "Who keeps it: this agent by itself, or the fleet together", scope(), |to| &mut to.budget.scope),
    ]
}

/// The keys of `match`.
fn covered() -> Vec<Field> {
    vec![
        covering("service", "Services", Facet::Service),
        covering("operation", "What services are asked to do", Facet::Operation),
        covering("worker", "Processes that make calls", Facet::Worker),
        covering("batch", "Batches of work", Facet::Batch),
        covering("lead", "Leads", Facet::Lead),
        covering("model", "Models", Facet::Model),
    ]
}

fn covering(key: &'static str, doc: &'static str, facet: Facet) -> Field {
    let put = move |to: &mut BudgetDraft, patterns: Vec<Pattern>| {
        to.budget.cover = std::mem::take(&mut to.budget.cover).with(facet, patterns);
    };
    patterns("budget match", key, doc, |_| Ok(()), put)
}
