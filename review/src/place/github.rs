//! The CI context of GitHub Actions.
//!
//! Source: <https://docs.github.com/en/actions/reference/workflows-and-actions/variables>.

use super::{Event, Place, Variable, given, is_nothing, wanted};
use crate::ReviewError;
use dax_provider_api::review::{Credential, Person};
use serde_json::Value as Json;

pub(super) fn place(
    variable: Variable<'_>,
    read: &dyn Fn(&str) -> Option<String>,
) -> Result<Place, ReviewError> {
    let path = wanted(variable, "GITHUB_EVENT_PATH")?;
    let text = read(&path)
        .ok_or_else(|| ReviewError::Place(format!("the event cannot be read: {path}")))?;
    let payload: Json = serde_json::from_str(&text)
        .map_err(|error| ReviewError::Place(format!("{path} is no event: {error}")))?;
    let text = |path: &str| payload.pointer(path).and_then(Json::as_str).map(str::to_owned);
    let number = |path: &str| payload.pointer(path).and_then(Json::as_u64);
    let action = text("/action").unwrap_or_default();
    let mut commit = wanted(variable, "GITHUB_SHA")?;
    let lacking = |what: &str| ReviewError::Place(format!("the event has no {what}"));
    let event = match wanted(variable, "GITHUB_EVENT_NAME")?.as_str() {
        "pull_request_target" => {
            return Err(ReviewError::Place(
                "the event `pull_request_target` gives the tokens of this repository to whoever \
                 opens a pull request: run `dax ci` for `pull_request`"
                    .to_owned(),
            ));
        }
        "pull_request" | "pull_request_review" => {
            let number = number("/pull_request/number").ok_or_else(|| lacking("pull request"))?;
            commit = text("/pull_request/head/sha").unwrap_or(commit);
            let home = text("/pull_request/base/repo/full_name");
            let fork = home.is_none() || text("/pull_request/head/repo/full_name") != home;
            if action == "closed" {
                Event::Closed { number }
            } else {
                Event::Change { number, base: text("/pull_request/base/sha"), fork }
            }
        }
        "merge_group" => {
            commit = text("/merge_group/head_sha").unwrap_or(commit);
            let number = text("/merge_group/head_ref").as_deref().and_then(queued);
            let base =
                text("/merge_group/base_sha").ok_or_else(|| lacking("base of the merge group"))?;
            Event::Queue { number, base, gone: action == "destroyed" }
        }
        "check_run" => {
            commit = text("/check_run/head_sha").unwrap_or(commit);
            let number = number("/check_run/pull_requests/0/number")
                .ok_or_else(|| lacking("pull request of this repository"))?;
            let identifier =
                text("/requested_action/identifier").unwrap_or_else(|| "replan".to_owned());
            let id = payload.pointer("/sender/id").and_then(Json::as_u64);
            let login = text("/sender/login").ok_or_else(|| lacking("sender"))?;
            let by = Person {
                id: id.ok_or_else(|| lacking("sender"))?.to_string(),
                login: Some(login.clone()),
                shown: login,
            };
            Event::Button { identifier, number, by }
        }
        "push" => Event::Push { before: text("/before").filter(|id| !is_nothing(id)) },
        "release" => Event::Release { tag: text("/release/tag_name").unwrap_or_default() },
        _ => Event::Other,
    };
    let server =
        given(variable, "GITHUB_SERVER_URL").unwrap_or_else(|| "https://github.com".to_owned());
    let repository = wanted(variable, "GITHUB_REPOSITORY")?;
    let run = given(variable, "GITHUB_RUN_ID");
    let app = given(variable, "DAX_GITHUB_APP_ID").zip(given(variable, "DAX_GITHUB_APP_KEY"));
    let credential = match (
        app,
        given(variable, "DAX_GITHUB_TOKEN").or_else(|| given(variable, "GITHUB_TOKEN")),
    ) {
        (Some((id, key)), _) => Credential::App(
            id,
            key,
            given(variable, "DAX_GITHUB_INSTALLATION_ID").and_then(|id| id.parse().ok()),
        ),
        (None, Some(token)) => Credential::Token(token),
        (None, None) => Credential::None,
    };
    let reference = given(variable, "GITHUB_REF").unwrap_or_default();
    let (branch, tag) = match reference.strip_prefix("refs/tags/") {
        Some(name) => (name, true),
        None => (reference.strip_prefix("refs/heads/").unwrap_or(&reference), false),
    };
    Ok(Place {
        kind: "github",
        api: given(variable, "GITHUB_API_URL")
            .unwrap_or_else(|| "https://api.github.com".to_owned()),
        event,
        commit,
        branch: branch.to_owned(),
        tag,
        main: text("/repository/default_branch"),
        url: run.as_ref().map(|run| format!("{server}/{repository}/actions/runs/{run}")),
        run,
        repository,
        credential,
    })
}

/// The pull request of `gh-readonly-queue/main/pr-123-0123abc…`.
fn queued(branch: &str) -> Option<u64> {
    branch.rsplit('/').next()?.strip_prefix("pr-")?.split('-').next()?.parse().ok()
}
