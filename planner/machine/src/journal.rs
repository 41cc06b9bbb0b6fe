//! The journal: what was intended and what came of it, append-only and hash-chained.
//!
//! Entries hold references, never payloads or secrets. Each batch's hash covers the one before, so a
//! journal that was cut or changed is noticed.

use dax_core::{Name, Value};
use dax_plan::StepId;
use dax_plan::analysis::Verdict;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

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
        /// Whether it is certain that it changed nothing: then nothing is taken back either.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        untouched: bool,
    },
    /// A measurement was judged.
    Measured {
        /// The step.
        step: StepId,
        /// When, in milliseconds since 1970.
        #[serde(default)]
        at_ms: u64,
        /// What it says.
        verdict: Verdict,
        /// What was measured of the new revision.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        values: BTreeMap<Name, Value>,
        /// What was measured of the old one.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        baseline: BTreeMap<Name, Value>,
    },
    /// Whether a step went well, only a person can say: an analysis did not decide, or a call's outcome is not known.
    Open {
        /// The step.
        step: StepId,
        /// Why.
        message: String,
    },
    /// A person said how it goes on with a step.
    Decided {
        /// The step.
        step: StepId,
        /// How.
        how: How,
        /// Who.
        by: Name,
        /// Why.
        reason: String,
    },
    /// Enough people agreed to go on.
    Approved {
        /// The step.
        step: StepId,
        /// Who.
        by: Vec<Name>,
    },
    /// Somebody wants everything taken back.
    Abort {
        /// Who.
        by: Name,
        /// Why.
        reason: String,
    },
    /// From here on the run goes back.
    GoBack,
    /// A step is about to be taken back.
    UndoIntent {
        /// The step.
        step: StepId,
        /// When, in milliseconds since 1970.
        #[serde(default)]
        at_ms: u64,
    },
    /// A step was taken back.
    Undone {
        /// The step.
        step: StepId,
    },
    /// Somebody else has changed what a step changed; it is taken back all the same.
    UndoForced {
        /// The step.
        step: StepId,
        /// What was found.
        message: String,
    },
    /// A step could not be taken back.
    UndoFailed {
        /// The step.
        step: StepId,
        /// Why.
        message: String,
    },
    /// A step stays as it is although the run goes back.
    Kept {
        /// The step.
        step: StepId,
        /// Who said so, if a person did; else it has no way back.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Name>,
        /// Why.
        reason: String,
    },
    /// The run is over.
    End {
        /// How it ended.
        outcome: Outcome,
    },
}

/// How it goes on with a step that waits for a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// It is tried again.
    Again,
    /// It counts as done.
    Done,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// Everything is as the plan says.
    Succeeded,
    /// A step failed, or somebody ended it, and everything since the last rollback point was taken back.
    RolledBack {
        /// The step; none when somebody ended it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        step: Option<StepId>,
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
    /// It waits for somebody to decide.
    Held {
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
    /// Somebody ended it because its plan cannot be trusted: nothing more was done, and nothing was taken back.
    Abandoned {
        /// What is wrong with the plan.
        message: String,
    },
}

impl Outcome {
    /// One word for lists.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::RolledBack { .. } => "rolled back",
            Self::Stuck { .. } => "stuck",
            Self::Held { .. } => "held",
            Self::Diverged { .. } => "diverged",
            Self::Interrupted => "interrupted",
            Self::Abandoned { .. } => "abandoned",
        }
    }

    /// Whether the run is over; one that is not can be resumed.
    pub const fn is_final(&self) -> bool {
        !matches!(self, Self::Stuck { .. } | Self::Held { .. } | Self::Interrupted)
    }
}
