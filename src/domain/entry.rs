//! What a row of the ledger is to its event.
//!
//! *Invariants.* The ledger is only added to. An event has one entry that tells it first; whatever is told later under a higher revision
//! is an entry behind it. The amounts of an event's entries add up to what it costs, under any attribute too: so every sum over
//! events is a plain sum over entries.

use super::{CostEvent, Quantity, UsageCount, Usd, differing_attributes};

/// What an entry is to its event. All entries of an event have its key, its names and its time.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Entry {
    /// The event as it was first told.
    #[default]
    First,
    /// What the event cost so far, taken from the names and attributes that it had or put under those since: they come in pairs,
    /// before the adjustment that they belong to, and cancel out.
    Move {
        /// The `seq` of the event's first entry.
        first: i64,
        /// The counts that are taken from where they were; what is put elsewhere is the usage of the entry itself.
        usage_removed: Box<[UsageCount]>,
    },
    /// The event as a higher revision tells it, but for the amount, which is the difference that it makes.
    Adjustment(Box<Adjustment>),
}

/// What an adjustment says besides the event's new content.
#[derive(Clone, Debug, PartialEq)]
pub struct Adjustment {
    /// The `seq` of the event's first entry.
    pub first: i64,
    /// What the event costs from now on.
    pub standing: Usd,
    /// By how much counts have risen, ordered by kind.
    pub usage_added: Vec<UsageCount>,
    /// By how much counts have fallen, ordered by kind.
    pub usage_removed: Vec<UsageCount>,
}

impl Entry {
    /// Whether the entry tells its event: as it was first, or as it stands since.
    pub const fn tells_event(&self) -> bool {
        !matches!(self, Self::Move { .. })
    }

    /// The `seq` of the first entry of the event of which this entry, at `seq`, is one.
    pub const fn first(&self, seq: i64) -> i64 {
        match self {
            Self::First => seq,
            Self::Move { first, .. } => *first,
            Self::Adjustment(adjustment) => adjustment.first,
        }
    }

    /// What the entry adds to sums of usage under its own names. Less [`Entry::usage_taken`] it is what it changes there.
    pub fn usage_put<'e>(&'e self, event: &'e CostEvent) -> &'e [UsageCount] {
        match self {
            Self::First | Self::Move { .. } => &event.usage,
            Self::Adjustment(adjustment) => &adjustment.usage_added,
        }
    }

    /// What the entry takes off sums of usage under its own names.
    pub fn usage_taken(&self) -> &[UsageCount] {
        match self {
            Self::First => &[],
            Self::Move { usage_removed, .. } => usage_removed,
            Self::Adjustment(adjustment) => &adjustment.usage_removed,
        }
    }

    /// What the counters of usage gain, which never fall and have no attributes but the model that was told first.
    pub fn usage_added<'e>(&'e self, event: &'e CostEvent) -> &'e [UsageCount] {
        match self {
            Self::First => &event.usage,
            Self::Move { .. } => &[],
            Self::Adjustment(adjustment) => &adjustment.usage_added,
        }
    }

    /// The event as it stands after this entry of it.
    pub fn stand(&self, event: CostEvent) -> CostEvent {
        match self {
            Self::Adjustment(adjustment) => CostEvent { amount: adjustment.standing, ..event },
            Self::First | Self::Move { .. } => event,
        }
    }
}

/// The entries that make of a known event, whose first entry stands at `first`, what is told since: of its amount, usage, duration,
/// outcome, attributes and origin, and whom it is for where that was not known. Everything else stays as it is known.
pub fn revise(known: CostEvent, first: i64, told: CostEvent) -> impl Iterator<Item = (CostEvent, Entry)> {
    let difference = told.amount - known.amount;
    let (usage_added, usage_removed) = (rises(&known.usage, &told.usage), rises(&told.usage, &known.usage));
    let adjusted = CostEvent {
        key: known.key.clone(),
        service: known.service.clone(),
        operation: known.operation.clone(),
        kind: known.kind,
        time: known.time,
        time_given: known.time_given,
        amount: difference,
        worker: known.worker.clone().or(told.worker),
        batch_id: known.batch_id.clone().or(told.batch_id),
        lead_id: known.lead_id.clone().or(told.lead_id),
        model: known.model.clone().or(told.model),
        revision: told.revision,
        usage: told.usage,
        duration_seconds: told.duration_seconds,
        outcome: told.outcome,
        attributes: told.attributes,
        first_recorded_at: told.first_recorded_at,
        origin: told.origin,
    };
    let has_something = known.amount != Usd::ZERO || !known.usage.is_empty();
    let moves = (has_something && is_grouped_otherwise(&known, &adjusted)).then(|| {
        let moved = |amount, of: &CostEvent, usage: &[UsageCount], usage_removed: &[UsageCount]| {
            let event = CostEvent {
                amount,
                worker: of.worker.clone(),
                batch_id: of.batch_id.clone(),
                lead_id: of.lead_id.clone(),
                model: of.model.clone(),
                attributes: of.attributes.clone(),
                usage: usage.to_vec(),
                duration_seconds: None,
                origin: None,
                ..adjusted.clone()
            };
            (event, Entry::Move { first, usage_removed: usage_removed.into() })
        };
        [moved(-known.amount, &known, &[], &known.usage), moved(known.amount, &adjusted, &known.usage, &[])]
    });
    let adjustment = Entry::Adjustment(Box::new(Adjustment { first, standing: told.amount, usage_added, usage_removed }));
    moves.into_iter().flatten().chain([(adjusted, adjustment)])
}

/// Whether some grouping tells two tellings of an event apart.
fn is_grouped_otherwise(known: &CostEvent, adjusted: &CostEvent) -> bool {
    known.worker != adjusted.worker
        || known.batch_id != adjusted.batch_id
        || known.lead_id != adjusted.lead_id
        || known.model != adjusted.model
        || differing_attributes(known.attributes.as_deref(), adjusted.attributes.as_deref())
}

/// By how much counts are higher.
fn rises(before: &[UsageCount], after: &[UsageCount]) -> Vec<UsageCount> {
    let count_before = |after: &UsageCount| {
        before.iter().find(|before| before.kind == after.kind).map_or(Quantity::ZERO, |known| known.count)
    };
    let rise = |after: &UsageCount| {
        let count = after.count.checked_sub(count_before(after)).filter(|rise| *rise > Quantity::ZERO)?;
        Some(UsageCount { kind: after.kind.clone(), count })
    };
    after.iter().filter_map(rise).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Sums;

    fn told(revision: u32, amount: &str, attributes: Option<&str>) -> CostEvent {
        let (amount, attributes) = (Usd::parse(amount).unwrap(), attributes.map(Box::from));
        CostEvent { revision, amount, attributes, ..CostEvent::example() }
    }

    #[test]
    fn a_rise_is_a_charge_and_a_fall_a_credit() {
        for (before, after, charges, credits) in
            [("1", "3.5", "2.5", "0"), ("3.5", "1", "0", "-2.5"), ("1", "1", "0", "0"), ("-4", "-1", "3", "0")]
        {
            let entries: Vec<_> = revise(told(0, before, None), 7, told(1, after, None)).collect();
            let [(event, entry)] = entries.as_slice() else { panic!("{entries:?}") };
            let sums = Sums { charges: Usd::parse(charges).unwrap(), credits: Usd::parse(credits).unwrap(), entries: 1 };
            assert_eq!(Sums::of(event, entry), sums);
            assert_eq!(
                (entry.stand(event.clone()).amount, entry.first(9), event.revision),
                (Usd::parse(after).unwrap(), 7, 1)
            );
        }
    }

    #[test]
    fn the_amount_so_far_moves_with_the_attributes() {
        let (before, after) = (Some(r#"{"team":"a"}"#), Some(r#"{"team":"b"}"#));
        let entries: Vec<_> = revise(told(0, "2", before), 7, told(1, "3", after)).collect();
        let amounts: Vec<_> = entries.iter().map(|(event, _)| (event.amount, event.attributes.as_deref())).collect();
        let [minus_two, two, one] = [-2, 2, 1].map(Usd::from_dollars);
        assert_eq!(amounts, [(minus_two, before), (two, after), (one, after)]);
        let mut sums = Sums::default();
        entries.iter().for_each(|(event, entry)| sums += Sums::of(event, entry));
        assert_eq!((sums.charges, sums.credits), (Usd::from_dollars(1), Usd::ZERO));
        // Another spelling of the same, or nothing to move.
        assert_eq!(revise(told(0, "2", before), 7, told(1, "3", Some(r#"{ "team": "a" }"#))).count(), 1);
        assert_eq!(revise(told(0, "0", before), 7, told(1, "3", after)).count(), 1);
    }

    #[test]
    fn counters_of_usage_gain_what_counts_have_risen_by() {
        let before = UsageCount::list(&[("fell", 5), ("gone", 1), ("rose", 5), ("same", 5)]);
        let after = UsageCount::list(&[("fell", 4), ("new", 2), ("rose", 8), ("same", 5)]);
        assert_eq!(rises(&before, &after), UsageCount::list(&[("new", 2), ("rose", 3)]));
        assert_eq!(rises(&after, &before), UsageCount::list(&[("fell", 1), ("gone", 1)]));
    }

    #[test]
    fn what_is_counted_moves_with_the_names_that_are_told_later() {
        let known =
            CostEvent { usage: UsageCount::list(&[("tokens", 5)]), duration_seconds: Some(1.0), ..told(0, "0", None) };
        for name in 0..4 {
            let origin = Some(Box::new(crate::domain::Origin::of("litellm")));
            let usage = UsageCount::list(&[("tokens", 8)]);
            let mut later = CostEvent { usage, duration_seconds: Some(2.0), origin, ..told(1, "0", None) };
            let names = [&mut later.worker, &mut later.batch_id, &mut later.lead_id, &mut later.model];
            *names.into_iter().nth(name).unwrap() = Some("x".into());
            let names = |event: &CostEvent| {
                [&event.worker, &event.batch_id, &event.lead_id, &event.model].map(|name| name.as_deref() == Some("x"))
            };
            let mut named = [false; 4];
            named[name] = true;
            let entries: Vec<_> = revise(known.clone(), 7, later).collect();
            let [(from, taken), (to, put), (event, adjustment)] = entries.as_slice() else { panic!("{entries:?}") };
            assert_eq!([from, to, event].map(names), [[false; 4], named, named]);
            let counts = |count| UsageCount::list(&[("tokens", count)]);
            assert_eq!((taken.usage_put(from), taken.usage_taken()), (&[][..], &*counts(5)));
            assert_eq!((put.usage_put(to), put.usage_taken()), (&*counts(5), &[][..]));
            assert_eq!((adjustment.usage_put(event), adjustment.usage_taken()), (&*counts(3), &[][..]));
            for moved in [from, to] {
                assert_eq!((moved.duration_seconds, &moved.origin), (None, &None), "a move is no call");
            }
            // Counters never fall, so that they take no part in moves.
            let added = [taken.usage_added(from), put.usage_added(to), adjustment.usage_added(event)];
            assert_eq!(added, [&[][..], &[], &counts(3)]);
            assert_eq!([taken, put, adjustment].map(Entry::tells_event), [false, false, true]);
            assert_eq!([taken, put, adjustment].map(|entry| entry.first(9)), [7, 7, 7]);
        }
    }

    #[test]
    fn the_first_entry_is_the_event_itself() {
        let event = CostEvent { usage: UsageCount::list(&[("tokens", 5)]), ..told(0, "2", None) };
        let first = Entry::First;
        assert!(first.tells_event());
        assert_eq!((first.first(9), first.stand(event.clone())), (9, event.clone()));
        let counts = UsageCount::list(&[("tokens", 5)]);
        assert_eq!((first.usage_put(&event), first.usage_taken(), first.usage_added(&event)), (&*counts, &[][..], &*counts));
    }

    #[test]
    fn names_that_are_known_stay() {
        let known = CostEvent { worker: Some("w".into()), model: Some("m".into()), ..told(0, "2", None) };
        let later = CostEvent { worker: Some("x".into()), model: Some("n".into()), ..told(1, "2", None) };
        let entries: Vec<_> = revise(known, 7, later).collect();
        let [(event, _)] = entries.as_slice() else { panic!("{entries:?}") };
        assert_eq!((event.worker.as_deref(), event.model.as_deref()), (Some("w"), Some("m")));
    }

    #[test]
    fn an_adjustment_takes_off_what_counts_have_fallen_by() {
        let known = CostEvent { usage: UsageCount::list(&[("fell", 5), ("rose", 1)]), ..told(0, "2", None) };
        let later = CostEvent { usage: UsageCount::list(&[("fell", 2), ("rose", 2)]), ..told(1, "2", None) };
        let entries: Vec<_> = revise(known, 7, later).collect();
        let [(event, entry)] = entries.as_slice() else { panic!("{entries:?}") };
        assert_eq!(entry.usage_put(event), UsageCount::list(&[("rose", 1)]));
        assert_eq!(entry.usage_taken(), UsageCount::list(&[("fell", 3)]));
        assert_eq!(entry.usage_added(event), UsageCount::list(&[("rose", 1)]));
    }
}
