//! `GET /costs/daily`, `/costs/monthly`, `/costs/history`.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::domain::{Name, Pair, Usd};

/// Sums by name: an object, nested where there are two names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CostsByName {
    /// By service, worker, batch, lead or model; the cost without one is under the empty name.
    Flat(BTreeMap<String, Usd>),
    /// By service, then operation. One map, since a map for each service would take a hundred times its one entry.
    Nested(BTreeMap<Pair, Usd>),
}

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

/// The operations of one service.
struct Operations<'a>(&'a [(&'a Pair, &'a Usd)]);

impl CostsByName {
    /// Of everything in it.
    pub fn total(&self) -> Usd {
        match self {
            Self::Flat(sums) => sums.values().copied().sum(),
            Self::Nested(sums) => sums.values().copied().sum(),
        }
    }
}

impl Default for CostsByName {
    fn default() -> Self {
        Self::Flat(BTreeMap::new())
    }
}

impl Serialize for CostsByName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Flat(sums) => sums.serialize(serializer),
            Self::Nested(sums) => {
                let pairs: Vec<_> = sums.iter().collect();
                let services = pairs.chunk_by(|(left, _), (right, _)| left.service == right.service);
                serializer.collect_map(services.map(|pairs| (&pairs[0].0.service, Operations(pairs))))
            }
        }
    }
}

impl Serialize for Operations<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(pair, net)| (&pair.operation, net)))
    }
}

impl<'de> Deserialize<'de> for CostsByName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Values stay text until it is known whether they nest: serde would keep amounts as floats meanwhile.
        let values = BTreeMap::<String, Box<RawValue>>::deserialize(deserializer)?;
        let is_nested = values.values().next().is_some_and(|value| value.get().starts_with('{'));
        if !is_nested {
            let sums = values.into_iter().map(|(name, value)| Ok((name, read(&value)?)));
            return sums.collect::<Result<_, _>>().map(Self::Flat);
        }
        let mut sums = BTreeMap::new();
        for (service, operations) in values {
            let service = Name::new(&service).map_err(D::Error::custom)?;
            for (operation, sum) in read::<BTreeMap<Name, Usd>, _>(&operations)? {
                sums.insert(Pair { service: service.clone(), operation }, sum);
            }
        }
        Ok(Self::Nested(sums))
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
    fn nothing_else_is_sums() {
        for json in ["[]", r#"{"a":"1"}"#, r#"{"a":{"b":{"c":1}}}"#, r#"{"a":{"b":1},"c":1}"#, r#"{"a":1,"b":{"c":1}}"#, "1"]
        {
            assert!(serde_json::from_str::<CostsByName>(json).is_err(), "{json}");
        }
    }
}
