//! Layers: how the values of an item, of `set` and of type defaults become one record.
//!
//! `default` < plain < `override`; two different values of one strength are an error that shows both.
//! Maps join by key, lists are replaced unless `+=`, `-=` or a repeated command says otherwise.

use super::{Eval, Evaluator, Scope, Stop, plain};
use crate::block::{self, Assignment, Filling, Join};
use crate::check::{Clause, clause};
use crate::codes;
use crate::context::Context;
use crate::names::{Block, Symbol};
use crate::program::ModuleId;
use crate::ty::{Record, Type};
use dax_core::{Diagnostic, Name, Span, Value};
use dax_ir::{Data, Layer, Need, Node, Origin, Via};
use dax_syntax::ast::{BinaryOp, Expr, ExprKind, Strength, UnaryOp};
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::Arc;

/// What one environment says about services, by service.
pub(crate) struct Setup<'a> {
    pub(super) binds: HashMap<Name, (&'a Expr, Span)>,
    pub(super) bind_order: Vec<(Name, Span)>,
    pub(super) rollouts: HashMap<Name, &'a Expr>,
    sets: HashMap<Name, Vec<Assignment<'a>>>,
    pub(super) service: Type<'a>,
}

impl<'a> Setup<'a> {
    pub(crate) fn of(context: &Context<'a>, block: &Block<'a>) -> Self {
        let service = context.prelude_type("Service");
        let mut setup = Self { binds: HashMap::new(), bind_order: Vec::new(), rollouts: HashMap::new(), sets: HashMap::new(), service };
        for member in block.body {
            match clause(member) {
                Some(Clause::Bind { services, provider, .. }) => {
                    for (name, span) in services {
                        if let Some((_, first)) = setup.binds.insert(name.clone(), (provider, span)) {
                            let diagnostic = Diagnostic::new(codes::BOUND_TWICE, span, format!("`{name}` is bound twice"));
                            context.report(diagnostic.related(first, "the first binding is here"));
                        } else {
                            setup.bind_order.push((name.clone(), span));
                        }
                    }
                }
                Some(Clause::Set { service, body, .. }) => {
                    if let Some(record) = setup.service.record() {
                        let all = block::assignments(body, record, &mut Vec::new());
                        setup.sets.entry(service.clone()).or_default().extend(all);
                    }
                }
                Some(Clause::Rollout { services, strategy }) => {
                    setup.rollouts.extend(services.into_iter().map(|(name, _)| (name.clone(), strategy)));
                }
                Some(Clause::After { .. }) | None => {}
            }
        }
        setup.unbound(context, block);
        setup
    }

    /// `set` and `rollout` of a service that does not run here say nothing, so they are mistakes.
    fn unbound(&self, context: &Context<'a>, block: &Block<'a>) {
        for member in block.body {
            let named: Vec<(&Name, Span)> = match clause(member) {
                Some(Clause::Set { service, span, .. }) => vec![(service, span)],
                Some(Clause::Rollout { services, .. }) => services,
                _ => continue,
            };
            for (name, span) in named {
                let exists = matches!(context.names.value(context.program.root, name), Some(Symbol::Service(_)));
                if exists && !self.binds.contains_key(name) {
                    let detail = format!("`{name}` is not bound in `{}`", block.name.name);
                    let help = format!("add `bind {name} to …` to the environment");
                    context.report(Diagnostic::new(codes::NOT_BOUND, span, detail).help(help));
                }
            }
        }
    }
}

/// Where assignments go.
struct Place<'p, 'a> {
    record: &'p Arc<Record<'a>>,
    via: Via,
    module: ModuleId,
    /// Metrics that conditions here may name.
    metrics: &'p [&'p Name],
}

/// A value that was offered for a place, for `dax why`.
#[derive(Clone, Debug)]
pub(crate) struct Offer {
    pub(crate) path: Vec<Name>,
    pub(crate) node: Node,
}

impl<'a> Evaluator<'_, 'a> {
    /// The fields of a service in this environment.
    pub(super) fn service(&self, name: &Name, span: Span) -> Eval<Rc<Node>> {
        match self.services.borrow().get(name) {
            Some(super::Slot::Done(result)) => return result.clone(),
            Some(super::Slot::Running) => return self.circle(name, span),
            None => {}
        }
        let (Some(setup), Some(Symbol::Service(block))) = (self.setup, self.context.names.value(self.context.program.root, name)) else {
            return Err(Stop);
        };
        self.services.borrow_mut().insert(name.clone(), super::Slot::Running);
        self.reading.borrow_mut().push((name.clone(), Vec::new()));
        let result = self.compute_service(setup, block, name).map(Rc::new);
        if let Some((name, needs)) = self.reading.borrow_mut().pop() {
            self.reads.borrow_mut().insert(name, needs);
        }
        self.services.borrow_mut().insert(name.clone(), super::Slot::Done(result.clone()));
        result
    }

    fn compute_service(&self, setup: &Setup<'a>, block: &Block<'a>, name: &Name) -> Eval<Node> {
        let record = setup.service.record().ok_or(Stop)?;
        let own = block::assignments(block.body, record, &mut Vec::new());
        let module = self.context.program.root;
        let origin = plain(block.span);
        let mut node = Node { data: Data::Map(BTreeMap::new()), origin };
        let mut result = self.apply(&mut node, &own, record, Via::Item, module);
        if let Some(sets) = setup.sets.get(name) {
            result = result.and(self.apply(&mut node, sets, record, Via::Set, module));
        }
        let node = self.conform(node, &setup.service);
        result.and(node)
    }

    fn circle<T>(&self, name: &Name, span: Span) -> Eval<T> {
        let reading = self.reading.borrow();
        let at = reading.iter().position(|(service, _)| service == name).unwrap_or(0);
        let circle: Vec<&str> = reading[at..].iter().map(|(service, _)| service.as_str()).collect();
        let detail = format!("{} → {name}", circle.join(" → "));
        let mut diagnostic = Diagnostic::new(codes::CIRCULAR_SERVICES, span, detail);
        for (service, needs) in &reading[at..] {
            if let Some(need) = needs.last() {
                diagnostic = diagnostic.related(need.span, format!("`{service}` needs `{}` here", need.addr.name()));
            }
        }
        let help = "take one of the edges away, for example by giving the value a name with `let`";
        self.report(diagnostic.help(help));
        Err(Stop)
    }

    /// Notes that the service being evaluated reads another.
    pub(super) fn read(&self, service: &str, span: Span) {
        if let Some((_, needs)) = self.reading.borrow_mut().last_mut() {
            let need = Need { addr: dax_core::ResourceAddr::service(service), span };
            if !needs.iter().any(|n| n.addr == need.addr) {
                needs.push(need);
            }
        }
    }

    /// Puts assignments into a record; goes on after a fault and says at the end that there was one.
    pub(super) fn apply(
        &self,
        target: &mut Node,
        all: &[Assignment<'a>],
        record: &Arc<Record<'a>>,
        via: Via,
        module: ModuleId,
    ) -> Eval<()> {
        // Conditions beside metrics name them, whatever else has the same name.
        let metrics: Vec<&Name> = all.iter().filter(|a| a.path.len() == 2 && a.path[0].name == "metric").map(|a| &a.path[1].name).collect();
        let place = Place { record, via, module, metrics: &metrics };
        let mut result = Ok(());
        for assignment in all {
            result = result.and(self.assign(target, assignment, &place));
        }
        result
    }

    fn assign(&self, target: &mut Node, assignment: &Assignment<'a>, place: &Place<'_, 'a>) -> Eval<()> {
        let Place { record, via, module, .. } = *place;
        let ty = target_type(record, assignment).ok_or(Stop)?;
        let layer = match assignment.strength {
            Strength::Default => Layer::Default,
            Strength::Plain => Layer::Plain,
            Strength::Override => Layer::Override,
        };
        let element = match (assignment.join, ty.core()) {
            (Join::Append, Type::List(element)) => (**element).clone(),
            _ => ty.clone(),
        };
        let mut node = self.filling(&assignment.filling, &element, place)?;
        if matches!(element, Type::Query)
            && let (Data::Map(map), Some(written)) = (&mut node.data, assignment.written)
        {
            let unit = self.context.resolve(module, written, false).core().to_string();
            map.insert("type".into(), Node::leaf(Value::str(unit), plain(written.span)));
        }
        stamp(&mut node, layer);
        set_via(&mut node, via);
        let current = self.reading.borrow().last().map(|(service, _)| service.clone());
        if let Some((wanted, trace)) = &self.trace
            && current.as_ref() == Some(wanted)
        {
            let path = assignment.path.iter().map(|part| part.name.clone()).collect();
            trace.borrow_mut().push(Offer { path, node: node.clone() });
        }
        let (last, outer) = assignment.path.split_last().ok_or(Stop)?;
        let Data::Map(root) = &mut target.data else { return Err(Stop) };
        let mut map = root;
        for name in outer {
            let empty = || Node { data: Data::Map(BTreeMap::new()), origin: node.origin };
            let Data::Map(inner) = &mut map.entry(name.name.clone()).or_insert_with(empty).data else { return Err(Stop) };
            map = inner;
        }
        let key = &last.name;
        let Some(there) = map.get_mut(key) else {
            if assignment.join != Join::Remove {
                let wrap = assignment.join == Join::Append;
                let origin = node.origin;
                let node = if wrap { Node { data: Data::List(vec![node]), origin } } else { node };
                map.insert(key.clone(), node);
            }
            return Ok(());
        };
        match (assignment.join, &mut there.data, node.data) {
            (Join::Append, Data::List(items), data) => items.push(Node { data, origin: node.origin }),
            (Join::Add, Data::List(items), Data::List(more)) => items.extend(more),
            (Join::Remove, Data::List(items), Data::List(gone)) => {
                let gone: Vec<Value> = gone.iter().map(Node::value).collect();
                items.retain(|item| !gone.contains(&item.value()));
            }
            (_, _, data) => return self.merge(there, Node { data, origin: node.origin }),
        }
        Ok(())
    }

    fn filling(&self, filling: &Filling<'a>, ty: &Type<'a>, place: &Place<'_, 'a>) -> Eval<Node> {
        match filling {
            Filling::Expr(expr) if matches!(ty, Type::Condition) => self.condition(expr, place),
            Filling::Expr(expr) => self.eval(expr, &mut Scope::of(place.module)),
            Filling::Word(word, span) => Ok(Node::leaf(Value::Str((*word).clone()), plain(*span))),
            Filling::Record(inner) => {
                let record = ty.record().ok_or(Stop)?;
                let span = inner.first().map_or(Span::default(), |a| a.span);
                let mut node = Node { data: Data::Map(BTreeMap::new()), origin: plain(span) };
                self.apply(&mut node, inner, record, Via::Item, place.module)?;
                Ok(node)
            }
        }
    }

    /// Joins a value with the one that is there.
    fn merge(&self, old: &mut Node, new: Node) -> Eval<()> {
        if let (Data::Map(map), Data::Map(_)) = (&mut old.data, &new.data) {
            let Data::Map(entries) = new.data else { return Err(Stop) };
            let mut result = Ok(());
            for (key, item) in entries {
                match map.get_mut(&key) {
                    Some(there) => result = result.and(self.merge(there, item)),
                    None => {
                        map.insert(key, item);
                    }
                }
            }
            return result;
        }
        match new.origin.layer.cmp(&old.origin.layer) {
            std::cmp::Ordering::Greater => *old = new,
            std::cmp::Ordering::Less => {}
            std::cmp::Ordering::Equal if old.value() == new.value() => {}
            std::cmp::Ordering::Equal => {
                let detail = format!("`{}` and `{}` are both wanted here", old.value(), new.value());
                let start = Span { end: new.origin.span.start, ..new.origin.span };
                let mut diagnostic = Diagnostic::new(codes::CONFLICT, new.origin.span, detail)
                    .related(old.origin.span, format!("`{}` comes from here", old.value()));
                diagnostic = if new.origin.layer == Layer::Override {
                    diagnostic.help("keep one of the two")
                } else {
                    diagnostic.help("mark the first one `default`, or this one `override`").fix(start, "override ")
                };
                self.report(diagnostic);
                return Err(Stop);
            }
        }
        Ok(())
    }

    /// A condition as data: `{ metric, op, value }`, joined by `all`, `any` and `not`.
    fn condition(&self, expr: &'a Expr, place: &Place<'_, 'a>) -> Eval<Node> {
        let map = |entries: Vec<(&'static str, Node)>| Node {
            data: Data::Map(entries.into_iter().map(|(key, node)| (Name::new_static(key), node)).collect()),
            origin: plain(expr.span),
        };
        match &expr.kind {
            ExprKind::Unary(UnaryOp::Not, inner) => Ok(map(vec![("not", self.condition(inner, place)?)])),
            ExprKind::Binary(op @ (BinaryOp::And | BinaryOp::Or), left, right) => {
                let both = Data::List(vec![self.condition(left, place)?, self.condition(right, place)?]);
                let word = if *op == BinaryOp::And { "all" } else { "any" };
                Ok(map(vec![(word, Node { data: both, origin: plain(expr.span) })]))
            }
            ExprKind::Binary(op, left, right) => {
                let is_metric = |e: &Expr| matches!(&e.kind, ExprKind::Name(name) if place.metrics.contains(&name));
                let (metric, constant, op) = if is_metric(left) { (left, right, *op) } else { (right, left, flip(*op)) };
                let ExprKind::Name(name) = &metric.kind else { return Err(Stop) };
                let value = self.eval(constant, &mut Scope::of(place.module))?;
                let leaf = |text: &str, span| Node::leaf(Value::str(text), plain(span));
                Ok(map(vec![("metric", leaf(name, metric.span)), ("op", leaf(op.symbol(), expr.span)), ("value", value)]))
            }
            _ => Err(Stop),
        }
    }
}

/// `5 > x` as `x < 5`.
fn flip(op: BinaryOp) -> BinaryOp {
    match op {
        BinaryOp::Less => BinaryOp::Greater,
        BinaryOp::LessEqual => BinaryOp::GreaterEqual,
        BinaryOp::Greater => BinaryOp::Less,
        BinaryOp::GreaterEqual => BinaryOp::LessEqual,
        other => other,
    }
}

/// The type at the end of an assignment's path; nothing when the path leads nowhere, which the checker reports.
fn target_type<'a>(record: &Arc<Record<'a>>, assignment: &Assignment<'a>) -> Option<Type<'a>> {
    let mut ty = Type::Record(record.clone());
    for name in &assignment.path {
        ty = match ty.core() {
            Type::Record(record) => record.fields.get(&name.name)?.ty.clone(),
            Type::Map(element) => (**element).clone(),
            _ => return None,
        };
    }
    Some(ty)
}

/// Gives every value without a mark of its own the strength of the field that it stands in.
pub(super) fn stamp(node: &mut Node, layer: Layer) {
    if node.origin.layer == Layer::Plain {
        node.origin.layer = layer;
    }
    match &mut node.data {
        Data::Leaf(_) => {}
        Data::List(items) => items.iter_mut().for_each(|item| stamp(item, layer)),
        Data::Map(map) => map.values_mut().for_each(|item| stamp(item, layer)),
    }
}

fn set_via(node: &mut Node, via: Via) {
    node.origin = Origin { via, ..node.origin };
    match &mut node.data {
        Data::Leaf(_) => {}
        Data::List(items) => items.iter_mut().for_each(|item| set_via(item, via)),
        Data::Map(map) => map.values_mut().for_each(|item| set_via(item, via)),
    }
}
