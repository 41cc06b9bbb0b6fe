//! Lint: what is allowed and yet likely not meant.
//!
//! Every rule reads the syntax trees or the graph of a program without errors; each finding is a warning that a
//! comment with a reason can allow: `# dax: allow DAX9011 because the tag is moved by hand`.

mod allow;
mod codes;
mod expressions;
mod graph;
mod hidden;
mod items;
mod unused;

pub use codes::CODES;

use dax_core::{Diagnostic, diagnostic};
use dax_ir::Graph;
use dax_project::Loaded;
use dax_sema::ModuleId;
use dax_syntax::ast::Item;

/// What rules read.
struct Input<'l> {
    loaded: &'l Loaded,
    graph: &'l Graph,
}

impl<'l> Input<'l> {
    /// The items that were written for this project, each with its module.
    fn own_items(&self) -> impl Iterator<Item = (ModuleId, &'l Item)> + use<'l> {
        let program = &self.loaded.program;
        let own = (0..program.modules.len()).map(ModuleId).filter(|module| program.is_own(*module));
        own.flat_map(|module| {
            program.modules[module.0]
                .files
                .iter()
                .flat_map(|file| &file.items)
                .map(move |item| (module, item))
        })
    }
}

/// Everything that the rules find, in source order, without what is allowed.
pub fn lint(loaded: &Loaded, graph: &Graph) -> Vec<Diagnostic> {
    let input = Input { loaded, graph };
    let mut found = Vec::new();
    unused::run(&input, &mut found);
    expressions::run(&input, &mut found);
    items::run(&input, &mut found);
    graph::run(&input, &mut found);
    hidden::run(&input, &mut found);
    let mut found = allow::filter(&input, found);
    diagnostic::sort(&mut found);
    found
}
