//! Kinds of strategies: how a new revision takes over.
//!
//! Invariant: each kind is a type of `std/strategy`, whose name is its word.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The kind of a strategy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StrategyKind {
    /// All traffic as soon as the new revision is ready.
    Immediate,
    /// Replicas are replaced a few at a time.
    Rolling,
    /// A growing share of the traffic.
    Canary,
    /// In full beside the old revision, then all traffic at once.
    BlueGreen,
}

impl StrategyKind {
    /// Every kind, in the order in which an editor offers them.
    pub const ALL: [Self; 4] = [Self::Immediate, Self::Rolling, Self::Canary, Self::BlueGreen];

    /// The word for it in programs, JSON and policies.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Immediate => "immediate",
            Self::Rolling => "rolling",
            Self::Canary => "canary",
            Self::BlueGreen => "blue_green",
        }
    }

    /// The kind with a word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

impl fmt::Display for StrategyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
