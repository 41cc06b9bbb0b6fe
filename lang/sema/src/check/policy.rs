//! Policies and tests.

use super::{Local, Place, Scope};
use crate::clauses::{self, TEST_WORDS, TestClause};
use crate::codes;
use crate::context::Context;
use crate::names::{PolicyItem, TestItem};
use crate::offers::CURSOR;
use crate::program::ModuleId;
use crate::ty::{RefKind, Type};
use dax_core::{Diagnostic, suggest};
use dax_syntax::ast::{Expr, ExprKind, Member};
use std::sync::Arc;

/// When policies are asked.
pub(crate) const PHASES: [&str; 3] = ["check", "plan", "apply"];

/// The names that a policy sees, by the phase in which it is asked.
pub(crate) fn policy_names<'a>(context: &Context<'a>, phase: &str) -> Vec<Local<'a>> {
    let list = |ty: Type<'a>| Type::List(Arc::new(ty));
    let mut names = vec![
        Local::given("services", list(context.service_view())),
        Local::given("environment", Type::String),
    ];
    if phase != "check" {
        names.push(Local::given("changes", list(context.prelude_type("Change"))));
        names.push(Local::given("steps", list(context.prelude_type("StepView"))));
        names.push(Local::given("now", context.prelude_type("Instant")));
    }
    names
}

impl<'a> Context<'a> {
    pub(super) fn check_policy(&self, module: ModuleId, policy: &PolicyItem<'a>) {
        let phase = &policy.on.name;
        if phase == CURSOR {
            return self.offer_words(&PHASES);
        }
        if !PHASES.contains(&phase.as_str()) {
            let mut diagnostic = Diagnostic::new(
                codes::MALFORMED_ITEM,
                policy.on.span,
                format!("no policy is asked on `{phase}`"),
            );
            diagnostic = match suggest::nearest(phase, PHASES) {
                Some(meant) => {
                    diagnostic.help(format!("did you mean `{meant}`?")).fix(policy.on.span, meant)
                }
                None => diagnostic.help("policies are asked on `check`, `plan` or `apply`"),
            };
            self.report(diagnostic);
        }
        for environment in environments(policy.of) {
            self.check_expr(environment, &Type::Ref(RefKind::Environment), &mut Scope::of(module));
        }
        for member in policy.body {
            let Some(rule) = clauses::rule(member) else {
                self.wrong_rule(member);
                continue;
            };
            let mut scope = Scope::of(module);
            scope.locals = policy_names(self, phase);
            if let Some((name, source)) = &rule.each {
                let ty = self.infer(source, &mut scope);
                let element = match ty.core() {
                    Type::List(element) | Type::Set(element) => (**element).clone(),
                    Type::Error | Type::Any => Type::Error,
                    other => {
                        let detail = format!("`{other}` is no list");
                        self.report(
                            Diagnostic::new(codes::NOT_ITERABLE, source.span, detail)
                                .help("go through `services` or `changes`"),
                        );
                        Type::Error
                    }
                };
                scope.locals.push(self.declares(name, element));
            }
            self.check_expr(rule.condition, &Type::Bool, &mut scope);
            scope.place = Place::Message;
            self.assuming(rule.condition, true, &mut scope, |scope| {
                self.check_expr(rule.message, &Type::String, scope)
            });
        }
    }

    fn wrong_rule(&self, member: &Member) {
        let (word, span) = word_of(member);
        let known = matches!(word, "deny" | "warn");
        let code = if known { codes::COMMAND_FORM } else { codes::UNKNOWN_COMMAND };
        let detail = if known {
            format!("`{word}` is not written like this")
        } else {
            format!("a policy has no `{word}`")
        };
        let mut diagnostic = Diagnostic::new(code, span, detail);
        diagnostic =
            diagnostic.help("write `deny s in services where s.replicas < 2 { message = \"…\" }`, or `warn where … { message = \"…\" }`");
        if let (false, Some(meant)) = (known, suggest::nearest(word, ["deny", "warn"])) {
            diagnostic = diagnostic.fix(span, meant);
        }
        self.report(diagnostic);
    }

    pub(super) fn check_test(&self, module: ModuleId, test: &TestItem<'a>) {
        let mut scope = Scope::of(module);
        scope.place = Place::Test;
        if test.body.is_empty() {
            let diagnostic =
                Diagnostic::new(codes::MALFORMED_ITEM, test.span, "the test says nothing");
            self.report(diagnostic.help("add `assert …`"));
        }
        for member in test.body {
            match clauses::test_clause(member) {
                None => self.wrong_test_clause(member),
                Some(TestClause::Let(field)) => {
                    let ty = match &field.ty {
                        Some(written) => {
                            let ty = self.resolve(module, written, true);
                            self.check_expr(&field.value, &ty, &mut scope);
                            ty
                        }
                        None => self.infer(&field.value, &mut scope),
                    };
                    scope.locals.push(self.declares(&field.path[0], ty));
                }
                Some(TestClause::Given(name, written)) => {
                    let ty = self.resolve(module, written, true);
                    scope.locals.push(self.declares(&name, ty));
                }
                Some(TestClause::Assert(condition)) => {
                    self.check_expr(condition, &Type::Bool, &mut scope);
                }
                Some(TestClause::Expect((code, span), subject)) => {
                    if !is_code(&code) {
                        let diagnostic = Diagnostic::new(
                            codes::COMMAND_FORM,
                            span,
                            format!("`{code}` is no code of a finding"),
                        );
                        self.report(
                            diagnostic.help("codes look like `DAX4001`; `dax explain` lists them"),
                        );
                    }
                    self.infer(subject, &mut scope);
                }
            }
        }
    }

    fn wrong_test_clause(&self, member: &Member) {
        let (word, span) = word_of(member);
        let form = TEST_WORDS.iter().find(|(known, _)| *known == word);
        let diagnostic = match form {
            Some((_, form)) => Diagnostic::new(
                codes::COMMAND_FORM,
                span,
                format!("`{word}` is not written like this"),
            )
            .help(format!("write `{form}`")),
            None => {
                let known = TEST_WORDS.iter().map(|(known, _)| *known);
                let diagnostic = Diagnostic::new(
                    codes::UNKNOWN_COMMAND,
                    span,
                    format!("a test has no `{word}`"),
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

/// The environments that a policy names.
pub(crate) fn environments(of: Option<&Expr>) -> impl Iterator<Item = &Expr> {
    let all: Vec<&Expr> = match of {
        None => Vec::new(),
        Some(Expr { kind: ExprKind::List(None, items), .. }) => items.iter().collect(),
        Some(one) => vec![one],
    };
    all.into_iter()
}

fn is_code(code: &str) -> bool {
    code.strip_prefix("DAX")
        .is_some_and(|digits| digits.len() == 4 && digits.bytes().all(|b| b.is_ascii_digit()))
}

/// The first word of a member, and its place.
pub(super) fn word_of(member: &Member) -> (&str, dax_core::Span) {
    match member {
        Member::Field(field) => {
            let name = field.lead.as_ref().or(field.path.first());
            (name.map_or("", |n| n.name.as_str()), name.map_or(field.span, |n| n.span))
        }
        Member::Command(command) => (command.word.name.as_str(), command.word.span),
    }
}
