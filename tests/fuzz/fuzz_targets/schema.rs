//! Schemas of any bytes: an error, or types that read as they are meant, and nothing else.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    dax_tests::properties::schema(&text);
});
