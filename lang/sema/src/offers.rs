//! What may be written at a place.
//!
//! Whoever asks puts the name [`CURSOR`] there and has the file checked; where the checker meets the name, it knows what
//! would fit: the fields of the record, the members of the value, the names in reach with their types.

use dax_core::{Name, Span};
use dax_syntax::ast::{Expr, ExprKind};

/// The name that stands where something is about to be written.
pub const CURSOR: &str = "here_stands_the_cursor";

/// Whether an expression is that name.
pub(crate) fn is_cursor(expr: &Expr) -> bool {
    matches!(&expr.kind, ExprKind::Name(name) if name == CURSOR)
}

/// What is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OfferKind {
    /// A field, written `name = value`.
    Field,
    /// A field whose value is a record or a list of them, written as a command: `health http "/"`.
    Command,
    /// A field inside of a written map: `name: value`.
    Entry,
    /// A field that an argument of a command fills: `hold 2m`.
    Argument,
    /// A parameter of a function: `name: value`.
    Parameter,
    /// One of the texts that fit.
    Literal,
    /// A word of the language, or of a type where it needs no quotes.
    Keyword,
    /// A value with a unit that shows how such values are written.
    Quantity,
    /// A name with a value.
    Value,
    /// A function.
    Function,
    /// A module.
    Module,
    /// A type.
    Type,
    /// A member of a value.
    Member,
    /// A service, a provider, a strategy or an environment.
    Item,
}

/// Something that may be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// What is written.
    pub name: Name,
    /// What it is.
    pub kind: OfferKind,
    /// Its type; of a function what it takes and gives.
    pub ty: String,
    /// Where it is declared.
    pub declared: Option<Span>,
    /// Whether it has to be there, or is just what fits.
    pub wanted: bool,
}
