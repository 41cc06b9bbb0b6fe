//! Manifests of any bytes: an error, or a program that reads as it is meant and has none but the
//! items of an import.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    dax_tests::properties::manifest(&text);
});
