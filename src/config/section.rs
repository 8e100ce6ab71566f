//! Arrays of tables in the file, such as `[[budget]]`: each table to a draft, by one list of its keys.
//!
//! *Invariants.* Everything that is wrong with a table is found in one go, and said with its place. No text of a secret is
//! repeated.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::file::{Page, nearest, text_of, with_article};
use super::problem::{Origin, Problem, quoted};
use super::table::Shape;

/// An array of tables that the file may have.
pub(super) struct Array<D: 'static> {
    /// Its name: the key in the double brackets.
    pub name: &'static str,
    /// The keys of each table.
    pub fields: &'static [Field<D>],
    /// Tables in it; more are not looked at.
    pub tables_max: usize,
}

/// One key of such a table.
pub(super) struct Field<D> {
    pub key: &'static str,
    pub shape: Shape,
    pub required: bool,
    /// What may be written.
    pub allowed: &'static str,
    pub set: fn(&mut D, &str) -> Result<(), String>,
}

/// One table as it was read, and where it begins.
#[derive(Clone, Debug)]
pub(super) struct Section<D> {
    pub draft: D,
    pub origin: Origin,
}

impl<D: Default> Array<D> {
    /// Reads every table. One with a problem is among the answers too, so that rules between tables are still looked at.
    pub fn read(&self, page: &Page<'_>, value: &Spanned<DeValue<'_>>, problems: &mut Vec<Problem>) -> Vec<Section<D>> {
        let mut wrong = |offset: usize, detail: String| {
            problems.push(Problem { setting: Some(self.name), origin: page.place(offset), detail });
        };
        let Some(tables) = value.get_ref().as_array() else {
            let found = with_article(value.get_ref().type_str());
            wrong(value.span().start, format!("must be tables, each under [[{}]], not {found}", self.name));
            return Vec::new();
        };
        if let Some(beyond) = tables.get(self.tables_max) {
            let detail = format!("is there {} times, more than {}", tables.len(), self.tables_max);
            wrong(beyond.span().start, detail);
        }
        let mut sections = Vec::new();
        for table in tables.iter().take(self.tables_max) {
            let start = table.span().start;
            match table.get_ref().as_table() {
                Some(keys) => {
                    sections.push(Section { draft: self.draft(start, keys, &mut wrong), origin: page.place(start) })
                }
                None => wrong(start, format!("must be a table, not {}", with_article(table.get_ref().type_str()))),
            }
        }
        sections
    }

    fn draft(&self, start: usize, table: &DeTable<'_>, wrong: &mut impl FnMut(usize, String)) -> D {
        let mut draft = D::default();
        let mut keys: Vec<_> = table.iter().collect();
        keys.sort_by_key(|(key, _)| key.span().start);
        for (key, value) in keys {
            let name: &str = key.get_ref();
            match self.fields.iter().find(|field| field.key == name) {
                Some(field) => {
                    if let Err(detail) = field.put(&mut draft, value.get_ref()) {
                        wrong(value.span().start, format!("{} {detail}", field.key));
                    }
                }
                None => wrong(key.span().start, self.unknown(name)),
            }
        }
        for field in self.fields.iter().filter(|field| field.required && !table.contains_key(field.key)) {
            wrong(start, format!("has no {}; allowed: {}", field.key, field.allowed));
        }
        draft
    }

    fn unknown(&self, name: &str) -> String {
        let keys = || self.fields.iter().map(|field| field.key);
        match nearest(name, keys()) {
            Some(near) => format!("has no key {name:?}; did you mean {near}?"),
            None => format!("has no key {name:?}; its keys are {}", keys().collect::<Vec<_>>().join(", ")),
        }
    }
}

impl<D> Field<D> {
    fn put(&self, draft: &mut D, value: &DeValue<'_>) -> Result<(), String> {
        let text = text_of(self.shape, value)?;
        let text = text.trim();
        (self.set)(draft, text).map_err(|wrong| {
            let secret = self.shape == Shape::Secret || text.is_empty();
            let value = if secret { String::new() } else { format!("{} ", quoted(text)) };
            format!("{value}{wrong}; allowed: {}", self.allowed)
        })
    }
}
