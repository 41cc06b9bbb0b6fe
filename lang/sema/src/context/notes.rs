//! What is noted for an editor on the way; nothing for anybody else.

use super::Context;
use crate::meanings::{Typed, Use};
use crate::names::Symbol;
use crate::program::ModuleId;
use crate::ty::Type;
use dax_core::{Name, Span};
use dax_syntax::ast::{Expr, ExprKind, TypeItem};

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
