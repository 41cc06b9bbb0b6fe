//! GitLab, its own cloud or one's own server: merge-request notes, commit statuses, approvals, deployments, pipelines.
//!
//! Source: <https://docs.gitlab.com/api/rest/>.

mod deployments;
mod notes;
mod people;
mod protection;
mod pushers;
mod requests;
mod reviews;

use dax_provider_api::review::{
    ChangeRequest, Check, Comment, Credential, Deployment, DeploymentStatus, Person, Posted,
    Protection, Released, Remote, Review, SourceControl, Trigger,
};
use dax_provider_api::{BoxFuture, Fact, ProviderError};
use dax_provider_client::{Client, Settings, segment};
use std::sync::Mutex;

/// Bytes of a note: GitLab takes 1,000,000 characters. Source: <https://docs.gitlab.com/administration/instance_limits/>.
const NOTE: usize = 900_000;

/// A project of GitLab.
pub struct GitLab {
    client: Client,
    /// The address of the API.
    api: String,
    /// The project's address in it.
    project: String,
    /// The pipeline that this is, where there is one.
    run: Option<String>,
    /// The id of the account that asks, once it is known.
    account: Mutex<Option<u64>>,
}

/// A project.
///
/// # Errors
/// There is no way to send anything, or its name makes no sense.
pub fn gitlab(remote: &Remote) -> Result<GitLab, ProviderError> {
    let mut headers = vec![("accept", "application/json".to_owned())];
    match &remote.credential {
        // Personal, project, group and OAuth tokens alike; a deploy token has a header of its own.
        Credential::Token(token) if token.starts_with("gldt-") => {
            headers.push(("deploy-token", token.clone()))
        }
        Credential::Token(token) => headers.push(("authorization", format!("Bearer {token}"))),
        Credential::JobToken(token) => headers.push(("job-token", token.clone())),
        Credential::None | Credential::Basic(..) | Credential::App(..) => {}
    }
    let client = Client::new(Settings {
        name: "GitLab",
        headers,
        dry: remote.dry,
        patience: remote.patience,
        watch: remote.watch.clone(),
    })?;
    let api = remote.api.trim_end_matches('/').to_owned();
    let project = format!("{api}/projects/{}", segment(&remote.repository)?);
    Ok(GitLab { client, api, project, run: remote.run.clone(), account: Mutex::new(None) })
}

impl SourceControl for GitLab {
    fn name(&self) -> &'static str {
        "GitLab"
    }

    fn comment_budget(&self) -> usize {
        NOTE
    }

    fn check_budget(&self) -> usize {
        0
    }

    fn change(&self, number: u64) -> BoxFuture<'_, Result<ChangeRequest, ProviderError>> {
        Box::pin(requests::change(self, number))
    }

    fn merged<'a>(
        &'a self,
        commit: &'a str,
    ) -> BoxFuture<'a, Result<Vec<ChangeRequest>, ProviderError>> {
        Box::pin(requests::merged(self, commit))
    }

    fn reviews(&self, number: u64) -> BoxFuture<'_, Result<Vec<Review>, ProviderError>> {
        Box::pin(reviews::reviews(self, number))
    }

    fn pushers<'a>(
        &'a self,
        change: &'a ChangeRequest,
    ) -> BoxFuture<'a, Result<Vec<Person>, ProviderError>> {
        Box::pin(pushers::pushers(self, change))
    }

    fn belongs<'a>(
        &'a self,
        person: &'a Person,
        team: &'a str,
    ) -> BoxFuture<'a, Result<bool, ProviderError>> {
        Box::pin(people::belongs(self, person, team))
    }

    fn check<'a>(&'a self, check: &'a Check) -> BoxFuture<'a, Result<Posted, ProviderError>> {
        Box::pin(notes::check(self, check))
    }

    fn comment<'a>(&'a self, comment: &'a Comment) -> BoxFuture<'a, Result<Posted, ProviderError>> {
        Box::pin(notes::comment(self, comment))
    }

    fn own_comments<'a>(
        &'a self,
        number: u64,
        marker: &'a str,
    ) -> BoxFuture<'a, Result<Vec<String>, ProviderError>> {
        Box::pin(notes::own_comments(self, number, marker))
    }

    fn clock(&self) -> BoxFuture<'_, Result<u64, ProviderError>> {
        Box::pin(people::clock(self))
    }

    fn protection<'a>(
        &'a self,
        environment: &'a str,
    ) -> BoxFuture<'a, Result<Option<Protection>, ProviderError>> {
        Box::pin(protection::protection(self, environment))
    }

    fn protected<'a>(&'a self, branch: &'a str) -> BoxFuture<'a, Result<bool, ProviderError>> {
        Box::pin(deployments::protected(self, branch))
    }

    fn released<'a>(
        &'a self,
        environment: &'a str,
    ) -> BoxFuture<'a, Result<Released, ProviderError>> {
        Box::pin(protection::released(self, environment))
    }

    fn deploy<'a>(
        &'a self,
        deployment: &'a Deployment,
    ) -> BoxFuture<'a, Result<Option<String>, ProviderError>> {
        Box::pin(deployments::deploy(self, deployment))
    }

    fn deployed<'a>(
        &'a self,
        status: &'a DeploymentStatus,
    ) -> BoxFuture<'a, Result<(), ProviderError>> {
        Box::pin(deployments::deployed(self, status))
    }

    fn running<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Vec<String>, ProviderError>> {
        // Of several, GitLab itself counts the newest only.
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    fn trigger<'a>(
        &'a self,
        trigger: &'a Trigger,
    ) -> BoxFuture<'a, Result<Option<String>, ProviderError>> {
        Box::pin(deployments::trigger(self, trigger))
    }

    fn examine(&self) -> BoxFuture<'_, Result<Vec<Fact>, ProviderError>> {
        Box::pin(people::examine(self))
    }
}
