//! `GET /costs`, `/costs/daily`, `/costs/monthly`, `/costs/history`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::domain::{BY_MAX, GroupKey, Groups, Usd};

/// Sums by name: an object, nested where there are several names. Cost without a worker, batch, lead, model or attribute is under
/// the empty one.
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
    /// Of a fleet whose database cannot be asked: when this was so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<Timestamp>,
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
        Level(self.0.iter().map(|(key, sum)| (key.as_joined(), *sum)).collect()).serialize(serializer)
    }
}

impl Serialize for Level<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // All keys have as many names.
        let is_nested = self.0.first().is_some_and(|(key, _)| key.contains(GroupKey::SEPARATOR));
        if !is_nested {
            return serializer.collect_map(self.0.iter().map(|(key, sum)| (GroupKey::unescape(key), sum)));
        }
        let split = |key| str::split_once(key, GroupKey::SEPARATOR).unwrap_or((key, ""));
        let outer = self.0.chunk_by(|(left, _), (right, _)| split(left).0 == split(right).0);
        serializer.collect_map(outer.map(|sums| {
            let name = sums.first().map_or("", |(key, _)| split(key).0);
            (GroupKey::unescape(name), Level(sums.iter().map(|(key, sum)| (split(key).1, *sum)).collect()))
        }))
    }
}

impl<'de> Deserialize<'de> for CostsByName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Values stay text until it is known whether they nest: serde would keep amounts as floats meanwhile.
        let values = Values::deserialize(deserializer)?;
        let mut reading = Reading { names: Vec::new(), depth: None, sums: Groups::new() };
        reading.add::<D::Error>(values)?;
        Ok(Self(reading.sums))
    }
}

type Values = BTreeMap<String, Box<RawValue>>;

/// Sums that are read, and where reading stands.
struct Reading {
    /// The names around it.
    names: Vec<String>,
    /// How many names all keys have, once one is known.
    depth: Option<usize>,
    sums: Groups,
}

impl Reading {
    fn add<E: Error>(&mut self, values: Values) -> Result<(), E> {
        for (name, value) in values {
            self.names.push(name);
            let depth = self.names.len();
            if value.get().starts_with('{') && depth < BY_MAX {
                self.add(serde_json::from_str(value.get()).map_err(E::custom)?)?;
            } else if *self.depth.get_or_insert(depth) == depth {
                let sum = serde_json::from_str(value.get()).map_err(E::custom)?;
                self.sums.insert(GroupKey::of(self.names.iter().map(String::as_str)), sum);
            } else {
                return Err(E::custom("some sums have more names than others"));
            }
            self.names.pop();
        }
        Ok(())
    }
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
            r#"{"":{"":{"":1,"\u0000":2,"\u0001":3,"\u0002":4,"x":5}},"a":{"x":{"":1,"1":2}}}"#,
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
        for json in [
            "[]",
            r#"{"a":"1"}"#,
            r#"{"a":{"b":{"c":{"d":1}}}}"#,
            r#"{"a":{"b":1},"c":1}"#,
            r#"{"a":1,"b":{"c":1}}"#,
            r#"{"a":{"b":1,"c":{"d":1}}}"#,
            "1",
        ] {
            assert!(serde_json::from_str::<CostsByName>(json).is_err(), "{json}");
        }
    }
}
