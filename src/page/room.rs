//! How much of the page a list may take.
//!
//! *Invariants.* A row is whole or not there.

use maud::{Markup, PreEscaped};

/// Bytes that a list may still take.
#[derive(Debug)]
pub struct Room {
    bytes_left: usize,
    rows: String,
    /// Rows that are there.
    pub shown: usize,
}

impl Room {
    /// Room for so many bytes.
    pub fn of(bytes: usize) -> Self {
        Self { bytes_left: bytes, rows: String::new(), shown: 0 }
    }

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
        PreEscaped(self.rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stop_where_the_room_is_used_up() {
        let rows = ["<1>", "<22>", "<333>", "<4>"].map(|row| PreEscaped(row.to_owned()));
        let room = Room::of(8).fill(rows);
        assert_eq!((room.shown, room.into_rows().into_string().as_str()), (2, "<1><22>"));
        assert_eq!(Room::of(0).fill([PreEscaped("x".to_owned())]).shown, 0);
    }
}
