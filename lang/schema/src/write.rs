//! Types as text; the formatter gives it its form.

use crate::types::{Field, Type, Types};
use dax_syntax::quoted;
use std::fmt::Write;

/// Characters of a line of a doc comment.
const WIDTH: usize = 100;

/// All types, each behind what it needs.
pub(crate) fn text(types: &Types) -> String {
    let mut out = String::new();
    for (name, named) in &types.all {
        doc(&mut out, &named.doc, "");
        for note in &named.notes {
            let _ = writeln!(out, "## Note: {note}.");
        }
        let _ = write!(out, "type {name} = ");
        ty(&mut out, &named.ty, "");
        out.push_str("\n\n");
    }
    out
}

fn doc(out: &mut String, text: &str, indent: &str) {
    for line in text.lines() {
        let mut rest = line.trim_end();
        while rest.chars().count() > WIDTH {
            let limit = rest.char_indices().nth(WIDTH).map_or(rest.len(), |(at, _)| at);
            let Some(at) = rest[..limit].rfind(' ').filter(|at| *at > 0) else { break };
            let _ = writeln!(out, "{indent}## {}", &rest[..at]);
            rest = rest[at..].trim_start();
        }
        let _ = writeln!(out, "{indent}## {rest}");
    }
}

fn ty(out: &mut String, of: &Type, indent: &str) {
    match of {
        Type::Plain(name) => out.push_str(name),
        Type::Named(name) => out.push_str(name),
        Type::Literal(text) => out.push_str(&quoted(text)),
        Type::Union(all) => {
            for (at, one) in all.iter().enumerate() {
                if at > 0 {
                    out.push_str(" | ");
                }
                // A condition would take the rest of the union into itself.
                match one {
                    Type::Where(base, _) => ty(out, base, indent),
                    other => ty(out, other, indent),
                }
            }
        }
        Type::Optional(inner) => match &**inner {
            Type::Union(all) => {
                for one in all {
                    ty(out, one, indent);
                    out.push_str(" | ");
                }
                out.push_str("none");
            }
            Type::Where(base, _) => {
                ty(out, base, indent);
                out.push('?');
            }
            Type::Optional(_) => ty(out, inner, indent),
            other => {
                ty(out, other, indent);
                out.push('?');
            }
        },
        Type::List(inner) => around(out, "List", inner, indent),
        Type::Set(inner) => around(out, "Set", inner, indent),
        Type::Map(inner) => around(out, "Map", inner, indent),
        Type::Keyed(inner, key) => {
            around(out, "List", inner, indent);
            let _ = write!(out, " keyed by {key}");
        }
        Type::Range(base, low, high) => {
            let _ = write!(out, "{base} {low}..{high}");
        }
        Type::Where(base, condition) => {
            ty(out, base, indent);
            let _ = write!(out, " where {condition}");
        }
        Type::Record(fields, open) => record(out, fields, *open, indent),
    }
}

fn around(out: &mut String, word: &str, inner: &Type, indent: &str) {
    let _ = write!(out, "{word}<");
    ty(out, inner, indent);
    out.push('>');
}

fn record(out: &mut String, fields: &[Field], open: bool, indent: &str) {
    if fields.is_empty() && !open {
        out.push_str("{ }");
        return;
    }
    let inner = format!("{indent}  ");
    out.push_str("{\n");
    for field in fields {
        doc(out, &field.doc, &inner);
        let _ = write!(out, "{inner}{}{}: ", field.name, if field.optional { "?" } else { "" });
        ty(out, &field.ty, &inner);
        if let Some(default) = &field.default {
            let _ = write!(out, " = {default}");
        }
        out.push('\n');
    }
    if open {
        let _ = writeln!(out, "{inner}...");
    }
    let _ = write!(out, "{indent}}}");
}
