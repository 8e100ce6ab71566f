//! Tables of the file, such as `[[budget]]`: each to a value, by one list of its keys.
//!
//! *Invariants.* Everything that is wrong with a table is found in one go, and said with its place. No text of a secret is
//! repeated. A number is taken from its digits as they stand in the file, never through a float.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::budgets::caps;
use super::draft::Setting;
use super::kind::Shape;
use super::near::nearest;
use super::page::Reading;
use super::problem::Placed;
use super::spec::{Put, Spec};

/// Rules between the keys of one table, which begins at a byte: looked at once each key is.
pub(super) type Rules<T> = fn(&mut T, &DeTable<'_>, usize, &mut Reading<'_>);

/// An array of tables: each adds a `T`, which begins as its default. More than `tables_max` are not looked at.
///
/// One with a problem is added too, so that rules between tables are still looked at.
pub(super) fn tables<D: Default + 'static, T: Default + 'static>(
    key: &'static str,
    doc: &'static str,
    tables_max: usize,
    fields: Vec<Spec<T>>,
    rules: Rules<T>,
    place: fn(&mut D) -> &mut Vec<Placed<T>>,
) -> Spec<D> {
    Spec::of_file(key, doc, move |draft, value, reading| {
        let Some(tables) = value.get_ref().as_array() else {
            let found = with_article(value.get_ref().type_str());
            let detail = format!("must be tables, each under [[{key}]], not {found}");
            return reading.wrong(Some(key), value.span().start, detail);
        };
        if let Some(beyond) = tables.get(tables_max) {
            let detail = format!("appears {} times; the maximum is {tables_max}", tables.len());
            reading.wrong(Some(key), beyond.span().start, detail);
        }
        for table in tables.iter().take(tables_max) {
            let start = table.span().start;
            let Some(keys) = table.get_ref().as_table() else {
                let found = with_article(table.get_ref().type_str());
                reading.wrong(Some(key), start, format!("must be a table, not {found}"));
                continue;
            };
            let mut value = T::default();
            read(key, &fields, &mut value, start, keys, reading);
            rules(&mut value, keys, start, reading);
            place(draft).push(Placed { value, origin: reading.page.place(start) });
        }
    })
}

/// A key whose value is a table of its own, such as `match = { … }`, read into the same `T`. `name` is what messages call it.
pub(super) fn inner<T: Default + 'static>(
    name: &'static str,
    key: &'static str,
    doc: &'static str,
    fields: Vec<Spec<T>>,
) -> Spec<T> {
    let keys = fields.iter().map(|field| field.key).collect();
    let put = move |into: &mut T, value: &Spanned<DeValue<'_>>, reading: &mut Reading<'_>| {
        let start = value.span().start;
        match value.get_ref().as_table() {
            Some(table) if table.is_empty() => {
                let keys = fields.iter().map(|field| field.key).collect::<Vec<_>>().join(", ");
                reading.wrong(Some(name), start, format!("is empty; its keys are {keys}"));
            }
            Some(table) => read(name, &fields, into, start, table, reading),
            None => {
                let found = with_article(value.get_ref().type_str());
                reading.wrong(Some(name), start, format!("must be a table in braces, not {found}"));
            }
        }
    };
    Spec::of_file(key, doc, put).holding(keys)
}

/// No rules between keys.
pub(super) fn no_rules<T>(_: &mut T, _: &DeTable<'_>, _: usize, _: &mut Reading<'_>) {}

/// Reads the keys of one table, which begins at `start`. `name` is what messages call it.
pub(super) fn read<T>(
    name: &'static str,
    fields: &[Spec<T>],
    into: &mut T,
    start: usize,
    table: &DeTable<'_>,
    reading: &mut Reading<'_>,
) {
    let mut keys: Vec<_> = table.iter().collect();
    keys.sort_by_key(|(key, _)| key.span().start);
    for (key, value) in keys {
        let written: &str = key.get_ref();
        let Some(field) = fields.iter().find(|field| field.key == written) else {
            reading.wrong(Some(name), key.span().start, unknown(written, fields));
            continue;
        };
        let put = match &field.put {
            Put::Value(put) => {
                put(into, value, reading);
                continue;
            }
            Put::Text(_) => text_of(field.shape, value.get_ref()).and_then(|text| field.put_text(into, text.trim())),
        };
        if let Err(detail) = put {
            reading.wrong(Some(name), value.span().start, format!("{} {detail}", field.key));
        }
    }
    for field in fields.iter().filter(|field| field.is_required && !table.contains_key(field.key)) {
        reading.wrong(Some(name), start, format!("has no {}; allowed: {}", field.key, field.allowed));
    }
}

fn unknown<T>(key: &str, fields: &[Spec<T>]) -> String {
    let keys = || fields.iter().map(|field| field.key);
    // An event has batch_id where a budget has batch.
    let bare = key.strip_suffix("_id").unwrap_or(key);
    let holder = fields.iter().find_map(|field| Some((field.key, field.inner.iter().find(|inner| **inner == bare)?)));
    if let Some((holder, inner)) = holder {
        return format!("has no key {key:?}; did you mean {holder} = {{ {inner} = … }}?");
    }
    match nearest(key, keys()).or_else(|| nearest(bare, keys())) {
        Some(near) => format!("has no key {key:?}; did you mean {near}?"),
        // TOML gives a key to the last table above it.
        None if Setting::find(key).is_some() || caps::is_cap(key) => {
            format!("has no key {key:?}; a setting of the agent must stand above the first table")
        }
        None => format!("has no key {key:?}; its keys are {}", keys().collect::<Vec<_>>().join(", ")),
    }
}

/// A value as the text that the environment would have.
pub(super) fn text_of(shape: Shape, value: &DeValue<'_>) -> Result<String, String> {
    let expected = match (shape, value) {
        (_, DeValue::String(text)) => return Ok(text.to_string()),
        (Shape::Numbers, DeValue::Array(items)) => {
            let texts: Result<Vec<_>, _> = items.iter().map(|item| text_of(Shape::Number, item.get_ref())).collect();
            return texts.map(|texts| texts.join(",")).map_err(|wrong| format!("has an item that {wrong}"));
        }
        (Shape::Numbers, DeValue::Integer(_) | DeValue::Float(_)) => return text_of(Shape::Number, value),
        (Shape::Number, DeValue::Integer(number)) if number.radix() == 10 => return Ok(unsigned_plus(number.as_str())),
        (Shape::Number, DeValue::Float(number)) => return Ok(unsigned_plus(number.as_str())),
        (Shape::Number, DeValue::Integer(_)) => return Err("must be written in decimal digits".into()),
        (Shape::Date, DeValue::Datetime(date)) => return Ok(date.to_string()),
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
        (Shape::Numbers, _) => "a number, a string or an array of these",
        (Shape::Boolean, _) => "true, false or a string",
        (Shape::List, _) => "a string, or an array of strings",
        (Shape::Date, _) => "a date, or a string",
        (Shape::Table, _) => "a table",
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
