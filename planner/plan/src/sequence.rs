//! Sequences: the steps of one object, each derived from the object as the steps before leave it.
//!
//! Pre-image, post-image, inverse and times of a step are a function of that object and of what the step does, and
//! of nothing else but what a strategy says of commands. The planner and the proof of a plan that is read use the
//! same function, so that a saved plan cannot say of a step what the planner would not.

use crate::analysis::Analysis;
use crate::desired::HANDED_OVER;
use crate::image::{Image, edits_value, replicas_path, routes_value, traffic_value};
use crate::invariants::advance;
use crate::model::{Inverse, InverseClass, Task};
use dax_core::{Name, RevisionId, Value};
use dax_model::{LiveService, Operation, Route};
use std::collections::BTreeMap;

/// Grace on top of what a step may take by its own settings, in milliseconds.
pub(crate) const GRACE_MS: u64 = 10_000;
/// How long a revision without a health check may take to start, in milliseconds.
const START_MS: u64 = 60_000;

/// A step before it has an id.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) task: Task,
    pub(crate) pre: Image,
    pub(crate) post: Image,
    pub(crate) inverse: Inverse,
    pub(crate) timeout_ms: u64,
    pub(crate) expected_ms: u64,
}

/// Steps of one service, with the object as they leave it.
#[derive(Debug)]
pub(crate) struct Sequence {
    pub(crate) object: LiveService,
    pub(crate) exists: bool,
    pub(crate) drafts: Vec<Draft>,
}

/// A revision on its way in.
pub(crate) struct Incoming {
    pub(crate) id: RevisionId,
    pub(crate) spec: Value,
    pub(crate) replicas: i64,
}

/// What a step changes and how that is undone.
struct Effect {
    pre: Image,
    post: Image,
    class: InverseClass,
    undo: Vec<Operation>,
}

impl Effect {
    const fn new(pre: Image, post: Image, class: InverseClass, undo: Vec<Operation>) -> Self {
        Self { pre, post, class, undo }
    }

    const fn nothing() -> Self {
        Self::new(Image::new(), Image::new(), InverseClass::Nothing, Vec::new())
    }
}

fn one(path: impl Into<Name>, value: Value) -> Image {
    Image::from([(path.into(), value)])
}

impl Sequence {
    pub(crate) fn of(live: Option<&LiveService>) -> Self {
        Self {
            object: live.cloned().unwrap_or_default(),
            exists: live.is_some(),
            drafts: Vec::new(),
        }
    }

    /// Takes a step; `undo` is the command that takes a migration back, where there is one.
    pub(crate) fn take(&mut self, kind: Task, undo: &[Name]) {
        let Effect { pre, post, class, undo } = self.effect(&kind, undo);
        let handed = |object: &LiveService| object.settings.get(HANDED_OVER)?.get("mode").cloned();
        let carried_out_by = handed(&self.object);
        if let Some(operation) = kind.operation() {
            advance(&mut self.object, operation);
        }
        match kind {
            Task::Call(Operation::CreateService { .. }) => self.exists = true,
            Task::Call(Operation::DeleteService) => self.exists = false,
            _ => {}
        }
        let (mut timeout_ms, mut expected_ms) = (self.timeout(&kind), self.expected(&kind));
        if matches!(kind, Task::Call(Operation::UpdateService { .. }))
            && carried_out_by != handed(&self.object)
        {
            // From a controller to dax or back, what serves is made anew beside what served.
            let active = self.object.active().cloned();
            let within = active
                .map(|revision| self.timeout(&Task::Call(Operation::AwaitReady { revision })));
            timeout_ms = timeout_ms.saturating_add(within.unwrap_or(0).saturating_mul(2));
        }
        let rolled = self.drafts.last().map(|draft| &draft.task);
        if let (
            Task::Call(Operation::AwaitReady { .. }),
            Some(roll @ Task::Call(Operation::Roll { .. })),
        ) = (&kind, rolled)
        {
            // Each batch may take as long as one replica.
            let longer = timeout_ms.saturating_sub(GRACE_MS).saturating_mul(batches(roll));
            timeout_ms = longer.saturating_add(GRACE_MS);
            if let Some(handed) = self.object.settings.get(HANDED_OVER) {
                let (least, most) = carried_out_ms(handed);
                expected_ms = expected_ms.saturating_add(least);
                timeout_ms = timeout_ms.saturating_mul(2).saturating_add(most);
            }
        }
        let inverse = Inverse { class, operations: undo };
        self.drafts.push(Draft { task: kind, pre, post, inverse, timeout_ms, expected_ms });
    }

    /// What a step changes of the object as it is now, and what takes that back.
    fn effect(&self, task: &Task, undo: &[Name]) -> Effect {
        let Some(operation) = task.operation() else { return Effect::nothing() };
        let (exact, compensating) = (InverseClass::Exact, InverseClass::Compensating);
        let there = |revision| self.object.revisions.get(revision);
        let exists = |exists| one("exists", Value::Bool(exists));
        match operation {
            Operation::CreateService { settings } => {
                let mut post: Image = settings
                    .iter()
                    .map(|(name, value)| (format!("settings.{name}").into(), value.clone()))
                    .collect();
                post.insert("exists".into(), Value::Bool(true));
                Effect::new(exists(false), post, exact, vec![Operation::DeleteService])
            }
            Operation::UpdateService { settings } => self.updated(settings),
            Operation::DeleteService => {
                let back = Operation::CreateService { settings: self.object.settings.clone() };
                Effect::new(exists(true), exists(false), exact, vec![back])
            }
            Operation::CreateRevision { revision, replicas, .. } => {
                let path = replicas_path(revision);
                let back = Operation::DeleteRevision { revision: revision.clone() };
                let (pre, post) =
                    (one(path.clone(), Value::None), one(path, Value::Int(*replicas)));
                Effect::new(pre, post, exact, vec![back])
            }
            Operation::Roll { .. } => self.rolled(operation),
            Operation::DeleteRevision { revision } => {
                let Some(gone) = there(revision) else { return Effect::nothing() };
                let path = replicas_path(revision);
                let back = Operation::CreateRevision {
                    revision: revision.clone(),
                    spec: gone.spec.clone(),
                    replicas: gone.replicas,
                };
                let pre = one(path.clone(), Value::Int(gone.replicas));
                Effect::new(pre, one(path, Value::None), exact, vec![back])
            }
            Operation::Scale { revision, replicas } => {
                let Some(there) = there(revision) else { return Effect::nothing() };
                let path = replicas_path(revision);
                let back =
                    Operation::Scale { revision: revision.clone(), replicas: there.replicas };
                let pre = one(path.clone(), Value::Int(there.replicas));
                let post = one(path, Value::Int(*replicas));
                // What was stopped comes back as new processes, and takes no traffic before they are ready.
                if *replicas < there.replicas {
                    let ready = Operation::AwaitReady { revision: revision.clone() };
                    Effect::new(pre, post, compensating, vec![back, ready])
                } else {
                    Effect::new(pre, post, exact, vec![back])
                }
            }
            Operation::ShiftTraffic { traffic } => {
                let before = &self.object.traffic;
                let (pre, post) =
                    (one("traffic", traffic_value(before)), one("traffic", traffic_value(traffic)));
                // What was good yesterday may be gone today: whoever gets traffic back proves first that it is ready.
                let proofs = before
                    .keys()
                    .map(|revision| Operation::AwaitReady { revision: revision.clone() });
                let back = Operation::ShiftTraffic { traffic: before.clone() };
                Effect::new(pre, post, exact, proofs.chain([back]).collect())
            }
            Operation::Route { routes } => {
                let before = &self.object.routes;
                let (pre, post) =
                    (one("routes", routes_value(before)), one("routes", routes_value(routes)));
                Effect::new(pre, post, exact, vec![Operation::Route { routes: before.clone() }])
            }
            Operation::Migrate { revision, .. } => {
                let back =
                    Operation::Migrate { revision: revision.clone(), command: undo.to_vec() };
                let (class, undo) = if undo.is_empty() {
                    (InverseClass::None, Vec::new())
                } else {
                    (compensating, vec![back])
                };
                Effect { class, undo, ..Effect::nothing() }
            }
            Operation::AwaitReady { .. } | Operation::Run { .. } => Effect::nothing(),
        }
    }

    fn updated(&self, settings: &BTreeMap<Name, Value>) -> Effect {
        let before = &self.object.settings;
        let changed = |a: &BTreeMap<Name, Value>, b: &BTreeMap<Name, Value>| -> Image {
            let names = a.keys().chain(b.keys()).filter(|name| a.get(*name) != b.get(*name));
            names
                .map(|name| {
                    (format!("settings.{name}").into(), a.get(name).cloned().unwrap_or(Value::None))
                })
                .collect()
        };
        let (mut pre, mut post) = (changed(before, settings), changed(settings, before));
        if !self.object.edits.is_empty() {
            pre.insert("edits".into(), edits_value(&self.object.edits));
            post.insert("edits".into(), edits_value(&[]));
        }
        let back = Operation::UpdateService { settings: before.clone() };
        Effect::new(pre, post, InverseClass::Exact, vec![back])
    }

    fn rolled(&self, operation: &Operation) -> Effect {
        let Operation::Roll { from, revision, replicas, surge, unavailable, .. } = operation else {
            return Effect::nothing();
        };
        let Some(gone) = self.object.revisions.get(from) else { return Effect::nothing() };
        let image =
            |here: (&RevisionId, i64), away: &RevisionId, traffic: &BTreeMap<RevisionId, u32>| {
                let paths = [
                    ("traffic".into(), traffic_value(traffic)),
                    (replicas_path(here.0), Value::Int(here.1)),
                    (replicas_path(away), Value::None),
                ];
                Image::from(paths)
            };
        let whole = BTreeMap::from([(revision.clone(), dax_model::WHOLE)]);
        let pre = image((from, gone.replicas), revision, &self.object.traffic);
        let post = image((revision, *replicas), from, &whole);
        let back = Operation::Roll {
            from: revision.clone(),
            revision: from.clone(),
            spec: gone.spec.clone(),
            replicas: gone.replicas,
            surge: *surge,
            unavailable: *unavailable,
        };
        let undo = vec![back, Operation::AwaitReady { revision: from.clone() }];
        Effect::new(pre, post, InverseClass::Compensating, undo)
    }

    /// How long a step may take, with the object as the step leaves it.
    fn timeout(&self, kind: &Task) -> u64 {
        let setting =
            |name: &str| self.object.settings.get(name).and_then(Value::as_millis).unwrap_or(0);
        let spec = |id: &RevisionId| self.object.revisions.get(id).map(|r| &r.spec);
        let own = match kind {
            Task::Call(Operation::AwaitReady { revision }) => spec(revision)
                .and_then(|spec| spec.get("health")?.get("ready_within")?.as_millis())
                .unwrap_or(START_MS),
            Task::Hold { ms } => *ms,
            Task::Analyse { ms, analysis, .. } => analysis.most_ms(*ms),
            Task::Call(
                Operation::Scale { .. }
                | Operation::DeleteRevision { .. }
                | Operation::DeleteService
                | Operation::UpdateService { .. },
            ) => setting("drain").saturating_add(setting("stop_timeout")),
            Task::Call(
                Operation::CreateService { .. }
                | Operation::CreateRevision { .. }
                | Operation::Roll { .. }
                | Operation::ShiftTraffic { .. }
                | Operation::Route { .. }
                | Operation::Run { .. }
                | Operation::Migrate { .. },
            )
            | Task::Gate { .. } => 0,
        };
        GRACE_MS.saturating_add(own)
    }

    fn expected(&self, kind: &Task) -> u64 {
        match kind {
            Task::Hold { ms } => *ms,
            Task::Analyse { ms, analysis, .. } => analysis.least_ms(*ms),
            // The time between two probes of a revision: readiness is not seen sooner.
            Task::Call(Operation::AwaitReady { revision }) => {
                let spec = self.object.revisions.get(revision).map(|r| &r.spec);
                spec.and_then(|spec| spec.get("health")?.get("every")?.as_millis()).unwrap_or(0)
            }
            _ => 0,
        }
    }

    pub(crate) fn create_service(&mut self, settings: &BTreeMap<Name, Value>) {
        self.take(Task::Call(Operation::CreateService { settings: settings.clone() }), &[]);
    }

    pub(crate) fn update_service(&mut self, settings: &BTreeMap<Name, Value>) {
        self.take(Task::Call(Operation::UpdateService { settings: settings.clone() }), &[]);
    }

    /// Removes the service and everything that belongs to it.
    pub(crate) fn remove(&mut self) {
        if !self.exists {
            return;
        }
        self.route(Vec::new());
        self.shift(BTreeMap::new());
        let ids: Vec<RevisionId> = self.object.revisions.keys().cloned().collect();
        ids.iter().for_each(|id| self.scale(id, 0));
        ids.iter().for_each(|id| self.delete_revision(id));
        self.take(Task::Call(Operation::DeleteService), &[]);
    }

    /// Brings a revision to `replicas`, making it when it is not there, and waits until they are ready.
    pub(crate) fn raise(&mut self, incoming: &Incoming, replicas: i64) {
        match self.object.revisions.get(&incoming.id) {
            None => {
                let (revision, spec) = (incoming.id.clone(), incoming.spec.clone());
                self.take(Task::Call(Operation::CreateRevision { revision, spec, replicas }), &[]);
            }
            Some(there) if there.replicas < replicas => self.scale(&incoming.id, replicas),
            Some(_) => {}
        }
        if self.object.revisions.get(&incoming.id).is_some_and(|r| r.ready < r.replicas) {
            self.await_ready(&incoming.id);
        }
    }

    pub(crate) fn await_ready(&mut self, id: &RevisionId) {
        self.take(Task::Call(Operation::AwaitReady { revision: id.clone() }), &[]);
    }

    pub(crate) fn scale(&mut self, id: &RevisionId, replicas: i64) {
        if self.object.revisions.get(id).is_some_and(|revision| revision.replicas != replicas) {
            self.take(Task::Call(Operation::Scale { revision: id.clone(), replicas }), &[]);
        }
    }

    pub(crate) fn shift(&mut self, traffic: BTreeMap<RevisionId, u32>) {
        let traffic: BTreeMap<_, _> = traffic.into_iter().filter(|(_, share)| *share > 0).collect();
        if traffic != self.object.traffic {
            self.take(Task::Call(Operation::ShiftTraffic { traffic }), &[]);
        }
    }

    /// Replaces all routes that do not follow the shares.
    pub(crate) fn route(&mut self, routes: Vec<Route>) {
        if routes != self.object.routes {
            self.take(Task::Call(Operation::Route { routes }), &[]);
        }
    }

    pub(crate) fn delete_revision(&mut self, id: &RevisionId) {
        if self.object.revisions.contains_key(id) {
            self.take(Task::Call(Operation::DeleteRevision { revision: id.clone() }), &[]);
        }
    }

    /// Watches a revision, or waits.
    pub(crate) fn watch(
        &mut self,
        id: &RevisionId,
        against: Option<&RevisionId>,
        ms: u64,
        analysis: Option<&Analysis>,
    ) {
        let kind = match analysis {
            // An analysis of its own length needs no hold.
            Some(analysis) if ms > 0 || analysis.count > 0 => {
                let against = against.filter(|_| !analysis.baseline.is_empty()).cloned();
                Task::Analyse { revision: id.clone(), ms, analysis: analysis.clone(), against }
            }
            _ if ms == 0 => return,
            _ => Task::Hold { ms },
        };
        self.take(kind, &[]);
    }
}

/// In how many batches a platform replaces the replicas of a revision.
fn batches(roll: &Task) -> u64 {
    let Task::Call(Operation::Roll { replicas, surge, unavailable, .. }) = roll else { return 1 };
    let at_once = surge.saturating_add(*unavailable);
    let batches = replicas.saturating_add(at_once).saturating_sub(1) / at_once.max(1);
    u64::try_from(batches).unwrap_or(1).max(1)
}

/// How long a controller takes for a strategy at least and at most, in milliseconds: it looks once in each interval, a
/// few times more than there are steps, and once more for each measurement that may fail.
fn carried_out_ms(handed: &Value) -> (u64, u64) {
    const BESIDE: u64 = 6;
    let list = |name: &str| handed.get(name).map_or(&[][..], Value::items);
    let millis =
        |value: &Value, name: &str| value.get(name).and_then(Value::as_millis).unwrap_or(0);
    let held =
        |name: &str| list(name).iter().map(|one| millis(one, "hold")).fold(0, u64::saturating_add);
    let all =
        [held("step"), held("preview"), millis(handed, "hold"), millis(handed, "scale_down_delay")]
            .into_iter()
            .fold(0, u64::saturating_add);
    let every = handed.get("analysis").map_or(0, |analysis| millis(analysis, "every"));
    let longest = list("step")
        .iter()
        .map(|step| millis(step, "hold"))
        .max()
        .unwrap_or(0)
        .max(every)
        .max(START_MS / BESIDE);
    let failures = handed
        .get("analysis")
        .and_then(|analysis| analysis.get("failure_limit")?.as_int())
        .unwrap_or(0);
    let times = BESIDE.saturating_add(u64::try_from(failures).unwrap_or(0));
    (all, all.saturating_add(longest.saturating_mul(times)).saturating_add(START_MS))
}
