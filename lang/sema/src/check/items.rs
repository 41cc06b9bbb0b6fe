//! Items: what each kind must look like.

use super::{Local, Scope};
use crate::block::{self, Assignment, Filling, Join, field_of};
use crate::codes;
use crate::context::Context;
use crate::names::Symbol;
use crate::offers::{CURSOR, OfferKind, is_cursor};
use crate::program::ModuleId;
use crate::ty::{Phase, Type};
use dax_core::{Diagnostic, FileId, Name, Span, Value};
use dax_syntax::ast::{Expr, ExprKind, FnItem, Ident, Member, TypeExpr, TypeKind};
use std::sync::Arc;

impl<'a> Context<'a> {
    /// Checks the items that stand in wanted files; gives whether it came to the end before it was to stop.
    pub(super) fn check_module(
        &self,
        module: ModuleId,
        wanted: &dyn Fn(FileId) -> bool,
        stop: &dyn Fn() -> bool,
    ) -> bool {
        let names = self.names.module(module);
        for item in names.types.values().filter(|item| wanted(item.name.span.file)) {
            self.named_type(module, &item.name.name);
            self.check_written(module, &item.ty, &item.type_params);
        }
        for (symbol, _) in names.values.values().filter(|(_, span)| wanted(span.file)) {
            if stop() {
                return false;
            }
            self.check_symbol(module, symbol);
        }
        for provider in names.providers.values().filter(|provider| wanted(provider.span.file)) {
            let ty = self.provider_type(module, provider, true);
            let mut scope = Scope::of(module);
            if let Some((key, keys)) = &provider.keyed {
                let text = Arc::new(Type::String);
                let wanted = Type::Phase(Phase::Static, Arc::new(Type::List(text)));
                self.check_expr(keys, &wanted, &mut scope);
                scope.locals.push(self.declares(key, Type::String));
            }
            self.check_body_in(provider.body, &ty, &mut scope);
        }
        for patch in names.patches.iter().filter(|patch| wanted(patch.target.span.file)) {
            self.check_patch(module, patch);
        }
        for policy in names.policies.iter().filter(|policy| wanted(policy.name.span.file)) {
            self.check_policy(module, policy);
        }
        for test in names.tests.iter().filter(|test| wanted(test.span.file)) {
            self.check_test(module, test);
        }
        true
    }

    fn check_symbol(&self, module: ModuleId, symbol: &Symbol<'a>) {
        match symbol {
            Symbol::Param(param) => {
                let ty = param.ty.map_or(Type::String, |ty| self.resolve(module, ty, true));
                param.ty.iter().for_each(|ty| self.check_written(module, ty, &[]));
                if let Some(default) = param.default {
                    self.check_expr(default, &ty, &mut Scope::of(module));
                }
            }
            Symbol::Let(field) => {
                self.let_type(module, &field.path[0].name);
            }
            Symbol::Fn(function) => self.check_fn(module, function),
            Symbol::Secret(secret) => self.check_secret(module, secret),
            Symbol::Service(block) => {
                self.check_body(block.body, &self.block_type(module, block, true), module)
            }
            Symbol::Strategy(block) => {
                let ty = block.ty.map_or(Type::Error, |ty| self.strategy_type(ty));
                self.check_body(block.body, &ty, module);
            }
            Symbol::Environment(block) => self.check_environment(module, block),
            Symbol::Import(_) => {}
        }
    }

    /// Checks the expressions inside of a written type: conditions and defaults.
    fn check_written(&self, module: ModuleId, written: &'a TypeExpr, params: &[Ident]) {
        let inner = |ty: &'a TypeExpr| self.check_written(module, ty, params);
        match &written.kind {
            TypeKind::Literal(_) => {}
            TypeKind::Name { args, .. } | TypeKind::Union(args) => args.iter().for_each(inner),
            TypeKind::Optional(one) | TypeKind::Keyed(one, _) => inner(one),
            TypeKind::Record { fields, .. } => {
                for field in fields {
                    inner(&field.ty);
                    if let Some(default) = &field.default {
                        let ty = self.resolve_with(module, &field.ty, params, false);
                        self.check_expr(default, &ty, &mut Scope::of(module));
                    }
                }
            }
            TypeKind::Where(base, condition) => {
                inner(base);
                let mut scope = Scope::of(module);
                scope
                    .locals
                    .push(Local::given("self", self.resolve_with(module, base, params, false)));
                self.check_expr(condition, &Type::Bool, &mut scope);
            }
        }
    }

    fn check_fn(&self, module: ModuleId, function: &'a FnItem) {
        let mut scope = Scope::of(module);
        let params = &function.type_params;
        for (name, ty) in &function.params {
            if scope.local(&name.name).is_some() {
                self.error(
                    codes::DUPLICATE,
                    name.span,
                    format!("the parameter `{}` is declared twice", name.name),
                );
            }
            scope.locals.push(self.declares(name, self.resolve_with(module, ty, params, true)));
        }
        let result = self.resolve_with(module, &function.result, params, true);
        let native = matches!(&function.body.kind, ExprKind::Name(word) if word == "native");
        if !(native
            && crate::natives::find(&function.name.name).is_some()
            && self.names.value(module, "native").is_none())
        {
            self.check_expr(&function.body, &result, &mut scope);
        }
    }

    /// Checks the members of an item against its record type.
    pub(super) fn check_body(&self, members: &'a [Member], ty: &Type<'a>, module: ModuleId) {
        self.check_body_in(members, ty, &mut Scope::of(module));
    }

    pub(super) fn check_body_in(
        &self,
        members: &'a [Member],
        ty: &Type<'a>,
        scope: &mut Scope<'a>,
    ) {
        let Some(record) = ty.record() else { return };
        let mut problems = Vec::new();
        let all = block::assignments(members, record, &mut problems);
        self.diagnostics.borrow_mut().extend(problems);
        self.check_assignments(&all, ty, scope);
    }

    pub(super) fn check_assignments(
        &self,
        all: &[Assignment<'a>],
        ty: &Type<'a>,
        scope: &mut Scope<'a>,
    ) {
        let before = scope.locals.len();
        for metric in all.iter().filter(|a| a.path.len() == 2 && a.path[0].name == "metric") {
            let metric_ty =
                metric.written.map_or(Type::Error, |ty| self.resolve(scope.module, ty, false));
            scope.locals.push(self.declares(&metric.path[1], metric_ty));
        }
        for assignment in all {
            if assignment.path[0].name == CURSOR {
                self.offer_fields(ty, OfferKind::Field, &|name| {
                    all.iter().any(|other| other.path[0].name == *name)
                });
                continue;
            }
            self.check_assignment(assignment, ty, scope);
        }
        scope.locals.truncate(before);
    }

    fn check_assignment(&self, assignment: &Assignment<'a>, ty: &Type<'a>, scope: &mut Scope<'a>) {
        let Some(target) = self.field_type(assignment, ty) else { return };
        let target = match (assignment.join, target.core()) {
            (Join::Set, _)
            | (_, Type::Error)
            | (Join::Add, Type::Map(_))
            | (Join::Add | Join::Remove, Type::List(_) | Type::Set(_)) => target,
            (Join::Append, Type::List(element)) => (**element).clone(),
            (join, other) => {
                let symbol = if join == Join::Remove { "-=" } else { "+=" };
                let detail = format!("`{symbol}` works on lists, this is `{other}`");
                return self.error(codes::OPERAND_MISMATCH, assignment.span, detail);
            }
        };
        match &assignment.filling {
            Filling::Expr(expr) if matches!(target, Type::Query) => {
                self.check_query(expr, assignment.written, scope)
            }
            Filling::Expr(expr) => {
                self.check_expr(expr, &target, scope);
            }
            Filling::Word(word, _) if *word == CURSOR => {
                self.offer_constants(&target, OfferKind::Keyword)
            }
            Filling::Word(word, span) => {
                if !Type::Literal((*word).clone()).fits(&target) {
                    self.mismatch_at(*span, &Type::Literal((*word).clone()), &target);
                }
            }
            Filling::Record(inner) => {
                self.check_assignments(inner, &target, scope);
                let chosen = target.record().cloned().or_else(|| alternative(inner, &target));
                if let Some(record) =
                    chosen.as_ref().filter(|_| inner.iter().any(is_argument_to_come))
                {
                    let given = |name: &Name| {
                        inner.iter().any(|a| a.path[0].name == *name && !is_argument_to_come(a))
                    };
                    self.offer_fields(&Type::Record(record.clone()), OfferKind::Argument, &given);
                }
                if let Some(record) = chosen {
                    self.check_complete(inner, &record, assignment.span);
                }
            }
        }
    }

    /// A command's record is written in one place, so what it lacks is lacking.
    fn check_complete(
        &self,
        inner: &[Assignment<'a>],
        record: &Arc<crate::ty::Record<'a>>,
        span: Span,
    ) {
        for (name, field) in &record.fields {
            let given = inner.iter().any(|a| a.path.first().is_some_and(|p| p.name == *name));
            if !given && !field.may_lack() {
                self.error(
                    codes::MISSING_FIELD,
                    span,
                    format!("`{name}: {}` is missing", field.ty),
                );
            }
        }
    }

    fn field_type(&self, assignment: &Assignment<'a>, ty: &Type<'a>) -> Option<Type<'a>> {
        let mut ty = ty.clone();
        for name in &assignment.path {
            ty = match ty.core() {
                Type::Record(record) => match record.fields.get(&name.name) {
                    Some(field) => {
                        self.note(name.span, Some(field.span).filter(|_| !assignment.is_unnamed()));
                        if field.optional { field.read() } else { field.ty.clone() }
                    }
                    None if name.name == CURSOR => {
                        self.offer_fields(&ty, OfferKind::Field, &|_| false);
                        return None;
                    }
                    None if record.open => Type::Any,
                    None => {
                        self.report(block::unknown(name, record, codes::UNKNOWN_FIELD));
                        return None;
                    }
                },
                Type::Map(element) => (**element).clone(),
                Type::Union(_) if field_of(&ty, &name.name).is_some() => field_of(&ty, &name.name)?,
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
                let phase = self.check_expr(&field.value, &ty, &mut scope);
                ty.at(phase)
            }
            None => {
                let ty = self.infer(&field.value, &mut scope);
                self.note_type(field.path[0].span, &ty);
                ty
            }
        };
        self.let_types.borrow_mut().insert(key, Some(ty.clone()));
        ty
    }

    /// Definitions that use themselves, `let` and `fn` alike, each circle once.
    pub(super) fn check_recursion(&self, module: ModuleId) {
        let names = self.names.module(module);
        let body = |name: &Name| -> Option<(&Expr, Vec<&Name>)> {
            match names.values.get(name) {
                Some((Symbol::Let(field), _)) => Some((&field.value, Vec::new())),
                Some((Symbol::Fn(function), _)) => Some((
                    &function.body,
                    function.params.iter().map(|(param, _)| &param.name).collect(),
                )),
                _ => None,
            }
        };
        let mut done: Vec<&Name> = Vec::new();
        for start in names.values.keys() {
            let mut path: Vec<(&Name, Vec<&Name>)> = Vec::new();
            let Some((expr, bound)) = body(start) else { continue };
            if done.contains(&start) {
                continue;
            }
            path.push((start, mentioned(expr, &bound)));
            while let Some((name, rest)) = path.last_mut() {
                let Some(next) = rest.pop() else {
                    done.push(*name);
                    path.pop();
                    continue;
                };
                if let Some(at) = path.iter().position(|(name, _)| *name == next) {
                    let circle: Vec<&str> =
                        path[at..].iter().map(|(name, _)| name.as_str()).collect();
                    let first = circle.iter().min().copied().unwrap_or(next);
                    let span = names.values[first].1;
                    let detail =
                        format!("`{first}` uses itself: {} → {}", circle.join(" → "), circle[0]);
                    let help =
                        "functions and values are total: write the result without the circle";
                    self.report(
                        Diagnostic::new(codes::CIRCULAR_DEFINITION, span, detail).help(help),
                    );
                } else if !done.contains(&next)
                    && let Some((expr, bound)) = body(next)
                {
                    path.push((next, mentioned(expr, &bound)));
                }
            }
        }
    }
}

/// Every name that occurs in an expression, those that it binds itself left out.
fn mentioned<'e>(expr: &'e Expr, params: &[&Name]) -> Vec<&'e Name> {
    let mut names = Vec::new();
    let mut bound: Vec<&Name> = params.to_vec();
    crate::walk::walk(expr, &mut |inner| match &inner.kind {
        ExprKind::Name(name) => names.push(name),
        ExprKind::List(Some(clause), _) | ExprKind::Map(Some(clause), _) => {
            bound.push(&clause.first.name);
            bound.extend(clause.second.iter().map(|second| &second.name));
        }
        _ => {}
    });
    names.retain(|name| !bound.contains(name));
    names
}

/// Whether an argument of a command is about to be written.
fn is_argument_to_come(assignment: &Assignment<'_>) -> bool {
    match &assignment.filling {
        Filling::Word(word, _) => *word == CURSOR,
        Filling::Expr(expr) => is_cursor(expr) && assignment.is_unnamed(),
        _ => false,
    }
}

/// The alternative of a union that a command's words have chosen.
fn alternative<'a>(
    inner: &[Assignment<'a>],
    union: &Type<'a>,
) -> Option<Arc<crate::ty::Record<'a>>> {
    let (tag, records) = union.tagged()?;
    let word = inner.iter().find(|a| a.path.first().is_some_and(|p| p.name == tag)).map(
        |a| match &a.filling {
            Filling::Word(word, _) => Some((*word).clone()),
            Filling::Expr(Expr { kind: ExprKind::Literal(Value::Str(text)), .. }) => {
                Some(text.clone())
            }
            _ => None,
        },
    )??;
    let is = |record: &Arc<crate::ty::Record<'a>>| matches!(record.fields.get(&tag).map(|f| f.ty.core()), Some(Type::Literal(l)) if *l == word);
    records.into_iter().find(is)
}
