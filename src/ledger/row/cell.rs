//! One column of one row: on its way into the file, and back.

use rusqlite::Row as SqlRow;
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};

use super::super::checksum::Checksum;

/// What a column holds, and with that how it enters the checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ledger) enum Shape {
    Integer,
    OptionalInteger,
    OptionalReal,
    Text,
    OptionalText,
    Bytes,
}

/// What a column is given.
#[derive(Clone, Copy, Debug)]
pub(in crate::ledger) enum Cell<'a> {
    Integer(i64),
    OptionalInteger(Option<i64>),
    OptionalReal(Option<f64>),
    Text(&'a str),
    /// A text of a few that the program knows.
    Word(&'static str),
    OptionalText(Option<&'a str>),
    Bytes(&'a [u8]),
    /// NULL in a column that older rows lack.
    Nothing,
}

impl Cell<'_> {
    /// Adds it to its row's checksum.
    #[inline(always)]
    pub fn add_to(self, checksum: &mut Checksum) {
        match self {
            Self::Integer(value) => checksum.integer(value),
            // No column has this integer.
            Self::OptionalInteger(value) => checksum.integer(value.unwrap_or(i64::MIN)),
            Self::OptionalReal(value) => checksum.integer(value.map_or(i64::MIN, |value| value.to_bits().cast_signed())),
            Self::Text(value) | Self::Word(value) => checksum.text(value),
            Self::OptionalText(None) => checksum.integer(0),
            Self::OptionalText(Some(value)) => {
                checksum.integer(1);
                checksum.text(value);
            }
            Self::Bytes(value) => checksum.bytes(value),
            Self::Nothing => {}
        }
    }
}

impl ToSql for Cell<'_> {
    #[inline]
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match *self {
            Self::Integer(value) | Self::OptionalInteger(Some(value)) => ValueRef::Integer(value),
            Self::OptionalReal(Some(value)) => ValueRef::Real(value),
            Self::Text(value) | Self::Word(value) | Self::OptionalText(Some(value)) => ValueRef::Text(value.as_bytes()),
            Self::Bytes(value) => ValueRef::Blob(value),
            Self::OptionalInteger(None) | Self::OptionalReal(None) | Self::OptionalText(None) | Self::Nothing => {
                ValueRef::Null
            }
        }))
    }
}

/// The columns of a row that is read, one after the other. Each is added to the checksum as it stands in the file; `None` is what
/// no build has written.
pub(in crate::ledger) struct Cells<'r> {
    row: &'r SqlRow<'r>,
    next: usize,
    checksum: &'r mut Checksum,
}

impl<'r> Cells<'r> {
    /// The columns of a row, whose table the checksum knows already.
    pub fn of(row: &'r SqlRow<'r>, checksum: &'r mut Checksum) -> Self {
        Self { row, next: 0, checksum }
    }

    pub fn integer(&mut self) -> Option<i64> {
        let value = self.next()?.as_i64().ok()?;
        Cell::Integer(value).add_to(self.checksum);
        Some(value)
    }

    pub fn optional_integer(&mut self) -> Option<Option<i64>> {
        let value = self.next()?.as_i64_or_null().ok()?;
        Cell::OptionalInteger(value).add_to(self.checksum);
        Some(value)
    }

    pub fn optional_real(&mut self) -> Option<Option<f64>> {
        let value = self.next()?.as_f64_or_null().ok()?;
        Cell::OptionalReal(value).add_to(self.checksum);
        Some(value)
    }

    pub fn text(&mut self) -> Option<&'r str> {
        let value = self.next()?.as_str().ok()?;
        Cell::Text(value).add_to(self.checksum);
        Some(value)
    }

    pub fn optional_text(&mut self) -> Option<Option<&'r str>> {
        let value = self.next()?.as_str_or_null().ok()?;
        Cell::OptionalText(value).add_to(self.checksum);
        Some(value)
    }

    pub fn bytes(&mut self) -> Option<&'r [u8]> {
        let value = self.next()?.as_blob().ok()?;
        Cell::Bytes(value).add_to(self.checksum);
        Some(value)
    }

    /// Whether the next column, which older rows lack, has a value; passes over it when it has none.
    pub fn has_later(&mut self, name: &str) -> bool {
        let is_null = self.row.get_ref(self.next).is_ok_and(|value| value == ValueRef::Null);
        if is_null {
            self.next += 1;
        } else {
            self.checksum.text(name);
        }
        !is_null
    }

    /// The checksum of the columns so far, and the one that the row brought with it.
    pub fn checksums(&self) -> Option<(i64, i64)> {
        let stored = self.row.get_ref(self.next).ok()?.as_i64().ok()?;
        Some((self.checksum.finish(), stored))
    }

    fn next(&mut self) -> Option<ValueRef<'r>> {
        let cell = self.row.get_ref(self.next).ok()?;
        self.next += 1;
        Some(cell)
    }
}
