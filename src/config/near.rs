//! The key that a wrong one was probably meant to be.

/// The nearest of some keys, when it is near enough.
pub(super) fn nearest<'a>(key: &str, keys: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let plain = plain(key);
    let (distance, near) = keys.map(|known| (strsim::osa_distance(&plain, known), known)).min()?;
    // A third of the letters wrong is still a typo; more is another word.
    (distance * 3 <= near.len()).then_some(near)
}

/// A key as ours are spelled.
pub(super) fn plain(key: &str) -> String {
    key.to_ascii_lowercase().replace('-', "_")
}
