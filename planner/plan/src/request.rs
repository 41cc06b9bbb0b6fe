//! What to plan from.

use crate::image::LiveState;
use crate::model::{AppliedService, Mode, StateVersion};
use crate::passes::Selection;
use dax_core::{Name, ResourceAddr, Span, Value};
use dax_model::Traits;
use std::collections::{BTreeMap, BTreeSet};

/// What to plan from. No defaults: each caller states every choice.
pub struct Request<'r> {
    /// The project.
    pub project: Name,
    /// The environment.
    pub environment: Name,
    /// What the plan is for.
    pub mode: Mode,
    /// Parameters of the program.
    pub params: BTreeMap<Name, Value>,
    /// How the providers are reached, where that takes a configuration.
    pub providers: BTreeMap<Name, Value>,
    /// Digest of the program's texts.
    pub sources: Name,
    /// The state that `applied` is.
    pub base: StateVersion,
    /// What dax applied last.
    pub applied: &'r BTreeMap<ResourceAddr, AppliedService>,
    /// What runs.
    pub live: &'r LiveState,
    /// What the platform of a provider instance can do.
    pub traits: &'r dyn Fn(&Name) -> Traits,
    /// Provider instances that cannot be read.
    pub unreachable: BTreeSet<Name>,
    /// What to plan of all that.
    pub selection: Selection,
    /// Turns a span into `file:line:column`.
    pub locate: &'r dyn Fn(Span) -> String,
}
