//! Strategies: the sequences of steps by which a new revision takes over.
//!
//! A [`Sequence`] carries the object along as the steps will leave it, so that every pre-image, post-image
//! and inverse is read off the object and never guessed.

use crate::analysis::{self, Analysis, hundredths};
use crate::model::{ApprovalGate, Task};
use crate::sequence::{GRACE_MS, Incoming, Sequence};
use crate::{EMPTY_ANALYSIS, NO_PROGRESS, NO_SUCH_METRIC, NOT_OFFERED, WEIGHTS_FALL};
use dax_core::{Diagnostic, Name, RevisionId, Span, Value};
use dax_model::{HookTime, Operation, Route, StrategyKind, Traits, WHOLE};
use std::collections::BTreeMap;

/// How a revision takes over.
pub(crate) struct Strategy<'s> {
    pub(crate) kind: StrategyKind,
    pub(crate) config: &'s Value,
    /// Where it is chosen.
    pub(crate) span: String,
    /// The platform replaces replicas by itself.
    pub(crate) rolls: bool,
    /// What the platform was told, where one of its controllers carries the strategy out.
    pub(crate) handed: Option<&'s Value>,
}

impl Sequence {
    /// Runs the hooks of a moment.
    fn hooks(&mut self, incoming: &Incoming, config: &Value, when: HookTime) {
        for hook in list(config, "hook")
            .iter()
            .filter(|hook| hook.get("when").and_then(Value::as_str) == Some(when.word()))
        {
            let kind = Task::Call(Operation::Run {
                when,
                revision: incoming.id.clone(),
                command: words(hook, "command"),
            });
            self.take(kind, &[]);
            self.within(hook);
        }
    }

    /// Changes data before the incoming revision is started, which may rely on it.
    fn migrate(&mut self, incoming: &Incoming, config: &Value) {
        for migration in list(config, "migrate") {
            let (revision, command) = (incoming.id.clone(), words(migration, "command"));
            self.take(
                Task::Call(Operation::Migrate { revision, command }),
                &words(migration, "undo"),
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
            let of = words(config, "of");
            let approval = ApprovalGate { count, of, span: span.to_owned() };
            self.take(Task::Gate { approval }, &[]);
        }
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
        let comes = handed.is_some() || incoming.replicas > 0;
        let Some(active) = active.filter(|_| comes) else {
            // There is nothing to roll over from, or nothing that could be tried out.
            self.raise(incoming, incoming.replicas);
            self.hooks(incoming, config, HookTime::Before);
            self.settle(incoming);
            if handed.is_some() {
                // Who carries strategies out makes itself ready once there are requests to divide.
                self.await_ready(&incoming.id);
            }
            return self.hooks(incoming, config, HookTime::After);
        };
        if handed.is_some() {
            self.roll(incoming, &active, *kind, config);
            self.settle(incoming);
            return self.hooks(incoming, config, HookTime::After);
        }
        if *rolls && self.can_roll(incoming, *kind, config, analysis.as_ref()) {
            self.roll(incoming, &active, *kind, config);
            self.hooks(incoming, config, HookTime::During);
            self.settle(incoming);
            self.watch(&incoming.id, None, millis(config, "hold"), None);
            return self.hooks(incoming, config, HookTime::After);
        }
        match kind {
            StrategyKind::Rolling => self.rolling(incoming, &active, config, analysis.as_ref()),
            StrategyKind::Canary => self.canary(incoming, &active, config, analysis.as_ref(), span),
            StrategyKind::BlueGreen => {
                self.blue_green(incoming, &active, config, analysis.as_ref(), span)
            }
            StrategyKind::Immediate => {
                self.raise(incoming, incoming.replicas);
                self.hooks(incoming, config, HookTime::Before);
            }
        }
        self.settle(incoming);
        self.hooks(incoming, config, HookTime::After);
    }

    /// Whether nothing is asked for between two replicas, so that the platform may replace them by itself.
    fn can_roll(
        &self,
        incoming: &Incoming,
        kind: StrategyKind,
        config: &Value,
        analysis: Option<&Analysis>,
    ) -> bool {
        let before = list(config, "hook")
            .iter()
            .any(|hook| hook.get("when").and_then(Value::as_str) == Some("before"));
        let at_rest = self.object.revisions.contains_key(&incoming.id);
        let alone = self.object.traffic.len() == 1 && self.object.routes.is_empty();
        matches!(kind, StrategyKind::Rolling | StrategyKind::Immediate)
            && alone
            && !before
            && !at_rest
            && incoming.replicas > 0
            && analysis.is_none()
    }

    /// Has the platform replace the replicas of the active revision.
    fn roll(
        &mut self,
        incoming: &Incoming,
        active: &RevisionId,
        kind: StrategyKind,
        config: &Value,
    ) {
        let Some(gone) = self.object.revisions.get(active) else { return };
        let most = incoming.replicas.max(gone.replicas);
        let (surge, mut unavailable) = match kind {
            StrategyKind::Rolling => {
                (counted(config, "surge", most, true), counted(config, "unavailable", most, false))
            }
            StrategyKind::Immediate | StrategyKind::Canary | StrategyKind::BlueGreen => (most, 0),
        };
        if surge == 0 && unavailable == 0 {
            unavailable = 1; // both shares came to nothing, as with Kubernetes one must move
        }
        let (from, revision) = (active.clone(), incoming.id.clone());
        let (spec, replicas) = (incoming.spec.clone(), incoming.replicas);
        self.take(
            Task::Call(Operation::Roll { from, revision, spec, replicas, surge, unavailable }),
            &[],
        );
        self.await_ready(&incoming.id);
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
        self.hooks(incoming, config, HookTime::Before);
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
            self.hooks(incoming, config, HookTime::During);
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
        self.hooks(incoming, config, HookTime::Before);
        self.shift(BTreeMap::from([(incoming.id.clone(), WHOLE)]));
        self.hooks(incoming, config, HookTime::During);
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
                    self.hooks(incoming, config, HookTime::Before);
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
            self.hooks(incoming, config, HookTime::During);
            self.watch(&incoming.id, Some(active), millis(config, "hold"), analysis);
        }
    }
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
    kind: StrategyKind,
    config: &Value,
    span: Span,
    provider: &str,
    traits: &Traits,
) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    let none = |name: &str| matches!(config.get(name), Some(Value::Int(0)));
    if kind == StrategyKind::Rolling && none("surge") && none("unavailable") {
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
