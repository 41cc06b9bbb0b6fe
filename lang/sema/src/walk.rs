//! Visits expressions, for whoever looks for something in them.

use dax_syntax::ast::{Arg, Command, Expr, ExprKind, ForClause, Item, ItemKind, Member, Part};

/// Visits an expression and all below it.
pub fn walk<'e>(expr: &'e Expr, visit: &mut dyn FnMut(&'e Expr)) {
    visit(expr);
    children(expr, &mut |child| walk(child, visit));
}

/// Visits the expressions directly below one.
pub fn children<'e>(expr: &'e Expr, visit: &mut dyn FnMut(&'e Expr)) {
    match &expr.kind {
        ExprKind::Literal(_)
        | ExprKind::Tagged(..)
        | ExprKind::Name(_)
        | ExprKind::Data(_)
        | ExprKind::Broken => {}
        ExprKind::Template(parts) | ExprKind::SecretTemplate(parts) => {
            parts.iter().for_each(|part| {
                if let Part::Expr(inner) = part {
                    visit(inner);
                }
            })
        }
        ExprKind::Get(base, _) | ExprKind::GetOptional(base, _) | ExprKind::Unary(_, base) => {
            visit(base)
        }
        ExprKind::Index(a, b) | ExprKind::Binary(_, a, b) => {
            [a, b].into_iter().for_each(|e| visit(e))
        }
        ExprKind::Call(function, args) => {
            visit(function);
            args.iter().for_each(|(_, arg)| visit(arg));
        }
        ExprKind::If(parts) => parts.iter().for_each(visit),
        ExprKind::List(clause, items) => {
            of_clause(clause.as_deref(), visit);
            items.iter().for_each(visit);
        }
        ExprKind::Map(clause, entries) => {
            of_clause(clause.as_deref(), visit);
            entries.iter().for_each(|entry| {
                visit(&entry.key);
                visit(&entry.value);
            });
        }
    }
}

fn of_clause<'e>(clause: Option<&'e ForClause>, visit: &mut dyn FnMut(&'e Expr)) {
    if let Some(clause) = clause {
        visit(&clause.source);
        clause.condition.iter().for_each(visit);
    }
}

/// Visits every expression of an item, those of types left out.
pub fn walk_item<'e>(item: &'e Item, visit: &mut dyn FnMut(&'e Expr)) {
    match &item.kind {
        ItemKind::Field(field) => walk(&field.value, visit),
        ItemKind::Fn(function) => walk(&function.body, visit),
        ItemKind::Type(_) | ItemKind::Broken(_) => {}
        ItemKind::Command(command) => walk_command(command, visit),
    }
}

/// Visits every expression of a command.
pub fn walk_command<'e>(command: &'e Command, visit: &mut dyn FnMut(&'e Expr)) {
    for arg in &command.args {
        if let Arg::Expr(expr) = arg {
            walk(expr, visit);
        }
    }
    for member in command.body.iter().flatten() {
        match member {
            Member::Field(field) => walk(&field.value, visit),
            Member::Command(command) => walk_command(command, visit),
        }
    }
}
