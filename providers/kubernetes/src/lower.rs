//! A service in the words of Kubernetes: pure, so that what dax would write can be compared with what is there.

mod argo;
mod flagger;
mod front;
mod object;
mod pod;
mod traffic;

pub(crate) use flagger::{made as made_by_flagger, primary};
pub(crate) use front::front;
pub(crate) use object::{kind as object_kind, name as object_name};
pub(crate) use pod::{job, supplies, supplies_name};
pub(crate) use traffic::Traffic;

use crate::kinds::{self, Kind};
use crate::names;
use crate::settings::Settings;
use dax_core::{RevisionId, Value};
use serde_json::{Map, Value as Json, json};

/// A service where it runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Of<'a> {
    pub(crate) environment: &'a str,
    /// As the program calls it.
    pub(crate) service: &'a str,
    /// As its objects are called.
    pub(crate) object: &'a str,
    pub(crate) settings: Settings<'a>,
}

/// A Deployment that holds a revision.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Slot {
    /// Its name.
    pub(crate) name: String,
    /// The labels of its pods by which it finds them.
    pub(crate) selector: Map<String, Json>,
    /// The container of the service.
    pub(crate) container: String,
    /// Whether its pods are still those that dax found when it took over.
    pub(crate) adopted: bool,
}

/// What a Deployment is to hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held<'a> {
    pub(crate) revision: &'a RevisionId,
    pub(crate) spec: &'a Value,
    pub(crate) replicas: i64,
}

impl Of<'_> {
    pub(crate) fn namespace(&self) -> &str {
        self.settings.namespace()
    }

    /// Kind, name, labels and annotations of an object.
    pub(crate) fn head(&self, kind: Kind, name: &str) -> Json {
        json!({
            "apiVersion": kind.version,
            "kind": kind.name,
            "metadata": {
                "name": name,
                "namespace": self.namespace(),
                "labels": names::labels(self.environment, self.object),
                "annotations": {names::SERVICE: self.service},
            },
        })
    }
}

/// The slot of a Deployment that dax makes.
pub(crate) fn fresh(object: &str, name: String) -> Slot {
    let mut selector = Map::new();
    selector.insert(names::NAME.to_owned(), json!(object));
    selector.insert(names::INSTANCE.to_owned(), json!(name));
    Slot { name, selector, container: object.to_owned(), adopted: false }
}

/// How a Deployment replaces its pods.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    pub(crate) surge: i64,
    pub(crate) unavailable: i64,
}

/// Where the pods of a kind stand in its objects.
pub(crate) const fn template_at(kind: Kind) -> &'static str {
    if matches!(kind.name.as_bytes(), b"CronJob") {
        "spec.jobTemplate.spec.template"
    } else {
        "spec.template"
    }
}

/// An object that holds a revision: a Deployment, a StatefulSet or a CronJob.
pub(crate) fn workload(of: &Of<'_>, slot: &Slot, held: Held<'_>, pace: Option<Pace>) -> Json {
    let kind = of.settings.workload();
    let mut object = of.head(kind, &slot.name);
    let metadata = &mut object["metadata"];
    metadata["labels"][names::INSTANCE] = json!(slot.name);
    metadata["labels"][names::REVISION] = json!(held.revision.0.as_str());
    if let Some(version) = held.spec.get("image").and_then(Value::as_str).and_then(names::version) {
        metadata["labels"][names::VERSION] = json!(version);
    }
    metadata["annotations"][names::SPEC] =
        json!(serde_json::to_string(held.spec).expect("values serialise"));
    metadata["annotations"][names::REPLICAS] = json!(held.replicas.to_string());
    if slot.container != of.object || slot.adopted {
        metadata["annotations"][names::CONTAINER] =
            json!(format!("{}{}", slot.container, if slot.adopted { "=found" } else { "" }));
    }
    let mut template = pod::template(of, slot, held);
    if kind == kinds::CRON_JOB {
        template["spec"]["restartPolicy"] = json!("OnFailure");
        let schedule = of.settings.text("schedule").unwrap_or_default();
        object["spec"] = json!({"schedule": schedule, "suspend": held.replicas == 0, "jobTemplate": {"spec": {"template": template}}});
        return object;
    }
    if kind == kinds::JOB {
        template["spec"]["restartPolicy"] = json!("Never");
        object["spec"] = json!({
            "parallelism": held.replicas,
            "completions": held.replicas,
            "backoffLimit": of.settings.get("retries").and_then(Value::as_int).unwrap_or(0),
            "template": template,
        });
        return object;
    }
    object["spec"] = json!({"selector": {"matchLabels": slot.selector}, "template": template});
    if !of.settings.replicas_are_others() {
        object["spec"]["replicas"] = json!(held.replicas);
    }
    if let Some(handed) = of.settings.handed().filter(|_| kind == kinds::ROLLOUT) {
        object["spec"]["strategy"] = argo::strategy(of, handed);
        if slot.adopted {
            return object;
        }
        object["spec"]["progressDeadlineSeconds"] = json!(ready_seconds(held.spec));
        object["spec"]["progressDeadlineAbort"] = json!(true);
        return object;
    }
    if !slot.adopted {
        object["spec"]["revisionHistoryLimit"] = json!(2);
    }
    if kind == kinds::STATEFUL_SET {
        if slot.adopted {
            return object;
        }
        object["spec"]["serviceName"] = json!(of.object);
        let claims: Vec<Json> =
            of.settings.get("volumes").into_iter().flat_map(Value::entries).map(claim).collect();
        if !claims.is_empty() {
            object["spec"]["volumeClaimTemplates"] = json!(claims);
        }
        return object;
    }
    if !slot.adopted {
        object["spec"]["progressDeadlineSeconds"] = json!(ready_seconds(held.spec));
    }
    if let Some(pace) = pace {
        let rolling = json!({"maxSurge": pace.surge, "maxUnavailable": pace.unavailable});
        object["spec"]["strategy"] = json!({"type": "RollingUpdate", "rollingUpdate": rolling});
    }
    object
}

/// A volume that each replica has for itself.
fn claim((name, volume): (&dax_core::Name, &Value)) -> Json {
    let size = volume.get("size").and_then(crate::quantity::write).unwrap_or_default();
    let mut spec =
        json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}});
    if let Some(class) = volume.get("class").and_then(Value::as_str) {
        spec["storageClassName"] = json!(class);
    }
    json!({"metadata": {"name": name.as_str()}, "spec": spec})
}

/// How long a replica may take until it is ready, in whole seconds; Kubernetes wants more than none.
fn ready_seconds(spec: &Value) -> u64 {
    let within =
        spec.get("health").and_then(|health| health.get("ready_within")).and_then(Value::as_millis);
    within.unwrap_or(60_000).div_ceil(1000).max(2)
}
