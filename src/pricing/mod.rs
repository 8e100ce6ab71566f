//! The book of prices: what a paid call costs by its usage, exactly.
//!
//! A [`Book`] is layers of prices: tables of the operator's own, a file of the operator's, and the embedded catalogue, the facts of the
//! public package `genai-prices` (`embedded/`, its licence beside it, made by `scripts/update-prices`). It is immutable and shared;
//! a reload puts another in its place.
//!
//! *Invariants.* A price is an exact fraction of a dollar for one unit, an amount the exact sum of counts times prices, rounded once, at
//! the end, half to even at the twelfth decimal. No float is anywhere: a number of a catalogue is read from its digits. What the book
//! does not know for certain has no price: never zero, never that of something similar. The same question has the same answer at
//! any time: the time of the event is part of the question.
//!
//! *Limits.* [`FILE_BYTES_MAX`], [`TABLES_MAX`], [`USAGE_RAW_BYTES_MAX`].

mod amount;
mod book;
mod catalogue;
mod clock;
mod cost;
mod counts;
mod embedded;
mod extract;
mod file;
mod json;
mod litellm;
mod litellm_prices;
mod models_dev;
mod overlay;
mod own;
mod pattern;
mod price;
mod provider;
mod seller;
mod shown;
mod spelling;
mod tier;

pub use book::{Book, BookError, Query, Rated};
pub use clock::{Days, Hours};
pub use extract::{DEPTH_MAX, ExtractError, Extracted, USAGE_RAW_BYTES_MAX, extract};
pub use file::{FILE_BYTES_MAX, PriceFile, PriceFileError};
pub use own::{PriceTable, PriceUsd, TABLES_MAX};
pub use price::RateError;
pub use shown::{Found, UnitPrice};

#[cfg(test)]
mod tests;
