//! Rows: each kind is spelled once, as a list of its columns ([`row!`]). From the list follow the SQL, how a row is bound, how it is
//! read, and what its checksum covers.
//!
//! *Invariants.* A row's columns are the key's, then the others, in the order of the list, and the checksum last; in that order the
//! checksum takes them, after the table's name. So the order of a list is part of the file format. The checksum of a row that is
//! read is taken of what stands in the file, not of what was made of it.
//!
//! **One column more.** Name the field in the row's shape and add a line to its `later` columns, for an `Option` or what has a
//! `LaterCodec`. Rows of older formats have NULL there, since `ALTER TABLE … ADD COLUMN` gives them that, and a NULL adds nothing to the checksum: they keep the
//! one that they were written with. A value adds the column's name and itself. [`RowAdder`] adds rows without any as if there were
//! no such columns, so that they cost only the rows that have them.
//!
//! *Deliberately not here.* The text of the tables, which is a migration's; which rows are looked for, and why.

mod cell;
mod codec;
mod later;
mod read;
mod spelling;
mod write;

pub(super) use cell::{Cell, Cells, Shape};
pub(super) use codec::{Pico, nanoseconds};
pub(super) use later::ZeroIsNull;
pub(super) use read::{check, damaged, each_row, read_row, read_rows};
pub(super) use spelling::{
    Codec, LaterCodec, Plain, Row, Sink, Stored, later_shapes_of, put_later, row, shapes_of, take_later,
};
pub(super) use write::{RowAdder, RowWriter, checksum_of, write_row};

#[cfg(test)]
mod tests;
