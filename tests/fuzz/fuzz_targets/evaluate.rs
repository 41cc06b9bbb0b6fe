//! The evaluator over programs made of sound pieces, so that most of them get past the checker.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    dax_tests::properties::analyse(&dax_tests::programs::program(data));
});
