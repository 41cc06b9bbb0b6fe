//! Meaning: from syntax trees to the resource graph.
//!
//! Two passes over one [`Program`]: the checker types every expression once and reports what is wrong
//! wherever it stands; the evaluator computes each environment. Neither reads a file, a clock or the
//! environment, and both always end: functions do not recurse and evaluation has a fuel limit.

mod block;
mod builtins;
mod check;
pub mod codes;
mod context;
mod eval;
mod names;
mod operators;
mod program;
mod resolve;
mod ty;
mod why;

pub use eval::{Missing, Params};
pub use names::import_path;
pub use program::{ModuleId, ModuleSource, Program};
pub use why::{Contribution, contributions};

use dax_core::{Diagnostic, Name};
use dax_ir::Graph;

/// Types every expression and computes every environment; the graph lacks what could not be computed.
pub fn analyse(program: &Program, params: &Params) -> (Graph, Vec<Diagnostic>) {
    let context = context::Context::new(program);
    check::run(&context);
    let graph = eval::run(&context, params);
    let mut diagnostics = context.diagnostics.into_inner();
    dax_core::diagnostic::sort(&mut diagnostics);
    (graph, diagnostics)
}

/// The names of the project's parameters.
pub fn param_names(program: &Program) -> Vec<Name> {
    let context = context::Context::new(program);
    let values = &context.names.module(program.root).values;
    values.iter().filter(|(_, (symbol, _))| matches!(symbol, names::Symbol::Param(_))).map(|(name, _)| name.clone()).collect()
}

/// The names of the project's environments.
pub fn environment_names(program: &Program) -> Vec<Name> {
    let context = context::Context::new(program);
    let values = &context.names.module(program.root).values;
    values.iter().filter(|(_, (symbol, _))| matches!(symbol, names::Symbol::Environment(_))).map(|(name, _)| name.clone()).collect()
}
