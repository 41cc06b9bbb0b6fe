//! The CI context of a pipeline and the event that started it: read off the variables that GitHub
//! Actions, GitLab CI and Bitbucket Pipelines set, and off nothing else.

mod bitbucket;
mod github;
mod gitlab;

use crate::ReviewError;
use dax_provider_api::review::{Credential, Person};

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
        return github::place(variable, read).map(Some);
    }
    if is("GITLAB_CI") {
        return gitlab::place(variable).map(Some);
    }
    if is("BITBUCKET_BUILD_NUMBER") {
        return bitbucket::place(variable).map(Some);
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

/// No commit: what GitHub and GitLab say was before a new branch.
fn is_nothing(id: &str) -> bool {
    id.chars().all(|c| c == '0')
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
mod tests;
