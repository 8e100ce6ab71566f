//! Why an event or a request is not valid, in words for whoever sent it.
//!
//! *Limits.* A request is told [`REASONS_MAX`] reasons at most, twice as many are known, and the text of each is short, however bad and long the
//! request.

/// Reasons that one request is told, of as many of its events as possible. Beyond it, events are only known to be bad.
pub const REASONS_MAX: usize = 100;

/// Characters of a client's own text that a reason repeats.
const SHOWN_CHARS_MAX: usize = 200;

/// Longest unknown name that a near one is looked for, in bytes: comparing takes time with the square of the length.
const HINT_NAME_BYTES_MAX: usize = 64;

/// Likeness from which a known name is suggested; `amount` and `amount_usd` have 0.92, unrelated words below 0.7.
const HINT_LIKENESS_MIN: f64 = 0.8;

/// One rule that is broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// The field in question, cut when too long.
    pub field: String,
    /// A sentence for people.
    pub detail: String,
}

/// A record that breaks rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// Its id, where it has one that can be read; cut when too long.
    pub id: Option<String>,
    /// Every broken rule, up to what the request has room for.
    pub reasons: Vec<Reason>,
}

/// A client's text, cut to a length that does no harm in an answer.
pub(super) fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// The known name that an unknown one was probably meant to be.
pub(super) fn near_name(unknown: &str, known: &[&'static str]) -> Option<&'static str> {
    if unknown.len() > HINT_NAME_BYTES_MAX {
        return None;
    }
    let lower = unknown.to_lowercase();
    let (likeness, name) = known
        .iter()
        .map(|name| (strsim::jaro_winkler(name, &lower), *name))
        .max_by(|(left, _), (right, _)| left.total_cmp(right))?;
    (likeness >= HINT_LIKENESS_MIN).then_some(name)
}
