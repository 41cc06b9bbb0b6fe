//! Deployments, protected branches, and pipelines.
//!
//! Source: <https://docs.gitlab.com/api/deployments/>, <https://docs.gitlab.com/api/branches/>.

use crate::GitLab;
use dax_provider_api::ProviderError;
use dax_provider_api::review::{Deployment, DeploymentState, DeploymentStatus, Trigger};
use dax_provider_client::segment;
use serde::Deserialize;
use serde_json::{Value as Json, json};

#[derive(Deserialize)]
struct Made {
    #[serde(default)]
    id: u64,
    #[serde(default)]
    web_url: Option<String>,
    #[serde(default)]
    environment: Option<Box<Made>>,
}

pub(crate) async fn deploy(
    gitlab: &GitLab,
    deployment: &Deployment,
) -> Result<Option<String>, ProviderError> {
    let body = json!({
        "environment": deployment.environment, "sha": deployment.commit, "ref": deployment.branch, "tag": false, "status": "created",
    });
    let made: Made =
        gitlab.client.json("POST", &format!("{}/deployments", gitlab.project), &body).await?;
    Ok(Some(made.id.to_string()))
}

pub(crate) async fn deployed(
    gitlab: &GitLab,
    status: &DeploymentStatus,
) -> Result<(), ProviderError> {
    let url = format!("{}/deployments/{}", gitlab.project, segment(&status.deployment)?);
    let word = match status.state {
        // It was made as `created`, which is what both are.
        DeploymentState::Queued | DeploymentState::Pending => return Ok(()),
        DeploymentState::Running => "running",
        DeploymentState::Succeeded => "success",
        DeploymentState::Failed | DeploymentState::Broken => "failed",
        DeploymentState::Inactive => return stop(gitlab, &url).await,
    };
    let _: Made = gitlab.client.json("PUT", &url, &json!({ "status": word })).await?;
    if let (DeploymentState::Succeeded, Some(address)) = (status.state, &status.url)
        && let Some(environment) = environment_of(gitlab, &url).await?
    {
        let body = json!({ "external_url": address });
        let _: Made = gitlab
            .client
            .json("PUT", &format!("{}/environments/{environment}", gitlab.project), &body)
            .await?;
    }
    Ok(())
}

/// GitLab has no word for a deployment that ended; its environment is stopped.
async fn stop(gitlab: &GitLab, deployment: &str) -> Result<(), ProviderError> {
    let Some(environment) = environment_of(gitlab, deployment).await? else { return Ok(()) };
    let _: Made = gitlab
        .client
        .json("POST", &format!("{}/environments/{environment}/stop", gitlab.project), &json!({}))
        .await?;
    Ok(())
}

async fn environment_of(gitlab: &GitLab, deployment: &str) -> Result<Option<u64>, ProviderError> {
    let found: Option<Made> = gitlab.client.find(deployment).await?;
    Ok(found.and_then(|found| found.environment).map(|environment| environment.id))
}

#[derive(Deserialize)]
struct Branch {
    #[serde(default)]
    protected: bool,
}

pub(crate) async fn protected(gitlab: &GitLab, branch: &str) -> Result<bool, ProviderError> {
    let found: Option<Branch> = gitlab
        .client
        .find(&format!("{}/repository/branches/{}", gitlab.project, segment(branch)?))
        .await?;
    Ok(found.is_some_and(|branch| branch.protected))
}

pub(crate) async fn trigger(
    gitlab: &GitLab,
    trigger: &Trigger,
) -> Result<Option<String>, ProviderError> {
    let variables: Vec<Json> =
        trigger.inputs.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect();
    let body = json!({ "ref": trigger.branch, "variables": variables });
    let made: Made =
        gitlab.client.json("POST", &format!("{}/pipeline", gitlab.project), &body).await?;
    Ok(made.web_url)
}
