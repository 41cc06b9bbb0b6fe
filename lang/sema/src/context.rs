//! What both passes share: the program, its names, its types and the diagnostics so far.

use crate::names::Names;
use crate::program::{ModuleId, Program};
use crate::ty::Type;
use dax_core::{Code, Diagnostic, Name, Span};
use std::cell::RefCell;
use std::collections::HashMap;

/// The state of one run over a program.
pub(crate) struct Context<'a> {
    pub(crate) program: &'a Program,
    pub(crate) names: Names<'a>,
    pub(crate) diagnostics: RefCell<Vec<Diagnostic>>,
    /// Named types by module and name; `None` while one is being resolved.
    pub(crate) types: RefCell<HashMap<(ModuleId, Name), Option<Type<'a>>>>,
    /// Types of `let` items; `None` while one is being inferred.
    pub(crate) let_types: RefCell<HashMap<(ModuleId, Name), Option<Type<'a>>>>,
}

impl<'a> Context<'a> {
    pub(crate) fn new(program: &'a Program) -> Self {
        let diagnostics = RefCell::new(Vec::new());
        let names = Names::collect(program, &mut diagnostics.borrow_mut());
        let (types, let_types) = (RefCell::default(), RefCell::default());
        Self { program, names, diagnostics, types, let_types }
    }

    pub(crate) fn report(&self, diagnostic: Diagnostic) {
        self.diagnostics.borrow_mut().push(diagnostic);
    }

    pub(crate) fn error(&self, code: Code, span: Span, detail: impl Into<String>) {
        self.report(Diagnostic::new(code, span, detail));
    }

    /// Whether a name belongs to an item whose fault was reported.
    pub(crate) fn is_broken(&self, module: ModuleId, name: &str) -> bool {
        self.names.module(module).broken.iter().any(|broken| broken == name)
    }
}
