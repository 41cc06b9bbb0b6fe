//! The tree of a program that is written: data only.

use super::{Amount, Ident};
use crate::ast::BinaryOp;
use dax_core::Decimal;

/// A program.
#[derive(Debug, Default)]
pub struct Program {
    /// Lines of the comment above it.
    pub head: Vec<String>,
    /// Its items in order.
    pub items: Vec<Item>,
}

/// An item with what is said above it.
#[derive(Debug)]
pub struct Item {
    /// Comments, a line each.
    pub notes: Vec<String>,
    /// Paragraphs of its documentation.
    pub doc: Vec<String>,
    /// What it is.
    pub kind: ItemKind,
}

/// What an item is.
#[derive(Debug)]
pub enum ItemKind {
    /// A word, arguments and perhaps a body.
    Command(Command),
    /// `type name = T`.
    Type(Ident, Type),
}

impl Item {
    /// An item of which nothing is said.
    pub fn plain(command: Command) -> Self {
        Self { notes: Vec::new(), doc: Vec::new(), kind: ItemKind::Command(command) }
    }
}

/// Whether what stands in brackets has a line of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// All on one line.
    Inline,
    /// A line each.
    Lines,
}

/// The part of a command in braces.
#[derive(Clone, Debug)]
pub struct Body {
    /// What stands in it.
    pub members: Vec<Member>,
    /// How it is laid out.
    pub layout: Layout,
}

/// Something inside braces.
#[derive(Clone, Debug)]
pub enum Member {
    /// `name = value`.
    Field(Field),
    /// `word argument … { … }`.
    Command(Command),
    /// A comment.
    Note(String),
}

/// `lead name: type = value`.
#[derive(Clone, Debug)]
pub struct Field {
    /// The word before the name, as in `metric errors = …`.
    pub lead: Option<Ident>,
    /// The name.
    pub name: Ident,
    /// The written type.
    pub ty: Option<Type>,
    /// The value.
    pub value: Expr,
}

/// `word argument …: type { members }`.
#[derive(Clone, Debug)]
pub struct Command {
    /// The first word.
    pub word: Ident,
    /// What follows it.
    pub args: Vec<Expr>,
    /// The type behind the arguments.
    pub ty: Option<Type>,
    /// The part in braces.
    pub body: Option<Body>,
}

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// A text; an interpolation in it stays text.
    Str(String),
    /// `tag"text"`.
    Tagged(Ident, String),
    /// A number.
    Number(Decimal),
    /// A number with a unit.
    Amount(Amount),
    /// `true`, `false`.
    Bool(bool),
    /// `none`.
    None,
    /// `a.b`, at least one name.
    Path(Vec<Ident>),
    /// `[a, b]`.
    List(Vec<Expr>, Layout),
    /// `{ k: v }`; a key is a word where it is one, else a text.
    Map(Vec<(String, Expr)>, Layout),
    /// `left < right`, of two values that are no comparisons themselves.
    Compare(Box<Expr>, BinaryOp, Box<Expr>),
}

/// A written type.
#[derive(Clone, Debug, PartialEq)]
pub enum Type {
    /// A name.
    Name(Ident),
    /// A literal text.
    Literal(String),
    /// `A | B`, at least two.
    Union(Vec<Type>),
    /// `T?`.
    Optional(Box<Type>),
    /// `List<T>`.
    Of(Ident, Box<Type>),
    /// `T keyed by field`.
    Keyed(Box<Type>, Ident),
    /// `int 1..9`, both included.
    Range(Ident, i64, i64),
    /// `T where …`: all of them, at least one.
    Where(Box<Type>, Vec<Condition>),
    /// `{ … }`; whether it takes further fields.
    Record(Vec<RecordField>, bool),
}

/// A condition on `self`.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// `matches(self, "pattern")`.
    Matches(String),
    /// `length(self) >= 1`.
    Length(BinaryOp, u64),
    /// `self >= 1`.
    Value(BinaryOp, i64),
}

/// A field of a record type.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordField {
    /// Its description.
    pub doc: String,
    /// Its name.
    pub name: Ident,
    /// `name?:`, it may be absent.
    pub optional: bool,
    /// Its type.
    pub ty: Type,
    /// What it is when nobody says.
    pub default: Option<Expr>,
}

/// A field of a block.
pub fn field(name: impl Into<Ident>, value: Expr) -> Member {
    Member::Field(Field { lead: None, name: name.into(), ty: None, value })
}

/// A command without a type and a body.
pub fn command(word: impl Into<Ident>, args: impl IntoIterator<Item = Expr>) -> Command {
    Command { word: word.into(), args: args.into_iter().collect(), ty: None, body: None }
}

impl Command {
    /// The command with a body, a line for each of its members.
    pub fn block(self, members: Vec<Member>) -> Self {
        Self { body: Some(Body { members, layout: Layout::Lines }), ..self }
    }

    /// The command with a body on one line.
    pub fn inline(self, members: Vec<Member>) -> Self {
        Self { body: Some(Body { members, layout: Layout::Inline }), ..self }
    }

    /// The command with a type behind its arguments.
    pub fn of(self, ty: impl Into<Ident>) -> Self {
        Self { ty: Some(Type::Name(ty.into())), ..self }
    }
}

impl Expr {
    /// A text.
    pub fn str(text: impl Into<String>) -> Self {
        Self::Str(text.into())
    }

    /// A number.
    pub fn number(number: impl Into<Decimal>) -> Self {
        Self::Number(number.into())
    }

    /// A name.
    pub fn name(name: impl Into<Ident>) -> Self {
        Self::Path(vec![name.into()])
    }

    /// A list on one line.
    pub fn list(items: impl IntoIterator<Item = Self>) -> Self {
        Self::List(items.into_iter().collect(), Layout::Inline)
    }
}
