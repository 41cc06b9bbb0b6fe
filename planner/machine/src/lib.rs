//! The machine that carries a plan forward and back, its journal entries and its simulation, without I/O.
//!
//! Invariant: no runtime, no clock and no database; whoever drives it makes what it asks to write durable first.

pub mod journal;
pub mod live;
pub mod machine;
pub mod simulate;

pub use journal::{Entry, How, Outcome};
pub use machine::{Machine, Which};
