//! Programs: modules of parsed files, with their imports resolved and the data that they read.

use dax_core::Name;
use dax_ir::Node;
use dax_syntax::ast::File;
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
    /// Whether a module was written for this project.
    pub fn is_own(&self, module: ModuleId) -> bool {
        !self.is_std(module) && !self.modules[module.0].foreign
    }

    /// Whether a module belongs to the standard library.
    pub fn is_std(&self, module: ModuleId) -> bool {
        module != self.root && self.modules[module.0].path.starts_with("std/")
    }
}
