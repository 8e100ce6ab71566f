#![no_main]
//! Files of prices in JSON: LiteLLM's and models.dev's. What is read makes a book that can be asked.

use lead_factory_metrics::pricing::{Book, PriceFile};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(file) = PriceFile::of_json(text) else { return };
    let Ok(book) = Book::with(&[], Some(file)) else { return };
    let model: String = text.chars().filter(|char| char.is_ascii_alphanumeric()).take(8).collect();
    let _ = book.find("openai", &model, jiff::Timestamp::UNIX_EPOCH);
});
