//! Values of OTLP in JSON that are not made of others.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::record::Value;

/// A value as it stands in JSON.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Scalar {
    Text(String),
    Int(i64),
    Double(f64),
    Bool(bool),
    /// `null`, or something that is made of others.
    Other,
}

/// `AnyValue`; `None` of one that is made of others, or of none at all: `{}` is valid.
pub(super) struct AnyValue(pub Option<Value<'static>>);

impl Scalar {
    /// As a text; nothing where it is none.
    pub fn text(&self) -> Cow<'static, str> {
        if let Self::Text(text) = self { Cow::Owned(text.clone()) } else { Cow::Borrowed("") }
    }

    /// As a whole number, which may be written as text, or by one of these names; zero where it is none.
    pub fn number(&self, names: &[(&str, u64)]) -> u64 {
        match self {
            Self::Int(number) => u64::try_from(*number).unwrap_or(0),
            Self::Text(text) => {
                let named = names.iter().find(|(name, _)| name == text).map(|(_, number)| *number);
                named.or_else(|| text.parse().ok()).unwrap_or(0)
            }
            // Past 2^63, and with the rounding that a double has.
            Self::Double(number) => *number as u64,
            Self::Bool(_) | Self::Other => 0,
        }
    }
}

impl AnyValue {
    fn of(kind: &str, scalar: Scalar) -> Option<Value<'static>> {
        match (kind, scalar) {
            ("stringValue" | "string_value", Scalar::Text(text)) => Some(Value::Text(text.into())),
            ("boolValue" | "bool_value", Scalar::Bool(bool)) => Some(Value::Bool(bool)),
            ("intValue" | "int_value" | "doubleValue" | "double_value", Scalar::Int(number)) => Some(Value::Int(number)),
            ("intValue" | "int_value" | "doubleValue" | "double_value", Scalar::Double(number)) => {
                Some(Value::Double(number))
            }
            ("intValue" | "int_value", Scalar::Text(text)) => text.parse().ok().map(Value::Int),
            ("doubleValue" | "double_value", Scalar::Text(text)) => text.parse().ok().map(Value::Double),
            _ => None,
        }
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Scalar;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a value")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Scalar, E> {
                Ok(Scalar::Text(text.to_owned()))
            }

            fn visit_string<E: Error>(self, text: String) -> Result<Scalar, E> {
                Ok(Scalar::Text(text))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Scalar, E> {
                Ok(Scalar::Int(number))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Scalar, E> {
                Ok(i64::try_from(number).map_or(Scalar::Double(number as f64), Scalar::Int))
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<Scalar, E> {
                Ok(Scalar::Double(number))
            }

            fn visit_bool<E: Error>(self, bool: bool) -> Result<Scalar, E> {
                Ok(Scalar::Bool(bool))
            }

            fn visit_unit<E: Error>(self) -> Result<Scalar, E> {
                Ok(Scalar::Other)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scalar, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Scalar::Other)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Scalar, A::Error> {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Scalar::Other)
            }
        }
        deserializer.deserialize_any(Any)
    }
}

impl<'de> Deserialize<'de> for AnyValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = AnyValue;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a value with its type")
            }

            fn visit_unit<E: Error>(self) -> Result<AnyValue, E> {
                Ok(AnyValue(None))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<AnyValue, A::Error> {
                let mut value = None;
                while let Some(kind) = map.next_key::<String>()? {
                    value = AnyValue::of(&kind, map.next_value()?).or(value);
                }
                Ok(AnyValue(value))
            }
        }
        deserializer.deserialize_any(Any)
    }
}
