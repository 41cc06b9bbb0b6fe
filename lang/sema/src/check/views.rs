//! What policies and tests see of services, plans and time.

use super::Scope;
use crate::codes;
use crate::context::Context;
use crate::names::Symbol;
use crate::ty::{FieldType, Record, RefKind, Type};
use dax_core::{Diagnostic, Name, Span};
use dax_syntax::ast::{Expr, ExprKind, Ident};
use indexmap::IndexMap;
use std::sync::Arc;

impl<'a> Context<'a> {
    /// A service with its fields and where it runs.
    pub(super) fn service_view(&self) -> Type<'a> {
        let (view, service) = (self.prelude_type("ServiceView"), self.prelude_type("Service"));
        let (Some(view), Some(service)) = (view.record(), service.record()) else {
            return Type::Error;
        };
        let mut fields = view.fields.clone();
        fields.extend(service.fields.iter().map(|(name, field)| (name.clone(), field.clone())));
        Type::Record(Arc::new(Record {
            name: Some("ServiceView".into()),
            fields,
            open: false,
            module: view.module,
        }))
    }

    /// What `plan(environment.name, …)` gives: the environment's services by name, and what the plan does.
    pub(super) fn plan_type(&self, environment: &Name) -> Type<'a> {
        let list = |ty: Type<'a>| FieldType::plain(Type::List(Arc::new(ty)), Span::default());
        let view = self.service_view();
        let mut fields = IndexMap::new();
        for (name, _) in self.bound_services(environment) {
            if let Some((_, block)) = self.service(&name).filter(|_| !name.contains('.')) {
                fields.insert(name, FieldType::plain(view.clone(), block.name.span));
            }
        }
        fields.insert("services".into(), list(view));
        fields.insert("changes".into(), list(self.prelude_type("Change")));
        fields.insert("steps".into(), list(self.prelude_type("StepView")));
        Type::Record(Arc::new(Record {
            name: Some(Name::new(format!("plan of {environment}"))),
            fields,
            open: false,
            module: self.program.root,
        }))
    }

    /// `plan(environment.production, image_tag: "abc")`.
    pub(super) fn plan_call(
        &self,
        args: &'a [(Option<Ident>, Expr)],
        span: Span,
        scope: &mut Scope<'a>,
    ) -> Type<'a> {
        let Some((environment, params)) = args.split_first() else {
            let diagnostic =
                Diagnostic::new(codes::WRONG_ARGUMENTS, span, "`plan` takes an environment");
            self.report(diagnostic.help("write `plan(environment.name, param: value)`"));
            return Type::Error;
        };
        let Some(name) = environment_of(&environment.1) else {
            let diagnostic = Diagnostic::new(
                codes::WRONG_ARGUMENTS,
                environment.1.span,
                "this is no environment",
            );
            self.report(diagnostic.help("write `environment.name`"));
            return Type::Error;
        };
        let ty = self.infer(&environment.1, scope);
        for (given, value) in params {
            let symbol =
                given.as_ref().and_then(|given| self.names.value(self.program.root, &given.name));
            match (given, symbol) {
                (Some(_), Some(Symbol::Param(param))) => {
                    let ty = param
                        .ty
                        .map_or(Type::String, |ty| self.resolve(self.program.root, ty, false));
                    // A test may give what the type refuses: that it is refused is then what it expects.
                    let have = self.infer(value, scope);
                    if !have.fits(ty.core()) {
                        self.mismatch(value, &have, &ty, scope);
                    }
                }
                _ => {
                    let (detail, span) = match given {
                        Some(given) => {
                            (format!("there is no parameter `{}`", given.name), given.span)
                        }
                        None => {
                            ("the parameters of a plan are given by name".to_owned(), value.span)
                        }
                    };
                    self.error(codes::WRONG_ARGUMENTS, span, detail);
                }
            }
        }
        if matches!(ty, Type::Ref(RefKind::Environment)) {
            self.plan_type(name)
        } else {
            Type::Error
        }
    }
}

/// The name in `environment.name`.
pub(crate) fn environment_of(expr: &Expr) -> Option<&Name> {
    match &expr.kind {
        ExprKind::Get(base, name) if matches!(&base.kind, ExprKind::Name(word) if word == "environment") => {
            Some(&name.name)
        }
        _ => None,
    }
}
