//! Waiting for pods without asking again and again, and saying why they do not come.

use crate::cluster::Cluster;
use crate::jobs;
use crate::kinds::{self, Kind};
use crate::lower::{Of, Slot};
use crate::names;
use crate::status::{complete, conditions, is, number, observed};
use crate::watching;
use dax_core::RevisionId;
use dax_provider_api::{Call, ProviderError};
use serde_json::Value as Json;
use std::time::Duration;
use tokio::time::Instant;

/// Kept back from a call's time, for asking why it was not enough.
const MARGIN: Duration = Duration::from_secs(3);
/// How long pods may look stuck before they count as stuck: an image may come at the second try.
const PATIENCE: Duration = Duration::from_secs(4);
/// Lines of a log that a message holds.
const LINES: usize = 5;

/// What is waited for.
pub(crate) struct Waited<'w> {
    namespace: &'w str,
    /// Of what holds the pods.
    kind: Kind,
    /// What the labels of the pods say that they belong to.
    service: &'w str,
}

impl<'w> Waited<'w> {
    /// A service as it is described.
    pub(crate) fn of(of: &'w Of<'_>) -> Self {
        Self { namespace: of.namespace(), kind: of.settings.workload(), service: of.object }
    }
}

/// Keeps in mind what generation a Deployment has after a write, so that nothing older is taken for it.
pub(crate) fn remember(cluster: &Cluster, of: &Of<'_>, name: &str, written: &Json) {
    let key = (of.namespace().to_owned(), watching::key(of.settings.workload(), name));
    let mut generations =
        cluster.generations.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    generations.insert(key, number(written, "/metadata/generation"));
}

/// Waits for a revision that this process wrote itself, without asking where it is; nothing where it did not.
pub(crate) async fn known(
    cluster: &Cluster,
    call: &Call,
    revision: &RevisionId,
) -> Option<Result<(), ProviderError>> {
    let object = names::object(&call.service);
    let view = match watching::view(&cluster.views, &cluster.api, &call.place).await {
        Ok(view) => view,
        Err(error) => return Some(Err(error)),
    };
    let deployment = view.find(&[
        (names::NAME, &object),
        (names::ENVIRONMENT, &call.environment),
        (names::REVISION, &revision.0),
    ])?;
    let (kind, name) =
        (kind_of(&deployment), names::text_at(&deployment, "/metadata/name").to_owned());
    let key = (call.place.to_string(), watching::key(kind, &name));
    let generation =
        *cluster.generations.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get(&key)?;
    let slot = crate::read::slot_of(kind, &object, &deployment);
    let what = Waited { namespace: &call.place, kind, service: &object };
    Some(ready(cluster, &what, &slot, generation, call.timeout).await)
}

/// Returns when all replicas of a Deployment are of what it holds now, and available; it must be at least of a generation.
pub(crate) async fn ready(
    cluster: &Cluster,
    what: &Waited<'_>,
    slot: &Slot,
    generation: i64,
    timeout: Duration,
) -> Result<(), ProviderError> {
    let deadline = Instant::now() + timeout.saturating_sub(MARGIN).max(Duration::from_secs(1));
    let kind = what.kind;
    if kind == kinds::CRON_JOB {
        return Ok(()); // it runs when its time comes
    }
    if kind == kinds::JOB {
        let ended = jobs::ended(cluster, what.namespace, &slot.name);
        let late = |_| ProviderError::Refused {
            message: format!(
                "Job `{}` has not ended in time: `ready_within` of `health` says how long it may take",
                slot.name
            ),
        };
        return tokio::time::timeout_at(deadline, ended).await.map_err(late)?;
    }
    let view = watching::view(&cluster.views, &cluster.api, what.namespace).await?;
    let bell = view.bell(what.service);
    let mut stuck_since: Option<Instant> = None;
    loop {
        // What changes from here on is heard, even before it is waited for.
        let change = bell.notified();
        let deployment = view.workload(kind, &slot.name).unwrap_or_default();
        let current = number(&deployment, "/metadata/generation") >= generation;
        if current && complete(&deployment) {
            return Ok(());
        }
        let told = if current { reasons(&view, slot, &deployment) } else { Told::default() };
        if told.hopeless {
            stuck_since.get_or_insert_with(Instant::now);
        } else {
            stuck_since = None;
        }
        if Instant::now() >= deadline
            || stuck_since.is_some_and(|since| since.elapsed() >= PATIENCE)
        {
            if let Some(message) = view.blind() {
                return Err(ProviderError::Unreachable { message });
            }
            if deployment.is_null() {
                return Err(ProviderError::Conflict {
                    message: format!("{} `{}` is gone", kind.name, slot.name),
                });
            }
            return Err(ProviderError::Refused {
                message: message(cluster, what, slot, &deployment, told).await,
            });
        }
        let until = stuck_since.map_or(deadline, |since| deadline.min(since + PATIENCE));
        let _ = tokio::time::timeout_at(until, change).await;
    }
}

/// The kind of an object that holds pods, as it is seen: StatefulSets name the Service of their pods.
fn kind_of(object: &Json) -> Kind {
    if object.pointer("/spec/serviceName").is_some() {
        kinds::STATEFUL_SET
    } else {
        kinds::DEPLOYMENT
    }
}

/// What keeps a pod from becoming ready.
enum Cause {
    /// It is known in full.
    Said(String),
    /// A container ends again and again: its pod, its name, its last status, how often.
    Crashes { pod: String, container: String, code: i64, restarts: i64 },
    /// A container runs and does not become ready.
    Unready { pod: String, container: String },
}

/// What is told of pods that do not come.
#[derive(Default)]
struct Told {
    causes: Vec<Cause>,
    /// Whether waiting will not help.
    hopeless: bool,
}

/// Why pods do not become ready, as far as the objects say it.
fn reasons(view: &watching::View, slot: &Slot, deployment: &Json) -> Told {
    let mut told = Told::default();
    if let Some(failure) = conditions(deployment).find(|one| is(one, "ReplicaFailure", "True")) {
        // Quotas and admission speak through it.
        told.causes.push(Cause::Said(names::text_at(failure, "/message").to_owned()));
        told.hopeless = true;
    }
    let gave_up = |one: &Json| names::text_at(one, "/reason") == "ProgressDeadlineExceeded";
    told.hopeless |= observed(deployment) && conditions(deployment).any(gave_up);
    let revision = names::meta(deployment, "labels", names::REVISION).unwrap_or_default();
    for pod in view.pods(&slot.selector) {
        let ours = slot.adopted || names::meta(&pod, "labels", names::REVISION) == Some(revision);
        if let Some((cause, hopeless)) = Some(&pod).filter(|_| ours).and_then(pod_cause) {
            told.causes.push(cause);
            told.hopeless |= hopeless;
        }
    }
    told
}

/// Why one pod is not ready, and whether waiting will not help.
fn pod_cause(pod: &Json) -> Option<(Cause, bool)> {
    let is = |kind: &str| conditions(pod).find(|one| names::text_at(one, "/type") == kind);
    if is("Ready").is_some_and(|ready| names::text_at(ready, "/status") == "True") {
        return None;
    }
    if let Some(scheduled) =
        is("PodScheduled").filter(|one| names::text_at(one, "/status") == "False")
    {
        return Some((
            Cause::Said(format!(
                "no node takes the pod: {}",
                names::text_at(scheduled, "/message")
            )),
            false,
        ));
    }
    let name = names::text_at(pod, "/metadata/name");
    let list = |pointer: &str| pod.pointer(pointer).and_then(Json::as_array).into_iter().flatten();
    for status in list("/status/initContainerStatuses").chain(list("/status/containerStatuses")) {
        let (container, image) =
            (names::text_at(status, "/name"), names::text_at(status, "/image"));
        let (reason, said) = (
            names::text_at(status, "/state/waiting/reason"),
            names::text_at(status, "/state/waiting/message"),
        );
        match reason {
            "ImagePullBackOff" | "ErrImagePull" | "InvalidImageName" | "ErrImageNeverPull" => {
                return Some((
                    Cause::Said(format!("the image `{image}` cannot be pulled: {said}")),
                    reason != "ErrImagePull",
                ));
            }
            "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => {
                return Some((
                    Cause::Said(format!("container `{container}` cannot be made: {said}")),
                    true,
                ));
            }
            "CrashLoopBackOff" => {
                let code = number(status, "/lastState/terminated/exitCode");
                let restarts = number(status, "/restartCount");
                let cause = Cause::Crashes {
                    pod: name.to_owned(),
                    container: container.to_owned(),
                    code,
                    restarts,
                };
                return Some((cause, true));
            }
            _ => {}
        }
        let ready = status.get("ready").and_then(Json::as_bool).unwrap_or(false);
        if status.pointer("/state/running").is_some() && !ready {
            return Some((
                Cause::Unready { pod: name.to_owned(), container: container.to_owned() },
                false,
            ));
        }
    }
    None
}

/// All in words, each reason once; only now logs and events are asked for.
async fn message(
    cluster: &Cluster,
    what: &Waited<'_>,
    slot: &Slot,
    deployment: &Json,
    told: Told,
) -> String {
    let mut lines: Vec<String> = Vec::new();
    for cause in told.causes {
        let line = match cause {
            Cause::Said(line) => line,
            Cause::Crashes { .. } | Cause::Unready { .. } if lines.len() > 2 => continue,
            Cause::Crashes { pod, container, code, restarts } => {
                let logs = cluster.logs(what.namespace, &pod, &container, LINES).await;
                let logs = logs.map_or_else(String::new, |logs| {
                    format!(", its last lines:\n{}", logs.trim_end())
                });
                format!(
                    "container `{container}` ends with status {code} again and again ({restarts} times){logs}"
                )
            }
            Cause::Unready { pod, container } => {
                let events = cluster.list_events(what.namespace, &pod).await;
                let probe = events
                    .iter()
                    .rev()
                    .find(|event| names::text_at(event, "/reason") == "Unhealthy");
                let probe = probe.map_or_else(
                    || "it runs and is not ready".to_owned(),
                    |event| names::text_at(event, "/message").to_owned(),
                );
                format!("container `{container}`: {probe}")
            }
        };
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    let (available, wanted) =
        (number(deployment, "/status/availableReplicas"), number(deployment, "/spec/replicas"));
    let (updated, all) =
        (number(deployment, "/status/updatedReplicas"), number(deployment, "/status/replicas"));
    let head = format!(
        "{} `{}`: {updated} of {wanted} pods are new, {available} of {all} are available",
        what.kind.name, slot.name
    );
    if lines.is_empty() {
        format!("{head}; nothing says why")
    } else {
        format!("{head}: {}", lines.join("; "))
    }
}
