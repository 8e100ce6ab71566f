//! The operator's own file of prices.
//!
//! *Limits.* [`FILE_BYTES_MAX`].

use super::catalogue::Catalogue;
use super::json::Object;
use super::own::{PriceTable, fingerprint};
use super::{litellm, models_dev};

/// Largest file of prices: LiteLLM's has 4 MB, models.dev's 3 MB.
pub const FILE_BYTES_MAX: u64 = 32 << 20;

/// What a file says.
#[derive(Debug)]
pub struct PriceFile {
    pub(super) content: Content,
    /// Tells its text from others.
    pub(super) version: Box<str>,
}

#[derive(Debug)]
pub(super) enum Content {
    /// Tables as in the settings.
    Tables(Vec<PriceTable>),
    /// A catalogue of others.
    Catalogue(Catalogue),
}

/// Why a file has no prices. Completes a sentence that begins with the file's name.
#[derive(Debug, thiserror::Error)]
pub enum PriceFileError {
    /// Not JSON.
    #[error("is not JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// JSON of another kind.
    #[error("is neither LiteLLM's file of prices (model_prices_and_context_window.json) nor models.dev's (api.json)")]
    Unknown,
    /// A price cannot be read.
    #[error("{0}")]
    Entry(String),
}

impl PriceFile {
    /// Tables that were read from a text of the settings' form.
    pub fn of_tables(text: &str, tables: Vec<PriceTable>) -> Self {
        Self { content: Content::Tables(tables), version: version_of(text) }
    }

    /// Reads a JSON file; what it holds tells whose form it has.
    ///
    /// # Errors
    /// It has neither form, or a number in it is no price.
    pub fn of_json(text: &str) -> Result<Self, PriceFileError> {
        let file = Object::read(text)?.ok_or(PriceFileError::Unknown)?;
        let version = version_of(text);
        let catalogue = if file.all_objects().any(|(_, entry)| entry.has("litellm_provider")) {
            litellm::read(&file, version.to_string())
        } else if file.all_objects().any(|(_, entry)| entry.object("models").is_some()) {
            models_dev::read(&file, version.to_string())
        } else {
            return Err(PriceFileError::Unknown);
        };
        let content = catalogue.map(Content::Catalogue).map_err(PriceFileError::Entry)?;
        Ok(Self { content, version })
    }
}

fn version_of(text: &str) -> Box<str> {
    format!("{:016x}", fingerprint(text)).into()
}
