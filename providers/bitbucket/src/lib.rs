//! Bitbucket Cloud: pull-request comments, build statuses, Code Insights reports with annotations, approvals, pipelines.
//!
//! Source: <https://developer.atlassian.com/cloud/bitbucket/rest/>.

mod insights;
mod pulls;

use dax_provider_api::review::{
    ChangeRequest, Check, Comment, Credential, Deployment, DeploymentStatus, Opinion, Posted,
    Protection, Remote, SourceControl, Trigger,
};
use dax_provider_api::{BoxFuture, Fact, ProviderError};
use dax_provider_client::{Client, Settings};
use serde::Deserialize;
use serde_json::{Value as Json, json};

/// Bytes of a comment: Bitbucket takes 32,768 characters.
const COMMENT: usize = 32_000;

/// A repository of Bitbucket.
pub struct Bitbucket {
    client: Client,
    /// The repository's address in the API.
    repo: String,
}

/// A repository.
///
/// # Errors
/// There is no way to send anything.
pub fn bitbucket(remote: &Remote) -> Result<Bitbucket, ProviderError> {
    let mut headers = vec![("accept", "application/json".to_owned())];
    match &remote.credential {
        Credential::Token(token) | Credential::JobToken(token) => {
            headers.push(("authorization", format!("Bearer {token}")))
        }
        Credential::Basic(user, password) => {
            headers.push(("authorization", dax_provider_client::basic(user, password)))
        }
        Credential::None | Credential::App(..) => {}
    }
    let client = Client::new(Settings {
        name: "Bitbucket",
        headers,
        dry: remote.dry,
        patience: remote.patience,
        watch: remote.watch.clone(),
    })?;
    let repo = format!("{}/repositories/{}", remote.api.trim_end_matches('/'), remote.repository);
    Ok(Bitbucket { client, repo })
}

#[derive(Deserialize)]
struct Started {
    #[serde(default)]
    build_number: u64,
}

async fn trigger(
    bitbucket: &Bitbucket,
    trigger: &Trigger,
) -> Result<Option<String>, ProviderError> {
    let variables: Vec<Json> =
        trigger.inputs.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect();
    let mut target =
        json!({ "type": "pipeline_ref_target", "ref_type": "branch", "ref_name": trigger.branch });
    if !trigger.workflow.is_empty() {
        target["selector"] = json!({ "type": "custom", "pattern": trigger.workflow });
    }
    let body = json!({ "target": target, "variables": variables });
    let started: Started =
        bitbucket.client.json("POST", &format!("{}/pipelines", bitbucket.repo), &body).await?;
    Ok((started.build_number > 0).then(|| format!("pipeline {}", started.build_number)))
}

async fn examine(bitbucket: &Bitbucket) -> Result<Vec<Fact>, ProviderError> {
    let found: Option<Json> = bitbucket.client.find(&bitbucket.repo).await?;
    let name = found.as_ref().and_then(|repo| repo.get("full_name")).and_then(Json::as_str);
    let name = name.ok_or_else(|| ProviderError::Refused {
        message: "Bitbucket shows this token no such repository".to_owned(),
    })?;
    let reset = pulls::resets(bitbucket).await?;
    Ok(vec![
        Fact { name: name.into(), found: "seen".into(), lacks: None },
        Fact {
            name: "approvals".into(),
            found: if reset { "taken away by a push" } else { "outlive a push" }.into(),
            lacks: (!reset).then(|| {
                "approvals of pull requests count for no plan: restrict the branch to reset approvals when the source branch changes"
                    .to_owned()
            }),
        },
    ])
}

impl SourceControl for Bitbucket {
    fn name(&self) -> &'static str {
        "Bitbucket"
    }

    fn comment_budget(&self) -> usize {
        COMMENT
    }

    fn check_budget(&self) -> usize {
        0
    }

    fn change(&self, number: u64) -> BoxFuture<'_, Result<ChangeRequest, ProviderError>> {
        Box::pin(pulls::change(self, number))
    }

    fn merged<'a>(
        &'a self,
        commit: &'a str,
    ) -> BoxFuture<'a, Result<Vec<ChangeRequest>, ProviderError>> {
        Box::pin(pulls::merged(self, commit))
    }

    fn opinions(&self, number: u64) -> BoxFuture<'_, Result<Vec<Opinion>, ProviderError>> {
        Box::pin(pulls::opinions(self, number))
    }

    fn belongs<'a>(&'a self, _: &'a str, _: &'a str) -> BoxFuture<'a, Result<bool, ProviderError>> {
        // Version 2.0 of its API shows nobody's groups: people are named in the groups of dax.mod.
        Box::pin(std::future::ready(Ok(false)))
    }

    fn check<'a>(&'a self, check: &'a Check) -> BoxFuture<'a, Result<Posted, ProviderError>> {
        Box::pin(insights::check(self, check))
    }

    fn comment<'a>(&'a self, comment: &'a Comment) -> BoxFuture<'a, Result<Posted, ProviderError>> {
        Box::pin(pulls::comment(self, comment))
    }

    fn protection<'a>(
        &'a self,
        _: &'a str,
    ) -> BoxFuture<'a, Result<Option<Protection>, ProviderError>> {
        // Its deployment permissions hold for steps of pipelines and are not shown by the API.
        Box::pin(std::future::ready(Ok(None)))
    }

    fn protected<'a>(&'a self, branch: &'a str) -> BoxFuture<'a, Result<bool, ProviderError>> {
        Box::pin(pulls::protected(self, branch))
    }

    fn released<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Vec<String>, ProviderError>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    fn deploy<'a>(
        &'a self,
        _: &'a Deployment,
    ) -> BoxFuture<'a, Result<Option<String>, ProviderError>> {
        // A step of a pipeline says `deployment: production` itself; there is no call that does.
        Box::pin(std::future::ready(Ok(None)))
    }

    fn deployed<'a>(&'a self, _: &'a DeploymentStatus) -> BoxFuture<'a, Result<(), ProviderError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn running<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Vec<String>, ProviderError>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    fn trigger<'a>(
        &'a self,
        one: &'a Trigger,
    ) -> BoxFuture<'a, Result<Option<String>, ProviderError>> {
        Box::pin(trigger(self, one))
    }

    fn examine(&self) -> BoxFuture<'_, Result<Vec<Fact>, ProviderError>> {
        Box::pin(examine(self))
    }
}
