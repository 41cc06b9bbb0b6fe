//! Environments: what their members say; and `patch`, `moved` and `removed`.

use super::Scope;
use super::policy::word_of;
use crate::clauses::{Clause, ENVIRONMENT_WORDS, Named, unkeyed};
use crate::codes;
use crate::context::Context;
use crate::names::{Block, Patch, Symbol, address_text};
use crate::program::ModuleId;
use crate::ty::{Phase, RefKind, Type};
use dax_core::{Diagnostic, Name, Span, Value, suggest};
use dax_model::StrategyKind;
use dax_syntax::ast::{Arg, Command, Expr, ExprKind, Field, Ident, Member};
use std::sync::Arc;

/// Names that a message lists at most.
const MOST_NAMED: usize = 8;

impl<'a> Context<'a> {
    pub(super) fn check_environment(&self, module: ModuleId, block: &Block<'a>) {
        if let Some(base) = &block.extends {
            self.check_extends(module, block, base);
        }
        let key = block.keyed.as_ref().map(|key| self.declares(key, Type::String));
        if let Some(key) = &block.keyed
            && self.names.value(module, &key.name).is_some()
        {
            let detail = format!(
                "`{}` is declared already, and would mean two things in this environment",
                key.name
            );
            self.report(
                Diagnostic::new(codes::DUPLICATE, key.span, detail)
                    .related(self.names.declared(module, &key.name), "here"),
            );
        }
        let scope = || {
            let mut scope = Scope::of(module);
            scope.locals.extend(key.clone());
            scope
        };
        for member in block.body {
            match self.clause(member) {
                None => self.wrong_clause(member),
                Some(Clause::Bind { services, provider, keyed, body }) => {
                    self.check_service_names(&services);
                    self.check_places(module, &services, provider);
                    self.check_bind(scope(), provider, keyed.as_ref(), body);
                }
                Some(Clause::Set { service, body }) => {
                    self.check_service_names(std::slice::from_ref(&service));
                    self.check_body_in(body, &self.service_type(&service.0), &mut scope());
                }
                Some(Clause::Rollout { services, strategy }) => {
                    self.check_service_names(&services);
                    let built_in = matches!(&strategy.kind, ExprKind::Name(n) if StrategyKind::parse(n).is_some() && self.names.value(module, n).is_none());
                    if !built_in {
                        self.check_expr(
                            strategy,
                            &Type::Ref(RefKind::Strategy),
                            &mut Scope::of(module),
                        );
                    }
                }
                Some(Clause::After { environment, span, body }) => {
                    self.check_after(module, environment, span, body, block)
                }
                Some(Clause::Approve { count, of, .. }) => {
                    let at_least_one =
                        Type::Range(Arc::new(Type::Int), Value::Int(1), Value::Int(100));
                    let fixed = |ty| Type::Phase(Phase::Static, Arc::new(ty));
                    self.check_expr(count, &fixed(at_least_one), &mut scope());
                    self.check_expr(of, &fixed(Type::List(Arc::new(Type::String))), &mut scope());
                }
                Some(Clause::Protect { services }) => self.check_service_names(&services),
                Some(Clause::Release { services, .. }) => self.check_service_names(&services),
                Some(Clause::Adopt { service: (name, span), from }) => {
                    let base = name.split_once('[').map_or(name.as_str(), |(base, _)| base);
                    self.check_service_names(&[(base.into(), span)]);
                    if let Some(from) = from {
                        self.check_expr(
                            from,
                            &Type::Phase(Phase::Static, Arc::new(Type::String)),
                            &mut scope(),
                        );
                    }
                }
                Some(Clause::Preview(span)) => self.check_preview(block, span),
                Some(Clause::Setting(member)) => {
                    self.check_body_in(
                        std::slice::from_ref(member),
                        &self.prelude_type("Environment"),
                        &mut scope(),
                    );
                }
            }
        }
    }

    /// A preview has the number of its change request as its key.
    fn check_preview(&self, block: &Block<'a>, span: Span) {
        if block.keyed.is_some() {
            return;
        }
        let detail = format!(
            "`{}` is one environment, and a preview is one for each change request",
            block.name.name
        );
        let help = format!(
            "write `environment {} keyed pr {{ … }}`; the key is the number of the change request",
            block.name.name
        );
        let diagnostic = Diagnostic::new(codes::COMMAND_FORM, span, detail).help(help);
        self.report(diagnostic.related(block.name.span, "it is declared here"));
    }

    /// Whether an environment says itself that it is one for change requests; `extends` hands that
    /// on to nothing.
    pub(crate) fn is_preview(&self, block: &Block<'a>) -> bool {
        let says = |member| matches!(self.clause(member), Some(Clause::Preview(_)));
        block.keyed.is_some() && block.body.iter().any(says)
    }

    fn check_extends(&self, module: ModuleId, block: &Block<'a>, base: &Ident) {
        self.note(base.span, Some(self.names.declared(module, &base.name)));
        if !matches!(self.names.value(module, &base.name), Some(Symbol::Environment(_))) {
            return self.not_an("environment", &base.name, base.span);
        }
        let mut chain = vec![block.name.name.clone()];
        let mut next = Some(base.name.clone());
        while let Some(name) = next {
            if let Some(at) = chain.iter().position(|known| *known == name) {
                // Said once, where the circle begins.
                if at == 0 && chain.iter().all(|other| block.name.name <= *other) {
                    let detail = format!("{} → {name}", chain.join(" → "));
                    let diagnostic = Diagnostic::new(codes::CIRCULAR_DEFINITION, base.span, detail);
                    self.report(
                        diagnostic.help("environments build upon each other in one direction"),
                    );
                }
                return;
            }
            next = match self.names.value(module, &name) {
                Some(Symbol::Environment(of)) => of.extends.as_ref().map(|base| base.name.clone()),
                _ => None,
            };
            chain.push(name);
        }
    }

    fn check_bind(
        &self,
        mut scope: Scope<'a>,
        provider: &'a Expr,
        keyed: Option<&Ident>,
        body: &'a [Member],
    ) {
        let module = scope.module;
        let reference = Type::Ref(RefKind::Provider);
        let item = self.provider_named(module, provider);
        if let (Some(item), ExprKind::Get(alias, kind)) = (item, &provider.kind) {
            self.note_alias(module, alias);
            self.note(kind.span, Some(item.kind.span));
        }
        match (keyed, item.map(|item| item.keyed.is_some())) {
            (Some(key), Some(true)) => scope.locals.push(self.declares(key, Type::String)),
            (Some(key), Some(false)) => {
                let diagnostic =
                    Diagnostic::new(codes::COMMAND_FORM, key.span, "the provider has no keys");
                self.report(
                    diagnostic
                        .help("declare it with `keyed name in [\"…\"]`, or leave `keyed` out"),
                );
            }
            (None, Some(true)) if !matches!(provider.kind, ExprKind::Index(..)) => {
                let diagnostic = Diagnostic::new(
                    codes::COMMAND_FORM,
                    provider.span,
                    "the provider has an instance for each key",
                );
                return self.report(
                    diagnostic
                        .help("choose one with `[\"key\"]`, or bind to all with `keyed name`"),
                );
            }
            (None, _) => {
                self.check_expr(provider, &reference, &mut Scope::of(module));
            }
            (Some(_), None) => {
                self.check_expr(provider, &Type::Map(Arc::new(reference)), &mut Scope::of(module));
            }
        }
        if let Some(item) = item {
            let ty = self.binding_type(module, item);
            if ty.record().is_some_and(|record| record.fields.is_empty())
                && let Some(
                    Member::Field(Field { span, .. }) | Member::Command(Command { span, .. }),
                ) = body.first()
            {
                return self.error(
                    codes::UNKNOWN_FIELD,
                    *span,
                    "a binding to this provider takes no settings",
                );
            }
            self.check_body_in(body, &ty, &mut scope);
        }
    }

    pub(super) fn check_patch(&self, module: ModuleId, patch: &Patch<'a>) {
        let Some(name) = self.service_named(module, patch.target) else {
            let diagnostic =
                Diagnostic::new(codes::COMMAND_FORM, patch.target.span, "this names no service");
            return self.report(diagnostic.help("write `patch module.service { … }`"));
        };
        match self.service(&name) {
            Some((owner, _)) if owner == module => {
                let diagnostic = Diagnostic::new(
                    codes::COMMAND_FORM,
                    patch.target.span,
                    format!("`{name}` is declared here"),
                );
                self.report(diagnostic.help(
                    "change the service itself; `patch` is for services of imported modules",
                ));
            }
            Some((_, block)) => self.note_last(patch.target.span, &name, block.name.span),
            None => self.not_an("service", &name, patch.target.span),
        }
        self.check_body(patch.body, &self.service_type(&name), module);
    }

    /// An object of one system has no place in another.
    fn check_places(&self, module: ModuleId, services: &[(Name, Span)], provider: &Expr) {
        let Some(item) = self.provider_named(module, provider) else { return };
        let to = self.names.value(module, &item.alias.name);
        for (name, span) in services {
            let Some((owner, block)) = self.service(name) else { continue };
            let Some((alias, kind)) = &block.resource else { continue };
            let same = match (self.names.value(owner, &alias.name), to) {
                (Some(Symbol::Import(one)), Some(Symbol::Import(other))) => one == other,
                _ => true,
            };
            if !same {
                let detail = format!(
                    "`{name}` is a `{}.{}`, and `{}` is no provider of `{}`",
                    alias.name, kind.name, item.alias.name, alias.name
                );
                let help = format!("bind it to a provider such as `{}.cluster`", alias.name);
                self.report(Diagnostic::new(codes::COMMAND_FORM, *span, detail).help(help));
            }
        }
    }

    /// The services that an environment binds, with those of what it builds upon, each with its place.
    pub(crate) fn bound_services(&self, environment: &Name) -> Vec<Named> {
        let mut all: Vec<Named> = Vec::new();
        for block in self.environment_chain(environment) {
            for member in block.body {
                if let Some(Clause::Bind { services, .. }) = self.clause(member) {
                    all.extend(services);
                }
            }
        }
        all
    }

    /// Whether an environment, or what it builds upon, binds a service; names of others are not put together for it.
    pub(crate) fn binds(&self, environment: &Block<'a>, service: &str) -> bool {
        let last = service.rsplit('.').next().unwrap_or(service);
        let is = |expr: &Expr| {
            let named = match &expr.kind {
                ExprKind::Name(name) => name == last,
                ExprKind::Get(_, name) => name.name == last,
                _ => false,
            };
            named && self.service_named(self.program.root, expr).is_some_and(|name| name == service)
        };
        let chain = self.environment_chain(&environment.name.name);
        chain.iter().flat_map(|block| block.body).any(|member| match member {
            Member::Command(command) if command.word.name == "bind" => match command.args.first() {
                Some(Arg::Expr(Expr { kind: ExprKind::List(None, items), .. })) => {
                    items.iter().any(is)
                }
                Some(Arg::Expr(one)) => is(one),
                _ => false,
            },
            _ => false,
        })
    }

    /// An environment and what it builds upon, the last first.
    pub(crate) fn environment_chain(&self, environment: &Name) -> Vec<&Block<'a>> {
        let mut chain: Vec<&Block<'a>> = Vec::new();
        let mut next = Some(environment.clone());
        while let Some(name) = next {
            let Some(Symbol::Environment(block)) = self.names.value(self.program.root, &name)
            else {
                break;
            };
            if chain.iter().any(|known| known.name.name == name) {
                break;
            }
            chain.push(block);
            next = block.extends.as_ref().map(|base| base.name.clone());
        }
        chain.reverse();
        chain
    }

    fn check_after(
        &self,
        module: ModuleId,
        environment: &Name,
        span: Span,
        body: &'a [Member],
        block: &Block<'a>,
    ) {
        match self.names.value(module, environment) {
            Some(Symbol::Environment(_)) if *environment == block.name.name => {
                self.error(
                    codes::CIRCULAR_DEFINITION,
                    span,
                    format!("`{environment}` cannot come after itself"),
                );
            }
            Some(Symbol::Environment(of)) if of.keyed.is_some() => {
                let detail = format!(
                    "`{environment}` is one environment for each key, and none of them comes first"
                );
                let diagnostic = Diagnostic::new(codes::COMMAND_FORM, span, detail)
                    .related(of.name.span, "it is declared here");
                self.report(diagnostic.help("name an environment of which there is one"));
            }
            Some(Symbol::Environment(block)) => self.note(span, Some(block.name.span)),
            _ => self.not_an("environment", environment, span),
        }
        self.check_body(body, &self.prelude_type("After"), module);
    }

    /// `moved` and `removed` speak of what the program had, in terms of what it has.
    pub(super) fn check_history(&self, module: ModuleId) {
        let names = self.names.module(module);
        let own = module == self.program.root;
        let said = names
            .moved
            .iter()
            .map(|item| item.span)
            .chain(names.removed.iter().map(|item| item.span));
        if !own && let Some(span) = said.min_by_key(|span| span.start) {
            let diagnostic = Diagnostic::new(
                codes::COMMAND_FORM,
                span,
                "only the project itself knows what it had before",
            );
            return self.report(diagnostic.help("write it beside the environments"));
        }
        let still_here = |expr: &Expr| {
            let text = address_text(expr)?;
            let base = text.split_once('[').map_or(text.as_str(), |(base, _)| base);
            (!text.contains('[') && self.service(base).is_some()).then(|| text.clone())
        };
        let form = |span: Span| {
            self.report(Diagnostic::new(codes::COMMAND_FORM, span, "this names no service"))
        };
        for item in &names.moved {
            match (address_text(item.from), address_text(item.to)) {
                (Some(from), Some(to)) => {
                    let base = to.split_once('[').map_or(to.as_str(), |(base, _)| base);
                    let service = self.service(base);
                    if let Some((_, block)) = service {
                        self.note_last(unkeyed(item.to).span, base, block.name.span);
                    }
                    if service.is_none() {
                        self.not_an("service", base, item.to.span);
                    } else if let Some(name) = still_here(item.from) {
                        let diagnostic = Diagnostic::new(
                            codes::COMMAND_FORM,
                            item.from.span,
                            format!("`{name}` is still declared"),
                        );
                        self.report(diagnostic.help(
                            "a service that moved away is no longer there under its old name",
                        ));
                    } else if from == to {
                        self.report(Diagnostic::new(
                            codes::COMMAND_FORM,
                            item.to.span,
                            "it has this name already",
                        ));
                    }
                }
                (None, _) => form(item.from.span),
                (_, None) => form(item.to.span),
            }
        }
        for item in &names.removed {
            match (address_text(item.target), still_here(item.target)) {
                (None, _) => form(item.target.span),
                (_, Some(name)) => {
                    let diagnostic = Diagnostic::new(
                        codes::COMMAND_FORM,
                        item.target.span,
                        format!("`{name}` is still declared"),
                    );
                    self.report(diagnostic.help("take the service away, or this line"));
                }
                _ => {}
            }
        }
    }

    fn check_service_names(&self, services: &[Named]) {
        for (name, span) in services {
            match self.service(name) {
                Some((_, block)) => self.note_last(*span, name, block.name.span),
                None => self.not_an("service", name, *span),
            }
        }
    }

    pub(super) fn not_an(&self, word: &str, name: &str, span: Span) {
        if self.offer_named(word, name) {
            return;
        }
        let root = self.program.root;
        if name.split('.').any(|part| self.is_broken(root, part)) {
            return;
        }
        let of_kind =
            self.names.module(root).values.iter().filter(|(_, (symbol, _))| match symbol {
                Symbol::Service(_) => word == "service",
                Symbol::Environment(_) => word == "environment",
                _ => false,
            });
        let known: Vec<&str> = of_kind.map(|(name, _)| name.as_str()).collect();
        let mut diagnostic =
            Diagnostic::new(codes::UNKNOWN_NAME, span, format!("there is no {word} `{name}`"));
        if let Some(meant) = suggest::nearest(name, known.iter().copied()) {
            diagnostic = diagnostic.help(format!("did you mean `{meant}`?")).fix(span, meant);
        } else if !known.is_empty() {
            let more = if known.len() > MOST_NAMED { ", …" } else { "" };
            diagnostic = diagnostic.help(format!(
                "the project has {}{more}",
                known[..known.len().min(MOST_NAMED)].join(", ")
            ));
        }
        self.report(diagnostic);
    }

    fn wrong_clause(&self, member: &Member) {
        let (word, span) = word_of(member);
        let diagnostic = match ENVIRONMENT_WORDS.iter().find(|(known, _)| *known == word) {
            Some((_, form)) => Diagnostic::new(
                codes::COMMAND_FORM,
                span,
                format!("`{word}` is not written like this"),
            )
            .help(format!("write `{form}`")),
            None => {
                let known = ENVIRONMENT_WORDS.iter().map(|(known, _)| *known);
                let diagnostic = Diagnostic::new(
                    codes::UNKNOWN_COMMAND,
                    span,
                    format!("an environment has no `{word}`"),
                );
                match suggest::nearest(word, known.clone()) {
                    Some(meant) => {
                        diagnostic.help(format!("did you mean `{meant}`?")).fix(span, meant)
                    }
                    None => {
                        diagnostic.help(format!("it has {}", known.collect::<Vec<_>>().join(", ")))
                    }
                }
            }
        };
        self.report(diagnostic);
    }
}
