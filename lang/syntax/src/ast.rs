//! The typed syntax tree that the rest of the language reads.
//!
//! Data only; every node carries its span. Broken parts are absent and stand in the diagnostics instead.

use dax_core::{FileId, Name, Span, Value};

/// A word with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Ident {
    /// The word.
    pub name: Name,
    /// Its place.
    pub span: Span,
}

/// A parsed file.
#[derive(Clone, Debug, Default)]
pub struct File {
    /// Its text.
    pub id: FileId,
    /// Its items in order.
    pub items: Vec<Item>,
}

/// One item with its doc comment.
#[derive(Clone, Debug)]
pub struct Item {
    /// The text of the `##` lines above it.
    pub doc: Option<Box<str>>,
    /// The item without comments.
    pub span: Span,
    /// What it is.
    pub kind: ItemKind,
}

/// What an item is.
#[derive(Clone, Debug)]
pub enum ItemKind {
    /// `name = value`, `let name = value`, `param name: type = value`.
    Field(Field),
    /// `fn name(a: T) -> T = expr`.
    Fn(FnItem),
    /// `type name = T`.
    Type(TypeItem),
    /// Every other item: a word, arguments and perhaps a body.
    Command(Command),
    /// An item with a fault that was reported; its name, so that whoever uses it is not blamed.
    Broken(Option<Ident>),
}

/// A function.
#[derive(Clone, Debug)]
pub struct FnItem {
    /// Its name.
    pub name: Ident,
    /// Names that stand for any type: `fn first<T>(…)`.
    pub type_params: Vec<Ident>,
    /// Parameters with their types.
    pub params: Vec<(Ident, TypeExpr)>,
    /// What it returns.
    pub result: TypeExpr,
    /// What it computes.
    pub body: Expr,
}

/// A named type.
#[derive(Clone, Debug)]
pub struct TypeItem {
    /// Its name.
    pub name: Ident,
    /// Names that stand for any type: `type Page<T> = …`.
    pub type_params: Vec<Ident>,
    /// What it stands for.
    pub ty: TypeExpr,
}

/// Something inside braces.
#[derive(Clone, Debug)]
pub enum Member {
    /// `path = value`.
    Field(Field),
    /// `word argument … { … }`.
    Command(Command),
}

/// How strong a value is against others for the same place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strength {
    /// Gives way to any other.
    Default,
    /// The usual strength.
    Plain,
    /// Wins over the others.
    Override,
    /// Wins, and every other value for the place is a mistake.
    Sealed,
}

/// How a field's value joins what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AssignOp {
    /// `=`
    Set,
    /// `+=`
    Add,
    /// `-=`
    Remove,
}

/// `lead path: type = strength value`.
#[derive(Clone, Debug)]
pub struct Field {
    /// The word before the path, as in `metric errors = …`.
    pub lead: Option<Ident>,
    /// The path, at least one name.
    pub path: Vec<Ident>,
    /// The written type.
    pub ty: Option<TypeExpr>,
    /// `=`, `+=` or `-=`.
    pub op: AssignOp,
    /// The strength before the value.
    pub strength: Strength,
    /// The value.
    pub value: Expr,
    /// The whole field.
    pub span: Span,
}

impl Field {
    /// The place of the path.
    pub fn path_span(&self) -> Span {
        match (self.path.first(), self.path.last()) {
            (Some(first), Some(last)) => first.span.to(last.span),
            _ => self.span,
        }
    }
}

/// `word argument … { members }`.
#[derive(Clone, Debug)]
pub struct Command {
    /// The first word.
    pub word: Ident,
    /// What follows it.
    pub args: Vec<Arg>,
    /// The part in braces.
    pub body: Option<Vec<Member>>,
    /// The whole command.
    pub span: Span,
}

/// An argument of a command.
#[derive(Clone, Debug)]
pub enum Arg {
    /// A value, or a word to which the schema gives meaning.
    Expr(Expr),
    /// `: type`.
    Type(TypeExpr),
}

/// A written type.
#[derive(Clone, Debug)]
pub struct TypeExpr {
    /// What it is.
    pub kind: TypeKind,
    /// Its place.
    pub span: Span,
}

/// What a written type is.
#[derive(Clone, Debug)]
pub enum TypeKind {
    /// `name<args> low..high`.
    Name {
        /// The dotted name.
        path: Vec<Ident>,
        /// Arguments in angle brackets.
        args: Vec<TypeExpr>,
        /// Bounds, both included.
        range: Option<Box<(Value, Value)>>,
    },
    /// A literal text.
    Literal(Name),
    /// `A | B`.
    Union(Vec<TypeExpr>),
    /// `T?`.
    Optional(Box<TypeExpr>),
    /// `{ field: T = default, … }`.
    Record {
        /// Its fields.
        fields: Vec<TypeField>,
        /// Whether it ends with `...`.
        open: bool,
    },
    /// `List<T> keyed by field`: lists join by that field of their elements.
    Keyed(Box<TypeExpr>, Ident),
    /// `T where condition`, the value being `self`.
    Where(Box<TypeExpr>, Box<Expr>),
}

/// A field of a record type.
#[derive(Clone, Debug)]
pub struct TypeField {
    /// The comment above it.
    pub doc: Option<Box<str>>,
    /// Its name.
    pub name: Ident,
    /// `name?:`, it may be absent.
    pub optional: bool,
    /// Its type.
    pub ty: TypeExpr,
    /// What it is when nobody says.
    pub default: Option<Expr>,
}

/// An expression.
#[derive(Clone, Debug)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Its place.
    pub span: Span,
}

/// `for a, b in source if condition:`
#[derive(Clone, Debug)]
pub struct ForClause {
    /// The value (or the key, when there are two).
    pub first: Ident,
    /// The value beside a key.
    pub second: Option<Ident>,
    /// What is gone through.
    pub source: Expr,
    /// Which elements count.
    pub condition: Option<Expr>,
}

/// An entry of a map.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The key: a word, or a text that may hold interpolations.
    pub key: Expr,
    /// Strength of the value.
    pub strength: Strength,
    /// The value.
    pub value: Expr,
}

/// What an expression is.
#[derive(Clone, Debug)]
pub enum ExprKind {
    /// A constant.
    Literal(Value),
    /// A text with interpolations.
    Template(Vec<Part>),
    /// `tag"text"`, read by a parser of its own.
    Tagged(Ident, Name),
    /// `secret"text with ${secrets}"`.
    SecretTemplate(Vec<Part>),
    /// `data "file.yaml"`: the content of a file.
    Data(Name),
    /// A name.
    Name(Name),
    /// `a.b`.
    Get(Box<Expr>, Ident),
    /// `a?.b`: absent when `a` is.
    GetOptional(Box<Expr>, Ident),
    /// `a[b]`.
    Index(Box<Expr>, Box<Expr>),
    /// `f(a, name: b)`.
    Call(Box<Expr>, Vec<(Option<Ident>, Expr)>),
    /// `-a`, `!a`.
    Unary(UnaryOp, Box<Expr>),
    /// `a + b`.
    Binary(BinaryOp, Box<Expr>, Box<Expr>),
    /// `if c then a else b`.
    If(Box<[Expr; 3]>),
    /// `[a, b]`, or with one element and a clause a comprehension.
    List(Option<Box<ForClause>>, Vec<Expr>),
    /// `{ k: v }`, likewise.
    Map(Option<Box<ForClause>>, Vec<Entry>),
    /// Something with a fault that was reported.
    Broken,
}

/// A piece of a text with interpolations.
#[derive(Clone, Debug)]
pub enum Part {
    /// As it stands.
    Text(Name),
    /// `${…}`.
    Expr(Expr),
}

/// A prefix operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnaryOp {
    /// `-`
    Minus,
    /// `!` or `not`
    Not,
}

/// An infix operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum BinaryOp {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    In,
    Coalesce,
    Add,
    Subtract,
    Multiply,
    Divide,
}

impl BinaryOp {
    /// How it is written.
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Or => "or",
            Self::And => "and",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessEqual => "<=",
            Self::Greater => ">",
            Self::GreaterEqual => ">=",
            Self::In => "in",
            Self::Coalesce => "??",
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
        }
    }
}
