//! The note of which there is one for each marker, among those of the account that asks, and commit
//! statuses.

use crate::GitLab;
use crate::people::{self, User, all};
use dax_provider_api::ProviderError;
use dax_provider_api::review::{Check, CheckState, Comment, Posted};
use dax_provider_client::{segment, short};
use serde::Deserialize;
use serde_json::json;

/// Characters of a status's description. Source: `description` of <https://docs.gitlab.com/api/commits/#set-commit-pipeline-status>.
const DESCRIPTION: usize = 255;

#[derive(Deserialize)]
struct Note {
    #[serde(default)]
    id: u64,
    #[serde(default)]
    body: String,
    #[serde(default)]
    system: bool,
    #[serde(default)]
    author: Option<User>,
}

#[derive(Deserialize)]
struct Nothing {}

pub(crate) async fn check(gitlab: &GitLab, check: &Check) -> Result<Posted, ProviderError> {
    let state = match check.state {
        CheckState::Running => "running",
        CheckState::Passed => "success",
        CheckState::Failed => "failed",
        CheckState::Cancelled => "canceled",
    };
    let description = short(&check.title, DESCRIPTION);
    let mut body = json!({ "state": state, "name": check.name, "description": description });
    if let Some(url) = &check.url {
        body["target_url"] = json!(url);
    }
    let url = format!("{}/statuses/{}", gitlab.project, segment(&check.commit)?);
    match gitlab.client.allowed::<Nothing>("POST", &url, &body).await {
        Ok(Ok(_)) => Ok(Posted::default()),
        Ok(Err(denied)) => Ok(Posted {
            remark: Some(format!(
                "GitLab does not let this token write commit statuses ({}): CI_JOB_TOKEN never may; set GITLAB_TOKEN to a project access \
                 token with the scope `api`",
                denied.message
            )),
            ..Posted::default()
        }),
        // It runs already, as far as GitLab knows.
        Err(ProviderError::Refused { message }) if message.contains("Cannot transition status") => {
            Ok(Posted::default())
        }
        Err(error) => Err(error),
    }
}

pub(crate) async fn comment(gitlab: &GitLab, comment: &Comment) -> Result<Posted, ProviderError> {
    let notes = format!("{}/merge_requests/{}/notes", gitlab.project, comment.change);
    let body = json!({ "body": comment.body });
    let find = async || -> Result<Option<Note>, ProviderError> {
        Ok(own(gitlab, comment.change, &comment.marker).await?.into_iter().next())
    };
    if let Some(known) = find().await? {
        match gitlab.client.allowed::<Note>("PUT", &format!("{notes}/{}", known.id), &body).await? {
            // Somebody deleted it meanwhile.
            Err(denied) if denied.status == 404 => {}
            Err(denied) => return Ok(denied_note(&denied.message)),
            Ok(_) => return Ok(Posted::default()),
        }
    }
    let made = match gitlab.client.allowed::<Note>("POST", &notes, &body).await {
        // Perhaps it was written all the same.
        Err(error) if error.is_unknown() => match find().await? {
            Some(_) => return Ok(Posted::default()),
            None => gitlab.client.allowed::<Note>("POST", &notes, &body).await?,
        },
        other => other?,
    };
    Ok(match made {
        Ok(note) => {
            if let Some(author) = &note.author {
                people::known_as(gitlab, Some(author.id));
            }
            Posted::default()
        }
        Err(denied) => denied_note(&denied.message),
    })
}

fn denied_note(message: &str) -> Posted {
    let remark = format!(
        "GitLab does not let this token write notes ({message}): CI_JOB_TOKEN never may; set GITLAB_TOKEN to a project access token with the \
         scope `api`"
    );
    Posted { remark: Some(remark), ..Posted::default() }
}

/// The notes of the account that asks that begin with a marker, the oldest first; none where GitLab
/// does not say which account that is.
async fn own(gitlab: &GitLab, change: u64, marker: &str) -> Result<Vec<Note>, ProviderError> {
    let Some(account) = people::asks(gitlab).await? else { return Ok(Vec::new()) };
    let url =
        format!("{}/merge_requests/{change}/notes?sort=asc&order_by=created_at", gitlab.project);
    let mut notes: Vec<Note> = all(gitlab, &url).await?;
    notes.retain(|note| {
        !note.system
            && note.body.starts_with(marker)
            && note.author.as_ref().is_some_and(|author| author.id == account)
    });
    Ok(notes)
}

pub(crate) async fn own_comments(
    gitlab: &GitLab,
    number: u64,
    marker: &str,
) -> Result<Vec<String>, ProviderError> {
    let notes = own(gitlab, number, marker).await?;
    Ok(notes.into_iter().map(|note| note.body).collect())
}
