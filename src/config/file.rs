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

use super::problem::{Origin, Problem};
use super::table::{SETTINGS, Setting, Shape};

/// Largest file that is read; a bigger one is a mistake (a ledger, a device).
pub const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Keys that belong to later versions. Ignoring them would leave out a brake that the operator counts on.
const LATER_KEYS: &[&str] =
    &["budget", "webhook", "webhook_url", "webhook_format", "webhook_secret_file", "price", "prices"];

/// One setting as the file has it.
#[derive(Debug)]
pub(super) struct Entry {
    pub setting: &'static Setting,
    pub text: String,
    pub origin: Origin,
}

/// Reads the settings of a file, and everything that is wrong with it.
pub(super) fn read(path: &Path, named_by: Origin) -> (Vec<Entry>, Vec<Problem>) {
    let shown = path.display().to_string();
    match read_bounded(path, FILE_BYTES_MAX) {
        Ok(text) => parse(&shown, &text),
        Err(reason) => {
            let detail = format!("the file {shown} cannot be read: {reason}");
            (Vec::new(), vec![Problem { setting: None, origin: named_by, detail }])
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

fn parse(path: &str, text: &str) -> (Vec<Entry>, Vec<Problem>) {
    let place = |offset: usize| {
        let before = text.get(..offset).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.matches('\n').count() + 1;
        Origin::File { path: path.into(), line, column: before[line_start..].chars().count() + 1 }
    };
    let (table, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        // Where the grammar is broken, the keys after it are guesses: only the breaks are reported.
        let problems = errors.iter().map(|error| Problem {
            setting: None,
            origin: place(error.span().map_or(0, |span| span.start)),
            detail: error.message().replace('\n', ", "),
        });
        return (Vec::new(), problems.collect());
    }
    let mut keys: Vec<(&Spanned<_>, &Spanned<DeValue<'_>>)> = table.get_ref().iter().collect();
    keys.sort_by_key(|(key, _)| key.span().start);
    let (mut entries, mut problems) = (Vec::new(), Vec::new());
    for (key, value) in keys {
        let name: &str = key.get_ref();
        match Setting::find(name) {
            Some(setting) => match text_of(setting.shape, value.get_ref()) {
                Ok(text) => entries.push(Entry { setting, text, origin: place(value.span().start) }),
                Err(detail) => {
                    problems.push(Problem { setting: Some(setting.key), origin: place(value.span().start), detail });
                }
            },
            None => problems.push(Problem { setting: None, origin: place(key.span().start), detail: unknown(name) }),
        }
    }
    (entries, problems)
}

/// A value as the text that the environment would have.
fn text_of(shape: Shape, value: &DeValue<'_>) -> Result<String, String> {
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

fn with_article(noun: &str) -> String {
    let article = if noun.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {noun}")
}

/// What to tell the author of a key that is no setting.
fn unknown(key: &str) -> String {
    let plain = key.to_ascii_lowercase().replace('-', "_");
    if LATER_KEYS.contains(&plain.as_str()) || is_cap(&plain) {
        return format!("{key} is not supported by this version; only the global budgets daily and monthly are");
    }
    let nearest = SETTINGS.iter().map(|setting| (strsim::osa_distance(&plain, setting.key), setting.key)).min();
    match nearest {
        // A third of the letters wrong is still a typo; more is another word.
        Some((distance, near)) if distance * 3 <= near.len() => {
            format!("{key:?} is not a setting; did you mean {near}?")
        }
        _ => format!("{key:?} is not a setting; check-config --help lists them all"),
    }
}

/// Whether a name asks for a limit of one service, which this version cannot keep.
pub(super) fn is_cap(lower_case_name: &str) -> bool {
    lower_case_name.strip_suffix("_daily_cap").or_else(|| lower_case_name.strip_suffix("_monthly_cap")).is_some()
}
