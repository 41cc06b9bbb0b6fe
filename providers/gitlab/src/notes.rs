//! The note of which there is one for each marker, and commit statuses.

use crate::GitLab;
use dax_provider_api::ProviderError;
use dax_provider_api::encode;
use dax_provider_api::review::{Check, CheckState, Comment, Posted};
use dax_provider_client::short;
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
    let url = format!("{}/statuses/{}", gitlab.project, encode(&check.commit));
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
    if let Some(known) = find(gitlab, &notes, &comment.marker).await? {
        match gitlab.client.allowed::<Note>("PUT", &format!("{notes}/{}", known.id), &body).await? {
            // Somebody deleted it meanwhile.
            Err(denied) if denied.status == 404 => {}
            Err(denied) => return Ok(denied_note(&denied.message)),
            Ok(_) => return Ok(Posted::default()),
        }
    }
    let made = match gitlab.client.allowed::<Note>("POST", &notes, &body).await {
        // Perhaps it was written all the same.
        Err(error) if error.is_unknown() => match find(gitlab, &notes, &comment.marker).await? {
            Some(_) => return Ok(Posted::default()),
            None => gitlab.client.allowed::<Note>("POST", &notes, &body).await?,
        },
        other => other?,
    };
    Ok(match made {
        Ok(_) => Posted::default(),
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

async fn find(gitlab: &GitLab, notes: &str, marker: &str) -> Result<Option<Note>, ProviderError> {
    const PAGE: usize = 100;
    for page in 1.. {
        let found: Option<Vec<Note>> = gitlab
            .client
            .find(&format!("{notes}?sort=asc&order_by=created_at&per_page={PAGE}&page={page}"))
            .await?;
        let found = found.unwrap_or_default();
        let last = found.len() < PAGE;
        if let Some(note) = found.into_iter().find(|note| note.body.starts_with(marker)) {
            return Ok(Some(note));
        }
        if last {
            break;
        }
    }
    Ok(None)
}
