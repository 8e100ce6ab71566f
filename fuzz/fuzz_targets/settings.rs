#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| lead_factory_metrics::fuzz_tests::settings(data));
