//! What an editor asks of a text, as plain data in byte offsets; no type of any protocol occurs here.
//!
//! Everything here reads one text alone and evaluates nothing, so it answers while somebody types.

mod folding;
mod outline;
mod rewrite;
mod selection;

pub use folding::{Fold, FoldKind, folds};
pub use outline::{Symbol, outline};
pub use rewrite::{Rewrite, formatted};
pub use selection::enclosing;

use dax_core::{Diagnostic, FileId};

/// Bytes of a text.
pub type Bytes = std::ops::Range<usize>;

/// What is wrong with the form of a text.
pub fn faults(text: &str) -> Vec<Diagnostic> {
    dax_syntax::parse(FileId::default(), text).1
}
