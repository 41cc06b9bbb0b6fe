//! Policies: each rule asked of every element it goes through.

use super::conform::shown;
use super::{Eval, Evaluator, Params, Scope, Stop, plain, views};
use crate::check::{environment_of, policy_environments};
use crate::clauses::{self, Rule};
use crate::codes;
use crate::context::Context;
use crate::names::PolicyItem;
use crate::program::ModuleId;
use dax_core::{Diagnostic, Name, Span, Value};
use dax_ir::{Data, Environment, Node};
use std::rc::Rc;

/// What a policy may ask of beside the services: the plan and the time.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The changes of the plan, each a `Change` of `std/policy`.
    pub changes: Vec<Value>,
    /// The steps of the plan, each a `StepView` of `std/policy`.
    pub steps: Vec<Value>,
    /// The time, as RFC 3339 has it.
    pub now: Name,
}

/// Whether a policy holds for the environments of a declared name.
pub(crate) fn holds_for(policy: &PolicyItem<'_>, declared: &str) -> bool {
    let mut named = policy_environments(policy.of).peekable();
    let all = named.peek().is_none();
    all || named.any(|one| environment_of(one).is_some_and(|name| name == declared))
}

/// Reports what the policies of a phase say of an environment.
pub fn judge(
    context: &Context<'_>,
    params: &Params,
    environment: &Environment,
    phase: &str,
    facts: Option<&Facts>,
) {
    let wanted = |policy: &&PolicyItem<'_>| {
        policy.on.name == phase && holds_for(policy, environment.declared_as())
    };
    let mut modules: Vec<ModuleId> = (0..context.program.modules.len()).map(ModuleId).collect();
    modules.retain(|module| {
        context.names.module(*module).policies.iter().any(|policy| wanted(&policy))
    });
    if modules.is_empty() {
        return;
    }
    let evaluator = Evaluator::new(context, params, None);
    let mut facts_in_scope = vec![
        (Name::new_static("services"), Rc::new(views::services(environment))),
        (
            Name::new_static("environment"),
            Rc::new(Node::leaf(Value::Str(environment.name.clone()), plain(environment.span))),
        ),
    ];
    if let Some(facts) = facts {
        facts_in_scope.push((Name::new_static("changes"), Rc::new(views::list(&facts.changes))));
        facts_in_scope.push((Name::new_static("steps"), Rc::new(views::list(&facts.steps))));
        facts_in_scope.push((
            Name::new_static("now"),
            Rc::new(Node::leaf(Value::Str(facts.now.clone()), plain(Span::default()))),
        ));
    }
    for module in modules {
        for policy in context.names.module(module).policies.iter().filter(&wanted) {
            for rule in policy.body.iter().filter_map(clauses::rule) {
                let mut scope = Scope { module, locals: facts_in_scope.clone() };
                let before = context
                    .diagnostics
                    .borrow()
                    .iter()
                    .filter(|finding| finding.is_error())
                    .count();
                let asked = evaluator.rule(policy, &rule, &mut scope);
                let said = context
                    .diagnostics
                    .borrow()
                    .iter()
                    .filter(|finding| finding.is_error())
                    .count()
                    > before;
                if asked.is_err() && !said {
                    evaluator.undecided(policy, &rule, "could not be asked");
                }
            }
        }
    }
}

impl<'a> Evaluator<'_, 'a> {
    fn rule(&self, policy: &PolicyItem<'a>, rule: &Rule<'a>, scope: &mut Scope) -> Eval<()> {
        let Some((name, source)) = &rule.each else { return self.ask(policy, rule, scope) };
        let source = self.eval_shared(source, scope)?;
        let Data::List(items) = &source.data else { return Err(Stop) };
        for item in items {
            scope.locals.push((name.name.clone(), Rc::new(self.copy(item, rule.span)?)));
            let asked = self.ask(policy, rule, scope);
            scope.locals.pop();
            asked?;
        }
        Ok(())
    }

    fn ask(&self, policy: &PolicyItem<'a>, rule: &Rule<'a>, scope: &mut Scope) -> Eval<()> {
        match self.eval(rule.condition, scope)?.as_leaf() {
            Some(Value::Bool(false)) => return Ok(()),
            Some(Value::Bool(true)) => {}
            Some(Value::Unknown(unknown)) => {
                let detail = format!("cannot be asked before `{}` is known", unknown.cause);
                self.undecided(policy, rule, &detail);
                return Ok(());
            }
            _ => return Err(Stop),
        }
        let message = match self.eval(rule.message, scope)?.as_leaf() {
            Some(Value::Str(text)) => text.to_string(),
            Some(other) => shown(other),
            None => return Err(Stop),
        };
        let code = if rule.deny { codes::POLICY_DENIED } else { codes::POLICY_WARNED };
        let mut diagnostic = Diagnostic::new(code, rule.condition.span, message);
        for (span, label) in self.explain(rule.condition, scope) {
            diagnostic = diagnostic.related(span, label);
        }
        let help = format!(
            "the policy is `{}`; change the program so that it holds, or ask who wrote it",
            policy.name.name
        );
        self.context.report(diagnostic.help(help));
        Ok(())
    }

    /// A rule that cannot be answered holds nothing up in silence: it denies.
    fn undecided(&self, policy: &PolicyItem<'a>, rule: &Rule<'a>, why: &str) {
        let code = if rule.deny { codes::POLICY_DENIED } else { codes::POLICY_WARNED };
        self.report(Diagnostic::new(
            code,
            rule.condition.span,
            format!("a rule of `{}` {why}", policy.name.name),
        ));
    }
}
