//! Items: what each kind must look like.

use super::Scope;
use crate::block::{self, Assignment, Filling, Join};
use crate::codes;
use crate::context::Context;
use crate::names::{ProviderItem, Secret, Symbol};
use crate::program::ModuleId;
use crate::ty::{RefKind, Type};
use dax_core::{Diagnostic, Name, Span, Value, suggest};
use dax_syntax::ast::{Expr, ExprKind, FnItem, Member, TypeExpr};
use std::sync::Arc;

impl<'a> Context<'a> {
    pub(super) fn check_module(&self, module: ModuleId) {
        let names = self.names.module(module);
        for item in names.types.values() {
            self.named_type(module, &item.name.name);
        }
        for (symbol, _) in names.values.values() {
            match symbol {
                Symbol::Param(param) => {
                    let ty = param.ty.map_or(Type::Any, |ty| self.resolve(module, ty, true));
                    if let Some(default) = param.default {
                        self.check_expr(default, &ty, &mut Scope::of(module));
                    }
                }
                Symbol::Let(field) => {
                    self.let_type(module, &field.path[0].name);
                }
                Symbol::Fn(function) => self.check_fn(module, function),
                Symbol::Secret(secret) => self.check_secret(module, secret),
                Symbol::Service(block) => self.check_body(block.body, &self.prelude_type("Service"), module),
                Symbol::Strategy(block) => {
                    let ty = block.ty.map_or(Type::Error, |ty| self.strategy_type(ty));
                    self.check_body(block.body, &ty, module);
                }
                Symbol::Environment(block) => self.check_environment(module, block),
                Symbol::Import(_) => {}
            }
        }
        for provider in names.providers.values() {
            let ty = self.provider_type(module, provider, true);
            self.check_body(provider.body, &ty, module);
        }
        self.check_recursion(module);
    }

    /// The record type that a strategy of this kind fills.
    pub(crate) fn strategy_type(&self, written: &TypeExpr) -> Type<'a> {
        let module = self.program.prelude.iter().find(|m| self.program.modules[m.0].path == "std/strategy");
        let (Some(module), dax_syntax::ast::TypeKind::Name { path, .. }) = (module, &written.kind) else {
            return Type::Error;
        };
        let name = path.last().map_or("", |part| part.name.as_str());
        if STRATEGY_KINDS.contains(&name) {
            return self.named_type(*module, name).unwrap_or(Type::Error);
        }
        let mut diagnostic = Diagnostic::new(codes::UNKNOWN_TYPE, written.span, format!("`{name}` is no kind of strategy"))
            .help(format!("strategies are {}", STRATEGY_KINDS.join(", ")));
        if let Some(meant) = suggest::nearest(name, STRATEGY_KINDS.iter().copied()) {
            diagnostic = diagnostic.help(format!("did you mean `{meant}`?")).fix(written.span, meant);
        }
        self.report(diagnostic);
        Type::Error
    }

    /// The record type of a provider's configuration.
    pub(crate) fn provider_type(&self, module: ModuleId, provider: &ProviderItem<'a>, report: bool) -> Type<'a> {
        let alias = &provider.alias;
        let Some(Symbol::Import(target)) = self.names.value(module, &alias.name) else {
            if report {
                let detail = format!("`{}` is not imported", alias.name);
                let help = format!("add `import {0} from \"std/{0}\"`", alias.name);
                self.report(Diagnostic::new(codes::NOT_IMPORTED, alias.span, detail).help(help));
            }
            return Type::Error;
        };
        self.named_type(*target, &provider.kind.name).unwrap_or_else(|| {
            if report {
                let detail = format!("`{}` has no provider `{}`", alias.name, provider.kind.name);
                let known = self.names.module(*target).types.keys().map(Name::as_str);
                let mut diagnostic = Diagnostic::new(codes::UNKNOWN_TYPE, provider.kind.span, detail);
                if let Some(meant) = suggest::nearest(&provider.kind.name, known) {
                    diagnostic = diagnostic.help(format!("did you mean `{meant}`?")).fix(provider.kind.span, meant);
                }
                self.report(diagnostic);
            }
            Type::Error
        })
    }

    fn check_fn(&self, module: ModuleId, function: &'a FnItem) {
        let mut scope = Scope::of(module);
        for (name, ty) in &function.params {
            if scope.local(&name.name).is_some() {
                self.error(codes::DUPLICATE, name.span, format!("the parameter `{}` is declared twice", name.name));
            }
            scope.locals.push((name.name.clone(), self.resolve(module, ty, true)));
        }
        let result = self.resolve(module, &function.result, true);
        self.check_expr(&function.body, &result, &mut scope);
    }

    fn check_secret(&self, module: ModuleId, secret: &Secret<'a>) {
        if let Some(ty) = secret.ty {
            self.resolve(module, ty, true);
        }
        if secret_source(secret.source).is_none() {
            let help = "write `from env(\"VARIABLE\")` or `from file(\"path\")`";
            let detail = format!("`{}` has a source that is not known", secret.name.name);
            self.report(Diagnostic::new(codes::MALFORMED_ITEM, secret.source.span, detail).help(help));
        }
    }

    /// Checks the members of an item against its record type.
    pub(super) fn check_body(&self, members: &'a [Member], ty: &Type<'a>, module: ModuleId) {
        let Some(record) = ty.record() else { return };
        let mut problems = Vec::new();
        let all = block::assignments(members, record, &mut problems);
        self.diagnostics.borrow_mut().extend(problems);
        self.check_assignments(&all, ty, &mut Scope::of(module));
    }

    pub(super) fn check_assignments(&self, all: &[Assignment<'a>], ty: &Type<'a>, scope: &mut Scope<'a>) {
        let before = scope.locals.len();
        for metric in all.iter().filter(|a| a.path.len() == 2 && a.path[0].name == "metric") {
            let metric_ty = metric.written.map_or(Type::Error, |ty| self.resolve(scope.module, ty, false));
            scope.locals.push((metric.path[1].name.clone(), metric_ty));
        }
        for assignment in all {
            self.check_assignment(assignment, ty, scope);
        }
        scope.locals.truncate(before);
    }

    fn check_assignment(&self, assignment: &Assignment<'a>, ty: &Type<'a>, scope: &mut Scope<'a>) {
        let Some(target) = self.field_type(assignment, ty) else { return };
        let target = match (assignment.join, target.core()) {
            (Join::Set, _) | (_, Type::Error) | (Join::Add, Type::Map(_)) | (Join::Add | Join::Remove, Type::List(_)) => target,
            (Join::Append, Type::List(element)) => (**element).clone(),
            (join, other) => {
                let symbol = if join == Join::Remove { "-=" } else { "+=" };
                let detail = format!("`{symbol}` works on lists, this is `{other}`");
                return self.error(codes::OPERAND_MISMATCH, assignment.span, detail);
            }
        };
        match &assignment.filling {
            Filling::Expr(expr) if matches!(target, Type::Query) => self.check_query(expr, assignment.written, scope),
            Filling::Expr(expr) => self.check_expr(expr, &target, scope),
            Filling::Word(word, span) => {
                if !Type::Literal((*word).clone()).fits(&target) {
                    self.mismatch(*span, &Type::Literal((*word).clone()), &target);
                }
            }
            Filling::Record(inner) => {
                self.check_assignments(inner, &target, scope);
                if let Some(record) = target.record() {
                    self.check_complete(inner, record, assignment.span);
                }
            }
        }
    }

    /// A command's record is written in one place, so what it lacks is lacking.
    fn check_complete(&self, inner: &[Assignment<'a>], record: &Arc<crate::ty::Record<'a>>, span: Span) {
        for (name, field) in &record.fields {
            let given = inner.iter().any(|a| a.path.first().is_some_and(|p| p.name == *name));
            if !given && field.default.is_none() && !field.optional && !matches!(field.ty, Type::Optional(_)) {
                self.error(codes::MISSING_FIELD, span, format!("`{name}: {}` is missing", field.ty));
            }
        }
    }

    fn field_type(&self, assignment: &Assignment<'a>, ty: &Type<'a>) -> Option<Type<'a>> {
        let mut ty = ty.clone();
        for name in &assignment.path {
            ty = match ty.core() {
                Type::Record(record) => match record.fields.get(&name.name) {
                    Some(field) => field.ty.clone(),
                    None if record.open => Type::Any,
                    None => {
                        self.report(block::unknown(name, record, codes::UNKNOWN_FIELD));
                        return None;
                    }
                },
                Type::Map(element) => (**element).clone(),
                Type::Error | Type::Any => return Some(Type::Any),
                other => {
                    let detail = format!("`{other}` has no fields");
                    self.error(codes::NO_MEMBER, name.span, detail);
                    return None;
                }
            };
        }
        Some(ty)
    }

    /// The type of a `let`, inferred on first use.
    pub(crate) fn let_type(&self, module: ModuleId, name: &Name) -> Type<'a> {
        let key = (module, name.clone());
        if let Some(known) = self.let_types.borrow().get(&key) {
            return known.clone().unwrap_or(Type::Error);
        }
        let Some(Symbol::Let(field)) = self.names.value(module, name) else {
            return Type::Error;
        };
        self.let_types.borrow_mut().insert(key.clone(), None);
        let mut scope = Scope::of(module);
        let ty = match &field.ty {
            Some(written) => {
                let ty = self.resolve(module, written, true);
                self.check_expr(&field.value, &ty, &mut scope);
                ty
            }
            None => self.infer(&field.value, &mut scope),
        };
        self.let_types.borrow_mut().insert(key, Some(ty.clone()));
        ty
    }

    /// Definitions that use themselves, `let` and `fn` alike, each circle once.
    fn check_recursion(&self, module: ModuleId) {
        let names = self.names.module(module);
        let body = |name: &Name| match names.values.get(name) {
            Some((Symbol::Let(field), span)) => Some((&field.value, *span)),
            Some((Symbol::Fn(function), span)) => Some((&function.body, *span)),
            _ => None,
        };
        let mut done: Vec<&Name> = Vec::new();
        for start in names.values.keys() {
            let mut path: Vec<(&Name, Vec<&Name>)> = Vec::new();
            let Some((expr, _)) = body(start) else { continue };
            if done.contains(&start) {
                continue;
            }
            path.push((start, mentioned(expr)));
            while let Some((name, rest)) = path.last_mut() {
                let Some(next) = rest.pop() else {
                    done.push(*name);
                    path.pop();
                    continue;
                };
                if let Some(at) = path.iter().position(|(name, _)| *name == next) {
                    let circle: Vec<&str> = path[at..].iter().map(|(name, _)| name.as_str()).collect();
                    let first = circle.iter().min().copied().unwrap_or(next);
                    let span = names.values[first].1;
                    let detail = format!("`{first}` uses itself: {} → {}", circle.join(" → "), circle[0]);
                    let help = "functions and values are total: write the result without the circle";
                    self.report(Diagnostic::new(codes::CIRCULAR_DEFINITION, span, detail).help(help));
                } else if !done.contains(&next)
                    && let Some((expr, _)) = body(next)
                {
                    path.push((next, mentioned(expr)));
                }
            }
        }
    }

    pub(super) fn reference(&self, expr: &'a Expr, kind: RefKind, module: ModuleId) -> Option<Name> {
        let mut scope = Scope::of(module);
        self.check_expr(expr, &Type::Ref(kind), &mut scope);
        match &expr.kind {
            ExprKind::Name(name) => Some(name.clone()),
            _ => None,
        }
    }
}

/// The kinds of strategies, each a type of `std/strategy`.
pub(crate) const STRATEGY_KINDS: &[&str] = &["immediate", "rolling", "canary", "blue_green"];

/// `env("NAME")` or `file("path")` as source and key.
pub(crate) fn secret_source(source: &Expr) -> Option<(Name, Name)> {
    let ExprKind::Call(function, args) = &source.kind else { return None };
    match (&function.kind, args.as_slice()) {
        (ExprKind::Name(name), [(None, Expr { kind: ExprKind::Literal(Value::Str(key)), .. })])
            if (name == "env" || name == "file") && !key.is_empty() =>
        {
            Some((name.clone(), key.clone()))
        }
        _ => None,
    }
}

/// Every name that occurs in an expression.
fn mentioned(expr: &Expr) -> Vec<&Name> {
    let mut names = Vec::new();
    super::expr::walk(expr, &mut |inner| {
        if let ExprKind::Name(name) = &inner.kind {
            names.push(name);
        }
    });
    names
}
