//! What providers, strategies and sources of secrets are made of: types of imported modules.

use crate::codes;
use crate::context::Context;
use crate::names::{Block, ProviderItem, Secret, Symbol};
use crate::offers::{CURSOR, is_cursor};
use crate::program::ModuleId;
use crate::ty::{FieldType, Record, Type};
use dax_core::{Diagnostic, Name, Value, suggest};
use dax_model::StrategyKind;
use dax_syntax::ast::{Expr, ExprKind, Ident, TypeExpr, TypeKind};
use std::sync::Arc;

impl<'a> Context<'a> {
    /// The record type that a strategy of this kind fills.
    pub(crate) fn strategy_type(&self, written: &TypeExpr) -> Type<'a> {
        let module =
            self.program.prelude.iter().find(|m| self.program.modules[m.0].path == "std/strategy");
        let (Some(module), TypeKind::Name { path, .. }) = (module, &written.kind) else {
            return Type::Error;
        };
        let name = path.last().map_or("", |part| part.name.as_str());
        if name == CURSOR {
            self.offer_strategy_kinds();
            return Type::Error;
        }
        if StrategyKind::parse(name).is_some() {
            if let Some(item) = self.names.module(*module).types.get(name) {
                self.note(written.span, Some(item.name.span));
            }
            return self.named_type(*module, name).unwrap_or(Type::Error);
        }
        let mut diagnostic = Diagnostic::new(
            codes::UNKNOWN_TYPE,
            written.span,
            format!("`{name}` is no kind of strategy"),
        )
        .help(format!("strategies are {}", StrategyKind::ALL.map(StrategyKind::word).join(", ")));
        if let Some(meant) = suggest::nearest(name, StrategyKind::ALL.map(StrategyKind::word)) {
            diagnostic =
                diagnostic.help(format!("did you mean `{meant}`?")).fix(written.span, meant);
        }
        self.report(diagnostic);
        Type::Error
    }

    /// The record type of a provider's configuration.
    pub(crate) fn provider_type(
        &self,
        module: ModuleId,
        provider: &ProviderItem<'a>,
        report: bool,
    ) -> Type<'a> {
        let alias = &provider.alias;
        if alias.name == CURSOR {
            self.offer_platforms(module, None);
            return Type::Error;
        }
        let Some(Symbol::Import(target)) = self.names.value(module, &alias.name) else {
            if report && !self.is_broken(module, &alias.name) {
                let detail = format!("`{}` is not imported", alias.name);
                let help = format!("add `import {0} from \"std/{0}\"`", alias.name);
                self.report(Diagnostic::new(codes::NOT_IMPORTED, alias.span, detail).help(help));
            }
            return Type::Error;
        };
        self.note(alias.span, Some(self.names.declared(module, &alias.name)));
        if provider.kind.name == CURSOR {
            self.offer_platforms(module, Some(*target));
            return Type::Error;
        }
        match self.named_type(*target, &provider.kind.name) {
            Some(ty) if ty.record().is_some() => return ty,
            Some(Type::Error) => return Type::Error,
            _ => {}
        }
        if report {
            let detail = format!("`{}` has no provider `{}`", alias.name, provider.kind.name);
            let known = self.names.module(*target).types.keys().map(Name::as_str);
            let mut diagnostic = Diagnostic::new(codes::UNKNOWN_TYPE, provider.kind.span, detail);
            if let Some(meant) = suggest::nearest(&provider.kind.name, known) {
                diagnostic = diagnostic
                    .help(format!("did you mean `{meant}`?"))
                    .fix(provider.kind.span, meant);
            }
            self.report(diagnostic);
        }
        Type::Error
    }

    /// The record type that a service or a resource fills.
    pub(crate) fn block_type(&self, module: ModuleId, block: &Block<'a>, report: bool) -> Type<'a> {
        let Some((alias, kind)) = &block.resource else { return self.prelude_type("Service") };
        let unknown = |code, detail: String, span, help: String| {
            if report && !self.is_broken(module, &alias.name) {
                self.report(Diagnostic::new(code, span, detail).help(help));
            }
            Type::Error
        };
        let Some(Symbol::Import(target)) = self.names.value(module, &alias.name) else {
            let help = format!("add `import {0} from \"std/{0}\"`", alias.name);
            return unknown(
                codes::NOT_IMPORTED,
                format!("`{}` is not imported", alias.name),
                alias.span,
                help,
            );
        };
        if report {
            self.note(alias.span, Some(self.names.declared(module, &alias.name)));
            self.note(
                kind.span,
                self.names.module(*target).types.get(&kind.name).map(|item| item.name.span),
            );
        }
        // What a module calls so in small letters is a kind of object.
        let general = self.named_type(*target, &kind.name).filter(|ty| ty.record().is_some());
        match (general, block.ty) {
            (None, _) => unknown(
                codes::UNKNOWN_TYPE,
                format!("`{}` has no resource `{}`", alias.name, kind.name),
                kind.span,
                "`kubernetes.object` is one".to_owned(),
            ),
            (Some(general), None) => general,
            (Some(_), Some(written)) => {
                let ty = self.resolve(module, written, report);
                if ty.record().is_none() && !matches!(ty, Type::Error) {
                    return unknown(
                        codes::UNKNOWN_TYPE,
                        "an object is a record".to_owned(),
                        written.span,
                        "name the type that was made of its schema".to_owned(),
                    );
                }
                ty
            }
        }
    }

    /// The record type of a service or a resource by its address name.
    pub(crate) fn service_type(&self, address: &str) -> Type<'a> {
        match self.service(address) {
            Some((module, block)) => self.block_type(module, block, false),
            None => self.prelude_type("Service"),
        }
    }

    /// What a binding to a provider may say: the type `binding` of its module.
    pub(crate) fn binding_type(&self, module: ModuleId, provider: &ProviderItem<'a>) -> Type<'a> {
        let nothing = || {
            Type::Record(Arc::new(Record {
                name: None,
                fields: Default::default(),
                open: false,
                module,
            }))
        };
        match self.names.value(module, &provider.alias.name) {
            Some(Symbol::Import(target)) => {
                self.named_type(*target, "binding").unwrap_or_else(nothing)
            }
            _ => Type::Error,
        }
    }

    /// Whether a provider's configuration is set on each service that runs there: its module has the type `settings`.
    pub(crate) fn sets_services(&self, module: ModuleId, provider: &ProviderItem<'a>) -> bool {
        match self.names.value(module, &provider.alias.name) {
            Some(Symbol::Import(target)) => self.named_type(*target, "settings").is_some(),
            _ => false,
        }
    }

    /// The provider that an expression names: `kubernetes.cluster`, with or without a key in brackets.
    pub(crate) fn provider_named<'c>(
        &'c self,
        module: ModuleId,
        expr: &Expr,
    ) -> Option<&'c ProviderItem<'a>> {
        let target = match &expr.kind {
            ExprKind::Index(base, _) => base,
            _ => expr,
        };
        let ExprKind::Get(alias, kind) = &target.kind else { return None };
        let ExprKind::Name(alias) = &alias.kind else { return None };
        self.names.module(module).providers.get(format!("{alias}.{}", kind.name).as_str())
    }

    pub(crate) fn check_secret(&self, module: ModuleId, secret: &Secret<'a>) {
        if let Some(ty) = secret.ty {
            self.resolve(module, ty, true);
        }
        if is_cursor(secret.source) {
            return self.offer_sources(module);
        }
        if self.secret_source(module, secret, true).is_none()
            && !self.secret_reported(module, secret)
        {
            let help = "write `from env(\"VARIABLE\")`, `from file(\"path\")` or `from vault.kv(\"path\", key: \"field\")`";
            let detail = format!("`{}` has a source that is not known", secret.name.name);
            self.report(
                Diagnostic::new(codes::MALFORMED_ITEM, secret.source.span, detail).help(help),
            );
        }
    }

    fn secret_reported(&self, module: ModuleId, secret: &Secret<'a>) -> bool {
        let at = secret.source.span;
        let inside = |d: &Diagnostic| {
            d.span.file == at.file && at.start <= d.span.start && d.span.end <= at.end
        };
        let alias = match &secret.source.kind {
            ExprKind::Call(function, _) => match &function.kind {
                ExprKind::Get(alias, _) => match &alias.kind {
                    ExprKind::Name(alias) => Some(alias),
                    _ => None,
                },
                _ => None,
            },
            _ => None,
        };
        self.diagnostics.borrow().iter().any(inside)
            || alias.is_some_and(|alias| self.is_broken(module, alias))
    }

    /// Where a secret comes from: the source and the key in it.
    pub(crate) fn secret_source(
        &self,
        module: ModuleId,
        secret: &Secret<'a>,
        report: bool,
    ) -> Option<(Name, Name)> {
        let ExprKind::Call(function, args) = &secret.source.kind else { return None };
        match (&function.kind, args.as_slice()) {
            (
                ExprKind::Name(name),
                [(None, Expr { kind: ExprKind::Literal(Value::Str(key)), .. })],
            ) if (name == "env" || name == "file") && !key.is_empty() => {
                Some((name.clone(), key.clone()))
            }
            (ExprKind::Get(alias, kind), args) => {
                let ExprKind::Name(alias_name) = &alias.kind else { return None };
                let Some(Symbol::Import(target)) = self.names.value(module, alias_name) else {
                    if report && !self.is_broken(module, alias_name) {
                        let diagnostic = Diagnostic::new(
                            codes::NOT_IMPORTED,
                            alias.span,
                            format!("`{alias_name}` is not imported"),
                        );
                        self.report(
                            diagnostic.help(format!(
                                "add `import {alias_name} from \"std/{alias_name}\"`"
                            )),
                        );
                    }
                    return None;
                };
                let sources = self.named_type(*target, "secrets")?;
                if !Type::Literal(kind.name.clone()).fits(&sources) {
                    return None;
                }
                let record = self.named_type(*target, &kind.name)?.record().cloned()?;
                let key = self.source_key(args, &record, secret, report)?;
                Some((Name::new(format!("{alias_name}.{}", kind.name)), key))
            }
            _ => None,
        }
    }

    /// The constant arguments of a source, in the order of its fields, joined by `#`.
    fn source_key(
        &self,
        args: &'a [(Option<Ident>, Expr)],
        record: &Record<'a>,
        secret: &Secret<'a>,
        report: bool,
    ) -> Option<Name> {
        let wrong = |span, detail: String| {
            if report {
                self.error(codes::WRONG_ARGUMENTS, span, detail);
            }
            None::<Name>
        };
        let mut given: Vec<Option<Name>> = vec![None; record.fields.len()];
        for (position, (named, arg)) in args.iter().enumerate() {
            let at = match named {
                Some(named) => record.fields.get_index_of(&named.name),
                None => (position < record.fields.len()).then_some(position),
            };
            let Some(at) = at else {
                return wrong(arg.span, "the source does not take this argument".to_owned());
            };
            let ExprKind::Literal(Value::Str(text)) = &arg.kind else {
                return wrong(
                    arg.span,
                    "where a secret lies is written out, not computed".to_owned(),
                );
            };
            given[at] = Some(text.clone());
        }
        let default = |field: &FieldType<'a>| match field.default.map(|default| &default.kind) {
            Some(ExprKind::Literal(Value::Str(text))) => Some(text.clone()),
            _ => None,
        };
        let mut parts = Vec::new();
        for ((name, field), given) in record.fields.iter().zip(given) {
            match given.or_else(|| default(field)) {
                Some(text) => parts.push(text),
                None => {
                    return wrong(secret.source.span, format!("the argument `{name}` is missing"));
                }
            }
        }
        Some(Name::new(parts.join("#")))
    }
}
