//! How values of common types stand in a column.

use std::str::FromStr;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;

use super::super::LedgerError;
use super::cell::{Cell, Cells, Shape};
use super::spelling::{Codec, Plain, Sink};
use crate::domain::{Name, Pair, Quantity, Sums, Usd};

/// An amount as an integer of pico-dollars. Sums outgrow that; amounts of single events and reservations are bounded at 10⁶ USD, a
/// ninth of what 64 bits hold.
pub(in crate::ledger) struct Pico;

/// Codecs that are one conversion to a cell, and one back.
macro_rules! plain {
    ($($type:ty: |$value:ident| $shape:ident($given:expr), |$cells:ident| $taken:expr;)*) => {
        $(
            impl Codec<$type> for Plain {
                const SHAPES: &'static [Shape] = &[Shape::$shape];

                #[inline]
                fn put($value: &$type, sink: &mut impl Sink) -> Result<(), LedgerError> {
                    sink.add(Cell::$shape($given))
                }

                #[inline]
                fn take($cells: &mut Cells<'_>) -> Option<$type> {
                    $taken
                }
            }
        )*
    };
}

plain! {
    i64: |value| Integer(*value), |cells| cells.integer();
    Option<i64>: |value| OptionalInteger(*value), |cells| cells.optional_integer();
    u32: |value| Integer(i64::from(*value)), |cells| cells.integer()?.try_into().ok();
    // A count, which never reaches the sign.
    u64: |value| Integer(value.cast_signed()), |cells| Some(cells.integer()?.cast_unsigned());
    bool: |value| Integer(i64::from(*value)), |cells| Some(cells.integer()? != 0);
    Option<f64>: |value| OptionalReal(*value), |cells| cells.optional_real();
    String: |value| Text(value), |cells| cells.text().map(str::to_owned);
    Box<str>: |value| Text(value), |cells| cells.text().map(Box::from);
    Arc<str>: |value| Text(value), |cells| cells.text().map(Arc::from);
    Option<Box<str>>: |value| OptionalText(value.as_deref()), |cells| Some(cells.optional_text()?.map(Box::from));
    Vec<u8>: |value| Bytes(value), |cells| cells.bytes().map(Vec::from);
    Name: |value| Text(value.as_str()), |cells| Name::new(cells.text()?).ok();
    Timestamp: |value| Integer(nanoseconds(*value)), |cells| timestamp(cells.integer()?);
    Option<Timestamp>: |value| OptionalInteger(value.map(nanoseconds)), |cells| match cells.optional_integer()? {
        None => Some(None),
        Some(ns) => timestamp(ns).map(Some),
    };
    // Texts, because they are read in a shell, and sums outgrow 64 bits.
    Date: |value| Text(&value.to_string()), |cells| parsed(cells);
    Usd: |value| Text(&value.to_string()), |cells| parsed(cells);
    Quantity: |value| Text(&value.to_string()), |cells| parsed(cells);
}

impl Codec<Usd> for Pico {
    const SHAPES: &'static [Shape] = &[Shape::Integer];

    #[inline]
    fn put(value: &Usd, sink: &mut impl Sink) -> Result<(), LedgerError> {
        let pico = i64::try_from(value.pico()).map_err(|_| LedgerError::Damaged("an amount is out of range".into()))?;
        sink.add(Cell::Integer(pico))
    }

    #[inline]
    fn take(cells: &mut Cells<'_>) -> Option<Usd> {
        cells.integer().map(|pico| Usd::from_pico(pico.into()))
    }
}

/// Service and operation.
impl Codec<Pair> for Plain {
    const SHAPES: &'static [Shape] = &[Shape::Text, Shape::Text];

    fn put(Pair { service, operation }: &Pair, sink: &mut impl Sink) -> Result<(), LedgerError> {
        Self::put(service, sink)?;
        Self::put(operation, sink)
    }

    fn take(cells: &mut Cells<'_>) -> Option<Pair> {
        Some(Pair { service: Self::take(cells)?, operation: Self::take(cells)? })
    }
}

/// Charges, credits, and how many entries.
impl Codec<Sums> for Plain {
    const SHAPES: &'static [Shape] = &[Shape::Text, Shape::Text, Shape::Integer];

    fn put(Sums { charges, credits, entries }: &Sums, sink: &mut impl Sink) -> Result<(), LedgerError> {
        Self::put(charges, sink)?;
        Self::put(credits, sink)?;
        Self::put(entries, sink)
    }

    fn take(cells: &mut Cells<'_>) -> Option<Sums> {
        Some(Sums { charges: Self::take(cells)?, credits: Self::take(cells)?, entries: Self::take(cells)? })
    }
}

/// Nanoseconds since 1970; a time beyond the years 1677 to 2262 is held at that edge.
pub(in crate::ledger) fn nanoseconds(time: Timestamp) -> i64 {
    let ns = time.as_nanosecond();
    i64::try_from(ns).unwrap_or(if ns < 0 { i64::MIN } else { i64::MAX })
}

fn timestamp(ns: i64) -> Option<Timestamp> {
    Timestamp::from_nanosecond(ns.into()).ok()
}

fn parsed<T: FromStr>(cells: &mut Cells<'_>) -> Option<T> {
    cells.text()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_that_64_bits_do_not_hold_is_held_at_their_edge() {
        for (time, ns) in [
            (Timestamp::MIN, i64::MIN),
            (Timestamp::MAX, i64::MAX),
            (Timestamp::UNIX_EPOCH, 0),
            ("1969-12-31T23:59:59.999999999Z".parse().unwrap(), -1),
            ("2026-11-22T10:00:00.000000001Z".parse().unwrap(), 1_795_341_600_000_000_001),
        ] {
            assert_eq!(nanoseconds(time), ns, "{time}");
        }
        assert_eq!(timestamp(-1).map(nanoseconds), Some(-1));
    }
}
