//! Pull requests as GitHub tells of them.
//!
//! Source: <https://docs.github.com/en/rest/pulls/pulls>.

use crate::people::User;
use crate::{GitHub, PULLS};
use dax_provider_api::ProviderError;
use dax_provider_api::review::ChangeRequest;
use dax_provider_client::segment;
use serde::Deserialize;

#[derive(Deserialize)]
pub(crate) struct Pull {
    pub(crate) number: u64,
    #[serde(default)]
    title: String,
    state: String,
    #[serde(default)]
    pub(crate) created_at: String,
    #[serde(default)]
    pub(crate) closed_at: Option<String>,
    #[serde(default)]
    merged_at: Option<String>,
    #[serde(default)]
    merge_commit_sha: Option<String>,
    /// How many commits it has; in an answer about it alone.
    #[serde(default)]
    pub(crate) commits: Option<usize>,
    #[serde(default)]
    html_url: String,
    #[serde(default)]
    user: Option<User>,
    pub(crate) head: Side,
    base: Side,
}

#[derive(Deserialize)]
pub(crate) struct Side {
    pub(crate) sha: String,
    #[serde(rename = "ref")]
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) repo: Option<Repo>,
}

#[derive(Deserialize)]
pub(crate) struct Repo {
    #[serde(default)]
    pub(crate) full_name: String,
}

impl Pull {
    fn change(self) -> ChangeRequest {
        let home = self.base.repo.as_ref().map(|repo| &repo.full_name);
        // A fork that was deleted has no repository any more.
        let fork = self.head.repo.as_ref().map(|repo| &repo.full_name) != home;
        let merged = self.merged_at.is_some();
        ChangeRequest {
            number: self.number,
            title: self.title,
            author: self.user.map(User::person).unwrap_or_default(),
            head: self.head.sha,
            base: self.base.name,
            open: self.state == "open",
            merged,
            // Before the merge it is a commit that GitHub made to try the merge out.
            merge_commit: self.merge_commit_sha.filter(|_| merged),
            fork,
            url: self.html_url,
        }
    }
}

/// The question for a pull request, in words.
fn reading(number: u64) -> String {
    format!("read pull request {number}, for which the token needs `pull-requests: read`")
}

/// A pull request with all that GitHub says of it.
pub(crate) async fn pull(github: &GitHub, number: u64) -> Result<Pull, ProviderError> {
    github
        .connection
        .get(PULLS, &format!("{}/pulls/{number}", github.repo))
        .await
        .map_err(|fault| fault.error(&reading(number)))
}

pub(crate) async fn change(github: &GitHub, number: u64) -> Result<ChangeRequest, ProviderError> {
    Ok(pull(github, number).await?.change())
}

pub(crate) async fn merged(
    github: &GitHub,
    commit: &str,
) -> Result<Vec<ChangeRequest>, ProviderError> {
    let route = format!("{}/commits/{}/pulls", github.repo, segment(commit)?);
    let mut merged: Vec<Pull> = match github.connection.all(PULLS, &route).await {
        // A commit that GitHub has not: 422 where it knows no such commit, 404 where it tells nothing.
        Err(fault) if matches!(fault.status, Some(404 | 422)) => Vec::new(),
        found => found.map_err(|fault| fault.error("find the pull request of a commit"))?,
    };
    merged.retain(|pull| pull.merged_at.is_some());
    merged.sort_by(|a, b| b.merged_at.cmp(&a.merged_at));
    Ok(merged.into_iter().map(Pull::change).collect())
}
