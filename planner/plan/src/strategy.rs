//! Strategies: the sequences of steps by which a new revision takes over.
//!
//! A [`Sequence`] carries the object along as the steps will leave it, so that every pre-image, post-image
//! and inverse is read off the object and never guessed.

use crate::analysis::{self, Analysis, hundredths};
use crate::desired::HANDED_OVER;
use crate::image::{Image, edits_value, replicas_path, routes_value, traffic_value};
use crate::model::{ApprovalGate, Inverse, InverseClass, StepKind};
use crate::{EMPTY_ANALYSIS, NO_PROGRESS, NO_SUCH_METRIC, NOT_OFFERED, WEIGHTS_FALL};
use dax_core::{
    Diagnostic, LiveRevision, LiveService, Name, RevisionId, Route, Span, Traits, Value, WHOLE,
};
use std::collections::BTreeMap;

/// Grace on top of what a step may take by its own settings, in milliseconds.
const GRACE_MS: u64 = 10_000;
/// How long a revision without a health check may take to start, in milliseconds.
const START_MS: u64 = 60_000;

/// A step before it has an id.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) kind: StepKind,
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

/// How a revision takes over.
pub(crate) struct Strategy<'s> {
    pub(crate) kind: &'s str,
    pub(crate) config: &'s Value,
    /// Where it is chosen.
    pub(crate) span: String,
    /// The platform replaces replicas by itself.
    pub(crate) rolls: bool,
    /// What the platform was told, where one of its controllers carries the strategy out.
    pub(crate) handed: Option<&'s Value>,
}

/// A revision on its way in.
pub(crate) struct Incoming {
    pub(crate) id: RevisionId,
    pub(crate) spec: Value,
    pub(crate) replicas: i64,
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

    fn push(
        &mut self,
        kind: StepKind,
        pre: Image,
        post: Image,
        class: InverseClass,
        steps: Vec<StepKind>,
    ) {
        let timeout_ms = self.timeout(&kind);
        let expected_ms = match &kind {
            StepKind::Hold { ms } => *ms,
            StepKind::Analyse { ms, analysis, .. } => analysis.least_ms(*ms),
            StepKind::AwaitReady { revision } => self.probe_ms(revision),
            _ => 0,
        };
        self.drafts.push(Draft {
            kind,
            pre,
            post,
            inverse: Inverse { class, steps },
            timeout_ms,
            expected_ms,
        });
    }

    fn timeout(&self, kind: &StepKind) -> u64 {
        let setting =
            |name: &str| self.object.settings.get(name).and_then(Value::as_millis).unwrap_or(0);
        let spec = |id: &RevisionId| self.object.revisions.get(id).map(|r| &r.spec);
        GRACE_MS
            + match kind {
                StepKind::AwaitReady { revision } => spec(revision)
                    .and_then(|spec| spec.get("health")?.get("ready_within")?.as_millis())
                    .unwrap_or(START_MS),
                StepKind::Hold { ms } => *ms,
                StepKind::Analyse { ms, analysis, .. } => analysis.most_ms(*ms),
                StepKind::Scale { .. }
                | StepKind::DeleteRevision { .. }
                | StepKind::DeleteService
                | StepKind::UpdateService { .. } => setting("drain") + setting("stop_timeout"),
                _ => 0,
            }
    }

    /// The time between two probes of a revision: readiness is not seen sooner.
    fn probe_ms(&self, revision: &RevisionId) -> u64 {
        let spec = self.object.revisions.get(revision).map(|r| &r.spec);
        spec.and_then(|spec| spec.get("health")?.get("every")?.as_millis()).unwrap_or(0)
    }

    fn settings_image(&self) -> Image {
        self.object
            .settings
            .iter()
            .map(|(name, value)| (format!("settings.{name}").into(), value.clone()))
            .collect()
    }

    pub(crate) fn create_service(&mut self, settings: &BTreeMap<Name, Value>) {
        self.object = LiveService { settings: settings.clone(), ..LiveService::default() };
        self.exists = true;
        let mut post = self.settings_image();
        post.insert("exists".into(), Value::Bool(true));
        let kind = StepKind::CreateService { settings: settings.clone() };
        self.push(
            kind,
            one("exists", Value::Bool(false)),
            post,
            InverseClass::Exact,
            vec![StepKind::DeleteService],
        );
    }

    pub(crate) fn update_service(&mut self, settings: &BTreeMap<Name, Value>) {
        let before = std::mem::replace(&mut self.object.settings, settings.clone());
        let changed = |a: &BTreeMap<Name, Value>, b: &BTreeMap<Name, Value>| -> Image {
            let names = a.keys().chain(b.keys()).filter(|name| a.get(*name) != b.get(*name));
            names
                .map(|name| {
                    (format!("settings.{name}").into(), a.get(name).cloned().unwrap_or(Value::None))
                })
                .collect()
        };
        let (mut pre, mut post) = (changed(&before, settings), changed(settings, &before));
        let edits = std::mem::take(&mut self.object.edits);
        if !edits.is_empty() {
            pre.insert("edits".into(), edits_value(&edits));
            post.insert("edits".into(), edits_value(&[]));
        }
        let to = |settings: &BTreeMap<Name, Value>| {
            settings.get(HANDED_OVER).and_then(|handed| handed.get("mode").cloned())
        };
        let handed = to(&before) != to(settings);
        let inverse = vec![StepKind::UpdateService { settings: before }];
        self.push(
            StepKind::UpdateService { settings: settings.clone() },
            pre,
            post,
            InverseClass::Exact,
            inverse,
        );
        // From a controller to dax or back, what serves is made anew beside what served.
        let active = self.object.active().cloned().filter(|_| handed);
        let within = active.map(|revision| self.timeout(&StepKind::AwaitReady { revision }));
        if let (Some(last), Some(within)) = (self.drafts.last_mut(), within) {
            last.timeout_ms += 2 * within;
        }
    }

    pub(crate) fn delete_service(&mut self) {
        let settings = std::mem::take(&mut self.object.settings);
        self.object = LiveService::default();
        self.exists = false;
        let inverse = vec![StepKind::CreateService { settings }];
        self.push(
            StepKind::DeleteService,
            one("exists", Value::Bool(true)),
            one("exists", Value::Bool(false)),
            InverseClass::Exact,
            inverse,
        );
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
        self.delete_service();
    }

    /// Brings a revision to `replicas`, making it when it is not there, and waits until they are ready.
    pub(crate) fn raise(&mut self, incoming: &Incoming, replicas: i64) {
        match self.object.revisions.get(&incoming.id) {
            None => {
                let path = replicas_path(&incoming.id);
                let revision = LiveRevision { replicas, ready: 0, spec: incoming.spec.clone() };
                self.object.revisions.insert(incoming.id.clone(), revision);
                let kind = StepKind::CreateRevision {
                    revision: incoming.id.clone(),
                    spec: incoming.spec.clone(),
                    replicas,
                };
                let inverse = vec![StepKind::DeleteRevision { revision: incoming.id.clone() }];
                self.push(
                    kind,
                    one(path.clone(), Value::None),
                    one(path, Value::Int(replicas)),
                    InverseClass::Exact,
                    inverse,
                );
            }
            Some(there) if there.replicas < replicas => self.scale(&incoming.id, replicas),
            Some(_) => {}
        }
        if self.object.revisions.get(&incoming.id).is_some_and(|r| r.ready < r.replicas) {
            self.await_ready(&incoming.id);
        }
    }

    fn await_ready(&mut self, id: &RevisionId) {
        if let Some(revision) = self.object.revisions.get_mut(id) {
            revision.ready = revision.replicas;
        }
        let kind = StepKind::AwaitReady { revision: id.clone() };
        self.push(kind, Image::new(), Image::new(), InverseClass::Nothing, Vec::new());
    }

    pub(crate) fn scale(&mut self, id: &RevisionId, replicas: i64) {
        let Some(revision) = self.object.revisions.get_mut(id) else { return };
        let before = std::mem::replace(&mut revision.replicas, replicas);
        revision.ready = revision.ready.min(replicas);
        if before == replicas {
            return;
        }
        let back = StepKind::Scale { revision: id.clone(), replicas: before };
        // What was stopped comes back as new processes, and takes no traffic before they are ready.
        let (class, inverse) = if replicas < before {
            (InverseClass::Compensating, vec![back, StepKind::AwaitReady { revision: id.clone() }])
        } else {
            (InverseClass::Exact, vec![back])
        };
        let path = replicas_path(id);
        let kind = StepKind::Scale { revision: id.clone(), replicas };
        self.push(
            kind,
            one(path.clone(), Value::Int(before)),
            one(path, Value::Int(replicas)),
            class,
            inverse,
        );
    }

    pub(crate) fn shift(&mut self, traffic: BTreeMap<RevisionId, u32>) {
        let traffic: BTreeMap<_, _> = traffic.into_iter().filter(|(_, share)| *share > 0).collect();
        if traffic == self.object.traffic {
            return;
        }
        let before = std::mem::replace(&mut self.object.traffic, traffic.clone());
        let (pre, post) =
            (one("traffic", traffic_value(&before)), one("traffic", traffic_value(&traffic)));
        // What was good yesterday may be gone today: whoever gets traffic back proves first that it is ready.
        let proofs =
            before.keys().map(|revision| StepKind::AwaitReady { revision: revision.clone() });
        let inverse = proofs.chain([StepKind::ShiftTraffic { traffic: before.clone() }]).collect();
        self.push(StepKind::ShiftTraffic { traffic }, pre, post, InverseClass::Exact, inverse);
    }

    /// Replaces all routes that do not follow the shares.
    pub(crate) fn route(&mut self, routes: Vec<Route>) {
        if routes == self.object.routes {
            return;
        }
        let before = std::mem::replace(&mut self.object.routes, routes.clone());
        let (pre, post) =
            (one("routes", routes_value(&before)), one("routes", routes_value(&routes)));
        let inverse = vec![StepKind::Route { routes: before }];
        self.push(StepKind::Route { routes }, pre, post, InverseClass::Exact, inverse);
    }

    fn nothing(&mut self, kind: StepKind) {
        self.push(kind, Image::new(), Image::new(), InverseClass::Nothing, Vec::new());
    }

    /// Runs the hooks of a moment.
    fn hooks(&mut self, incoming: &Incoming, config: &Value, when: &str) {
        for hook in list(config, "hook")
            .iter()
            .filter(|hook| hook.get("when").and_then(Value::as_str) == Some(when))
        {
            let kind = StepKind::RunHook {
                when: when.into(),
                revision: incoming.id.clone(),
                command: words(hook, "command"),
            };
            self.nothing(kind);
            self.within(hook);
        }
    }

    /// Changes data before the incoming revision is started, which may rely on it.
    fn migrate(&mut self, incoming: &Incoming, config: &Value) {
        for migration in list(config, "migrate") {
            let undo = words(migration, "undo");
            let step = |command| StepKind::Migrate { revision: incoming.id.clone(), command };
            let (class, inverse) = if undo.is_empty() {
                (InverseClass::None, Vec::new())
            } else {
                (InverseClass::Compensating, vec![step(undo)])
            };
            self.push(
                step(words(migration, "command")),
                Image::new(),
                Image::new(),
                class,
                inverse,
            );
            self.within(migration);
        }
    }

    /// The last step may take as long as this says.
    fn within(&mut self, config: &Value) {
        if let (Some(last), Some(within)) =
            (self.drafts.last_mut(), config.get("within").and_then(Value::as_millis))
        {
            last.timeout_ms = GRACE_MS + within;
        }
    }

    /// Waits for the people that a step of a strategy names.
    fn gate(&mut self, config: &Value, span: &str) {
        let count = config
            .get("approve")
            .and_then(Value::as_int)
            .and_then(|n| u32::try_from(n).ok())
            .unwrap_or(0);
        if count > 0 {
            self.nothing(StepKind::Gate {
                approval: ApprovalGate { count, of: words(config, "of"), span: span.to_owned() },
            });
        }
    }

    pub(crate) fn delete_revision(&mut self, id: &RevisionId) {
        let Some(gone) = self.object.revisions.remove(id) else { return };
        let path = replicas_path(id);
        let inverse = vec![StepKind::CreateRevision {
            revision: id.clone(),
            spec: gone.spec,
            replicas: gone.replicas,
        }];
        let kind = StepKind::DeleteRevision { revision: id.clone() };
        let (pre, post) = (one(path.clone(), Value::Int(gone.replicas)), one(path, Value::None));
        self.push(kind, pre, post, InverseClass::Exact, inverse);
    }

    fn watch(
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
                StepKind::Analyse { revision: id.clone(), ms, analysis: analysis.clone(), against }
            }
            _ if ms == 0 => return,
            _ => StepKind::Hold { ms },
        };
        self.nothing(kind);
    }

    /// Leaves only the incoming revision at work; the others go to rest.
    fn settle(&mut self, incoming: &Incoming) {
        self.shift(BTreeMap::from([(incoming.id.clone(), WHOLE)]));
        self.route(Vec::new());
        let others: Vec<RevisionId> =
            self.object.revisions.keys().filter(|id| **id != incoming.id).cloned().collect();
        for id in others {
            self.scale(&id, 0);
        }
        self.scale(&incoming.id, incoming.replicas);
    }

    /// Brings a revision that is the active one already to what is wanted of it.
    pub(crate) fn come_to_rest(&mut self, wanted: &Incoming) {
        self.raise(wanted, wanted.replicas);
        self.settle(wanted);
    }

    /// The whole way of an incoming revision by a strategy.
    pub(crate) fn roll_out(&mut self, incoming: &Incoming, strategy: &Strategy<'_>) {
        let Strategy { kind, config, span, rolls, handed } = strategy;
        let analysis = analysis::read(config);
        self.migrate(incoming, config);
        let active = self.object.active().filter(|id| **id != incoming.id).cloned();
        let Some(active) = active else {
            // There is nothing to roll over from.
            self.raise(incoming, incoming.replicas);
            self.hooks(incoming, config, "before");
            self.settle(incoming);
            if handed.is_some() {
                // Who carries strategies out makes itself ready once there are requests to divide.
                self.await_ready(&incoming.id);
            }
            return self.hooks(incoming, config, "after");
        };
        if let Some(handed) = handed {
            self.roll(incoming, &active, kind, config);
            if let Some(last) = self.drafts.last_mut() {
                let (least, most) = carried_out_ms(handed);
                (last.expected_ms, last.timeout_ms) =
                    (last.expected_ms + least, 2 * last.timeout_ms + most);
            }
            self.settle(incoming);
            return self.hooks(incoming, config, "after");
        }
        if *rolls && self.can_roll(incoming, kind, config, analysis.as_ref()) {
            self.roll(incoming, &active, kind, config);
            self.hooks(incoming, config, "during");
            self.settle(incoming);
            self.watch(&incoming.id, None, millis(config, "hold"), None);
            return self.hooks(incoming, config, "after");
        }
        match *kind {
            "rolling" => self.rolling(incoming, &active, config, analysis.as_ref()),
            "canary" => self.canary(incoming, &active, config, analysis.as_ref(), span),
            "blue_green" => self.blue_green(incoming, &active, config, analysis.as_ref(), span),
            _ => {
                self.raise(incoming, incoming.replicas);
                self.hooks(incoming, config, "before");
            }
        }
        self.settle(incoming);
        self.hooks(incoming, config, "after");
    }

    /// Whether nothing is asked for between two replicas, so that the platform may replace them by itself.
    fn can_roll(
        &self,
        incoming: &Incoming,
        kind: &str,
        config: &Value,
        analysis: Option<&Analysis>,
    ) -> bool {
        let before = list(config, "hook")
            .iter()
            .any(|hook| hook.get("when").and_then(Value::as_str) == Some("before"));
        let at_rest = self.object.revisions.contains_key(&incoming.id);
        let alone = self.object.traffic.len() == 1 && self.object.routes.is_empty();
        matches!(kind, "rolling" | "immediate")
            && alone
            && !before
            && !at_rest
            && incoming.replicas > 0
            && analysis.is_none()
    }

    /// Has the platform replace the replicas of the active revision.
    fn roll(&mut self, incoming: &Incoming, active: &RevisionId, kind: &str, config: &Value) {
        let Some(gone) = self.object.revisions.remove(active) else { return };
        let most = incoming.replicas.max(gone.replicas);
        let (surge, mut unavailable) = match kind {
            "rolling" => {
                (counted(config, "surge", most, true), counted(config, "unavailable", most, false))
            }
            _ => (most, 0),
        };
        if surge == 0 && unavailable == 0 {
            unavailable = 1; // both shares came to nothing, as with Kubernetes one must move
        }
        let before = std::mem::replace(
            &mut self.object.traffic,
            BTreeMap::from([(incoming.id.clone(), WHOLE)]),
        );
        let spec = incoming.spec.clone();
        self.object.revisions.insert(
            incoming.id.clone(),
            LiveRevision { replicas: incoming.replicas, ready: 0, spec },
        );
        let step = |from: &RevisionId, revision: &RevisionId, spec: &Value, replicas| {
            let (from, revision, spec) = (from.clone(), revision.clone(), spec.clone());
            StepKind::Roll { from, revision, spec, replicas, surge, unavailable }
        };
        let there = step(active, &incoming.id, &incoming.spec, incoming.replicas);
        let back = step(&incoming.id, active, &gone.spec, gone.replicas);
        let image =
            |here: (&RevisionId, i64), away: &RevisionId, traffic: &BTreeMap<RevisionId, u32>| {
                let paths = [
                    ("traffic".into(), traffic_value(traffic)),
                    (replicas_path(here.0), Value::Int(here.1)),
                    (replicas_path(away), Value::None),
                ];
                Image::from(paths)
            };
        let pre = image((active, gone.replicas), &incoming.id, &before);
        let post = image((&incoming.id, incoming.replicas), active, &self.object.traffic);
        let inverse = vec![back, StepKind::AwaitReady { revision: active.clone() }];
        self.push(there, pre, post, InverseClass::Compensating, inverse);
        self.await_ready(&incoming.id);
        // Each batch may take as long as one replica.
        let batches = (incoming.replicas + surge + unavailable - 1) / (surge + unavailable).max(1);
        if let Some(last) = self.drafts.last_mut() {
            last.timeout_ms = GRACE_MS
                + (last.timeout_ms - GRACE_MS) * u64::try_from(batches).unwrap_or(1).max(1);
        }
    }

    fn canary(
        &mut self,
        incoming: &Incoming,
        active: &RevisionId,
        config: &Value,
        analysis: Option<&Analysis>,
        span: &str,
    ) {
        let steps = canary_steps(config);
        let first = steps.first().map_or(WHOLE, |step| step.weight);
        self.raise(incoming, share_of(incoming.replicas, first));
        self.hooks(incoming, config, "before");
        let headers = header_routes(config, &incoming.id);
        for mirror in list(config, "mirror") {
            let share = mirror.get("share").and_then(hundredths).unwrap_or(0);
            let copies = Route::Mirror { share, revision: incoming.id.clone() };
            self.route(headers.iter().cloned().chain([copies]).collect());
            self.watch(&incoming.id, Some(active), millis(mirror, "hold"), analysis);
        }
        self.route(headers);
        for step in steps {
            self.raise(incoming, share_of(incoming.replicas, step.weight));
            self.shift(BTreeMap::from([
                (active.clone(), WHOLE - step.weight),
                (incoming.id.clone(), step.weight),
            ]));
            self.hooks(incoming, config, "during");
            self.watch(&incoming.id, Some(active), step.hold_ms, analysis);
            self.gate(step.config, span);
        }
        self.raise(incoming, incoming.replicas);
    }

    fn blue_green(
        &mut self,
        incoming: &Incoming,
        active: &RevisionId,
        config: &Value,
        analysis: Option<&Analysis>,
        span: &str,
    ) {
        let previews = list(config, "preview");
        for preview in previews {
            let wanted = preview
                .get("replicas")
                .and_then(Value::as_int)
                .filter(|n| *n > 0)
                .unwrap_or(incoming.replicas);
            self.raise(incoming, wanted.min(incoming.replicas));
            self.route(header_routes(config, &incoming.id));
            self.watch(&incoming.id, Some(active), millis(preview, "hold"), analysis);
            self.gate(preview, span);
        }
        self.raise(incoming, incoming.replicas);
        self.route(header_routes(config, &incoming.id));
        self.hooks(incoming, config, "before");
        self.shift(BTreeMap::from([(incoming.id.clone(), WHOLE)]));
        self.hooks(incoming, config, "during");
        self.watch(&incoming.id, Some(active), millis(config, "hold"), analysis);
        self.watch(&incoming.id, None, millis(config, "scale_down_delay"), None);
    }

    fn rolling(
        &mut self,
        incoming: &Incoming,
        active: &RevisionId,
        config: &Value,
        analysis: Option<&Analysis>,
    ) {
        let wanted = incoming.replicas;
        let mut old = self.object.revisions.get(active).map_or(0, |r| r.replicas);
        let mut new = self.object.revisions.get(&incoming.id).map_or(0, |r| r.replicas).min(wanted);
        let most = wanted.max(old) + counted(config, "surge", wanted, true);
        let mut unavailable = counted(config, "unavailable", wanted, false);
        if most == wanted.max(old) && unavailable == 0 {
            unavailable = 1; // both shares came to nothing, as with Kubernetes one must move
        }
        let least = (wanted.min(old) - unavailable).max(0);
        let mut first = true;
        while new < wanted || old > 0 {
            // The last replica that serves goes only when another one is ready, whatever may be unavailable: where
            // that leaves nothing to do, one more starts than the surge allows.
            let last = i64::from(new == 0);
            let stuck = old <= last && new + old >= most;
            let more = (wanted - new).min(if stuck { 1 } else { most - new - old });
            if more > 0 {
                new += more;
                self.raise(incoming, new);
                if std::mem::take(&mut first) {
                    self.hooks(incoming, config, "before");
                }
            }
            let fewer = old.min((new + old - least).max(0)).min(old - i64::from(new == 0)).max(0);
            if more <= 0 && fewer <= 0 {
                return; // reported by `problems` before a plan is made
            }
            old -= fewer;
            let share = if old == 0 {
                WHOLE
            } else {
                u32::try_from(i64::from(WHOLE) * new / (new + old)).unwrap_or(WHOLE)
            };
            if new > 0 || old == 0 {
                self.shift(BTreeMap::from([
                    (active.clone(), WHOLE - share),
                    (incoming.id.clone(), share),
                ]));
            }
            self.scale(active, old);
            self.hooks(incoming, config, "during");
            self.watch(&incoming.id, Some(active), millis(config, "hold"), analysis);
        }
    }
}

/// How long a controller takes for a strategy at least and at most, in milliseconds: it looks once in each interval, a
/// few times more than there are steps, and once more for each measurement that may fail.
fn carried_out_ms(handed: &Value) -> (u64, u64) {
    const BESIDE: u64 = 6;
    let held = |name: &str| list(handed, name).iter().map(|one| millis(one, "hold")).sum::<u64>();
    let all = held("step")
        + held("preview")
        + millis(handed, "hold")
        + millis(handed, "scale_down_delay");
    let every = handed.get("analysis").map_or(0, |analysis| millis(analysis, "every"));
    let longest = list(handed, "step")
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
    (all, all + longest * (BESIDE + u64::try_from(failures).unwrap_or(0)) + START_MS)
}

fn list<'v>(config: &'v Value, name: &str) -> &'v [Value] {
    config.get(name).map_or(&[], Value::items)
}

fn words(config: &Value, name: &str) -> Vec<Name> {
    list(config, name).iter().filter_map(|word| Some(Name::new(word.as_str()?))).collect()
}

fn millis(config: &Value, name: &str) -> u64 {
    config.get(name).and_then(Value::as_millis).unwrap_or(0)
}

/// A number of replicas, or a share of those wanted.
fn counted(config: &Value, name: &str, wanted: i64, up: bool) -> i64 {
    match config.get(name) {
        Some(Value::Int(number)) => *number,
        Some(share) => {
            let parts = wanted * i64::from(hundredths(share).unwrap_or(0));
            let whole = i64::from(WHOLE);
            if up { (parts + whole - 1) / whole } else { parts / whole }
        }
        None => 0,
    }
}

fn header_routes(config: &Value, to: &RevisionId) -> Vec<Route> {
    let route = |route: &Value| {
        let text = |name: &str| Some(Name::new(route.get(name)?.as_str()?));
        Some(Route::Header { name: text("header")?, is: text("is")?, revision: to.clone() })
    };
    list(config, "route").iter().filter_map(route).collect()
}

/// Replicas that carry a share of the traffic: at least one.
fn share_of(replicas: i64, weight: u32) -> i64 {
    let whole = i64::from(WHOLE);
    ((replicas * i64::from(weight) + whole - 1) / whole).max(1).min(replicas)
}

/// A step of a canary.
struct CanaryStep<'v> {
    weight: u32,
    hold_ms: u64,
    config: &'v Value,
}

fn canary_steps(config: &Value) -> Vec<CanaryStep<'_>> {
    let steps = list(config, "step").iter().filter_map(|step| {
        let weight = hundredths(step.get("weight")?)?.min(WHOLE);
        Some(CanaryStep { weight, hold_ms: millis(step, "hold"), config: step })
    });
    steps.collect()
}

/// What keeps a strategy from working, whatever the live state is.
pub(crate) fn problems(
    kind: &str,
    config: &Value,
    span: Span,
    provider: &str,
    traits: &Traits,
) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    let none = |name: &str| matches!(config.get(name), Some(Value::Int(0)));
    if kind == "rolling" && none("surge") && none("unavailable") {
        let detail =
            "with `surge = 0` and `unavailable = 0` no replica may start and none may stop";
        problems.push(Diagnostic::new(NO_PROGRESS, span, detail).help("set `surge = 1`"));
    }
    let weights: Vec<u32> = canary_steps(config).into_iter().map(|step| step.weight).collect();
    if let Some(pair) = weights.windows(2).find(|pair| pair[0] >= pair[1]) {
        let percent = |weight: u32| format!("{}%", f64::from(weight) / 100.0);
        let detail = format!("{} comes after {}", percent(pair[1]), percent(pair[0]));
        problems.push(
            Diagnostic::new(WEIGHTS_FALL, span, detail).help("put the steps in rising order"),
        );
    }
    if let Some(analysis) = analysis::read(config) {
        if analysis.require.is_empty() && analysis.forbid.is_empty() && analysis.baseline.is_empty()
        {
            let detail = "nothing could ever stop the rollout";
            problems.push(
                Diagnostic::new(EMPTY_ANALYSIS, span, detail).help("add `require errors < 1%`"),
            );
        }
        for baseline in
            analysis.baseline.iter().filter(|one| !analysis.metrics.contains_key(&one.metric))
        {
            let known: Vec<&str> = analysis.metrics.keys().map(Name::as_str).collect();
            let detail =
                format!("`baseline` names the metric `{}`, which is not measured", baseline.metric);
            problems.push(
                Diagnostic::new(NO_SUCH_METRIC, span, detail)
                    .help(format!("it measures {}", known.join(", "))),
            );
        }
    }
    if let Some(lacks) = lacking(config, traits) {
        let detail = format!("the strategy has {lacks}, which `{provider}` does not offer");
        problems.push(
            Diagnostic::new(NOT_OFFERED, span, detail)
                .help("take it out, or bind the service to a provider that has it"),
        );
    }
    problems
}

/// What a strategy asks for and a platform does not have.
fn lacking(config: &Value, traits: &Traits) -> Option<&'static str> {
    let asks = |name: &str| !list(config, name).is_empty();
    let mode = config.get("mode").and_then(Value::as_str).filter(|mode| *mode != "native");
    match () {
        () if mode.is_some_and(|mode| !traits.controllers.iter().any(|one| one == mode)) => {
            Some("a controller that carries it out")
        }
        () if mode.is_some()
            && list(config, "hook")
                .iter()
                .any(|hook| hook.get("when").and_then(Value::as_str) != Some("after")) =>
        {
            Some("hooks on a way that a controller goes by itself")
        }
        () if asks("route") && !traits.header_routes => Some("routes by header"),
        () if asks("mirror") && !traits.mirror => Some("copies of requests"),
        () if (asks("hook") || asks("migrate")) && !traits.commands => Some("commands on the way"),
        () => None,
    }
}
