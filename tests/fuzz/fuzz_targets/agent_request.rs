//! What is said to the local agent's socket: any bytes are a request or are refused.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dax_provider_local::any_request(data));
