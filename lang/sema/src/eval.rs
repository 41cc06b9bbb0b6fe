//! The evaluator: computes every environment of a checked program.
//!
//! It reports only what can be known from values; what the checker reports stops a value in silence, so
//! one cause still gives one message. Invariant: it ends, because nothing recurses and fuel is limited.

mod call;
mod conform;
mod expr;
mod layers;
mod lower;
mod merge;
mod needs;
mod params;
mod policy;
mod power;
mod probes;
mod sample;
mod services;
mod testing;
mod views;

pub use params::{Missing, Params};
pub(crate) use policy::holds_for;
pub use policy::{Facts, judge};
pub use testing::{Planned, Planner, TestOutcome, TestRequest, Verdict, test};

use crate::context::Context;
use crate::program::ModuleId;
use crate::ty::Type;
use dax_core::{Code, Diagnostic, Name, Span, Value};
use dax_ir::{Graph, Layer, Need, Node, Origin, Via};
use indexmap::IndexMap;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

/// Steps that one environment may take; an element that is copied and 64 bytes of text are a step too.
const FUEL: u64 = 10_000_000;

/// A value could not be computed, and why was reported.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stop;

pub(crate) type Eval<T> = Result<T, Stop>;

/// A value that several places hold.
type Shared = Eval<Rc<Node>>;

/// Computes every environment.
pub(crate) fn run(context: &Context<'_>, params: &Params) -> Graph {
    let mut graph = Graph { project: context.program.project.clone(), ..Graph::default() };
    graph.params = run_each(context, params, &mut |environment| {
        graph.environments.insert(environment.name.clone(), environment);
    });
    graph
}

/// Computes one environment after the other and hands each on; gives the parameters.
pub(crate) fn run_each(
    context: &Context<'_>,
    params: &Params,
    take: &mut dyn FnMut(dax_ir::Environment),
) -> IndexMap<Name, Node> {
    let outside = Evaluator::new(context, params, None);
    let given = outside.params();
    // Where everything is looked at, a value of a sound program that nothing uses yet is looked at, too.
    let sound =
        !context.program.faulty && !dax_core::diagnostic::has_errors(&context.diagnostics.borrow());
    if sound && params.missing == Missing::Ignore && params.only.is_none() {
        for module in (0..context.program.modules.len())
            .map(ModuleId)
            .filter(|module| context.program.is_own(*module))
        {
            for (name, (symbol, span)) in &context.names.module(module).values {
                if matches!(symbol, crate::names::Symbol::Let(_)) {
                    let _ = outside.symbol(module, name, *span);
                }
            }
        }
    }
    let names: Vec<Name> = match &params.only {
        Some(only) => vec![only.clone()],
        None => lower::environments(context).map(|block| block.name.name.clone()).collect(),
    };
    for (name, (block, key)) in
        names.iter().filter_map(|name| Some((name, lower::environment_named(context, name)?)))
    {
        let setup = layers::Setup::of(context, block);
        let evaluator = Evaluator::new(context, params, Some(&setup)).of(name, block, key);
        take(evaluator.environment(block));
    }
    given
}

/// Every value that was offered to a service of an environment.
pub(crate) fn offers(
    context: &Context<'_>,
    params: &Params,
    environment: &str,
    service: &str,
) -> Vec<layers::Offer> {
    let Some((block, key)) = lower::environment_named(context, environment) else {
        return Vec::new();
    };
    let setup = layers::Setup::of(context, block);
    let mut evaluator = Evaluator::new(context, params, Some(&setup)).of(environment, block, key);
    evaluator.trace = Some((service.into(), RefCell::default()));
    evaluator.environment(block);
    evaluator.trace.map(|(_, offers)| offers.into_inner()).unwrap_or_default()
}

/// Services as each environment has them.
pub(crate) fn effective(
    context: &Context<'_>,
    params: &Params,
    addresses: &[Name],
) -> Vec<Vec<(Name, Node)>> {
    let mut all: Vec<Vec<(Name, Node)>> = vec![Vec::new(); addresses.len()];
    for block in lower::environments(context) {
        let name = &block.name.name;
        let Some((_, key)) = lower::environment_named(context, name) else { continue };
        let setup = layers::Setup::of_values(context, block);
        let evaluator = Evaluator::new(context, params, Some(&setup)).of(name, block, key);
        for (address, values) in addresses.iter().zip(&mut all) {
            if context.binds(block, address)
                && let Ok(node) = evaluator.service(address, block.span)
            {
                values.push((block.name.name.clone(), (*node).clone()));
            }
        }
    }
    all
}

/// The services that may not be destroyed in an environment.
pub(crate) fn protected(context: &Context<'_>, environment: &str) -> Vec<Name> {
    let block = lower::environment_named(context, environment);
    block.map(|(block, _)| layers::Setup::of(context, block).protected).unwrap_or_default()
}

/// Holds a constant against the conditions of a type.
pub(crate) fn check_constant<'a>(
    context: &Context<'a>,
    value: &Value,
    span: Span,
    want: &Type<'a>,
) {
    if conform::has_condition(want) {
        let params = Params {
            values: BTreeMap::new(),
            typed: BTreeMap::new(),
            missing: Missing::Ignore,
            only: None,
            outputs: BTreeMap::new(),
        };
        let evaluator = Evaluator::new(context, &params, None);
        let _ = evaluator.conform(Node::leaf(value.clone(), plain(span)), want);
    }
}

/// The value of an expression of the project, in an environment or outside of all.
pub(crate) fn evaluate<'a>(
    context: &Context<'a>,
    params: &Params,
    environment: Option<&str>,
    expr: &'a dax_syntax::ast::Expr,
) -> Option<Node> {
    let found = environment.and_then(|name| Some((name, lower::environment_named(context, name)?)));
    let setup = found.as_ref().map(|(_, (block, _))| layers::Setup::of(context, block));
    let mut evaluator = Evaluator::new(context, params, setup.as_ref());
    if let Some((name, (block, key))) = found {
        evaluator = evaluator.of(name, block, key);
    }
    evaluator.eval(expr, &mut Scope::of(context.program.root)).ok()
}

/// A service as far as it was evaluated.
enum Slot {
    Running,
    Done(Eval<Rc<Node>>),
}

/// The evaluation of one environment, or of what stands outside of all.
pub(crate) struct Evaluator<'c, 'a> {
    context: &'c Context<'a>,
    params: &'c Params,
    setup: Option<&'c layers::Setup<'a>>,
    services: RefCell<HashMap<Name, Slot>>,
    values: RefCell<HashMap<(ModuleId, Name), Shared>>,
    /// Services being evaluated, innermost last, with what they read of others.
    reading: RefCell<Vec<(Name, Vec<Need>)>>,
    /// What finished services read of others.
    reads: RefCell<HashMap<Name, Vec<Need>>>,
    fuel: Cell<u64>,
    depth: Cell<u32>,
    /// A parameter had no value and nobody wanted to hear of it.
    lacks_param: Cell<bool>,
    /// Every value offered to the service that `dax why` asks about.
    trace: Option<(Name, RefCell<Vec<layers::Offer>>)>,
    /// Plans an environment, inside of tests.
    planner: Option<Planner<'c>>,
    /// The time that policies of such a plan see.
    now: Name,
    /// What the environment is called: `preview[12]`.
    instance: Option<Name>,
    /// The name of its key, with its value.
    key: Option<(Name, Rc<Node>)>,
}

/// Names bound inside functions, comprehensions and conditions.
pub(crate) struct Scope {
    module: ModuleId,
    locals: Vec<(Name, Rc<Node>)>,
}

impl Scope {
    fn of(module: ModuleId) -> Self {
        Self { module, locals: Vec::new() }
    }

    fn local(&self, name: &str) -> Option<&Rc<Node>> {
        self.locals.iter().rev().find(|(local, _)| local == name).map(|(_, node)| node)
    }
}

impl<'c, 'a> Evaluator<'c, 'a> {
    pub(crate) fn new(
        context: &'c Context<'a>,
        params: &'c Params,
        setup: Option<&'c layers::Setup<'a>>,
    ) -> Self {
        Self {
            context,
            params,
            setup,
            services: RefCell::default(),
            values: RefCell::default(),
            reading: RefCell::default(),
            reads: RefCell::default(),
            fuel: Cell::new(FUEL),
            depth: Cell::new(0),
            lacks_param: Cell::new(false),
            trace: None,
            planner: None,
            now: Name::default(),
            instance: None,
            key: None,
        }
    }

    /// The evaluation of this very environment.
    fn of(mut self, name: &str, block: &crate::names::Block<'a>, key: Option<Name>) -> Self {
        self.instance = Some(name.into());
        self.key = block.keyed.as_ref().zip(key).map(|(ident, key)| {
            (ident.name.clone(), Rc::new(Node::leaf(Value::Str(key), plain(ident.span))))
        });
        self
    }

    fn fail<T>(&self, code: Code, span: Span, detail: impl Into<String>) -> Eval<T> {
        self.report(Diagnostic::new(code, span, detail));
        Err(Stop)
    }

    /// Takes steps from what is left.
    fn spend(&self, steps: u64, span: Span) -> Eval<()> {
        match self.fuel.get().checked_sub(steps) {
            Some(left) => {
                self.fuel.set(left);
                Ok(())
            }
            None => {
                self.fuel.set(0);
                let detail = format!(
                    "the evaluation took more than {FUEL} steps and was stopped in this expression"
                );
                // What is called from many places is stopped in many: the first says enough.
                if !self
                    .context
                    .diagnostics
                    .borrow()
                    .iter()
                    .any(|d| d.code == crate::codes::OUT_OF_FUEL)
                {
                    let help = "make the lists that it goes through smaller, or compute the value once with `let`";
                    self.report(
                        Diagnostic::new(crate::codes::OUT_OF_FUEL, span, detail).help(help),
                    );
                }
                Err(Stop)
            }
        }
    }

    /// Environments share their items, so the same finding is made once in each; it is reported once.
    fn report(&self, diagnostic: Diagnostic) {
        let mut all = self.context.diagnostics.borrow_mut();
        if !all.iter().any(|d| d.code == diagnostic.code && d.span == diagnostic.span) {
            all.push(diagnostic);
        }
    }

    fn params(&self) -> IndexMap<Name, Node> {
        let root = self.context.program.root;
        let values = &self.context.names.module(root).values;
        let params = values.iter().filter_map(|(name, (symbol, _))| match symbol {
            crate::names::Symbol::Param(param) => {
                self.param(root, param).ok().map(|node| (name.clone(), (*node).clone()))
            }
            _ => None,
        });
        params.collect()
    }
}

fn plain(span: Span) -> Origin {
    Origin { span, layer: Layer::Plain, via: Via::Item }
}
