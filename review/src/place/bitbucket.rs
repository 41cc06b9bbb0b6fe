//! The CI context of Bitbucket Pipelines.
//!
//! Source: <https://support.atlassian.com/bitbucket-cloud/docs/variables-and-secrets/>.

use super::{Event, Place, Variable, closed, given, wanted};
use crate::ReviewError;
use dax_provider_api::review::Credential;

pub(super) fn place(variable: Variable<'_>) -> Result<Place, ReviewError> {
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
