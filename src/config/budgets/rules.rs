//! Rules between the keys of one `[[budget]]` table.
//!
//! *Invariants.* A key that could have no effect is wrong: its author believes in a brake that is another one.

use toml::de::DeTable;

use super::super::page::Reading;
use super::draft::BudgetDraft;
use crate::budget::BudgetScope;
use crate::domain::{Facet, PeriodKind};

/// Notes what is wrong with a table as a whole, and puts together what it says in two places.
pub(super) fn check(draft: &mut BudgetDraft, table: &DeTable<'_>, start: usize, reading: &mut Reading<'_>) {
    let place = |key: &str| table.get(key).map(|value| value.span().start);
    let mut wrong = |offset: usize, detail: String| reading.wrong(Some("budget"), offset, detail);
    match (place("limit_usd"), place("limit_usage")) {
        (None, None) => wrong(start, "has no limit_usd, nor limit_usage for what is counted".into()),
        (Some(_), Some(second)) => wrong(second, "limit_usage and limit_usd are both there; write one of them".into()),
        (Some(_), None) | (None, Some(_)) => {}
    }
    let names_service = draft.service.is_some() && !draft.budget.cover.patterns(Facet::Service).is_empty();
    if let (Some(offset), true) = (place("service"), names_service) {
        wrong(offset, "service and match.service are both there; write one of them".into());
    }
    // What is wrong with the period itself is noted already, and there is nothing to compare with.
    let period = table.get("period").and_then(|value| value.get_ref().as_str()?.trim().parse::<PeriodKind>().ok());
    if let Some(period) = period {
        if let (Some(offset), false) = (place("week_starts"), period == PeriodKind::Weekly) {
            wrong(
                offset,
                format!("week_starts has no meaning in a budget that is {}; only in one that is weekly", period.as_str()),
            );
        }
        let has_days = matches!(period, PeriodKind::Monthly | PeriodKind::Quarterly | PeriodKind::Yearly);
        if let (Some(offset), false) = (place("start_day"), has_days) {
            let only = "only in one that is monthly, quarterly or yearly";
            wrong(offset, format!("start_day has no meaning in a budget that is {}; {only}", period.as_str()));
        }
    }
    if draft.budget.scope == BudgetScope::Fleet {
        for key in ["each", "limit_usage"] {
            if let Some(offset) = place(key) {
                wrong(offset, format!("{key} and scope = \"fleet\" do not go together: a fleet shares one limit in USD"));
            }
        }
    }
    draft.says_gate_at = table.contains_key("gate_at");
    draft.settle();
}
