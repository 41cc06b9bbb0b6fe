//! Following a controller beside dax by the status of its own object: watched, not polled.

use crate::cluster::Cluster;
use crate::handed::Controller;
use crate::kinds::{self, Kind};
use crate::lower::{self, Of};
use crate::names;
use crate::read::Holding;
use crate::status::{complete, observed};
use dax_provider_api::ProviderError;
use futures::{StreamExt, pin_mut};
use serde_json::Value as Json;
use std::time::Duration;
use tokio::time::Instant;

/// Kept back from a call's time, for asking why it was not enough.
const MARGIN: Duration = Duration::from_secs(3);
/// Time between two tries to see what cannot be seen.
const AGAIN: Duration = Duration::from_millis(500);
/// The longest time without a look of one's own: an event may have been lost on the way.
const LOOK: Duration = Duration::from_secs(30);
/// Events that a message holds.
const EVENTS: usize = 3;

/// What a status says of a rollout.
enum Seen {
    /// It is over, and what dax wrote serves.
    Done,
    /// It is over, and what dax wrote does not serve.
    Failed(String),
    /// It is under way; what is known of it.
    Going(String),
}

/// Returns when the revision that a controller was given serves.
///
/// # Errors
/// The controller took it back, or did not come to an end in time; the message says what it says.
pub(crate) async fn follow(
    cluster: &Cluster,
    of: &Of<'_>,
    controller: Controller,
    target: &Holding,
    timeout: Duration,
) -> Result<(), ProviderError> {
    let (kind, name) = match controller {
        Controller::Flagger => (kinds::CANARY, of.object),
        Controller::Argo => (kinds::ROLLOUT, target.slot.name.as_str()),
    };
    let deadline = Instant::now() + timeout.saturating_sub(MARGIN).max(Duration::from_secs(1));
    let mut last = String::new();
    while Instant::now() < deadline {
        // Each look begins anew, so that nothing is missed when the server lets a watch go.
        match tokio::time::timeout_at(deadline, look(cluster, of, kind, name, target, &mut last))
            .await
        {
            Ok(Ok(Some(answer))) => return answer,
            Ok(Err(error)) if !error.is_transient() => return Err(error),
            Ok(Err(error)) => last = error.to_string(),
            Ok(Ok(None)) | Err(_) => {}
        }
        tokio::time::sleep_until(deadline.min(Instant::now() + AGAIN)).await;
    }
    let unseen = format!(
        "{} has said nothing of {} `{name}`: is its controller running?",
        controller.name(),
        kind.name
    );
    let said = if last.is_empty() {
        unseen
    } else {
        format!("{} is not done in time: {last}", controller.name())
    };
    Err(ProviderError::Refused { message: explained(cluster, of, name, said).await })
}

/// Looks until there is an answer or the server lets go.
async fn look(
    cluster: &Cluster,
    of: &Of<'_>,
    kind: Kind,
    name: &str,
    target: &Holding,
    last: &mut String,
) -> Result<Option<Result<(), ProviderError>>, ProviderError> {
    let gone = || ProviderError::Conflict { message: format!("{} `{name}` is gone", kind.name) };
    let mut object = cluster.get(kind, of.namespace(), name).await?.ok_or_else(gone)?;
    let events = cluster
        .watch(
            kind,
            of.namespace(),
            names::text_at(&object, "/metadata/resourceVersion"),
            Some(name),
        )
        .await?;
    pin_mut!(events);
    loop {
        let seen = if kind == kinds::CANARY {
            flagger(cluster, of, &object, target).await?
        } else {
            argo(&object, target)
        };
        match seen {
            Seen::Done => return Ok(Some(Ok(()))),
            Seen::Failed(message) => {
                return Ok(Some(Err(ProviderError::Refused {
                    message: explained(cluster, of, name, message).await,
                })));
            }
            Seen::Going(said) => *last = said,
        }
        // What the controller has finished may take its pods a little longer, of which its own object says nothing.
        let patience = if over(&object) { AGAIN } else { LOOK };
        match tokio::time::timeout(patience, events.next()).await {
            Ok(Some(Ok(mut event))) if names::text_at(&event, "/type") != "ERROR" => {
                object = event.get_mut("object").map(Json::take).unwrap_or_default();
            }
            Err(_) if patience == AGAIN => {}
            _ => return Ok(None),
        }
    }
}

/// Whether a controller says that it has nothing more to do.
fn over(object: &Json) -> bool {
    ["Initialized", "Succeeded", "Failed", "Healthy"]
        .contains(&names::text_at(object, "/status/phase"))
}

/// What a Canary says. Source: `pkg/controller/scheduler.go` and `pkg/canary/status.go` of Flagger 1.36.
async fn flagger(
    cluster: &Cluster,
    of: &Of<'_>,
    canary: &Json,
    target: &Holding,
) -> Result<Seen, ProviderError> {
    let phase = names::text_at(canary, "/status/phase");
    let weight = canary.pointer("/status/canaryWeight").and_then(Json::as_i64).unwrap_or(0);
    let checks = canary.pointer("/status/failedChecks").and_then(Json::as_i64).unwrap_or(0);
    let going = || {
        Seen::Going(if phase.is_empty() {
            String::new()
        } else {
            format!("it is {phase} at {weight}%, {checks} checks have failed")
        })
    };
    if ["Promoting", "Finalising"].contains(&phase) {
        return Ok(going());
    }
    let Some(target_now) =
        cluster.get(kinds::DEPLOYMENT, of.namespace(), &target.slot.name).await?
    else {
        return Ok(going());
    };
    let primary =
        cluster.get(kinds::DEPLOYMENT, of.namespace(), &lower::primary(&target.slot.name)).await?;
    let serves = |primary: &Json| target.describes(primary) && complete(primary);
    if !phase.is_empty()
        && phase != "Initializing"
        && primary.as_ref().is_some_and(serves)
        && complete(&target_now)
    {
        return Ok(Seen::Done);
    }
    // An older rollout may have failed, too: this one began when dax wrote its revision.
    let began = written(&target_now);
    if phase == "Failed" && names::text_at(canary, "/status/lastTransitionTime") >= began.as_str() {
        return Ok(Seen::Failed(format!(
            "Flagger took the revision back after {checks} failed checks"
        )));
    }
    Ok(going())
}

/// When dax changed an object last, as the server says; in the form of all times of the API, which sort as texts.
fn written(object: &Json) -> String {
    let entries =
        object.pointer("/metadata/managedFields").and_then(Json::as_array).into_iter().flatten();
    let ours = entries.filter(|entry| names::text_at(entry, "/manager") == names::MANAGER);
    ours.map(|entry| names::text_at(entry, "/time").to_owned()).max().unwrap_or_default()
}

/// What a Rollout says. Source: `utils/rollout/rolloututil.go` of Argo Rollouts 1.10.
fn argo(rollout: &Json, target: &Holding) -> Seen {
    let text = |pointer: &str| names::text_at(rollout, pointer);
    let (phase, said) = (text("/status/phase"), text("/status/message"));
    if !observed(rollout) || phase.is_empty() {
        return Seen::Going(String::new());
    }
    let stable = !text("/status/stableRS").is_empty()
        && text("/status/stableRS") == text("/status/currentPodHash");
    let aborted = rollout.pointer("/status/abort").and_then(Json::as_bool).unwrap_or(false);
    match phase {
        "Healthy" if stable && target.describes(rollout) => Seen::Done,
        "Degraded" if aborted || said.contains("ProgressDeadlineExceeded") => {
            Seen::Failed(format!("Argo Rollouts took the revision back: {said}"))
        }
        _ => Seen::Going(format!(
            "it is {phase}{}",
            if said.is_empty() { String::new() } else { format!(": {said}") }
        )),
    }
}

/// A message with the last warnings about an object.
async fn explained(cluster: &Cluster, of: &Of<'_>, name: &str, said: String) -> String {
    let mut events = cluster.list_events(of.namespace(), name).await;
    events.retain(|event| names::text_at(event, "/type") == "Warning");
    events.sort_by(|a, b| {
        names::text_at(a, "/lastTimestamp").cmp(names::text_at(b, "/lastTimestamp"))
    });
    let mut lines: Vec<&str> =
        events.iter().rev().map(|event| names::text_at(event, "/message").trim()).collect();
    lines.dedup();
    lines.truncate(EVENTS);
    if lines.is_empty() { said } else { format!("{said}; {}", lines.join("; ")) }
}
