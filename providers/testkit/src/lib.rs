//! An in-memory platform with faults, and the conformance suite that every platform passes.

pub mod conformance;
mod memory;

pub use memory::{Fault, Memory};
