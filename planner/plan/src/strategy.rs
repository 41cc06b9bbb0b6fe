//! Strategies: the sequences of steps by which a new revision takes over.
//!
//! A [`Sequence`] carries the object along as the steps will leave it, so that every pre-image, post-image
//! and inverse is read off the object and never guessed.

use crate::analysis::{self, Analysis};
use crate::image::{Image, replicas_path, traffic_value};
use crate::model::{Inverse, InverseClass, StepKind};
use crate::{EMPTY_ANALYSIS, NO_PROGRESS, WEIGHTS_FALL};
use dax_core::{Diagnostic, LiveRevision, LiveService, Name, RevisionId, Span, Value, WHOLE};
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
        Self { object: live.cloned().unwrap_or_default(), exists: live.is_some(), drafts: Vec::new() }
    }

    fn push(&mut self, kind: StepKind, pre: Image, post: Image, class: InverseClass, steps: Vec<StepKind>) {
        let timeout_ms = self.timeout(&kind);
        let expected_ms = match &kind {
            StepKind::Hold { ms } | StepKind::Analyse { ms, .. } => *ms,
            _ => 0,
        };
        self.drafts.push(Draft { kind, pre, post, inverse: Inverse { class, steps }, timeout_ms, expected_ms });
    }

    fn timeout(&self, kind: &StepKind) -> u64 {
        let setting = |name: &str| self.object.settings.get(name).and_then(Value::as_millis).unwrap_or(0);
        let spec = |id: &RevisionId| self.object.revisions.get(id).map(|r| &r.spec);
        GRACE_MS
            + match kind {
                StepKind::AwaitReady { revision } => {
                    spec(revision).and_then(|spec| spec.get("health")?.get("ready_within")?.as_millis()).unwrap_or(START_MS)
                }
                StepKind::Hold { ms } => *ms,
                StepKind::Analyse { ms, analysis, .. } => ms + analysis.every_ms,
                StepKind::Scale { .. } | StepKind::DeleteRevision { .. } | StepKind::DeleteService | StepKind::UpdateService { .. } => {
                    setting("drain") + setting("stop_timeout")
                }
                _ => 0,
            }
    }

    fn settings_image(&self) -> Image {
        self.object.settings.iter().map(|(name, value)| (format!("settings.{name}").into(), value.clone())).collect()
    }

    pub(crate) fn create_service(&mut self, settings: &BTreeMap<Name, Value>) {
        self.object = LiveService { settings: settings.clone(), ..LiveService::default() };
        self.exists = true;
        let mut post = self.settings_image();
        post.insert("exists".into(), Value::Bool(true));
        let kind = StepKind::CreateService { settings: settings.clone() };
        self.push(kind, one("exists", Value::Bool(false)), post, InverseClass::Exact, vec![StepKind::DeleteService]);
    }

    pub(crate) fn update_service(&mut self, settings: &BTreeMap<Name, Value>) {
        let before = std::mem::replace(&mut self.object.settings, settings.clone());
        let changed = |a: &BTreeMap<Name, Value>, b: &BTreeMap<Name, Value>| -> Image {
            let names = a.keys().chain(b.keys()).filter(|name| a.get(*name) != b.get(*name));
            names.map(|name| (format!("settings.{name}").into(), a.get(name).cloned().unwrap_or(Value::None))).collect()
        };
        let (pre, post) = (changed(&before, settings), changed(settings, &before));
        let inverse = vec![StepKind::UpdateService { settings: before }];
        self.push(StepKind::UpdateService { settings: settings.clone() }, pre, post, InverseClass::Exact, inverse);
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

    /// Brings a revision to `replicas`, making it when it is not there, and waits until they are ready.
    pub(crate) fn raise(&mut self, incoming: &Incoming, replicas: i64) {
        match self.object.revisions.get(&incoming.id) {
            None => {
                let path = replicas_path(&incoming.id);
                let revision = LiveRevision { replicas, ready: 0, spec: incoming.spec.clone() };
                self.object.revisions.insert(incoming.id.clone(), revision);
                let kind = StepKind::CreateRevision { revision: incoming.id.clone(), spec: incoming.spec.clone(), replicas };
                let inverse = vec![StepKind::DeleteRevision { revision: incoming.id.clone() }];
                self.push(kind, one(path.clone(), Value::None), one(path, Value::Int(replicas)), InverseClass::Exact, inverse);
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
        self.push(kind, one(path.clone(), Value::Int(before)), one(path, Value::Int(replicas)), class, inverse);
    }

    pub(crate) fn shift(&mut self, traffic: BTreeMap<RevisionId, u32>) {
        let traffic: BTreeMap<_, _> = traffic.into_iter().filter(|(_, share)| *share > 0).collect();
        if traffic == self.object.traffic {
            return;
        }
        let before = std::mem::replace(&mut self.object.traffic, traffic.clone());
        let (pre, post) = (one("traffic", traffic_value(&before)), one("traffic", traffic_value(&traffic)));
        let inverse = vec![StepKind::ShiftTraffic { traffic: before }];
        self.push(StepKind::ShiftTraffic { traffic }, pre, post, InverseClass::Exact, inverse);
    }

    pub(crate) fn delete_revision(&mut self, id: &RevisionId) {
        let Some(gone) = self.object.revisions.remove(id) else { return };
        let path = replicas_path(id);
        let inverse = vec![StepKind::CreateRevision { revision: id.clone(), spec: gone.spec, replicas: gone.replicas }];
        let kind = StepKind::DeleteRevision { revision: id.clone() };
        let (pre, post) = (one(path.clone(), Value::Int(gone.replicas)), one(path, Value::None));
        self.push(kind, pre, post, InverseClass::Exact, inverse);
    }

    fn watch(&mut self, id: &RevisionId, ms: u64, analysis: Option<&Analysis>) {
        let kind = match analysis {
            _ if ms == 0 => return,
            Some(analysis) => StepKind::Analyse { revision: id.clone(), ms, analysis: analysis.clone() },
            None => StepKind::Hold { ms },
        };
        self.push(kind, Image::new(), Image::new(), InverseClass::Nothing, Vec::new());
    }

    /// Leaves only the incoming revision at work; the others go to rest.
    fn settle(&mut self, incoming: &Incoming) {
        self.shift(BTreeMap::from([(incoming.id.clone(), WHOLE)]));
        let others: Vec<RevisionId> = self.object.revisions.keys().filter(|id| **id != incoming.id).cloned().collect();
        for id in others {
            self.scale(&id, 0);
        }
        self.scale(&incoming.id, incoming.replicas);
    }

    /// The whole way of an incoming revision by a strategy of this kind.
    pub(crate) fn roll_out(&mut self, incoming: &Incoming, kind: &str, config: &Value) {
        let analysis = analysis::read(config);
        let active = self.object.active().filter(|id| **id != incoming.id).cloned();
        let Some(active) = active else {
            // There is nothing to roll over from.
            self.raise(incoming, incoming.replicas);
            return self.settle(incoming);
        };
        match kind {
            "rolling" => self.rolling(incoming, &active, config, analysis.as_ref()),
            "canary" => {
                for (weight, hold) in canary_steps(config) {
                    self.raise(incoming, share_of(incoming.replicas, weight));
                    self.shift(BTreeMap::from([(active.clone(), WHOLE - weight), (incoming.id.clone(), weight)]));
                    self.watch(&incoming.id, hold, analysis.as_ref());
                }
                self.raise(incoming, incoming.replicas);
            }
            "blue_green" => {
                let millis = |name: &str| config.get(name).and_then(Value::as_millis).unwrap_or(0);
                self.raise(incoming, incoming.replicas);
                self.shift(BTreeMap::from([(incoming.id.clone(), WHOLE)]));
                self.watch(&incoming.id, millis("hold"), analysis.as_ref());
                self.watch(&incoming.id, millis("scale_down_delay"), None);
            }
            _ => self.raise(incoming, incoming.replicas),
        }
        self.settle(incoming);
    }

    fn rolling(&mut self, incoming: &Incoming, active: &RevisionId, config: &Value, analysis: Option<&Analysis>) {
        let number = |name: &str| config.get(name).and_then(Value::as_int).unwrap_or(0);
        let hold = config.get("hold").and_then(Value::as_millis).unwrap_or(0);
        let wanted = incoming.replicas;
        let mut old = self.object.revisions.get(active).map_or(0, |r| r.replicas);
        let mut new = self.object.revisions.get(&incoming.id).map_or(0, |r| r.replicas).min(wanted);
        let most = wanted.max(old) + number("surge");
        let least = (wanted.min(old) - number("unavailable")).max(0);
        while new < wanted || old > 0 {
            let more = (wanted - new).min(most - new - old);
            if more > 0 {
                new += more;
                self.raise(incoming, new);
            }
            let fewer = old.min((new + old - least).max(0));
            if more <= 0 && fewer <= 0 {
                return; // reported by `problems` before a plan is made
            }
            old -= fewer;
            let share = if old == 0 { WHOLE } else { u32::try_from(i64::from(WHOLE) * new / (new + old)).unwrap_or(WHOLE) };
            if new > 0 || old == 0 {
                self.shift(BTreeMap::from([(active.clone(), WHOLE - share), (incoming.id.clone(), share)]));
            }
            self.scale(active, old);
            self.watch(&incoming.id, hold, analysis);
        }
    }
}

/// Replicas that carry a share of the traffic: at least one.
fn share_of(replicas: i64, weight: u32) -> i64 {
    let whole = i64::from(WHOLE);
    ((replicas * i64::from(weight) + whole - 1) / whole).max(1).min(replicas)
}

/// Weights in hundredths of a percent with their holds.
fn canary_steps(config: &Value) -> Vec<(u32, u64)> {
    let steps = config.get("step").map_or(&[][..], Value::items).iter().filter_map(|step| {
        let Value::Quantity(weight) = step.get("weight")? else { return None };
        let share = u32::try_from((weight.base * dax_core::Decimal::from(100)).round()).unwrap_or(WHOLE);
        Some((share.min(WHOLE), step.get("hold").and_then(Value::as_millis).unwrap_or(0)))
    });
    steps.collect()
}

/// What keeps a strategy from working, whatever the live state is.
pub(crate) fn problems(kind: &str, config: &Value, span: Span) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    let number = |name: &str| config.get(name).and_then(Value::as_int).unwrap_or(0);
    if kind == "rolling" && number("surge") == 0 && number("unavailable") == 0 {
        let detail = "with `surge = 0` and `unavailable = 0` no replica may start and none may stop";
        problems.push(Diagnostic::new(NO_PROGRESS, span, detail).help("set `surge = 1`"));
    }
    let weights: Vec<u32> = canary_steps(config).into_iter().map(|(weight, _)| weight).collect();
    if let Some(pair) = weights.windows(2).find(|pair| pair[0] >= pair[1]) {
        let percent = |weight: u32| format!("{}%", f64::from(weight) / 100.0);
        let detail = format!("{} comes after {}", percent(pair[1]), percent(pair[0]));
        problems.push(Diagnostic::new(WEIGHTS_FALL, span, detail).help("put the steps in rising order"));
    }
    if analysis::read(config).is_some_and(|analysis| analysis.require.is_empty()) {
        let detail = "nothing could ever stop the rollout";
        problems.push(Diagnostic::new(EMPTY_ANALYSIS, span, detail).help("add `require errors < 1%`"));
    }
    problems
}
