//! What was written, read again and held against the tree that it was written from.

use super::Ident;
use super::text::doc_lines;
use super::tree::{
    Body, Command, Condition, Expr, Field, Item, ItemKind, Member, Program, RecordField, Type,
};
use crate::ast;
use dax_core::{Decimal, FileId, Value};

/// A program that does not read back as it was meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// What is not as it was meant.
    pub detail: String,
}

impl std::fmt::Display for Mismatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "the program would not read back as it is meant, so it is not written: {}",
            self.detail
        )
    }
}

impl std::error::Error for Mismatch {}

/// Reads the text and compares it with the tree.
pub(super) fn prove(program: &Program, text: &str) -> Result<(), Mismatch> {
    let (file, faults) = crate::parse(FileId(0), text);
    let mismatch = |detail: String| Err(Mismatch { detail });
    if let Some(fault) = faults.first() {
        let line = text.bytes().take(fault.span.start as usize).filter(|b| *b == b'\n').count() + 1;
        return mismatch(format!("line {line}: {} {}", fault.code, fault.detail));
    }
    if file.items.len() != program.items.len() {
        let (found, meant) = (file.items.len(), program.items.len());
        return mismatch(format!("{found} items instead of {meant}"));
    }
    match program.items.iter().zip(&file.items).position(|(meant, found)| !item(meant, found)) {
        Some(at) => mismatch(format!(
            "item {} of {}, {}",
            at + 1,
            file.items.len(),
            name(&program.items[at])
        )),
        None => Ok(()),
    }
}

/// What an item is called, for a message.
fn name(item: &Item) -> String {
    match &item.kind {
        ItemKind::Type(name, _) => format!("`type {name}`"),
        ItemKind::Command(command) => match command.args.first() {
            Some(Expr::Path(names)) => {
                let names: Vec<&str> = names.iter().map(Ident::as_str).collect();
                format!("`{} {}`", command.word, names.join("."))
            }
            _ => format!("`{}`", command.word),
        },
    }
}

fn item(meant: &Item, found: &ast::Item) -> bool {
    let same = match (&meant.kind, &found.kind) {
        (ItemKind::Command(meant), ast::ItemKind::Command(found)) => command(meant, found),
        (ItemKind::Type(name, meant), ast::ItemKind::Type(found)) => {
            ident(name, &found.name) && found.type_params.is_empty() && ty(meant, &found.ty)
        }
        _ => false,
    };
    same && doc(meant.doc.iter().flat_map(|paragraph| doc_lines(paragraph)), found.doc.as_deref())
}

fn doc(meant: impl Iterator<Item = String>, found: Option<&str>) -> bool {
    let meant: Vec<String> = meant.collect();
    meant.join("\n") == found.unwrap_or_default()
}

fn ident(meant: &Ident, found: &ast::Ident) -> bool {
    found.name == meant.as_str()
}

/// Whether two rows are of one length and alike in each place.
fn all<M, F>(meant: &[M], found: &[F], same: impl Fn(&M, &F) -> bool) -> bool {
    meant.len() == found.len() && meant.iter().zip(found).all(|(meant, found)| same(meant, found))
}

fn command(meant: &Command, found: &ast::Command) -> bool {
    let (args, types) = found.args.split_at(meant.args.len().min(found.args.len()));
    let arg = |meant: &Expr, found: &ast::Arg| match found {
        ast::Arg::Expr(found) => expr(meant, found),
        ast::Arg::Type(_) => false,
    };
    let typed = match (&meant.ty, types) {
        (None, []) => true,
        (Some(meant), [ast::Arg::Type(found)]) => ty(meant, found),
        _ => false,
    };
    let body = match (&meant.body, &found.body) {
        (None, None) => true,
        (Some(meant), Some(found)) => members(meant, found),
        _ => false,
    };
    ident(&meant.word, &found.word) && all(&meant.args, args, arg) && typed && body
}

fn members(meant: &Body, found: &[ast::Member]) -> bool {
    let meant: Vec<&Member> =
        meant.members.iter().filter(|member| !matches!(member, Member::Note(_))).collect();
    all(&meant, found, |meant, found| match (meant, found) {
        (Member::Field(meant), ast::Member::Field(found)) => field(meant, found),
        (Member::Command(meant), ast::Member::Command(found)) => command(meant, found),
        _ => false,
    })
}

fn field(meant: &Field, found: &ast::Field) -> bool {
    let lead = match (&meant.lead, &found.lead) {
        (None, None) => true,
        (Some(meant), Some(found)) => ident(meant, found),
        _ => false,
    };
    let typed = match (&meant.ty, &found.ty) {
        (None, None) => true,
        (Some(meant), Some(found)) => ty(meant, found),
        _ => false,
    };
    let plain = found.op == ast::AssignOp::Set && found.strength == ast::Strength::Plain;
    lead && typed
        && plain
        && matches!(found.path.as_slice(), [name] if ident(&meant.name, name))
        && expr(&meant.value, &found.value)
}

fn text(meant: &str, found: &ast::Expr) -> bool {
    matches!(&found.kind, ast::ExprKind::Literal(Value::Str(found)) if found == meant)
}

fn number(meant: Decimal, found: &Value) -> bool {
    match found {
        Value::Int(found) => meant == Decimal::from(*found),
        Value::Decimal(found) => meant == *found,
        _ => false,
    }
}

fn expr(meant: &Expr, found: &ast::Expr) -> bool {
    use ast::ExprKind as Found;
    match (meant, &found.kind) {
        (Expr::Str(meant), _) => text(meant, found),
        (Expr::Tagged(tag, meant), Found::Tagged(found_tag, found)) => {
            ident(tag, found_tag) && found == meant
        }
        (Expr::Number(meant), Found::Literal(found)) => number(*meant, found),
        (Expr::Amount(meant), Found::Literal(Value::Quantity(found))) => {
            meant.quantity() == Some(*found)
        }
        (Expr::Bool(meant), Found::Literal(Value::Bool(found))) => meant == found,
        (Expr::None, Found::Literal(Value::None)) => true,
        (Expr::Path(names), _) => path(names, found),
        (Expr::List(meant, _), Found::List(None, found)) => all(meant, found, expr),
        (Expr::Map(meant, _), Found::Map(None, found)) => {
            all(meant, found, |(key, value), found| {
                found.strength == ast::Strength::Plain
                    && text(key, &found.key)
                    && expr(value, &found.value)
            })
        }
        (Expr::Compare(left, op, right), Found::Binary(found, found_left, found_right)) => {
            op == found && expr(left, found_left) && expr(right, found_right)
        }
        _ => false,
    }
}

fn path(meant: &[Ident], found: &ast::Expr) -> bool {
    match (meant, &found.kind) {
        ([only], ast::ExprKind::Name(found)) => found == only.as_str(),
        ([before @ .., last], ast::ExprKind::Get(found, name)) if !before.is_empty() => {
            ident(last, name) && path(before, found)
        }
        _ => false,
    }
}

fn ty(meant: &Type, found: &ast::TypeExpr) -> bool {
    use ast::TypeKind as Found;
    match (meant, &found.kind) {
        (Type::Name(name), _) => {
            named(name, found).is_some_and(|(args, range)| args.is_empty() && range.is_none())
        }
        (Type::Of(name, inner), _) => named(name, found).is_some_and(|(args, range)| {
            matches!(args, [arg] if ty(inner, arg)) && range.is_none()
        }),
        (Type::Range(name, low, high), _) => named(name, found).is_some_and(|(args, range)| {
            args.is_empty()
                && range.is_some_and(|(found_low, found_high)| {
                    number((*low).into(), found_low) && number((*high).into(), found_high)
                })
        }),
        (Type::Literal(meant), Found::Literal(found)) => found == meant,
        (Type::Union(meant), Found::Union(found)) => all(meant, found, ty),
        (Type::Optional(meant), Found::Optional(found)) => ty(meant, found),
        (Type::Keyed(meant, key), Found::Keyed(found, found_key)) => {
            ident(key, found_key) && ty(meant, found)
        }
        (Type::Where(base, meant), Found::Where(found, condition)) => {
            ty(base, found) && conditions(meant, condition)
        }
        (Type::Record(meant, open), Found::Record { fields, open: found_open }) => {
            open == found_open && all(meant, fields, record_field)
        }
        _ => false,
    }
}

type Range<'a> = Option<(&'a Value, &'a Value)>;

/// Arguments and bounds of a type by its name.
fn named<'a>(meant: &Ident, found: &'a ast::TypeExpr) -> Option<(&'a [ast::TypeExpr], Range<'a>)> {
    let ast::TypeKind::Name { path, args, range } = &found.kind else { return None };
    let same = matches!(path.as_slice(), [name] if ident(meant, name));
    same.then(|| (args.as_slice(), range.as_deref().map(|(low, high)| (low, high))))
}

fn record_field(meant: &RecordField, found: &ast::TypeField) -> bool {
    let default = match (&meant.default, &found.default) {
        (None, None) => true,
        (Some(meant), Some(found)) => expr(meant, found),
        _ => false,
    };
    default
        && meant.optional == found.optional
        && ident(&meant.name, &found.name)
        && ty(&meant.ty, &found.ty)
        && doc(doc_lines(&meant.doc).into_iter(), found.doc.as_deref())
}

/// Conditions joined by `and`, the last one outermost.
fn conditions(meant: &[Condition], found: &ast::Expr) -> bool {
    match (meant, &found.kind) {
        ([only], _) => condition(only, found),
        ([before @ .., last], ast::ExprKind::Binary(ast::BinaryOp::And, left, right))
            if !before.is_empty() =>
        {
            conditions(before, left) && condition(last, right)
        }
        _ => false,
    }
}

fn condition(meant: &Condition, found: &ast::Expr) -> bool {
    let own =
        |found: &ast::Expr| matches!(&found.kind, ast::ExprKind::Name(name) if name == "self");
    let literal = |meant: Decimal, found: &ast::Expr| match &found.kind {
        ast::ExprKind::Literal(value) => number(meant, value),
        _ => false,
    };
    match (meant, &found.kind) {
        (Condition::Matches(pattern), ast::ExprKind::Call(..)) => {
            called("matches", found).is_some_and(|args| {
                matches!(args, [(None, first), (None, second)] if own(first) && text(pattern, second))
            })
        }
        (Condition::Length(op, bound), ast::ExprKind::Binary(found, left, right)) => {
            let length = called("length", left)
                .is_some_and(|args| matches!(args, [(None, first)] if own(first)));
            op == found && length && literal((*bound).into(), right)
        }
        (Condition::Value(op, bound), ast::ExprKind::Binary(found, left, right)) => {
            op == found && own(left) && literal((*bound).into(), right)
        }
        _ => false,
    }
}

/// The arguments of a call of this function.
fn called<'a>(name: &str, found: &'a ast::Expr) -> Option<&'a [(Option<ast::Ident>, ast::Expr)]> {
    let ast::ExprKind::Call(function, args) = &found.kind else { return None };
    matches!(&function.kind, ast::ExprKind::Name(found) if found == name).then_some(args)
}
