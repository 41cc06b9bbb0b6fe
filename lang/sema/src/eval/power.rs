//! Why a condition does not hold: the value of every part of it, and where each came from.

use super::conform::shown;
use super::{Evaluator, Scope};
use crate::walk;
use dax_core::Span;
use dax_ir::Layer;
use dax_syntax::ast::{BinaryOp, Expr, ExprKind};

/// Parts that are shown at most.
const MOST: usize = 12;

impl<'a> Evaluator<'_, 'a> {
    /// The parts of a condition with their values, and the places that set these.
    pub(super) fn explain(&self, condition: &'a Expr, scope: &mut Scope) -> Vec<(Span, String)> {
        let before = self.context.diagnostics.take();
        let mut parts = Vec::new();
        let mut origins = Vec::new();
        self.explain_into(condition, true, scope, &mut parts, &mut origins);
        self.context.diagnostics.replace(before);
        parts.truncate(MOST);
        for (span, label) in origins {
            if parts.len() < MOST && !parts.iter().any(|(known, _)| *known == span) {
                parts.push((span, label));
            }
        }
        parts
    }

    fn explain_into(
        &self,
        expr: &'a Expr,
        top: bool,
        scope: &mut Scope,
        parts: &mut Vec<(Span, String)>,
        origins: &mut Vec<(Span, String)>,
    ) {
        let logic = matches!(
            &expr.kind,
            ExprKind::Binary(BinaryOp::And | BinaryOp::Or, ..)
                | ExprKind::Unary(dax_syntax::ast::UnaryOp::Not, _)
        );
        let leaf = matches!(
            &expr.kind,
            ExprKind::Literal(_) | ExprKind::Tagged(..) | ExprKind::Broken | ExprKind::Data(_)
        );
        let comprehension =
            matches!(&expr.kind, ExprKind::List(Some(_), _) | ExprKind::Map(Some(_), _));
        let literal_list = matches!(&expr.kind, ExprKind::List(None, _) | ExprKind::Map(None, _));
        if leaf || literal_list {
            return;
        }
        if !top || !(logic || matches!(&expr.kind, ExprKind::Binary(..))) {
            match self.eval(expr, scope) {
                Ok(node) => {
                    parts.push((mark(expr), shown(&node.value())));
                    let origin = node.origin;
                    let read = matches!(
                        &expr.kind,
                        ExprKind::Name(_) | ExprKind::Get(..) | ExprKind::GetOptional(..)
                    );
                    let inside = origin.span.file == expr.span.file
                        && expr.span.start <= origin.span.start
                        && origin.span.end <= expr.span.end;
                    if read && !inside && node.as_leaf().is_some() && origin.span != Span::default()
                    {
                        let how = match origin.layer {
                            Layer::Type => "the type's default",
                            Layer::Default => "set as a default",
                            Layer::Plain => "set here",
                            Layer::Override => "set by `override`",
                            Layer::Sealed => "sealed here",
                        };
                        origins.push((origin.span, format!("`{}` is {how}", shown(&node.value()))));
                    }
                }
                Err(_) => parts.push((mark(expr), "has no value".to_owned())),
            }
        }
        // The base of a member and the variables of a comprehension say nothing by themselves.
        if comprehension || matches!(&expr.kind, ExprKind::Get(..) | ExprKind::GetOptional(..)) {
            return;
        }
        let function = match &expr.kind {
            ExprKind::Call(function, _) => Some(&**function),
            _ => None,
        };
        let mut children = Vec::new();
        walk::children(expr, &mut |child| children.push(child));
        for child in children {
            if function.is_none_or(|function| !std::ptr::eq(function, child)) {
                self.explain_into(child, false, scope, parts, origins);
            }
        }
    }
}

/// Where the value of a part is shown: at the word or sign that makes it, so that the marks do not overlap.
fn mark(expr: &Expr) -> Span {
    match &expr.kind {
        ExprKind::Get(_, name) | ExprKind::GetOptional(_, name) => name.span,
        ExprKind::Call(function, _) => function.span,
        ExprKind::Binary(_, left, right) if left.span.end < right.span.start => {
            Span { start: left.span.end, end: right.span.start, ..expr.span }
        }
        ExprKind::Index(base, _) => Span { start: base.span.end, ..expr.span },
        _ => expr.span,
    }
}
