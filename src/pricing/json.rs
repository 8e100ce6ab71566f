//! A JSON object whose numbers are kept by their digits.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::value::RawValue;

/// An object, its members not yet read. Of a name that stands twice, the last counts.
#[derive(Debug, Default)]
pub(super) struct Object<'j>(BTreeMap<Cow<'j, str>, &'j RawValue>);

impl<'j> Object<'j> {
    /// Reads an object; `None` for any other value.
    ///
    /// # Errors
    /// The text is not JSON.
    pub fn read(text: &'j str) -> serde_json::Result<Option<Self>> {
        let raw: &RawValue = serde_json::from_str(text)?;
        Ok(Self::of(raw))
    }

    fn of(raw: &'j RawValue) -> Option<Self> {
        raw.get().starts_with('{').then(|| serde_json::from_str(raw.get()).ok().map(Self)).flatten()
    }

    /// Its names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(|name| &**name)
    }

    /// Its members that are numbers, by their digits.
    pub fn numbers(&self) -> impl Iterator<Item = (&str, &'j str)> {
        let is_number = |text: &str| text.starts_with(|char: char| char.is_ascii_digit() || char == '-');
        self.0.iter().map(|(name, raw)| (&**name, raw.get())).filter(move |(_, text)| is_number(text))
    }

    /// Whether it has a member of that name that is not `null`.
    pub fn has(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|value| value.get() != "null")
    }

    /// The object under a name.
    pub fn object(&self, name: &str) -> Option<Self> {
        Self::of(self.0.get(name)?)
    }

    /// Its members that are objects.
    pub fn all_objects(&self) -> impl Iterator<Item = (&str, Self)> {
        self.0.iter().filter_map(|(name, raw)| Some((&**name, Self::of(raw)?)))
    }

    /// The objects of an array under a name.
    pub fn objects(&self, name: &str) -> Vec<Self> {
        self.list(name).into_iter().filter_map(Self::of).collect()
    }

    /// The texts of an array under a name, numbers by their digits; a text by itself is a list of one.
    pub fn texts(&self, name: &str) -> Vec<String> {
        if let Some(text) = self.text(name) {
            return vec![text];
        }
        let text = |raw: &RawValue| serde_json::from_str(raw.get()).unwrap_or_else(|_| raw.get().to_owned());
        self.list(name).into_iter().map(text).collect()
    }

    fn list(&self, name: &str) -> Vec<&'j RawValue> {
        self.0.get(name).and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default()
    }

    /// The text under a name, if it is one and not empty.
    pub fn text(&self, name: &str) -> Option<String> {
        let text: Option<String> = self.0.get(name).and_then(|raw| serde_json::from_str(raw.get()).ok());
        text.filter(|text| !text.is_empty())
    }

    /// The digits of a number at a path; some senders put them into a string.
    pub fn digits(&self, path: &[&str]) -> Option<&'j str> {
        let (name, rest) = path.split_first()?;
        let raw = self.0.get(*name)?.get();
        if rest.is_empty() {
            let digits = raw.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(raw);
            return digits.starts_with(|char: char| char.is_ascii_digit() || char == '-').then_some(digits);
        }
        self.object(name)?.digits(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_by_their_first_character() {
        let text = r#"{"a":1.50,"b":-2e-3,"c":"3","d":null,"e":{"f":4},"g":[5],"h":true}"#;
        let object = Object::read(text).unwrap().unwrap();
        assert_eq!(object.numbers().collect::<Vec<_>>(), [("a", "1.50"), ("b", "-2e-3")]);
        assert_eq!(object.digits(&["c"]), Some("3"));
        assert_eq!((object.digits(&["e", "f"]), object.digits(&["e"]), object.digits(&["h"])), (Some("4"), None, None));
        assert_eq!((object.has("d"), object.has("h"), object.has("x")), (false, true, false));
    }
}
