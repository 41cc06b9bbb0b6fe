//! GitHub and GitHub Enterprise Server: checks, comments, statuses, reviews, deployments and what protects them.
//!
//! Source: <https://docs.github.com/en/rest>.

mod checks;
mod comments;
mod connect;
mod deployments;
mod device;
mod fault;
mod people;
mod pulls;
mod pushers;
mod reviews;
mod rules;
mod runs;

pub use device::{Login, login};

use connect::{Connection, Needs};
use dax_provider_api::review::{
    ChangeRequest, Check, Comment, Deployment, DeploymentStatus, Person, Posted, Protection,
    Released, Remote, Review, SourceControl, Trigger,
};
use dax_provider_api::{BoxFuture, Fact, ProviderError};
use std::collections::BTreeMap;
use std::sync::Mutex;

const CHECKS: Needs = &[("checks", "write")];
const STATUSES: Needs = &[("statuses", "write")];
const COMMENTS: Needs = &[("pull_requests", "write")];
const PULLS: Needs = &[("contents", "read"), ("pull_requests", "read")];
const DEPLOYMENTS: Needs = &[("deployments", "write")];
const WORKFLOWS: Needs = &[("actions", "write")];
const RULES: Needs = &[("actions", "read")];
const CONTENTS: Needs = &[("contents", "read")];
const MEMBERS: Needs = &[("members", "read")];

/// Bytes of a comment: GitHub takes 65,536 characters, and no text has more characters than bytes.
const COMMENT: usize = 65_000;
/// Bytes of the summary of a check. Source: `output.summary` of <https://docs.github.com/en/rest/checks/runs>.
const SUMMARY: usize = 65_000;

/// A repository of GitHub.
pub struct GitHub {
    connection: Connection,
    /// `/repos/owner/name`.
    repo: String,
    owner: String,
    run: Option<String>,
    /// Checks that this process began, by name and commit.
    begun: Mutex<BTreeMap<(String, String), u64>>,
    /// The account that asks, once it is known.
    account: Mutex<Option<people::Account>>,
}

/// A repository.
///
/// # Errors
/// Its name, the address of the API or the App's key makes no sense.
pub fn github(remote: &Remote) -> Result<GitHub, ProviderError> {
    let wrong = || ProviderError::Refused {
        message: format!("`{}` is no repository of GitHub: write owner/name", remote.repository),
    };
    let (owner, name) = remote.repository.split_once('/').ok_or_else(wrong)?;
    let plain = |text: &str| {
        !text.is_empty()
            && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
    };
    if !plain(owner) || !plain(name) {
        return Err(wrong());
    }
    Ok(GitHub {
        connection: Connection::new(remote, owner, name)?,
        repo: format!("/repos/{owner}/{name}"),
        owner: owner.to_owned(),
        run: remote.run.clone(),
        begun: Mutex::new(BTreeMap::new()),
        account: Mutex::new(None),
    })
}

impl SourceControl for GitHub {
    fn name(&self) -> &'static str {
        "GitHub"
    }

    fn comment_budget(&self) -> usize {
        COMMENT
    }

    fn check_budget(&self) -> usize {
        SUMMARY
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
        Box::pin(checks::check(self, check))
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
        Box::pin(people::clock(self))
    }

    fn protection<'a>(
        &'a self,
        environment: &'a str,
    ) -> BoxFuture<'a, Result<Option<Protection>, ProviderError>> {
        Box::pin(rules::protection(self, environment))
    }

    fn protected<'a>(&'a self, branch: &'a str) -> BoxFuture<'a, Result<bool, ProviderError>> {
        Box::pin(rules::protected(self, branch))
    }

    fn released<'a>(
        &'a self,
        environment: &'a str,
    ) -> BoxFuture<'a, Result<Released, ProviderError>> {
        Box::pin(runs::released(self, environment))
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

    fn running<'a>(
        &'a self,
        environment: &'a str,
    ) -> BoxFuture<'a, Result<Vec<String>, ProviderError>> {
        Box::pin(deployments::running(self, environment))
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
