//! The CI context of a pipeline and the event that started it: read off the variables that GitHub
//! Actions, GitLab CI and Bitbucket Pipelines set, and off nothing else.
//!
//! Sources: <https://docs.github.com/en/actions/reference/workflows-and-actions/variables>,
//! <https://docs.gitlab.com/ci/variables/predefined_variables/>,
//! <https://support.atlassian.com/bitbucket-cloud/docs/variables-and-secrets/>.

use crate::ReviewError;
use dax_provider_api::review::{Credential, Person};
use serde_json::Value as Json;

/// The event that started a pipeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A change request was opened or got new commits.
    Change {
        /// Its number.
        number: u64,
        /// The tip of the branch that it is to go to, as it was then.
        base: Option<String>,
        /// True when it comes from another repository.
        fork: bool,
    },
    /// A change request was closed or merged.
    Closed {
        /// Its number.
        number: u64,
    },
    /// A merge queue wants to know of a commit.
    Queue {
        /// The change request at its end, where its branch tells.
        number: Option<u64>,
        /// The commit at which the queue branched off.
        base: String,
        /// True when nobody needs the answer any more.
        gone: bool,
    },
    /// Somebody pressed a button of a check.
    Button {
        /// The button.
        identifier: String,
        /// The change request.
        number: u64,
        /// The person.
        by: Person,
    },
    /// Commits came to a branch.
    Push {
        /// The commit that the branch was at before.
        before: Option<String>,
    },
    /// Something was released.
    Release {
        /// Its tag.
        tag: String,
    },
    /// Somebody, or a clock, started it.
    Other,
}

/// The CI context of a pipeline.
#[derive(Clone, Debug)]
pub struct Place {
    /// `github`, `gitlab` or `bitbucket`.
    pub kind: &'static str,
    /// The address of the API.
    pub api: String,
    /// `owner/name`, or a project's number.
    pub repository: String,
    /// The event that started it.
    pub event: Event,
    /// The commit that checks belong to: of a change request its newest, not the one that tries the
    /// merge.
    pub commit: String,
    /// The branch or tag, without `refs/heads/` or `refs/tags/`.
    pub branch: String,
    /// True when that is a tag.
    pub tag: bool,
    /// The repository's default branch, where the pipeline tells.
    pub main: Option<String>,
    /// The run's number, for questions about it.
    pub run: Option<String>,
    /// The run's page.
    pub url: Option<String>,
    /// The credential for the API.
    pub credential: Credential,
}

impl Place {
    /// Reports whether it runs for a change request from another repository.
    pub fn is_from_fork(&self) -> bool {
        matches!(self.event, Event::Change { fork: true, .. })
    }
}

/// A variable of the environment.
pub type Variable<'v> = &'v dyn Fn(&str) -> Option<String>;

/// The CI context of this process; nothing where it runs in no pipeline.
///
/// # Errors
/// A variable that must be there is not, or the event cannot be read.
pub fn place(
    variable: Variable<'_>,
    read: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<Place>, ReviewError> {
    let is = |name: &str| variable(name).is_some_and(|text| !text.is_empty() && text != "false");
    if is("GITHUB_ACTIONS") {
        return github(variable, read).map(Some);
    }
    if is("GITLAB_CI") {
        return gitlab(variable).map(Some);
    }
    if is("BITBUCKET_BUILD_NUMBER") {
        return bitbucket(variable).map(Some);
    }
    Ok(None)
}

fn wanted(variable: Variable<'_>, name: &str) -> Result<String, ReviewError> {
    let found = variable(name).filter(|text| !text.is_empty());
    found.ok_or_else(|| {
        ReviewError::Place(format!("the variable {name} is not set, as it is in every job"))
    })
}

fn given(variable: Variable<'_>, name: &str) -> Option<String> {
    variable(name).filter(|text| !text.is_empty())
}

/// No commit: what GitHub and GitLab say was before a new branch.
fn is_nothing(id: &str) -> bool {
    id.chars().all(|c| c == '0')
}

fn github(
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

fn gitlab(variable: Variable<'_>) -> Result<Place, ReviewError> {
    let commit = given(variable, "CI_MERGE_REQUEST_SOURCE_BRANCH_SHA");
    let event = match given(variable, "CI_MERGE_REQUEST_IID") {
        Some(number) => {
            let number: u64 = number
                .parse()
                .map_err(|_| ReviewError::Place("CI_MERGE_REQUEST_IID is no number".to_owned()))?;
            let base = given(variable, "CI_MERGE_REQUEST_DIFF_BASE_SHA");
            if given(variable, "CI_MERGE_REQUEST_EVENT_TYPE").as_deref() == Some("merge_train") {
                Event::Queue { number: Some(number), base: base.unwrap_or_default(), gone: false }
            } else {
                let fork = given(variable, "CI_MERGE_REQUEST_SOURCE_PROJECT_ID")
                    != given(variable, "CI_MERGE_REQUEST_PROJECT_ID");
                Event::Change { number, base, fork }
            }
        }
        // What a job of a closed merge request is given by the component: GitLab itself runs none.
        None => match closed(variable)? {
            Some(number) => Event::Closed { number },
            None => match given(variable, "CI_COMMIT_TAG") {
                Some(tag) => Event::Release { tag },
                None if given(variable, "CI_PIPELINE_SOURCE").as_deref() == Some("push") => {
                    Event::Push {
                        before: given(variable, "CI_COMMIT_BEFORE_SHA")
                            .filter(|id| !is_nothing(id)),
                    }
                }
                None => Event::Other,
            },
        },
    };
    let credential = match (
        given(variable, "DAX_GITLAB_TOKEN").or_else(|| given(variable, "GITLAB_TOKEN")),
        given(variable, "CI_JOB_TOKEN"),
    ) {
        (Some(token), _) => Credential::Token(token),
        (None, Some(token)) => Credential::JobToken(token),
        (None, None) => Credential::None,
    };
    Ok(Place {
        kind: "gitlab",
        api: wanted(variable, "CI_API_V4_URL")?,
        repository: wanted(variable, "CI_PROJECT_ID")?,
        event,
        commit: commit.map_or_else(|| wanted(variable, "CI_COMMIT_SHA"), Ok)?,
        branch: given(variable, "CI_COMMIT_REF_NAME").unwrap_or_default(),
        tag: given(variable, "CI_COMMIT_TAG").is_some(),
        main: given(variable, "CI_DEFAULT_BRANCH"),
        run: given(variable, "CI_PIPELINE_ID"),
        url: given(variable, "CI_JOB_URL").or_else(|| given(variable, "CI_PIPELINE_URL")),
        credential,
    })
}

/// The change request that a job ends the previews of, in its own variable.
///
/// A job that was started without a number is not taken for one that applies.
fn closed(variable: Variable<'_>) -> Result<Option<u64>, ReviewError> {
    let Some(text) = variable("DAX_CLOSED") else { return Ok(None) };
    text.trim().parse().map(Some).map_err(|_| {
        let what = if text.trim().is_empty() { "is empty" } else { "is no number" };
        ReviewError::Place(format!(
            "DAX_CLOSED {what}: it is the number of the change request whose previews go"
        ))
    })
}

fn bitbucket(variable: Variable<'_>) -> Result<Place, ReviewError> {
    let event = match given(variable, "BITBUCKET_PR_ID") {
        Some(number) => Event::Change {
            number: number
                .parse()
                .map_err(|_| ReviewError::Place("BITBUCKET_PR_ID is no number".to_owned()))?,
            base: given(variable, "BITBUCKET_PR_DESTINATION_COMMIT"),
            // Its pipelines do not run for pull requests from forks.
            fork: false,
        },
        None => match (closed(variable)?, given(variable, "BITBUCKET_TAG")) {
            (Some(number), _) => Event::Closed { number },
            (None, Some(tag)) => Event::Release { tag },
            (None, None) if given(variable, "BITBUCKET_BRANCH").is_some() => {
                Event::Push { before: None }
            }
            (None, None) => Event::Other,
        },
    };
    let token =
        given(variable, "DAX_BITBUCKET_TOKEN").or_else(|| given(variable, "BITBUCKET_TOKEN"));
    let credential = match (
        token,
        given(variable, "BITBUCKET_USERNAME").zip(given(variable, "BITBUCKET_APP_PASSWORD")),
    ) {
        (Some(token), _) => Credential::Token(token),
        (None, Some((user, password))) => Credential::Basic(user, password),
        (None, None) => Credential::None,
    };
    let repository = wanted(variable, "BITBUCKET_REPO_FULL_NAME")?;
    let number = wanted(variable, "BITBUCKET_BUILD_NUMBER")?;
    Ok(Place {
        kind: "bitbucket",
        api: given(variable, "BITBUCKET_API_URL")
            .unwrap_or_else(|| "https://api.bitbucket.org/2.0".to_owned()),
        event,
        commit: wanted(variable, "BITBUCKET_COMMIT")?,
        branch: given(variable, "BITBUCKET_BRANCH")
            .or_else(|| given(variable, "BITBUCKET_TAG"))
            .unwrap_or_default(),
        tag: given(variable, "BITBUCKET_BRANCH").is_none()
            && given(variable, "BITBUCKET_TAG").is_some(),
        main: None,
        url: Some(format!("https://bitbucket.org/{repository}/pipelines/results/{number}")),
        run: Some(number),
        repository,
        credential,
    })
}

impl Place {
    /// The key under which reviewed plans are kept: the change request, or the commit where there
    /// is none.
    pub fn change_key(&self) -> String {
        match self.number() {
            Some(number) => change_key(number),
            None => format!("commit-{}", self.commit),
        }
    }

    /// The change request, where there is one.
    pub fn number(&self) -> Option<u64> {
        match &self.event {
            Event::Change { number, .. }
            | Event::Closed { number }
            | Event::Button { number, .. } => Some(*number),
            Event::Queue { number, .. } => *number,
            Event::Push { .. } | Event::Release { .. } | Event::Other => None,
        }
    }
}

/// Reports whether two hashes are of one commit, of which one may be shortened.
pub(crate) fn same_commit(one: &str, other: &str) -> bool {
    let least = one.len().min(other.len());
    least >= 7 && one.as_bytes()[..least] == other.as_bytes()[..least]
}

/// The key under which the reviewed plans of a change request are kept.
pub(crate) fn change_key(number: u64) -> String {
    format!("pr-{number}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn found(variables: &[(&str, &str)], event: &str) -> Result<Option<Place>, String> {
        let known: BTreeMap<&str, &str> = variables.iter().copied().collect();
        let read = |_: &str| Some(event.to_owned());
        place(&|name| known.get(name).map(|text| (*text).to_owned()), &read)
            .map_err(|error| error.to_string())
    }

    const ACTIONS: [(&str, &str); 5] = [
        ("GITHUB_ACTIONS", "true"),
        ("GITHUB_EVENT_PATH", "event.json"),
        ("GITHUB_SHA", "merge"),
        ("GITHUB_REPOSITORY", "acme/shop"),
        ("GITHUB_RUN_ID", "77"),
    ];

    #[test]
    fn a_machine_that_runs_no_pipeline_is_none() {
        assert!(found(&[("HOME", "/root"), ("GITLAB_CI", "")], "").unwrap().is_none());
    }

    #[test]
    fn a_pull_request_is_known_by_its_own_newest_commit_and_a_fork_by_its_repository() {
        let event = |from: &str| {
            format!(
                r#"{{"action":"opened","pull_request":{{"number":4,"head":{{"sha":"head","repo":{{"full_name":"{from}"}}}},"base":{{"sha":"base","repo":{{"full_name":"acme/shop"}}}}}}}}"#
            )
        };
        let variables = [&ACTIONS[..], &[("GITHUB_EVENT_NAME", "pull_request")]].concat();
        let place = found(&variables, &event("acme/shop")).unwrap().unwrap();
        assert_eq!(
            place.event,
            Event::Change { number: 4, base: Some("base".to_owned()), fork: false }
        );
        assert_eq!((place.commit.as_str(), place.change_key().as_str()), ("head", "pr-4"));
        assert_eq!(place.url.as_deref(), Some("https://github.com/acme/shop/actions/runs/77"));
        let place = found(&variables, &event("mallory/shop")).unwrap().unwrap();
        assert!(matches!(place.event, Event::Change { fork: true, .. }));
    }

    #[test]
    fn a_merge_group_tells_its_pull_request_by_its_branch() {
        let variables = [&ACTIONS[..], &[("GITHUB_EVENT_NAME", "merge_group")]].concat();
        let event = r#"{"action":"checks_requested","merge_group":{"head_sha":"group","base_sha":"base","head_ref":"refs/heads/gh-readonly-queue/main/pr-123-0a1b2c"}}"#;
        let place = found(&variables, event).unwrap().unwrap();
        assert_eq!(
            place.event,
            Event::Queue { number: Some(123), base: "base".to_owned(), gone: false }
        );
        assert_eq!(place.commit, "group");
    }

    #[test]
    fn a_new_branch_has_nothing_before_it() {
        let variables = [
            &ACTIONS[..],
            &[("GITHUB_EVENT_NAME", "push"), ("GITHUB_REF", "refs/heads/release/1")],
        ]
        .concat();
        let place =
            found(&variables, &format!(r#"{{"before":"{}"}}"#, "0".repeat(40))).unwrap().unwrap();
        assert_eq!(
            (place.event, place.branch.as_str()),
            (Event::Push { before: None }, "release/1")
        );
    }

    #[test]
    fn a_job_without_its_variables_says_which() {
        let error = found(&[("GITHUB_ACTIONS", "true")], "").unwrap_err();
        assert_eq!(error, "the variable GITHUB_EVENT_PATH is not set, as it is in every job");
        let variables = [&ACTIONS[..], &[("GITHUB_EVENT_NAME", "push")]].concat();
        assert!(found(&variables, "no json").unwrap_err().starts_with("event.json is no event: "));
    }

    #[test]
    fn a_merge_train_is_a_queue_and_a_tag_a_release() {
        let common = [
            ("GITLAB_CI", "true"),
            ("CI_API_V4_URL", "https://gitlab.example/api/v4"),
            ("CI_PROJECT_ID", "7"),
            ("CI_COMMIT_SHA", "train"),
        ];
        let train = [
            ("CI_MERGE_REQUEST_IID", "4"),
            ("CI_MERGE_REQUEST_EVENT_TYPE", "merge_train"),
            ("CI_MERGE_REQUEST_DIFF_BASE_SHA", "base"),
        ];
        let place = found(&[&common[..], &train[..]].concat(), "").unwrap().unwrap();
        assert_eq!(
            place.event,
            Event::Queue { number: Some(4), base: "base".to_owned(), gone: false }
        );
        let place =
            found(&[&common[..], &[("CI_COMMIT_TAG", "v1")]].concat(), "").unwrap().unwrap();
        assert_eq!(
            (place.event.clone(), place.change_key().as_str()),
            (Event::Release { tag: "v1".to_owned() }, "commit-train")
        );
    }

    #[test]
    fn a_job_that_ends_previews_without_a_number_is_no_other_job() {
        let gitlab = [
            ("GITLAB_CI", "true"),
            ("CI_API_V4_URL", "https://gitlab.example/api/v4"),
            ("CI_PROJECT_ID", "7"),
            ("CI_COMMIT_SHA", "head"),
        ];
        let bitbucket = [
            ("BITBUCKET_BUILD_NUMBER", "3"),
            ("BITBUCKET_BRANCH", "feature"),
            ("BITBUCKET_COMMIT", "head"),
            ("BITBUCKET_REPO_FULL_NAME", "acme/shop"),
        ];
        for common in [gitlab, bitbucket] {
            let closed = |number| found(&[&common[..], &[("DAX_CLOSED", number)]].concat(), "");
            assert_eq!(closed("12").unwrap().unwrap().event, Event::Closed { number: 12 });
            for (number, what) in [("", "is empty"), (" ", "is empty"), ("main", "is no number")] {
                let error = closed(number).unwrap_err();
                assert!(error.starts_with(&format!("DAX_CLOSED {what}: ")), "{error}");
            }
        }
    }
}
