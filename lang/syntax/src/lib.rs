//! From text to a typed syntax tree, and back to text in the one canonical form.
//!
//! Any byte sequence gives a tree and diagnostics, never a panic. A text is cut into items first
//! ([`split`]), each item is parsed alone into a lossless [`tree`], and lowered to the [`ast`].

pub mod ast;
pub mod format;
pub mod hidden;
pub mod parser;
pub mod split;
pub mod tree;
pub mod write;

pub use format::format;
pub use parser::parse;

/// Words of expressions, which name nothing.
pub const RESERVED: &[&str] =
    &["if", "then", "else", "for", "in", "and", "or", "not", "true", "false", "none", "unset"];
