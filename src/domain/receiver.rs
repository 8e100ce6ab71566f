//! Who is told of budgets and the gate, and of which of it.

use std::sync::Arc;

use super::{Pattern, fold_text};

/// Somebody who is told.
#[derive(Clone, Debug)]
pub struct Receiver {
    /// Its name in the ledger's outbox.
    pub name: Arc<str>,
    /// What it is told; nothing twice that it asked for twice.
    pub subscriptions: Vec<Subscription>,
}

/// Which messages somebody wants. By default all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subscription {
    /// Types of messages; none are all, but for those that are of no budget where [`Subscription::budgets`] has any.
    pub events: Vec<Pattern>,
    /// Names of budgets, without regard to letter case; none are all.
    pub budgets: Vec<Pattern>,
}

impl Receiver {
    /// Whether it is told of a message of this type, about the budget of this name if it is about one.
    pub fn wants(&self, kind: &str, budget: Option<&str>) -> bool {
        self.subscriptions.iter().any(|subscription| subscription.wants(kind, budget))
    }
}

impl Subscription {
    fn wants(&self, kind: &str, budget: Option<&str>) -> bool {
        let Self { events, budgets } = self;
        let matched = |patterns: &[Pattern], text: &str| {
            let folded = fold_text(text);
            patterns.iter().any(|pattern| pattern.matches_folded(&folded))
        };
        let of_type = if events.is_empty() { budget.is_some() || budgets.is_empty() } else { matched(events, kind) };
        of_type && budget.is_none_or(|budget| budgets.is_empty() || matched(budgets, budget))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wants(events: &[&str], budgets: &[&str], kind: &str, budget: Option<&str>) -> bool {
        let patterns = |texts: &[&str]| texts.iter().map(|text| Pattern::new(text)).collect();
        Subscription { events: patterns(events), budgets: patterns(budgets) }.wants(kind, budget)
    }

    #[test]
    fn what_is_asked_for_is_told_and_nothing_else() {
        for (events, budgets, warning_of_lead, exhausted_of_daily, gate) in [
            (&[][..], &[][..], true, true, true),
            (&["budget.*"], &[], true, true, false),
            (&["*.exhausted", "gate.active"], &[], false, true, true),
            // Who names budgets asks for budgets, unless it says otherwise.
            (&[], &["per-*"], true, false, false),
            (&["*"], &["PER-*"], true, false, true),
            (&["budget.exhausted"], &["per-*", "daily"], false, true, false),
            (&["gate.*"], &["per-*"], false, false, true),
        ] {
            let told = [
                wants(events, budgets, "budget.warning", Some("Per-Lead")),
                wants(events, budgets, "budget.exhausted", Some("daily")),
                wants(events, budgets, "gate.active", None),
            ];
            assert_eq!(told, [warning_of_lead, exhausted_of_daily, gate], "{events:?} {budgets:?}");
        }
    }

    #[test]
    fn one_that_asks_twice_is_told_what_either_asks_for() {
        let of = |events: &str| Subscription { events: vec![Pattern::new(events)], budgets: Vec::new() };
        let receiver = Receiver { name: "r".into(), subscriptions: vec![of("gate.*"), of("budget.warning")] };
        let wanted = ["gate.active", "budget.warning", "budget.critical"].map(|kind| receiver.wants(kind, Some("daily")));
        assert_eq!(wanted, [true, true, false]);
        assert!(!Receiver { name: "r".into(), subscriptions: Vec::new() }.wants("gate.active", None));
    }
}
