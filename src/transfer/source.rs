//! What can be imported, and how it is opened.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use super::row::{BadRow, Mapping, Row, SourceError};
use super::{json_lines, litellm, original, sheet_rows};

/// The formats of an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceFormat {
    /// One event a line, as `export` and `POST /costs` have it.
    Jsonl,
    /// Columns by the names of an event's fields.
    Csv,
    /// LiteLLM's spend logs: what `/spend/logs` answers, or the table as JSON lines or CSV.
    LitellmSpendLogs,
    /// The SQLite file of the program's Python original.
    SqliteOriginal,
}

/// Reads a file, or standard input where there is none, and hands over each row, or what is wrong with it, in order. Returns how
/// large the source is in the unit of [`Row::bytes`] through `size` before the first row, if that is known.
///
/// # Errors
/// It cannot be read, or not beyond some place; rows before it were handed over. Whatever `take` returns.
pub fn read_source(
    format: SourceFormat,
    path: Option<&Path>,
    mapping: &Mapping,
    size: &mut dyn FnMut(u64),
    take: &mut dyn FnMut(Result<Row, BadRow>) -> Result<(), SourceError>,
) -> Result<(), SourceError> {
    if format == SourceFormat::SqliteOriginal {
        let path = path.ok_or_else(|| SourceError::Malformed("a SQLite file cannot be read from standard input".into()))?;
        return original::read(path, mapping, size, take);
    }
    let mut input: Box<dyn BufRead> = match path {
        None => Box::new(io::stdin().lock()),
        Some(path) => {
            let open = |source| SourceError::Open { path: path.into(), source };
            let file = File::open(path).map_err(open)?;
            let metadata = file.metadata().map_err(open)?;
            if metadata.is_file() {
                size(metadata.len());
            }
            Box::new(BufReader::with_capacity(256 * 1024, file))
        }
    };
    match format {
        SourceFormat::Jsonl => json_lines::read(&mut *input, mapping, take),
        SourceFormat::Csv => sheet_rows::read(&mut *input, mapping, take),
        SourceFormat::LitellmSpendLogs => litellm::read(&mut *input, mapping, take),
        SourceFormat::SqliteOriginal => Ok(()),
    }
}
