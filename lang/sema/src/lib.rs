//! Meaning: from syntax trees to the resource graph.
//!
//! Two passes over one [`Program`]: the checker types every expression once and reports what is wrong
//! wherever it stands; the evaluator computes each environment. Neither reads a file, a clock or the
//! environment, and both always end: functions do not recurse and evaluation has a fuel limit.

mod block;
mod check;
mod clauses;
pub mod codes;
mod context;
mod eval;
mod limits;
mod meanings;
mod names;
mod natives;
mod offers;
mod operators;
mod program;
mod providers;
mod resolve;
mod ty;
pub mod walk;
mod why;

pub use check::{metric_names, offers};
pub use clauses::{ENVIRONMENT_WORDS, TEST_WORDS};
pub use eval::{Facts, Missing, Params, Planned, Planner, TestOutcome, TestRequest, Verdict};
pub use meanings::{Meanings, Typed, Use};
pub use names::{RESERVED, import_path};
pub use offers::{CURSOR, Offer, OfferKind};
pub use program::{ModuleId, ModuleSource, Program};
pub use why::{Contribution, contributions};

use dax_core::{Diagnostic, FileId, Name};
use dax_ir::Graph;

/// Types every expression and computes every environment; the graph lacks what could not be computed.
pub fn analyse(program: &Program, params: &Params) -> (Graph, Vec<Diagnostic>) {
    let context = context::Context::new(program);
    check::run(&context);
    let graph = eval::run(&context, params);
    if !dax_core::diagnostic::has_errors(&context.diagnostics.borrow()) {
        for environment in graph.environments.values() {
            eval::judge(&context, params, environment, "check", None);
        }
    }
    let mut diagnostics = context.diagnostics.into_inner();
    dax_core::diagnostic::sort(&mut diagnostics);
    (graph, diagnostics)
}

/// The same for whoever wants the diagnostics alone: no environment is kept once it was looked at.
///
/// Gives the number of environments, too.
pub fn check(program: &Program, params: &Params) -> (usize, Vec<Diagnostic>) {
    if program.has_policies("check") {
        let (graph, diagnostics) = analyse(program, params);
        return (graph.environments.len(), diagnostics);
    }
    let context = context::Context::new(program);
    check::run(&context);
    let mut count = 0;
    eval::run_each(&context, params, &mut |_| count += 1);
    let mut diagnostics = context.diagnostics.into_inner();
    dax_core::diagnostic::sort(&mut diagnostics);
    (count, diagnostics)
}

/// What a check of some files finds out, for an editor.
#[derive(Clone, Debug, Default)]
pub struct Examined {
    /// What only the whole program shows, of all files: nothing of it was known before.
    pub whole: Vec<Diagnostic>,
    /// What is wrong with the items of the wanted files.
    pub items: Vec<Diagnostic>,
    /// What stands in the wanted files means.
    pub meanings: Meanings,
}

/// Types the expressions of some files, without computing anything; nothing when it was to stop before its end.
pub fn examine(
    program: &Program,
    wanted: &dyn Fn(FileId) -> bool,
    stop: &dyn Fn() -> bool,
) -> Option<Examined> {
    let context = context::Context::noting(program);
    check::check_wholes(&context);
    let whole = context.diagnostics.take();
    if !check::check_items(&context, wanted, stop) {
        return None;
    }
    let mut items = context.diagnostics.into_inner();
    items.retain(|diagnostic| wanted(diagnostic.span.file));
    let mut meanings = context.notes.map(std::cell::RefCell::into_inner).unwrap_or_default();
    meanings.uses.retain(|known| wanted(known.span.file));
    meanings.types.retain(|known| wanted(known.span.file));
    Some(Examined { whole, items, meanings })
}

/// What only values show, where `known` is what [`examine`] has found; nothing when it was to stop before its end.
pub fn compute<'a>(
    program: &'a Program,
    params: &Params,
    known: Vec<Diagnostic>,
    stop: &'a dyn Fn() -> bool,
) -> Option<Vec<Diagnostic>> {
    let mut context = context::Context::new(program);
    context.stop = Some(stop);
    let before = known.len();
    context.diagnostics.replace(known);
    let policies = program.has_policies("check");
    let mut kept = Vec::new();
    eval::run_each(&context, params, &mut |environment| {
        if policies {
            kept.push(environment);
        }
    });
    if !dax_core::diagnostic::has_errors(&context.diagnostics.borrow()) {
        kept.iter()
            .for_each(|environment| eval::judge(&context, params, environment, "check", None));
    }
    (!stop()).then(|| context.diagnostics.into_inner().split_off(before))
}

/// How a text names a service.
#[derive(Clone, Copy, Debug)]
pub enum Naming<'e> {
    /// By the name of its item in a module.
    Item(&'e str),
    /// By an expression: `web`, `shop.web`.
    Expr(&'e dax_syntax::ast::Expr),
}

/// Services of the project as each environment has them: complete with defaults, each value with its origin.
///
/// Only these services are computed, with what they read. An environment that does not bind one or cannot compute it is left out.
pub fn effective(
    program: &Program,
    params: &Params,
    module: ModuleId,
    services: &[Naming<'_>],
) -> Vec<Vec<(Name, dax_ir::Node)>> {
    let context = context::Context::new(program);
    let address = |naming: &Naming<'_>| match naming {
        Naming::Item(name) => context.address(module, name),
        Naming::Expr(expr) => context.service_named(module, expr).unwrap_or_default(),
    };
    let addresses: Vec<Name> = services.iter().map(address).collect();
    eval::effective(&context, params, &addresses)
}

/// The services of a module that environments bind, each with the first that does: `dev.shop.web`.
pub fn bindings(program: &Program, module: ModuleId) -> std::collections::HashMap<Name, Name> {
    let context = context::Context::new(program);
    let own: std::collections::HashMap<Name, Name> = context
        .names
        .module(module)
        .values
        .keys()
        .map(|name| (context.address(module, name), name.clone()))
        .collect();
    let mut all = std::collections::HashMap::new();
    for (environment, (symbol, _)) in &context.names.module(program.root).values {
        if !matches!(symbol, names::Symbol::Environment(_)) {
            continue;
        }
        for (address, _) in context.bound_services(environment) {
            if let Some(name) = own.get(&address) {
                all.entry(name.clone())
                    .or_insert_with(|| Name::new(format!("{environment}.{address}")));
            }
        }
    }
    all
}

/// The address of a module's service, where the project can name it.
pub fn reached(program: &Program, module: ModuleId, service: &str) -> Option<Name> {
    let context = context::Context::new(program);
    context.reaches(module).then(|| context.address(module, service))
}

/// The names of the project's parameters.
pub fn param_names(program: &Program) -> Vec<Name> {
    let context = context::Context::new(program);
    let values = &context.names.module(program.root).values;
    values
        .iter()
        .filter(|(_, (symbol, _))| matches!(symbol, names::Symbol::Param(_)))
        .map(|(name, _)| name.clone())
        .collect()
}

/// The names of the project's environments.
pub fn environment_names(program: &Program) -> Vec<Name> {
    environments(program).into_iter().map(|(name, _)| name).collect()
}

/// An environment as the program declares it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Declared {
    /// Whether there is one for each key.
    pub keyed: bool,
    /// Whether each is for one change request, whose number is the key.
    pub preview: bool,
}

/// The environments that the project declares, by name.
pub fn environments(program: &Program) -> Vec<(Name, Declared)> {
    let context = context::Context::new(program);
    let values = &context.names.module(program.root).values;
    let declared = values.iter().filter_map(|(name, (symbol, _))| match symbol {
        names::Symbol::Environment(block) => {
            let (keyed, preview) = (block.keyed.is_some(), context.is_preview(block));
            Some((name.clone(), Declared { keyed, preview }))
        }
        _ => None,
    });
    declared.collect()
}

/// A policy as a program has it.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The module that declares it.
    pub module: ModuleId,
    /// Its name.
    pub name: Name,
    /// The phase in which it is asked.
    pub phase: Name,
    /// Its rules, from the first to the last.
    pub rules: dax_core::Span,
}

/// The policies that hold for an environment, `production` or `preview[12]`.
pub fn policies(program: &Program, environment: &str) -> Vec<Policy> {
    let context = context::Context::new(program);
    let declared = dax_core::keyed(environment).0;
    let modules = (0..program.modules.len()).map(ModuleId);
    modules
        .flat_map(|module| {
            let all = context.names.module(module).policies.iter();
            all.filter(|policy| eval::holds_for(policy, declared)).map(move |policy| {
                let span = |member: &dax_syntax::ast::Member| match member {
                    dax_syntax::ast::Member::Field(field) => field.span,
                    dax_syntax::ast::Member::Command(command) => command.span,
                };
                let ends = policy.body.first().zip(policy.body.last());
                let rules = ends
                    .map_or(policy.on.span.end_point(), |(first, last)| span(first).to(span(last)));
                let (name, phase) = (policy.name.name.clone(), policy.on.name.clone());
                Policy { module, name, phase, rules }
            })
        })
        .collect()
}

/// What the policies of a phase (`check`, `plan` or `apply`) say of an environment.
pub fn judge(
    program: &Program,
    params: &Params,
    environment: &dax_ir::Environment,
    phase: &str,
    facts: Option<&Facts>,
) -> Vec<Diagnostic> {
    let context = context::Context::new(program);
    context.diagnostics.take();
    eval::judge(&context, params, environment, phase, facts);
    let mut diagnostics = context.diagnostics.into_inner();
    dax_core::diagnostic::sort(&mut diagnostics);
    diagnostics
}

/// The services that an environment binds, each once for all its keys.
pub fn bound(program: &Program, environment: &str) -> Vec<Name> {
    let names = context::Context::new(program).bound_services(&Name::new(environment));
    names.into_iter().map(|(name, _)| name).collect()
}

/// The services that may not be destroyed in an environment, by name.
pub fn protected(program: &Program, environment: &str) -> Vec<Name> {
    eval::protected(&context::Context::new(program), environment)
}

/// Runs the tests of the project.
pub fn test(program: &Program, request: &TestRequest, planner: Planner<'_>) -> Vec<TestOutcome> {
    eval::test(&context::Context::new(program), request, planner)
}

/// The value of an expression that was parsed as `let` of the project, in an environment or outside of all.
///
/// Nothing when it has none; the diagnostics say why.
pub fn evaluate(
    program: &Program,
    params: &Params,
    environment: Option<&str>,
    name: &str,
) -> (Option<dax_ir::Node>, String, Vec<Diagnostic>) {
    let context = context::Context::new(program);
    check::run(&context);
    let Some(names::Symbol::Let(field)) = context.names.value(program.root, name) else {
        return (None, String::new(), context.diagnostics.into_inner());
    };
    let ty = context.let_type(program.root, &Name::new(name)).to_string();
    let sound = !dax_core::diagnostic::has_errors(&context.diagnostics.borrow());
    let node =
        if sound { eval::evaluate(&context, params, environment, &field.value) } else { None };
    let mut diagnostics = context.diagnostics.into_inner();
    dax_core::diagnostic::sort(&mut diagnostics);
    (node, ty, diagnostics)
}
