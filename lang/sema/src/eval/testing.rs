//! Tests: plans made in virtual worlds, assertions over them, and properties over made-up values.

use super::sample::Samples;
use super::{
    Eval, Evaluator, Missing, Params, Scope, Stop, judge, layers, lower, plain, policy::Facts,
    views,
};
use crate::clauses::{TestClause, test_clause};
use crate::codes;
use crate::context::Context;
use crate::names::TestItem;
use crate::program::ModuleId;
use crate::ty::Type;
use dax_core::{Diagnostic, Name, Span, Value, diagnostic};
use dax_ir::{Data, Environment, Node};
use dax_syntax::ast::{Expr, Ident};
use std::collections::BTreeMap;
use std::rc::Rc;

/// What a plan of an environment would do, from nothing.
#[derive(Clone, Debug, Default)]
pub struct Planned {
    /// The changes, each a `Change` of `std/policy`.
    pub changes: Vec<Value>,
    /// The steps, each a `StepView` of `std/policy`.
    pub steps: Vec<Value>,
    /// What the planner found.
    pub diagnostics: Vec<Diagnostic>,
}

/// Plans an environment from nothing.
pub type Planner<'p> = &'p dyn Fn(&Environment) -> Planned;

/// Which tests to run, and how.
#[derive(Clone, Debug)]
pub struct TestRequest {
    /// A part of the titles that are wanted; empty for all.
    pub filter: String,
    /// Parameters of the project, as texts.
    pub values: BTreeMap<Name, String>,
    /// Values made up for each property.
    pub cases: u32,
    /// What made-up values start from: the same seed gives the same values.
    pub seed: u64,
    /// The time that policies see, as RFC 3339 has it.
    pub now: Name,
}

/// How a test ended.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// Everything held, in so many cases.
    Passed {
        /// Cases that were tried.
        cases: u32,
    },
    /// Something did not.
    Failed {
        /// What.
        diagnostics: Vec<Diagnostic>,
        /// The made-up values with which it did not, by name.
        given: Vec<(Name, Value)>,
    },
}

/// A test and how it ended.
#[derive(Clone, Debug)]
pub struct TestOutcome {
    /// Its title.
    pub title: Name,
    /// Where it stands.
    pub span: Span,
    /// How it ended.
    pub verdict: Verdict,
}

/// Runs the tests of the project's own modules.
pub fn test(
    context: &Context<'_>,
    request: &TestRequest,
    planner: Planner<'_>,
) -> Vec<TestOutcome> {
    let mut outcomes = Vec::new();
    for module in (0..context.program.modules.len())
        .map(ModuleId)
        .filter(|module| context.program.is_own(*module))
    {
        for test in context
            .names
            .module(module)
            .tests
            .iter()
            .filter(|test| test.title.contains(&request.filter))
        {
            let verdict = Run { context, request, planner, module, test }.verdict();
            outcomes.push(TestOutcome { title: test.title.clone(), span: test.span, verdict });
        }
    }
    outcomes
}

/// One test.
struct Run<'r, 'a> {
    context: &'r Context<'a>,
    request: &'r TestRequest,
    planner: Planner<'r>,
    module: ModuleId,
    test: &'r TestItem<'a>,
}

impl<'a> Run<'_, 'a> {
    fn verdict(&self) -> Verdict {
        let given: Vec<(Ident, Type<'a>)> = self
            .test
            .body
            .iter()
            .filter_map(|member| match test_clause(member)? {
                TestClause::Given(name, ty) => {
                    Some((name, self.context.resolve(self.module, ty, false)))
                }
                _ => None,
            })
            .collect();
        if given.is_empty() {
            return match self.case(&[]) {
                Ok(()) => Verdict::Passed { cases: 1 },
                Err(diagnostics) => Verdict::Failed { diagnostics, given: Vec::new() },
            };
        }
        let params = self.params(BTreeMap::new());
        let evaluator = Evaluator::new(self.context, &params, None);
        let seed = self.test.title.bytes().fold(self.request.seed, |seed, byte| {
            seed.wrapping_mul(0x0100_0000_01b3) ^ u64::from(byte)
        });
        let mut samples = Samples::new(seed);
        for case in 0..self.request.cases {
            let mut values = Vec::new();
            for (name, ty) in &given {
                let Some(value) = samples.of(&evaluator, ty, case) else {
                    let detail = format!("no value of `{ty}` was found in many tries");
                    let diagnostic = Diagnostic::new(codes::NO_SAMPLE, name.span, detail);
                    let help = "say the condition as a range, or as one `matches(self, \"…\")`, from which values can be made";
                    return Verdict::Failed {
                        diagnostics: vec![diagnostic.help(help)],
                        given: Vec::new(),
                    };
                };
                values.push((name.name.clone(), value));
            }
            if let Err(diagnostics) = self.case(&values) {
                return self.shrink(&evaluator, &given, values, diagnostics);
            }
        }
        Verdict::Passed { cases: self.request.cases }
    }

    /// Tries smaller values as long as they fail too.
    fn shrink(
        &self,
        evaluator: &Evaluator<'_, 'a>,
        given: &[(Ident, Type<'a>)],
        mut values: Vec<(Name, Value)>,
        mut diagnostics: Vec<Diagnostic>,
    ) -> Verdict {
        let mut tries = 200;
        let mut at = 0;
        while at < values.len() && tries > 0 {
            let smaller = super::sample::smaller(&values[at].1);
            let found = smaller.into_iter().find_map(|candidate| {
                tries -= 1;
                super::sample::fits(evaluator, &candidate, &given[at].1).then_some(())?;
                let mut next = values.clone();
                next[at].1 = candidate;
                self.case(&next).err().map(|diagnostics| (next, diagnostics))
            });
            match found {
                Some((next, found)) => (values, diagnostics) = (next, found),
                None => at += 1,
            }
        }
        Verdict::Failed { diagnostics, given: values }
    }

    fn params(&self, typed: BTreeMap<Name, Value>) -> Params {
        Params {
            values: self.request.values.clone(),
            typed,
            missing: Missing::Report,
            only: None,
            outputs: BTreeMap::new(),
        }
    }

    /// Runs the test once with these values for what is given.
    fn case(&self, given: &[(Name, Value)]) -> Result<(), Vec<Diagnostic>> {
        let before = self.context.diagnostics.take();
        let plan = |environment: &Environment| (self.planner)(environment);
        let params = self.params(BTreeMap::new());
        let mut evaluator = Evaluator::new(self.context, &params, None);
        evaluator.planner = Some(&plan);
        evaluator.now = self.request.now.clone();
        let mut scope = Scope::of(self.module);
        let result = evaluator.clauses(self.test, given, &mut scope);
        let mut found = self.context.diagnostics.replace(before);
        found.retain(Diagnostic::is_error);
        diagnostic::sort(&mut found);
        match result {
            Ok(()) if found.is_empty() => Ok(()),
            _ if found.is_empty() => Err(vec![Diagnostic::new(
                codes::ASSERTION_FAILED,
                self.test.span,
                "the test could not be computed; `dax check` says more",
            )]),
            _ => Err(found),
        }
    }
}

impl<'a> Evaluator<'_, 'a> {
    fn clauses(&self, test: &TestItem<'a>, given: &[(Name, Value)], scope: &mut Scope) -> Eval<()> {
        for member in test.body {
            match test_clause(member).ok_or(Stop)? {
                TestClause::Let(field) => {
                    let mut node = self.eval(&field.value, scope)?;
                    if let Some(written) = &field.ty {
                        node = self
                            .conform(node, &self.context.resolve(scope.module, written, false))?;
                    }
                    scope.locals.push((field.path[0].name.clone(), Rc::new(node)));
                }
                TestClause::Given(name, _) => {
                    let value = given
                        .iter()
                        .find(|(known, _)| *known == name.name)
                        .map(|(_, value)| value.clone());
                    let node = super::expr::from_value(value.ok_or(Stop)?, name.span);
                    scope.locals.push((name.name, Rc::new(node)));
                }
                TestClause::Assert(condition) => self.assert(condition, scope)?,
                TestClause::Expect((code, span), subject) => {
                    self.expect(&code, span, subject, scope)?
                }
            }
        }
        Ok(())
    }

    fn assert(&self, condition: &'a Expr, scope: &mut Scope) -> Eval<()> {
        let detail = match self.eval(condition, scope)?.as_leaf() {
            Some(Value::Bool(true)) => return Ok(()),
            Some(Value::Unknown(unknown)) => {
                format!("`{}` is known only after apply", unknown.cause)
            }
            _ => "this is false".to_owned(),
        };
        let mut diagnostic = Diagnostic::new(codes::ASSERTION_FAILED, condition.span, detail);
        for (span, label) in self.explain(condition, scope) {
            diagnostic = diagnostic.related(span, label);
        }
        self.context.report(diagnostic);
        Ok(())
    }

    fn expect(&self, code: &Name, span: Span, subject: &'a Expr, scope: &mut Scope) -> Eval<()> {
        let before = self.context.diagnostics.take();
        let _ = self.eval(subject, scope);
        let found = self.context.diagnostics.replace(before);
        if found.iter().any(|finding| finding.code.to_string() == code.as_str()) {
            return Ok(());
        }
        let mut diagnostic =
            Diagnostic::new(codes::EXPECTATION_FAILED, span, format!("`{code}` was expected here"));
        if found.is_empty() {
            diagnostic = diagnostic.help("nothing was found");
        }
        for finding in found {
            diagnostic = diagnostic
                .related(finding.span, format!("instead {}: {}", finding.code, finding.detail));
        }
        self.context.report(diagnostic);
        Ok(())
    }

    /// `plan(environment.name, param: value)`: the environment's services and what a plan from nothing does.
    pub(super) fn plan_call(
        &self,
        args: &'a [(Option<Ident>, Expr)],
        span: Span,
        scope: &mut Scope,
    ) -> Eval<Node> {
        let planner = self.planner.ok_or(Stop)?;
        let (environment, given) = args.split_first().ok_or(Stop)?;
        let name = crate::check::environment_of(&environment.1).ok_or(Stop)?;
        let mut typed = BTreeMap::new();
        for (param, value) in given {
            let param = param.as_ref().ok_or(Stop)?;
            typed.insert(param.name.clone(), self.eval(value, scope)?.value());
        }
        let block =
            lower::environments(self.context).find(|block| block.name.name == *name).ok_or(Stop)?;
        let params = Params {
            values: self.params.values.clone(),
            typed,
            missing: Missing::Report,
            only: Some(name.clone()),
            outputs: BTreeMap::new(),
        };
        let before = self.context.diagnostics.take();
        let setup = layers::Setup::of(self.context, block);
        let evaluator = Evaluator::new(self.context, &params, Some(&setup));
        let environment = evaluator.environment(block);
        self.spend(super::FUEL - evaluator.fuel.get(), span)?;
        let mut planned = Planned::default();
        if !diagnostic::has_errors(&self.context.diagnostics.borrow()) {
            judge(self.context, &params, &environment, "check", None);
            planned = planner(&environment);
            self.context.diagnostics.borrow_mut().append(&mut planned.diagnostics);
            let facts = Facts {
                changes: planned.changes.clone(),
                steps: planned.steps.clone(),
                now: self.now.clone(),
            };
            judge(self.context, &params, &environment, "plan", Some(&facts));
        }
        let found = self.context.diagnostics.replace(before);
        let failed = diagnostic::has_errors(&found);
        self.context.diagnostics.borrow_mut().extend(found);
        if failed {
            return Err(Stop);
        }
        let mut map: BTreeMap<Name, Node> = BTreeMap::new();
        for service in environment.services.values() {
            let base = Name::new(service.addr.base());
            map.entry(base).or_insert_with(|| views::service(&environment, service));
        }
        map.insert(Name::new_static("services"), views::services(&environment));
        map.insert(Name::new_static("changes"), views::list(&planned.changes));
        map.insert(Name::new_static("steps"), views::list(&planned.steps));
        Ok(Node { data: Data::Map(map), origin: plain(span) })
    }
}
