//! The operator's own file of prices.
//!
//! *Limits.* [`FILE_BYTES_MAX`].

use super::catalogue::Catalogue;
use super::own::PriceTable;

/// Largest file of prices: LiteLLM's has 4 MB, models.dev's 2 MB.
pub const FILE_BYTES_MAX: u64 = 32 << 20;

/// What a file says.
#[derive(Debug)]
pub struct PriceFile(pub(super) Content);

#[derive(Debug)]
pub(super) enum Content {
    /// Tables as in the settings.
    Tables(Vec<PriceTable>),
    /// A catalogue of others.
    Catalogue(Catalogue),
}
