//! How the agent came by an event that no worker told it with its amount: over which road, and why it costs what it does.
//!
//! *Invariants.* An event without an origin was told with its amount, which is as the worker says. What the agent itself changes about an
//! event counts as an amendment, never as a revision that a worker might send as well.
//!
//! *Limits.* [`ANCESTORS_MAX`].

use std::fmt;

use jiff::civil::Date;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use strum::{EnumString, IntoStaticStr};

use super::Usd;

/// Spans above a call that are remembered, nearest first. Agents nest, but no deeper than this by far.
pub const ANCESTORS_MAX: usize = 32;

/// The road of what a worker tells in the agent's own format.
pub const NATIVE_ROAD: &str = "native";

/// How an event came to be as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// Over which road it came first: `native`, `litellm`, `cloudevents`, `otlp:` and the scope that made the record.
    pub road: Box<str>,
    /// How its amount is known.
    pub cost: CostSource,
    /// How far its numbers can be trusted.
    #[serde(default, skip_serializing_if = "Quality::is_exact")]
    pub quality: Quality,
    /// Of several roads that tell one call, those of the highest rank are believed.
    #[serde(default, skip_serializing_if = "Rank::is_usual")]
    pub rank: Rank,
    /// It looks like another event that came over another road.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_suspected: bool,
    /// What it says is said again by the calls below it, so it costs nothing.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_repeat: bool,
    /// It adds up the calls below it, if there are any.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_wrapper: bool,
    /// Whether the sender says that it cost nothing: of a call that is known, that it was answered from a cache this time. Not kept.
    #[serde(skip)]
    pub zero: Zero,
    /// Other sources under which the same id may stand, because a road did not say who the provider is. Not kept.
    #[serde(skip)]
    pub also_under: Vec<Box<str>>,
    /// Spans below its own, each with the one above it, nearest first: of the spans between it and a call that was told before. Not kept.
    #[serde(skip)]
    pub links_below: Vec<(SpanId, SpanId)>,
    /// How often the agent has changed it since its revision was told.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub amendment: u32,
    /// Its place in a trace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub span: Option<SpanPlace>,
}

/// What a sender says of a call that used something and cost nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Zero {
    /// Nothing of the kind.
    #[default]
    Unsaid,
    /// Zero, as it also says of a price that it does not know.
    Unsure,
    /// That it cost nothing.
    Sure,
}

/// How an event's amount is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CostSource {
    /// The sender said it.
    #[default]
    Told,
    /// It was worked out by this price.
    Priced(PriceTag),
    /// It is not: the amount is zero until there is a price.
    Unpriced,
}

/// Which price made an amount.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriceTag {
    /// The catalogue and its entry, such as `genai-prices openai/gpt-4o`.
    pub name: Box<str>,
    /// The catalogue's version.
    pub version: Box<str>,
    /// When the catalogue was made; `None` where it does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<Date>,
}

/// How far an event's numbers can be trusted, the most trusted first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, EnumString, IntoStaticStr)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Quality {
    /// They are the provider's.
    #[default]
    Exact,
    /// The sender estimated them.
    Estimated,
    /// The sender is known to miscount.
    Doubtful,
}

/// How far a road is believed where several tell one call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rank {
    /// Any other road knows better.
    Lower,
    /// The first one stays.
    #[default]
    Usual,
    /// It knows better than any other.
    Higher,
}

/// Where a call stands in its trace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpanPlace {
    /// The trace.
    pub trace: TraceId,
    /// The span itself.
    pub span: SpanId,
    /// The spans above it, as far as they are known: the nearest first, at most [`ANCESTORS_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ancestors: Vec<SpanId>,
    /// Whether the last of these is the root of the trace.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_rooted: bool,
}

/// A trace's id (W3C Trace Context): 16 bytes, not all zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TraceId(pub [u8; 16]);

/// A span's id (W3C Trace Context): 8 bytes, not all zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpanId(pub [u8; 8]);

/// A cost, and what it means if it is zero and something was used: senders say so as well of a price that they do not know.
pub fn unless_zero(told: Option<Usd>, is_used: bool) -> (Option<Usd>, Zero) {
    let zero = if told == Some(Usd::ZERO) && is_used { Zero::Unsure } else { Zero::Unsaid };
    (told.filter(|cost| *cost != Usd::ZERO), zero)
}

impl Origin {
    /// Of an event that came over this road, told with its amount.
    pub fn of(road: &str) -> Self {
        Self {
            road: road.into(),
            cost: CostSource::Told,
            quality: Quality::Exact,
            rank: Rank::Usual,
            is_suspected: false,
            is_repeat: false,
            is_wrapper: false,
            zero: Zero::Unsaid,
            also_under: Vec::new(),
            links_below: Vec::new(),
            amendment: 0,
            span: None,
        }
    }

    /// Whether the amount waits for a price.
    pub fn is_unpriced(&self) -> bool {
        self.cost == CostSource::Unpriced
    }

    /// Whether the amount was worked out by a price.
    pub fn is_priced(&self) -> bool {
        matches!(self.cost, CostSource::Priced(_))
    }
}

impl Quality {
    /// The word used in JSON.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde asks")]
    fn is_exact(&self) -> bool {
        *self == Self::Exact
    }
}

impl Rank {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde asks")]
    fn is_usual(&self) -> bool {
        *self == Self::Usual
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde asks")]
const fn is_false(value: &bool) -> bool {
    !*value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde asks")]
const fn is_zero(value: &u32) -> bool {
    *value == 0
}

/// Ids as they are written: in lower-case hexadecimal digits.
macro_rules! hex_id {
    ($id:ident, $bytes:literal) => {
        impl $id {
            /// From bytes; `None` of another length, or of zeros, which stand for no id.
            pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
                let bytes: [u8; $bytes] = bytes.try_into().ok()?;
                bytes.iter().any(|byte| *byte != 0).then_some(Self(bytes))
            }

            /// From hexadecimal digits of either case; `None` of anything else.
            pub fn from_hex(text: &str) -> Option<Self> {
                if text.len() != $bytes * 2 {
                    return None;
                }
                let mut bytes = [0; $bytes];
                for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
                    let digit = |digit: u8| char::from(digit).to_digit(16);
                    let value = digit(*pair.first()?)? * 16 + digit(*pair.get(1)?)?;
                    *byte = u8::try_from(value).ok()?;
                }
                Self::from_bytes(&bytes)
            }
        }

        impl fmt::Display for $id {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $id {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, formatter)
            }
        }

        impl Serialize for $id {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $id {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                Self::from_hex(&text).ok_or_else(|| serde::de::Error::custom("is not an id in hexadecimal digits"))
            }
        }
    };
}

hex_id!(TraceId, 16);
hex_id!(SpanId, 8);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_short_where_it_says_little_and_comes_back_as_it_was() {
        let told = Origin::of("litellm");
        assert_eq!(serde_json::to_string(&told).unwrap(), r#"{"road":"litellm","cost":"told"}"#);
        let price = PriceTag {
            name: "genai-prices openai/gpt-4o".into(),
            version: "0.2.3".into(),
            date: Some(jiff::civil::date(2026, 11, 1)),
        };
        let span = SpanPlace {
            trace: TraceId::from_hex("4bf92f3577b34da6a3ce929d0e0e4736").unwrap(),
            span: SpanId::from_hex("00F067AA0BA902B7").unwrap(),
            ancestors: vec![SpanId::from_bytes(&[1; 8]).unwrap()],
            is_rooted: true,
        };
        let full = Origin {
            cost: CostSource::Priced(price),
            quality: Quality::Doubtful,
            rank: Rank::Lower,
            is_suspected: true,
            is_repeat: true,
            is_wrapper: true,
            amendment: 3,
            span: Some(span),
            ..told.clone()
        };
        for origin in [told, full] {
            let json = serde_json::to_string(&origin).unwrap();
            assert_eq!(serde_json::from_str::<Origin>(&json).unwrap(), origin, "{json}");
        }
    }

    #[test]
    fn zeros_and_other_texts_are_no_ids() {
        for text in
            ["", "00", "0000000000000000", "00f067aa0ba902bg", "00f067aa0ba902b7a", "+0f067aa0ba902b7", "é0f067aa0ba902"]
        {
            assert_eq!(SpanId::from_hex(text), None, "{text}");
        }
        assert_eq!(TraceId::from_bytes(&[0; 16]), None);
        assert_eq!(TraceId::from_bytes(&[1; 8]), None);
        assert_eq!(SpanId::from_hex("00f067aa0ba902b7").unwrap().to_string(), "00f067aa0ba902b7");
    }

    #[test]
    fn an_amount_is_told_priced_or_waits() {
        let tag = PriceTag { name: "p".into(), version: "1".into(), date: None };
        for (cost, is_unpriced, is_priced) in
            [(CostSource::Told, false, false), (CostSource::Priced(tag), false, true), (CostSource::Unpriced, true, false)]
        {
            let origin = Origin { cost, ..Origin::of("litellm") };
            assert_eq!((origin.is_unpriced(), origin.is_priced()), (is_unpriced, is_priced), "{origin:?}");
        }
        let span = SpanId::from_hex("00f067aa0ba902b7").unwrap();
        assert_eq!(format!("{span:?}"), "00f067aa0ba902b7");
        assert!(serde_json::from_str::<SpanId>("\"00\"").is_err());
        let words = [Quality::Exact, Quality::Estimated, Quality::Doubtful].map(Quality::as_str);
        assert_eq!(words, ["exact", "estimated", "doubtful"]);
    }
}
