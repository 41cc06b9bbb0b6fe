//! Rules over expressions.

use crate::{Input, codes};
use dax_core::{Diagnostic, Span, Value};
use dax_sema::walk;
use dax_syntax::ast::{BinaryOp, Expr, ExprKind, ItemKind, UnaryOp};
use std::collections::BTreeMap;

pub(crate) fn run(input: &Input<'_>, found: &mut Vec<Diagnostic>) {
    let deprecated = deprecated(input);
    for (_, item) in input.own_items() {
        walk::walk_item(item, &mut |expr| {
            rules(input, expr, found);
            if let ExprKind::Name(name) = &expr.kind
                && let Some((span, why)) = deprecated.get(name.as_str())
                && !(item.span.file == span.file
                    && item.span.start <= span.start
                    && span.end <= item.span.end)
            {
                let diagnostic =
                    Diagnostic::new(codes::DEPRECATED, expr.span, format!("`{name}`: {why}"));
                found.push(diagnostic.related(*span, "it is declared here"));
            }
        });
    }
}

/// Items whose doc comment has a line `Deprecated: …`, with what it says.
fn deprecated<'l>(input: &Input<'l>) -> BTreeMap<&'l str, (Span, &'l str)> {
    let mut all = BTreeMap::new();
    for (_, item) in input.own_items() {
        let why = item
            .doc
            .as_deref()
            .and_then(|doc| doc.lines().find_map(|line| line.trim().strip_prefix("Deprecated:")));
        let name = match &item.kind {
            ItemKind::Field(field) => field.path.first(),
            ItemKind::Fn(function) => Some(&function.name),
            _ => None,
        };
        if let (Some(why), Some(name)) = (why, name) {
            all.insert(name.name.as_str(), (name.span, why.trim()));
        }
    }
    all
}

fn rules(input: &Input<'_>, expr: &Expr, found: &mut Vec<Diagnostic>) {
    let text = |span: Span| input.loaded.sources.slice(span);
    match &expr.kind {
        ExprKind::Binary(op @ (BinaryOp::Equal | BinaryOp::NotEqual), left, right) => {
            for (constant, other) in [(left, right), (right, left)] {
                if let ExprKind::Literal(Value::Bool(value)) = &constant.kind {
                    let as_is = *value == (*op == BinaryOp::Equal);
                    let simple = matches!(
                        other.kind,
                        ExprKind::Name(_)
                            | ExprKind::Get(..)
                            | ExprKind::Call(..)
                            | ExprKind::Index(..)
                    );
                    let mut diagnostic = Diagnostic::new(
                        codes::BOOL_COMPARISON,
                        expr.span,
                        format!("`{}` is a truth value by itself", text(other.span)),
                    );
                    if simple {
                        let replacement = if as_is {
                            text(other.span).to_owned()
                        } else {
                            format!("not {}", text(other.span))
                        };
                        diagnostic = diagnostic.fix(expr.span, replacement);
                    }
                    found.push(diagnostic);
                    return;
                }
            }
        }
        ExprKind::Unary(UnaryOp::Not, inner) => {
            if let ExprKind::Binary(op, left, right) = &inner.kind {
                let opposite = match op {
                    BinaryOp::Equal => "!=",
                    BinaryOp::NotEqual => "==",
                    BinaryOp::Less => ">=",
                    BinaryOp::LessEqual => ">",
                    BinaryOp::Greater => "<=",
                    BinaryOp::GreaterEqual => "<",
                    _ => return,
                };
                let replacement = format!("{} {opposite} {}", text(left.span), text(right.span));
                let diagnostic = Diagnostic::new(
                    codes::NEGATED_COMPARISON,
                    expr.span,
                    format!("`{replacement}` says the same"),
                );
                found.push(diagnostic.fix(expr.span, replacement));
            }
        }
        ExprKind::If(parts) => {
            if let ExprKind::Literal(Value::Bool(value)) = &parts[0].kind {
                let taken = if *value { &parts[1] } else { &parts[2] };
                let diagnostic = Diagnostic::new(
                    codes::CONSTANT_CONDITION,
                    parts[0].span,
                    format!("it is always `{value}`"),
                );
                found.push(diagnostic.fix(expr.span, text(taken.span)));
            } else if text(parts[1].span) == text(parts[2].span) {
                let diagnostic = Diagnostic::new(
                    codes::SAME_BRANCHES,
                    expr.span,
                    "the condition changes nothing",
                );
                found.push(diagnostic.fix(expr.span, text(parts[1].span)));
            }
        }
        ExprKind::List(None, items) => {
            let mut seen: BTreeMap<&Value, Span> = BTreeMap::new();
            for item in items {
                if let ExprKind::Literal(value) = &item.kind
                    && let Some(first) = seen.insert(value, item.span)
                {
                    let diagnostic = Diagnostic::new(
                        codes::REPEATED_ELEMENT,
                        item.span,
                        format!("`{value}` was said before"),
                    );
                    found.push(diagnostic.related(first, "here"));
                }
            }
        }
        ExprKind::Literal(Value::Str(value)) => strings(value, expr.span, found),
        _ => {}
    }
}

/// Beginnings of well-known keys, from the documentation of those who give them out.
const KEY_PREFIXES: &[(&str, usize, &str)] = &[
    ("AKIA", 20, "an access key of AWS"),
    ("ghp_", 40, "a token of GitHub"),
    ("github_pat_", 50, "a token of GitHub"),
    ("glpat-", 26, "a token of GitLab"),
    ("xoxb-", 30, "a token of Slack"),
    ("sk_live_", 30, "a key of Stripe"),
    ("hvs.", 28, "a token of Vault"),
    ("-----BEGIN", 40, "a private key"),
];

fn strings(value: &str, span: Span, found: &mut Vec<Diagnostic>) {
    if let Some((_, _, what)) = KEY_PREFIXES
        .iter()
        .find(|(prefix, length, _)| value.starts_with(prefix) && value.len() >= *length)
    {
        let diagnostic =
            Diagnostic::new(codes::PLAIN_SECRET, span, format!("this looks like {what}"));
        found.push(diagnostic.help("take it back where it was given out, and declare it: `secret name: string from env(\"NAME\")`"));
    }
    if let Some(rest) = value.strip_prefix("http://") {
        let host = rest.split(['/', ':', '?']).next().unwrap_or("");
        let near = host.is_empty()
            || host == "localhost"
            || host.starts_with("127.")
            || host.starts_with('[')
            || !host.contains('.');
        let inside = [".local", ".internal", ".svc", ".test", ".example"]
            .iter()
            .any(|ending| host.ends_with(ending));
        if !near && !inside {
            let at = Span { start: span.start + 1, end: span.start + 8, ..span };
            let diagnostic = Diagnostic::new(
                codes::PLAIN_HTTP,
                span,
                format!("whoever is on the way to `{host}` can read and change it"),
            );
            found.push(diagnostic.fix(at, "https://"));
        }
    }
}
