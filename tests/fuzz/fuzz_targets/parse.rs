//! The parser: any bytes give a tree, spans lie inside, and the short way agrees with the grammar.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    dax_tests::properties::parse(&text);
});
