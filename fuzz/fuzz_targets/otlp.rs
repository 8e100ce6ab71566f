#![no_main]
//! OTLP as protobuf and as JSON. The first byte chooses the message and the encoding.

use lead_factory_metrics::formats::otlp::{LOGS, METRICS, TRACES};
use lead_factory_metrics_fuzz::read;
use libfuzzer_sys::fuzz_target;

const MEDIA_TYPES: [&[u8]; 2] = [b"application/x-protobuf", b"application/json"];

fuzz_target!(|data: &[u8]| {
    let Some((choice, body)) = data.split_first() else { return };
    let formats = [TRACES, LOGS, METRICS][usize::from(*choice) % 3];
    let media_type = MEDIA_TYPES[usize::from(*choice / 3) % 2];
    for format in formats {
        read(format, &[("content-type", media_type)], body);
    }
});
