//! Waiting for Jobs, and saying why one failed.

use crate::cluster::Cluster;
use crate::{kinds, names, status};
use dax_provider_api::ProviderError;
use futures::{StreamExt, pin_mut};
use serde_json::Value as Json;
use std::time::Duration;

/// The longest time between two looks at a Job of which nothing is heard.
const LOOK: Duration = Duration::from_secs(30);

/// Returns when a Job has ended well.
///
/// # Errors
/// It failed, with the last lines of its container, or it is gone.
pub(crate) async fn ended(
    cluster: &Cluster,
    namespace: &str,
    name: &str,
) -> Result<(), ProviderError> {
    loop {
        let gone = || ProviderError::Conflict {
            message: format!("Job `{name}` is gone, and nobody knows how it ended"),
        };
        let job = cluster.get(kinds::JOB, namespace, name).await?.ok_or_else(gone)?;
        let is = |kind: &str| status::condition(&job, kind, "True");
        if is("Complete") {
            return Ok(());
        }
        if is("Failed") {
            return Err(ProviderError::Refused {
                message: failure(cluster, namespace, name, &job).await,
            });
        }
        let version = names::text_at(&job, "/metadata/resourceVersion");
        let events = cluster.watch(kinds::JOB, namespace, version, Some(name)).await?;
        pin_mut!(events);
        let _ = tokio::time::timeout(LOOK, events.next()).await;
    }
}

async fn failure(cluster: &Cluster, namespace: &str, name: &str, job: &Json) -> String {
    let selector = format!("batch.kubernetes.io/job-name={name}");
    let pods = cluster.list(kinds::POD, namespace, &selector).await.unwrap_or_default();
    let mut logs = None;
    for pod in &pods {
        let container = names::text_at(pod, "/spec/containers/0/name");
        logs = logs
            .or(cluster.logs(namespace, names::text_at(pod, "/metadata/name"), container, 5).await);
    }
    let logs =
        logs.map_or_else(String::new, |logs| format!(", its last lines:\n{}", logs.trim_end()));
    let conditions =
        job.pointer("/status/conditions").and_then(Json::as_array).into_iter().flatten();
    let failed = conditions.into_iter().find(|one| names::text_at(one, "/type") == "Failed");
    format!(
        "Job `{name}` failed: {}{logs}",
        failed.map_or("", |failed| names::text_at(failed, "/message"))
    )
}
