//! What is wanted of an environment, from the program or from an earlier state.

use crate::model::{AppliedService, ApprovalGate, Gate, OnFailure, Window};
use dax_core::{Name, ResourceAddr, Span, Value};
use dax_ir::{Data, Environment, Layer, Node};
use dax_model::StrategyKind;
use std::borrow::Cow;
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
    /// What happens when a step fails.
    pub on_failure: OnFailure,
    /// Services that are taken back together.
    pub releases: BTreeMap<Name, Vec<ResourceAddr>>,
    /// Addresses that services had before: old and new; without a key all instances are meant.
    pub moved: Vec<(ResourceAddr, ResourceAddr)>,
    /// Services that the program no longer has and that are to stay, or that are to go.
    pub removed: BTreeMap<ResourceAddr, Removed>,
}

impl DesiredService<'_> {
    /// Whether it is an object of its platform that runs nothing.
    pub fn is_object(&self) -> bool {
        self.settings.contains_key(OBJECT)
    }
}

/// What becomes of a service that the program no longer has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removed {
    /// It stays as it is; dax forgets it.
    Keep,
    /// It is removed.
    Destroy,
}

/// What is wanted of a service.
#[derive(Debug)]
pub struct DesiredService<'g> {
    /// Its fields, from the program or from a state.
    pub fields: Fields<'g>,
    /// The provider instance.
    pub provider: Name,
    /// What it is called there when it is taken over; its own name without.
    pub object: Option<Name>,
    /// Whether what runs there already is taken over.
    pub adopt: bool,
    /// Whether it must not be destroyed.
    pub protected: bool,
    /// Provider settings, ports included.
    pub settings: BTreeMap<Name, Value>,
    /// What it needs.
    pub needs: Vec<ResourceAddr>,
    /// Name, kind and configuration of its strategy.
    pub strategy: (Name, StrategyKind, Value),
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

    /// Leaves that are not known yet: path and what each waits for.
    pub fn unknown(self) -> Vec<(Name, Name)> {
        let mut found = Vec::new();
        if let Self::Node(node) = self {
            unknown(node, &mut Vec::new(), &mut found);
        }
        found
    }
}

fn same(node: &Node, value: &Value) -> bool {
    match (&node.data, value) {
        (Data::Leaf(leaf), value) => leaf == value,
        (Data::List(a), Value::List(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Data::Map(a), Value::Map(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|((k, a), (l, b))| k == l && same(a, b))
        }
        _ => false,
    }
}

/// Collects leaves that are not known; the path so far is a stack, because hardly ever is one of them wanted.
fn unknown<'n>(node: &'n Node, path: &mut Vec<Cow<'n, str>>, found: &mut Vec<(Name, Name)>) {
    match &node.data {
        Data::Leaf(Value::Unknown(unknown)) => {
            found.push((path.join(".").into(), unknown.cause.clone()))
        }
        Data::Leaf(_) => {}
        Data::List(items) => {
            for (at, item) in items.iter().enumerate() {
                path.push(at.to_string().into());
                unknown(item, path, found);
                path.pop();
            }
        }
        Data::Map(map) => {
            for (key, item) in map {
                path.push(key.as_str().into());
                unknown(item, path, found);
                path.pop();
            }
        }
    }
}

/// The setting that holds an object which runs nothing, whole.
pub const OBJECT: &str = "object";
/// The setting that tells a platform of a strategy which one of its controllers carries out.
pub const HANDED_OVER: &str = "strategy";
/// What such a controller has to know: the rest is still the plan's.
const TOLD: [&str; 8] =
    ["mode", "step", "route", "mirror", "preview", "hold", "scale_down_delay", "analysis"];

/// What a platform is told of a strategy that one of its controllers carries out: its kind, what it says, and how the
/// source of its metrics is reached.
fn handed_over(kind: StrategyKind, config: &Value, environment: &Environment) -> Option<Value> {
    config.get("mode").and_then(Value::as_str).filter(|mode| *mode != "native")?;
    let said = |value: &Value| {
        *value != Value::None && !matches!(value, Value::List(items) if items.is_empty())
    };
    let told =
        config.entries().filter(|(name, value)| TOLD.contains(&name.as_str()) && said(value));
    let mut told: BTreeMap<Name, Value> =
        told.map(|(name, value)| (name.clone(), value.clone())).collect();
    told.insert("kind".into(), Value::str(kind.word()));
    let from = config.get("analysis").and_then(|analysis| analysis.get("from")?.as_str());
    if let Some(source) = from.and_then(|from| environment.sources.get(from)) {
        told.insert("source".into(), source.config.value());
    }
    Some(Value::Map(told))
}

/// What the program wants of an environment.
pub fn from_graph<'g>(
    environment: &'g Environment,
    locate: &dyn Fn(Span) -> String,
) -> Desired<'g> {
    let services = environment.services.values().map(|service| {
        let mut settings: BTreeMap<Name, Value> = BTreeMap::new();
        if service.resource {
            settings.insert(OBJECT.into(), service.desired.value());
        } else {
            settings.insert(
                "ports".into(),
                service.desired.get("ports").map_or(Value::None, Node::value),
            );
        }
        let config =
            if service.provider.connects { &service.binding } else { &service.provider.config };
        if let Value::Map(config) = config.value() {
            settings.extend(config);
        }
        let strategy = &service.strategy;
        let config = strategy.config.value();
        settings.extend(
            handed_over(strategy.kind, &config, environment)
                .map(|handed| (HANDED_OVER.into(), handed)),
        );
        let adopted = environment.adopts.get(&service.addr);
        let desired = DesiredService {
            fields: Fields::Node(&service.desired),
            provider: service.provider.instance.clone(),
            object: adopted.cloned().flatten(),
            adopt: adopted.is_some(),
            protected: service.protected,
            settings,
            needs: service.needs.iter().map(|need| need.addr.clone()).collect(),
            strategy: (strategy.name.clone(), strategy.kind, config),
            strategy_span: strategy.span,
            span: Some(service.span),
        };
        (service.addr.clone(), desired)
    });
    let after = environment.after.iter().map(|after| Gate::After {
        environment: after.environment.clone(),
        soak_ms: after.soak_ms,
        verified: after.verified,
        valid_ms: after.valid_ms,
        span: locate(after.span),
    });
    let mut gates: Vec<Gate> = after.collect();
    if !environment.windows.is_empty() {
        let windows = environment.windows.iter().map(|window| Window {
            days: window.days.clone(),
            from: window.from.clone(),
            to: window.to.clone(),
            zone: window.zone.clone(),
            span: locate(window.span),
        });
        gates.push(Gate::Windows(windows.collect()));
    }
    let approvals = environment.approvals.iter().map(|one| ApprovalGate {
        count: one.count,
        of: one.of.clone(),
        span: locate(one.span),
    });
    let removed = environment
        .removed
        .iter()
        .map(|one| (one.addr.clone(), if one.keep { Removed::Keep } else { Removed::Destroy }));
    Desired {
        services: services.collect(),
        gates,
        approvals: approvals.collect(),
        on_failure: match environment.on_failure.as_str() {
            "rollback_all" => OnFailure::RollbackAll,
            "hold" => OnFailure::Hold,
            "continue" => OnFailure::Continue,
            _ => OnFailure::Rollback,
        },
        releases: environment
            .releases
            .iter()
            .map(|release| (release.name.clone(), release.services.clone()))
            .collect(),
        moved: environment.moved.iter().map(|one| (one.from.clone(), one.to.clone())).collect(),
        removed: removed.collect(),
    }
}

/// What an earlier state held, to be reached at once.
pub fn from_state(state: &BTreeMap<ResourceAddr, AppliedService>) -> Desired<'_> {
    let services = state.iter().map(|(addr, applied)| {
        let config = Value::Map(BTreeMap::from([("retain".into(), Value::Int(2))]));
        let desired = DesiredService {
            fields: Fields::Value(&applied.values),
            provider: applied.provider.clone(),
            object: Some(applied.object.clone()).filter(|object| !object.is_empty()),
            adopt: true,
            protected: applied.protected,
            settings: applied.settings.clone(),
            needs: applied.needs.clone(),
            strategy: (StrategyKind::Immediate.word().into(), StrategyKind::Immediate, config),
            strategy_span: Span::default(),
            span: None,
        };
        (addr.clone(), desired)
    });
    Desired { services: services.collect(), ..Desired::default() }
}
