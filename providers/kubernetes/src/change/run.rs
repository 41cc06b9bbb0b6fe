//! Commands beside a revision: Jobs that are named by the call that asks for them, so that each runs once.

use crate::cluster::Cluster;
use crate::lower::{self, Held, Of};
use crate::{jobs, kinds, names};
use dax_core::Name;
use dax_provider_api::{Call, ProviderError};
use serde_json::Value as Json;
use std::time::Duration;

/// Time between two looks for a Job that is to be gone.
const GONE: Duration = Duration::from_millis(200);

/// Runs a command and returns when it has ended well.
pub(super) async fn command(
    cluster: &Cluster,
    of: &Of<'_>,
    held: Held<'_>,
    command: &[Name],
    call: &Call,
) -> Result<(), ProviderError> {
    for (kind, object) in lower::supplies(of, held, &call.secrets) {
        cluster.create(kind, of.namespace(), &object).await?;
    }
    let name = job_name(of, &call.token);
    cluster.create(kinds::JOB, of.namespace(), &lower::job(of, &name, held, command)).await?;
    jobs::ended(cluster, of.namespace(), &name).await
}

/// Takes a Job away that holds another revision, or another number of pods: what a Job runs cannot be changed.
pub(super) async fn make_way(
    cluster: &Cluster,
    of: &Of<'_>,
    name: &str,
    held: Held<'_>,
) -> Result<(), ProviderError> {
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
