//! Deployments and their statuses.
//!
//! Source: <https://docs.github.com/en/rest/deployments>.

use crate::{DEPLOYMENTS, GitHub, WORKFLOWS};
use dax_provider_api::ProviderError;
use dax_provider_api::encode;
use dax_provider_api::review::{Deployment, DeploymentState, DeploymentStatus, Trigger};
use dax_provider_client::{segment, short};
use serde::Deserialize;
use serde_json::json;

/// Characters of a description.
const DESCRIPTION: usize = 140;
/// So many deployments of an environment are looked at for those that are said to run still.
const LOOKED_AT: usize = 20;

#[derive(Deserialize, Default)]
struct Made {
    #[serde(default)]
    id: u64,
}

#[derive(Deserialize)]
struct Status {
    #[serde(default)]
    state: String,
}

pub(crate) async fn deploy(
    github: &GitHub,
    deployment: &Deployment,
) -> Result<Option<String>, ProviderError> {
    // Left to themselves, deployments merge the default branch into the ref and wait for all checks of it.
    let body = json!({
        "ref": deployment.commit, "task": "deploy", "auto_merge": false, "required_contexts": [],
        "environment": deployment.environment, "description": short(&deployment.description, DESCRIPTION),
        "transient_environment": deployment.transient, "production_environment": deployment.production,
    });
    let route = format!("{}/deployments", github.repo);
    let made: Made = github
        .connection
        .post(DEPLOYMENTS, &route, &body)
        .await
        .map_err(|fault| fault.error("record a deployment"))?;
    Ok(Some(made.id.to_string()))
}

pub(crate) async fn deployed(
    github: &GitHub,
    status: &DeploymentStatus,
) -> Result<(), ProviderError> {
    let state = match status.state {
        DeploymentState::Queued => "queued",
        DeploymentState::Running => "in_progress",
        DeploymentState::Pending => "pending",
        DeploymentState::Succeeded => "success",
        DeploymentState::Failed => "failure",
        DeploymentState::Broken => "error",
        DeploymentState::Inactive => "inactive",
    };
    // GitHub would leave those of production alone; dax puts all of them to rest itself.
    let mut body = json!({ "state": state, "description": short(&status.description, DESCRIPTION), "auto_inactive": false });
    // What is no address of the web is refused, and the status with it.
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~:/?#@!$&'()*+,;=%".contains(c);
    let web = |url: &&String| {
        (url.starts_with("https://") || url.starts_with("http://")) && url.chars().all(plain)
    };
    if let Some(url) = status.url.as_ref().filter(web) {
        body["environment_url"] = json!(url);
    }
    if let Some(log) = status.log.as_ref().filter(web) {
        body["log_url"] = json!(log);
    }
    let id = segment(&status.deployment)?;
    let route = format!("{}/deployments/{id}/statuses", github.repo);
    let _: Made = github
        .connection
        .post(DEPLOYMENTS, &route, &body)
        .await
        .map_err(|fault| fault.error("record how a deployment stands"))?;
    Ok(())
}

pub(crate) async fn running(
    github: &GitHub,
    environment: &str,
) -> Result<Vec<String>, ProviderError> {
    let doing = "read the deployments";
    let route = format!(
        "{}/deployments?environment={}&per_page={LOOKED_AT}",
        github.repo,
        encode(environment)
    );
    let all: Vec<Made> =
        github.connection.get(DEPLOYMENTS, &route).await.map_err(|fault| fault.error(doing))?;
    let mut running = Vec::new();
    for one in all {
        let route = format!("{}/deployments/{}/statuses?per_page=1", github.repo, one.id);
        let last: Vec<Status> =
            github.connection.get(DEPLOYMENTS, &route).await.map_err(|fault| fault.error(doing))?;
        if last.first().is_some_and(|status| {
            matches!(status.state.as_str(), "success" | "in_progress" | "queued" | "pending")
        }) {
            running.push(one.id.to_string());
        }
    }
    Ok(running)
}

pub(crate) async fn trigger(
    github: &GitHub,
    trigger: &Trigger,
) -> Result<Option<String>, ProviderError> {
    let body = json!({ "ref": trigger.branch, "inputs": trigger.inputs });
    let route =
        format!("{}/actions/workflows/{}/dispatches", github.repo, segment(&trigger.workflow)?);
    github
        .connection
        .tell(WORKFLOWS, &route, &body)
        .await
        .map_err(|fault| fault.error(&format!("start {}", trigger.workflow)))?;
    Ok(None)
}
