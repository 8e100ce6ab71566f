//! Charges by model of a ledger whose earlier builds did not add them up.
//!
//! *Invariants.* Done once, in one transaction, before anything else is written: from then on each rollup keeps them. They add up to
//! the charges of the metric series. What retention removed before has no model any more, and counts under none.
//!
//! *Limits.* [`MODEL_PAIRS_MAX`] pairs. It takes about a second for a million events.

use std::collections::{BTreeMap, HashMap};

use rusqlite::{Connection, TransactionBehavior};

use super::LedgerError;
use super::head::Head;
use super::row::{RowWriter, damaged, read_rows};
use super::rows::{ModelRow, SeriesRow};
use super::scan::{KeyPart, Scanner, Wanted, place_of};
use super::segment::SEGMENT_EVENTS;
use super::state::State;
use crate::domain::{Dimension, GroupKey, Kind, MODEL_PAIRS_MAX, ModelKey, Name, Usd};

/// Charges as they are found.
#[derive(Default)]
struct Charges {
    /// What the series know of each service's label.
    expected: BTreeMap<Name, Usd>,
    /// What was found of it.
    found: BTreeMap<Name, Usd>,
    by_model: BTreeMap<ModelKey, Usd>,
    /// Where the charges of a row with this key belong.
    places: HashMap<Box<[u8]>, Place>,
}

/// The label of a service, and the series.
#[derive(Clone)]
struct Place {
    label: Name,
    key: ModelKey,
}

impl State {
    /// Adds up what the rollups count, if that was never done.
    pub fn fill_models(&mut self, connection: &mut Connection) -> Result<(), LedgerError> {
        let events = self.head.rolled_up.events;
        if self.head.models_digest.is_some() || events == 0 {
            return Ok(());
        }
        tracing::info!(events, "an earlier version wrote this ledger: adding up its charges by model, once");
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let by_model = add_up(&transaction, &self.head)?;
        let mut digest = 0_i64;
        {
            let mut writer = RowWriter::insert(&transaction)?;
            for (key, charges) in by_model {
                digest = digest.wrapping_add(writer.write(&ModelRow { key, charges })?);
            }
        }
        let head = Head { models_digest: Some(digest), ..self.head.clone() };
        head.write(&transaction)?;
        transaction.commit()?;
        self.head = head;
        tracing::info!("the charges are added up by model");
        Ok(())
    }
}

fn add_up(connection: &Connection, head: &Head) -> Result<BTreeMap<ModelKey, Usd>, LedgerError> {
    let mut charges = Charges::default();
    for SeriesRow { label, sums } in read_rows(connection, "", ())? {
        *charges.expected.entry(label.service).or_default() += sums.charges;
    }
    // Without adjustments, which earlier builds did not know, a charge is an event of that kind.
    let wanted = Wanted {
        key: [Dimension::Service, Dimension::Model].iter().map(KeyPart::of).collect(),
        filters: vec![(place_of("kind"), Kind::Charge.as_str().into())],
    };
    let scanner = Scanner::new(connection, wanted)?;
    let (first, last) = (head.pruned_segments * SEGMENT_EVENTS + 1, head.rolled_up.events);
    for first in (first..=last).step_by(SEGMENT_EVENTS as usize) {
        let last = last.min(first + SEGMENT_EVENTS - 1);
        let events = scanner.range(first, last, |found| {
            found.iter().try_for_each(|(row, key)| charges.add(key, row.amount_pico)).map(|()| found.events)
        })??;
        if events != last - first + 1 {
            return Err(LedgerError::Damaged(format!("event {} is missing", first + events)));
        }
    }
    charges.add_pruned()
}

impl Charges {
    fn add(&mut self, key: &[u8], amount_pico: i64) -> Result<(), LedgerError> {
        let amount = Usd::from_pico(amount_pico.into());
        let place = match self.places.get(key) {
            Some(known) => known,
            None => {
                let place = self.place(key)?;
                // Names beyond the bound have no end.
                if self.places.len() < 2 * MODEL_PAIRS_MAX {
                    self.places.insert(key.into(), place.clone());
                }
                &place.clone()
            }
        };
        *self.found.entry(place.label.clone()).or_default() += amount;
        *self.by_model.entry(place.key.clone()).or_default() += amount;
        Ok(())
    }

    /// As recording takes names: first come, first kept.
    fn place(&self, key: &[u8]) -> Result<Place, LedgerError> {
        let text = str::from_utf8(key).map_err(|_| damaged("event", "text"))?;
        let (service, model) = text.split_once(GroupKey::SEPARATOR).ok_or_else(|| damaged("event", "model"))?;
        let label = self.expected.get_key_value(service).map_or_else(Name::other, |(name, _)| name.clone());
        let key = self.series_of(&label, model);
        Ok(Place { label, key })
    }

    fn series_of(&self, label: &Name, model: &str) -> ModelKey {
        let key = ModelKey::of(label, model);
        if self.by_model.contains_key(&key) || self.by_model.len() < MODEL_PAIRS_MAX { key } else { ModelKey::other() }
    }

    /// Adds what the series know and no event tells any more, under no model.
    fn add_pruned(mut self) -> Result<BTreeMap<ModelKey, Usd>, LedgerError> {
        let total = |sums: &BTreeMap<Name, Usd>| sums.values().copied().sum::<Usd>();
        let mut missing = total(&self.expected) - total(&self.found);
        if missing < Usd::ZERO {
            return Err(LedgerError::Damaged("events charge more than the series count".into()));
        }
        for (label, expected) in self.expected.clone() {
            // A label may lack charges of before its service had one; then others have them, and together they have no more.
            let found = self.found.get(&label).copied().unwrap_or_default();
            let added = (expected - found).max(Usd::ZERO).min(missing);
            if added > Usd::ZERO {
                let key = self.series_of(&label, "");
                *self.by_model.entry(key).or_default() += added;
                missing -= added;
            }
        }
        Ok(self.by_model)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usd(pico: i64) -> Usd {
        Usd::from_pico(pico.into())
    }

    fn name(name: &str) -> Name {
        Name::new(name).unwrap()
    }

    /// What is added up where the series know this, and these events are left.
    fn added_up(expected: &[(&str, i64)], events: &[(&str, &str, i64)]) -> Result<Vec<(String, i128)>, LedgerError> {
        let expected = expected.iter().map(|(label, pico)| (name(label), usd(*pico))).collect();
        let mut charges = Charges { expected, ..Charges::default() };
        for (service, model, pico) in events {
            charges.add(
                [service, model].map(|text| text.to_owned()).join(&GroupKey::SEPARATOR.to_string()).as_bytes(),
                *pico,
            )?;
        }
        let by_model = charges.add_pruned()?.into_iter();
        Ok(by_model.map(|(key, charges)| (format!("{}/{}", key.service, key.model), charges.pico())).collect())
    }

    fn are(found: &[(&str, i128)]) -> Vec<(String, i128)> {
        found.iter().map(|(key, pico)| ((*key).to_owned(), *pico)).collect()
    }

    #[test]
    fn what_no_event_tells_any_more_counts_under_no_model() {
        let all = [("a", "m", 4), ("a", "n", 6), ("b", "", 5)];
        assert_eq!(added_up(&[("a", 10), ("b", 5)], &all).unwrap(), are(&[("a/m", 4), ("a/n", 6), ("b/", 5)]));
        let some = [("a", "m", 4), ("a", "m", 1)];
        assert_eq!(added_up(&[("a", 10), ("b", 5)], &some).unwrap(), are(&[("a/", 5), ("a/m", 5), ("b/", 5)]));
        let more = added_up(&[("a", 3)], &some);
        assert!(matches!(more, Err(LedgerError::Damaged(_))), "{more:?}");
    }

    /// A service beyond the bound of labels is `other`; later it may have got one of its own.
    #[test]
    fn labels_have_together_no_more_than_the_series_count() {
        let events = [("a", "m", 12), ("unknown", "n", 1)];
        assert_eq!(added_up(&[("a", 10), ("other", 6)], &events).unwrap(), are(&[("a/m", 12), ("other/other", 4)]));
        let labels = [("a", 10), ("b", 4), ("other", 9)];
        assert_eq!(added_up(&labels, &events).unwrap(), are(&[("a/m", 12), ("b/", 4), ("other/other", 7)]));
    }
}
