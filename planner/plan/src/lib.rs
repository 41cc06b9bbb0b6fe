//! Desired × applied × live → a plan: a DAG of steps, each with its inverse.
//!
//! Pure and deterministic: the same inputs give the same plan bytes. The plan holds the whole execution
//! graph, so that applying it derives nothing anew, and its invariants are proved before it is shown.

pub mod analysis;
mod compile;
pub mod desired;
mod diff;
pub mod digest;
pub mod image;
pub mod invariants;
pub mod model;
mod revision;
pub mod strategy;

pub use compile::{Request, plan};
pub use desired::{Desired, DesiredService, from_graph};
pub use image::LiveState;
pub use model::{Plan, Step, StepId, StepKind};

use dax_core::Code;

/// Weights of a canary that do not rise. Explained in docs/diagnostics/DAX5001.md.
pub const WEIGHTS_FALL: Code = Code::error(5001, "the weights of a canary must rise");
/// A rolling strategy that can never move. Explained in docs/diagnostics/DAX5002.md.
pub const NO_PROGRESS: Code = Code::error(5002, "the strategy can make no progress");
/// A plan whose steps break a promise. Explained in docs/diagnostics/DAX5003.md.
pub const BROKEN_INVARIANT: Code = Code::error(5003, "the plan would break a promise");
/// An analysis that requires nothing. Explained in docs/diagnostics/DAX5004.md.
pub const EMPTY_ANALYSIS: Code = Code::error(5004, "the analysis requires nothing");

/// Every code of this crate.
pub const CODES: &[Code] = &[WEIGHTS_FALL, NO_PROGRESS, BROKEN_INVARIANT, EMPTY_ANALYSIS];
