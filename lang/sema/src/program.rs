//! Programs: modules of parsed files, with their imports resolved and the data that they read.

use dax_core::Name;
use dax_ir::Node;
use dax_syntax::ast::{Arg, Expr, ExprKind, File, ItemKind};
use std::collections::BTreeMap;

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
    /// Whether it belongs to a package that the project requires.
    pub foreign: bool,
    /// Files that its expressions read, by the path as written; one that could not be read is lacking.
    pub data: BTreeMap<Name, Node>,
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
    /// Whether something was wrong before anything was given a meaning: what is lacking was reported.
    pub faulty: bool,
    /// Modules whose types and functions are known everywhere.
    pub prelude: Vec<ModuleId>,
}

impl Program {
    /// Whether any policy is asked in a phase: most programs have none, and then nothing is computed for them.
    pub fn has_policies(&self, phase: &str) -> bool {
        let items =
            self.modules.iter().flat_map(|module| &module.files).flat_map(|file| &file.items);
        let mut commands = items.filter_map(|item| match &item.kind {
            ItemKind::Command(command) if command.word.name == "policy" => Some(command),
            _ => None,
        });
        commands.any(|command| {
            command.args.iter().any(|arg| matches!(arg, Arg::Expr(Expr { kind: ExprKind::Name(word), .. }) if word == phase))
        })
    }

    /// Whether a module was written for this project.
    pub fn is_own(&self, module: ModuleId) -> bool {
        !self.is_std(module) && !self.modules[module.0].foreign
    }

    /// Whether a module belongs to the standard library.
    pub fn is_std(&self, module: ModuleId) -> bool {
        module != self.root && self.modules[module.0].path.starts_with("std/")
    }
}
