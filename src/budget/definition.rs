//! What a budget counts, as a text that is kept with what was counted.
//!
//! *Invariants.* Budgets with one definition count the same under the same keys in the same spans, so what is counted of one may be used for
//! another. The text says all of that: it can be counted anew by whoever knows nothing of the settings.

use std::collections::BTreeMap;

use jiff::civil::Weekday;
use serde::{Deserialize, Serialize};

use super::{Amounts, Budget, Limit};
use crate::domain::{
    BudgetZone, CostEvent, Cover, Cycle, Entry, Facet, Name, Pattern, PeriodKind, Quantity, Span, UsageCount, Usd,
};

/// What a budget counts.
#[derive(Clone, Debug)]
pub struct Definition {
    cover: Cover,
    each: Option<Facet>,
    cycle: Cycle,
    /// The units alone say something.
    limit: Limit,
    zone: BudgetZone,
    /// The span of the event before: the next one mostly lies in it as well.
    newest: Option<Span>,
}

/// The text, as JSON.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    #[serde(rename = "match")]
    cover: String,
    each: Option<Facet>,
    period: PeriodKind,
    week_starts: String,
    start_day: i8,
    /// The kinds of usage; absent where money is counted.
    usage: Option<Vec<String>>,
    zone: String,
}

impl Budget {
    /// One text for all budgets that count the same things in the same spans: what is counted of one may be used for another.
    pub fn definition(&self, zone: &BudgetZone) -> String {
        let Cycle { kind, week_starts, start_day } = self.cycle;
        let usage = match &self.limit {
            Limit::Usd(_) => None,
            Limit::Usage(counts) => Some(counts.iter().map(|count| count.kind.as_str().to_owned()).collect()),
        };
        let text = Text {
            cover: self.cover.definition(),
            each: self.each,
            period: kind,
            week_starts: word_of(week_starts),
            start_day,
            usage,
            zone: zone.name().to_owned(),
        };
        // Texts and numbers always serialize.
        serde_json::to_string(&text).unwrap_or_default()
    }

    /// Whether what was counted by a text of [`Budget::definition`] is what this budget counts in a zone. In whichever zone it was counted, where
    /// a budget is for all time: that has no days.
    pub fn is_counted_by(&self, definition: &str, zone: &BudgetZone) -> bool {
        let counted_in = || BudgetZone::named(&serde_json::from_str::<Text>(definition).ok()?.zone).ok();
        let is_timeless = self.cycle.kind == PeriodKind::Total;
        definition == self.definition(zone)
            || (is_timeless && counted_in().is_some_and(|counted_in| definition == self.definition(&counted_in)))
    }
}

impl Definition {
    /// Reads a text that [`Budget::definition`] gave.
    pub fn parse(text: &str) -> Option<Self> {
        let text: Text = serde_json::from_str(text).ok()?;
        let patterns: BTreeMap<Facet, Vec<String>> = serde_json::from_str(&text.cover).ok()?;
        let cover = patterns.into_iter().fold(Cover::default(), |cover, (facet, patterns)| {
            cover.with(facet, patterns.iter().map(|pattern| Pattern::new(pattern)))
        });
        let week_starts = Weekday::Monday.cycle_forward().take(7).find(|day| word_of(*day) == text.week_starts)?;
        let count = |kind: &String| Some(UsageCount { kind: Name::new(kind).ok()?, count: Quantity::ZERO });
        let limit = match &text.usage {
            None => Limit::Usd(Usd::ZERO),
            Some(kinds) => Limit::Usage(kinds.iter().map(count).collect::<Option<_>>()?),
        };
        let cycle = Cycle { kind: text.period, week_starts, start_day: text.start_day };
        let zone = BudgetZone::named(&text.zone).ok()?;
        (1..=28).contains(&text.start_day).then_some(Self { cover, each: text.each, cycle, limit, zone, newest: None })
    }

    /// What an entry adds: in which span, under which key, how much. `None` where it does not count.
    pub fn count(&mut self, event: &CostEvent, entry: &Entry) -> Option<(Span, Box<str>, Amounts)> {
        let amounts = self.limit.measure_entry(event, entry);
        let subject = event.subject().folded();
        if amounts.iter().all(|amount| *amount == 0) {
            return None;
        }
        let key = self.cover.key_of(self.each, &subject)?;
        let known = self.newest.filter(|span| span.contains(event.time));
        let span = known.unwrap_or_else(|| self.zone.span_of(&self.cycle, event.time));
        self.newest = Some(span);
        Some((span, key.into(), amounts))
    }
}

fn word_of(day: Weekday) -> String {
    format!("{day:?}").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Adjustment;

    fn patterns(texts: &[&str]) -> Vec<Pattern> {
        texts.iter().map(|text| Pattern::new(text)).collect()
    }

    /// Budgets that all count something else.
    fn budgets() -> Vec<Budget> {
        let plain = Budget::example("plain", PeriodKind::Daily, "1");
        let cycle = plain.cycle;
        let covers = [
            Cover::default().with(Facet::Lead, patterns(&["*"])),
            Cover::default().with(Facet::Lead, patterns(&["ACME \"corp\"*", "b"])),
            Cover::default().with(Facet::Model, patterns(&["gpt-*"])).with(Facet::Service, patterns(&["OpenAI"])),
        ];
        let cycles = [
            Cycle { kind: PeriodKind::Hourly, ..cycle },
            Cycle { kind: PeriodKind::Weekly, ..cycle },
            Cycle { kind: PeriodKind::Weekly, week_starts: Weekday::Sunday, ..cycle },
            Cycle { kind: PeriodKind::Monthly, ..cycle },
            Cycle { kind: PeriodKind::Monthly, start_day: 28, ..cycle },
            Cycle { kind: PeriodKind::Quarterly, start_day: 2, ..cycle },
            Cycle { kind: PeriodKind::Yearly, ..cycle },
            Cycle { kind: PeriodKind::Total, ..cycle },
        ];
        let limits = [
            UsageCount::list(&[("USD", 1)]),
            UsageCount::list(&[("input_tokens", 1)]),
            UsageCount::list(&[("input_tokens", 1), ("output_tokens", 2)]),
        ];
        let with = |each| Budget { each: Some(each), ..plain.clone() };
        let mut all: Vec<Budget> = [Facet::Worker, Facet::Batch, Facet::Lead, Facet::Model].into_iter().map(with).collect();
        all.extend(covers.into_iter().map(|cover| Budget { cover, ..plain.clone() }));
        all.extend(cycles.into_iter().map(|cycle| Budget { cycle, ..plain.clone() }));
        all.extend(limits.into_iter().map(|limit| Budget { limit: Limit::Usage(limit), ..plain.clone() }));
        all.push(plain);
        all
    }

    fn entries() -> Vec<(CostEvent, Entry)> {
        let example = CostEvent::example();
        let openai = CostEvent {
            service: Name::new("OPENAI").unwrap(),
            model: Some("GPT-5".into()),
            usage: UsageCount::list(&[("USD", 3), ("input_tokens", 100)]),
            ..example.clone()
        };
        let acme = CostEvent { lead_id: Some("Acme \"Corp\" 1".into()), worker: Some("W".into()), ..openai.clone() };
        let adjustment = Adjustment {
            first: 1,
            standing: Usd::from_dollars(1),
            usage_added: UsageCount::list(&[("output_tokens", 4)]),
            usage_removed: UsageCount::list(&[("input_tokens", 60)]),
        };
        let later = CostEvent { time: "2027-02-28T23:30:00Z".parse().unwrap(), lead_id: Some("B".into()), ..acme.clone() };
        let moved = Entry::Move { first: 1, usage_removed: UsageCount::list(&[("input_tokens", 100)]).into() };
        vec![
            (example.clone(), Entry::First),
            (openai, Entry::First),
            (acme.clone(), Entry::First),
            (CostEvent { amount: -acme.amount, usage: vec![], ..acme.clone() }, moved),
            (CostEvent { amount: Usd::ZERO, ..acme }, Entry::Adjustment(Box::new(adjustment))),
            (later, Entry::First),
            (CostEvent { batch_id: Some("".into()), ..example }, Entry::First),
        ]
    }

    #[test]
    fn a_definition_counts_what_its_budget_counts() {
        let mut counted = 0;
        for zone in ["UTC", "Europe/Berlin", "Asia/Kathmandu"] {
            let zone = BudgetZone::named(zone).unwrap();
            for budget in budgets() {
                let mut definition = Definition::parse(&budget.definition(&zone)).unwrap();
                for (event, entry) in entries() {
                    let subject = event.subject().folded();
                    let amounts = budget.limit.measure_entry(&event, &entry);
                    let key = budget.key_of(&subject).filter(|_| amounts.iter().any(|amount| *amount != 0));
                    let expected = key.map(|key| (zone.span_of(&budget.cycle, event.time), Box::from(key), amounts));
                    assert_eq!(definition.count(&event, &entry), expected, "{budget:?} {event:?} {entry:?}");
                    counted += u32::from(expected.is_some());
                }
            }
        }
        assert!(counted > 100, "{counted}");
    }

    /// Guards against: what one budget has counted taken for what another counts.
    #[test]
    fn budgets_that_count_something_else_have_another_definition() {
        let mut texts: Vec<String> = budgets().iter().map(|budget| budget.definition(&BudgetZone::UTC)).collect();
        texts.push(budgets()[0].definition(&BudgetZone::named("Europe/Berlin").unwrap()));
        let count = texts.len();
        texts.sort();
        texts.dedup();
        assert_eq!(texts.len(), count);
        let [one, other] = ["1", "2"].map(|limit| Budget::example("x", PeriodKind::Daily, limit));
        assert_eq!(one.definition(&BudgetZone::UTC), other.definition(&BudgetZone::UTC), "a limit changes nothing");
    }

    #[test]
    fn what_was_counted_for_all_time_holds_in_any_zone() {
        let berlin = BudgetZone::named("Europe/Berlin").unwrap();
        let budgets = budgets();
        for budget in &budgets {
            let counted = budget.definition(&BudgetZone::UTC);
            assert!(budget.is_counted_by(&counted, &BudgetZone::UTC));
            assert_eq!(budget.is_counted_by(&counted, &berlin), budget.cycle.kind == PeriodKind::Total, "{counted}");
            assert_eq!(
                budgets.iter().filter(|other| other.is_counted_by(&counted, &BudgetZone::UTC)).count(),
                1,
                "{counted}"
            );
            assert!(!budget.is_counted_by("{}", &berlin) && !budget.is_counted_by(&counted.replace("UTC", "Mars"), &berlin));
        }
    }

    #[test]
    fn what_is_no_definition_is_not_read() {
        let sound = budgets()[0].definition(&BudgetZone::UTC);
        assert!(Definition::parse(&sound).is_some());
        for (part, other) in [
            ("daily", "nightly"),
            ("monday", "someday"),
            ("\"start_day\":1", "\"start_day\":29"),
            ("\"start_day\":1", "\"start_day\":1,\"more\":1"),
            ("UTC", "Mars/Olympus"),
            ("\"{}\"", "\"{\""),
            ("\"{}\"", "\"{\\\"colour\\\":[]}\""),
            ("worker", "boss"),
        ] {
            assert!(sound.contains(part), "{part} in {sound}");
            assert!(Definition::parse(&sound.replace(part, other)).is_none(), "{other}");
        }
        assert!(Definition::parse("").is_none());
    }
}
