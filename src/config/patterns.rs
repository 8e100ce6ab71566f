//! Texts with `*` in tables of the file: one, or several in an array.
//!
//! *Limits.* [`PATTERNS_MAX`] for a key, [`PATTERN_BYTES_MAX`] each.

use toml::Spanned;
use toml::de::DeValue;

use super::kind::Parsed;
use super::spec::{Spec, quoted};
use super::table::with_article;
use crate::domain::{PATTERN_BYTES_MAX, PATTERNS_MAX, Pattern, check_text, check_visible};

/// A key whose value is a pattern, or an array of them. `name` is what messages call the table. `check` refuses one for reasons of its
/// own: the end of a sentence that begins with the pattern.
pub(super) fn patterns<T: Default + 'static>(
    name: &'static str,
    key: &'static str,
    doc: &'static str,
    check: fn(&Pattern) -> Parsed<()>,
    put: impl Fn(&mut T, Vec<Pattern>) + Send + Sync + 'static,
) -> Spec<T> {
    Spec::of_file(key, doc, move |into, value, reading| {
        let found = read(value, |offset, detail| reading.wrong(Some(name), offset, format!("{key} {detail}")), check);
        if !found.is_empty() {
            put(into, found);
        }
    })
}

/// The patterns of a value, without those that `wrong` was told of.
fn read(
    value: &Spanned<DeValue<'_>>,
    mut wrong: impl FnMut(usize, String),
    check: fn(&Pattern) -> Parsed<()>,
) -> Vec<Pattern> {
    let single = std::slice::from_ref(value);
    let items: Vec<&Spanned<DeValue<'_>>> = match value.get_ref() {
        DeValue::Array(items) => items.iter().collect(),
        _ => single.iter().collect(),
    };
    if items.is_empty() {
        wrong(value.span().start, "must not be empty".into());
    }
    if let Some(beyond) = items.get(PATTERNS_MAX) {
        wrong(beyond.span().start, format!("has {} patterns; the maximum is {PATTERNS_MAX}", items.len()));
    }
    let mut found = Vec::new();
    for item in items.into_iter().take(PATTERNS_MAX) {
        match pattern(item.get_ref(), check) {
            Ok(pattern) => found.push(pattern),
            Err(detail) => wrong(item.span().start, detail),
        }
    }
    found
}

fn pattern(value: &DeValue<'_>, check: fn(&Pattern) -> Parsed<()>) -> Parsed<Pattern> {
    let Some(text) = value.as_str() else {
        return Err(format!("must be a string, or an array of strings, not {}", with_article(value.type_str())));
    };
    if text.is_empty() {
        return Err("must not be empty".into());
    }
    let is_named = check_text(text, PATTERN_BYTES_MAX).and_then(|()| check_visible(text)).map_err(|wrong| wrong.to_string());
    let pattern = Pattern::new(text);
    is_named.and_then(|()| check(&pattern)).map_err(|wrong| format!("{} {wrong}", quoted(text)))?;
    Ok(pattern)
}
