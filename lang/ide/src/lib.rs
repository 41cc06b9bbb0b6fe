//! What an editor asks of a text, as plain data in byte offsets; no type of any protocol occurs here.
//!
//! What reads one text alone answers from the text. What takes the program is asked of a [`Project`], which types what a change
//! reaches and computes values only when it is told to, so that both answer while somebody types.

mod actions;
mod bytes;
mod calls;
mod complete;
mod definitions;
mod folding;
mod head;
mod hints;
mod hover;
mod interface;
mod navigate;
mod outline;
mod place;
mod project;
mod rename;
mod rewrite;
mod selection;
mod signature;
mod symbols;
pub mod tokens;
mod words;

pub use actions::{Action, ActionKind};
pub use bytes::Bytes;
pub use calls::{Call, Lens};
pub use complete::{Completion, Proposal, ProposalKind};
pub use definitions::{Definition, Key, Kind};
pub use folding::{Fold, FoldKind, folds};
pub use hints::Hint;
pub use hover::Hover;
pub use navigate::Occurrence;
pub use outline::{Symbol, outline};
pub use project::{Nearby, Project};
pub use rename::Edit;
pub use rewrite::{Rewrite, formatted};
pub use selection::enclosing;
pub use signature::Signature;
pub use symbols::Link;

pub use words::plain as without_gaps;

use dax_core::{Diagnostic, FileId};

/// What is wrong with the form of a text.
pub fn faults(text: &str) -> Vec<Diagnostic> {
    dax_syntax::parse(FileId::default(), text).1
}
