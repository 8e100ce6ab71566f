//! How much of the page its lists may take: each so much at most, and all of them together.
//!
//! *Invariants.* A row is whole or not there.

use std::sync::atomic::{AtomicUsize, Ordering};

use maud::{Markup, PreEscaped};

/// What all lists together may take: the page less what the other parts have at most.
pub const ROWS_BYTES_MAX: usize = 64 * 1024;

/// What is left of the page for lists. The sections of a page are written one after the other, whatever order they come in.
#[derive(Debug)]
pub struct Pool(AtomicUsize);

/// What one list may still take.
#[derive(Debug)]
pub struct Room<'p> {
    pool: &'p Pool,
    bytes_left: usize,
    rows: String,
    /// Rows that are there.
    pub shown: usize,
}

impl Default for Pool {
    fn default() -> Self {
        Self(AtomicUsize::new(ROWS_BYTES_MAX))
    }
}

impl Pool {
    /// Room for a list of at most so many bytes.
    pub fn room(&self, bytes_max: usize) -> Room<'_> {
        Room { pool: self, bytes_left: bytes_max.min(self.0.load(Ordering::Relaxed)), rows: String::new(), shown: 0 }
    }
}

impl Room<'_> {
    /// Adds a row; `false` where there is no room for it.
    pub fn add(&mut self, row: &Markup) -> bool {
        let row = &row.0;
        let Some(left) = self.bytes_left.checked_sub(row.len()) else { return false };
        self.bytes_left = left;
        self.rows.push_str(row);
        self.shown += 1;
        true
    }

    /// Adds rows until there is no room for the next one.
    pub fn fill(mut self, rows: impl IntoIterator<Item = Markup>) -> Self {
        for row in rows {
            if !self.add(&row) {
                break;
            }
        }
        self
    }

    /// The rows.
    pub fn into_rows(self) -> Markup {
        let left = self.pool.0.load(Ordering::Relaxed);
        self.pool.0.store(left.saturating_sub(self.rows.len()), Ordering::Relaxed);
        PreEscaped(self.rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stop_where_the_room_of_the_list_or_of_the_page_is_used_up() {
        let pool = Pool::default();
        let rows = || ["<1>", "<22>", "<333>", "<4>"].map(|row| PreEscaped(row.to_owned()));
        let room = pool.room(8).fill(rows());
        assert_eq!((room.shown, room.into_rows().into_string().as_str()), (2, "<1><22>"));
        assert_eq!(pool.room(0).fill(rows()).shown, 0);
        let all = "x".repeat(ROWS_BYTES_MAX - 7 - 6);
        let room = pool.room(usize::MAX).fill([PreEscaped(all)]);
        assert_eq!(room.shown, 1);
        room.into_rows();
        assert_eq!(pool.room(usize::MAX).fill(rows()).shown, 1, "six bytes are left");
    }
}
