//! Bitbucket Cloud: pull-request comments, build statuses, Code Insights reports with annotations, approvals, pipelines.
//!
//! Source: <https://developer.atlassian.com/cloud/bitbucket/rest/>.

mod comments;
mod insights;
mod pages;
mod people;
mod pulls;
mod pushers;
mod restrictions;

use dax_provider_api::review::{
    ChangeRequest, Check, Comment, Credential, Deployment, DeploymentStatus, Person, Posted,
    Protection, Released, Remote, Review, SourceControl, Trigger,
};
use dax_provider_api::{BoxFuture, Fact, ProviderError};
use dax_provider_client::time::timestamp;
use dax_provider_client::{Client, Settings, segment};
use restrictions::{PUSH, RESETS, covers};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use std::sync::Mutex;

/// Bytes of a comment: Bitbucket takes 32,768 characters.
const COMMENT: usize = 32_000;

/// A repository of Bitbucket.
pub struct Bitbucket {
    client: Client,
    /// The address of the API.
    api: String,
    /// Its workspace and its name, as parts of an address.
    name: (String, String),
    /// The repository's address in the API.
    repo: String,
    /// The pipeline that this is, where there is one.
    run: Option<String>,
    /// The id of the account that asks, once it is known.
    account: Mutex<Option<String>>,
}

/// A repository.
///
/// # Errors
/// There is no way to send anything, or its name makes no sense.
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
    let (workspace, name) =
        remote.repository.split_once('/').ok_or_else(|| ProviderError::Refused {
            message: format!(
                "`{}` is no repository of Bitbucket: write workspace/name",
                remote.repository
            ),
        })?;
    let name = (segment(workspace)?, segment(name)?);
    let api = remote.api.trim_end_matches('/').to_owned();
    Ok(Bitbucket {
        client,
        repo: format!("{api}/repositories/{}/{}", name.0, name.1),
        api,
        name,
        run: remote.run.clone(),
        account: Mutex::new(None),
    })
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

#[derive(Deserialize)]
struct Repository {
    full_name: String,
    #[serde(default)]
    mainbranch: Option<Branch>,
}

#[derive(Deserialize)]
struct Branch {
    name: String,
}

#[derive(Deserialize)]
struct Pipeline {
    #[serde(default)]
    created_on: String,
}

/// When this pipeline was created. Nobody approves a step in a way that the API shows.
async fn released(bitbucket: &Bitbucket) -> Result<Released, ProviderError> {
    let Some(run) = &bitbucket.run else { return Ok(Released::default()) };
    let url = format!("{}/pipelines/{}", bitbucket.repo, segment(run)?);
    let found = bitbucket.client.look::<Pipeline>(&url).await?.ok();
    let created_ms = found.and_then(|pipeline| timestamp(&pipeline.created_on));
    Ok(Released { created_ms, ..Released::default() })
}

async fn examine(bitbucket: &Bitbucket) -> Result<Vec<Fact>, ProviderError> {
    let found: Option<Repository> = bitbucket.client.find(&bitbucket.repo).await?;
    let Repository { full_name, mainbranch } = found.ok_or_else(|| ProviderError::Refused {
        message: "Bitbucket shows this token no such repository".to_owned(),
    })?;
    let branch = mainbranch.map_or_else(|| "main".to_owned(), |branch| branch.name);
    let reset = covers(bitbucket, RESETS, &branch).await?;
    Ok(vec![
        Fact { name: full_name.into(), found: "seen".into(), lacks: None },
        Fact {
            name: format!("approvals of changes to {branch}").into(),
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

    fn reviews(&self, number: u64) -> BoxFuture<'_, Result<Vec<Review>, ProviderError>> {
        Box::pin(pulls::reviews(self, number))
    }

    fn pushers<'a>(
        &'a self,
        change: &'a ChangeRequest,
    ) -> BoxFuture<'a, Result<Vec<Person>, ProviderError>> {
        Box::pin(pushers::pushers(self, change))
    }

    fn belongs<'a>(
        &'a self,
        _: &'a Person,
        _: &'a str,
    ) -> BoxFuture<'a, Result<bool, ProviderError>> {
        // Version 2.0 of its API shows nobody's groups: people are named in the groups of dax.mod.
        Box::pin(std::future::ready(Ok(false)))
    }

    fn check<'a>(&'a self, check: &'a Check) -> BoxFuture<'a, Result<Posted, ProviderError>> {
        Box::pin(insights::check(self, check))
    }

    fn comment<'a>(&'a self, comment: &'a Comment) -> BoxFuture<'a, Result<Posted, ProviderError>> {
        Box::pin(comments::comment(self, comment))
    }

    fn own_comments<'a>(
        &'a self,
        number: u64,
        marker: &'a str,
    ) -> BoxFuture<'a, Result<Vec<String>, ProviderError>> {
        Box::pin(comments::own_comments(self, number, marker))
    }

    fn clock(&self) -> BoxFuture<'_, Result<u64, ProviderError>> {
        Box::pin(async { self.client.clock(&format!("{}?fields=uuid", self.repo)).await })
    }

    fn protection<'a>(
        &'a self,
        _: &'a str,
    ) -> BoxFuture<'a, Result<Option<Protection>, ProviderError>> {
        // Its deployment permissions hold for steps that name the deployment, and the documented
        // schema of an environment has none of them.
        // Source: <https://developer.atlassian.com/cloud/bitbucket/rest/api-group-deployments/>.
        Box::pin(std::future::ready(Ok(None)))
    }

    fn protected<'a>(&'a self, branch: &'a str) -> BoxFuture<'a, Result<bool, ProviderError>> {
        Box::pin(covers(self, PUSH, branch))
    }

    fn released<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Released, ProviderError>> {
        Box::pin(released(self))
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
