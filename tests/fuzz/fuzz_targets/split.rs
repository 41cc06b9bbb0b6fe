//! The item splitter: chunks cover the text without gap or overlap.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    dax_tests::properties::split(&text);
});
