//! What both passes share: the program, its names, its types and the diagnostics so far.

use crate::names::Names;
use crate::ty::Type;
use dax_core::{Code, Diagnostic, Name, Span};
use dax_syntax::ast::File;
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};

/// A module of one [`Program`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModuleId(pub usize);

/// A module: some files that share one namespace.
#[derive(Debug, Default)]
pub struct ModuleSource {
    /// Its import path; empty for the project itself.
    pub path: Name,
    /// Its files.
    pub files: Vec<File>,
    /// Import paths that its files use, resolved.
    pub imports: BTreeMap<Name, ModuleId>,
}

/// All modules of a project.
#[derive(Debug, Default)]
pub struct Program {
    /// The project's name.
    pub project: Name,
    /// The modules.
    pub modules: Vec<ModuleSource>,
    /// The project's own module.
    pub root: ModuleId,
    /// Modules whose types are known everywhere.
    pub prelude: Vec<ModuleId>,
}

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

    /// A type of the prelude, such as `Service`.
    pub(crate) fn prelude_type(&self, name: &str) -> Type<'a> {
        let module = self.program.prelude.iter().find(|m| self.names.module(**m).types.contains_key(name));
        module.map_or(Type::Error, |module| self.named_type(*module, name).unwrap_or(Type::Error))
    }
}
