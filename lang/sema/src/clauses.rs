//! What the members of environments, policies and tests say.
//!
//! Their words are fixed, so they are told apart here, once, for both passes.

use crate::context::Context;
use crate::names::{is_word, name_arg};
use crate::program::ModuleId;
use dax_core::{Name, Span};
use dax_syntax::ast::{Arg, BinaryOp, Command, Expr, ExprKind, Field, Ident, Member, TypeExpr};

/// A service as a clause names it: its address name and the place.
pub(crate) type Named = (Name, Span);

/// A member of an environment, told apart by its word.
pub(crate) enum Clause<'a> {
    Bind {
        services: Vec<Named>,
        provider: &'a Expr,
        keyed: Option<Ident>,
        body: &'a [Member],
    },
    Set {
        service: Named,
        body: &'a [Member],
    },
    Rollout {
        services: Vec<Named>,
        strategy: &'a Expr,
    },
    After {
        environment: &'a Name,
        span: Span,
        body: &'a [Member],
    },
    Approve {
        count: &'a Expr,
        of: &'a Expr,
        span: Span,
    },
    Protect {
        services: Vec<Named>,
    },
    /// Services that are taken back together.
    Release {
        name: &'a Name,
        services: Vec<Named>,
    },
    /// Something that runs already and was not made by dax.
    Adopt {
        service: Named,
        from: Option<&'a Expr>,
    },
    /// Each of its environments is for one change request, by number.
    Preview(Span),
    /// What a field of the record `Environment` says: `on failure hold`, `window …`.
    Setting(&'a Member),
}

/// The words of an environment, each with an example.
pub const ENVIRONMENT_WORDS: &[(&str, &str)] = &[
    ("bind", "bind service to local.machine"),
    ("set", "set service { replicas = 2 }"),
    ("rollout", "rollout service with strategy"),
    ("after", "after environment { soak = 1h }"),
    ("approve", "approve 1 of [\"team:sre\"]"),
    ("protect", "protect service from destroy"),
    ("release", "release name of [service, other]"),
    ("adopt", "adopt service"),
    ("preview", "preview"),
    ("on", "on failure rollback_all"),
    ("window", "window [\"mon\", \"fri\"] from \"09:00\" to \"17:00\" zone \"Europe/Vienna\""),
];

impl<'a> Context<'a> {
    /// Reads one member of an environment; nothing when it has the wrong form.
    pub(crate) fn clause(&self, member: &'a Member) -> Option<Clause<'a>> {
        let Member::Command(command) = member else { return None };
        let body = command.body.as_deref().unwrap_or(&[]);
        match (command.word.name.as_str(), command.args.as_slice()) {
            ("bind", [Arg::Expr(services), to, Arg::Expr(provider), rest @ ..])
                if is_word(to, "to") =>
            {
                let keyed = match rest {
                    [] => None,
                    [word, key] if is_word(word, "keyed") => {
                        let (name, span) = name_arg(Some(key))?;
                        Some(Ident { name: name.clone(), span })
                    }
                    _ => return None,
                };
                Some(Clause::Bind {
                    services: self.services_named(services)?,
                    provider,
                    keyed,
                    body,
                })
            }
            ("set", [Arg::Expr(service)]) if command.body.is_some() => Some(Clause::Set {
                service: (self.service_named(self.program.root, service)?, service.span),
                body,
            }),
            ("rollout", [Arg::Expr(services), with, Arg::Expr(strategy)])
                if is_word(with, "with") =>
            {
                Some(Clause::Rollout { services: self.services_named(services)?, strategy })
            }
            ("after", [environment]) => {
                let (environment, span) = name_arg(Some(environment))?;
                Some(Clause::After { environment, span, body })
            }
            ("approve", [Arg::Expr(count), of, Arg::Expr(people)])
                if is_word(of, "of") && command.body.is_none() =>
            {
                Some(Clause::Approve { count, of: people, span: command.span })
            }
            ("release", [name, of, Arg::Expr(services)])
                if is_word(of, "of") && command.body.is_none() =>
            {
                let (name, _) = name_arg(Some(name))?;
                Some(Clause::Release { name, services: self.services_named(services)? })
            }
            ("adopt", [Arg::Expr(service), rest @ ..]) if command.body.is_none() => {
                let from = match rest {
                    [] => None,
                    [from, Arg::Expr(name)] if is_word(from, "from") => Some(name),
                    _ => return None,
                };
                Some(Clause::Adopt {
                    service: (self.addressed(service)?, unkeyed(service).span),
                    from,
                })
            }
            ("preview", []) if command.body.is_none() => Some(Clause::Preview(command.span)),
            ("on" | "window", [_, ..]) => Some(Clause::Setting(member)),
            ("protect", [Arg::Expr(services), from, destroy])
                if is_word(from, "from") && is_word(destroy, "destroy") =>
            {
                Some(Clause::Protect { services: self.services_named(services)? })
            }
            _ => None,
        }
    }

    /// A service or one instance of it: `web["eu"]`.
    fn addressed(&self, expr: &Expr) -> Option<Name> {
        match &expr.kind {
            ExprKind::Index(base, _) => {
                self.service_named(self.program.root, base)?;
                crate::names::address_text(expr)
            }
            _ => self.service_named(self.program.root, expr),
        }
    }

    /// `web`, `shop.web` or `[web, api]`.
    fn services_named(&self, expr: &Expr) -> Option<Vec<Named>> {
        let root: ModuleId = self.program.root;
        match &expr.kind {
            ExprKind::List(None, items) => items
                .iter()
                .map(|item| Some((self.service_named(root, item)?, item.span)))
                .collect(),
            _ => Some(vec![(self.service_named(root, expr)?, expr.span)]),
        }
    }
}

/// The name of a service without the key of an instance: `web` of `web["eu"]`.
pub(crate) fn unkeyed(expr: &Expr) -> &Expr {
    match &expr.kind {
        ExprKind::Index(base, _) => base,
        _ => expr,
    }
}

/// A rule of a policy: `deny s in services where s.replicas < 2 { message = "…" }`.
pub(crate) struct Rule<'a> {
    pub(crate) deny: bool,
    /// The name that stands for each element, and what is gone through.
    pub(crate) each: Option<(Ident, &'a Expr)>,
    pub(crate) condition: &'a Expr,
    pub(crate) message: &'a Expr,
    pub(crate) span: Span,
}

/// Reads one member of a policy; nothing when it has the wrong form.
pub(crate) fn rule(member: &Member) -> Option<Rule<'_>> {
    let Member::Command(command) = member else { return None };
    let deny = match command.word.name.as_str() {
        "deny" => true,
        "warn" => false,
        _ => return None,
    };
    let (each, condition) = match command.args.as_slice() {
        [
            Arg::Expr(Expr { kind: ExprKind::Binary(BinaryOp::In, name, source), .. }),
            word,
            Arg::Expr(condition),
        ] if is_word(word, "where") => {
            let ExprKind::Name(text) = &name.kind else { return None };
            (Some((Ident { name: text.clone(), span: name.span }, &**source)), condition)
        }
        [word, Arg::Expr(condition)] if is_word(word, "where") => (None, condition),
        _ => return None,
    };
    let [Member::Field(Field { path, value, lead: None, .. })] = command.body.as_deref()? else {
        return None;
    };
    let is_message = matches!(path.as_slice(), [one] if one.name == "message");
    is_message.then_some(Rule { deny, each, condition, message: value, span: command.word.span })
}

/// A member of a test.
pub(crate) enum TestClause<'a> {
    /// `let name = value`.
    Let(&'a Field),
    /// `given name: type`.
    Given(Ident, &'a TypeExpr),
    /// `assert condition`.
    Assert(&'a Expr),
    /// `expect DAX4001 from plan(…)`.
    Expect(Named, &'a Expr),
}

/// The words of a test, each with an example.
pub const TEST_WORDS: &[(&str, &str)] = &[
    ("assert", "assert plan(environment.dev).web.replicas >= 1"),
    ("given", "given count: int 1..9"),
    ("expect", "expect DAX3008 from plan(environment.dev, count: 0)"),
    ("let", "let p = plan(environment.dev)"),
];

/// Reads one member of a test; nothing when it has the wrong form.
pub(crate) fn test_clause(member: &Member) -> Option<TestClause<'_>> {
    match member {
        Member::Field(field) => {
            let is_let =
                field.lead.as_ref().is_some_and(|lead| lead.name == "let") && field.path.len() == 1;
            is_let.then_some(TestClause::Let(field))
        }
        Member::Command(Command { word, args, body: None, .. }) => {
            match (word.name.as_str(), args.as_slice()) {
                ("assert", [Arg::Expr(condition)]) => Some(TestClause::Assert(condition)),
                ("given", [name, Arg::Type(ty)]) => {
                    let (name, span) = name_arg(Some(name))?;
                    Some(TestClause::Given(Ident { name: name.clone(), span }, ty))
                }
                ("expect", [code, from, Arg::Expr(subject)]) if is_word(from, "from") => {
                    let (code, span) = name_arg(Some(code))?;
                    Some(TestClause::Expect((code.clone(), span), subject))
                }
                _ => None,
            }
        }
        Member::Command(_) => None,
    }
}
