//! Pull requests, their comments, and who approved them.

use crate::Bitbucket;
use dax_provider_api::ProviderError;
use dax_provider_api::encode;
use dax_provider_api::review::{ChangeRequest, Comment, Opinion, Posted};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

/// A page of a list.
#[derive(Deserialize)]
pub(crate) struct Page<T> {
    values: Vec<T>,
    #[serde(default)]
    next: Option<String>,
}

/// All pages of a list.
async fn all<T: DeserializeOwned>(
    bitbucket: &Bitbucket,
    url: &str,
) -> Result<Vec<T>, ProviderError> {
    let (mut all, mut next) = (Vec::new(), Some(url.to_owned()));
    while let Some(url) = next.take() {
        let Some(mut page) = bitbucket.client.find::<Page<T>>(&url).await? else { break };
        all.append(&mut page.values);
        // Only a page of the same server is followed: credentials go with the call.
        next = page.next.filter(|next| next.starts_with(&bitbucket.repo));
    }
    Ok(all)
}

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
    participants: Vec<Participant>,
    #[serde(default)]
    links: Links,
    #[serde(default)]
    updated_on: String,
}

#[derive(Deserialize)]
struct User {
    #[serde(default)]
    nickname: String,
}

#[derive(Deserialize)]
struct Side {
    #[serde(default)]
    commit: Option<Commit>,
    #[serde(default)]
    branch: Option<Named>,
    #[serde(default)]
    repository: Option<Repository>,
}

#[derive(Deserialize)]
struct Commit {
    hash: String,
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
struct Links {
    #[serde(default)]
    html: Link,
}

#[derive(Deserialize, Default)]
struct Link {
    #[serde(default)]
    href: String,
}

#[derive(Deserialize)]
struct Participant {
    user: User,
    #[serde(default)]
    approved: bool,
    #[serde(default)]
    state: Option<String>,
}

impl Pull {
    fn change(self) -> ChangeRequest {
        ChangeRequest {
            number: self.id,
            title: self.title,
            author: self.author.map(|author| author.nickname).unwrap_or_default(),
            fork: self.source.repository != self.destination.repository,
            head: self.source.commit.map(|commit| commit.hash).unwrap_or_default(),
            base: self.destination.branch.map(|branch| branch.name).unwrap_or_default(),
            open: self.state == "OPEN",
            url: self.links.html.href,
        }
    }
}

async fn pull(bitbucket: &Bitbucket, number: u64) -> Result<Pull, ProviderError> {
    let found: Option<Pull> =
        bitbucket.client.find(&format!("{}/pullrequests/{number}", bitbucket.repo)).await?;
    found.ok_or_else(|| ProviderError::Refused {
        message: format!("Bitbucket shows this token no pull request {number}"),
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
    let url = format!("{}/commit/{}/pullrequests", bitbucket.repo, encode(commit));
    let mut found: Vec<Pull> = all(bitbucket, &url).await?;
    found.retain(|one| one.state == "MERGED");
    found.sort_by(|a, b| b.updated_on.cmp(&a.updated_on));
    Ok(found.into_iter().map(Pull::change).collect())
}

#[derive(Deserialize)]
struct Restriction {}

async fn restricted(bitbucket: &Bitbucket, query: &str) -> Result<bool, ProviderError> {
    let url = format!("{}/branch-restrictions?{query}", bitbucket.repo);
    let found: Option<Page<Restriction>> = bitbucket.client.find(&url).await?;
    Ok(found.is_some_and(|page| !page.values.is_empty()))
}

/// Whether a push takes approvals away.
pub(crate) async fn resets(bitbucket: &Bitbucket) -> Result<bool, ProviderError> {
    restricted(bitbucket, "kind=reset_pullrequest_approvals_on_change").await
}

pub(crate) async fn protected(bitbucket: &Bitbucket, branch: &str) -> Result<bool, ProviderError> {
    restricted(bitbucket, &format!("kind=push&pattern={}", encode(branch))).await
}

pub(crate) async fn opinions(
    bitbucket: &Bitbucket,
    number: u64,
) -> Result<Vec<Opinion>, ProviderError> {
    let mut pull = pull(bitbucket, number).await?;
    let participants = std::mem::take(&mut pull.participants);
    let change = pull.change();
    // Which commit somebody looked at is not told; where a push takes approvals away it can only be the newest.
    let commit = if participants.iter().any(|one| one.approved) && resets(bitbucket).await? {
        Some(change.head)
    } else {
        None
    };
    let voiced = participants
        .into_iter()
        .filter(|one| one.approved || one.state.as_deref() == Some("changes_requested"));
    Ok(voiced
        .map(|one| Opinion {
            by: one.user.nickname,
            agrees: one.approved,
            commit: commit.clone(),
            url: change.url.clone(),
        })
        .collect())
}

#[derive(Deserialize)]
struct Note {
    #[serde(default)]
    id: u64,
    #[serde(default)]
    content: Content,
    #[serde(default)]
    deleted: bool,
    #[serde(default)]
    links: Links,
}

#[derive(Deserialize, Default)]
struct Content {
    #[serde(default)]
    raw: String,
}

pub(crate) async fn comment(
    bitbucket: &Bitbucket,
    comment: &Comment,
) -> Result<Posted, ProviderError> {
    let comments = format!("{}/pullrequests/{}/comments", bitbucket.repo, comment.change);
    let body = json!({ "content": { "raw": comment.body } });
    let find = async || -> Result<Option<Note>, ProviderError> {
        let notes: Vec<Note> =
            all(bitbucket, &format!("{comments}?pagelen=100&sort=created_on")).await?;
        Ok(notes
            .into_iter()
            .find(|note| !note.deleted && note.content.raw.starts_with(&comment.marker)))
    };
    if let Some(known) = find().await? {
        match bitbucket
            .client
            .allowed::<Note>("PUT", &format!("{comments}/{}", known.id), &body)
            .await?
        {
            // Somebody deleted it meanwhile.
            Err(denied) if denied.status == 404 => {}
            Err(denied) => return Ok(no(&denied.message)),
            Ok(note) => return Ok(yes(note)),
        }
    }
    let made = match bitbucket.client.allowed::<Note>("POST", &comments, &body).await {
        // Perhaps it was written all the same.
        Err(error) if error.is_unknown() => match find().await? {
            Some(note) => return Ok(yes(note)),
            None => bitbucket.client.allowed::<Note>("POST", &comments, &body).await?,
        },
        other => other?,
    };
    Ok(made.map_or_else(|denied| no(&denied.message), yes))
}

fn yes(note: Note) -> Posted {
    Posted { url: Some(note.links.html.href).filter(|url| !url.is_empty()), ..Posted::default() }
}

fn no(message: &str) -> Posted {
    let remark = format!(
        "Bitbucket does not let this token comment ({message}): set BITBUCKET_TOKEN to a repository access token with the scope `pullrequest:write`"
    );
    Posted { remark: Some(remark), ..Posted::default() }
}
