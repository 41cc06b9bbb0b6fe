//! The comment of which there is one for each marker, among those of the account that asks.
//!
//! Whoever may write to a repository may change everybody's comments on GitHub, and a marker can be
//! copied: only the author of a comment says whose it is.

use crate::fault::Fault;
use crate::people::{self, Account, User};
use crate::{COMMENTS, GitHub, PULLS};
use dax_provider_api::ProviderError;
use dax_provider_api::review::{Comment, Posted};
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize, Default)]
struct Note {
    #[serde(default)]
    id: u64,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    html_url: Option<String>,
    #[serde(default)]
    user: Option<User>,
}

pub(crate) async fn comment(github: &GitHub, comment: &Comment) -> Result<Posted, ProviderError> {
    let account = people::asks(github).await?;
    match write(github, comment, &account).await {
        Ok(note) => {
            if let Some(author) = &note.user {
                people::known_as(github, Account::of(author));
            }
            Ok(Posted { url: note.html_url, ..Posted::default() })
        }
        Err(fault) if fault.forbidden() || fault.status == Some(404) => Ok(Posted {
            remark: Some(format!(
                "GitHub does not let this token comment on pull request {} ({}): give the job \
                 `pull-requests: write`; a pull request from a fork gets a token that may only read",
                comment.change, fault.message
            )),
            ..Posted::default()
        }),
        Err(fault) => Err(fault.error("comment on the pull request")),
    }
}

async fn write(github: &GitHub, comment: &Comment, account: &Account) -> Result<Note, Fault> {
    let body = json!({ "body": comment.body });
    let find = async || -> Result<Option<Note>, Fault> {
        let notes = own(github, comment.change, &comment.marker, account).await?;
        Ok(notes.into_iter().next())
    };
    if let Some(known) = find().await? {
        let route = format!("{}/issues/comments/{}", github.repo, known.id);
        match github.connection.patch(COMMENTS, &route, &body).await {
            // Somebody deleted it meanwhile.
            Err(fault) if fault.status == Some(404) => {}
            other => return other,
        }
    }
    let route = format!("{}/issues/{}/comments", github.repo, comment.change);
    match github.connection.post(COMMENTS, &route, &body).await {
        // Perhaps it was written all the same.
        Err(fault) if fault.unknown() => match find().await? {
            Some(note) => Ok(note),
            None => github.connection.post(COMMENTS, &route, &body).await,
        },
        other => other,
    }
}

/// The comments of an account that begin with a marker, the oldest first.
async fn own(
    github: &GitHub,
    change: u64,
    marker: &str,
    account: &Account,
) -> Result<Vec<Note>, Fault> {
    let route = format!("{}/issues/{change}/comments", github.repo);
    let mut notes: Vec<Note> = github.connection.all(PULLS, &route).await?;
    notes.retain(|note| {
        note.body.as_deref().is_some_and(|body| body.starts_with(marker))
            && note.user.as_ref().is_some_and(|author| account.wrote(author))
    });
    notes.sort_by_key(|note| note.id);
    Ok(notes)
}

pub(crate) async fn own_comments(
    github: &GitHub,
    number: u64,
    marker: &str,
) -> Result<Vec<String>, ProviderError> {
    let account = people::asks(github).await?;
    let notes = own(github, number, marker, &account)
        .await
        .map_err(|fault| fault.error("read the comments of the pull request"))?;
    Ok(notes.into_iter().filter_map(|note| note.body).collect())
}
