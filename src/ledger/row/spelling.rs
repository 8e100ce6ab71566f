//! How a kind of row is spelled, and what follows from it.

use super::super::LedgerError;
use super::cell::{Cell, Cells, Shape};

/// Where the columns of a row go, one after the other: into a statement and a checksum, or a checksum alone.
pub(in crate::ledger) trait Sink {
    /// # Errors
    /// It cannot be bound.
    fn add(&mut self, cell: Cell<'_>) -> Result<(), LedgerError>;

    /// The next column is one that older rows lack, and has a value.
    fn later(&mut self, name: &str);
}

/// How a value becomes a column, or several, and comes back.
pub(in crate::ledger) trait Codec<T> {
    /// The columns.
    const SHAPES: &'static [Shape];

    /// # Errors
    /// The value has no place there, or cannot be bound.
    fn put(value: &T, sink: &mut impl Sink) -> Result<(), LedgerError>;

    /// `None` when what stands there is impossible.
    fn take(cells: &mut Cells<'_>) -> Option<T>;
}

/// How a value becomes columns that older rows lack, which are NULL where it says nothing.
pub(in crate::ledger) trait LaterCodec<T> {
    /// The columns, where they have a value.
    const SHAPES: &'static [Shape];

    /// # Errors
    /// As for [`Codec::put`].
    fn put(value: &T, names: &[&str], sink: &mut impl Sink) -> Result<(), LedgerError>;

    /// `None` when what stands there is impossible.
    fn take(names: &[&str], cells: &mut Cells<'_>) -> Option<T>;

    /// Whether the value says nothing: all its columns are NULL.
    fn is_absent(value: &T) -> bool;
}

/// The codec of a type that is always written in the same way.
pub(in crate::ledger) struct Plain;

/// One column, for a value that may be absent.
impl<T, C: Codec<T>> LaterCodec<Option<T>> for C {
    const SHAPES: &'static [Shape] = C::SHAPES;

    #[inline]
    fn put(value: &Option<T>, names: &[&str], sink: &mut impl Sink) -> Result<(), LedgerError> {
        put_later::<T, C>(value.as_ref(), names.first().copied().unwrap_or_default(), sink)
    }

    fn take(names: &[&str], cells: &mut Cells<'_>) -> Option<Option<T>> {
        take_later::<T, C>(names.first().copied().unwrap_or_default(), cells)
    }

    #[inline]
    fn is_absent(value: &Option<T>) -> bool {
        value.is_none()
    }
}

/// Writes a column that older rows lack.
#[inline]
pub(in crate::ledger) fn put_later<T, C: Codec<T>>(
    value: Option<&T>,
    name: &str,
    sink: &mut impl Sink,
) -> Result<(), LedgerError> {
    match value {
        Some(value) => {
            sink.later(name);
            C::put(value, sink)
        }
        None => sink.add(Cell::Nothing),
    }
}

/// Reads a column that older rows lack; the outer `None` is what is impossible.
pub(in crate::ledger) fn take_later<T, C: Codec<T>>(name: &str, cells: &mut Cells<'_>) -> Option<Option<T>> {
    if cells.has_later(name) { C::take(cells).map(Some) } else { Some(None) }
}

/// What can be written as a row.
pub(in crate::ledger) trait Row {
    const TABLE: &'static str;
    /// Columns of the key, which come first.
    const KEYS: usize;
    /// All columns but the checksum.
    const COLUMNS: usize;
    /// Those of them that older rows lack, which come last.
    const LATER_COLUMNS: usize;
    const INSERT: &'static str;
    /// Adds rows without later columns; behind it come [`Row::PLAIN_VALUES`] for each.
    const INSERT_PLAIN: &'static str;
    const PLAIN_VALUES: &'static str;
    const UPDATE: &'static str;

    /// Whether a later column has a value.
    fn has_later(&self) -> bool;

    /// All columns but the later ones.
    fn put_plain(&self, sink: &mut impl Sink) -> Result<(), LedgerError>;

    /// The later columns.
    fn put_later(&self, sink: &mut impl Sink) -> Result<(), LedgerError>;
}

/// What a row can be read as.
pub(in crate::ledger) trait Stored: Sized {
    const TABLE: &'static str;
    /// The names of all columns, the checksum's included.
    const NAMES: &'static [&'static str];
    /// All columns from the table; the caller adds which rows.
    const SELECT: &'static str;

    /// What the columns hold, but for those that older rows lack, and the checksum.
    fn shapes() -> Vec<Shape>;

    /// What the columns that older rows lack hold, where they have a value.
    fn later_shapes() -> Vec<Shape>;

    fn take(cells: &mut Cells<'_>) -> Result<Self, LedgerError>;
}

/// The columns of a field, whose type is known from how it is taken out of its row.
pub(in crate::ledger) fn shapes_of<R, T, C: Codec<T>>(_: fn(&R) -> &T) -> &'static [Shape] {
    C::SHAPES
}

/// The later columns of a field, whose type is known from how it is taken out of its row.
pub(in crate::ledger) fn later_shapes_of<R, T, C: LaterCodec<T>>(_: fn(&R) -> &T) -> &'static [Shape] {
    C::SHAPES
}

/// Spells a kind of row: `head.rs` has a plain one, `events.rs` one with most of what there is.
///
/// The shape (in parentheses) is the pattern that takes a value apart into its columns' values, and the expression that puts it
/// together again. A field's codec is [`Plain`] unless one is named. A table of a single row has a fixed column of its own.
macro_rules! row {
    (
        $verb:literal $table:literal $(($fixed:literal = $fixed_value:literal))?,
        write $write:ty, read $read:ty,
        $shape:tt,
        key { $($($key:literal),+ => $key_field:ident $(: $key_codec:ty)?;)* }
        columns { $($($name:literal),+ => $field:ident $(: $codec:ty)?;)* }
        $(later { $($($later:literal),+ => $later_field:ident $(: $later_codec:ty)?;)* })?
    ) => {
        #[allow(unused_parens, reason = "in parentheses the shape can stand in several places")]
        impl $crate::ledger::row::Row for $write {
            const TABLE: &'static str = $table;
            const KEYS: usize = {
                let names: &[&str] = &[$($($key),+),*];
                names.len()
            };
            const COLUMNS: usize = {
                let names: &[&str] = &[$($($key,)+)* $($($name,)+)* $($($($later,)+)*)?];
                names.len()
            };
            const LATER_COLUMNS: usize = {
                let names: &[&str] = &[$($($($later,)+)*)?];
                names.len()
            };
            const INSERT: &'static str = concat!(
                $verb, " INTO ", $table, " (", $($fixed, ", ",)?
                $($($key, ", ",)+)* $($($name, ", ",)+)* $($($($later, ", ",)+)*)? "checksum) VALUES (",
                $($fixed_value, ", ",)?
                $($(row!(@mark $key),)+)* $($(row!(@mark $name),)+)* $($($(row!(@mark $later),)+)*)? "?)"
            );
            const INSERT_PLAIN: &'static str = concat!(
                $verb, " INTO ", $table, " (", $($fixed, ", ",)?
                $($($key, ", ",)+)* $($($name, ", ",)+)* "checksum) VALUES "
            );
            const PLAIN_VALUES: &'static str = concat!(
                "(", $($fixed_value, ", ",)? $($(row!(@mark $key),)+)* $($(row!(@mark $name),)+)* "?)"
            );
            const UPDATE: &'static str = concat!(
                "UPDATE ", $table, " SET ", $($($name, " = ?, ",)+)* $($($($later, " = ?, ",)+)*)? "checksum = ? WHERE TRUE",
                $($(" AND ", $key, " = ?",)+)*
            );

            #[allow(unused_imports, unused_variables, reason = "few kinds of row have later columns")]
            fn has_later(&self) -> bool {
                use $crate::ledger::row::LaterCodec;
                let $shape = self;
                false $($(|| !<row!(@codec $($later_codec)?) as LaterCodec<_>>::is_absent($later_field))*)?
            }

            #[allow(unused_variables, reason = "without later columns all of the shape is used")]
            fn put_plain(&self, sink: &mut impl $crate::ledger::row::Sink) -> Result<(), $crate::ledger::LedgerError> {
                use $crate::ledger::row::Codec;
                let $shape = self;
                $(<row!(@codec $($key_codec)?) as Codec<_>>::put($key_field, sink)?;)*
                $(<row!(@codec $($codec)?) as Codec<_>>::put($field, sink)?;)*
                Ok(())
            }

            #[allow(unused_imports, unused_variables, reason = "few kinds of row have later columns")]
            fn put_later(&self, sink: &mut impl $crate::ledger::row::Sink) -> Result<(), $crate::ledger::LedgerError> {
                use $crate::ledger::row::LaterCodec;
                let $shape = self;
                $($(<row!(@codec $($later_codec)?) as LaterCodec<_>>::put($later_field, &[$($later),+], sink)?;)*)?
                Ok(())
            }
        }

        #[allow(unused_parens, reason = "in parentheses the shape can stand in several places")]
        impl $crate::ledger::row::Stored for $read {
            const TABLE: &'static str = $table;
            const NAMES: &'static [&'static str] = &[$($($key,)+)* $($($name,)+)* $($($($later,)+)*)? "checksum"];
            const SELECT: &'static str = concat!(
                "SELECT ", $($($key, ", ",)+)* $($($name, ", ",)+)* $($($($later, ", ",)+)*)? "checksum FROM ", $table
            );

            #[allow(unused_variables, reason = "each time one column is taken out of the row")]
            fn shapes() -> Vec<$crate::ledger::row::Shape> {
                use $crate::ledger::row::shapes_of;
                [
                    $(shapes_of::<Self, _, row!(@codec $($key_codec)?)>(|row| { let $shape = row; $key_field }),)*
                    $(shapes_of::<Self, _, row!(@codec $($codec)?)>(|row| { let $shape = row; $field }),)*
                ]
                .concat()
            }

            #[allow(unused_variables, reason = "each time one column is taken out of the row")]
            fn later_shapes() -> Vec<$crate::ledger::row::Shape> {
                #[allow(unused_imports, reason = "few kinds of row have later columns")]
                use $crate::ledger::row::later_shapes_of;
                [
                    [].as_slice(),
                    $($(later_shapes_of::<Self, _, row!(@codec $($later_codec)?)>(|row| { let $shape = row; $later_field }),)*)?
                ]
                .concat()
            }

            fn take(cells: &mut $crate::ledger::row::Cells<'_>) -> Result<Self, $crate::ledger::LedgerError> {
                #[allow(unused_imports, reason = "few kinds of row have later columns")]
                use $crate::ledger::row::{Codec, LaterCodec, damaged};
                $(
                    let $key_field = <row!(@codec $($key_codec)?) as Codec<_>>::take(cells)
                        .ok_or_else(|| damaged($table, row!(@first $($key),+)))?;
                )*
                $(
                    let $field = <row!(@codec $($codec)?) as Codec<_>>::take(cells)
                        .ok_or_else(|| damaged($table, row!(@first $($name),+)))?;
                )*
                $($(
                    let $later_field = <row!(@codec $($later_codec)?) as LaterCodec<_>>::take(&[$($later),+], cells)
                        .ok_or_else(|| damaged($table, row!(@first $($later),+)))?;
                )*)?
                Ok($shape)
            }
        }
    };
    (@mark $name:literal) => { "?, " };
    (@first $name:literal $(, $others:literal)*) => { $name };
    (@codec) => { $crate::ledger::row::Plain };
    (@codec $codec:ty) => { $codec };
}
pub(in crate::ledger) use row;
