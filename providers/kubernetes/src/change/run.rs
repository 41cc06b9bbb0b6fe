//! Commands beside a revision: Jobs that are named by the call that asks for them, so that each runs once.

use crate::cluster::Cluster;
use crate::lower::{self, Held, Of};
use crate::{kinds, names, wait};
use dax_core::Name;
use dax_provider_api::{Call, ProviderError};
use futures::{StreamExt, pin_mut};
use serde_json::Value as Json;
use std::time::Duration;

/// The longest time between two looks at a Job of which nothing is heard.
const LOOK: Duration = Duration::from_secs(30);
/// Time between two looks for a Job that is to be gone.
const GONE: Duration = Duration::from_millis(200);

/// Runs a command and returns when it has ended well.
pub(super) async fn command(cluster: &Cluster, of: &Of<'_>, held: Held<'_>, command: &[Name], call: &Call) -> Result<(), ProviderError> {
    for (kind, object) in lower::supplies(of, held, &call.secrets) {
        cluster.create(kind, of.namespace(), &object).await?;
    }
    let name = job_name(of, &call.token);
    cluster.create(kinds::JOB, of.namespace(), &lower::job(of, &name, held, command)).await?;
    ended(cluster, of, &name).await
}

/// Returns when a Job has ended well.
///
/// # Errors
/// It failed, with the last lines of its container, or it is gone.
pub(crate) async fn ended(cluster: &Cluster, of: &Of<'_>, name: &str) -> Result<(), ProviderError> {
    loop {
        let gone = || ProviderError::Conflict { message: format!("Job `{name}` is gone, and nobody knows how it ended") };
        let job = cluster.get(kinds::JOB, of.namespace(), name).await?.ok_or_else(gone)?;
        let is = |kind: &str| wait::condition(&job, kind, "True");
        if is("Complete") {
            return Ok(());
        }
        if is("Failed") {
            return Err(ProviderError::Refused { message: failure(cluster, of, name, &job).await });
        }
        let version = names::text_at(&job, "/metadata/resourceVersion");
        let events = cluster.watch(kinds::JOB, of.namespace(), version, Some(name)).await?;
        pin_mut!(events);
        let _ = tokio::time::timeout(LOOK, events.next()).await;
    }
}

/// Takes a Job away that holds another revision, or another number of pods: what a Job runs cannot be changed.
pub(super) async fn make_way(cluster: &Cluster, of: &Of<'_>, name: &str, held: Held<'_>) -> Result<(), ProviderError> {
    let mut asked = false;
    while let Some(job) = cluster.get(kinds::JOB, of.namespace(), name).await? {
        let same = names::meta(&job, "labels", names::REVISION) == Some(&held.revision.0)
            && job.pointer("/spec/parallelism").and_then(Json::as_i64) == Some(held.replicas);
        if same {
            return Ok(());
        }
        if !std::mem::replace(&mut asked, true) {
            cluster.delete(kinds::JOB, of.namespace(), name).await?;
        }
        tokio::time::sleep(GONE).await;
    }
    Ok(())
}

/// The name of the Job of a call: the same call has the same Job.
fn job_name(of: &Of<'_>, token: &str) -> String {
    let digest = dax_core::RevisionId::of(&dax_core::Value::str(token));
    format!("{}-run-{digest}", of.object)
}

async fn failure(cluster: &Cluster, of: &Of<'_>, name: &str, job: &Json) -> String {
    let selector = format!("batch.kubernetes.io/job-name={name}");
    let pods = cluster.list(kinds::POD, of.namespace(), &selector).await.unwrap_or_default();
    let mut logs = None;
    for pod in &pods {
        let container = names::text_at(pod, "/spec/containers/0/name");
        logs = logs.or(cluster.logs(of.namespace(), names::text_at(pod, "/metadata/name"), container, 5).await);
    }
    let logs = logs.map_or_else(String::new, |logs| format!(", its last lines:\n{}", logs.trim_end()));
    let conditions = job.pointer("/status/conditions").and_then(Json::as_array).into_iter().flatten();
    let failed = conditions.into_iter().find(|one| names::text_at(one, "/type") == "Failed");
    format!("Job `{name}` failed: {}{logs}", failed.map_or("", |failed| names::text_at(failed, "/message")))
}
