//! Desired × applied × live → a plan: a DAG of steps, each with its inverse.
//!
//! Pure and deterministic: the same inputs give the same plan bytes. The plan holds the whole execution
//! graph, so that applying it derives nothing anew, and its invariants are proved before it is shown.

pub mod analysis;
mod compile;
pub mod desired;
mod diff;
pub mod digest;
pub mod drift;
pub use dax_model::image;
pub mod invariants;
mod leaves;
pub mod model;
mod passes;
pub mod proof;
mod request;
mod revision;
mod sequence;
pub mod strategy;
mod work;

pub use compile::plan;
pub use desired::{Desired, DesiredService, from_graph};
pub use image::LiveState;
pub use model::{Plan, Step, StepId, Task};
pub use passes::{Selection, addressed};
pub use request::Request;
pub use work::ROLLBACK_WITHIN_MS;

use dax_core::Code;

/// Weights of a canary that do not rise. Explained in docs/diagnostics/DAX5001.md.
pub const WEIGHTS_FALL: Code = Code::error(5001, "the weights of a canary must rise");
/// A rolling strategy that can never move. Explained in docs/diagnostics/DAX5002.md.
pub const NO_PROGRESS: Code = Code::error(5002, "the strategy can make no progress");
/// A plan whose steps break a promise. Explained in docs/diagnostics/DAX5003.md.
pub const BROKEN_INVARIANT: Code = Code::error(5003, "the plan would break a promise");
/// An analysis that requires nothing. Explained in docs/diagnostics/DAX5004.md.
pub const EMPTY_ANALYSIS: Code = Code::error(5004, "the analysis requires nothing");

/// A strategy that asks for more than the platform has. Explained in docs/diagnostics/DAX5006.md.
pub const NOT_OFFERED: Code = Code::error(5006, "the platform does not offer this");
/// Something runs under the name of a service that dax did not make. Explained in docs/diagnostics/DAX5007.md.
pub const NOT_OURS: Code = Code::error(5007, "something else runs under this name");
/// A baseline of a metric that is not measured. Explained in docs/diagnostics/DAX5008.md.
pub const NO_SUCH_METRIC: Code = Code::error(5008, "the metric is not measured");
/// A target that is no service. Explained in docs/diagnostics/DAX5009.md.
pub const NO_SUCH_TARGET: Code = Code::error(5009, "there is no such service to plan");

/// Every code of this crate.
pub const CODES: &[Code] = &[
    WEIGHTS_FALL,
    NO_PROGRESS,
    BROKEN_INVARIANT,
    EMPTY_ANALYSIS,
    NOT_OFFERED,
    NOT_OURS,
    NO_SUCH_METRIC,
    NO_SUCH_TARGET,
];
