//! `GET /costs/daily`, `/costs/monthly`, `/costs/history`.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::domain::{GroupKey, Groups, Name, Usd};

/// Sums by name: an object, nested where there are several names. Cost without a worker, batch, lead or model is under the empty
/// one.
///
/// One map, since a map for each service would take a hundred times its one entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CostsByName(pub Groups);

/// One day of a history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CostsOfDay {
    /// The day, in the budget time zone.
    pub date: Date,
    /// What it cost.
    pub total_usd: Usd,
    /// What that is made of.
    pub by: CostsByName,
}

/// Sums by what is left of their keys below some outer names.
struct Level<'a>(Vec<(&'a str, Usd)>);

impl CostsByName {
    /// Of everything in it.
    pub fn total(&self) -> Usd {
        self.0.values().copied().sum()
    }
}

impl Serialize for CostsByName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Level(self.0.iter().map(|(key, sum)| (key.as_str(), *sum)).collect()).serialize(serializer)
    }
}

impl Serialize for Level<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // All keys have as many names.
        let is_nested = self.0.first().is_some_and(|(key, _)| key.contains(GroupKey::SEPARATOR));
        if !is_nested {
            return serializer.collect_map(self.0.iter().copied());
        }
        let split = |key| str::split_once(key, GroupKey::SEPARATOR).unwrap_or((key, ""));
        let outer = self.0.chunk_by(|(left, _), (right, _)| split(left).0 == split(right).0);
        serializer.collect_map(outer.map(|sums| {
            let name = sums.first().map_or("", |(key, _)| split(key).0);
            (name, Level(sums.iter().map(|(key, sum)| (split(key).1, *sum)).collect()))
        }))
    }
}

impl<'de> Deserialize<'de> for CostsByName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Values stay text until it is known whether they nest: serde would keep amounts as floats meanwhile.
        let values = BTreeMap::<String, Box<RawValue>>::deserialize(deserializer)?;
        let is_nested = values.values().next().is_some_and(|value| value.get().starts_with('{'));
        let mut sums = Groups::new();
        for (name, value) in values {
            if name.contains(GroupKey::SEPARATOR) {
                return Err(D::Error::custom("a name contains a control character"));
            }
            if !is_nested {
                sums.insert(GroupKey::of([name.as_str()]), read(&value)?);
                continue;
            }
            for (inner, sum) in read::<BTreeMap<Name, Usd>, _>(&value)? {
                sums.insert(GroupKey::of([name.as_str(), inner.as_str()]), sum);
            }
        }
        Ok(Self(sums))
    }
}
fn read<'a, T: Deserialize<'a>, E: Error>(value: &'a RawValue) -> Result<T, E> {
    serde_json::from_str(value.get()).map_err(E::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_written_as_they_were_read_flat_or_nested() {
        for json in [
            "{}",
            r#"{"":0.1,"openai":10.500000000001,"sendgrid":-0.2}"#,
            r#"{"openai":{"chat":6.5,"embeddings":123456789012345.000000000001},"other":{"other":1}}"#,
        ] {
            let sums: CostsByName = serde_json::from_str(json).unwrap();
            assert_eq!(serde_json::to_string(&sums).unwrap(), json);
        }
        let day = r#"{"date":"2026-11-22","total_usd":0.000000000001,"by":{"a":0.000000000001}}"#;
        let read: CostsOfDay = serde_json::from_str(day).unwrap();
        assert_eq!(read.by.total(), read.total_usd);
        assert_eq!(serde_json::to_string(&read).unwrap(), day);
    }

    #[test]
    fn sums_nest_as_deep_as_they_have_names() {
        let key = |names: [&str; 3]| GroupKey::of(names);
        let sums = [(["a", "x", ""], 1), (["a", "x", "1"], 2), (["a", "y", "1"], 3), (["b", "x", "1"], 4)];
        let sums = sums.map(|(names, dollars)| (key(names), Usd::from_dollars(dollars)));
        let json = serde_json::to_string(&CostsByName(sums.into())).unwrap();
        assert_eq!(json, r#"{"a":{"x":{"":1,"1":2},"y":{"1":3}},"b":{"x":{"1":4}}}"#);
    }

    #[test]
    fn nothing_else_is_sums() {
        for json in ["[]", r#"{"a":"1"}"#, r#"{"a":{"b":{"c":1}}}"#, r#"{"a":{"b":1},"c":1}"#, r#"{"a":1,"b":{"c":1}}"#, "1"]
        {
            assert!(serde_json::from_str::<CostsByName>(json).is_err(), "{json}");
        }
    }
}
