//! The journal: what was intended and what came of it, append-only and hash-chained.
//!
//! Entries hold references, never payloads or secrets. Each entry's hash covers the one before, so a
//! journal that was cut or changed is noticed.

use dax_core::Name;
use dax_plan::StepId;
use dax_plan::analysis::Verdict;
use serde::{Deserialize, Serialize};

/// One line of the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "snake_case")]
pub enum Entry {
    /// A step is about to be carried out.
    Intent {
        /// The step.
        step: StepId,
        /// When, in milliseconds since 1970.
        at_ms: u64,
    },
    /// A step went well.
    Done {
        /// The step.
        step: StepId,
    },
    /// A step failed for good.
    Failed {
        /// The step.
        step: StepId,
        /// Why.
        message: String,
    },
    /// A measurement was judged.
    Measured {
        /// The step.
        step: StepId,
        /// What it says.
        verdict: Verdict,
    },
    /// From here on the run goes back.
    GoBack,
    /// A step is about to be taken back.
    UndoIntent {
        /// The step.
        step: StepId,
    },
    /// A step was taken back.
    Undone {
        /// The step.
        step: StepId,
    },
    /// A step could not be taken back.
    UndoFailed {
        /// The step.
        step: StepId,
        /// Why.
        message: String,
    },
    /// The run is over.
    End {
        /// How it ended.
        outcome: Outcome,
    },
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// Everything is as the plan says.
    Succeeded,
    /// A step failed and everything since the last rollback point was taken back.
    RolledBack {
        /// The step.
        step: StepId,
        /// Why it failed.
        message: String,
    },
    /// A step failed and could not be taken back.
    Stuck {
        /// The step.
        step: StepId,
        /// Why.
        message: String,
    },
    /// Every step went well and yet the live object is not as it should be.
    Diverged {
        /// What differs.
        message: String,
    },
    /// It was interrupted and can be resumed.
    Interrupted,
}

impl Outcome {
    /// One word for lists.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::RolledBack { .. } => "rolled back",
            Self::Stuck { .. } => "stuck",
            Self::Diverged { .. } => "diverged",
            Self::Interrupted => "interrupted",
        }
    }
}

/// The hash of an entry behind another.
pub fn chain(previous: &str, entry: &str) -> Name {
    let mut hasher = blake3::Hasher::new();
    hasher.update(previous.as_bytes());
    hasher.update(b"\n");
    hasher.update(entry.as_bytes());
    Name::new(hasher.finalize().to_hex())
}
