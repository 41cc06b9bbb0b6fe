//! Puts a plan together: what each service needs done, in the order that needs allow.

use crate::desired::{Desired, Removed};
use crate::model::{
    Change, Deferred, Estimate, FORMAT_VERSION, Idempotency, Mode, Owner, Plan, Retry, Step,
    StepId, Task,
};
use crate::passes::{defer, estimate, moved, order, risk, select, waves};
use crate::request::Request;
use crate::work::{self, Past, Work};
use crate::{digest, invariants, strategy};
use dax_core::{Diagnostic, Name, ResourceAddr};
use dax_model::{Operation, Traits};
use std::collections::BTreeMap;

/// Orders the steps that lead from what runs to what is wanted; a plan with errors is not to be applied.
pub fn plan(desired: &Desired<'_>, request: &Request<'_>) -> (Plan, Vec<Diagnostic>) {
    let renamed = match request.mode {
        Mode::Rollback => moved::rename(request.applied, &moved::back(desired, request.applied)),
        Mode::Apply | Mode::Destroy => moved::rename(request.applied, &desired.moved),
    };
    let (chosen, mut diagnostics) = select::select(&request.selection, desired, &renamed.applied);
    let mut all = Found {
        work: BTreeMap::new(),
        unknown: BTreeMap::new(),
        left_out: Vec::new(),
        unreachable: Vec::new(),
        unchanged: 0,
    };
    for (addr, service) in &desired.services {
        let applied_on = renamed.applied.get(addr).map(|applied| &applied.provider);
        if std::iter::once(&service.provider)
            .chain(applied_on)
            .any(|provider| request.unreachable.contains(provider))
        {
            all.lost(addr, chosen.contains(addr));
            continue;
        }
        let unknown = service.fields.unknown();
        if !unknown.is_empty() {
            if chosen.contains(addr) {
                all.unknown.insert(addr.clone(), unknown);
            } else {
                all.left_out.push(addr.clone());
            }
            continue;
        }
        let past = Past {
            addr,
            applied: renamed.applied.get(addr),
            from: renamed.from.get(addr),
            request,
        };
        let (_, kind, config) = &service.strategy;
        let traits = (request.traits)(&service.provider);
        let problems =
            strategy::problems(*kind, config, service.strategy_span, &service.provider, &traits);
        let sound = problems.is_empty();
        diagnostics.extend(problems);
        match work::wanted(&past, service) {
            Ok(None) => all.unchanged += 1,
            Ok(Some(work)) if sound => all.add(addr, work, chosen.contains(addr)),
            Ok(Some(_)) => {}
            Err(problem) if chosen.contains(addr) => diagnostics.push(*problem),
            Err(_) => all.left_out.push(addr.clone()),
        }
    }
    for (addr, applied) in
        renamed.applied.iter().filter(|(addr, _)| !desired.services.contains_key(*addr))
    {
        if request.unreachable.contains(&applied.provider) {
            all.lost(addr, chosen.contains(addr));
            continue;
        }
        let past = Past { addr, applied: Some(applied), from: renamed.from.get(addr), request };
        all.add(
            addr,
            work::unwanted(&past, applied, removed(desired, addr)),
            chosen.contains(addr),
        );
    }
    let deferred =
        defer::defer(&mut all.work, desired, &renamed.applied, &all.unknown, request.locate);
    let mut plan = empty(desired, request);
    (plan.unchanged, plan.left_out, plan.unreachable, plan.deferred) =
        (all.unchanged, all.left_out, all.unreachable, deferred);
    let waves = waves::waves(&all.work, desired, request.mode);
    let order = order::order(&all.work, &waves, request.mode);
    assemble(&mut plan, all.work, &order, request.traits);
    plan.releases.retain(|_, services| {
        services.retain(|addr| plan.result.contains_key(addr));
        services.len() > 1
    });
    for change in &plan.changes {
        let before = request.applied.get(change.moved_from.as_ref().unwrap_or(&change.addr));
        plan.known.insert(change.addr.clone(), before.map(digest::fingerprint));
    }
    for broken in invariants::prove(&plan) {
        let service = desired.services.get(&broken.service);
        let span = service.and_then(|s| s.span).unwrap_or_default();
        diagnostics.push(Diagnostic::new(crate::BROKEN_INVARIANT, span, broken.to_string()));
    }
    dax_core::diagnostic::sort(&mut diagnostics);
    (plan, diagnostics)
}

/// What there is to do, before it has an order.
struct Found {
    work: BTreeMap<ResourceAddr, Work>,
    unknown: BTreeMap<ResourceAddr, Vec<(Name, Name)>>,
    left_out: Vec<ResourceAddr>,
    unreachable: Vec<ResourceAddr>,
    unchanged: usize,
}

impl Found {
    /// Nothing is known of a service.
    fn lost(&mut self, addr: &ResourceAddr, chosen: bool) {
        if chosen { self.unreachable.push(addr.clone()) } else { self.left_out.push(addr.clone()) }
    }

    fn add(&mut self, addr: &ResourceAddr, work: Work, chosen: bool) {
        if chosen {
            self.work.insert(addr.clone(), work);
        } else {
            self.left_out.push(addr.clone());
        }
    }
}

/// What `removed` says of an address, or of the service whose instance it is.
fn removed(desired: &Desired<'_>, addr: &ResourceAddr) -> Option<Removed> {
    desired
        .removed
        .get(addr)
        .or_else(|| desired.removed.get(&ResourceAddr::service(addr.base())))
        .copied()
}

fn empty(desired: &Desired<'_>, request: &Request<'_>) -> Plan {
    Plan {
        format_version: FORMAT_VERSION,
        project: request.project.clone(),
        environment: request.environment.clone(),
        mode: request.mode,
        params: request.params.clone(),
        providers: request.providers.clone(),
        sources: request.sources.clone(),
        base: request.base.clone(),
        gates: desired.gates.clone(),
        approvals: desired.approvals.clone(),
        on_failure: desired.on_failure,
        releases: desired.releases.clone(),
        changes: Vec::new(),
        deferred: Vec::<Deferred>::new(),
        left_out: Vec::new(),
        unreachable: Vec::new(),
        unchanged: 0,
        steps: Vec::new(),
        estimate: Estimate::default(),
        observed: BTreeMap::new(),
        known: BTreeMap::new(),
        result: BTreeMap::new(),
    }
}

fn assemble(
    plan: &mut Plan,
    mut work: BTreeMap<ResourceAddr, Work>,
    order: &[(ResourceAddr, Vec<ResourceAddr>)],
    traits: &dyn Fn(&Name) -> Traits,
) {
    let mut last: BTreeMap<ResourceAddr, Vec<StepId>> = BTreeMap::new();
    for (addr, before) in order {
        let Some(item) = work.remove(addr) else { continue };
        let mut previous: Vec<StepId> =
            before.iter().filter_map(|addr| last.get(addr)).flatten().copied().collect();
        previous.sort_unstable();
        previous.dedup();
        let mut cause = cause(&item.change);
        let mut rollback_point = true;
        let first = plan.steps.len();
        for part in item.parts {
            plan.observed
                .entry(part.provider.clone())
                .or_default()
                .insert(part.object.clone(), part.observed);
            for draft in part.drafts {
                let id = StepId(u32::try_from(plan.steps.len()).unwrap_or(u32::MAX));
                plan.steps.push(Step {
                    id,
                    service: addr.clone(),
                    provider: part.provider.clone(),
                    object: part.object.clone(),
                    after: std::mem::replace(&mut previous, vec![id]),
                    pre: draft.pre,
                    post: draft.post,
                    inverse: draft.inverse,
                    idempotency: idempotency(&draft.task, &part.provider, traits),
                    retry: retry(&draft.task),
                    timeout_ms: draft.timeout_ms,
                    expected_ms: draft.expected_ms,
                    calls: estimate::calls(&draft.task, draft.expected_ms),
                    task: draft.task,
                    cause: std::mem::take(&mut cause),
                    rollback_point: std::mem::take(&mut rollback_point),
                });
            }
        }
        // Who waits for a service without steps of its own waits for whom that waits.
        last.insert(addr.clone(), previous);
        let mut change = item.change;
        change.risks = risk::risks(&change, &plan.steps[first..]);
        plan.changes.push(change);
        plan.result.insert(addr.clone(), item.result);
    }
    defer::name_steps(&mut plan.deferred, &last);
    plan.estimate = estimate::estimate(&plan.steps);
}

/// The places in the program that cause a change.
pub(crate) fn cause(change: &Change) -> Vec<String> {
    let leaves = change.leaves.iter().filter(|leaf| leaf.owner != Owner::Default);
    let mut cause: Vec<String> = leaves.filter_map(|leaf| leaf.origin.clone()).collect();
    cause.sort();
    cause.dedup();
    cause
}

/// Which failures of a step are tried again.
pub(crate) const fn retry(kind: &Task) -> Retry {
    if work::waits(kind) { Retry::Never } else { Retry::Transient }
}

fn idempotency(kind: &Task, provider: &Name, traits: &dyn Fn(&Name) -> Traits) -> Idempotency {
    match kind {
        Task::Call(Operation::AwaitReady { .. })
        | Task::Hold { .. }
        | Task::Gate { .. }
        | Task::Analyse { .. } => Idempotency::ReadToDecide,
        Task::Call(Operation::Migrate { .. }) if traits(provider).commands_once => {
            Idempotency::ByTag
        }
        Task::Call(Operation::Migrate { .. }) => Idempotency::Ask,
        _ => Idempotency::ByKey,
    }
}
