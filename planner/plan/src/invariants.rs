//! Promises proved over the whole plan before anyone sees it.
//!
//! The steps are walked in order over the objects that the plan was made from. At every state the traffic
//! is whole or none, goes to no revision that was not proved ready but one of which nothing is wanted, and enough
//! replicas are ready; every step can be taken back.

use crate::model::{InverseClass, Plan, Step, StepId, Task};
use dax_core::{Name, ResourceAddr, RevisionId, Value};
use dax_model::{LiveService, Operation, Route, WHOLE};
use std::collections::{BTreeMap, BTreeSet};

/// A promise that a step would break.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The step.
    pub step: StepId,
    /// The service.
    pub service: ResourceAddr,
    /// Which promise.
    pub promise: Promise,
}

/// What a plan promises.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Promise {
    /// Shares sum to the whole; here is what they sum to.
    WholeTraffic(u32),
    /// Traffic goes only to revisions that were proved ready; here is one that was not.
    ReadyBeforeTraffic(String),
    /// As many replicas are ready as were promised: promised, ready.
    Available(i64, i64),
    /// Every step can be taken back.
    Inverse,
    /// Steps come after what they wait for.
    Order,
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "step {} of {}: ", self.step, self.service)?;
        match &self.promise {
            Promise::WholeTraffic(sum) => {
                write!(f, "the shares of the traffic sum to {}%", f64::from(*sum) / 100.0)
            }
            Promise::ReadyBeforeTraffic(revision) => {
                write!(f, "revision {revision} would take traffic before it was proved ready")
            }
            Promise::Available(least, ready) => {
                write!(f, "only {ready} replicas would be ready, {least} were promised")
            }
            Promise::Inverse => f.write_str("it cannot be taken back"),
            Promise::Order => f.write_str("it waits for a step that comes later"),
        }
    }
}

/// Every promise that the plan would break.
pub fn prove(plan: &Plan) -> Vec<Broken> {
    prove_over(plan, |provider, object| plan.observed(provider, object))
}

/// Every promise that the plan would break where these objects run.
pub fn prove_over<'l>(
    plan: &Plan,
    runs: impl Fn(&str, &str) -> Option<&'l LiveService>,
) -> Vec<Broken> {
    let mut broken = Vec::new();
    let mut objects: BTreeMap<(&Name, &Name), LiveService> = BTreeMap::new();
    let least = promised(plan, &runs);
    let resting = resting(plan);
    for step in &plan.steps {
        let observed = || runs(&step.provider, &step.object).cloned().unwrap_or_default();
        let object = objects.entry((&step.provider, &step.object)).or_insert_with(observed);
        // What serves nobody already is not this step's doing, and must not keep anybody from mending it.
        let already: BTreeSet<RevisionId> = unready(object).cloned().collect();
        if let Some(operation) = step.task.operation() {
            advance(object, operation);
        }
        let mut say =
            |promise| broken.push(Broken { step: step.id, service: step.service.clone(), promise });
        if step.after.iter().any(|before| *before >= step.id) {
            say(Promise::Order);
        }
        if !invertible(step) {
            say(Promise::Inverse);
        }
        let sum: u32 = object.traffic.values().sum();
        if sum != WHOLE && !object.traffic.is_empty() {
            say(Promise::WholeTraffic(sum));
        }
        let fresh: BTreeSet<&RevisionId> =
            unready(object).filter(|id| !already.contains(*id) && !resting.contains(id)).collect();
        for id in fresh {
            say(Promise::ReadyBeforeTraffic(id.to_string()));
        }
        if let Some(least) = least.get(&(&step.provider, &step.object))
            && !object.traffic.is_empty()
        {
            let ready: i64 = object
                .traffic
                .keys()
                .filter_map(|id| object.revisions.get(id))
                .map(|r| r.ready)
                .sum();
            if ready < *least {
                say(Promise::Available(*least, ready));
            }
        }
    }
    broken
}

/// Revisions of which nothing is wanted: their service keeps its place and answers nobody, until it is scaled up.
fn resting(plan: &Plan) -> BTreeSet<&RevisionId> {
    let none = |values: &Value| values.get("replicas").and_then(Value::as_int) == Some(0);
    let results = plan.result.values().flatten();
    results.filter(|result| none(&result.values)).map(|result| &result.revision).collect()
}

/// Revisions that requests reach and that nobody answers for.
fn unready(object: &LiveService) -> impl Iterator<Item = &RevisionId> {
    let reached = object.traffic.keys().chain(object.routes.iter().map(Route::revision));
    reached.filter(|id| object.revisions.get(*id).is_none_or(|revision| revision.ready < 1))
}

/// The fewest replicas that may be ready while a service takes traffic.
fn promised<'p, 'l>(
    plan: &'p Plan,
    runs: &impl Fn(&str, &str) -> Option<&'l LiveService>,
) -> BTreeMap<(&'p Name, &'p Name), i64> {
    let replicas = |values: &Value| values.get("replicas").and_then(Value::as_int).unwrap_or(1);
    let changes: BTreeMap<&ResourceAddr, _> =
        plan.changes.iter().map(|change| (&change.addr, change)).collect();
    let mut all = BTreeMap::new();
    for step in &plan.steps {
        let key = (&step.provider, &step.object);
        let (Some(change), Some(Some(result))) =
            (changes.get(&step.service), plan.result.get(&step.service))
        else {
            continue;
        };
        // Whoever is made anew is not there for a while, or goes from another provider: the change says so.
        if all.contains_key(&key) || change.replace.is_some() {
            continue;
        }
        let before = runs(&step.provider, &step.object)
            .and_then(|live| live.active().and_then(|id| live.revisions.get(id)).map(|r| r.ready));
        let wanted = replicas(&result.values);
        // A rolling strategy says itself how many may be missing; its steps were made to keep that.
        let rolling = change.strategy.as_ref().is_some_and(|(_, kind)| kind == "rolling");
        let least = before.map_or(wanted, |before| before.min(wanted));
        all.insert(key, if rolling { least.min(1) } else { least });
    }
    all
}

/// Whether a step can be taken back; only changed data may have no way back, and the plan asks before that.
fn invertible(step: &Step) -> bool {
    match step.inverse.class {
        InverseClass::Nothing => true,
        InverseClass::Exact | InverseClass::Compensating => !step.inverse.operations.is_empty(),
        InverseClass::None => matches!(step.task, Task::Call(Operation::Migrate { .. })),
    }
}

/// The object after a step went well.
pub fn advance(object: &mut LiveService, operation: &Operation) {
    match operation {
        Operation::CreateService { settings } => {
            *object = LiveService { settings: settings.clone(), ..LiveService::default() }
        }
        Operation::UpdateService { settings } => {
            object.settings = settings.clone();
            object.edits.clear();
        }
        Operation::DeleteService => *object = LiveService::default(),
        Operation::CreateRevision { revision, spec, replicas } => {
            let made =
                dax_model::LiveRevision { replicas: *replicas, ready: 0, spec: spec.clone() };
            object.revisions.insert(revision.clone(), made);
        }
        Operation::Roll { from, revision, spec, replicas, unavailable, .. } => {
            // The platform stops a replica only where another one is ready in its place, but for those that may lack.
            let made = dax_model::LiveRevision {
                replicas: *replicas,
                ready: (replicas - unavailable).max(1),
                spec: spec.clone(),
            };
            object.revisions.remove(from);
            object.revisions.insert(revision.clone(), made);
            object.traffic = BTreeMap::from([(revision.clone(), WHOLE)]);
        }
        Operation::DeleteRevision { revision } => {
            object.revisions.remove(revision);
        }
        Operation::Scale { revision, replicas } => {
            if let Some(revision) = object.revisions.get_mut(revision) {
                revision.replicas = *replicas;
                revision.ready = revision.ready.min(*replicas);
            }
        }
        Operation::AwaitReady { revision } => {
            if let Some(revision) = object.revisions.get_mut(revision) {
                revision.ready = revision.replicas;
            }
        }
        Operation::ShiftTraffic { traffic } => object.traffic = traffic.clone(),
        Operation::Route { routes } => object.routes.clone_from(routes),
        Operation::Run { .. } | Operation::Migrate { .. } => {}
    }
}
