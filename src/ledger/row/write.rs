//! Writing rows.

use std::marker::PhantomData;

use rusqlite::{CachedStatement, Connection, Statement};

use super::super::LedgerError;
use super::super::checksum::Checksum;
use super::cell::Cell;
use super::spelling::{Row, Sink};

/// How many rows a statement adds at once, the most first: what it costs to run one, with its table and indexes opened anew, is a
/// tenth of adding a row. Beyond 16 it gets no better, and the last few rows of a commit should not be many.
const ROWS_AT_ONCE: [usize; 3] = [16, 4, 1];

/// Writes rows of one kind, of which there may be many: one statement, and one memory for the checksum, serve all of them.
pub(in crate::ledger) struct RowWriter<'c, R> {
    statement: CachedStatement<'c>,
    /// The parameter of the first column: in an update the key comes behind everything else.
    first: usize,
    /// Whether the statement knows the later columns.
    has_later: bool,
    /// What the parameters have, row by row.
    held: Vec<Held>,
    /// Parameters of one row.
    parameters: usize,
    checksum: Checksum,
    rows: PhantomData<fn(&R)>,
}

/// Adds very many rows of one kind, several with each statement. Those without later columns are added as if there were none.
pub(in crate::ledger) struct RowAdder<'c, R> {
    connection: &'c Connection,
    plain: [Option<RowWriter<'c, R>>; ROWS_AT_ONCE.len()],
    with_later: Option<RowWriter<'c, R>>,
}

impl<'c, R: Row> RowWriter<'c, R> {
    /// Adds rows, with the verb of their kind.
    pub fn insert(connection: &'c Connection) -> Result<Self, LedgerError> {
        Self::new(connection, R::INSERT, 1, true, 1)
    }

    /// Changes rows that are there.
    pub fn update(connection: &'c Connection) -> Result<Self, LedgerError> {
        Self::new(connection, R::UPDATE, R::COLUMNS - R::KEYS + 2, true, 1)
    }

    /// Adds so many rows at once, which have no later columns.
    fn insert_plain(connection: &'c Connection, rows: usize) -> Result<Self, LedgerError> {
        let sql = [R::INSERT_PLAIN, &vec![R::PLAIN_VALUES; rows].join(", ")].concat();
        Self::new(connection, &sql, 1, false, rows)
    }

    fn new(connection: &'c Connection, sql: &str, first: usize, has_later: bool, rows: usize) -> Result<Self, LedgerError> {
        let statement = connection.prepare_cached(sql)?;
        let parameters = R::COLUMNS + 1 - if has_later { 0 } else { R::LATER_COLUMNS };
        let held = vec![Held::Null; parameters * rows];
        Ok(Self { statement, first, has_later, held, parameters, checksum: Checksum::new(), rows: PhantomData })
    }

    /// Writes one row and returns its checksum.
    pub fn write(&mut self, row: &R) -> Result<i64, LedgerError> {
        self.try_write(row)?.ok_or_else(|| LedgerError::Damaged(format!("a row of {} to be changed is missing", R::TABLE)))
    }

    /// Writes one row and returns its checksum; `None` when there is none to change.
    pub fn try_write(&mut self, row: &R) -> Result<Option<i64>, LedgerError> {
        let checksum = self.bind(0, row)?;
        let written = self.statement.raw_execute()?;
        Ok((written == 1).then_some(checksum))
    }

    /// Gives the statement the row that stands behind so many others in it, and returns its checksum.
    fn bind(&mut self, rows_before: usize, row: &R) -> Result<i64, LedgerError> {
        self.checksum.begin(R::TABLE);
        let before = rows_before * self.parameters;
        let held = &mut self.held[before..before + self.parameters];
        let parameters = Parameters { statement: &mut self.statement, before, held };
        let mut binder = Binder { parameters, checksum: &mut self.checksum, next: self.first };
        row.put_plain(&mut binder)?;
        if self.has_later {
            row.put_later(&mut binder)?;
        }
        let checksum = binder.checksum.finish();
        // The last parameter of an insert; in an update the one before the key.
        let place = if self.first == 1 { self.parameters } else { self.first - 1 };
        binder.parameters.bind(place, Cell::Integer(checksum))?;
        Ok(checksum)
    }
}

impl<'c, R: Row> RowAdder<'c, R> {
    /// Rows that are best added together.
    pub const ROWS_MAX: usize = ROWS_AT_ONCE[0];

    pub fn new(connection: &'c Connection) -> Self {
        Self { connection, plain: [const { None }; ROWS_AT_ONCE.len()], with_later: None }
    }

    /// Adds rows, in their order, and hands over their checksums.
    pub fn add(&mut self, rows: &[R], mut take: impl FnMut(i64)) -> Result<(), LedgerError> {
        for alike in rows.chunk_by(|row, next| row.has_later() == next.has_later()) {
            let mut rest = alike;
            while let Some(row) = rest.first() {
                let (writer, count) = self.writer(row.has_later(), rest.len())?;
                let (together, others) = rest.split_at(count);
                for (before, row) in together.iter().enumerate() {
                    take(writer.bind(before, row)?);
                }
                writer.statement.raw_execute()?;
                rest = others;
            }
        }
        Ok(())
    }

    /// The statement that adds the most of so many rows, and how many that is.
    fn writer(&mut self, has_later: bool, rows: usize) -> Result<(&mut RowWriter<'c, R>, usize), LedgerError> {
        let connection = self.connection;
        if has_later {
            return Ok((get_or_make(&mut self.with_later, || RowWriter::insert(connection))?, 1));
        }
        // One fits always.
        let at = ROWS_AT_ONCE.iter().position(|size| *size <= rows).unwrap_or(ROWS_AT_ONCE.len() - 1);
        let size = ROWS_AT_ONCE[at];
        Ok((get_or_make(&mut self.plain[at], || RowWriter::insert_plain(connection, size))?, size))
    }
}

fn get_or_make<T, E>(place: &mut Option<T>, make: impl FnOnce() -> Result<T, E>) -> Result<&mut T, E> {
    match place {
        Some(made) => Ok(made),
        empty => Ok(empty.insert(make()?)),
    }
}

/// Adds one row, with the verb of its kind.
pub(in crate::ledger) fn write_row<R: Row>(connection: &Connection, row: &R) -> Result<(), LedgerError> {
    RowWriter::insert(connection)?.write(row).map(drop)
}

/// The checksum that a row has in the file.
pub(in crate::ledger) fn checksum_of<R: Row>(row: &R) -> Result<i64, LedgerError> {
    let mut checksum = Checksum::new();
    checksum.begin(R::TABLE);
    row.put_plain(&mut checksum)?;
    row.put_later(&mut checksum)?;
    Ok(checksum.finish())
}

/// What a parameter has, as far as it is worth knowing: many columns are NULL, or the same, in row after row.
#[derive(Clone, Copy)]
enum Held {
    /// As all are at first.
    Null,
    Integer(i64),
    Word(&'static str),
    /// Something else, which is not compared.
    Other,
}

/// A row's parameters of a statement.
struct Parameters<'b, 'c> {
    statement: &'b mut Statement<'c>,
    /// How many come before the row's.
    before: usize,
    held: &'b mut [Held],
}

impl Held {
    fn of(cell: Cell<'_>) -> Self {
        match cell {
            Cell::OptionalInteger(None) | Cell::OptionalReal(None) | Cell::OptionalText(None) | Cell::Nothing => Self::Null,
            Cell::Integer(value) | Cell::OptionalInteger(Some(value)) => Self::Integer(value),
            Cell::Word(word) => Self::Word(word),
            Cell::Text("") => Self::Word(""),
            Cell::OptionalReal(Some(_)) | Cell::Text(_) | Cell::OptionalText(Some(_)) | Cell::Bytes(_) => Self::Other,
        }
    }

    /// Whether a parameter that has this need not be given that.
    #[inline(always)]
    fn is(self, cell: Cell<'_>) -> bool {
        match (self, cell) {
            (
                Self::Null,
                Cell::OptionalInteger(None) | Cell::OptionalReal(None) | Cell::OptionalText(None) | Cell::Nothing,
            ) => true,
            (Self::Integer(held), Cell::Integer(value) | Cell::OptionalInteger(Some(value))) => held == value,
            (Self::Word(held), Cell::Word(word)) => held == word,
            (Self::Word(held), Cell::Text(text)) => held.is_empty() && text.is_empty(),
            _ => false,
        }
    }
}

impl Parameters<'_, '_> {
    /// Gives the parameter at a place, from 1, what it does not have yet. In line, because there it is known of most columns what
    /// kind of cell they are.
    #[inline(always)]
    fn bind(&mut self, place: usize, cell: Cell<'_>) -> Result<(), LedgerError> {
        if self.held[place - 1].is(cell) { Ok(()) } else { self.give(place, cell) }
    }

    #[inline(never)]
    fn give(&mut self, place: usize, cell: Cell<'_>) -> Result<(), LedgerError> {
        self.held[place - 1] = Held::of(cell);
        Ok(self.statement.raw_bind_parameter(self.before + place, cell)?)
    }
}

/// Binds columns to a statement and adds them to the checksum.
struct Binder<'b, 'c> {
    parameters: Parameters<'b, 'c>,
    checksum: &'b mut Checksum,
    next: usize,
}

impl Sink for Binder<'_, '_> {
    #[inline(always)]
    fn add(&mut self, cell: Cell<'_>) -> Result<(), LedgerError> {
        cell.add_to(self.checksum);
        self.parameters.bind(self.next, cell)?;
        self.next = if self.next == self.parameters.held.len() { 1 } else { self.next + 1 };
        Ok(())
    }

    fn later(&mut self, name: &str) {
        self.checksum.text(name);
    }
}

impl Sink for Checksum {
    #[inline]
    fn add(&mut self, cell: Cell<'_>) -> Result<(), LedgerError> {
        cell.add_to(self);
        Ok(())
    }

    fn later(&mut self, name: &str) {
        self.text(name);
    }
}
