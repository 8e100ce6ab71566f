//! The keys of a `[[budget]]` table.

use super::super::kinds::{label, limit, period, service, share, shares};
use super::super::spec::Spec;
use super::draft::BudgetDraft;

/// One key.
pub(in crate::config) type Field = Spec<BudgetDraft>;

/// All of them, in the order in which they are listed.
pub(in crate::config) fn all() -> Vec<Field> {
    vec![
        Field::new("name", "Unique name", label(), |to| &mut to.budget.name).required(),
        Field::new("service", "The service it is for; all services without it", service(), |to| &mut to.service),
        Field::new("period", "How often it begins anew", period(), |to| &mut to.budget.cycle.kind).required(),
        Field::new("limit_usd", "What may be spent in one period", limit(), |to| &mut to.limit).required(),
        Field::new("warn_at", "Share of the limit at which its state becomes warning", shares(), |to| {
            &mut to.budget.warn_at
        }),
        Field::new("gate_at", "Share of the limit at which its state becomes critical", share(), |to| {
            &mut to.budget.gate_at
        }),
    ]
}
