#![no_main]
//! Bodies of LiteLLM's generic callback. The first byte chooses the media type.

use lead_factory_metrics::formats::litellm::FORMATS;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((choice, body)) = data.split_first() else { return };
    let media_type: &[u8] = if choice % 2 == 0 { b"application/json" } else { b"application/x-ndjson" };
    lead_factory_metrics_fuzz::read(&FORMATS[0], &[("content-type", media_type)], body);
});
