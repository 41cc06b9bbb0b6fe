//! Saved plans of any bytes: refused, or sound and then shown and walked through.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    dax_tests::properties::saved_plan(data);
});
