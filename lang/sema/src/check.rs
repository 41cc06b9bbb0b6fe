//! The checker: types every expression of the user's modules once.
//!
//! A fault is reported where it is made and has the type `Error` from then on, so one cause gives one message.

mod environment;
mod expr;
mod items;

pub(crate) use environment::{Clause, clause};
pub(crate) use expr::walk_item;
pub(crate) use items::{STRATEGY_KINDS, secret_source};

use crate::context::Context;
use crate::program::ModuleId;
use crate::ty::Type;
use dax_core::Name;

/// What names mean at a place.
pub(crate) struct Scope<'a> {
    pub(crate) module: ModuleId,
    /// Function parameters, comprehension variables, `self`, metrics.
    pub(crate) locals: Vec<(Name, Type<'a>)>,
}

impl<'a> Scope<'a> {
    pub(crate) fn of(module: ModuleId) -> Self {
        Self { module, locals: Vec::new() }
    }

    pub(crate) fn local(&self, name: &str) -> Option<&Type<'a>> {
        self.locals.iter().rev().find(|(local, _)| local == name).map(|(_, ty)| ty)
    }
}

/// Checks every module.
pub(crate) fn run(context: &Context<'_>) {
    for (index, module) in context.program.modules.iter().enumerate() {
        // The standard library is checked as a project of its own, by a test.
        if !module.path.starts_with("std/") || index == context.program.root.0 {
            context.check_module(ModuleId(index));
        }
    }
}
