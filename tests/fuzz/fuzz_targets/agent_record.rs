//! The local agent's record: any bytes are read or refused, and what is read says the same when it is written.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dax_provider_local::any_record(data));
