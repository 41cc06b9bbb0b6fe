//! What dax asks of a place where changes are reviewed: GitHub, GitLab, Bitbucket.
//!
//! One trait for all of them. What a place has no word for is said in [`Posted::remark`], so that whoever reads the
//! log learns it; it never fails a plan.

use crate::{BoxFuture, Fact, ProviderError};
use std::sync::Arc;
use std::time::Duration;

/// A pull request or merge request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangeRequest {
    /// Its number in the repository.
    pub number: u64,
    /// Its title.
    pub title: String,
    /// The login of who opened it.
    pub author: String,
    /// Its newest commit.
    pub head: String,
    /// The branch that it is to go to.
    pub base: String,
    /// Whether it may still be merged.
    pub open: bool,
    /// Whether it comes from another repository.
    pub fork: bool,
    /// Its page.
    pub url: String,
}

/// How a check stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckState {
    /// It has begun.
    Running,
    /// All is well.
    Passed,
    /// Something keeps the change from being merged.
    Failed,
    /// Nobody needs the answer any more.
    Cancelled,
}

/// How much an annotation weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Keeps the change from being merged.
    Failure,
    /// Deserves a second look.
    Warning,
    /// Worth knowing.
    Notice,
}

/// A remark on lines of a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Annotation {
    /// How much it weighs.
    pub level: Level,
    /// The file, from the top of the repository.
    pub path: String,
    /// The line, from one.
    pub line: u32,
    /// A few words.
    pub title: String,
    /// What it says.
    pub message: String,
}

/// What is said of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What the check is called; rules about required checks go by it.
    pub name: String,
    /// The commit.
    pub commit: String,
    /// How it stands.
    pub state: CheckState,
    /// One line.
    pub title: String,
    /// Markdown, of at most [`SourceControl::check_budget`] bytes.
    pub summary: String,
    /// Remarks on lines, those that weigh most first.
    pub annotations: Vec<Annotation>,
    /// Where more is to be read.
    pub url: Option<String>,
    /// What dax needs to know again when somebody presses a button of it.
    pub token: String,
}

/// A comment of which there is one for each marker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comment {
    /// The change request.
    pub change: u64,
    /// Text that no reader sees and that no other comment has.
    pub marker: String,
    /// Markdown, the marker included.
    pub body: String,
}

/// What became of something that was to be posted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Posted {
    /// Its page, where it has one.
    pub url: Option<String>,
    /// What was done instead, or what is lacking, in words for whoever set this up.
    pub remark: Option<String>,
    /// Whether remarks on lines are shown there.
    pub annotated: bool,
}

/// What somebody said of a change request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opinion {
    /// Who, by login.
    pub by: String,
    /// Whether it may be merged as far as they are concerned.
    pub agrees: bool,
    /// The commit that they looked at, where the place tells.
    pub commit: Option<String>,
    /// Its page.
    pub url: String,
}

/// From where an environment may be deployed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Branches {
    /// From anywhere.
    #[default]
    Any,
    /// From protected branches.
    Protected,
    /// From branches and tags whose names fit one of these patterns.
    Named(Vec<String>),
}

/// What a place wants before an environment is deployed to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Protection {
    /// One of these must agree: logins, and `org/team`. Nobody needs to when it is empty.
    pub reviewers: Vec<String>,
    /// Whether who made the change may be that one.
    pub no_self_review: bool,
    /// How long to wait after it was asked for.
    pub wait: Duration,
    /// From where.
    pub branches: Branches,
}

/// How a deployment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeploymentState {
    /// It is approved, and waits for its turn.
    Queued,
    /// It is under way.
    Running,
    /// It waits for a person.
    Pending,
    /// It is done.
    Succeeded,
    /// It failed, and was taken back.
    Failed,
    /// dax itself could not go on.
    Broken,
    /// Something else runs there now, or nothing.
    Inactive,
}

/// A deployment that is to be recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    /// The environment as the place shows it.
    pub environment: String,
    /// The commit.
    pub commit: String,
    /// The branch or tag, where the place wants one.
    pub branch: String,
    /// A few words.
    pub description: String,
    /// Whether it is what users see.
    pub production: bool,
    /// Whether the environment will be gone one day.
    pub transient: bool,
}

/// What is known of a deployment from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeploymentStatus {
    /// The id that [`SourceControl::deploy`] gave.
    pub deployment: String,
    /// How it stands.
    pub state: DeploymentState,
    /// A few words.
    pub description: String,
    /// Where it is reached.
    pub url: Option<String>,
    /// Where its log is.
    pub log: Option<String>,
}

/// A pipeline that is to be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trigger {
    /// The branch that it runs for.
    pub branch: String,
    /// Which one, where a repository has several: `deploy.yml`.
    pub workflow: String,
    /// What it is given.
    pub inputs: std::collections::BTreeMap<String, String>,
}

/// A place where changes are reviewed.
pub trait SourceControl: Send + Sync {
    /// What people call it.
    fn name(&self) -> &'static str;

    /// Bytes that a comment may have.
    fn comment_budget(&self) -> usize;

    /// Bytes that the summary of a check may have; zero where it has none.
    fn check_budget(&self) -> usize;

    /// A change request.
    fn change(&self, number: u64) -> BoxFuture<'_, Result<ChangeRequest, ProviderError>>;

    /// The merged change requests that brought a commit, the newest first.
    fn merged<'a>(
        &'a self,
        commit: &'a str,
    ) -> BoxFuture<'a, Result<Vec<ChangeRequest>, ProviderError>>;

    /// The last word of each person who reviewed a change request.
    fn opinions(&self, number: u64) -> BoxFuture<'_, Result<Vec<Opinion>, ProviderError>>;

    /// Whether somebody belongs to a team, written `org/team`.
    fn belongs<'a>(
        &'a self,
        login: &'a str,
        team: &'a str,
    ) -> BoxFuture<'a, Result<bool, ProviderError>>;

    /// Says something of a commit; what was said under this name before is replaced.
    fn check<'a>(&'a self, check: &'a Check) -> BoxFuture<'a, Result<Posted, ProviderError>>;

    /// Writes a comment, or writes it anew.
    fn comment<'a>(&'a self, comment: &'a Comment) -> BoxFuture<'a, Result<Posted, ProviderError>>;

    /// What the place wants before an environment is deployed to; nothing where it knows of no such environment.
    fn protection<'a>(
        &'a self,
        environment: &'a str,
    ) -> BoxFuture<'a, Result<Option<Protection>, ProviderError>>;

    /// Whether a branch is protected.
    fn protected<'a>(&'a self, branch: &'a str) -> BoxFuture<'a, Result<bool, ProviderError>>;

    /// Who let this very run go on to an environment.
    fn released<'a>(
        &'a self,
        environment: &'a str,
    ) -> BoxFuture<'a, Result<Vec<String>, ProviderError>>;

    /// Records a deployment; gives its id, or nothing where a place records them by itself.
    fn deploy<'a>(
        &'a self,
        deployment: &'a Deployment,
    ) -> BoxFuture<'a, Result<Option<String>, ProviderError>>;

    /// Records how a deployment stands.
    fn deployed<'a>(
        &'a self,
        status: &'a DeploymentStatus,
    ) -> BoxFuture<'a, Result<(), ProviderError>>;

    /// The deployments of an environment that are said to run still, the newest first.
    fn running<'a>(
        &'a self,
        environment: &'a str,
    ) -> BoxFuture<'a, Result<Vec<String>, ProviderError>>;

    /// Starts a pipeline; gives its page, where the place tells.
    fn trigger<'a>(
        &'a self,
        trigger: &'a Trigger,
    ) -> BoxFuture<'a, Result<Option<String>, ProviderError>>;

    /// Whether it answers, to whom, and what that one may do.
    fn examine(&self) -> BoxFuture<'_, Result<Vec<Fact>, ProviderError>>;
}

/// What proves to a place who asks.
#[derive(Clone, Default)]
pub enum Credential {
    /// Nothing.
    #[default]
    None,
    /// A token.
    Token(String),
    /// The token of a CI job, where that is sent otherwise.
    JobToken(String),
    /// A name and a password.
    Basic(String, String),
    /// A GitHub App: its id, its private key as PEM, and the installation where it is known.
    App(String, String, Option<u64>),
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Token(_) => "Token(***)",
            Self::JobToken(_) => "JobToken(***)",
            Self::Basic(..) => "Basic(***)",
            Self::App(..) => "App(***)",
        })
    }
}

/// A call that was made, or that would be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// `GET`.
    pub method: String,
    /// Where to, without any secret.
    pub url: String,
    /// What was sent, where it changes something.
    pub body: String,
    /// What came back; nothing when it was not sent, or nothing came.
    pub status: Option<u16>,
    /// Whether it would be made, and was not.
    pub held_back: bool,
    /// How long it took, all tries and waiting included.
    pub took: Duration,
    /// How long of that was waiting because the other side said so.
    pub waited: Duration,
}

/// Is told of every call.
pub type Watch = Arc<dyn Fn(&Sent) + Send + Sync>;

/// Which place, and how it is reached.
#[derive(Clone)]
pub struct Remote {
    /// `github`, `gitlab` or `bitbucket`.
    pub kind: String,
    /// Where its API is.
    pub api: String,
    /// `owner/name`, or a project's number.
    pub repository: String,
    /// The run of the CI system that this is, where there is one.
    pub run: Option<String>,
    /// Who asks.
    pub credential: Credential,
    /// Whether calls that change something are held back.
    pub dry: bool,
    /// How long to wait in all when the other side says that it is too busy.
    pub patience: Duration,
    /// Is told of every call.
    pub watch: Watch,
}
