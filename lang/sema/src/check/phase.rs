//! Values that are known too late for their place, with the chain of causes.

use super::Scope;
use crate::codes;
use crate::context::Context;
use crate::names::Symbol;
use crate::program::ModuleId;
use crate::ty::{Phase, RefKind, Type};
use crate::walk;
use dax_core::{Diagnostic, Name, Span};
use dax_syntax::ast::{Expr, ExprKind};

/// Definitions followed back before a chain is cut short.
const LONGEST_CHAIN: usize = 12;

impl<'a> Context<'a> {
    /// Checks that a value is known when its place must be.
    pub(super) fn require_phase(
        &self,
        expr: &'a Expr,
        ty: &Type<'a>,
        by: Phase,
        what: &str,
        scope: &Scope<'a>,
    ) {
        if ty.deep_phase() > by {
            self.too_late(expr, ty.deep_phase(), by, what, scope);
        }
    }

    /// Says that a value is known too late, and what makes it late.
    pub(super) fn too_late(
        &self,
        expr: &'a Expr,
        known: Phase,
        by: Phase,
        what: &str,
        scope: &Scope<'a>,
    ) {
        let when = match by {
            Phase::Static => "before anything is read",
            _ => "when it is planned",
        };
        let detail = format!("{what} must be known {when}, this is known {}", words(known));
        let mut diagnostic = Diagnostic::new(codes::PHASE, expr.span, detail);
        let mut chain = Vec::new();
        let locals = scope.locals.iter().map(|local| &local.name).collect::<Vec<_>>();
        self.causes(expr, scope.module, &locals, &mut chain);
        for (span, label) in chain {
            diagnostic = diagnostic.related(span, label);
        }
        self.report(diagnostic.help("use a parameter or a constant here, or make two applies of it: one for what must be known first"));
    }

    /// What makes an expression late, from the place of use to the first cause.
    fn causes(
        &self,
        expr: &'a Expr,
        module: ModuleId,
        locals: &[&Name],
        chain: &mut Vec<(Span, String)>,
    ) {
        if chain.len() >= LONGEST_CHAIN {
            return;
        }
        let before = chain.len();
        walk::walk(expr, &mut |inner| {
            if chain.len() > before {
                return;
            }
            match &inner.kind {
                ExprKind::Get(base, name) => {
                    let is_service = match &base.kind {
                        ExprKind::Name(service) => {
                            !locals.contains(&service)
                                && matches!(
                                    self.names.value(module, service),
                                    Some(Symbol::Service(_))
                                )
                        }
                        _ => self.quietly(|| {
                            matches!(
                                self.infer(base, &mut Scope::of(module)),
                                Type::Ref(RefKind::Service)
                            )
                        }),
                    };
                    let output = self
                        .prelude_type("Outputs")
                        .record()
                        .and_then(|outputs| outputs.fields.get(&name.name).map(|f| f.ty.phase()));
                    if let (true, Some(phase)) = (is_service, output) {
                        chain.push((
                            inner.span,
                            format!("`{}` is known {}", name.name, words(phase)),
                        ));
                    }
                }
                ExprKind::Name(name) if !locals.contains(&name) => {
                    if let Some((owner, Symbol::Let(field))) = self.lookup(module, name)
                        && self.quietly(|| self.let_type(owner, name)).deep_phase() > Phase::Static
                    {
                        let field: &'a dax_syntax::ast::Field = field;
                        chain.push((inner.span, format!("`{name}` comes from here")));
                        self.causes(&field.value, owner, &[], chain);
                    }
                }
                _ => {}
            }
        });
    }
}

fn words(phase: Phase) -> &'static str {
    match phase {
        Phase::Static => "before anything is read",
        Phase::Plan => "when it is planned",
        Phase::Apply => "only after apply",
    }
}
