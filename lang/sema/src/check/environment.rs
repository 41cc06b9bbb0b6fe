//! Environments: `bind`, `set`, `rollout` and `after`.

use super::Scope;
use crate::codes;
use crate::context::Context;
use crate::names::{Block, Symbol};
use crate::program::ModuleId;
use crate::ty::{RefKind, Type};
use dax_core::{Diagnostic, Name, Span, suggest};
use dax_syntax::ast::{Arg, Command, Expr, ExprKind, Member};

/// A member of an environment, told apart by its word.
pub(crate) enum Clause<'a> {
    Bind { services: Vec<(&'a Name, Span)>, provider: &'a Expr, body: &'a [Member] },
    Set { service: &'a Name, span: Span, body: &'a [Member] },
    Rollout { services: Vec<(&'a Name, Span)>, strategy: &'a Expr },
    After { environment: &'a Name, span: Span, body: &'a [Member] },
}

const WORDS: &[(&str, &str)] = &[
    ("bind", "bind service to local.machine"),
    ("set", "set service { replicas = 2 }"),
    ("rollout", "rollout service with strategy"),
    ("after", "after environment { soak = 1h }"),
];

/// Reads one member; nothing when it has the wrong form.
pub(crate) fn clause(member: &Member) -> Option<Clause<'_>> {
    let Member::Command(command) = member else { return None };
    let body = command.body.as_deref().unwrap_or(&[]);
    match (command.word.name.as_str(), command.args.as_slice()) {
        ("bind", [Arg::Expr(services), Arg::Expr(to), Arg::Expr(provider)]) if is_word(to, "to") => {
            Some(Clause::Bind { services: service_names(services)?, provider, body })
        }
        ("set", [Arg::Expr(Expr { kind: ExprKind::Name(service), span })]) if command.body.is_some() => {
            Some(Clause::Set { service, span: *span, body })
        }
        ("rollout", [Arg::Expr(services), Arg::Expr(with), Arg::Expr(strategy)]) if is_word(with, "with") => {
            Some(Clause::Rollout { services: service_names(services)?, strategy })
        }
        ("after", [Arg::Expr(Expr { kind: ExprKind::Name(environment), span })]) => Some(Clause::After { environment, span: *span, body }),
        _ => None,
    }
}

fn is_word(expr: &Expr, word: &str) -> bool {
    matches!(&expr.kind, ExprKind::Name(name) if name == word)
}

/// `web` or `[web, api]`.
fn service_names(expr: &Expr) -> Option<Vec<(&Name, Span)>> {
    match &expr.kind {
        ExprKind::Name(name) => Some(vec![(name, expr.span)]),
        ExprKind::List(None, items) => items
            .iter()
            .map(|item| match &item.kind {
                ExprKind::Name(name) => Some((name, item.span)),
                _ => None,
            })
            .collect(),
        _ => None,
    }
}

impl<'a> Context<'a> {
    pub(super) fn check_environment(&self, module: ModuleId, block: &Block<'a>) {
        for member in block.body {
            match clause(member) {
                None => self.wrong_clause(member),
                Some(Clause::Bind { services, provider, body }) => {
                    self.check_service_names(&services, module);
                    self.check_expr(provider, &Type::Ref(RefKind::Provider), &mut Scope::of(module));
                    if let Some(Member::Field(dax_syntax::ast::Field { span, .. }) | Member::Command(Command { span, .. })) = body.first() {
                        let detail = "a binding to this provider takes no settings";
                        self.error(codes::UNKNOWN_FIELD, *span, detail);
                    }
                }
                Some(Clause::Set { service, span, body }) => {
                    self.check_service_names(&[(service, span)], module);
                    self.check_body(body, &self.prelude_type("Service"), module);
                }
                Some(Clause::Rollout { services, strategy }) => {
                    self.check_service_names(&services, module);
                    let built_in = matches!(&strategy.kind, ExprKind::Name(n) if super::items::STRATEGY_KINDS.contains(&n.as_str()) && self.names.value(module, n).is_none());
                    if !built_in {
                        self.reference(strategy, RefKind::Strategy, module);
                    }
                }
                Some(Clause::After { environment, span, body }) => self.check_after(module, environment, span, body, block),
            }
        }
    }

    fn check_after(&self, module: ModuleId, environment: &Name, span: Span, body: &'a [Member], block: &Block<'a>) {
        match self.names.value(module, environment) {
            Some(Symbol::Environment(_)) if *environment == block.name.name => {
                self.error(codes::CIRCULAR_DEFINITION, span, format!("`{environment}` cannot come after itself"));
            }
            Some(Symbol::Environment(_)) => {}
            _ => self.not_an("environment", environment, span, module),
        }
        for member in body {
            match member {
                Member::Field(field) if field.lead.is_none() && field.path.len() == 1 && field.path[0].name == "soak" => {
                    self.check_expr(&field.value, &Type::Unit(dax_core::Unit::Duration), &mut Scope::of(module));
                }
                Member::Field(dax_syntax::ast::Field { span, .. }) | Member::Command(Command { span, .. }) => {
                    let diagnostic = Diagnostic::new(codes::UNKNOWN_FIELD, *span, "`after` has only `soak`");
                    self.report(diagnostic.help("write `after environment { soak = 1h }`"));
                }
            }
        }
    }

    fn check_service_names(&self, services: &[(&'a Name, Span)], module: ModuleId) {
        for (name, span) in services {
            if !matches!(self.names.value(module, name), Some(Symbol::Service(_))) {
                self.not_an("service", name, *span, module);
            }
        }
    }

    fn not_an(&self, word: &str, name: &str, span: Span, module: ModuleId) {
        if self.is_broken(module, name) {
            return;
        }
        let of_kind = self.names.module(module).values.iter().filter(|(_, (symbol, _))| match symbol {
            Symbol::Service(_) => word == "service",
            Symbol::Environment(_) => word == "environment",
            _ => false,
        });
        let mut diagnostic = Diagnostic::new(codes::UNKNOWN_NAME, span, format!("there is no {word} `{name}`"));
        if let Some(meant) = suggest::nearest(name, of_kind.map(|(name, _)| name.as_str())) {
            diagnostic = diagnostic.help(format!("did you mean `{meant}`?")).fix(span, meant);
        }
        self.report(diagnostic);
    }

    fn wrong_clause(&self, member: &Member) {
        let (word, span) = match member {
            Member::Field(field) => {
                let name = field.lead.as_ref().or(field.path.first());
                (name.map_or("", |n| n.name.as_str()), name.map_or(field.span, |n| n.span))
            }
            Member::Command(command) => (command.word.name.as_str(), command.word.span),
        };
        let diagnostic = match WORDS.iter().find(|(known, _)| *known == word) {
            Some((_, form)) => {
                Diagnostic::new(codes::COMMAND_FORM, span, format!("`{word}` is not written like this")).help(format!("write `{form}`"))
            }
            None => {
                let known = WORDS.iter().map(|(known, _)| *known);
                let diagnostic = Diagnostic::new(codes::UNKNOWN_COMMAND, span, format!("an environment has no `{word}`"));
                match suggest::nearest(word, known.clone()) {
                    Some(meant) => diagnostic.help(format!("did you mean `{meant}`?")).fix(span, meant),
                    None => diagnostic.help(format!("it has {}", known.collect::<Vec<_>>().join(", "))),
                }
            }
        };
        self.report(diagnostic);
    }
}
