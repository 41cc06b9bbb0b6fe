//! A plan taken apart into what a reviewer sees of it, each part by itself, so that a plan made
//! after several merges can be held against the plans that were shown for each of them.
//!
//! Left out is what differs between two such plans although nobody decided it: names of
//! revisions, numbers of replicas that a start repeats, places in the program, the state's serial.

use dax_engine::model::{Change, LeafChange, Risk};
use dax_engine::render;
use dax_engine::{Operation, Plan, RevisionId, Step, Task, Value};
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};

/// A part of a plan.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Part {
    /// The service; empty for what concerns the environment.
    pub(crate) of: String,
    /// Its kind, with the path of a leaf.
    pub(crate) kind: String,
    /// Canonical JSON of its content; parts are equal when all three are.
    pub(crate) content: String,
}

impl Part {
    /// Reports whether it only surrounds other parts: the way in which a service that changes
    /// anyhow is changed, and what holds for the whole environment.
    pub(crate) fn surrounds(&self) -> bool {
        let is_frame = self.of.is_empty() && self.kind != "conditions";
        let is_way = matches!(self.kind.as_str(), "steps" | "risk");
        let changes = ["[\"rollout\"", "[\"update\""];
        let is_plain =
            self.kind == "change" && changes.iter().any(|start| self.content.starts_with(start));
        is_frame || is_way || is_plain
    }
}

/// The parts of a plan.
pub(crate) fn parts(plan: &Plan) -> BTreeSet<Part> {
    let mut all = BTreeSet::new();
    let mut add = |of: &str, kind: String, content: Json| {
        all.insert(Part { of: of.to_owned(), kind, content: content.to_string() });
    };
    add("", "mode".to_owned(), json!(plan.mode));
    add("", "on failure".to_owned(), json!(plan.on_failure));
    for (name, value) in &plan.params {
        add("", format!("param {name}"), json!(value));
    }
    for (name, value) in &plan.providers {
        add("", format!("provider {name}"), json!(value));
    }
    for (name, services) in &plan.releases {
        add("", format!("release {name}"), json!(services));
    }
    for one in &plan.deferred {
        let waits: Vec<_> = one.waits.iter().map(|wait| json!([wait.path, wait.cause])).collect();
        add(one.addr.as_str(), "deferred".to_owned(), json!(waits));
    }
    for addr in &plan.unreachable {
        add(addr.as_str(), "unreachable".to_owned(), Json::Null);
    }
    for addr in &plan.left_out {
        add(addr.as_str(), "untargeted".to_owned(), Json::Null);
    }
    let mut steps: BTreeMap<&str, Vec<&Step>> = BTreeMap::new();
    for step in &plan.steps {
        steps.entry(step.service.as_str()).or_default().push(step);
    }
    for change in &plan.changes {
        let of = change.addr.as_str();
        add(of, "change".to_owned(), whole(change));
        for risk in &change.risks {
            add(of, "risk".to_owned(), json!(risk));
        }
        for leaf in &change.leaves {
            add(of, format!("leaf {}", leaf.path), value(leaf));
        }
    }
    for (of, steps) in steps {
        let shapes = steps.iter().filter_map(|step| shape(step, plan));
        add(of, "steps".to_owned(), shapes.collect());
    }
    all
}

/// All of a change but its leaves and its risks.
fn whole(change: &Change) -> Json {
    json!([
        change.action,
        change.reason,
        change.strategy,
        change.replace,
        change.moved_from,
        change.blocked,
        change.rollback_within_ms,
    ])
}

fn value(leaf: &LeafChange) -> Json {
    json!([leaf.before, leaf.after, leaf.live, leaf.owner, leaf.changed_by])
}

/// A step without what follows from leaves, which are parts of their own; nothing for one that
/// follows from what the state keeps of earlier revisions.
fn shape(step: &Step, plan: &Plan) -> Option<Json> {
    let change = plan.changes.iter().find(|change| change.addr == step.service);
    let role = |revision: &RevisionId| {
        let is = |one: Option<&RevisionId>| one == Some(revision);
        if is(change.and_then(|change| change.to.as_ref())) {
            "new"
        } else if is(change.and_then(|change| change.from.as_ref())) {
            "old"
        } else {
            "other"
        }
    };
    let kind = match &step.task {
        Task::Call(Operation::CreateService { .. }) => json!("create service"),
        Task::Call(Operation::UpdateService { .. }) => json!("update service"),
        Task::Call(Operation::DeleteService) => json!("delete service"),
        // Whether it is made or still there is the state's affair.
        Task::Call(Operation::CreateRevision { revision, .. }) => {
            return Some(json!(["start", role(revision), step.provider, step.object]));
        }
        Task::Call(Operation::Scale { revision, replicas }) if *replicas > 0 => {
            return Some(json!(["start", role(revision), step.provider, step.object]));
        }
        Task::Call(Operation::Roll { surge, unavailable, .. }) => {
            json!(["roll", surge, unavailable])
        }
        Task::Call(Operation::DeleteRevision { revision }) if role(revision) == "other" => {
            return None;
        }
        Task::Call(Operation::DeleteRevision { revision }) => {
            json!(["delete revision", role(revision)])
        }
        Task::Call(Operation::Scale { revision, .. }) => json!(["stop", role(revision)]),
        Task::Call(Operation::AwaitReady { revision }) => {
            json!(["wait until ready", role(revision)])
        }
        Task::Call(Operation::ShiftTraffic { traffic }) => {
            let mut shares: Vec<_> =
                traffic.iter().map(|(revision, share)| (role(revision), share)).collect();
            shares.sort();
            json!(["shift traffic", shares])
        }
        Task::Hold { ms } => json!(["hold", ms]),
        Task::Analyse { revision, ms, analysis, against } => {
            json!(["analyse", role(revision), ms, analysis, against.as_ref().map(role)])
        }
        Task::Call(Operation::Route { routes }) => {
            let mut routes: Json = json!(routes);
            rename(&mut routes, &|text| {
                let revision = RevisionId(text.into());
                match role(&revision) {
                    "other" => None,
                    role => Some(role.to_owned()),
                }
            });
            json!(["route", routes])
        }
        Task::Gate { approval } => json!(["gate", approval.count, approval.of]),
        Task::Call(Operation::Run { when, command, .. }) => json!(["run hook", when, command]),
        Task::Call(Operation::Migrate { command, .. }) => json!(["migrate", command]),
    };
    Some(json!([kind, step.provider, step.object, step.inverse.class]))
}

/// Puts other texts in the place of those that have one.
fn rename(json: &mut Json, other: &dyn Fn(&str) -> Option<String>) {
    match json {
        Json::String(text) => {
            if let Some(new) = other(text) {
                *text = new;
            }
        }
        Json::Array(items) => items.iter_mut().for_each(|item| rename(item, other)),
        Json::Object(map) => map.values_mut().for_each(|item| rename(item, other)),
        _ => {}
    }
}

/// A part in words of a reviewer; nothing for what follows from other parts.
pub(crate) fn words(part: &Part, plan: &Plan) -> Option<String> {
    let change = plan.changes.iter().find(|change| change.addr.as_str() == part.of)?;
    if let Some(path) = part.kind.strip_prefix("leaf ") {
        let leaf = change.leaves.iter().find(|leaf| leaf.path.as_str() == path)?;
        let shown = |value: &Option<Value>| {
            value.as_ref().map_or_else(|| "nothing".to_owned(), render::short_value)
        };
        let (before, after) = (shown(&leaf.before), shown(&leaf.after));
        return Some(format!("{} {path} {before} → {after}", change.addr.name()));
    }
    match part.kind.as_str() {
        "change" => Some(format!("{} {}", render::action_word(change.action), change.addr.name())),
        "risk" if change.risks.contains(&Risk::Secrets) && part.content.contains("secrets") => {
            Some(format!("{} runs with other secrets", change.addr.name()))
        }
        _ => None,
    }
}

/// The conditions that a plan was made under, as a part of it.
pub(crate) fn conditions(digest: &str) -> Part {
    Part { of: String::new(), kind: "conditions".to_owned(), content: digest.to_owned() }
}
