//! A page of single events, in the order of time.
//!
//! *Invariants.* A page is of one committed state: that of its beginning. Entries never change, so segments are read one by one, each
//! in a short look of its own, those first whose times can still matter; what retention removes in between is not there, as if it had
//! been removed before. Every row that is shown was compared with its checksum.
//!
//! *Limits.* One page of places in memory, [`ADJUSTMENTS_MAX`] adjustments of an event and [`PAGE_ADJUSTMENTS_MAX`] of a page: one that
//! has more ends early.

mod places;

use std::cmp::Reverse;
use std::collections::BTreeSet;

use jiff::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Connection, params, params_from_iter};

use super::events::{StoredEvent, credit, each_of, event_at};
use super::head::Head;
use super::ids::{BLOCK_SEGMENTS, find_on_disk};
use super::looks::{LOOK_ENTRIES, Looks};
use super::row::nanoseconds;
use super::segment::{SEGMENT_EVENTS, Segment};
use super::{LedgerError, Reader};
use crate::domain::{BudgetZone, CostEvent, EventPlace, EventQuestion, TimeSpan, Usd};
use places::places_sql;

/// Adjustments that are shown of one event: the newest.
const ADJUSTMENTS_MAX: usize = 1_000;
/// Adjustments from which a page takes no further event.
const PAGE_ADJUSTMENTS_MAX: usize = 10_000;

/// An event as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct ListedEvent {
    /// Where it stands among others.
    pub place: EventPlace,
    /// The event.
    pub event: CostEvent,
    /// When it was recorded first, if need be by the ledger that it was imported from.
    pub recorded_at: Timestamp,
    /// What higher revisions made of it, oldest first.
    pub adjustments: Vec<ListedAdjustment>,
}

/// What a higher revision made of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListedAdjustment {
    /// The revision.
    pub revision: u32,
    /// What it added to the event's amount.
    pub difference: Usd,
    /// When it was recorded, if need be by the ledger that it was imported from.
    pub recorded_at: Timestamp,
}

/// A page that is being put together.
#[derive(Debug)]
pub struct Listing {
    question: EventQuestion,
    /// The newest entry of the state that is shown.
    newest: i64,
    /// The last entry that retention had removed.
    pruned: i64,
    /// What is still to be read, the next one last.
    rest: Vec<Stretch>,
    /// The first events so far in the order asked for: one more than the page has.
    found: BTreeSet<EventPlace>,
}

/// Entries that stand one behind the other, and when their events can have happened.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    first: i64,
    last: i64,
    span: TimeSpan,
}

impl Reader {
    /// Begins a page.
    ///
    /// # Errors
    /// A row is damaged or cannot be read.
    pub fn begin_listing(&self, question: EventQuestion) -> Result<Listing, LedgerError> {
        self.read(|transaction| Listing::begin(transaction, self.zone(), &mut self.looks(), question))
    }

    /// Goes on with a page for about so many entries, at least one look. Returns whether it is complete.
    ///
    /// # Errors
    /// `Stopped` when told to, else a row is damaged or cannot be read.
    pub fn continue_listing(
        &self,
        listing: &mut Listing,
        entries_max: i64,
        should_stop: &dyn Fn() -> bool,
    ) -> Result<bool, LedgerError> {
        let mut entries = 0;
        while entries < entries_max {
            if should_stop() {
                return Err(LedgerError::Stopped);
            }
            let Some(stretch) = listing.next_stretch() else { return Ok(true) };
            self.read(|transaction| listing.read(transaction, stretch))?;
            entries += stretch.last - stretch.first + 1;
        }
        Ok(listing.is_complete())
    }

    /// The events of a page that is complete, and the place behind which the next one begins.
    ///
    /// # Errors
    /// A row is damaged or cannot be read.
    pub fn listed(&self, listing: &Listing) -> Result<(Vec<ListedEvent>, Option<EventPlace>), LedgerError> {
        self.read(|transaction| listing.events(transaction))
    }
}

impl Listing {
    fn begin(
        connection: &Connection,
        zone: &BudgetZone,
        looks: &mut Looks,
        question: EventQuestion,
    ) -> Result<Self, LedgerError> {
        let head = Head::read(connection)?;
        let newest: Option<i64> = connection.query_row("SELECT max(seq) FROM event", (), |row| row.get(0))?;
        let pruned = head.pruned_segments * SEGMENT_EVENTS;
        let mut listing = Self { question, newest: newest.unwrap_or(0), pruned, rest: Vec::new(), found: BTreeSet::new() };
        let segments = Segment::read_all(connection)?;
        for key in &listing.question.keys {
            let known = find_on_disk(connection, key)?;
            if let Some(known) = if known.is_some() { known } else { credit(connection, key)? } {
                listing.offer_known(&known);
                return Ok(listing);
            }
        }
        if !listing.question.keys.is_empty() {
            // Ids of long ago are no longer remembered, but their events may be kept.
            let forgotten = segments.len().min((head.forgotten_blocks * BLOCK_SEGMENTS) as usize);
            listing.rest = listing.in_order(closed(zone, &segments[..forgotten]));
            return Ok(listing);
        }
        let open = segments.len() as i64 * SEGMENT_EVENTS + 1;
        let whole = (open..).step_by(LOOK_ENTRIES as usize).zip(looks.spans(connection, open, listing.newest)?);
        let whole = whole.map(|(first, span)| Stretch { first, last: first + LOOK_ENTRIES - 1, span: *span });
        let rest = open + (listing.newest - open + 1) / LOOK_ENTRIES * LOOK_ENTRIES;
        let rest = Stretch { first: rest, last: listing.newest, span: TimeSpan::default() };
        listing.rest = listing.in_order(closed(zone, &segments).chain(whole).chain([rest]));
        Ok(listing)
    }

    /// The stretches in which wanted events can be, the first to be read last.
    fn in_order(&self, stretches: impl Iterator<Item = Stretch>) -> Vec<Stretch> {
        let wanted = self.wanted_span();
        let may_matter = |Stretch { first, last, span }: &Stretch| {
            first <= last && *last > self.pruned && span.from_ns < wanted.until_ns && wanted.from_ns < span.until_ns
        };
        let mut stretches: Vec<Stretch> = stretches.filter(may_matter).collect();
        if self.question.newest_first {
            stretches.sort_by_key(|stretch| (stretch.span.until_ns, stretch.last));
        } else {
            stretches.sort_by_key(|stretch| Reverse((stretch.span.from_ns, stretch.first)));
        }
        stretches
    }

    /// Notes the place of an event of which an entry is known.
    fn offer_known(&mut self, known: &StoredEvent) {
        let place = EventPlace { time_ns: nanoseconds(known.event.time), seq: known.entry.first(known.seq) };
        if self.question.takes(&known.event) {
            self.offer(place);
        }
    }

    /// When events happened that can still matter.
    fn wanted_span(&self) -> TimeSpan {
        let TimeSpan { mut from_ns, mut until_ns } = self.question.selection.span;
        let worst = if self.is_full() { self.worst() } else { None };
        if self.question.newest_first {
            from_ns = worst.map_or(from_ns, |worst| from_ns.max(worst.time_ns));
            until_ns = self.question.after.map_or(until_ns, |after| until_ns.min(after.time_ns.saturating_add(1)));
        } else {
            until_ns = worst.map_or(until_ns, |worst| until_ns.min(worst.time_ns.saturating_add(1)));
            from_ns = self.question.after.map_or(from_ns, |after| from_ns.max(after.time_ns));
        }
        TimeSpan { from_ns, until_ns }
    }

    fn is_full(&self) -> bool {
        self.found.len() > self.question.limit
    }

    /// The last of those found, in the order asked for.
    fn worst(&self) -> Option<EventPlace> {
        if self.question.newest_first { self.found.first().copied() } else { self.found.last().copied() }
    }

    fn is_complete(&self) -> bool {
        let Some(next) = self.rest.last() else { return true };
        let wanted = self.wanted_span();
        // Those behind it end, or begin, no better.
        if !self.question.newest_first {
            return next.span.from_ns >= wanted.until_ns;
        }
        // Of events at the same instant, as those of one request are, the later recorded ones come first.
        let best = EventPlace { time_ns: next.span.until_ns.saturating_sub(1), seq: next.last };
        next.span.until_ns <= wanted.from_ns || (self.is_full() && self.worst().is_some_and(|worst| worst >= best))
    }

    fn next_stretch(&mut self) -> Option<Stretch> {
        if self.is_complete() { None } else { self.rest.pop() }
    }

    /// Takes the places of a stretch's events that can still matter.
    fn read(&mut self, connection: &Connection, stretch: Stretch) -> Result<(), LedgerError> {
        let TimeSpan { from_ns, until_ns } = self.wanted_span();
        let (sql, filters) = places_sql(&self.question, self.newest);
        let bounds = [stretch.first, stretch.last.min(self.newest), from_ns, until_ns, self.pruned].map(Value::from);
        let mut statement = connection.prepare_cached(&sql)?;
        let mut rows = statement.query(params_from_iter(bounds.iter().chain(&filters)))?;
        while let Some(row) = rows.next()? {
            self.offer(EventPlace { seq: row.get(0)?, time_ns: row.get(1)? });
        }
        Ok(())
    }

    /// Takes a place, if it is among the first.
    fn offer(&mut self, place: EventPlace) {
        let is_behind = |other: Option<EventPlace>| other.is_some_and(|other| self.question.is_before(other, place));
        let is_passed = self.question.after.is_some_and(|after| !self.question.is_before(after, place));
        if is_passed || (self.is_full() && is_behind(self.worst())) {
            return;
        }
        self.found.insert(place);
        if self.found.len() > self.question.limit + 1
            && let Some(worst) = self.worst()
        {
            self.found.remove(&worst);
        }
    }

    fn events(&self, connection: &Connection) -> Result<(Vec<ListedEvent>, Option<EventPlace>), LedgerError> {
        let mut places: Vec<EventPlace> = self.found.iter().copied().collect();
        if self.question.newest_first {
            places.reverse();
        }
        let (mut events, mut last, mut adjustments) = (Vec::new(), None, 0);
        for place in &places {
            if events.len() == self.question.limit || adjustments >= PAGE_ADJUSTMENTS_MAX {
                return Ok((events, last));
            }
            if let Some(event) = self.event(connection, *place)? {
                adjustments += event.adjustments.len();
                events.push(event);
            }
            last = Some(*place);
        }
        Ok((events, None))
    }

    /// The event at a place; `None` if retention has removed all of it.
    fn event(&self, connection: &Connection, place: EventPlace) -> Result<Option<ListedEvent>, LedgerError> {
        let mut entries: Vec<StoredEvent> = Vec::new();
        // The partial index serves only who repeats its condition.
        let rest = "WHERE adjusts IS NOT NULL AND adjusts = ? AND standing_pico IS NOT NULL AND seq <= ? \
             ORDER BY seq DESC LIMIT ?";
        each_of(connection, rest, params![place.seq, self.newest, ADJUSTMENTS_MAX as i64], |stored| entries.push(stored))?;
        entries.reverse();
        let first = event_at(connection, place.seq)?;
        let adjustments = entries
            .iter()
            .map(|stored| ListedAdjustment {
                revision: stored.event.revision,
                difference: stored.event.amount,
                recorded_at: told_at(stored),
            })
            .collect();
        let recorded_at = first.as_ref().or(entries.first()).map(told_at);
        let Some((newest, recorded_at)) = entries.pop().or(first).zip(recorded_at) else { return Ok(None) };
        let event = newest.entry.stand(newest.event);
        Ok(Some(ListedEvent { place, event, recorded_at, adjustments }))
    }
}

/// The entries of closed segments.
fn closed(zone: &BudgetZone, segments: &[Segment]) -> impl Iterator<Item = Stretch> {
    segments.iter().map(|segment| {
        let (first, last) = Segment::bounds(segment.number);
        Stretch { first, last, span: segment.span(zone) }
    })
}

/// When an entry was recorded, if need be by the ledger that it was imported from.
pub(super) fn told_at(stored: &StoredEvent) -> Timestamp {
    stored.event.first_recorded_at.unwrap_or(stored.recorded_at)
}

#[cfg(test)]
mod tests;
