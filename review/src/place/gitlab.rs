//! The CI context of GitLab CI.
//!
//! Source: <https://docs.gitlab.com/ci/variables/predefined_variables/>.

use super::{Event, Place, Variable, closed, given, is_nothing, wanted};
use crate::ReviewError;
use dax_provider_api::review::Credential;

pub(super) fn place(variable: Variable<'_>) -> Result<Place, ReviewError> {
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
