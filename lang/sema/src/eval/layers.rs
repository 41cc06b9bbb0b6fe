//! Layers: what an item, `patch`, an environment and what it builds upon say about services.

use super::merge::{set_via, stamp};
use super::{Eval, Evaluator, Scope, Stop, plain};
use crate::block::{self, Assignment, Filling, Join, field_of};
use crate::clauses::Clause;
use crate::codes;
use crate::context::Context;
use crate::names::Block;
use crate::program::ModuleId;
use crate::ty::Type;
use dax_core::{Diagnostic, Name, Span, Value};
use dax_ir::{Data, Layer, Node, Via};
use dax_syntax::ast::{BinaryOp, Expr, ExprKind, Ident, Member, Strength, UnaryOp};
use std::collections::{BTreeMap, HashMap};

/// How a service is bound.
#[derive(Clone)]
pub(super) struct Bind<'a> {
    pub(super) provider: &'a Expr,
    /// The name of the key, where the service runs on every instance of the provider.
    pub(super) keyed: Option<Ident>,
    pub(super) body: &'a [Member],
    pub(super) span: Span,
}

/// What one environment says about services, by service.
pub(crate) struct Setup<'a> {
    pub(super) binds: HashMap<Name, Bind<'a>>,
    pub(super) bind_order: Vec<Name>,
    pub(super) rollouts: HashMap<Name, &'a Expr>,
    pub(super) sets: HashMap<Name, Vec<Assignment<'a>>>,
    pub(super) patches: HashMap<Name, Vec<Assignment<'a>>>,
    pub(super) protected: Vec<Name>,
    pub(super) approvals: Vec<(&'a Expr, &'a Expr, Span)>,
    pub(super) releases: Vec<(Name, Vec<Name>)>,
    pub(super) adopts: Vec<(Name, Option<&'a Expr>)>,
    pub(super) settings: Vec<&'a Member>,
}

impl<'a> Setup<'a> {
    pub(crate) fn of(context: &Context<'a>, block: &Block<'a>) -> Self {
        let mut setup = Self::empty();
        for environment in &context.environment_chain(&block.name.name) {
            setup.add(context, environment, &|_| true);
        }
        setup.add_patches(context);
        setup.unbound(context, block);
        setup
    }

    /// What it says about values alone: it knows nothing of what runs where, and is made without looking at each service.
    pub(crate) fn of_values(context: &Context<'a>, block: &Block<'a>) -> Self {
        let mut setup = Self::empty();
        for environment in &context.environment_chain(&block.name.name) {
            setup.add(context, environment, &|word| word == "set");
        }
        setup.add_patches(context);
        setup
    }

    fn empty() -> Self {
        Self {
            binds: HashMap::new(),
            bind_order: Vec::new(),
            rollouts: HashMap::new(),
            sets: HashMap::new(),
            patches: HashMap::new(),
            protected: Vec::new(),
            approvals: Vec::new(),
            releases: Vec::new(),
            adopts: Vec::new(),
            settings: Vec::new(),
        }
    }

    /// What the members that begin with wanted words say.
    fn add(&mut self, context: &Context<'a>, block: &Block<'a>, wanted: &dyn Fn(&str) -> bool) {
        let mut own: Vec<Name> = Vec::new();
        for member in block.body {
            if matches!(member, Member::Command(command) if !wanted(&command.word.name)) {
                continue;
            }
            match context.clause(member) {
                Some(Clause::Bind { services, provider, keyed, body }) => {
                    for (name, span) in services {
                        let bind = Bind { provider, keyed: keyed.clone(), body, span };
                        let before = self.binds.insert(name.clone(), bind);
                        match before {
                            Some(first) if own.contains(&name) => {
                                let diagnostic = Diagnostic::new(
                                    codes::BOUND_TWICE,
                                    span,
                                    format!("`{name}` is bound twice"),
                                );
                                context.report(
                                    diagnostic.related(first.span, "the first binding is here"),
                                );
                            }
                            Some(_) => {}
                            None => self.bind_order.push(name.clone()),
                        }
                        own.push(name);
                    }
                }
                Some(Clause::Set { service: (name, _), body }) => {
                    if let Some(record) = context.service_type(&name).record() {
                        let all = block::assignments(body, record, &mut Vec::new());
                        self.sets.entry(name).or_default().extend(all);
                    }
                }
                Some(Clause::Rollout { services, strategy }) => {
                    self.rollouts.extend(services.into_iter().map(|(name, _)| (name, strategy)));
                }
                Some(Clause::Protect { services }) => {
                    self.protected.extend(services.into_iter().map(|(name, _)| name))
                }
                Some(Clause::Approve { count, of, span }) => self.approvals.push((count, of, span)),
                Some(Clause::Release { name, services }) => {
                    self.releases
                        .push((name.clone(), services.into_iter().map(|(name, _)| name).collect()));
                }
                Some(Clause::Adopt { service: (name, _), from }) => self.adopts.push((name, from)),
                Some(Clause::Setting(member)) => self.settings.push(member),
                Some(Clause::After { .. } | Clause::Preview(_)) | None => {}
            }
        }
    }

    fn add_patches(&mut self, context: &Context<'a>) {
        let root = context.program.root;
        for patch in &context.names.module(root).patches {
            let Some(name) = context.service_named(root, patch.target) else { continue };
            if let Some(record) = context.service_type(&name).record() {
                let all = block::assignments(patch.body, record, &mut Vec::new());
                self.patches.entry(name).or_default().extend(all);
            }
        }
    }

    /// What is said of a service that does not run here says nothing, so it is a mistake.
    fn unbound(&self, context: &Context<'a>, block: &Block<'a>) {
        for member in block.body {
            let named = match context.clause(member) {
                Some(Clause::Set { service, .. }) => vec![service],
                Some(
                    Clause::Rollout { services, .. }
                    | Clause::Protect { services }
                    | Clause::Release { services, .. },
                ) => services,
                _ => continue,
            };
            for (name, span) in named {
                if context.service(&name).is_some() && !self.binds.contains_key(&name) {
                    let detail = format!("`{name}` is not bound in `{}`", block.name.name);
                    let help = format!("add `bind {name} to …` to the environment");
                    context.report(Diagnostic::new(codes::NOT_BOUND, span, detail).help(help));
                }
            }
        }
    }
}

/// Where assignments go.
pub(super) struct Place<'p, 'a> {
    pub(super) record: &'p Type<'a>,
    pub(super) via: Via,
    pub(super) module: ModuleId,
    /// Names that the expressions here may use beside those of the module.
    pub(super) locals: &'p [(Name, std::rc::Rc<Node>)],
}

/// A value that was offered for a place, for `dax why`.
#[derive(Clone, Debug)]
pub(crate) struct Offer {
    pub(crate) path: Vec<Name>,
    pub(crate) node: Node,
}

impl<'a> Evaluator<'_, 'a> {
    /// Puts assignments into a record; goes on after a fault and says at the end that there was one.
    pub(super) fn apply(
        &self,
        target: &mut Node,
        all: &[Assignment<'a>],
        place: &Place<'_, 'a>,
    ) -> Eval<()> {
        // Conditions beside metrics name them, whatever else has the same name.
        let metrics: Vec<&Name> = all
            .iter()
            .filter(|a| a.path.len() == 2 && a.path[0].name == "metric")
            .map(|a| &a.path[1].name)
            .collect();
        let mut result = Ok(());
        for assignment in all {
            result = result.and(self.assign(target, assignment, place, &metrics));
        }
        result
    }

    fn assign(
        &self,
        target: &mut Node,
        assignment: &Assignment<'a>,
        place: &Place<'_, 'a>,
        metrics: &[&Name],
    ) -> Eval<()> {
        let ty = target_type(place.record, assignment).ok_or(Stop)?;
        let layer = match assignment.strength {
            Strength::Default => Layer::Default,
            Strength::Plain => Layer::Plain,
            Strength::Override => Layer::Override,
            Strength::Sealed => Layer::Sealed,
        };
        let element = match (assignment.join, ty.core()) {
            (Join::Append, Type::List(element)) => (**element).clone(),
            _ => ty.clone(),
        };
        let mut node = self.filling(&assignment.filling, &element, place, metrics)?;
        if matches!(element.core(), Type::Query)
            && let (Data::Map(map), Some(written)) = (&mut node.data, assignment.written)
        {
            let unit = self.context.resolve(place.module, written, false).core().to_string();
            map.insert("type".into(), Node::leaf(Value::str(unit), plain(written.span)));
        }
        stamp(&mut node, layer);
        set_via(&mut node, place.via);
        self.offer(assignment, &node);
        let (last, outer) = assignment.path.split_last().ok_or(Stop)?;
        let Data::Map(root) = &mut target.data else { return Err(Stop) };
        let mut map = root;
        for name in outer {
            let empty = || Node { data: Data::Map(BTreeMap::new()), origin: node.origin };
            let Data::Map(inner) = &mut map.entry(name.name.clone()).or_insert_with(empty).data
            else {
                return Err(Stop);
            };
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
        if there.origin.layer == Layer::Sealed && assignment.join != Join::Set {
            return self.sealed(there, &node);
        }
        match (assignment.join, &mut there.data, node.data) {
            (Join::Append | Join::Add, Data::List(_), data) if ty.keyed_by().is_some() => {
                let origin = node.origin;
                let data = if assignment.join == Join::Append {
                    Data::List(vec![Node { data, origin }])
                } else {
                    data
                };
                self.merge(there, Node { data, origin }, &ty)
            }
            (Join::Append, Data::List(items), data) => {
                items.push(Node { data, origin: node.origin });
                Ok(())
            }
            (Join::Add, Data::List(items), Data::List(more)) => {
                items.extend(more);
                Ok(())
            }
            (Join::Remove, Data::List(items), Data::List(gone)) => {
                let gone: Vec<Value> = gone.iter().map(Node::value).collect();
                items.retain(|item| !gone.contains(&item.value()));
                Ok(())
            }
            (_, _, data) => self.merge(there, Node { data, origin: node.origin }, &ty),
        }
    }

    /// Notes a value for `dax why`.
    fn offer(&self, assignment: &Assignment<'a>, node: &Node) {
        let current = self.reading.borrow().last().map(|(service, _)| service.clone());
        if let Some((wanted, trace)) = &self.trace
            && current.as_ref() == Some(wanted)
        {
            let path = assignment.path.iter().map(|part| part.name.clone()).collect();
            trace.borrow_mut().push(Offer { path, node: node.clone() });
        }
    }

    fn filling(
        &self,
        filling: &Filling<'a>,
        ty: &Type<'a>,
        place: &Place<'_, 'a>,
        metrics: &[&Name],
    ) -> Eval<Node> {
        match filling {
            Filling::Expr(expr) if matches!(ty.core(), Type::Condition) => {
                self.condition(expr, place.module, metrics)
            }
            Filling::Expr(expr) => {
                self.eval(expr, &mut Scope { module: place.module, locals: place.locals.to_vec() })
            }
            Filling::Word(word, span) => Ok(Node::leaf(Value::Str((*word).clone()), plain(*span))),
            Filling::Record(inner) => {
                let span = inner.first().map_or(Span::default(), |a| a.span);
                let mut node = Node { data: Data::Map(BTreeMap::new()), origin: plain(span) };
                let place = Place { record: ty, via: Via::Item, ..*place };
                self.apply(&mut node, inner, &place)?;
                Ok(node)
            }
        }
    }

    /// A condition as data: `{ metric, op, value }`, joined by `all`, `any` and `not`.
    fn condition(&self, expr: &'a Expr, module: ModuleId, metrics: &[&Name]) -> Eval<Node> {
        let map = |entries: Vec<(&'static str, Node)>| Node {
            data: Data::Map(
                entries.into_iter().map(|(key, node)| (Name::new_static(key), node)).collect(),
            ),
            origin: plain(expr.span),
        };
        match &expr.kind {
            ExprKind::Unary(UnaryOp::Not, inner) => {
                Ok(map(vec![("not", self.condition(inner, module, metrics)?)]))
            }
            ExprKind::Binary(op @ (BinaryOp::And | BinaryOp::Or), left, right) => {
                let both = Data::List(vec![
                    self.condition(left, module, metrics)?,
                    self.condition(right, module, metrics)?,
                ]);
                let word = if *op == BinaryOp::And { "all" } else { "any" };
                Ok(map(vec![(word, Node { data: both, origin: plain(expr.span) })]))
            }
            ExprKind::Binary(op, left, right) => {
                let is_metric =
                    |e: &Expr| matches!(&e.kind, ExprKind::Name(name) if metrics.contains(&name));
                let (metric, constant, op) =
                    if is_metric(left) { (left, right, *op) } else { (right, left, flip(*op)) };
                let ExprKind::Name(name) = &metric.kind else { return Err(Stop) };
                let value = self.eval(constant, &mut Scope::of(module))?;
                let leaf = |text: &str, span| Node::leaf(Value::str(text), plain(span));
                Ok(map(vec![
                    ("metric", leaf(name, metric.span)),
                    ("op", leaf(op.symbol(), expr.span)),
                    ("value", value),
                ]))
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
fn target_type<'a>(record: &Type<'a>, assignment: &Assignment<'a>) -> Option<Type<'a>> {
    assignment.path.iter().try_fold(record.clone(), |ty, name| field_of(&ty, &name.name))
}
