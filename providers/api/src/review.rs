//! Code hosts: pull requests, reviews, checks, comments and deployments, as dax uses them.
//!
//! One trait for GitHub, GitLab and Bitbucket. What a code host has no word for is said in
//! [`Posted::remark`], so that whoever reads the log learns it; it never fails a plan.

use crate::{BoxFuture, Fact, ProviderError};
use std::sync::Arc;
use std::time::Duration;

/// An account at a code host.
///
/// Two accounts are one when their ids are; names that people choose and change count for nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Person {
    /// The id that the code host never gives to anybody else: a number on GitHub and GitLab, a
    /// UUID in braces on Bitbucket.
    pub id: String,
    /// The login, on code hosts where no two accounts share one (GitHub, GitLab); else nothing.
    pub login: Option<String>,
    /// A name for people to read, which identifies nobody.
    pub shown: String,
}

impl Person {
    /// Whether a name in a program or in `dax.mod` means this account: its login, of which letter
    /// case does not count, or `id:` before its id.
    pub fn is(&self, name: &str) -> bool {
        let by_login = self.login.as_ref().is_some_and(|login| login.eq_ignore_ascii_case(name));
        by_login || name.strip_prefix("id:").is_some_and(|id| !id.is_empty() && id == self.id)
    }

    /// The name under which an approval of this account is recorded: the login where it
    /// identifies, else `id:` and the id.
    pub fn name(&self) -> String {
        self.login
            .as_ref()
            .map_or_else(|| format!("id:{}", self.id), |login| login.to_ascii_lowercase())
    }
}

/// A pull request or merge request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangeRequest {
    /// Its number in the repository.
    pub number: u64,
    /// Its title.
    pub title: String,
    /// The account that opened it.
    pub author: Person,
    /// Its newest commit.
    pub head: String,
    /// The branch that it is to go to.
    pub base: String,
    /// Whether it may still be merged.
    pub open: bool,
    /// Whether it was merged.
    pub merged: bool,
    /// The commit on the target branch that the merge left, once there is one.
    pub merge_commit: Option<String>,
    /// Whether it comes from another repository.
    pub fork: bool,
    /// Its page.
    pub url: String,
}

/// The state of a check.
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

/// The weight of an annotation.
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
    /// Its weight.
    pub level: Level,
    /// The file, from the top of the repository.
    pub path: String,
    /// The line, from one.
    pub line: u32,
    /// A few words.
    pub title: String,
    /// Its text.
    pub message: String,
}

/// A check of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Its name; rules about required checks go by it.
    pub name: String,
    /// The commit.
    pub commit: String,
    /// Its state.
    pub state: CheckState,
    /// One line.
    pub title: String,
    /// Markdown, of at most [`SourceControl::check_budget`] bytes.
    pub summary: String,
    /// Remarks on lines, those that weigh most first.
    pub annotations: Vec<Annotation>,
    /// The page that has more.
    pub url: Option<String>,
    /// Text that comes back when somebody presses a button of it.
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

/// Outcome of posting something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Posted {
    /// Its page, where it has one.
    pub url: Option<String>,
    /// In words for whoever set this up: what was done instead, or what is lacking.
    pub remark: Option<String>,
    /// Whether remarks on lines are shown there.
    pub annotated: bool,
}

/// The state of a review.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReviewState {
    /// Approved.
    Approved,
    /// Changes requested.
    ChangesRequested,
}

/// The latest review of one person that still stands: dismissed and withdrawn ones are none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Review {
    /// The reviewer.
    pub by: Person,
    /// Its state.
    pub state: ReviewState,
    /// The commit that was reviewed; absent where the code host does not tell and an approval
    /// outlives a push to the branch that the change goes to.
    pub commit: Option<String>,
    /// When it was submitted, by the clock of the code host, in milliseconds since 1970; absent
    /// where the code host does not tell.
    pub at_ms: Option<u64>,
    /// Whether the reviewer may write to the repository.
    pub writes: bool,
    /// Its page.
    pub url: String,
}

/// Refs that an environment may be deployed from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Branches {
    /// From anywhere.
    #[default]
    Any,
    /// From protected branches.
    Protected,
    /// From refs that fit one of these patterns.
    Named(Vec<RefPattern>),
}

/// A pattern for names of branches or of tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefPattern {
    /// Whether it is for tags; for branches otherwise.
    pub tag: bool,
    /// The pattern, without `refs/heads/` or `refs/tags/`.
    pub pattern: String,
}

/// A rule of required reviewers: so many of these must have approved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequiredReviewers {
    /// Their number, at least one.
    pub count: u32,
    /// Accounts that may.
    pub people: Vec<Person>,
    /// Teams that may, as `org/team`.
    pub teams: Vec<String>,
}

/// Protection rules of an environment at a code host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Protection {
    /// Rules of required reviewers, of which every one must hold.
    pub reviewers: Vec<RequiredReviewers>,
    /// Whether the author and whoever started the job are left out of those.
    pub no_self_review: bool,
    /// Time to wait after the job was created.
    pub wait: Duration,
    /// Refs that it may be deployed from.
    pub branches: Branches,
    /// Rules that dax cannot evaluate, in words; each blocks a deployment that the code host
    /// itself has not let through.
    pub unread: Vec<String>,
}

/// A job that a code host let through to a protected environment, and by whom.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Released {
    /// Accounts that approved the deployment of the environment in this run, without those who
    /// started the run.
    pub by: Vec<Person>,
    /// Whether somebody approved it at all.
    pub passed: bool,
    /// When this run was created, by the clock of the code host, in milliseconds since 1970.
    pub created_ms: Option<u64>,
}

/// The state of a deployment.
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
    /// The environment as the code host shows it.
    pub environment: String,
    /// The commit.
    pub commit: String,
    /// The branch or tag, on code hosts that require one.
    pub branch: String,
    /// A few words.
    pub description: String,
    /// Whether it is what users see.
    pub production: bool,
    /// Whether the environment will be gone one day.
    pub transient: bool,
}

/// A new status of a deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeploymentStatus {
    /// The id that [`SourceControl::deploy`] gave.
    pub deployment: String,
    /// Its state.
    pub state: DeploymentState,
    /// A few words.
    pub description: String,
    /// Its address for users.
    pub url: Option<String>,
    /// The address of its log.
    pub log: Option<String>,
}

/// A pipeline that is to be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trigger {
    /// The branch that it runs for.
    pub branch: String,
    /// Which one, where a repository has several: `deploy.yml`.
    pub workflow: String,
    /// Its inputs.
    pub inputs: std::collections::BTreeMap<String, String>,
}

/// A code host.
pub trait SourceControl: Send + Sync {
    /// Its name for people.
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

    /// The reviews of a change request that stand, one of each person.
    fn reviews(&self, number: u64) -> BoxFuture<'_, Result<Vec<Review>, ProviderError>>;

    /// Those who pushed to the branch of a change request since it was created, by what the code
    /// host recorded of pushes. Where it does not show all of them, or a bot pushed, the accounts
    /// of authors and committers of its commits as well, each of which has one.
    fn pushers<'a>(
        &'a self,
        change: &'a ChangeRequest,
    ) -> BoxFuture<'a, Result<Vec<Person>, ProviderError>>;

    /// Whether an account belongs to a team, written `org/team`.
    fn belongs<'a>(
        &'a self,
        person: &'a Person,
        team: &'a str,
    ) -> BoxFuture<'a, Result<bool, ProviderError>>;

    /// Writes a check of a commit; the one of this name before is replaced.
    fn check<'a>(&'a self, check: &'a Check) -> BoxFuture<'a, Result<Posted, ProviderError>>;

    /// Writes a comment, or writes it anew where this very account wrote it before; comments of
    /// other accounts are never touched, whatever they begin with.
    fn comment<'a>(&'a self, comment: &'a Comment) -> BoxFuture<'a, Result<Posted, ProviderError>>;

    /// The bodies of the comments that this very account wrote on a change request and that begin
    /// with `marker`, the oldest first.
    fn own_comments<'a>(
        &'a self,
        number: u64,
        marker: &'a str,
    ) -> BoxFuture<'a, Result<Vec<String>, ProviderError>>;

    /// The time by the clock of the code host, in milliseconds since 1970, cut to the second.
    fn clock(&self) -> BoxFuture<'_, Result<u64, ProviderError>>;

    /// Protection rules of an environment; nothing where the code host has no such environment,
    /// which counts only where it shows the repository itself.
    fn protection<'a>(
        &'a self,
        environment: &'a str,
    ) -> BoxFuture<'a, Result<Option<Protection>, ProviderError>>;

    /// Whether a branch is protected.
    fn protected<'a>(&'a self, branch: &'a str) -> BoxFuture<'a, Result<bool, ProviderError>>;

    /// Those who let this very run go on to a protected environment.
    fn released<'a>(
        &'a self,
        environment: &'a str,
    ) -> BoxFuture<'a, Result<Released, ProviderError>>;

    /// Records a deployment; gives its id, or nothing where a code host records them by itself.
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

    /// Starts a pipeline; gives its page, where the code host tells.
    fn trigger<'a>(
        &'a self,
        trigger: &'a Trigger,
    ) -> BoxFuture<'a, Result<Option<String>, ProviderError>>;

    /// Facts about the connection: that it answers, to whom, and what that account may do.
    fn examine(&self) -> BoxFuture<'_, Result<Vec<Fact>, ProviderError>>;
}

/// Proof of the account that asks.
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
    /// Its address, without any secret.
    pub url: String,
    /// Its body, where it changes something.
    pub body: String,
    /// The status that came back; nothing when it was not sent, or nothing came.
    pub status: Option<u16>,
    /// Whether it would be made, and was not.
    pub held_back: bool,
    /// Time that it took, all tries and waiting included.
    pub took: Duration,
    /// Time of that spent waiting because the other side said so.
    pub waited: Duration,
}

/// Is told of every call.
pub type Watch = Arc<dyn Fn(&Sent) + Send + Sync>;

/// A repository at a code host, and the way to it.
#[derive(Clone)]
pub struct Remote {
    /// `github`, `gitlab` or `bitbucket`.
    pub kind: String,
    /// The address of its API.
    pub api: String,
    /// `owner/name`, or a project's number.
    pub repository: String,
    /// The run of the CI system that this is, where there is one.
    pub run: Option<String>,
    /// Proof of the account that asks.
    pub credential: Credential,
    /// Whether calls that change something are held back.
    pub dry: bool,
    /// Time to wait in all when the other side says that it is too busy.
    pub patience: Duration,
    /// Is told of every call.
    pub watch: Watch,
}
