//! Environments to the graph: who runs where, after whom, by which strategy.

use super::{Eval, Evaluator, Scope, Stop, plain};
use crate::block;
use crate::check::{Clause, clause};
use crate::codes;
use crate::context::Context;
use crate::names::{Block, Symbol};
use crate::ty::Type;
use dax_core::{Diagnostic, Name, ResourceAddr, Span, Value};
use dax_ir::{After, Data, Environment, Need, Node, Provider, Service, Strategy, Via};
use dax_syntax::ast::{ExprKind, Member};
use indexmap::IndexMap;
use std::collections::{BTreeMap, HashMap};

/// The environments of the project, in source order.
pub(super) fn environments<'c, 'a>(context: &'c Context<'a>) -> impl Iterator<Item = &'c Block<'a>> {
    let values = &context.names.module(context.program.root).values;
    values.values().filter_map(|(symbol, _)| match symbol {
        Symbol::Environment(block) => Some(block),
        _ => None,
    })
}

impl<'a> Evaluator<'_, 'a> {
    pub(super) fn environment(&self, block: &Block<'a>) -> Environment {
        let mut environment =
            Environment { name: block.name.name.clone(), span: block.span, services: IndexMap::new(), after: self.after(block) };
        let Some(setup) = self.setup else { return environment };
        let mut strategies: HashMap<Name, Eval<Strategy>> = HashMap::new();
        let mut providers: HashMap<Name, Eval<Provider>> = HashMap::new();
        for (name, span) in &setup.bind_order {
            let Ok(desired) = self.service(name, *span) else {
                self.lost(name, *span);
                continue;
            };
            let Some((provider, _)) = setup.binds.get(name) else { continue };
            let strategy = match setup.rollouts.get(name) {
                None => self.built_in("immediate", *span),
                Some(expr) => match &expr.kind {
                    ExprKind::Name(name) => strategies.entry(name.clone()).or_insert_with(|| self.strategy(name, expr.span)).clone(),
                    _ => Err(Stop),
                },
            };
            let provider = match self.eval(provider, &mut Scope::of(self.context.program.root)).as_ref().map(Node::as_leaf) {
                Ok(Some(Value::Ref(key))) => providers.entry(key.clone()).or_insert_with(|| self.provider(key)).clone(),
                _ => Err(Stop),
            };
            if let (Ok(strategy), Ok(provider)) = (strategy, provider) {
                let addr = ResourceAddr::service(name);
                let needs = self.needs(name, &desired);
                let span = match self.context.names.value(self.context.program.root, name) {
                    Some(Symbol::Service(block)) => block.span,
                    _ => *span,
                };
                let service = Service { addr: addr.clone(), span, provider, desired: (*desired).clone(), needs, strategy };
                environment.services.insert(addr, service);
            } else {
                self.lost(name, *span);
            }
        }
        self.check_needs(&environment, setup);
        environment
    }

    /// A service that is left out without a word would be destroyed by the next apply: there is always a word.
    fn lost(&self, name: &Name, span: Span) {
        let reported = dax_core::diagnostic::has_errors(&self.context.diagnostics.borrow());
        if !reported && !self.lacks_param.get() {
            let detail = format!("`{name}` has no values and no other error says why");
            let help = "this is a mistake of dax: please report it with the program";
            self.report(Diagnostic::new(codes::NOT_COMPUTED, span, detail).help(help));
        }
    }

    fn after(&self, block: &Block<'a>) -> Vec<After> {
        let mut all = Vec::new();
        for member in block.body {
            let Some(Clause::After { environment, span, body }) = clause(member) else { continue };
            let mut soak_ms = 0;
            for field in body {
                if let Member::Field(field) = field
                    && let Ok(node) = self.eval(&field.value, &mut Scope::of(self.context.program.root))
                {
                    soak_ms = node.value().as_millis().unwrap_or(0);
                }
            }
            all.push(After { environment: environment.clone(), soak_ms, span });
        }
        all
    }

    /// Direct needs: those written in `needs` and those whose fields were read.
    fn needs(&self, name: &Name, desired: &Node) -> Vec<Need> {
        let mut needs = Vec::new();
        if let Some(Data::List(items)) = desired.get("needs").map(|node| &node.data) {
            for item in items {
                if let Some(Value::Ref(addr)) = item.as_leaf()
                    && let Ok(addr) = ResourceAddr::parse(addr)
                {
                    needs.push(Need { addr, span: item.origin.span });
                }
            }
        }
        if let Some(read) = self.reads.borrow().get(name) {
            for need in read {
                if !needs.iter().any(|known| known.addr == need.addr) {
                    needs.push(need.clone());
                }
            }
        }
        needs
    }

    fn strategy(&self, name: &Name, span: Span) -> Eval<Strategy> {
        let Some(Symbol::Strategy(block)) = self.context.names.value(self.context.program.root, name) else {
            return self.built_in(name, span);
        };
        let written = block.ty.ok_or(Stop)?;
        let dax_syntax::ast::TypeKind::Name { path, .. } = &written.kind else { return Err(Stop) };
        let kind = path.last().ok_or(Stop)?.name.clone();
        let ty = self.strategy_record(&kind)?;
        let config = self.body(block.body, &ty, block.span)?;
        Ok(Strategy { name: name.clone(), kind, config, span })
    }

    fn built_in(&self, kind: &str, span: Span) -> Eval<Strategy> {
        let ty = self.strategy_record(kind)?;
        let config = self.body(&[], &ty, span)?;
        Ok(Strategy { name: kind.into(), kind: kind.into(), config, span })
    }

    fn strategy_record(&self, kind: &str) -> Eval<Type<'a>> {
        let known = crate::check::STRATEGY_KINDS.contains(&kind);
        if known { Ok(self.context.prelude_type(kind)) } else { Err(Stop) }
    }

    fn provider(&self, key: &Name) -> Eval<Provider> {
        let root = self.context.program.root;
        let item = self.context.names.module(root).providers.get(key).ok_or(Stop)?;
        let ty = self.context.provider_type(root, item, false);
        let config = self.body(item.body, &ty, item.span)?;
        Ok(Provider { kind: item.alias.name.clone(), instance: key.clone(), config })
    }

    fn body(&self, members: &'a [Member], ty: &Type<'a>, span: Span) -> Eval<Node> {
        let record = ty.record().ok_or(Stop)?;
        let all = block::assignments(members, record, &mut Vec::new());
        let mut node = Node { data: Data::Map(BTreeMap::new()), origin: plain(span) };
        self.apply(&mut node, &all, record, Via::Item, self.context.program.root)?;
        self.conform(node, ty)
    }

    /// Every need is there, and none leads back to where it came from.
    fn check_needs(&self, environment: &Environment, setup: &super::layers::Setup<'a>) {
        for service in environment.services.values() {
            for need in &service.needs {
                if !setup.binds.contains_key(need.addr.name()) {
                    let detail = format!("`{}` needs `{}`", service.addr.name(), need.addr.name());
                    let help = format!("add `bind {} to …` to `{}`", need.addr.name(), environment.name);
                    self.report(Diagnostic::new(codes::NEED_NOT_BOUND, need.span, detail).help(help));
                }
            }
        }
        if let Some(circle) = shortest_circle(environment) {
            let names: Vec<&str> = circle.iter().map(|(service, _)| service.name()).collect();
            let detail = format!("{} → {}", names.join(" → "), names[0]);
            let mut diagnostic = Diagnostic::new(codes::CIRCULAR_SERVICES, circle[0].1, detail);
            for (at, (service, span)) in circle.iter().enumerate() {
                let next = circle[(at + 1) % circle.len()].0.name();
                diagnostic = diagnostic.related(*span, format!("`{}` needs `{next}` here", service.name()));
            }
            let last = circle.last().map_or("", |(service, _)| service.name());
            self.report(diagnostic.help(format!("take one edge away, for example what `{last}` needs")));
        }
    }
}

/// The shortest circle of needs, each service with the span that leads to the next.
fn shortest_circle(environment: &Environment) -> Option<Vec<(&ResourceAddr, Span)>> {
    let services = &environment.services;
    // Leaves first: what needs nothing, or only what is settled, is on no circle. Linear for sound graphs.
    let mut open: HashMap<&ResourceAddr, usize> = HashMap::with_capacity(services.len());
    let mut users: HashMap<&ResourceAddr, Vec<&ResourceAddr>> = HashMap::new();
    let mut settled: Vec<&ResourceAddr> = Vec::new();
    for service in services.values() {
        let needs: Vec<&Need> = service.needs.iter().filter(|need| services.contains_key(&need.addr)).collect();
        needs.iter().for_each(|need| users.entry(&need.addr).or_default().push(&service.addr));
        if needs.is_empty() {
            settled.push(&service.addr);
        }
        open.insert(&service.addr, needs.len());
    }
    let mut on_circle = services.len();
    while let Some(addr) = settled.pop() {
        on_circle -= 1;
        for user in users.remove(addr).unwrap_or_default() {
            let left = open.get_mut(user)?;
            *left -= 1;
            if *left == 0 {
                settled.push(user);
            }
        }
    }
    if on_circle == 0 {
        return None;
    }
    let starts = services.keys().filter(|addr| open.get(addr).is_some_and(|left| *left > 0));
    starts.filter_map(|start| circle_from(environment, start)).min_by_key(Vec::len)
}

/// The shortest way from a service back to itself.
fn circle_from<'g>(environment: &'g Environment, start: &'g ResourceAddr) -> Option<Vec<(&'g ResourceAddr, Span)>> {
    let mut came: HashMap<&ResourceAddr, (&ResourceAddr, Span)> = HashMap::new();
    let mut queue = std::collections::VecDeque::from([start]);
    while let Some(addr) = queue.pop_front() {
        for need in &environment.services.get(addr)?.needs {
            if need.addr == *start {
                let mut circle = vec![(addr, need.span)];
                let mut at = addr;
                while at != start {
                    let (before, span) = came[at];
                    circle.push((before, span));
                    at = before;
                }
                circle.reverse();
                return Some(circle);
            }
            if environment.services.contains_key(&need.addr) && !came.contains_key(&need.addr) {
                came.insert(&need.addr, (addr, need.span));
                queue.push_back(&need.addr);
            }
        }
    }
    None
}
