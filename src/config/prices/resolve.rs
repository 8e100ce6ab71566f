//! From tables and a file to the book.

use std::path::Path;
use std::sync::Arc;

use toml::de::DeTable;

use super::super::draft::Draft;
use super::super::page::{Page, Reading, read_bounded};
use super::super::problem::{Origin, Placed, Problem};
use super::super::spec::{Put, Spec};
use super::super::table::{no_rules, tables};
use super::fields;
use crate::pricing::{Book, BookError, FILE_BYTES_MAX, PriceFile, PriceTable, TABLES_MAX};

/// Dollars for one token beyond which a price is most likely one for a million.
const USD_PER_TOKEN_DOUBTED: f64 = 0.01;

/// What the book is made of, with what is wrong on the way to it.
#[derive(Default)]
pub(in crate::config) struct Prices {
    own: Vec<PriceTable>,
    file: Option<PriceFile>,
    pub problems: Vec<Problem>,
    pub doubts: Vec<String>,
}

/// The setting of the `[[price]]` tables.
pub(in crate::config) fn setting() -> Spec<Draft> {
    tables("price", "A price of your own", TABLES_MAX, fields::all(), no_rules, |to: &mut Draft| &mut to.prices)
}

/// Puts all prices together. `file` is the operator's file, with where it is named.
pub(in crate::config) fn resolve(own: Vec<Placed<PriceTable>>, file: Option<(&Path, Origin)>) -> Prices {
    let mut found = Prices::default();
    found.judge(&own);
    if let Some((path, origin)) = file {
        match read(path, &mut found) {
            Ok(file) => found.file = Some(file),
            Err(wrong) => {
                let detail = format!("{} {wrong}", path.display());
                found.problems.push(Problem { setting: Some("prices_file"), origin, detail });
            }
        }
    }
    found.own = own.into_iter().map(|table| table.value).collect();
    found
}

/// Reads the operator's file, JSON or TOML; what is wrong with its tables is noted. An error completes a sentence that begins with the path.
fn read(path: &Path, found: &mut Prices) -> Result<PriceFile, String> {
    let text = read_bounded(path, FILE_BYTES_MAX).map_err(|reason| format!("cannot be read: {reason}"))?;
    if text.trim_start().starts_with(['{', '[']) && !text.trim_start().starts_with("[[") {
        return PriceFile::of_json(&text).map_err(|error| error.to_string());
    }
    let shown = path.display().to_string();
    let mut reading = Reading { page: Page::new(&shown, &text), problems: Vec::new() };
    let mut draft = Draft::default();
    let (table, errors) = DeTable::parse_recoverable(&text);
    for error in &errors {
        reading.wrong(None, error.span().map_or(0, |span| span.start), error.message().replace('\n', ", "));
    }
    let setting = setting();
    for (key, value) in table.get_ref().iter().filter(|_| errors.is_empty()) {
        match &setting.put {
            Put::Value(put) if &**key.get_ref() == setting.key => put(&mut draft, value, &mut reading),
            _ => {
                let detail = format!("{:?} is no price; the file has [[price]] tables only", key.get_ref());
                reading.wrong(None, key.span().start, detail);
            }
        }
    }
    found.problems.append(&mut reading.problems);
    found.judge(&draft.prices);
    Ok(PriceFile::of_tables(&text, draft.prices.into_iter().map(|table| table.value).collect()))
}

impl Prices {
    /// The book of it all, once nothing is wrong with it.
    pub fn book(&mut self) -> Result<Arc<Book>, BookError> {
        Book::with(&self.own, self.file.take()).map(Arc::new)
    }

    /// Notes what cannot hold, and what is probably not meant.
    fn judge(&mut self, tables: &[Placed<PriceTable>]) {
        for Placed { value, origin } in tables {
            if let (Some(from), Some(until)) = (value.from, value.until)
                && until <= from
            {
                let detail = format!("until {until} is not after from {from}, so it never holds");
                self.problems.push(Problem { setting: Some("price"), origin: origin.clone(), detail });
            }
            let usd: f64 = value.usd.to_string().parse().unwrap_or(0.0);
            if value.unit.ends_with("_tokens") && usd / value.per as f64 > USD_PER_TOKEN_DOUBTED {
                let (usd, per, unit) = (&value.usd, value.per, &value.unit);
                self.doubts.push(format!(
                    "{origin}: price is {usd} USD for {per} {unit}; most providers give prices for a million: per = 1000000"
                ));
            }
        }
    }
}
