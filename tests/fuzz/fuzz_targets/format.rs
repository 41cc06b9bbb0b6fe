//! The formatter: what it gives is settled and means the same.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    dax_tests::properties::format(&text);
});
