//! From text to a typed syntax tree, and back to text in the one canonical form.
//!
//! Any byte sequence gives a tree and diagnostics, never a panic. A text is cut into items first
//! ([`split`]), each item is parsed alone into a lossless [`tree`], and lowered to the [`ast`].

pub mod ast;
pub mod format;
pub mod hidden;
pub mod parser;
mod quote;
pub mod split;
pub mod tree;

pub use format::format;
pub use parser::parse;
pub use quote::quoted;
