//! Deployments, what protects environments, and pipelines.
//!
//! Source: <https://docs.gitlab.com/api/deployments/>, <https://docs.gitlab.com/api/protected_environments/>.

use crate::GitLab;
use dax_provider_api::ProviderError;
use dax_provider_api::encode;
use dax_provider_api::review::{
    Branches, Deployment, DeploymentState, DeploymentStatus, Protection, Trigger,
};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use std::time::Duration;

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
    let url = format!("{}/deployments/{}", gitlab.project, encode(&status.deployment));
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
struct ProtectedEnvironment {
    #[serde(default)]
    approval_rules: Vec<ApprovalRule>,
}

#[derive(Deserialize)]
struct ApprovalRule {
    #[serde(default)]
    user_id: Option<u64>,
    #[serde(default)]
    group_id: Option<u64>,
    #[serde(default)]
    required_approvals: u32,
}

pub(crate) async fn protection(
    gitlab: &GitLab,
    environment: &str,
) -> Result<Option<Protection>, ProviderError> {
    let url = format!("{}/protected_environments/{}", gitlab.project, encode(environment));
    let found: Option<ProtectedEnvironment> = gitlab.client.find(&url).await?;
    let Some(found) = found else { return Ok(None) };
    let mut reviewers = Vec::new();
    for rule in found.approval_rules.iter().filter(|rule| rule.required_approvals > 0) {
        let (url, field) = match (rule.user_id, rule.group_id) {
            (Some(user), _) => (format!("{}/users/{user}", gitlab.api), "username"),
            (_, Some(group)) => (format!("{}/groups/{group}", gitlab.api), "full_path"),
            _ => continue,
        };
        let who: Json = gitlab.client.find(&url).await?.unwrap_or_default();
        reviewers.extend(who.get(field).and_then(Json::as_str).map(str::to_owned));
    }
    Ok(Some(Protection {
        reviewers,
        no_self_review: true,
        wait: Duration::ZERO,
        branches: Branches::Any,
    }))
}

#[derive(Deserialize)]
struct Branch {
    #[serde(default)]
    protected: bool,
}

pub(crate) async fn protected(gitlab: &GitLab, branch: &str) -> Result<bool, ProviderError> {
    let found: Option<Branch> = gitlab
        .client
        .find(&format!("{}/repository/branches/{}", gitlab.project, encode(branch)))
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
