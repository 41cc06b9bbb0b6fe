//! Programs that are written by dax itself, as trees of typed pieces.
//!
//! Whoever writes a program out of what others wrote (manifests, schemas) makes a [`Program`] and
//! never a text. A name is an [`Ident`], which is a word by construction; any other text from
//! outside is a string, a comment or a doc comment, and those are escaped here and nowhere else.
//! Invariant: what [`write`] gives back was read again and is what was meant, item by item and
//! value by value; else it is an error and nothing is written.

mod leaf;
mod print;
mod proof;
mod text;
mod tree;

pub use leaf::{Amount, Ident, Names, decimal};
pub use proof::Mismatch;
pub use text::one_line;
pub use tree::{
    Body, Command, Condition, Expr, Field, Item, ItemKind, Layout, Member, Program, RecordField,
    Type, command, field,
};

/// A program as a formatted text.
///
/// # Errors
/// The text does not read back as the tree: a mistake in dax, or nesting that is deeper than the
/// language allows.
pub fn write(program: &Program) -> Result<String, Mismatch> {
    let text = crate::format(&print::program(program));
    proof::prove(program, &text)?;
    Ok(text)
}

#[cfg(test)]
mod tests;
