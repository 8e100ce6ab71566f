#![no_main]
//! Usage objects as providers answer with them. The first byte chooses the provider.

use lead_factory_metrics::pricing::extract;
use libfuzzer_sys::fuzz_target;

const PROVIDERS: [&str; 8] = ["openai", "anthropic", "google", "aws", "cohere", "x-ai", "perplexity", ""];

fuzz_target!(|data: &[u8]| {
    let Some((choice, rest)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(rest) else { return };
    if let Ok(found) = extract(PROVIDERS[usize::from(*choice) % PROVIDERS.len()], text) {
        assert!(found.usage.len() <= 16, "{found:?}");
    }
});
