//! Pull requests and their reviews.
//!
//! Source: <https://developer.atlassian.com/cloud/bitbucket/rest/api-group-pullrequests/>.

use crate::Bitbucket;
use crate::pages::all;
use crate::people::{self, User};
use crate::restrictions::{RESETS, covers};
use dax_provider_api::ProviderError;
use dax_provider_api::review::{ChangeRequest, Review, ReviewState};
use dax_provider_client::segment;
use dax_provider_client::time::timestamp;
use serde::Deserialize;

#[derive(Deserialize)]
struct Pull {
    id: u64,
    #[serde(default)]
    title: String,
    state: String,
    #[serde(default)]
    author: Option<User>,
    source: Side,
    destination: Side,
    #[serde(default)]
    merge_commit: Option<Commit>,
    #[serde(default)]
    participants: Vec<Participant>,
    #[serde(default)]
    links: Links,
    #[serde(default)]
    updated_on: String,
}

#[derive(Deserialize)]
pub(crate) struct Side {
    #[serde(default)]
    pub(crate) commit: Option<Commit>,
    #[serde(default)]
    branch: Option<Named>,
    #[serde(default)]
    repository: Option<Repository>,
}

#[derive(Deserialize)]
pub(crate) struct Commit {
    pub(crate) hash: String,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

#[derive(Deserialize, PartialEq)]
struct Repository {
    full_name: String,
}

#[derive(Deserialize, Default)]
pub(crate) struct Links {
    #[serde(default)]
    pub(crate) html: Link,
}

#[derive(Deserialize, Default)]
pub(crate) struct Link {
    #[serde(default)]
    pub(crate) href: String,
}

#[derive(Deserialize)]
struct Participant {
    user: User,
    #[serde(default)]
    role: String,
    #[serde(default)]
    approved: bool,
    #[serde(default)]
    state: Option<String>,
    /// Of those who approved, when they did.
    #[serde(default)]
    participated_on: Option<String>,
}

impl Pull {
    fn change(self) -> ChangeRequest {
        let merged = self.state == "MERGED";
        ChangeRequest {
            number: self.id,
            title: self.title,
            author: self.author.map(|author| author.person()).unwrap_or_default(),
            // A fork that was deleted has no repository any more.
            fork: self.source.repository.is_none()
                || self.source.repository != self.destination.repository,
            head: self.source.commit.map(|commit| commit.hash).unwrap_or_default(),
            base: self.destination.branch.map(|branch| branch.name).unwrap_or_default(),
            open: self.state == "OPEN",
            merged,
            merge_commit: self.merge_commit.map(|commit| commit.hash).filter(|_| merged),
            url: self.links.html.href,
        }
    }
}

async fn pull(bitbucket: &Bitbucket, number: u64) -> Result<Pull, ProviderError> {
    let found: Option<Pull> =
        bitbucket.client.find(&format!("{}/pullrequests/{number}", bitbucket.repo)).await?;
    found.ok_or_else(|| ProviderError::Refused {
        message: format!(
            "Bitbucket shows this token no pull request {number}: it needs the scope `pullrequest`"
        ),
    })
}

pub(crate) async fn change(
    bitbucket: &Bitbucket,
    number: u64,
) -> Result<ChangeRequest, ProviderError> {
    Ok(pull(bitbucket, number).await?.change())
}

pub(crate) async fn merged(
    bitbucket: &Bitbucket,
    commit: &str,
) -> Result<Vec<ChangeRequest>, ProviderError> {
    let url = format!("{}/commit/{}/pullrequests", bitbucket.repo, segment(commit)?);
    let mut found: Vec<Pull> = all(bitbucket, &url).await?.unwrap_or_default();
    found.retain(|one| one.state == "MERGED");
    found.sort_by(|a, b| b.updated_on.cmp(&a.updated_on));
    Ok(found.into_iter().map(Pull::change).collect())
}

pub(crate) async fn reviews(
    bitbucket: &Bitbucket,
    number: u64,
) -> Result<Vec<Review>, ProviderError> {
    let mut pull = pull(bitbucket, number).await?;
    let participants = std::mem::take(&mut pull.participants);
    let change = pull.change();
    // Which commit somebody looked at is not told; where a push takes approvals away it can only be
    // the newest. What counts is the branch that the change goes to.
    let resets = participants.iter().any(|one| one.approved)
        && covers(bitbucket, RESETS, &change.base).await?;
    let mut reviews = Vec::new();
    for one in participants {
        let state = match one.state.as_deref() {
            Some("changes_requested") => ReviewState::ChangesRequested,
            _ if one.approved => ReviewState::Approved,
            _ => continue,
        };
        let by = one.user.person();
        if state == ReviewState::Approved && by.id.is_empty() {
            continue; // an account that was deleted is nobody
        }
        // Only those who may write choose reviewers.
        let writes = people::writes(bitbucket, &by).await?.unwrap_or(one.role == "REVIEWER");
        reviews.push(Review {
            state,
            commit: resets.then(|| change.head.clone()),
            at_ms: one.participated_on.as_deref().and_then(timestamp),
            writes,
            url: change.url.clone(),
            by,
        });
    }
    Ok(reviews)
}
