//! A program as text, before the formatter settles its form.

use super::Ident;
use super::text::{doc_lines, one_line, quoted};
use super::tree::{
    Body, Command, Condition, Expr, Field, Item, ItemKind, Layout, Member, Program, RecordField,
    Type,
};
use std::fmt::Write;

/// The whole text.
pub(super) fn program(program: &Program) -> String {
    let mut out = String::new();
    for line in &program.head {
        note(&mut out, line);
    }
    let mut before = None;
    for next in &program.items {
        // Imports stand together, everything else apart.
        if before.is_none_or(|before| !(is_import(before) && is_import(next))) {
            out.push('\n');
        }
        item(&mut out, next);
        before = Some(next);
    }
    out
}

fn is_import(item: &Item) -> bool {
    matches!(&item.kind, ItemKind::Command(command) if command.word.as_str() == "import")
}

fn item(out: &mut String, item: &Item) {
    for line in &item.notes {
        note(out, line);
    }
    for line in item.doc.iter().flat_map(|paragraph| doc_lines(paragraph)) {
        let _ = writeln!(out, "## {line}");
    }
    match &item.kind {
        ItemKind::Command(command) => self::command(out, command),
        ItemKind::Type(name, ty) => {
            let _ = write!(out, "type {name} = ");
            self::ty(out, ty);
        }
    }
    out.push('\n');
}

fn note(out: &mut String, text: &str) {
    let _ = writeln!(out, "# {}", one_line(text).trim_start());
}

fn command(out: &mut String, command: &Command) {
    let _ = write!(out, "{}", command.word);
    for arg in &command.args {
        out.push(' ');
        expr(out, arg);
    }
    if let Some(ty) = &command.ty {
        out.push_str(": ");
        self::ty(out, ty);
    }
    if let Some(body) = &command.body {
        out.push(' ');
        self::body(out, body);
    }
}

fn body(out: &mut String, body: &Body) {
    let inline = body.layout == Layout::Inline
        && !body.members.iter().any(|member| matches!(member, Member::Note(_)));
    brackets(out, "{}", inline, &body.members, |out, member| match member {
        Member::Field(field) => self::field(out, field),
        Member::Command(command) => self::command(out, command),
        Member::Note(text) => {
            let _ = write!(out, "# {}", one_line(text).trim_start());
        }
    });
}

fn field(out: &mut String, field: &Field) {
    if let Some(lead) = &field.lead {
        let _ = write!(out, "{lead} ");
    }
    let _ = write!(out, "{}", field.name);
    if let Some(ty) = &field.ty {
        out.push_str(": ");
        self::ty(out, ty);
    }
    out.push_str(" = ");
    expr(out, &field.value);
}

fn expr(out: &mut String, value: &Expr) {
    match value {
        Expr::Str(text) => out.push_str(&quoted(text)),
        Expr::Tagged(tag, text) => {
            let _ = write!(out, "{tag}{}", quoted(text));
        }
        Expr::Number(number) => {
            let _ = write!(out, "{number}");
        }
        Expr::Amount(amount) => {
            let _ = write!(out, "{amount}");
        }
        Expr::Bool(value) => {
            let _ = write!(out, "{value}");
        }
        Expr::None => out.push_str("none"),
        Expr::Path(names) => {
            let names: Vec<&str> = names.iter().map(Ident::as_str).collect();
            out.push_str(&names.join("."));
        }
        Expr::List(items, layout) => {
            brackets(out, "[]", *layout == Layout::Inline, items, expr);
        }
        Expr::Map(entries, layout) => {
            let inline = *layout == Layout::Inline;
            brackets(out, "{}", inline, entries, |out, (name, value)| {
                let _ = write!(out, "{}: ", key(name));
                expr(out, value);
            });
        }
        Expr::Compare(left, op, right) => {
            expr(out, left);
            let _ = write!(out, " {} ", op.symbol());
            expr(out, right);
        }
    }
}

/// A key of a map: a word where it is one. `for` would begin a comprehension.
fn key(name: &str) -> String {
    match Ident::word(name) {
        Some(word) if name != "for" => word.to_string(),
        _ => quoted(name),
    }
}

/// What stands in brackets: on one line with commas, or a line each.
fn brackets<T>(
    out: &mut String,
    around: &str,
    inline: bool,
    all: &[T],
    mut one: impl FnMut(&mut String, &T),
) {
    let (open, close) = around.split_at(1);
    out.push_str(open);
    for (at, item) in all.iter().enumerate() {
        out.push_str(match (inline, at) {
            (true, 0) => "",
            (true, _) => ", ",
            (false, _) => "\n",
        });
        one(out, item);
    }
    if !inline && !all.is_empty() {
        out.push('\n');
    }
    out.push_str(close);
}

/// A type where a union, a condition or `?` may follow it.
fn ty(out: &mut String, of: &Type) {
    match of {
        Type::Name(name) => {
            let _ = write!(out, "{name}");
        }
        Type::Literal(text) => out.push_str(&quoted(text)),
        Type::Union(all) => {
            for (at, one) in all.iter().enumerate() {
                out.push_str(if at > 0 { " | " } else { "" });
                atom(out, one);
            }
        }
        Type::Optional(inner) => {
            atom(out, inner);
            out.push('?');
        }
        Type::Of(name, inner) => {
            let _ = write!(out, "{name}<");
            // A condition would take the `>` for its own.
            if matches!(**inner, Type::Where(..)) {
                atom(out, inner)
            } else {
                ty(out, inner)
            }
            out.push('>');
        }
        Type::Keyed(inner, key) => {
            atom(out, inner);
            let _ = write!(out, " keyed by {key}");
        }
        Type::Range(base, low, high) => {
            let _ = write!(out, "{base} {low}..{high}");
        }
        Type::Where(base, conditions) => {
            atom(out, base);
            for (at, one) in conditions.iter().enumerate() {
                out.push_str(if at > 0 { " and " } else { " where " });
                condition(out, one);
            }
        }
        Type::Record(fields, open) => record(out, fields, *open),
    }
}

/// A type as a part of another: in parentheses where it would run into what follows.
fn atom(out: &mut String, of: &Type) {
    if matches!(of, Type::Union(_) | Type::Where(..)) {
        out.push('(');
        ty(out, of);
        out.push(')');
    } else {
        ty(out, of);
    }
}

fn condition(out: &mut String, condition: &Condition) {
    let _ = match condition {
        Condition::Matches(pattern) => write!(out, "matches(self, {})", quoted(pattern)),
        Condition::Length(op, bound) => write!(out, "length(self) {} {bound}", op.symbol()),
        Condition::Value(op, bound) => write!(out, "self {} {bound}", op.symbol()),
    };
}

fn record(out: &mut String, fields: &[RecordField], open: bool) {
    if fields.is_empty() && !open {
        return out.push_str("{}");
    }
    out.push_str("{\n");
    for field in fields {
        for line in doc_lines(&field.doc) {
            let _ = writeln!(out, "## {line}");
        }
        let _ = write!(out, "{}{}: ", field.name, if field.optional { "?" } else { "" });
        ty(out, &field.ty);
        if let Some(default) = &field.default {
            out.push_str(" = ");
            expr(out, default);
        }
        out.push('\n');
    }
    out.push_str(if open { "...\n}" } else { "}" });
}
