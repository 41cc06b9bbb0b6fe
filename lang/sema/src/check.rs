//! The checker: types every expression of the user's modules once.
//!
//! A fault is reported where it is made and has the type `Error` from then on, so one cause gives one message.

mod call;
mod data;
mod environment;
mod expr;
mod items;
mod narrow;
mod phase;
mod policy;
mod query;
mod views;

pub(crate) use policy::environments as policy_environments;
pub(crate) use views::environment_of;

use crate::context::Context;
use crate::program::ModuleId;
use crate::ty::Type;
use dax_core::Name;

/// What names mean at a place.
pub(crate) struct Scope<'a> {
    pub(crate) module: ModuleId,
    /// Function parameters, comprehension variables, `self`, metrics.
    pub(crate) locals: Vec<(Name, Type<'a>)>,
    /// What conditions around the place say about names and their members.
    narrowed: Vec<narrow::Narrowed<'a>>,
    place: Place,
}

/// Places with rules of their own.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Item,
    /// The message of a policy: it is shown to people.
    Message,
    /// A test: it may plan.
    Test,
}

impl<'a> Scope<'a> {
    pub(crate) fn of(module: ModuleId) -> Self {
        Self { module, locals: Vec::new(), narrowed: Vec::new(), place: Place::Item }
    }

    pub(crate) fn local(&self, name: &str) -> Option<&Type<'a>> {
        self.locals.iter().rev().find(|(local, _)| local == name).map(|(_, ty)| ty)
    }
}

/// Checks every module.
pub(crate) fn run(context: &Context<'_>) {
    for index in 0..context.program.modules.len() {
        // The standard library is checked as a project of its own, by a test.
        if !context.program.is_std(ModuleId(index)) {
            context.check_module(ModuleId(index));
        }
    }
}
