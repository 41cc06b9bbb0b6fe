//! GitLab, its own cloud or one's own server: merge-request notes, commit statuses, approvals, deployments, pipelines.
//!
//! Source: <https://docs.gitlab.com/api/rest/>.

mod deployments;
mod notes;
mod people;

use dax_provider_api::review::{
    ChangeRequest, Check, Comment, Credential, Deployment, DeploymentStatus, Opinion, Posted,
    Protection, Remote, SourceControl, Trigger,
};
use dax_provider_api::{BoxFuture, Fact, ProviderError, encode};
use dax_provider_client::{Client, Settings};

/// Bytes of a note: GitLab takes 1,000,000 characters. Source: <https://docs.gitlab.com/administration/instance_limits/>.
const NOTE: usize = 900_000;

/// A project of GitLab.
pub struct GitLab {
    client: Client,
    /// The address of the API.
    api: String,
    /// The project's address in it.
    project: String,
}

/// A project.
///
/// # Errors
/// There is no way to send anything.
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
    let project = format!("{api}/projects/{}", encode(&remote.repository));
    Ok(GitLab { client, api, project })
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
        Box::pin(people::change(self, number))
    }

    fn merged<'a>(
        &'a self,
        commit: &'a str,
    ) -> BoxFuture<'a, Result<Vec<ChangeRequest>, ProviderError>> {
        Box::pin(people::merged(self, commit))
    }

    fn opinions(&self, number: u64) -> BoxFuture<'_, Result<Vec<Opinion>, ProviderError>> {
        Box::pin(people::opinions(self, number))
    }

    fn belongs<'a>(
        &'a self,
        login: &'a str,
        team: &'a str,
    ) -> BoxFuture<'a, Result<bool, ProviderError>> {
        Box::pin(people::belongs(self, login, team))
    }

    fn check<'a>(&'a self, check: &'a Check) -> BoxFuture<'a, Result<Posted, ProviderError>> {
        Box::pin(notes::check(self, check))
    }

    fn comment<'a>(&'a self, comment: &'a Comment) -> BoxFuture<'a, Result<Posted, ProviderError>> {
        Box::pin(notes::comment(self, comment))
    }

    fn protection<'a>(
        &'a self,
        environment: &'a str,
    ) -> BoxFuture<'a, Result<Option<Protection>, ProviderError>> {
        Box::pin(deployments::protection(self, environment))
    }

    fn protected<'a>(&'a self, branch: &'a str) -> BoxFuture<'a, Result<bool, ProviderError>> {
        Box::pin(deployments::protected(self, branch))
    }

    fn released<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Vec<String>, ProviderError>> {
        // Who starts a manual job is the job's own user; GitLab has no list of them.
        Box::pin(std::future::ready(Ok(Vec::new())))
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
