//! The keys of the objects that are being read, and the walk through values that nobody keeps.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// Containers that may lie in each other; a top-level object or array is the first.
pub const DEPTH_MAX: usize = 32;

/// Up to this many keys are compared pair by pair, which is quicker than sorting them.
const COMPARED_PAIRWISE_MAX: usize = 16;

/// Characters of a duplicate key that an error repeats.
const SHOWN_CHARS_MAX: usize = 64;

/// Keys of all objects that are open, the innermost last.
#[derive(Debug, Default)]
pub(super) struct Keys<'a>(Vec<Cow<'a, str>>);

/// Reads a key: borrowed where it has no escapes.
pub(super) struct Key;

/// Reads any value, keeps nothing of it, and is as strict in all its depth as the top is.
pub(super) struct Walk<'k, 'a> {
    pub(super) keys: &'k mut Keys<'a>,
    /// How many containers it lies in.
    pub(super) depth: usize,
}

// === impl Keys ===

impl<'a> Keys<'a> {
    /// How many there are: where the keys of the next object begin.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn push(&mut self, key: Cow<'a, str>) {
        self.0.push(key);
    }

    /// Ends the innermost object, whose keys begin at `first`: refuses a key that stands twice in it.
    pub(super) fn end_object<E: Error>(&mut self, first: usize) -> Result<(), E> {
        let keys = self.0.get_mut(first..).unwrap_or_default();
        let duplicate = if keys.len() <= COMPARED_PAIRWISE_MAX {
            keys.iter().enumerate().find(|(at, key)| keys[..*at].contains(key)).map(|(_, key)| key)
        } else {
            // The order of equal keys does not matter, and sorting in place takes no memory.
            keys.sort_unstable();
            keys.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| &pair[0])
        };
        if let Some(key) = duplicate {
            let shown: String = key.chars().take(SHOWN_CHARS_MAX).collect();
            return Err(E::custom(format_args!("duplicate key {shown:?}")));
        }
        self.0.truncate(first);
        Ok(())
    }
}

/// Refuses to go deeper than [`DEPTH_MAX`]; the depth inside.
pub(super) fn deeper<E: Error>(depth: usize) -> Result<usize, E> {
    if depth == DEPTH_MAX {
        return Err(E::custom(format_args!("objects and arrays nested more than {DEPTH_MAX} deep")));
    }
    Ok(depth + 1)
}

// === impl Key ===

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a string")
    }

    fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(key))
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(key.to_owned()))
    }
}

// === impl Walk ===

impl<'de> DeserializeSeed<'de> for Walk<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_, 'de> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        let depth = deeper(self.depth)?;
        while elements.next_element_seed(Walk { keys: &mut *self.keys, depth })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let depth = deeper(self.depth)?;
        let first = self.keys.len();
        while let Some(key) = members.next_key_seed(Key)? {
            self.keys.push(key);
            members.next_value_seed(Walk { keys: &mut *self.keys, depth })?;
        }
        self.keys.end_object(first)
    }
}
