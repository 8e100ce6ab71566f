//! What is kept in memory of the file, and how a commit changes both.
//!
//! *Invariants.* [`State::write`] only reads what is in memory: what a commit changes there is handed out apart, as [`Staged`], and
//! taken over by [`State::apply`] once the transaction is through. So a commit that fails has changed nothing. Nothing in `apply`
//! can fail, and nothing that grows with the ledger is copied for it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use rusqlite::Connection;

use super::budgets::{MeterRow, Meters, overrides};
use super::commit::{Commit, Summary};
use super::events::{self, StoredEvent, each_event};
use super::head::{End, Head};
use super::ids::{ClosedSegment, IdIndex, first_that_tells};
use super::reservations::{self, UnpaidIds};
use super::row::read_rows;
use super::rows::{self, DayRow, ModelRow, SeriesRow, UsageRow};
use super::segment::{SEGMENT_EVENTS, Segment};
use super::{LedgerError, UnpricedChange, calls, gate, meta, outbox, sums};
use crate::domain::{BudgetZone, EventKey};

/// What is kept in memory of the file.
pub(super) struct State {
    /// The zone that the file's days are counted in.
    pub zone: BudgetZone,
    /// What the head row says.
    pub head: Head,
    /// The newest event, which may be ahead of the rollups.
    pub end: End,
    /// Events that the rollups lacked when the file was read.
    pub tail: Vec<StoredEvent>,
    pub days: BTreeMap<Date, DayRow>,
    /// Which budgets are counted.
    pub meters: Meters,
    pub ids: IdIndex,
    pub unpaid_ids: UnpaidIds,
    /// How far retention has looked for reservations to forget.
    pub reservations_looked_at: i64,
    /// What has changed of the events that wait for a price, since somebody asked.
    pub unpriced_changes: Vec<UnpricedChange>,
}

/// What a commit changes in memory, once it is in the file.
pub(super) struct Staged {
    head: Head,
    end: End,
    closed: Vec<ClosedSegment>,
    days: Vec<DayRow>,
    meters: Vec<MeterRow>,
    unpriced_changes: Vec<UnpricedChange>,
}

impl State {
    /// Reads what the file says, and checks what it says about itself. Reads no closed events.
    pub fn read(connection: &Connection) -> Result<Self, LedgerError> {
        let zone = meta::time_zone(connection)?;
        let mut state = Self {
            zone: BudgetZone::named(&zone).map_err(|error| LedgerError::Damaged(error.to_string()))?,
            head: Head::read(connection)?,
            end: End::default(),
            tail: Vec::new(),
            days: rows::read_days(connection, Date::MIN, Date::MAX)?.into_iter().collect(),
            meters: Meters::default(),
            ids: IdIndex::new(meta::hash_key(connection)?),
            unpaid_ids: UnpaidIds::default(),
            reservations_looked_at: 0,
            unpriced_changes: Vec::new(),
        };
        sums::check_digests(connection, &state.head, &state.days)?;
        state.meters = Meters::read(connection, &state.head)?;
        state.read_events(connection)?;
        state.unpaid_ids = UnpaidIds::read(connection, |key| state.ids.hash(key))?;
        Ok(state)
    }

    /// Reads the segments, and the events of the open one.
    fn read_events(&mut self, connection: &Connection) -> Result<(), LedgerError> {
        let segments = Segment::read_all(connection)?;
        let closed = segments.len() as i64;
        let rolled_up = &self.head.rolled_up;
        if closed != rolled_up.events / SEGMENT_EVENTS {
            return Err(LedgerError::Damaged("segments and events do not match".into()));
        }
        self.ids.load(connection, &segments, self.head.forgotten_blocks)?;
        let mut end = segments.last().map_or_else(End::default, |newest| End {
            events: closed * SEGMENT_EVENTS,
            event_chain: newest.event_chain,
            last_recorded_at: Some(newest.newest_recorded_at),
        });
        let mut is_sound = end.events < rolled_up.events || end.event_chain == rolled_up.event_chain;
        each_event(connection, end.events + 1, i64::MAX, |stored, checksum| {
            end.add(checksum, stored.recorded_at);
            is_sound &= stored.seq == end.events && stored.seq / SEGMENT_EVENTS == closed;
            is_sound &= end.events != rolled_up.events || end.event_chain == rolled_up.event_chain;
            let (hash, time) = (self.ids.hash(&stored.event.key), stored.event.time);
            self.ids.add(hash, stored.seq, time, self.zone.day_of(time));
            if stored.seq > rolled_up.events {
                self.tail.push(stored);
            }
            Ok(())
        })?;
        if !is_sound || end.events < rolled_up.events {
            return Err(LedgerError::Damaged("the chain over the newest events is broken".into()));
        }
        self.end = end;
        Ok(())
    }

    /// Writes every part of a commit.
    pub fn write(&self, transaction: &Connection, commit: &Commit, recorded_at: Timestamp) -> Result<Staged, LedgerError> {
        let mut head = self.head.clone();
        let (end, segment_ends) = events::write(transaction, &commit.events, recorded_at, self.end.clone())?;
        let unpriced_changes = calls::write(transaction, self.end.events + 1, &commit.events)?;
        calls::write_places(transaction, &commit.places)?;
        let closed = self.ids.write_closed(transaction, self.end.events, &commit.events, &segment_ends)?;
        reservations::write(transaction, &commit.reservations, &mut head)?;
        let mut days = Vec::new();
        if let Some(rollup) = &commit.rollup {
            days = sums::write(transaction, rollup, &mut head, &self.days)?;
            gate::write(transaction, rollup, &mut head)?;
            head.rollups += 1;
            head.rolled_up = end.clone();
        }
        let meters = self.meters.write(transaction, &commit.budgets, &mut head)?;
        overrides::write(transaction, &commit.budgets.overrides, &mut head)?;
        if head != self.head {
            head.write(transaction)?;
        }
        outbox::write(transaction, &commit.outbox)?;
        Ok(Staged { head, end, closed, days, meters, unpriced_changes })
    }

    /// Takes over what a commit has written.
    pub fn apply(&mut self, commit: &Commit, staged: Staged) {
        let Staged { head, end, closed, days, meters, unpriced_changes } = staged;
        self.unpriced_changes.extend(unpriced_changes);
        self.ids.apply(self.end.events, &commit.events, closed);
        self.unpaid_ids.apply(&commit.reservations, |key| self.ids.hash(key));
        self.days.extend(days.into_iter().map(|row| (row.day, row)));
        self.meters.apply(meters);
        (self.head, self.end) = (head, end);
    }

    /// What start-up needs at once.
    pub fn summary(&self, connection: &Connection) -> Result<Summary, LedgerError> {
        let series: Vec<SeriesRow> = read_rows(connection, "", ())?;
        let usage: Vec<UsageRow> = read_rows(connection, "", ())?;
        let models: Vec<ModelRow> = read_rows(connection, "", ())?;
        Ok(Summary {
            series: series.into_iter().map(|SeriesRow { label, sums }| (label, sums)).collect(),
            usage: usage.into_iter().map(|UsageRow { key, count }| (key, count)).collect(),
            models: models.into_iter().map(|ModelRow { key, charges }| (key, charges)).collect(),
            gate: gate::read_history(connection, 1)?.pop().map(|line| line.change),
            gate_override: gate::read_override(connection, &self.head)?,
            gate_activations: self.head.gate_activations.cast_unsigned(),
            entries: self.head.rolled_up.events.cast_unsigned(),
            last_recorded_at: self.head.rolled_up.last_recorded_at,
        })
    }

    /// The newest entry that tells the event under a key whose hash is known, if it is remembered.
    pub fn find(&self, connection: &Connection, key: &EventKey, hash: u64) -> Result<Option<StoredEvent>, LedgerError> {
        first_that_tells(connection, self.ids.places(connection, hash)?, key)
    }

    /// Likewise of a credit, whose id is remembered for as long as it is kept.
    pub fn find_credit(
        &self,
        connection: &Connection,
        key: &EventKey,
        hash: u64,
    ) -> Result<Option<StoredEvent>, LedgerError> {
        match self.find(connection, key, hash)? {
            None if self.head.forgotten_blocks > 0 => events::credit(connection, key),
            found => Ok(found),
        }
    }
}
