//! What the checker finds out about places, for an editor: what each name means, and the types that nobody wrote.

use dax_core::Span;

/// A name in a text and where what it means is declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Use {
    /// The name.
    pub span: Span,
    /// The name in its declaration.
    pub declared: Span,
}

/// The type of something that is declared without one, or in one expression only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Typed {
    /// The name in its declaration.
    pub span: Span,
    /// As it is written.
    pub ty: String,
}

/// What a check found out about places.
#[derive(Clone, Debug, Default)]
pub struct Meanings {
    /// Names and what they mean, in no order.
    pub uses: Vec<Use>,
    /// Names that stand for something within one item, with their types; and every `let`.
    pub types: Vec<Typed>,
}
