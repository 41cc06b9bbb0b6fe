//! What the checker finds out about places, for an editor: what each name means, and the types that nobody wrote.

use crate::check::Local;
use crate::context::Context;
use crate::names::Symbol;
use crate::program::ModuleId;
use crate::ty::Type;
use dax_core::{Name, Span};
use dax_syntax::ast::{Expr, ExprKind, Ident, TypeItem};

/// A name in a text and where what it means is declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Use {
    /// The name.
    pub span: Span,
    /// The name in its declaration.
    pub declared: Span,
}

/// The type of something that is declared without one, or in one expression only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Typed {
    /// The name in its declaration.
    pub span: Span,
    /// As it is written.
    pub ty: String,
}

/// What a check found out about places.
#[derive(Clone, Debug, Default)]
pub struct Meanings {
    /// Names and what they mean, in no order.
    pub uses: Vec<Use>,
    /// Names that stand for something within one item, with their types; and every `let`.
    pub types: Vec<Typed>,
}

impl Context<'_> {
    /// A name means what is declared at a place.
    pub(crate) fn note(&self, span: Span, declared: Option<Span>) {
        if let (Some(notes), Some(declared)) = (&self.notes, declared)
            && declared.end > declared.start
            && span.end > span.start
        {
            notes.borrow_mut().uses.push(Use { span, declared });
        }
    }

    /// The same for the name of a module before a dot.
    pub(crate) fn note_alias(&self, module: ModuleId, alias: &Expr) {
        if let ExprKind::Name(name) = &alias.kind
            && matches!(self.names.value(module, name), Some(Symbol::Import(_)))
        {
            self.note(alias.span, Some(self.names.declared(module, name)));
        }
    }

    /// The same for the last part of a dotted name.
    pub(crate) fn note_last(&self, span: Span, dotted: &str, declared: Span) {
        let last = dotted.rsplit('.').next().unwrap_or(dotted);
        let length = u32::try_from(last.len()).unwrap_or(u32::MAX);
        if let Some(start) = span.end.checked_sub(length).filter(|start| *start >= span.start) {
            self.note(Span { start, ..span }, Some(declared));
        }
    }

    /// What is declared within one item, with its type.
    pub(crate) fn declares<'a>(&self, name: &Ident, ty: Type<'a>) -> Local<'a> {
        self.note_type(name.span, &ty);
        Local::declared(name, ty)
    }

    /// The type of what is declared at a place.
    pub(crate) fn note_type(&self, span: Span, ty: &Type<'_>) {
        if let Some(notes) = &self.notes
            && !matches!(ty, Type::Error)
        {
            notes.borrow_mut().types.push(Typed { span, ty: ty.to_string() });
        }
    }
}

impl<'a> Context<'a> {
    /// The declaration of a type that a module knows.
    pub(crate) fn type_item(&self, module: ModuleId, name: &Name) -> Option<&'a TypeItem> {
        let modules = std::iter::once(&module).chain(&self.program.prelude);
        modules.filter_map(|module| self.names.module(*module).types.get(name).copied()).next()
    }
}
