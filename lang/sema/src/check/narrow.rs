//! What a condition says about the types behind it: `if x != none then x.field`, `p.kind == "http" and p.path`.

use super::Scope;
use crate::context::Context;
use crate::ty::Type;
use dax_core::{Name, Value};
use dax_syntax::ast::{BinaryOp, Expr, ExprKind, UnaryOp};

/// A name, or a member of it, whose type is known better here.
pub(super) struct Narrowed<'a> {
    path: Vec<Name>,
    ty: Type<'a>,
    /// Locals declared later hide what was known of the same name.
    depth: usize,
}

/// `a.b.c` as its names.
fn path_of(expr: &Expr) -> Option<Vec<Name>> {
    match &expr.kind {
        ExprKind::Name(name) => Some(vec![name.clone()]),
        ExprKind::Get(base, name) => {
            let mut path = path_of(base)?;
            path.push(name.name.clone());
            Some(path)
        }
        _ => None,
    }
}

impl<'a> Scope<'a> {
    /// What conditions say of an expression's type.
    pub(super) fn narrowed(&self, expr: &Expr) -> Option<&Type<'a>> {
        if self.narrowed.is_empty() {
            return None;
        }
        let path = path_of(expr)?;
        let hidden = |known: &Narrowed<'_>| {
            self.locals[known.depth.min(self.locals.len())..]
                .iter()
                .any(|local| local.name == known.path[0])
        };
        self.narrowed
            .iter()
            .rev()
            .find(|known| known.path == path && !hidden(known))
            .map(|known| &known.ty)
    }
}

impl<'a> Context<'a> {
    /// Runs `inner` where a condition is known to hold, or not to.
    pub(super) fn assuming<T>(
        &self,
        condition: &'a Expr,
        holds: bool,
        scope: &mut Scope<'a>,
        inner: impl FnOnce(&mut Scope<'a>) -> T,
    ) -> T {
        let before = scope.narrowed.len();
        self.narrow(condition, holds, scope);
        let result = inner(scope);
        scope.narrowed.truncate(before);
        result
    }

    fn narrow(&self, condition: &'a Expr, holds: bool, scope: &mut Scope<'a>) {
        match &condition.kind {
            ExprKind::Unary(UnaryOp::Not, inner) => self.narrow(inner, !holds, scope),
            ExprKind::Binary(BinaryOp::And, a, b) if holds => {
                [a, b].into_iter().for_each(|e| self.narrow(e, true, scope))
            }
            ExprKind::Binary(BinaryOp::Or, a, b) if !holds => {
                [a, b].into_iter().for_each(|e| self.narrow(e, false, scope))
            }
            ExprKind::Binary(op @ (BinaryOp::Equal | BinaryOp::NotEqual), a, b) => {
                let equal = (*op == BinaryOp::Equal) == holds;
                for (subject, other) in [(a, b), (b, a)] {
                    if let ExprKind::Literal(value) = &other.kind {
                        self.narrow_by(subject, value, equal, scope);
                    }
                }
            }
            _ => {}
        }
    }

    fn narrow_by(&self, subject: &'a Expr, value: &Value, equal: bool, scope: &mut Scope<'a>) {
        let known = |scope: &mut Scope<'a>, expr: &Expr, ty: Type<'a>| {
            if let Some(path) = path_of(expr) {
                scope.narrowed.push(Narrowed { path, ty, depth: scope.locals.len() });
            }
        };
        match value {
            Value::None if path_of(subject).is_some() => {
                let ty = self.quietly(|| self.infer(subject, scope));
                if let Some(inner) = ty.optional() {
                    known(
                        scope,
                        subject,
                        if equal { Type::None } else { inner.clone().at(ty.phase()) },
                    );
                }
            }
            Value::Str(text) => {
                let ExprKind::Get(base, tag) = &subject.kind else { return };
                if path_of(base).is_none() {
                    return;
                }
                let ty = self.quietly(|| self.infer(base, scope));
                let Some((tag_name, records)) = ty.tagged() else { return };
                if tag_name != tag.name {
                    return;
                }
                let wanted = records.into_iter().filter(|record| {
                    let is = matches!(record.fields.get(&tag_name).map(|f| f.ty.core()), Some(Type::Literal(literal)) if literal == text);
                    is == equal
                });
                let left: Vec<Type<'a>> = wanted.map(Type::Record).collect();
                match left.as_slice() {
                    [] => {}
                    [one] => known(scope, base, one.clone()),
                    _ => known(scope, base, Type::Union(left.into())),
                }
            }
            _ => {}
        }
    }

    /// Runs `inner` without keeping what it reports.
    pub(super) fn quietly<T>(&self, inner: impl FnOnce() -> T) -> T {
        let before = self.diagnostics.take();
        let result = inner();
        self.diagnostics.replace(before);
        result
    }
}
