//! Environments to the graph: who runs where, after whom, by which strategy.

use super::layers::{Bind, Place};
use super::{Eval, Evaluator, Scope, Stop, plain};
use crate::block;
use crate::clauses::Clause;
use crate::codes;
use crate::context::Context;
use crate::names::{Block, Symbol, address_text};
use crate::ty::Type;
use dax_core::{Diagnostic, Name, ResourceAddr, Span, Value, people};
use dax_ir::{
    After, Approval, Data, Environment, Moved, Node, Provider, Release, Removed, Service, Strategy,
    Via, Window,
};
use dax_model::StrategyKind;
use dax_syntax::ast::{Expr, ExprKind, Member, TypeKind};
use indexmap::IndexMap;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

/// The environments of the project, in source order.
pub(super) fn environments<'c, 'a>(
    context: &'c Context<'a>,
) -> impl Iterator<Item = &'c Block<'a>> {
    let values = &context.names.module(context.program.root).values;
    values.values().filter_map(|(symbol, _)| match symbol {
        Symbol::Environment(block) => Some(block),
        _ => None,
    })
}

/// The environment of a name, `production` or `preview[12]`, with its key.
///
/// One that is keyed and named without a key is looked at with the key `0`, as a sample of all of them.
pub(super) fn environment_named<'c, 'a>(
    context: &'c Context<'a>,
    name: &str,
) -> Option<(&'c Block<'a>, Option<Name>)> {
    let (base, key) = dax_core::keyed(name);
    let block = environments(context).find(|block| block.name.name == base)?;
    let good = |key: &str| {
        !key.is_empty()
            && key.len() <= 63
            && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'))
    };
    match (&block.keyed, key) {
        (None, None) => Some((block, None)),
        (Some(_), None) => Some((block, Some(Name::new_static(SAMPLE)))),
        (Some(_), Some(key)) if good(key) => Some((block, Some(key.into()))),
        _ => None,
    }
}

/// The key that stands for all of them.
const SAMPLE: &str = "0";

/// Names in scope beside those of the module.
type Locals = [(Name, Rc<Node>)];

/// What was computed for one environment and serves several services.
#[derive(Default)]
struct Shared {
    strategies: HashMap<Name, Eval<Strategy>>,
    providers: HashMap<Name, Eval<Provider>>,
}

/// Gives resources addresses of their own: until here all names were alike.
fn name_resources(environment: &mut Environment) {
    let resources: BTreeSet<ResourceAddr> = environment
        .services
        .values()
        .filter(|service| service.resource)
        .map(|service| service.addr.clone())
        .collect();
    if resources.is_empty() {
        return;
    }
    let named = |addr: ResourceAddr| {
        if resources.contains(&addr) { ResourceAddr::object(addr.name()) } else { addr }
    };
    let services = std::mem::take(&mut environment.services);
    environment.services = services
        .into_values()
        .map(|mut service| {
            service.addr = named(service.addr);
            service.needs.iter_mut().for_each(|need| need.addr = named(need.addr.clone()));
            (service.addr.clone(), service)
        })
        .collect();
    environment.adopts = std::mem::take(&mut environment.adopts)
        .into_iter()
        .map(|(addr, from)| (named(addr), from))
        .collect();
    for release in &mut environment.releases {
        release.services = std::mem::take(&mut release.services).into_iter().map(named).collect();
    }
}

impl<'a> Evaluator<'_, 'a> {
    pub(super) fn environment(&self, block: &Block<'a>) -> Environment {
        let mut environment = Environment {
            name: self.instance.clone().unwrap_or_else(|| block.name.name.clone()),
            span: block.span,
            services: IndexMap::new(),
            preview: self.context.is_preview(block),
            after: self.after(block),
            approvals: self.approvals(),
            on_failure: "rollback".into(),
            windows: Vec::new(),
            releases: Vec::new(),
            adopts: BTreeMap::new(),
            sources: BTreeMap::new(),
            moved: Vec::new(),
            removed: Vec::new(),
        };
        self.settings(&mut environment);
        self.history(&mut environment);
        let Some(setup) = self.setup else { return environment };
        let mut shared = Shared::default();
        let mut made: Vec<(Service, Rc<Node>)> = Vec::new();
        for name in &setup.bind_order {
            let Some(bind) = setup.binds.get(name) else { continue };
            let before = made.len();
            if self.instances(name, bind, &mut shared, &mut made).is_err() {
                made.truncate(before);
                self.lost(name, bind.span);
            }
        }
        // Nobody reads services of each other any more, so most values have one owner and need no copy.
        self.services.borrow_mut().clear();
        for (mut service, desired) in made {
            service.desired = Rc::try_unwrap(desired).unwrap_or_else(|shared| (*shared).clone());
            environment.services.insert(service.addr.clone(), service);
        }
        self.groups(&mut environment);
        self.sources(&mut environment, &mut shared);
        self.place_needs(&mut environment);
        self.check_needs(&environment, setup);
        self.check_probes(&environment);
        name_resources(&mut environment);
        environment
    }

    /// A bound service, once for each key of its provider; the fields are put in at the end.
    fn instances(
        &self,
        name: &Name,
        bind: &Bind<'a>,
        shared: &mut Shared,
        made: &mut Vec<(Service, Rc<Node>)>,
    ) -> Eval<()> {
        let root = self.context.program.root;
        let setup = self.setup.ok_or(Stop)?;
        let desired = self.service(name, bind.span)?;
        let strategy = match setup.rollouts.get(name) {
            None => self.built_in(StrategyKind::Immediate, bind.span),
            Some(expr) => {
                let named = self.context.service_named(root, expr).ok_or(Stop)?;
                shared.strategies.entry(named).or_insert_with(|| self.strategy(expr)).clone()
            }
        }?;
        let keys = match &bind.keyed {
            None => vec![None],
            Some(_) => {
                let item = self.context.provider_named(root, bind.provider).ok_or(Stop)?;
                let (_, keys) = item.keyed.as_ref().ok_or(Stop)?;
                self.keys(root, keys)?.into_iter().map(Some).collect()
            }
        };
        let target = self.eval(bind.provider, &mut Scope::of(root))?;
        let item = self.context.provider_named(root, bind.provider).ok_or(Stop)?;
        for key in keys {
            let reference = match &key {
                None => target.as_leaf(),
                Some(key) => target.get(key).and_then(Node::as_leaf),
            };
            let Some(Value::Ref(instance)) = reference else { return Err(Stop) };
            let provider = shared
                .providers
                .entry(instance.clone())
                .or_insert_with(|| self.provider(instance))
                .clone()?;
            let locals: Vec<(Name, Rc<Node>)> = match (&bind.keyed, &key) {
                (Some(name), Some(key)) => vec![(
                    name.name.clone(),
                    Rc::new(Node::leaf(Value::Str(key.clone()), plain(name.span))),
                )],
                _ => Vec::new(),
            };
            let ty = self.context.binding_type(root, item);
            let binding = self.body(bind.body, &ty, bind.span, &locals)?;
            let addr = match &key {
                None => ResourceAddr::service(name),
                Some(key) => ResourceAddr::service(&format!("{name}[{key}]")),
            };
            let span = self.context.service(name).map_or(bind.span, |(_, block)| block.span);
            let resource =
                self.context.service(name).is_some_and(|(_, block)| block.resource.is_some());
            let needs = self.needs(name, if resource { None } else { Some(&desired) });
            let protected = setup.protected.contains(name);
            let (later, strategy) = (Node::leaf(Value::None, plain(span)), strategy.clone());
            made.push((
                Service {
                    addr,
                    span,
                    resource,
                    provider,
                    binding,
                    key,
                    desired: later,
                    needs,
                    strategy,
                    protected,
                },
                desired.clone(),
            ));
        }
        Ok(())
    }

    /// A service that is left out without a word would be destroyed by the next apply: there is always a word.
    fn lost(&self, name: &Name, span: Span) {
        let reported = self.context.program.faulty
            || dax_core::diagnostic::has_errors(&self.context.diagnostics.borrow());
        if !reported && !self.lacks_param.get() {
            let detail = format!("`{name}` has no values and no other error says why");
            let help = "this is a mistake of dax: please report it with the program";
            self.report(Diagnostic::new(codes::NOT_COMPUTED, span, detail).help(help));
        }
    }

    fn after(&self, block: &Block<'a>) -> Vec<After> {
        let ty = self.context.prelude_type("After");
        let clauses = block.body.iter().filter_map(|member| self.context.clause(member));
        let after = |clause| {
            let Clause::After { environment, span, body } = clause else { return None };
            let said = self.body(body, &ty, span, &[]).ok()?.value();
            let millis = |name: &str| said.get(name).and_then(Value::as_millis).unwrap_or(0);
            let verified = said.get("verified") == Some(&Value::Bool(true));
            Some(After {
                environment: environment.clone(),
                soak_ms: millis("soak"),
                verified,
                valid_ms: millis("valid"),
                span,
            })
        };
        clauses.filter_map(after).collect()
    }

    /// `on failure …` and `window …`; the last word on failure counts.
    fn settings(&self, environment: &mut Environment) {
        let (Some(setup), ty) = (self.setup, self.context.prelude_type("Environment")) else {
            return;
        };
        for member in &setup.settings {
            let span = match member {
                Member::Field(field) => field.span,
                Member::Command(command) => command.span,
            };
            let Ok(node) = self.body(std::slice::from_ref(*member), &ty, span, &[]) else {
                continue;
            };
            let said = node.value();
            let text =
                |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(Name::new);
            for on in said.get("on").map_or(&[][..], Value::items) {
                environment.on_failure = text(on, "policy").unwrap_or_default();
            }
            for window in said.get("window").map_or(&[][..], Value::items) {
                let days = window
                    .get("days")
                    .map_or(&[][..], Value::items)
                    .iter()
                    .filter_map(|day| Some(Name::new(day.as_str()?)));
                environment.windows.push(Window {
                    days: days.collect(),
                    from: text(window, "from").unwrap_or_default(),
                    to: text(window, "to").unwrap_or_default(),
                    zone: text(window, "zone").unwrap_or_default(),
                    span,
                });
            }
        }
    }

    /// What strategies measure with.
    fn sources(&self, environment: &mut Environment, shared: &mut Shared) {
        let strategies = environment.services.values().map(|service| &service.strategy.config);
        let from = strategies.filter_map(|config| config.get("analysis")?.get("from")?.as_leaf());
        let named: BTreeSet<Name> = from
            .filter_map(|from| if let Value::Ref(name) = from { Some(name.clone()) } else { None })
            .collect();
        for name in named {
            if let Ok(provider) =
                shared.providers.entry(name.clone()).or_insert_with(|| self.provider(&name)).clone()
            {
                environment.sources.insert(name, provider);
            }
        }
    }

    /// What the project says of services that it had.
    fn history(&self, environment: &mut Environment) {
        let names = self.context.names.module(self.context.program.root);
        let moved = names.moved.iter().filter_map(|item| {
            let addr = |expr| Some(ResourceAddr::service(&address_text(expr)?));
            Some(Moved { from: addr(item.from)?, to: addr(item.to)?, span: item.span })
        });
        environment.moved = moved.collect();
        let removed = names.removed.iter().filter_map(|item| {
            let addr = ResourceAddr::service(&address_text(item.target)?);
            Some(Removed { addr, keep: item.keep, span: item.span })
        });
        environment.removed = removed.collect();
    }

    /// What is released together and what is adopted, for services that run here.
    fn groups(&self, environment: &mut Environment) {
        let Some(setup) = self.setup else { return };
        let known: Vec<ResourceAddr> = environment.services.keys().cloned().collect();
        for (name, services) in &setup.releases {
            let services = known
                .iter()
                .filter(|addr| services.iter().any(|one| one == addr.base()))
                .cloned()
                .collect();
            environment.releases.push(Release { name: name.clone(), services });
        }
        for (name, from) in &setup.adopts {
            let object = match from {
                None => None,
                Some(expr) => self
                    .eval(expr, &mut Scope::of(self.context.program.root))
                    .ok()
                    .and_then(|node| node.value().as_str().map(Name::new)),
            };
            for addr in known.iter().filter(|addr| addr.name() == name || addr.base() == name) {
                environment.adopts.insert(addr.clone(), object.clone());
            }
        }
    }

    fn approvals(&self) -> Vec<Approval> {
        let root = self.context.program.root;
        let read = |(count, of, span): &(&'a Expr, &'a Expr, Span)| {
            let count = self.eval(count, &mut Scope::of(root)).ok()?.value().as_int()?;
            let of = self.eval(of, &mut Scope::of(root)).ok()?.value();
            let of: Vec<Name> =
                of.items().iter().filter_map(|one| Some(Name::new(one.as_str()?))).collect();
            for one in of.iter().filter(|one| !people::is_name(one)) {
                let shown: String = one.chars().take(40).collect();
                let detail = format!("{shown:?} is nobody's name");
                let help = format!("a person, a group or a team has {}", people::ALLOWED);
                self.report(Diagnostic::new(codes::REFINEMENT, *span, detail).help(help));
            }
            Some(Approval { count: u32::try_from(count).ok()?, of, span: *span })
        };
        self.setup
            .map(|setup| setup.approvals.iter().filter_map(read).collect())
            .unwrap_or_default()
    }

    fn strategy(&self, expr: &'a Expr) -> Eval<Strategy> {
        let root = self.context.program.root;
        let (module, name) = match &expr.kind {
            ExprKind::Name(name) => (root, name),
            ExprKind::Get(alias, name) => match &alias.kind {
                ExprKind::Name(alias) => match self.context.names.value(root, alias) {
                    Some(Symbol::Import(module)) => (*module, &name.name),
                    _ => return Err(Stop),
                },
                _ => return Err(Stop),
            },
            _ => return Err(Stop),
        };
        let Some(Symbol::Strategy(block)) = self.context.names.value(module, name) else {
            return self.built_in(StrategyKind::parse(name).ok_or(Stop)?, expr.span);
        };
        let written = block.ty.ok_or(Stop)?;
        let TypeKind::Name { path, .. } = &written.kind else { return Err(Stop) };
        let kind = StrategyKind::parse(&path.last().ok_or(Stop)?.name).ok_or(Stop)?;
        let ty = self.context.prelude_type(kind.word());
        let config = self.body_in(block.body, &ty, block.span, module, &[])?;
        Ok(Strategy { name: self.context.address(module, name), kind, config, span: expr.span })
    }

    fn built_in(&self, kind: StrategyKind, span: Span) -> Eval<Strategy> {
        let ty = self.context.prelude_type(kind.word());
        let config = self.body(&[], &ty, span, &[])?;
        Ok(Strategy { name: kind.word().into(), kind, config, span })
    }

    /// A provider's instance: `local.machine`, `kubernetes.cluster[eu-west-1]`.
    fn provider(&self, instance: &Name) -> Eval<Provider> {
        let root = self.context.program.root;
        let (name, key) = match instance.split_once('[') {
            Some((name, key)) => (name, Some(key.trim_end_matches(']'))),
            None => (instance.as_str(), None),
        };
        let item = self.context.names.module(root).providers.get(name).ok_or(Stop)?;
        let ty = self.context.provider_type(root, item, false);
        let locals: Vec<(Name, Rc<Node>)> = match (&item.keyed, key) {
            (Some((name, _)), Some(key)) => {
                vec![(name.name.clone(), Rc::new(Node::leaf(Value::str(key), plain(name.span))))]
            }
            _ => Vec::new(),
        };
        let config = self.body(item.body, &ty, item.span, &locals)?;
        let connects = !self.context.sets_services(root, item);
        Ok(Provider { kind: item.alias.name.clone(), instance: instance.clone(), config, connects })
    }

    fn body(
        &self,
        members: &'a [Member],
        ty: &Type<'a>,
        span: Span,
        locals: &Locals,
    ) -> Eval<Node> {
        self.body_in(members, ty, span, self.context.program.root, locals)
    }

    fn body_in(
        &self,
        members: &'a [Member],
        ty: &Type<'a>,
        span: Span,
        module: crate::ModuleId,
        locals: &Locals,
    ) -> Eval<Node> {
        let record = ty.record().ok_or(Stop)?;
        let all = block::assignments(members, record, &mut Vec::new());
        let mut node = Node { data: Data::Map(BTreeMap::new()), origin: plain(span) };
        self.apply(&mut node, &all, &Place { record: ty, via: Via::Item, module, locals })?;
        self.conform(node, ty)
    }
}
