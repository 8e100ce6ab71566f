//! Prices, and what providers answer with.

use jiff::Timestamp;

use crate::pricing::{Book, PriceFile, extract};

/// Files of prices in JSON: LiteLLM's and models.dev's. What is read makes a book that can be asked.
pub fn prices(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(file) = PriceFile::of_json(text) else { return };
    let Ok(book) = Book::with(&[], Some(file)) else { return };
    let model: String = text.chars().filter(|char| char.is_ascii_alphanumeric()).take(8).collect();
    let _ = book.find("openai", &model, Timestamp::UNIX_EPOCH);
}

/// Usage objects as providers answer with them. The first byte chooses the provider.
pub fn usage_raw(data: &[u8]) {
    const PROVIDERS: [&str; 8] = ["openai", "anthropic", "google", "aws", "cohere", "x-ai", "perplexity", ""];
    let Some((choice, rest)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(rest) else { return };
    if let Ok(found) = extract(PROVIDERS[usize::from(*choice) % PROVIDERS.len()], text) {
        assert!(found.usage.len() <= 16, "{found:?}");
    }
}
