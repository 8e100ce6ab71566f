//! A decimal number that keeps its digits both ways.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::budget::Measure;
use crate::domain::Quantity;

/// A decimal number, as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exact(Box<str>);

impl Exact {
    /// The digits of an amount.
    pub fn of(measure: &Measure) -> Self {
        Self(measure.digits().into())
    }
}

impl From<Quantity> for Exact {
    fn from(quantity: Quantity) -> Self {
        Self(quantity.to_string().into())
    }
}

impl fmt::Display for Exact {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

impl Serialize for Exact {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        RawValue::from_string(self.0.to_string()).map_err(serde::ser::Error::custom)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Exact {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let is_number = raw.get().starts_with(|first: char| first == '-' || first.is_ascii_digit());
        if is_number { Ok(Self(raw.get().into())) } else { Err(serde::de::Error::custom("is not a number")) }
    }
}
