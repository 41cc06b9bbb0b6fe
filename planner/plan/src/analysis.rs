//! Analyses: what is measured, what must hold, and what the measurements decide.

mod assess;
mod baseline;
mod judge;
mod read;

pub use assess::{Decision, Tally, assess};
pub use baseline::{MannWhitney, mann_whitney, worse};
pub use judge::{failing, judge};
pub(crate) use read::{hundredths, read};

use dax_core::{Name, Value};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// An analysis, ready to run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Analysis {
    /// The provider instance that measures: `local.machine`.
    pub from: Name,
    /// Time between two measurements, in milliseconds.
    pub every_ms: u64,
    /// How far back a measurement looks, in milliseconds.
    pub window_ms: u64,
    /// Time before the first measurement, in milliseconds.
    #[serde(default)]
    pub initial_delay_ms: u64,
    /// Queries by the name that conditions use.
    pub metrics: BTreeMap<Name, Metric>,
    /// All of them must hold.
    pub require: Vec<Condition>,
    /// None of them may hold.
    #[serde(default)]
    pub forbid: Vec<Condition>,
    /// All of them should hold; nothing follows when one does not.
    #[serde(default)]
    pub advise: Vec<Condition>,
    /// Metrics that must not be worse than those of the old revision.
    #[serde(default)]
    pub baseline: Vec<Baseline>,
    /// So many measurements are enough; zero measures as long as the step is held.
    #[serde(default)]
    pub count: u32,
    /// How many of what are borne.
    pub limits: Limits,
    /// What a measurement without data counts as.
    pub on_no_data: NoData,
    /// Whose rules decide.
    #[serde(default)]
    pub semantics: Semantics,
}

/// How many measurements of a kind are borne before they decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Failed ones; not counted without a number.
    pub failures: Option<u32>,
    /// Failed ones in a row.
    pub consecutive_failures: Option<u32>,
    /// Inconclusive ones.
    pub inconclusive: Option<u32>,
    /// Errors of the source in a row.
    pub errors: u32,
    /// Good ones in a row that are enough; zero does not count them.
    pub successes: u32,
}

/// Whose rules decide.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Semantics {
    /// Those of dax.
    #[default]
    Native,
    /// Those of Argo Rollouts' controller.
    Argo,
    /// Those of Flagger's controller.
    Flagger,
}

/// A query to a metrics source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metric {
    /// The query in the source's own language.
    pub query: Name,
    /// The type of its answer.
    pub ty: Name,
}

/// A metric that is compared between the new and the old revision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Baseline {
    /// The metric.
    pub metric: Name,
    /// What is worse.
    pub worse: Worse,
    /// By so much of the estimated difference it may be worse, in hundredths of a percent.
    pub tolerance: u32,
    /// How sure the test must be, in hundredths of a percent.
    pub confidence: u32,
}

/// Which way of a metric is the worse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Worse {
    /// More of it.
    Increase,
    /// Less of it.
    Decrease,
    /// Any difference.
    Either,
}

/// What a measurement without data counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoData {
    /// Neither for nor against.
    Inconclusive,
    /// As a failed measurement.
    Fail,
    /// As a good one.
    Pass,
    /// As an error of the source.
    Error,
}

/// How a metric is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Comparison {
    #[serde(rename = "==")]
    Equal,
    #[serde(rename = "!=")]
    NotEqual,
    #[serde(rename = "<")]
    Less,
    #[serde(rename = "<=")]
    LessEqual,
    #[serde(rename = ">")]
    Greater,
    #[serde(rename = ">=")]
    GreaterEqual,
}

/// What must hold of the metrics.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// Each of them.
    All(Vec<Condition>),
    /// At least one of them.
    Any(Vec<Condition>),
    /// Not this.
    Not(Box<Condition>),
    /// A metric against a constant.
    Compare {
        /// The metric's name.
        metric: Name,
        /// How it is compared.
        op: Comparison,
        /// The constant.
        value: Value,
    },
}

/// What one measurement says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Everything required holds.
    Pass,
    /// Something required does not hold.
    Fail,
    /// Neither for nor against.
    Inconclusive,
    /// The source could not be asked.
    Error,
    /// There was nothing to tell from.
    NoData,
}

/// What a source answered, metric by metric; one that is absent had no data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Measured {
    /// Of the new revision.
    pub values: BTreeMap<Name, Value>,
    /// Of the old revision, for metrics that are compared.
    pub baseline: BTreeMap<Name, Value>,
    /// Why the source could not be asked, if it could not.
    pub error: Option<String>,
}
