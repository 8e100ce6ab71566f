//! The members of an object in a text in JSON, without what lies in them.
//!
//! *Limits.* [`TEXT_BYTES_MAX`] of such a text; a longer one says nothing.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

/// Bytes of a text that is looked into: an answer of a few pages.
pub(super) const TEXT_BYTES_MAX: usize = 64 << 10;

/// A text's members, or nothing if it is no object.
pub(super) type Members<'t> = BTreeMap<String, &'t RawValue>;

/// Those of a text; `None` if it is no object, or too long.
pub(super) fn members(text: &str) -> Option<Members<'_>> {
    if text.len() > TEXT_BYTES_MAX { None } else { serde_json::from_str(text).ok() }
}

/// The only item of an array; `None` of another number of them, or if it is too long.
pub(super) fn only(text: &str) -> Option<&str> {
    let items: Option<[&RawValue; 1]> = if text.len() > TEXT_BYTES_MAX { None } else { serde_json::from_str(text).ok() };
    items.map(|[item]| item.get())
}

/// Those of the first of these members that is an object.
pub(super) fn nested<'t>(members: &Members<'t>, names: &[&str]) -> Members<'t> {
    names.iter().find_map(|name| serde_json::from_str(members.get(*name)?.get()).ok()).unwrap_or_default()
}

/// The text at a path.
pub(super) fn text_at(members: &Members<'_>, path: &[&str]) -> Option<String> {
    serde_json::from_str(raw_at(members, path)?.get()).ok()
}

/// What stands at a path.
pub(super) fn raw_at<'t>(members: &Members<'t>, path: &[&str]) -> Option<&'t RawValue> {
    let (last, above) = path.split_last()?;
    let mut inner = None;
    for name in above {
        inner = Some(nested(inner.as_ref().unwrap_or(members), &[name]));
    }
    inner.as_ref().unwrap_or(members).get(*last).copied()
}
