#![no_main]
//! CloudEvents: structured and batched, and binary ones, whose headers are the lines before the body.

use lead_factory_metrics::formats::cloudevents::FORMATS;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((choice, rest)) = data.split_first() else { return };
    let read = |headers: &[(&str, &[u8])], body| lead_factory_metrics_fuzz::read(&FORMATS[0], headers, body);
    match choice % 4 {
        0 => read(&[("content-type", b"application/cloudevents+json")], rest),
        1 => read(&[("content-type", b"application/cloudevents-batch+json")], rest),
        2 => {
            let names = ["ce-id", "ce-source", "ce-type", "ce-specversion", "ce-time", "ce-subject", "ce-cached", "content-type"];
            let mut lines = rest.splitn(names.len() + 1, |byte| *byte == b'\n');
            let headers: Vec<(&str, &[u8])> =
                names.into_iter().zip(lines.by_ref()).filter(|(_, value)| !value.is_empty()).collect();
            read(&headers, lines.next().unwrap_or_default());
        }
        _ => read(&[("ce-id", b"1"), ("ce-source", b"s"), ("ce-type", b"t"), ("ce-specversion", b"1.0")], rest),
    }
});
