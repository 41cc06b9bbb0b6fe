//! The comment of which there is one for each marker.

use crate::connect::Fault;
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
}

pub(crate) async fn comment(github: &GitHub, comment: &Comment) -> Result<Posted, ProviderError> {
    match write(github, comment).await {
        Ok(note) => Ok(Posted { url: note.html_url, ..Posted::default() }),
        Err(fault) if fault.forbidden() || fault.status == Some(404) => Ok(Posted {
            remark: Some(format!(
                "GitHub does not let this token comment on pull request {} ({}): give the job `pull-requests: write`; \
                 a pull request from a fork gets a token that may only read",
                comment.change, fault.message
            )),
            ..Posted::default()
        }),
        Err(fault) => Err(fault.error("comment on the pull request")),
    }
}

async fn write(github: &GitHub, comment: &Comment) -> Result<Note, Fault> {
    let body = json!({ "body": comment.body });
    if let Some(known) = find(github, comment).await? {
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
        Err(fault) if fault.unknown() => match find(github, comment).await? {
            Some(note) => Ok(note),
            None => github.connection.post(COMMENTS, &route, &body).await,
        },
        other => other,
    }
}

/// The comment with the marker. Who else writes the marker into a comment gets an answer that the next run mends:
/// the oldest counts, and a comment of another author cannot be changed by this token.
async fn find(github: &GitHub, comment: &Comment) -> Result<Option<Note>, Fault> {
    let route = format!("{}/issues/{}/comments", github.repo, comment.change);
    let notes: Vec<Note> = github.connection.all(PULLS, &route).await?;
    Ok(notes
        .into_iter()
        .find(|note| note.body.as_deref().is_some_and(|body| body.starts_with(&comment.marker))))
}
