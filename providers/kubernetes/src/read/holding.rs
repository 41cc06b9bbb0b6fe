//! A Deployment as a revision: what it holds, what of it somebody else changed.

use crate::kinds::{self, Kind};
use crate::lower::{self, Held, Of, Slot};
use crate::owned::{self, Difference};
use crate::status::observed;
use crate::{names, quantity, read};
use dax_core::{Name, RevisionId, Unit, Value};
use dax_model::Edit;
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// A revision where it is held.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Holding {
    pub(crate) slot: Slot,
    /// The revision that dax wrote.
    pub(crate) wrote: RevisionId,
    /// The revision that is there: another one when somebody changed the pods.
    pub(crate) revision: RevisionId,
    pub(crate) spec: Value,
    pub(crate) replicas: i64,
    /// As many as dax asked for.
    pub(crate) wanted: i64,
    /// As many as there are to be now, whoever says so.
    pub(crate) live_replicas: i64,
    pub(crate) ready: i64,
    /// What of the traffic it has, where a controller beside dax says so.
    pub(crate) share: Option<u32>,
    /// Whether dax says how many replicas there are.
    pub(crate) owns_replicas: bool,
    /// Rises with each change of what the Deployment is to be.
    pub(crate) generation: i64,
    /// What else of the Deployment somebody changed.
    pub(crate) edits: Vec<Edit>,
    /// Who changed what of the revision.
    pub(crate) changed_by: BTreeMap<Name, Name>,
}

impl Holding {
    /// Whether an object's pods are of this revision; those that dax found bear no mark of it.
    pub(crate) fn describes(&self, object: &Json) -> bool {
        read::revision_of(object).map_or(self.slot.adopted, |revision| revision == self.wrote)
    }

    /// One of which nothing is known.
    pub(super) fn bare(&self) -> Self {
        let (edits, changed_by) = Default::default();
        Self { edits, changed_by, share: None, owns_replicas: false, generation: 0, ..self.clone() }
    }
}

/// The slot that a Deployment is.
pub(crate) fn slot_of(kind: Kind, object: &str, deployment: &Json) -> Slot {
    if kind == kinds::JOB {
        // Its pods are told apart by labels that the cluster makes for each Job.
        return lower::fresh(object, names::text_at(deployment, "/metadata/name").to_owned());
    }
    let selector = deployment
        .pointer("/spec/selector/matchLabels")
        .and_then(Json::as_object)
        .cloned()
        .unwrap_or_default();
    let adopted = names::meta(deployment, "annotations", names::CONTAINER);
    let (container, found) = adopted.map_or((object, false), |text| {
        (text.trim_end_matches("=found"), text.ends_with("=found"))
    });
    let name = names::text_at(deployment, "/metadata/name").to_owned();
    Slot { name, selector, container: container.to_owned(), adopted: found }
}

/// The revision that a Deployment holds, unless it is none of dax's.
pub(crate) fn holding(of: &Of<'_>, deployment: &Json) -> Option<Holding> {
    let note = |name: &str| names::meta(deployment, "annotations", name);
    if names::meta(deployment, "labels", names::ENVIRONMENT) != Some(of.environment) {
        return None;
    }
    let wrote = RevisionId(Name::new(names::meta(deployment, "labels", names::REVISION)?));
    let spec: Value = serde_json::from_str(note(names::SPEC)?).ok()?;
    let wanted: i64 = note(names::REPLICAS).and_then(|text| text.parse().ok()).unwrap_or(0);
    let slot = slot_of(of.settings.workload(), of.object, deployment);
    let kind = of.settings.workload();
    let suspended = deployment.pointer("/spec/suspend") == Some(&Json::Bool(true));
    let live = match kind {
        kinds::CRON_JOB if suspended => 0,
        kinds::CRON_JOB => wanted,
        kinds::JOB => deployment.pointer("/spec/parallelism").and_then(Json::as_i64).unwrap_or(0),
        _ => deployment.pointer("/spec/replicas").and_then(Json::as_i64).unwrap_or(0),
    };
    let held = Held { revision: &wrote, spec: &spec, replicas: wanted };
    let lowered = lower::workload(of, &slot, held, None);
    let mut found = Holding {
        revision: wrote.clone(),
        spec: spec.clone(),
        replicas: if of.settings.replicas_are_others() && live > 0 { wanted } else { live },
        wanted,
        live_replicas: live,
        ready: match kind {
            kinds::CRON_JOB => live,
            kinds::JOB => deployment
                .pointer("/status/succeeded")
                .and_then(Json::as_i64)
                .unwrap_or(0)
                .min(live),
            _ => ready(deployment).min(live),
        },
        generation: deployment.pointer("/metadata/generation").and_then(Json::as_i64).unwrap_or(0),
        edits: Vec::new(),
        changed_by: BTreeMap::new(),
        share: None,
        owns_replicas: owned::by_dax(deployment, &["spec", "replicas"]),
        slot,
        wrote: wrote.clone(),
    };
    for difference in owned::differences(&lowered, deployment) {
        if of.settings.yields() && !difference.by.is_empty() {
            continue;
        }
        let by = Name::new(&difference.by);
        if difference.path == "spec.replicas" || difference.path == "spec.suspend" {
            found.changed_by.insert("replicas".into(), by);
        } else if let Some(path) = difference
            .path
            .strip_prefix(lower::template_at(kind))
            .and_then(|path| path.strip_prefix('.'))
        {
            let path = changed(&mut found.spec, path, &difference, &found.slot.container);
            found.changed_by.insert(path, by);
        } else {
            found
                .edits
                .push(read::edit(&format!("{}/{}", kind.name, found.slot.name), &difference));
        }
    }
    if found.spec != spec {
        found.revision = RevisionId::of(&found.spec);
    }
    Some(found)
}

/// Replicas of what is held now that are ready; those of what it held before do not count.
pub(super) fn ready(deployment: &Json) -> i64 {
    let status = |name: &str| {
        deployment
            .get("status")
            .and_then(|status| status.get(name))
            .and_then(Json::as_i64)
            .unwrap_or(0)
    };
    if !observed(deployment) {
        return 0;
    }
    if names::text_at(deployment, "/kind") == kinds::REPLICA_SET.name {
        return status("readyReplicas");
    }
    // Pods of both kinds count as ready together; those of the old kind are what is not updated.
    let old = status("replicas") - status("updatedReplicas");
    (status("readyReplicas") - old).min(status("updatedReplicas")).max(0)
}

/// Puts what somebody changed into the fields of the revision; gives the path there.
fn changed(spec: &mut Value, path: &str, difference: &Difference, container: &str) -> Name {
    let Value::Map(fields) = spec else { return Name::default() };
    let found = &difference.found;
    let inside = path.strip_prefix(&format!("spec.containers[{container}]."));
    let amount = |unit| found.as_str().and_then(|text| quantity::read(text, unit));
    let (name, value) = match inside {
        Some("image") => ("image", Some(read::value(found))),
        Some("command") => {
            let words = found.as_array().map_or(&[][..], Vec::as_slice).iter().map(read::value);
            ("command", Some(Value::List(words.collect())))
        }
        Some("resources.requests.cpu") => ("cpu", amount(Unit::Cpu)),
        Some("resources.requests.memory" | "resources.limits.memory") => {
            ("memory", amount(Unit::Bytes))
        }
        _ => ("", None),
    };
    if let Some(value) = value {
        fields.insert(name.into(), value);
        return name.into();
    }
    let variable = inside.and_then(|inside| inside.strip_prefix("env[")?.strip_suffix("].value"));
    let (map, key, shown) = match variable {
        Some(variable) => ("env", variable, format!("env.{variable}")),
        None => ("kubernetes", path, format!("kubernetes.{path}")),
    };
    let entry = fields.entry(map.into()).or_insert_with(|| Value::Map(BTreeMap::new()));
    if let Value::Map(entries) = entry {
        entries.insert(key.into(), read::value(found));
    }
    shown.into()
}
