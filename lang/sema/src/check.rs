//! The checker: types every expression of the user's modules once.
//!
//! A fault is reported where it is made and has the type `Error` from then on, so one cause gives one message.

mod call;
mod data;
mod environment;
mod expr;
mod items;
mod narrow;
mod offering;
mod phase;
mod policy;
mod query;
mod views;

pub use offering::offers;
pub(crate) use policy::environments as policy_environments;
pub use query::metric_names;
pub(crate) use views::environment_of;

use crate::context::Context;
use crate::program::ModuleId;
use crate::ty::Type;
use dax_core::{FileId, Name, Span};
use dax_syntax::ast::Ident;

/// A name that stands for something within one expression or item only.
#[derive(Clone)]
pub(crate) struct Local<'a> {
    pub(crate) name: Name,
    pub(crate) ty: Type<'a>,
    /// Where it is declared; nowhere for what the language gives, such as `self`.
    pub(crate) declared: Option<Span>,
}

impl<'a> Local<'a> {
    /// One that the language gives.
    pub(crate) fn given(name: &'static str, ty: Type<'a>) -> Self {
        Self { name: Name::new_static(name), ty, declared: None }
    }

    /// One that the program declares.
    pub(crate) fn declared(name: &Ident, ty: Type<'a>) -> Self {
        Self { name: name.name.clone(), ty, declared: Some(name.span) }
    }
}

impl Context<'_> {
    /// What is declared within one item, with its type.
    pub(crate) fn declares<'a>(&self, name: &Ident, ty: Type<'a>) -> Local<'a> {
        self.note_type(name.span, &ty);
        Local::declared(name, ty)
    }
}

/// What names mean at a place.
pub(crate) struct Scope<'a> {
    pub(crate) module: ModuleId,
    /// Function parameters, comprehension variables, `self`, metrics.
    pub(crate) locals: Vec<Local<'a>>,
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

    pub(crate) fn local(&self, name: &str) -> Option<&Local<'a>> {
        self.locals.iter().rev().find(|local| local.name == name)
    }
}

/// Checks every module.
pub(crate) fn run(context: &Context<'_>) {
    check_items(context, &|_| true, &|| false);
    check_wholes(context);
}

/// Modules that are checked: the standard library is checked as a project of its own, by a test.
fn checked(context: &Context<'_>) -> impl Iterator<Item = ModuleId> {
    (0..context.program.modules.len())
        .map(ModuleId)
        .filter(|module| !context.program.is_std(*module))
}

/// Checks the items of some files, each by itself; gives whether it came to the end before it was to stop.
pub(crate) fn check_items(
    context: &Context<'_>,
    wanted: &dyn Fn(FileId) -> bool,
    stop: &dyn Fn() -> bool,
) -> bool {
    checked(context).all(|module| context.check_module(module, wanted, stop))
}

/// Checks what only all items of a module together show.
pub(crate) fn check_wholes(context: &Context<'_>) {
    for module in checked(context) {
        context.check_history(module);
        context.check_recursion(module);
    }
}
