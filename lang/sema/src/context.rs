//! What both passes share: the program, its names, its types and the diagnostics so far.

mod notes;

use crate::meanings::Meanings;
use crate::names::{Block, Names, Symbol};
use crate::offers::Offer;
use crate::program::{ModuleId, Program};
use crate::ty::Type;
use dax_core::{Code, Diagnostic, Name, Span};
use dax_syntax::ast::{Expr, ExprKind};
use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};

/// The state of one run over a program.
pub(crate) struct Context<'a> {
    pub(crate) program: &'a Program,
    pub(crate) names: Names<'a>,
    pub(crate) diagnostics: RefCell<Vec<Diagnostic>>,
    /// Named types by module and name; `None` while one is being resolved.
    pub(crate) types: RefCell<HashMap<(ModuleId, Name), Option<Type<'a>>>>,
    /// Types of `let` items; `None` while one is being inferred.
    pub(crate) let_types: RefCell<HashMap<(ModuleId, Name), Option<Type<'a>>>>,
    /// What the checker finds out about places, for an editor; nothing is kept for anybody else.
    pub(crate) notes: Option<RefCell<Meanings>>,
    /// What may be written where the cursor stands, for an editor.
    pub(crate) offers: Option<RefCell<Vec<Offer>>>,
    /// Whether what is computed is wanted no more: then services are left out in silence.
    pub(crate) stop: Option<&'a dyn Fn() -> bool>,
    /// How the project names each module that it reaches: empty for itself, `shop.` for an import.
    prefixes: HashMap<ModuleId, Name>,
    /// Modules by that name.
    by_prefix: HashMap<Name, ModuleId>,
}

impl<'a> Context<'a> {
    pub(crate) fn new(program: &'a Program) -> Self {
        let diagnostics = RefCell::new(Vec::new());
        let names = Names::collect(program, &mut diagnostics.borrow_mut());
        let prefixes = prefixes(program.root, &names);
        let by_prefix = prefixes.iter().map(|(module, prefix)| (prefix.clone(), *module)).collect();
        let (types, let_types) = (RefCell::default(), RefCell::default());
        Self {
            program,
            names,
            diagnostics,
            types,
            let_types,
            notes: None,
            offers: None,
            stop: None,
            prefixes,
            by_prefix,
        }
    }

    /// The same for an editor, which asks what each name means.
    pub(crate) fn noting(program: &'a Program) -> Self {
        Self { notes: Some(RefCell::default()), ..Self::new(program) }
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

    /// What a name stands for: in its module, or in the prelude.
    pub(crate) fn lookup(&self, module: ModuleId, name: &str) -> Option<(ModuleId, &Symbol<'a>)> {
        if let Some(symbol) = self.names.value(module, name) {
            return Some((module, symbol));
        }
        self.program
            .prelude
            .iter()
            .find_map(|prelude| Some((*prelude, self.names.value(*prelude, name)?)))
    }

    /// The name of a module's service in addresses: `web`, `shop.web`.
    pub(crate) fn address(&self, module: ModuleId, service: &str) -> Name {
        match self.prefixes.get(&module) {
            Some(prefix) => Name::new(format!("{prefix}{service}")),
            None => Name::new(format!("{}.{service}", self.program.modules[module.0].path)),
        }
    }

    /// Whether the project can name what is in a module.
    pub(crate) fn reaches(&self, module: ModuleId) -> bool {
        self.prefixes.contains_key(&module)
    }

    /// The service of an address name, with its module.
    pub(crate) fn service(&self, address: &str) -> Option<(ModuleId, &Block<'a>)> {
        let at = address.rfind('.').map_or(0, |at| at + 1);
        let module = *self.by_prefix.get(&address[..at])?;
        match self.names.value(module, &address[at..]) {
            Some(Symbol::Service(block)) => Some((module, block)),
            _ => None,
        }
    }

    /// The address name that `web` or `shop.web` means in a module, whether or not there is such a service.
    pub(crate) fn service_named(&self, module: ModuleId, expr: &Expr) -> Option<Name> {
        match &expr.kind {
            ExprKind::Name(name) => Some(self.address(module, name)),
            ExprKind::Get(alias, name) => match &alias.kind {
                ExprKind::Name(alias) => match self.names.value(module, alias) {
                    Some(Symbol::Import(target)) => Some(self.address(*target, &name.name)),
                    _ => Some(Name::new(format!("{alias}.{}", name.name))),
                },
                _ => None,
            },
            _ => None,
        }
    }
}

/// The shortest way in which the project reaches each module.
fn prefixes(root: ModuleId, names: &Names<'_>) -> HashMap<ModuleId, Name> {
    let mut found = HashMap::from([(root, Name::default())]);
    let mut open = VecDeque::from([root]);
    while let Some(module) = open.pop_front() {
        let prefix = found[&module].clone();
        for (alias, (symbol, _)) in &names.module(module).values {
            if let Symbol::Import(target) = symbol
                && !found.contains_key(target)
            {
                found.insert(*target, Name::new(format!("{prefix}{alias}.")));
                open.push_back(*target);
            }
        }
    }
    found
}
