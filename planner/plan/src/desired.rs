//! What is wanted of an environment, from the program or from an earlier state.

use crate::model::{AppliedService, ApprovalGate, Gate};
use dax_core::{Name, ResourceAddr, Span, Value};
use dax_ir::{Data, Environment, Layer, Node};
use std::collections::BTreeMap;

/// What is wanted of an environment.
#[derive(Debug, Default)]
pub struct Desired<'g> {
    /// By address.
    pub services: BTreeMap<ResourceAddr, DesiredService<'g>>,
    /// What must hold first.
    pub gates: Vec<Gate>,
    /// Who must agree.
    pub approvals: Vec<ApprovalGate>,
}

/// What is wanted of a service.
#[derive(Debug)]
pub struct DesiredService<'g> {
    /// Its fields, from the program or from a state.
    pub fields: Fields<'g>,
    /// The provider instance.
    pub provider: Name,
    /// Provider settings, ports included.
    pub settings: BTreeMap<Name, Value>,
    /// What it needs.
    pub needs: Vec<ResourceAddr>,
    /// Name, kind and configuration of its strategy.
    pub strategy: (Name, Name, Value),
    /// Where the strategy is chosen.
    pub strategy_span: Span,
    /// Where it is written.
    pub span: Option<Span>,
}

/// Fields with their origins, or without where a state remembers only values.
#[derive(Clone, Copy, Debug)]
pub enum Fields<'g> {
    /// From the program.
    Node(&'g Node),
    /// From a state.
    Value(&'g Value),
}

impl Fields<'_> {
    /// The fields without provenance.
    pub fn value(self) -> Value {
        match self {
            Self::Node(node) => node.value(),
            Self::Value(value) => value.clone(),
        }
    }

    /// Whether the fields are these values; makes no copy.
    pub fn same(self, values: &Value) -> bool {
        match self {
            Self::Node(node) => same(node, values),
            Self::Value(value) => value == values,
        }
    }

    /// Where the value at a path was set, and whether by a type's default.
    pub fn origin(self, path: &str) -> Option<(Span, bool)> {
        let Self::Node(node) = self else { return None };
        let node = path.split('.').try_fold(node, |node, key| node.get(key))?;
        Some((node.origin.span, node.origin.layer == Layer::Type))
    }
}

fn same(node: &Node, value: &Value) -> bool {
    match (&node.data, value) {
        (Data::Leaf(leaf), value) => leaf == value,
        (Data::List(a), Value::List(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Data::Map(a), Value::Map(b)) => a.len() == b.len() && a.iter().zip(b).all(|((k, a), (l, b))| k == l && same(a, b)),
        _ => false,
    }
}

/// What the program wants of an environment; gates are open until somebody who knows the time says otherwise.
pub fn from_graph<'g>(environment: &'g Environment, locate: &dyn Fn(Span) -> String) -> Desired<'g> {
    let services = environment.services.values().map(|service| {
        let mut settings: BTreeMap<Name, Value> = BTreeMap::new();
        settings.insert("ports".into(), service.desired.get("ports").map_or(Value::None, Node::value));
        if let Value::Map(config) = service.provider.config.value() {
            settings.extend(config);
        }
        let strategy = &service.strategy;
        let desired = DesiredService {
            fields: Fields::Node(&service.desired),
            provider: service.provider.instance.clone(),
            settings,
            needs: service.needs.iter().map(|need| need.addr.clone()).collect(),
            strategy: (strategy.name.clone(), strategy.kind.clone(), strategy.config.value()),
            strategy_span: strategy.span,
            span: Some(service.span),
        };
        (service.addr.clone(), desired)
    });
    let gates = environment.after.iter().map(|after| Gate {
        after: after.environment.clone(),
        soak_ms: after.soak_ms,
        span: locate(after.span),
        blocked: None,
    });
    let approvals = environment.approvals.iter().map(|one| ApprovalGate { count: one.count, of: one.of.clone(), span: locate(one.span) });
    Desired { services: services.collect(), gates: gates.collect(), approvals: approvals.collect() }
}

/// What an earlier state held, to be reached at once.
pub fn from_state(state: &BTreeMap<ResourceAddr, AppliedService>) -> Desired<'_> {
    let services = state.iter().map(|(addr, applied)| {
        let config = Value::Map(BTreeMap::from([("retain".into(), Value::Int(2))]));
        let desired = DesiredService {
            fields: Fields::Value(&applied.values),
            provider: applied.provider.clone(),
            settings: applied.settings.clone(),
            needs: applied.needs.clone(),
            strategy: ("immediate".into(), "immediate".into(), config),
            strategy_span: Span::default(),
            span: None,
        };
        (addr.clone(), desired)
    });
    Desired { services: services.collect(), gates: Vec::new(), approvals: Vec::new() }
}
