//! The comment of which there is one for each marker, among those of the account that asks.

use crate::Bitbucket;
use crate::pages::all;
use crate::people::{self, User};
use crate::pulls::Links;
use dax_provider_api::ProviderError;
use dax_provider_api::review::{Comment, Posted};
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize)]
struct Note {
    #[serde(default)]
    id: u64,
    #[serde(default)]
    content: Content,
    #[serde(default)]
    deleted: bool,
    #[serde(default)]
    user: Option<User>,
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
    let comments = comments(bitbucket, comment.change);
    let body = json!({ "content": { "raw": comment.body } });
    let account = people::asks(bitbucket).await?;
    let find = async || -> Result<Option<Note>, ProviderError> {
        let Some(account) = &account else { return Ok(None) };
        let notes = own(bitbucket, comment.change, &comment.marker, account).await?;
        Ok(notes.into_iter().next())
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
    let note = match made {
        Ok(note) => note,
        Err(denied) => return Ok(no(&denied.message)),
    };
    // Only the answer tells whose an access token's comments are.
    if let (None, Some(author)) = (account, note.user.as_ref().and_then(User::id)) {
        people::known_as(bitbucket, Some(author));
        replace(bitbucket, comment, author, note.id).await?;
    }
    Ok(yes(note))
}

/// Removes the older comments of this account with the same marker; one that cannot be removed is
/// older than the one that was just written, and says so by its place.
async fn replace(
    bitbucket: &Bitbucket,
    comment: &Comment,
    account: &str,
    newest: u64,
) -> Result<(), ProviderError> {
    for note in own(bitbucket, comment.change, &comment.marker, account).await? {
        if note.id == newest {
            continue;
        }
        let url = format!("{}/{}", comments(bitbucket, comment.change), note.id);
        let _ = bitbucket.client.allowed::<serde_json::Value>("DELETE", &url, &json!({})).await?;
    }
    Ok(())
}

fn comments(bitbucket: &Bitbucket, change: u64) -> String {
    format!("{}/pullrequests/{change}/comments", bitbucket.repo)
}

/// The comments of an account that begin with a marker, the oldest first.
async fn own(
    bitbucket: &Bitbucket,
    change: u64,
    marker: &str,
    account: &str,
) -> Result<Vec<Note>, ProviderError> {
    let url = format!("{}?pagelen=100&sort=created_on", comments(bitbucket, change));
    let mut notes: Vec<Note> = all(bitbucket, &url).await?.unwrap_or_default();
    notes.retain(|note| {
        !note.deleted
            && note.content.raw.starts_with(marker)
            && note.user.as_ref().and_then(User::id) == Some(account)
    });
    Ok(notes)
}

/// None where Bitbucket does not say which account asks, until that has written a comment.
pub(crate) async fn own_comments(
    bitbucket: &Bitbucket,
    number: u64,
    marker: &str,
) -> Result<Vec<String>, ProviderError> {
    let Some(account) = people::asks(bitbucket).await? else { return Ok(Vec::new()) };
    let notes = own(bitbucket, number, marker, &account).await?;
    Ok(notes.into_iter().map(|note| note.content.raw).collect())
}

fn yes(note: Note) -> Posted {
    Posted { url: Some(note.links.html.href).filter(|url| !url.is_empty()), ..Posted::default() }
}

fn no(message: &str) -> Posted {
    let remark = format!(
        "Bitbucket does not let this token comment ({message}): set BITBUCKET_TOKEN to a repository \
         access token with the scope `pullrequest:write`"
    );
    Posted { remark: Some(remark), ..Posted::default() }
}
