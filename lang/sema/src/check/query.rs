//! Metrics: the queries that a source understands, and the conditions over them.

use super::Scope;
use crate::codes;
use crate::context::Context;
use crate::names::Symbol;
use crate::offers::{CURSOR, OfferKind, is_cursor};
use crate::ty::Type;
use dax_core::{Diagnostic, Name, suggest};
use dax_syntax::ast::{BinaryOp, Expr, ExprKind, TypeExpr, UnaryOp};
use promql_parser::parser::Expr as Query;

impl<'a> Context<'a> {
    /// A tagged text that a metrics source knows, with the type that was written for it.
    pub(super) fn check_query(
        &self,
        expr: &'a Expr,
        written: Option<&'a TypeExpr>,
        scope: &Scope<'a>,
    ) {
        if matches!(expr.kind, ExprKind::Broken) {
            return;
        }
        if is_cursor(expr) {
            return self.offer_queries(scope.module);
        }
        let ExprKind::Tagged(tag, text) = &expr.kind else {
            let detail = "a metric is a tagged text";
            return self.report(
                Diagnostic::new(codes::BAD_QUERY, expr.span, detail)
                    .help("write `metric errors: Percent = local\"error_rate\"`"),
            );
        };
        let typed = written.is_some();
        if tag.name == "promql" {
            if let Err(error) = promql_parser::parser::parse(text) {
                let why = error.lines().next().unwrap_or("").to_owned();
                self.error(codes::BAD_QUERY, expr.span, format!("this is no PromQL: {why}"));
            }
            if !typed {
                let diagnostic = Diagnostic::new(
                    codes::BAD_QUERY,
                    expr.span,
                    "the type of the metric is missing",
                );
                self.report(
                    diagnostic
                        .help("write `metric name: Percent = …`, or `Duration`, `Rate`, `number`"),
                );
            }
            return;
        }
        let metrics = match self.names.value(scope.module, &tag.name) {
            Some(Symbol::Import(module)) => {
                self.note(tag.span, Some(self.names.declared(scope.module, &tag.name)));
                self.named_type(*module, "metrics")
            }
            _ => None,
        };
        let Some(Type::Record(metrics)) = metrics else {
            if self.is_broken(scope.module, &tag.name) {
                return;
            }
            let detail = format!("`{}` is no imported source of metrics", tag.name);
            return self.report(
                Diagnostic::new(codes::BAD_QUERY, tag.span, detail)
                    .help("add `import local from \"std/local\"`, or write `promql\"…\"`"),
            );
        };
        if text == CURSOR {
            return self.offer_fields(&Type::Record(metrics), OfferKind::Literal, &|_| false);
        }
        let Some(field) = metrics.fields.get(text) else {
            let names = metrics.fields.keys().map(Name::as_str);
            let diagnostic = Diagnostic::new(
                codes::BAD_QUERY,
                expr.span,
                format!("`{}` has no metric `{text}`", tag.name),
            );
            return self.report(match suggest::nearest(text, names.clone()) {
                Some(meant) => diagnostic.help(format!("did you mean `{meant}`?")),
                None => diagnostic.help(format!("it has {}", names.collect::<Vec<_>>().join(", "))),
            });
        };
        match written {
            None => {
                let diagnostic = Diagnostic::new(
                    codes::BAD_QUERY,
                    expr.span,
                    "the type of the metric is missing",
                );
                self.report(diagnostic.help(format!("write `metric name: {} = …`", field.ty)));
            }
            Some(written) => {
                let ty = self.resolve(scope.module, written, true);
                if !field.ty.fits(&ty) {
                    let detail = format!("`{}` is a `{}`, not a `{ty}`", text, field.ty);
                    self.report(
                        Diagnostic::new(codes::MISMATCH, written.span, detail)
                            .fix(written.span, field.ty.to_string()),
                    );
                }
            }
        }
    }

    /// `metric < constant`, joined by `and`, `or` and `not`.
    pub(super) fn check_condition(&self, expr: &'a Expr, scope: &mut Scope<'a>) {
        let before = self.diagnostics.borrow().len();
        self.check_bool(expr, scope);
        let broken = matches!(expr.kind, ExprKind::Broken);
        if self.diagnostics.borrow().len() == before && !broken && !is_condition(expr, scope) {
            let diagnostic = Diagnostic::new(
                codes::BAD_CONDITION,
                expr.span,
                "a condition compares metrics with constants",
            );
            self.report(diagnostic.help("write `require errors < 1% and p99 < 300ms`"));
        }
    }
}

/// The names of the metrics in a query; none when it is no PromQL.
pub fn metric_names(query: &str) -> Vec<String> {
    let mut names = Vec::new();
    if let Ok(expr) = promql_parser::parser::parse(query) {
        collect(&expr, &mut names);
    }
    names
}

fn collect(expr: &Query, names: &mut Vec<String>) {
    match expr {
        Query::VectorSelector(selector) => names.extend(selector.name.clone()),
        Query::MatrixSelector(range) => names.extend(range.vs.name.clone()),
        Query::Aggregate(inner) => collect(&inner.expr, names),
        Query::Unary(inner) => collect(&inner.expr, names),
        Query::Paren(inner) => collect(&inner.expr, names),
        Query::Subquery(inner) => collect(&inner.expr, names),
        Query::Binary(both) => {
            collect(&both.lhs, names);
            collect(&both.rhs, names);
        }
        Query::Call(call) => call.args.args.iter().for_each(|arg| collect(arg, names)),
        _ => {}
    }
}

/// Whether an expression has the shape that an analysis can carry.
fn is_condition(expr: &Expr, scope: &Scope<'_>) -> bool {
    let metric = |e: &Expr| matches!(&e.kind, ExprKind::Name(name) if scope.local(name).is_some());
    match &expr.kind {
        ExprKind::Binary(BinaryOp::And | BinaryOp::Or, left, right) => {
            is_condition(left, scope) && is_condition(right, scope)
        }
        ExprKind::Unary(UnaryOp::Not, inner) => is_condition(inner, scope),
        ExprKind::Binary(op, left, right) if *op != BinaryOp::In => metric(left) != metric(right),
        _ => false,
    }
}
