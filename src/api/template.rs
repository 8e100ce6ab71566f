//! Path templates: `/reservations/{id}/commit` stands for one path for each id.
//!
//! *Invariants.* The id is everything between what stands around it, slashes included, so that any id works whether or not its
//! client encodes them. Where several templates fit, the longest text behind the id decides: an id that itself ends in
//! `/commit` must have that slash encoded. What `{path}` stands for may be empty.

/// What stands for the rest of a path, which may be nothing.
const REST: &str = "{path}";

/// A template with one id in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Template {
    text: &'static str,
    prefix: &'static str,
    suffix: &'static str,
}

impl Template {
    /// Reads a template; `None` for a path that has no place for an id.
    pub fn of(text: &'static str) -> Option<Self> {
        let (prefix, rest) = text.split_once('{')?;
        let (_name, suffix) = rest.split_once('}')?;
        Some(Self { text, prefix, suffix })
    }

    /// The template itself, the same for every id.
    pub fn text(&self) -> &'static str {
        self.text
    }

    /// Bytes behind the id.
    pub fn suffix_len(&self) -> usize {
        self.suffix.len()
    }

    /// The id in a path as it came, perhaps empty; `None` when the path is another one.
    pub fn id_in<'p>(&self, path: &'p str) -> Option<&'p str> {
        path.strip_prefix(self.prefix)?.strip_suffix(self.suffix)
    }

    /// Whether a path without an id is one of its paths.
    pub fn may_lack_id(&self) -> bool {
        self.text.ends_with(REST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_everything_between() {
        let commit = Template::of("/reservations/{id}/commit").unwrap();
        for (path, id) in [
            ("/reservations/a/commit", Some("a")),
            ("/reservations/a/b%2Fc/commit", Some("a/b%2Fc")),
            ("/reservations/commit/commit", Some("commit")),
            ("/reservations//commit", Some("")),
            ("/reservations/commit", None),
            ("/reservations/a/commit/", None),
            ("/reservation/a/commit", None),
            ("", None),
        ] {
            assert_eq!(commit.id_in(path), id, "{path}");
        }
        assert_eq!(Template::of("/reservations"), None);
        assert!(!commit.may_lack_id());
        let below = Template::of("/scaling-gate/authorize/{path}").unwrap();
        assert_eq!((below.id_in("/scaling-gate/authorize/"), below.may_lack_id()), (Some(""), true));
        assert_eq!(below.id_in("/scaling-gate/authorized"), None);
    }
}
