//! The evaluator: computes every environment of a checked program.
//!
//! It reports only what can be known from values; what the checker reports stops a value in silence, so
//! one cause still gives one message. Invariant: it ends, because nothing recurses and fuel is limited.

mod conform;
mod expr;
mod layers;
mod lower;
mod params;

pub use params::{Missing, Params};

use crate::context::Context;
use crate::program::ModuleId;
use dax_core::{Code, Diagnostic, Name, Span};
use dax_ir::{Graph, Layer, Need, Node, Origin, Via};
use indexmap::IndexMap;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

/// Steps that one environment may take.
const FUEL: u64 = 20_000_000;

/// A value could not be computed, and why was reported.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stop;

pub(crate) type Eval<T> = Result<T, Stop>;

/// Computes every environment.
pub(crate) fn run(context: &Context<'_>, params: &Params) -> Graph {
    let mut graph = Graph { project: context.program.project.clone(), ..Graph::default() };
    let outside = Evaluator::new(context, params, None);
    graph.params = outside.params();
    let wanted = |name: &Name| params.only.as_ref().is_none_or(|only| only == name);
    for block in lower::environments(context).filter(|block| wanted(&block.name.name)) {
        let setup = layers::Setup::of(context, block);
        let evaluator = Evaluator::new(context, params, Some(&setup));
        let environment = evaluator.environment(block);
        graph.environments.insert(environment.name.clone(), environment);
    }
    graph
}

/// Every value that was offered to a service of an environment.
pub(crate) fn offers(context: &Context<'_>, params: &Params, environment: &str, service: &str) -> Vec<layers::Offer> {
    let Some(block) = lower::environments(context).find(|block| block.name.name == environment) else {
        return Vec::new();
    };
    let setup = layers::Setup::of(context, block);
    let mut evaluator = Evaluator::new(context, params, Some(&setup));
    evaluator.trace = Some((service.into(), RefCell::default()));
    evaluator.environment(block);
    evaluator.trace.map(|(_, offers)| offers.into_inner()).unwrap_or_default()
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
    values: RefCell<HashMap<(ModuleId, Name), Eval<Node>>>,
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
}

/// Names bound inside functions, comprehensions and conditions.
pub(crate) struct Scope {
    module: ModuleId,
    locals: Vec<(Name, Node)>,
}

impl Scope {
    fn of(module: ModuleId) -> Self {
        Self { module, locals: Vec::new() }
    }
}

impl<'c, 'a> Evaluator<'c, 'a> {
    pub(crate) fn new(context: &'c Context<'a>, params: &'c Params, setup: Option<&'c layers::Setup<'a>>) -> Self {
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
        }
    }

    fn fail<T>(&self, code: Code, span: Span, detail: impl Into<String>) -> Eval<T> {
        self.report(Diagnostic::new(code, span, detail));
        Err(Stop)
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
            crate::names::Symbol::Param(param) => self.param(root, param).ok().map(|node| (name.clone(), node)),
            _ => None,
        });
        params.collect()
    }
}

fn plain(span: Span) -> Origin {
    Origin { span, layer: Layer::Plain, via: Via::Item }
}
