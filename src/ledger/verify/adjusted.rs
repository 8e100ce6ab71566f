//! Adjustments follow from what they adjust.

use std::collections::BTreeMap;

use rusqlite::Connection;

use super::super::LedgerError;
use super::super::events::{StoredEvent, event_at};
use super::super::segment::Segment;
use crate::domain::{Entry, Usd};

/// The events that were adjusted, while entries pass in order.
#[derive(Default)]
pub(super) struct Adjusted {
    pub adjustments: u64,
    pub moves: u64,
    /// What each costs so far, by the `seq` of its first entry.
    pub standing: BTreeMap<i64, Usd>,
    /// What is moved away and not yet back.
    moved: Usd,
}

impl Adjusted {
    /// What is wrong with an entry, if it is one of an adjustment.
    pub fn add(
        &mut self,
        connection: &Connection,
        stored: &StoredEvent,
        pruned_segments: i64,
    ) -> Result<Option<String>, LedgerError> {
        let StoredEvent { seq, event, entry, .. } = stored;
        let (first, standing) = match entry {
            Entry::First => return Ok(None),
            Entry::Move { .. } => {
                self.moves += 1;
                self.moved += event.amount;
                return Ok(None);
            }
            Entry::Adjustment(adjustment) => (adjustment.first, adjustment.standing),
        };
        self.adjustments += 1;
        let moved = std::mem::take(&mut self.moved);
        let is_pruned = Segment::number_of(first) < pruned_segments;
        let before = match self.standing.insert(first, standing) {
            Some(before) => Some(before),
            None => {
                event_at(connection, first)?.filter(|first| first.event.key == event.key).map(|first| first.event.amount)
            }
        };
        let is_right = before.is_none_or(|before| before + event.amount == standing) && moved == Usd::ZERO;
        // Retention may have removed what an adjustment rests on.
        let is_sound = if is_pruned { true } else { before.is_some() && is_right };
        Ok((!is_sound).then(|| format!("entry {seq} does not follow from the event that it adjusts")))
    }
}
