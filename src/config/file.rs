//! The file of settings: TOML to texts with their places.
//!
//! *Invariants.* Everything that is wrong with the file is found in one go, unless its grammar is broken.
//!
//! *Limits.* [`FILE_BYTES_MAX`].

use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::budgets::caps;
use super::draft::{Draft, Setting};
use super::kind::Shape;
use super::near::{nearest, plain};
use super::page::{Page, Reading, read_bounded};
use super::problem::{Origin, Problem};
use super::settings::{SETTINGS, TABLES};
use super::spec::Put;
use super::table::text_of;

/// Largest file that is read; a bigger one is a mistake (a ledger, a device).
pub const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// One setting as the file has it.
#[derive(Debug)]
pub(super) struct Entry {
    pub setting: &'static Setting,
    pub text: String,
    pub origin: Origin,
}

/// Reads a file: puts its tables and caps into the draft, and gives its settings and what is wrong.
pub(super) fn read(path: &Path, named_by: Origin, draft: &mut Draft) -> (Vec<Entry>, Vec<Problem>) {
    let shown = path.display().to_string();
    match read_bounded(path, FILE_BYTES_MAX) {
        Ok(text) => {
            let mut reading = Reading { page: Page::new(&shown, &text), problems: Vec::new() };
            (parse(&text, draft, &mut reading), reading.problems)
        }
        Err(reason) => {
            let detail = format!("cannot read {shown}: {reason}");
            (Vec::new(), vec![Problem { setting: None, origin: named_by, detail }])
        }
    }
}

fn parse(text: &str, draft: &mut Draft, reading: &mut Reading<'_>) -> Vec<Entry> {
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        // Where the grammar is broken, the keys after it are guesses: only the breaks are reported.
        reading.wrong(None, error.span().map_or(0, |span| span.start), error.message().replace('\n', ", "));
    }
    let mut keys: Vec<(&Spanned<_>, &Spanned<DeValue<'_>>)> = table.get_ref().iter().collect();
    keys.sort_by_key(|(key, _)| key.span().start);
    let mut entries = Vec::new();
    for (key, value) in keys.into_iter().filter(|_| errors.is_empty()) {
        let name: &str = key.get_ref();
        let start = value.span().start;
        if let Some(setting) = Setting::find(name) {
            match text_of(setting.shape, value.get_ref()) {
                Ok(text) => entries.push(Entry { setting, text, origin: reading.page.place(start) }),
                Err(detail) => reading.wrong(Some(setting.key), start, detail),
            }
        } else if let Some(Put::Value(put)) = TABLES.iter().find(|table| table.key == name).map(|table| &table.put) {
            put(draft, value, reading);
        } else if caps::is_cap(name) && name == name.to_lowercase() {
            match caps::read(name, text_of(Shape::Number, value.get_ref()), reading.page.place(start)) {
                Ok(cap) => draft.caps.push(cap),
                Err(problem) => reading.problems.push(problem),
            }
        } else {
            reading.wrong(None, key.span().start, unknown(name));
        }
    }
    entries
}

/// What to tell the author of a key that is no setting.
fn unknown(key: &str) -> String {
    let plain = plain(key);
    if caps::is_cap(&plain) {
        return format!("{key:?} is not a setting; did you mean {plain}?");
    }
    match nearest(key, SETTINGS.iter().chain(TABLES.iter()).map(|setting| setting.key)) {
        Some(near) => format!("{key:?} is not a setting; did you mean {near}?"),
        None => format!("{key:?} is not a setting; check-config --help lists them all"),
    }
}
