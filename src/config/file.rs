//! The file of settings: TOML to texts with their places.
//!
//! *Invariants.* A number is taken from its digits as they stand in the file, never through a float.
//!
//! *Limits.* [`FILE_BYTES_MAX`].

use std::fs::File;
use std::io::Read;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::budgets::{self, BudgetTable};
use super::caps::{Cap, is_cap};
use super::problem::{Origin, Problem};
use super::section::Section;
use super::table::{SETTINGS, Setting, Shape};
use super::webhooks::{self, WebhookDraft};

/// Largest file that is read; a bigger one is a mistake (a ledger, a device).
pub const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Keys that belong to later versions. Ignoring them would leave out what the operator counts on.
const LATER_KEYS: &[&str] = &["price", "prices"];

/// One setting as the file has it.
#[derive(Debug)]
pub(super) struct Entry {
    pub setting: &'static Setting,
    pub text: String,
    pub origin: Origin,
}

/// Everything that a file says, and everything that is wrong with it.
#[derive(Default)]
pub(super) struct Written {
    pub entries: Vec<Entry>,
    pub caps: Vec<Cap>,
    pub budgets: Vec<Section<BudgetTable>>,
    pub webhooks: Vec<Section<WebhookDraft>>,
    pub problems: Vec<Problem>,
}

/// A text whose places can be named.
pub(super) struct Page<'a> {
    path: &'a str,
    text: &'a str,
    line_starts: Vec<usize>,
}

/// Reads a file.
pub(super) fn read(path: &Path, named_by: Origin) -> Written {
    let shown = path.display().to_string();
    match read_bounded(path, FILE_BYTES_MAX) {
        Ok(text) => parse(&Page::new(&shown, &text)),
        Err(reason) => {
            let detail = format!("the file {shown} cannot be read: {reason}");
            Written { problems: vec![Problem { setting: None, origin: named_by, detail }], ..Written::default() }
        }
    }
}

/// A whole text file of at most `bytes_max` bytes.
pub(super) fn read_bounded(path: &Path, bytes_max: u64) -> Result<String, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    file.take(bytes_max + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() as u64 > bytes_max {
        return Err(format!("it is larger than {bytes_max} bytes"));
    }
    String::from_utf8(bytes).map_err(|_| "it is not UTF-8 text".into())
}

/// A warning when everybody on the machine may read a file that holds a secret.
#[cfg(unix)]
pub(super) fn exposure(what: &str, path: &Path) -> Option<String> {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(path).ok()?.permissions().mode();
    let readable_by_all = mode & 0o004 != 0;
    readable_by_all.then(|| format!("{what} {} can be read by every user of this machine", path.display()))
}

/// Permissions of other systems say nothing that could be checked here.
#[cfg(not(unix))]
pub(super) fn exposure(_what: &str, _path: &Path) -> Option<String> {
    None
}

impl<'a> Page<'a> {
    fn new(path: &'a str, text: &'a str) -> Self {
        let after_newlines = text.match_indices('\n').map(|(newline, _)| newline + 1);
        Self { path, text, line_starts: std::iter::once(0).chain(after_newlines).collect() }
    }

    /// The place of a byte.
    pub fn place(&self, offset: usize) -> Origin {
        let line = self.line_starts.partition_point(|start| *start <= offset);
        let line_start = line.checked_sub(1).and_then(|index| self.line_starts.get(index)).copied().unwrap_or(0);
        let before = self.text.get(line_start..offset).unwrap_or_default();
        Origin::File { path: self.path.into(), line, column: before.chars().count() + 1 }
    }
}

fn parse(page: &Page<'_>) -> Written {
    let (table, errors) = DeTable::parse_recoverable(page.text);
    let mut written = Written::default();
    if !errors.is_empty() {
        // Where the grammar is broken, the keys after it are guesses: only the breaks are reported.
        let problems = errors.iter().map(|error| Problem {
            setting: None,
            origin: page.place(error.span().map_or(0, |span| span.start)),
            detail: error.message().replace('\n', ", "),
        });
        written.problems = problems.collect();
        return written;
    }
    let mut keys: Vec<(&Spanned<_>, &Spanned<DeValue<'_>>)> = table.get_ref().iter().collect();
    keys.sort_by_key(|(key, _)| key.span().start);
    for (key, value) in keys {
        let name: &str = key.get_ref();
        let place = || page.place(value.span().start);
        if name == budgets::TABLES.name {
            written.budgets = budgets::TABLES.read(page, value, &mut written.problems);
        } else if name == webhooks::TABLES.name {
            written.webhooks = webhooks::TABLES.read(page, value, &mut written.problems);
        } else if let Some(setting) = Setting::find(name) {
            match text_of(setting.shape, value.get_ref()) {
                Ok(text) => written.entries.push(Entry { setting, text, origin: place() }),
                Err(detail) => {
                    written.problems.push(Problem { setting: Some(setting.key), origin: place(), detail });
                }
            }
        } else if is_cap(name) && name == name.to_lowercase() {
            match Cap::read(name, text_of(Shape::Number, value.get_ref()), place()) {
                Ok(cap) => written.caps.push(cap),
                Err(problem) => written.problems.push(problem),
            }
        } else {
            let origin = page.place(key.span().start);
            written.problems.push(Problem { setting: None, origin, detail: unknown(name) });
        }
    }
    written
}

/// A value as the text that the environment would have.
pub(super) fn text_of(shape: Shape, value: &DeValue<'_>) -> Result<String, String> {
    let expected = match (shape, value) {
        (_, DeValue::String(text)) => return Ok(text.to_string()),
        (Shape::Number, DeValue::Integer(number)) if number.radix() == 10 => return Ok(unsigned_plus(number.as_str())),
        (Shape::Number, DeValue::Float(number)) => return Ok(unsigned_plus(number.as_str())),
        (Shape::Number, DeValue::Integer(_)) => return Err("must be written in decimal digits".into()),
        (Shape::Boolean, DeValue::Boolean(value)) => return Ok(value.to_string()),
        (Shape::List, DeValue::Array(items)) => {
            let texts: Option<Vec<&str>> = items.iter().map(|item| item.get_ref().as_str()).collect();
            return match texts {
                Some(texts) if texts.iter().all(|text| !text.contains(',')) => Ok(texts.join(",")),
                Some(_) => Err("must not have commas inside the strings of its array".into()),
                None => Err("must be a string, or an array of strings".into()),
            };
        }
        (Shape::Number, _) => "a number or a string",
        (Shape::Boolean, _) => "true, false or a string",
        (Shape::List, _) => "a string, or an array of strings",
        (Shape::Text | Shape::Secret, _) => "a string, in quotes",
    };
    Err(format!("must be {expected}, not {}", with_article(value.type_str())))
}

/// TOML allows a sign that JSON's numbers do not.
fn unsigned_plus(digits: &str) -> String {
    digits.strip_prefix('+').unwrap_or(digits).to_owned()
}

pub(super) fn with_article(noun: &str) -> String {
    let article = if noun.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {noun}")
}

/// What to tell the author of a key that is no setting.
fn unknown(key: &str) -> String {
    let plain = plain(key);
    if LATER_KEYS.contains(&plain.as_str()) {
        return format!("{key} is not supported by this version");
    }
    if is_cap(&plain) {
        return format!("{key:?} is not a setting; did you mean {plain}?");
    }
    let arrays = [budgets::TABLES.name, webhooks::TABLES.name];
    match nearest(key, SETTINGS.iter().map(|setting| setting.key).chain(arrays)) {
        Some(near) => format!("{key:?} is not a setting; did you mean {near}?"),
        None => format!("{key:?} is not a setting; check-config --help lists them all"),
    }
}

/// The key that a wrong one was probably meant to be.
pub(super) fn nearest<'a>(key: &str, keys: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let plain = plain(key);
    let (distance, near) = keys.map(|known| (strsim::osa_distance(&plain, known), known)).min()?;
    // A third of the letters wrong is still a typo; more is another word.
    (distance * 3 <= near.len()).then_some(near)
}

fn plain(key: &str) -> String {
    key.to_ascii_lowercase().replace('-', "_")
}
