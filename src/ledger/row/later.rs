//! Columns that older rows lack, of values that nearly always say nothing.

use super::super::LedgerError;
use super::cell::{Cells, Shape};
use super::spelling::{Codec, LaterCodec, Plain, Sink};

/// A number that nearly all rows have as 0: that is NULL, as in rows that lack it.
pub(in crate::ledger) struct ZeroIsNull;

macro_rules! zero_is_null {
    ($($number:ty)*) => {
        $(
            impl LaterCodec<$number> for ZeroIsNull {
                const SHAPES: &'static [Shape] = <Plain as Codec<$number>>::SHAPES;

                fn put(value: &$number, names: &[&str], sink: &mut impl Sink) -> Result<(), LedgerError> {
                    <Plain as LaterCodec<Option<$number>>>::put(&Some(*value).filter(|value| *value != 0), names, sink)
                }

                fn take(names: &[&str], cells: &mut Cells<'_>) -> Option<$number> {
                    <Plain as LaterCodec<Option<$number>>>::take(names, cells).map(Option::unwrap_or_default)
                }

                fn is_absent(value: &$number) -> bool {
                    *value == 0
                }
            }
        )*
    };
}

zero_is_null! { u32 i64 }
