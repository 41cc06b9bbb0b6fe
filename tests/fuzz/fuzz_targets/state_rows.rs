//! Rows of a state with any bytes in them: an error, or what was written.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dax_tests::state_rows::survives(data));
