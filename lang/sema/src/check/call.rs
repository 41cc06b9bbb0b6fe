//! Names, members, indexes and calls.

use super::{Place, Scope};
use crate::codes;
use crate::context::Context;
use crate::names::Symbol;
use crate::offers::{CURSOR, is_cursor};
use crate::program::ModuleId;
use crate::ty::{FieldType, Phase, RefKind, Type, Vars, infer_vars};
use dax_core::{Diagnostic, Name, Span, suggest};
use dax_syntax::ast::{Expr, ExprKind, FnItem, Ident};
use std::sync::Arc;

impl<'a> Context<'a> {
    pub(super) fn name_type(&self, name: &Name, span: Span, scope: &Scope<'a>) -> Type<'a> {
        if let Some(local) = scope.local(name) {
            self.note(span, local.declared);
            return local.ty.clone();
        }
        let Some((module, symbol)) = self.lookup(scope.module, name) else {
            self.unknown_name(name, span, scope);
            return Type::Error;
        };
        self.note(span, Some(self.names.declared(module, name)));
        match symbol {
            Symbol::Param(param) => {
                param.ty.map_or(Type::String, |ty| self.resolve(module, ty, false))
            }
            Symbol::Let(_) => self.let_type(module, name),
            Symbol::Secret(secret) => {
                let inner = secret.ty.map_or(Type::String, |ty| self.resolve(module, ty, false));
                Type::Secret(Arc::new(inner))
            }
            Symbol::Service(_) => Type::Ref(RefKind::Service),
            Symbol::Strategy(_) => Type::Ref(RefKind::Strategy),
            Symbol::Environment(_) => Type::Ref(RefKind::Environment),
            Symbol::Fn(_) => {
                let diagnostic =
                    Diagnostic::new(codes::MISMATCH, span, format!("`{name}` is a function"));
                self.report(diagnostic.help(format!("call it: `{name}(…)`")));
                Type::Error
            }
            Symbol::Import(_) => {
                let diagnostic =
                    Diagnostic::new(codes::MISMATCH, span, format!("`{name}` is a module"));
                self.report(diagnostic.help(format!("name something in it: `{name}.…`")));
                Type::Error
            }
        }
    }

    fn unknown_name(&self, name: &str, span: Span, scope: &Scope<'a>) {
        // A word of the language as a name is a fault of the grammar, which has reported it.
        if self.is_broken(scope.module, name)
            || (self.program.faulty && crate::names::RESERVED.contains(&name))
        {
            return;
        }
        let mut diagnostic =
            Diagnostic::new(codes::UNKNOWN_NAME, span, format!("there is no `{name}`"));
        let modules = std::iter::once(&scope.module).chain(&self.program.prelude);
        let known =
            modules.flat_map(|module| self.names.module(*module).values.keys()).map(Name::as_str);
        let locals = scope.locals.iter().map(|local| local.name.as_str());
        if let Some(meant) = suggest::nearest(name, known.chain(locals)) {
            diagnostic = diagnostic.help(format!("did you mean `{meant}`?")).fix(span, meant);
        } else if self.names.module(scope.module).types.contains_key(name) {
            diagnostic =
                diagnostic.help(format!("`{name}` is a type; values of it are written `{{ … }}`"));
        } else if name == "null" || name == "nil" {
            diagnostic = diagnostic
                .help("there is no null: leave the field out, or write `none` where `T?` is taken")
                .fix(span, "none");
        }
        self.report(diagnostic);
    }

    pub(super) fn member(
        &self,
        base: &'a Expr,
        name: &Ident,
        span: Span,
        scope: &mut Scope<'a>,
    ) -> Type<'a> {
        if let ExprKind::Name(alias) = &base.kind
            && scope.local(alias).is_none()
        {
            let key = format!("{alias}.{}", name.name);
            if name.name == CURSOR
                && self
                    .names
                    .value(scope.module, alias)
                    .is_some_and(|symbol| matches!(symbol, Symbol::Import(_)))
            {
                self.offer_providers(scope.module, alias);
            }
            if let Some(provider) = self.names.module(scope.module).providers.get(key.as_str()) {
                self.note_alias(scope.module, base);
                self.note(name.span, Some(provider.kind.span));
                let one = Type::Ref(RefKind::Provider);
                return if provider.keyed.is_some() { Type::Map(Arc::new(one)) } else { one };
            }
            if let Some(Symbol::Import(module)) = self.names.value(scope.module, alias) {
                self.note_alias(scope.module, base);
                if name.name == CURSOR {
                    self.offer_module(*module, false);
                    return Type::Error;
                }
                if self.names.value(*module, &name.name).is_some() {
                    self.note(name.span, Some(self.names.declared(*module, &name.name)));
                }
                return self.imported_value(*module, alias, name, span);
            }
            if alias == "environment" && self.lookup(scope.module, alias).is_none() {
                return self.environment_ref(name);
            }
        }
        let ty = self.infer(base, scope);
        if name.name == CURSOR {
            self.offer_members(&ty);
            return Type::Error;
        }
        if ty.optional().is_some() {
            let diagnostic =
                Diagnostic::new(codes::MAY_BE_ABSENT, name.span, format!("`{ty}` may be absent"));
            self.report(diagnostic.help(format!(
                "write `?.{}` to get `none` then, or say what to use instead: `(… ?? …)`",
                name.name
            )));
            return Type::Error;
        }
        self.member_of(&ty, name).at(ty.phase())
    }

    /// `a?.b`.
    pub(super) fn optional_member(
        &self,
        base: &'a Expr,
        name: &Ident,
        scope: &mut Scope<'a>,
    ) -> Type<'a> {
        let ty = self.infer(base, scope);
        let phase = ty.phase();
        let inner = ty.optional().cloned().unwrap_or(ty);
        if name.name == CURSOR {
            self.offer_members(&inner);
            return Type::Error;
        }
        let member = self.member_of(&inner, name);
        let member = if member.optional().is_some() || matches!(member, Type::Error | Type::Any) {
            member
        } else {
            Type::Optional(Arc::new(member))
        };
        member.at(phase)
    }

    fn member_of(&self, ty: &Type<'a>, name: &Ident) -> Type<'a> {
        match ty.core() {
            Type::Record(record) => match record.fields.get(&name.name) {
                Some(field) => {
                    self.note(name.span, Some(field.span));
                    field.read()
                }
                None if record.open => Type::Any,
                None => {
                    self.report(crate::block::unknown(name, record, codes::NO_MEMBER));
                    Type::Error
                }
            },
            Type::Ref(RefKind::Service) => {
                let (service, outputs) =
                    (self.prelude_type("Service"), self.prelude_type("Outputs"));
                let field = [&service, &outputs]
                    .into_iter()
                    .find_map(|ty| ty.record()?.fields.get(&name.name));
                match (field, service.record()) {
                    (Some(field), _) => {
                        self.note(name.span, Some(field.span));
                        field.read()
                    }
                    (None, Some(service)) => {
                        self.report(crate::block::unknown(name, service, codes::NO_MEMBER));
                        Type::Error
                    }
                    (None, None) => Type::Error,
                }
            }
            Type::Map(element) => (**element).clone(),
            Type::Any => Type::Any,
            Type::Error => Type::Error,
            Type::Union(all) => self.member_of_all(ty, all, name),
            other => {
                let diagnostic = Diagnostic::new(
                    codes::NO_MEMBER,
                    name.span,
                    format!("`{other}` has no members"),
                );
                self.report(match other {
                    Type::List(_) => diagnostic.help(
                        "go through it: `[for item in …: item.field]`, or take one: `first(…)`",
                    ),
                    _ => diagnostic,
                });
                Type::Error
            }
        }
    }

    /// A member that every alternative has.
    fn member_of_all(&self, union: &Type<'a>, all: &[Type<'a>], name: &Ident) -> Type<'a> {
        let of = |one: &Type<'a>| match one.core() {
            Type::Record(record) => record.fields.get(&name.name).map(FieldType::read),
            Type::Map(element) => Some((**element).clone()),
            Type::Any | Type::Error => Some(Type::Error),
            _ => None,
        };
        let found: Vec<Type<'a>> = all.iter().filter_map(of).collect();
        if found.len() == all.len() {
            let types = found.into_iter();
            return if union.tagged().is_some_and(|(tag, _)| tag == name.name) {
                Type::Union(types.collect())
            } else {
                types.reduce(Type::join).unwrap_or(Type::Error)
            };
        }
        let some = if found.is_empty() { "no alternative" } else { "not every alternative" };
        let mut diagnostic = Diagnostic::new(
            codes::NO_MEMBER,
            name.span,
            format!("{some} of `{union}` has `{}`", name.name),
        );
        if let (false, Some((tag, _))) = (found.is_empty(), union.tagged()) {
            diagnostic =
                diagnostic.help(format!("ask first which one it is: `if ….{tag} == \"…\" then …`"));
        }
        self.report(diagnostic);
        Type::Error
    }

    fn environment_ref(&self, name: &Ident) -> Type<'a> {
        let root = self.program.root;
        match self.names.value(root, &name.name) {
            Some(Symbol::Environment(block)) => self.note(name.span, Some(block.name.span)),
            _ => {
                self.not_an("environment", &name.name, name.span);
                return Type::Error;
            }
        }
        Type::Ref(RefKind::Environment)
    }

    fn imported_value(&self, module: ModuleId, alias: &Name, name: &Ident, span: Span) -> Type<'a> {
        match self.names.value(module, &name.name) {
            Some(Symbol::Let(_)) => self.let_type(module, &name.name),
            Some(Symbol::Param(param)) => {
                param.ty.map_or(Type::String, |ty| self.resolve(module, ty, false))
            }
            Some(Symbol::Service(_)) => Type::Ref(RefKind::Service),
            Some(Symbol::Strategy(_)) => Type::Ref(RefKind::Strategy),
            Some(Symbol::Secret(secret)) => Type::Secret(Arc::new(
                secret.ty.map_or(Type::String, |ty| self.resolve(module, ty, false)),
            )),
            Some(Symbol::Fn(_)) => {
                let diagnostic = Diagnostic::new(
                    codes::MISMATCH,
                    span,
                    format!("`{alias}.{}` is a function", name.name),
                );
                self.report(diagnostic.help(format!("call it: `{alias}.{}(…)`", name.name)));
                Type::Error
            }
            _ if self.is_broken(module, &name.name) => Type::Error,
            _ => {
                let mut diagnostic = Diagnostic::new(
                    codes::UNKNOWN_NAME,
                    name.span,
                    format!("`{alias}` has no `{}`", name.name),
                );
                let target = self.names.module(module);
                let known = target.types.keys().chain(target.values.keys()).map(Name::as_str);
                if let Some(meant) = suggest::nearest(&name.name, known) {
                    diagnostic = diagnostic
                        .help(format!("did you mean `{alias}.{meant}`?"))
                        .fix(name.span, meant);
                }
                if self.names.module(module).types.contains_key(&name.name) {
                    let help =
                        format!("declare the provider: `provider {alias}.{} {{ }}`", name.name);
                    diagnostic = Diagnostic::new(
                        codes::UNKNOWN_NAME,
                        span,
                        format!("the provider `{alias}.{}` is not declared", name.name),
                    )
                    .help(help);
                }
                self.report(diagnostic);
                Type::Error
            }
        }
    }

    pub(super) fn index(&self, base: &'a Expr, index: &'a Expr, scope: &mut Scope<'a>) -> Type<'a> {
        let ty = self.infer(base, scope);
        if ty.optional().is_some() {
            let diagnostic =
                Diagnostic::new(codes::MAY_BE_ABSENT, base.span, format!("this is `{ty}`"));
            self.report(diagnostic.help("say what to use instead: `(… ?? …)[…]`"));
            return Type::Error;
        }
        let key = if matches!(ty.core(), Type::List(_)) { Type::Int } else { Type::String };
        if !matches!(
            ty.core(),
            Type::Error | Type::List(_) | Type::Map(_) | Type::Record(_) | Type::Any
        ) {
            let diagnostic = Diagnostic::new(
                codes::NOT_INDEXABLE,
                base.span,
                format!("`{ty}` is no list and no map"),
            );
            self.report(match ty.core() {
                Type::Set(_) => diagnostic.help("a set has no order: `to_list(…)` sorts it"),
                Type::String => diagnostic.help("take a part of it: `substring(…, from, to)`"),
                _ => diagnostic,
            });
            return Type::Error;
        }
        let have = self.infer(index, scope);
        if matches!(ty.core(), Type::Error | Type::Any) {
            return ty;
        }
        if !have.fits(&key) {
            self.mismatch(index, &have, &key, scope);
        }
        let phase = ty.phase().max(have.phase());
        let element = match ty.core() {
            Type::List(element) | Type::Map(element) => (**element).clone(),
            Type::Record(record) => match (&index.kind, record.fields.len()) {
                (ExprKind::Literal(dax_core::Value::Str(name)), _)
                    if record.fields.contains_key(name) =>
                {
                    record.fields[name].read()
                }
                (_, 0) => Type::Error,
                _ => record
                    .fields
                    .values()
                    .map(FieldType::read)
                    .reduce(Type::join)
                    .unwrap_or(Type::Error),
            },
            _ => Type::Error,
        };
        element.at(phase)
    }

    pub(super) fn call(
        &self,
        function: &'a Expr,
        args: &'a [(Option<Ident>, Expr)],
        span: Span,
        scope: &mut Scope<'a>,
    ) -> Type<'a> {
        let (module, name) = match &function.kind {
            ExprKind::Name(name) => (scope.module, name),
            ExprKind::Get(alias, name) => match &alias.kind {
                ExprKind::Name(alias) => match self.names.value(scope.module, alias) {
                    Some(Symbol::Import(module)) => (*module, &name.name),
                    _ => return self.not_callable(function, scope),
                },
                _ => return self.not_callable(function, scope),
            },
            _ => return self.not_callable(function, scope),
        };
        let local = matches!(&function.kind, ExprKind::Name(name) if scope.local(name).is_some());
        match self.lookup(module, name) {
            Some((module, Symbol::Fn(item))) if !local => {
                let item: &'a FnItem = item;
                if let ExprKind::Get(alias, _) = &function.kind {
                    self.note_alias(scope.module, alias);
                }
                self.note_last(function.span, name, item.name.span);
                self.call_fn(module, item, args, span, scope)
            }
            None if name == "plan" && scope.place == Place::Test => {
                self.plan_call(args, span, scope)
            }
            None if name == "plan" && !local => {
                let diagnostic = Diagnostic::new(
                    codes::NOT_CALLABLE,
                    function.span,
                    "plans are made in tests only",
                );
                self.report(diagnostic.help("write it inside of `test \"…\" { … }`"));
                Type::Error
            }
            None if !local => {
                self.unknown_name(name, function.span, scope);
                Type::Error
            }
            _ => {
                self.error(codes::NOT_CALLABLE, function.span, format!("`{name}` is no function"));
                Type::Error
            }
        }
    }

    fn not_callable(&self, function: &'a Expr, scope: &mut Scope<'a>) -> Type<'a> {
        let before = self.diagnostics.borrow().len();
        if let ExprKind::Get(base, name) = &function.kind {
            if matches!(&base.kind, ExprKind::Name(alias) if self.is_broken(scope.module, alias)) {
                return Type::Error;
            }
            self.infer(base, scope);
            if self.diagnostics.borrow().len() == before {
                let diagnostic =
                    Diagnostic::new(codes::NOT_CALLABLE, function.span, "values have no methods");
                let known = self.lookup(scope.module, &name.name).is_some();
                let text = if known {
                    format!("write `{}(…)`", name.name)
                } else {
                    "functions are called by their name: `length(items)`".to_owned()
                };
                self.report(diagnostic.help(text));
            }
        } else {
            self.error(codes::NOT_CALLABLE, function.span, "only a function's name can be called");
        }
        Type::Error
    }

    fn call_fn(
        &self,
        module: ModuleId,
        item: &'a FnItem,
        args: &'a [(Option<Ident>, Expr)],
        span: Span,
        scope: &mut Scope<'a>,
    ) -> Type<'a> {
        if let Some(before) = args.iter().position(|(named, arg)| named.is_none() && is_cursor(arg))
        {
            let taken: Vec<&Name> =
                item.params.iter().take(before).map(|(param, _)| &param.name).collect();
            let named = |name: &Name| {
                args.iter()
                    .any(|(given, _)| given.as_ref().is_some_and(|given| given.name == *name))
            };
            self.offer_parameters(module, item, &|name| taken.contains(&name) || named(name));
        }
        let mut given: Vec<Option<&'a Expr>> = vec![None; item.params.len()];
        for (position, (named, arg)) in args.iter().enumerate() {
            let at = match named {
                Some(named) => item.params.iter().position(|(param, _)| param.name == named.name),
                None => (position < item.params.len()).then_some(position),
            };
            match at {
                Some(at) if given[at].is_none() => {
                    if let Some(named) = named {
                        self.note(named.span, Some(item.params[at].0.span));
                    }
                    given[at] = Some(arg);
                }
                _ => {
                    let names: Vec<&str> =
                        item.params.iter().map(|(param, _)| param.name.as_str()).collect();
                    let diagnostic = Diagnostic::new(
                        codes::WRONG_ARGUMENTS,
                        arg.span,
                        format!("`{}` does not take this argument", item.name.name),
                    );
                    self.report(diagnostic.help(format!(
                        "it takes {}({})",
                        item.name.name,
                        names.join(", ")
                    )));
                }
            }
        }
        let mut vars = Vars::new();
        let mut phase = Phase::Static;
        for ((param, written), arg) in item.params.iter().zip(given) {
            let ty = self.resolve_with(module, written, &item.type_params, false);
            let Some(arg) = arg else {
                let diagnostic = Diagnostic::new(
                    codes::WRONG_ARGUMENTS,
                    span,
                    format!("the argument `{}: {ty}` is missing", param.name),
                );
                self.report(diagnostic.related(param.span, "it is declared here"));
                continue;
            };
            let blind = self.program.is_std(module) && crate::natives::is_blind(&item.name.name);
            phase = phase.max(self.check_arg(arg, &ty, &mut vars, (item, blind), scope));
        }
        self.resolve_with(module, &item.result, &item.type_params, false).with_vars(&vars).at(phase)
    }

    /// Checks an argument, finds what type parameters stand for, and says when the argument is known.
    fn check_arg(
        &self,
        arg: &'a Expr,
        ty: &Type<'a>,
        vars: &mut Vars<'a>,
        (item, blind): (&FnItem, bool),
        scope: &mut Scope<'a>,
    ) -> Phase {
        let open = ty.has_vars();
        let opaque = matches!(ty.core(), Type::Any) || open;
        let simple =
            matches!(arg.kind, ExprKind::Name(_) | ExprKind::Get(..) | ExprKind::SecretTemplate(_));
        let exported = simple
            && !blind
            && !ty.has_secret()
            && self.quietly(|| self.infer(arg, scope)).has_secret();
        if !opaque && !exported {
            return self.check_expr(arg, ty, scope);
        }
        let have = self.infer(arg, scope);
        if have.has_secret() && !blind {
            let detail = format!("`{}` would see the secret's value", item.name.name);
            let help = "functions work on values that may be shown; write `secret\"…\"` to make a text of secrets";
            self.report(Diagnostic::new(codes::SECRET_EXPORTED, arg.span, detail).help(help));
            return Phase::Static;
        }
        if open {
            infer_vars(ty, &have, vars);
        }
        let filled = ty.with_vars(vars);
        if !have.fits(&filled) {
            self.mismatch(arg, &have, &filled, scope);
        }
        have.deep_phase()
    }
}
