//! Puts a plan together: what each service needs done, in the order that needs allow.

use crate::desired::{Desired, DesiredService};
use crate::image::LiveState;
use crate::model::{
    Action, AppliedService, Change, FORMAT_VERSION, Idempotency, LeafChange, Mode, Owner, Plan, Reason, Retry, StateVersion, Step, StepId,
    StepKind,
};
use crate::revision::{self, REVISION_FIELDS};
use crate::strategy::{self, Draft, Incoming, Sequence};
use crate::{diff, invariants};
use dax_core::{Diagnostic, LiveService, Name, ResourceAddr, RevisionId, Span, Value, WHOLE};
use petgraph::graph::DiGraph;
use std::collections::BTreeMap;

/// What to plan from. No defaults: each caller states every choice.
pub struct Request<'r> {
    /// The project.
    pub project: Name,
    /// The environment.
    pub environment: Name,
    /// What the plan is for.
    pub mode: Mode,
    /// Parameters of the program.
    pub params: BTreeMap<Name, Value>,
    /// Digest of the program's texts.
    pub sources: Name,
    /// The state that `applied` is.
    pub base: StateVersion,
    /// What dax applied last.
    pub applied: &'r BTreeMap<ResourceAddr, AppliedService>,
    /// What runs.
    pub live: &'r LiveState,
    /// Turns a span into `file:line:column`.
    pub locate: &'r dyn Fn(Span) -> String,
}

/// What one service needs done.
struct Work {
    change: Change,
    drafts: Vec<Draft>,
    provider: Name,
    needs: Vec<ResourceAddr>,
    observed: Option<LiveService>,
    result: Option<AppliedService>,
}

/// Orders the steps that lead from what runs to what is wanted; a plan with errors is not to be applied.
pub fn plan(desired: &Desired<'_>, request: &Request<'_>) -> (Plan, Vec<Diagnostic>) {
    let mut diagnostics = Vec::new();
    let mut work: BTreeMap<ResourceAddr, Work> = BTreeMap::new();
    let mut unchanged = 0;
    for (addr, service) in &desired.services {
        let (_, kind, config) = &service.strategy;
        let problems = strategy::problems(kind, config, service.strategy_span);
        let sound = problems.is_empty();
        diagnostics.extend(problems);
        match wanted(addr, service, request) {
            Some(done) if sound => {
                work.insert(addr.clone(), done);
            }
            Some(_) => {}
            None => unchanged += 1,
        }
    }
    for (addr, applied) in request.applied {
        if !desired.services.contains_key(addr) {
            work.insert(addr.clone(), unwanted(addr, applied, request));
        }
    }
    let order = order(&work);
    let mut plan = Plan {
        format_version: FORMAT_VERSION,
        project: request.project.clone(),
        environment: request.environment.clone(),
        mode: request.mode,
        params: request.params.clone(),
        sources: request.sources.clone(),
        base: request.base.clone(),
        approvals: desired.approvals.clone(),
        gates: desired.gates.clone(),
        changes: Vec::new(),
        unchanged,
        steps: Vec::new(),
        observed: BTreeMap::new(),
        result: BTreeMap::new(),
    };
    assemble(&mut plan, work, &order);
    for broken in invariants::prove(&plan) {
        let service = desired.services.get(&broken.service);
        let span = service.and_then(|s| s.span).unwrap_or_default();
        diagnostics.push(Diagnostic::new(crate::BROKEN_INVARIANT, span, broken.to_string()));
    }
    dax_core::diagnostic::sort(&mut diagnostics);
    (plan, diagnostics)
}

/// What a wanted service needs done; nothing when it is as it should be.
fn wanted(addr: &ResourceAddr, service: &DesiredService<'_>, request: &Request<'_>) -> Option<Work> {
    let applied = request.applied.get(addr);
    let live = request.live.get(addr);
    if let (Some(applied), Some(live)) = (applied, live)
        && service.fields.same(&applied.values)
        && service.settings == applied.settings
        && service.needs == applied.needs
        && runs_as_applied(applied, live)
    {
        return None;
    }
    let values = service.fields.value();
    let spec = revision::spec(&values);
    let incoming = Incoming { id: revision::id(&spec), spec, replicas: values.get("replicas").and_then(Value::as_int).unwrap_or(1) };
    let live_values = live.map(diff::live_values);
    let mut leaves = diff::leaves(service.fields, applied.map(|a| &a.values), live_values.as_ref(), request.locate);
    leaves.extend(setting_changes(service, applied, live));
    let (name, kind, config) = &service.strategy;
    let mut sequence = Sequence::of(live);
    if !sequence.exists {
        sequence.create_service(&service.settings);
    } else if sequence.object.settings != service.settings {
        sequence.update_service(&service.settings);
    }
    let from = sequence.object.active().cloned();
    let takes_over = from.as_ref() != Some(&incoming.id);
    if takes_over {
        sequence.roll_out(&incoming, kind, config);
    } else {
        if let Some(live) = live
            && live.traffic != BTreeMap::from([(incoming.id.clone(), WHOLE)])
        {
            let shares = crate::image::traffic_value(&live.traffic);
            leaves.push(plain_change(
                "traffic",
                Some(shares),
                Some(Value::Map([(incoming.id.0.clone(), Value::Int(i64::from(WHOLE)))].into())),
            ));
        }
        sequence.roll_out(&incoming, "immediate", config);
    }
    let retain = config.get("retain").and_then(Value::as_int).and_then(|n| usize::try_from(n).ok()).unwrap_or(2);
    let retained = prune(&mut sequence, &incoming.id, from.as_ref(), applied, retain);
    let revised = leaves.iter().any(|leaf| REVISION_FIELDS.contains(&leaf.path.split('.').next().unwrap_or("")));
    let (action, reason) = match (live, applied) {
        (None, None) => (Action::Create, Reason::New),
        (None, Some(_)) => (Action::Create, Reason::Lost),
        (Some(_), _) => {
            let drifted = leaves.iter().any(|leaf| leaf.owner == Owner::Other || leaf.path == "traffic");
            let changed = leaves.iter().any(|leaf| leaf.owner != Owner::Other && leaf.path != "traffic");
            let action = if takes_over || revised { Action::Rollout } else { Action::Update };
            (action, if drifted && !changed { Reason::Drifted } else { Reason::Changed })
        }
    };
    let rollback_within_ms =
        config.get("on").map_or(&[][..], Value::items).iter().find_map(|on| on.get("rollback")?.get("within")?.as_millis());
    let change = Change {
        addr: addr.clone(),
        action,
        reason: if request.mode == Mode::Rollback { Reason::RolledBack } else { reason },
        strategy: (action == Action::Rollout && from.is_some()).then(|| (name.clone(), kind.clone())),
        from: from.filter(|_| takes_over),
        to: takes_over.then(|| incoming.id.clone()),
        leaves,
        span: service.span.map(|span| (request.locate)(span)),
        rollback_within_ms: rollback_within_ms.unwrap_or(300_000),
    };
    let result = AppliedService {
        provider: service.provider.clone(),
        values,
        settings: service.settings.clone(),
        revision: incoming.id,
        retained,
        needs: service.needs.clone(),
    };
    Some(Work {
        change,
        drafts: sequence.drafts,
        provider: service.provider.clone(),
        needs: service.needs.clone(),
        observed: live.cloned(),
        result: Some(result),
    })
}

fn runs_as_applied(applied: &AppliedService, live: &LiveService) -> bool {
    let whole = live.traffic.len() == 1 && live.traffic.get(&applied.revision) == Some(&WHOLE);
    let replicas = applied.values.get("replicas").and_then(Value::as_int);
    let at_rest = live.revisions.iter().all(|(id, r)| *id == applied.revision || r.replicas == 0);
    let scaled = live.revisions.get(&applied.revision).map(|r| r.replicas) == replicas;
    whole && scaled && at_rest && live.settings == applied.settings
}

fn plain_change(path: &str, before: Option<Value>, after: Option<Value>) -> LeafChange {
    LeafChange { path: path.into(), before, after, live: None, owner: Owner::Dax, origin: None }
}

/// Provider settings that change; ports are a field of the service and stand there.
fn setting_changes(service: &DesiredService<'_>, applied: Option<&AppliedService>, live: Option<&LiveService>) -> Vec<LeafChange> {
    let Some(before) = applied.map(|a| &a.settings).or(live.map(|l| &l.settings)) else {
        return Vec::new();
    };
    let names = service.settings.keys().chain(before.keys().filter(|name| !service.settings.contains_key(*name)));
    names
        .filter(|name| *name != "ports" && before.get(*name) != service.settings.get(*name))
        .map(|name| plain_change(&format!("{}.{name}", service.provider), before.get(name).cloned(), service.settings.get(name).cloned()))
        .collect()
}

/// Removes revisions beyond those kept for rollback; gives those kept, newest first.
fn prune(
    sequence: &mut Sequence,
    current: &RevisionId,
    from: Option<&RevisionId>,
    applied: Option<&AppliedService>,
    retain: usize,
) -> Vec<RevisionId> {
    let mut kept: Vec<RevisionId> = Vec::new();
    let known = applied.map(|a| a.retained.as_slice()).unwrap_or_default();
    for id in from.into_iter().chain(known) {
        if id != current && sequence.object.revisions.contains_key(id) && !kept.contains(id) && kept.len() < retain {
            kept.push(id.clone());
        }
    }
    let gone: Vec<RevisionId> = sequence.object.revisions.keys().filter(|id| *id != current && !kept.contains(id)).cloned().collect();
    for id in gone {
        sequence.delete_revision(&id);
    }
    kept
}

/// What a service that is no longer wanted needs done.
fn unwanted(addr: &ResourceAddr, applied: &AppliedService, request: &Request<'_>) -> Work {
    let live = request.live.get(addr);
    let mut sequence = Sequence::of(live);
    if live.is_some() {
        sequence.shift(BTreeMap::new());
        let ids: Vec<RevisionId> = sequence.object.revisions.keys().cloned().collect();
        for id in &ids {
            sequence.scale(id, 0);
        }
        for id in &ids {
            sequence.delete_revision(id);
        }
        sequence.delete_service();
    }
    let change = Change {
        addr: addr.clone(),
        action: if live.is_some() { Action::Delete } else { Action::Forget },
        reason: match request.mode {
            Mode::Apply => Reason::Removed,
            Mode::Rollback => Reason::RolledBack,
            Mode::Destroy => Reason::Destroyed,
        },
        strategy: None,
        from: live.map(|_| applied.revision.clone()),
        to: None,
        leaves: Vec::new(),
        span: None,
        rollback_within_ms: 300_000,
    };
    let (drafts, needs) = (sequence.drafts, applied.needs.clone());
    Work { change, drafts, provider: applied.provider.clone(), needs, observed: live.cloned(), result: None }
}

/// Services in the order in which they may begin, each with those that must be done before it.
///
/// What is needed comes first when it is made or changed, and last when it is removed.
fn order(work: &BTreeMap<ResourceAddr, Work>) -> Vec<(ResourceAddr, Vec<ResourceAddr>)> {
    let mut graph = DiGraph::<&ResourceAddr, ()>::new();
    let nodes: BTreeMap<&ResourceAddr, _> = work.keys().map(|addr| (addr, graph.add_node(addr))).collect();
    for (addr, item) in work {
        for need in &item.needs {
            if let (Some(needed), Some(other)) = (nodes.get(need), work.get(need)) {
                let (first, then) = if other.result.is_none() { (nodes[addr], *needed) } else { (*needed, nodes[addr]) };
                graph.update_edge(first, then, ());
            }
        }
    }
    // The program's graph has no circle; a state's may, when services were removed: fall back to names.
    let sorted = petgraph::algo::toposort(&graph, None).unwrap_or_else(|_| graph.node_indices().collect());
    let rank: BTreeMap<_, usize> = sorted.iter().enumerate().map(|(rank, node)| (*node, rank)).collect();
    let before = |node| {
        let mut all: Vec<ResourceAddr> = graph
            .neighbors_directed(node, petgraph::Direction::Incoming)
            .filter(|other| rank[other] < rank[&node])
            .map(|other| graph[other].clone())
            .collect();
        all.sort();
        all
    };
    // Level by level and by name inside a level, so that equal inputs give equal plans.
    let mut level: BTreeMap<ResourceAddr, usize> = BTreeMap::new();
    let mut all = Vec::new();
    for node in sorted {
        let before = before(node);
        let depth = before.iter().filter_map(|addr| level.get(addr)).max().map_or(0, |depth| depth + 1);
        level.insert(graph[node].clone(), depth);
        all.push((graph[node].clone(), before));
    }
    all.sort_by(|a, b| (level[&a.0], &a.0).cmp(&(level[&b.0], &b.0)));
    all
}

fn assemble(plan: &mut Plan, mut work: BTreeMap<ResourceAddr, Work>, order: &[(ResourceAddr, Vec<ResourceAddr>)]) {
    let mut last: BTreeMap<&ResourceAddr, StepId> = BTreeMap::new();
    for (addr, before) in order {
        let Some(item) = work.remove(addr) else { continue };
        let mut previous: Vec<StepId> = before.iter().filter_map(|addr| last.get(addr).copied()).collect();
        let mut cause: Vec<String> =
            item.change.leaves.iter().filter(|l| l.owner != Owner::Default).filter_map(|l| l.origin.clone()).collect();
        cause.sort();
        cause.dedup();
        for (at, draft) in item.drafts.into_iter().enumerate() {
            let id = StepId(u32::try_from(plan.steps.len()).unwrap_or(u32::MAX));
            let waits = matches!(draft.kind, StepKind::Hold { .. });
            plan.steps.push(Step {
                id,
                service: addr.clone(),
                provider: item.provider.clone(),
                after: std::mem::replace(&mut previous, vec![id]),
                pre: draft.pre,
                post: draft.post,
                inverse: draft.inverse,
                idempotency: if matches!(draft.kind, StepKind::AwaitReady { .. }) { Idempotency::ReadToDecide } else { Idempotency::ByKey },
                retry: if waits { Retry::Never } else { Retry::Transient },
                timeout_ms: draft.timeout_ms,
                expected_ms: draft.expected_ms,
                calls: u32::from(!waits),
                kind: draft.kind,
                cause: if at == 0 { std::mem::take(&mut cause) } else { Vec::new() },
                rollback_point: at == 0,
            });
            last.insert(addr, id);
        }
        plan.changes.push(item.change);
        plan.observed.insert(addr.clone(), item.observed);
        plan.result.insert(addr.clone(), item.result);
    }
}
