//! The grammar of dax for editors that highlight, fold and select by Tree-sitter.
//!
//! `grammar.js` is its source; `UPDATE_FIXTURES=1 cargo test -p tree-sitter-dax` makes the parser of it. The grammar of record is that of `dax-syntax`, and
//! the tests here hold the two against each other on every program of the project.

use tree_sitter_language::LanguageFn;

unsafe extern "C" {
    fn tree_sitter_dax() -> *const ();
}

/// The language.
// SAFETY: the function is what Tree-sitter generated for this grammar.
pub const LANGUAGE: LanguageFn = unsafe { LanguageFn::from_raw(tree_sitter_dax) };

/// What is shown in which colour.
pub const HIGHLIGHTS: &str = include_str!("../queries/highlights.scm");
/// What can be folded.
pub const FOLDS: &str = include_str!("../queries/folds.scm");
/// Texts in other languages.
pub const INJECTIONS: &str = include_str!("../queries/injections.scm");
/// Names within one item.
pub const LOCALS: &str = include_str!("../queries/locals.scm");
/// How far lines are indented, as Neovim reads it.
pub const INDENTS: &str = include_str!("../queries/indents.scm");
