//! Reading very many events for the few columns that a question needs.
//!
//! *Invariants.* Every row's checksum is verified before anything of it counts, and the rows of a range must be all there, in
//! their order. Nothing is allocated for a row.
//!
//! Rows are handed to an aggregate function within SQLite: its arguments cost half of what stepping through a statement's
//! columns does, and twenty columns a row are what reading an event costs.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::functions::{Aggregate, Context, FunctionFlags};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension};

use super::LedgerError;
use super::checksum::Checksum;
use super::events::StoredEvent;
use super::row::{Shape, Stored, check, damaged};
use crate::domain::{CostQuestion, Dimension, GroupKey, attribute_text};

type Event = StoredEvent;

/// The column of the attributes.
const ATTRIBUTES: &str = "attributes";
/// Name of the function in SQL.
const FUNCTION: &str = "take_event";

/// What is wanted of a row.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    /// What makes the key.
    pub key: Vec<KeyPart>,
    /// Columns of text that must have this value; a row without value has the empty one.
    pub filters: Vec<(usize, Box<str>)>,
}

/// A part of a key.
#[derive(Clone, Debug)]
pub(super) enum KeyPart {
    /// A column of text, by its place among the event's columns.
    Column(usize),
    /// What the attributes say under a name.
    Attribute(Arc<str>),
}

/// What was found in a range of events.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The rows that pass the filters, in their order.
    pub rows: Vec<FoundRow>,
    /// Their keys, one behind the other.
    pub keys: Vec<u8>,
    /// How many rows there were, those included that did not pass.
    pub events: i64,
}

/// One event, reduced to what a grouping needs.
#[derive(Clone, Copy, Debug)]
pub(super) struct FoundRow {
    pub time_ns: i64,
    pub amount_pico: i64,
    /// Where its key ends.
    pub key_end: usize,
}

/// A connection that reads ranges of events.
pub(super) struct Scanner<'c> {
    connection: &'c Connection,
    work: Arc<Mutex<Work>>,
}

/// What goes into the function and comes out of it.
#[derive(Default)]
struct Work {
    wanted: Wanted,
    /// The `seq` that the next row must have.
    next_seq: i64,
    found: Found,
    shapes: Vec<Shape>,
    /// The columns that older rows lack, which stand behind the others.
    later: Vec<(&'static str, Shape)>,
    places: Places,
    row: Checksum,
    error: Option<LedgerError>,
}

/// Where the columns stand that every question needs.
#[derive(Default)]
struct Places {
    seq: usize,
    time: usize,
    amount: usize,
    attributes: usize,
    checksum: usize,
}

struct TakeEvent(Arc<Mutex<Work>>);

/// The place of a column among the event's.
pub(super) fn place_of(column: &str) -> usize {
    Event::NAMES.iter().position(|name| *name == column).unwrap_or(usize::MAX)
}

/// The place of the column that has a dimension's values.
fn place_of_dimension(dimension: &Dimension) -> usize {
    place_of(match dimension {
        Dimension::Service => "service",
        Dimension::Operation => "operation",
        Dimension::Worker => "worker",
        Dimension::Batch => "batch_id",
        Dimension::Lead => "lead_id",
        Dimension::Model => "model",
        Dimension::Attribute(_) => ATTRIBUTES,
    })
}

impl Wanted {
    /// What a question wants of a row.
    pub fn of(question: &CostQuestion) -> Self {
        let filters = question.filters.iter().map(|filter| (place_of_dimension(&filter.dimension), filter.value.clone()));
        Self { key: question.by.iter().map(KeyPart::of).collect(), filters: filters.collect() }
    }
}

impl KeyPart {
    /// The part that tells a dimension's values apart.
    pub fn of(dimension: &Dimension) -> Self {
        match dimension {
            Dimension::Attribute(name) => Self::Attribute(Arc::clone(name)),
            column => Self::Column(place_of_dimension(column)),
        }
    }
}

impl Places {
    fn new() -> Self {
        Self {
            seq: place_of("seq"),
            time: place_of("time_ns"),
            amount: place_of("amount_pico"),
            attributes: place_of(ATTRIBUTES),
            checksum: place_of("checksum"),
        }
    }
}

impl Found {
    /// Each row with its key.
    pub fn iter(&self) -> impl Iterator<Item = (&FoundRow, &[u8])> {
        let mut begin = 0;
        self.rows.iter().map(move |row| {
            let key = self.keys.get(begin..row.key_end).unwrap_or_default();
            begin = row.key_end;
            (row, key)
        })
    }
}

impl<'c> Scanner<'c> {
    /// Prepares a connection.
    pub fn new(connection: &'c Connection, wanted: Wanted) -> Result<Self, LedgerError> {
        let (shapes, places) = (Event::shapes(), Places::new());
        let later_names = Event::NAMES.iter().copied().skip(shapes.len());
        let later = later_names.zip(Event::later_shapes()).collect();
        let work = Arc::new(Mutex::new(Work { wanted, shapes, later, places, ..Work::default() }));
        let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DIRECTONLY;
        connection.create_aggregate_function(FUNCTION, Event::NAMES.len() as i32, flags, TakeEvent(Arc::clone(&work)))?;
        Ok(Self { connection, work })
    }

    /// Reads the events from `first` to `last` and hands over what was found of them. They must be without gaps, and begin with
    /// `first` if there are any; whether they reach `last` is for the caller to say.
    pub fn range<T>(&self, first: i64, last: i64, take: impl FnOnce(&Found) -> T) -> Result<T, LedgerError> {
        {
            let mut work = self.work();
            work.next_seq = first;
            work.found.rows.clear();
            work.found.keys.clear();
            work.found.events = 0;
        }
        let columns = Event::NAMES.join(", ");
        let sql = format!("SELECT {FUNCTION}({columns}) FROM event WHERE seq BETWEEN ? AND ?");
        let ran = self.connection.prepare_cached(&sql)?.query_row([first, last], |_| Ok(())).optional();
        let mut work = self.work();
        if let Some(error) = work.error.take() {
            return Err(error);
        }
        ran?;
        Ok(take(&work.found))
    }

    fn work(&self) -> std::sync::MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Aggregate<AssertUnwindSafe<Work>, i64> for TakeEvent {
    fn init(&self, _: &mut Context<'_>) -> rusqlite::Result<AssertUnwindSafe<Work>> {
        Ok(AssertUnwindSafe(std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))))
    }

    fn step(&self, row: &mut Context<'_>, work: &mut AssertUnwindSafe<Work>) -> rusqlite::Result<()> {
        if work.error.is_none()
            && let Err(error) = work.take(row)
        {
            work.error = Some(error);
        }
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, work: Option<AssertUnwindSafe<Work>>) -> rusqlite::Result<i64> {
        if let Some(AssertUnwindSafe(work)) = work {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = work;
        }
        Ok(0)
    }
}

impl Work {
    fn take(&mut self, row: &Context<'_>) -> Result<(), LedgerError> {
        self.row.begin(Event::TABLE);
        for (column, shape) in self.shapes.iter().enumerate() {
            add(&mut self.row, *shape, row.get_raw(column))?;
        }
        for (column, (name, shape)) in (self.shapes.len()..).zip(&self.later) {
            let value = row.get_raw(column);
            if value != ValueRef::Null {
                self.row.text(name);
                add(&mut self.row, *shape, value)?;
            }
        }
        check("event", integer(row.get_raw(self.places.checksum))?, self.row.finish())?;
        let seq = integer(row.get_raw(self.places.seq))?;
        if seq != self.next_seq {
            return Err(LedgerError::Damaged(format!("event {} is missing", self.next_seq)));
        }
        self.next_seq += 1;
        self.found.events += 1;
        for (column, value) in &self.wanted.filters {
            if text(row.get_raw(*column))? != value.as_bytes() {
                return Ok(());
            }
        }
        for (place, part) in self.wanted.key.iter().enumerate() {
            if place > 0 {
                self.found.keys.push(GroupKey::SEPARATOR as u8);
            }
            match part {
                KeyPart::Column(column) => self.found.keys.extend_from_slice(text(row.get_raw(*column))?),
                KeyPart::Attribute(name) => add_attribute(&mut self.found.keys, row.get_raw(self.places.attributes), name)?,
            }
        }
        let (time_ns, amount_pico) = (integer(row.get_raw(self.places.time))?, integer(row.get_raw(self.places.amount))?);
        self.found.rows.push(FoundRow { time_ns, amount_pico, key_end: self.found.keys.len() });
        Ok(())
    }
}

/// Adds a column to a row's checksum, as the writer of the row did. Texts are compared as bytes: that they are UTF-8 follows.
fn add(checksum: &mut Checksum, shape: Shape, value: ValueRef<'_>) -> Result<(), LedgerError> {
    match (shape, value) {
        (Shape::Integer | Shape::OptionalInteger, ValueRef::Integer(value)) => checksum.integer(value),
        (Shape::Text, ValueRef::Text(value)) => checksum.bytes(value),
        (Shape::OptionalText, ValueRef::Text(value)) => {
            checksum.integer(1);
            checksum.bytes(value);
        }
        (Shape::OptionalText, ValueRef::Null) => checksum.integer(0),
        (Shape::OptionalReal, ValueRef::Real(value)) => checksum.integer(value.to_bits().cast_signed()),
        (Shape::OptionalInteger | Shape::OptionalReal, ValueRef::Null) => checksum.integer(i64::MIN),
        _ => return Err(damaged("event", "value")),
    }
    Ok(())
}

/// Adds to a key what the attributes of an event say under a name.
fn add_attribute(key: &mut Vec<u8>, attributes: ValueRef<'_>, name: &str) -> Result<(), LedgerError> {
    if attributes == ValueRef::Null {
        return Ok(());
    }
    let json = str::from_utf8(text(attributes)?).map_err(|_| damaged("event", ATTRIBUTES))?;
    let value = attribute_text(json, name).map_err(|_| damaged("event", ATTRIBUTES))?;
    key.extend_from_slice(GroupKey::escape(&value).as_bytes());
    Ok(())
}

fn integer(value: ValueRef<'_>) -> Result<i64, LedgerError> {
    value.as_i64().map_err(|_| damaged("event", "number"))
}

/// A text; empty where there is none.
fn text(value: ValueRef<'_>) -> Result<&[u8], LedgerError> {
    match value {
        ValueRef::Null => Ok(&[]),
        ValueRef::Text(text) => Ok(text),
        _ => Err(damaged("event", "text")),
    }
}
