//! Plain input of a comment: all that it says is in here.

use dax_engine::render::{Flavour, Standing};
use dax_engine::{Name, Plan};

/// Surroundings of a comment.
pub struct Frame<'f> {
    /// The dialect of Markdown.
    pub flavour: Flavour,
    /// The commit.
    pub commit: &'f str,
    /// The run's page.
    pub url: Option<&'f str>,
    /// Bytes that there are.
    pub budget: usize,
}

/// An environment as a comment shows it.
#[derive(Clone, Debug)]
pub struct CommentInput {
    /// The project.
    pub project: Name,
    /// The environment.
    pub environment: Name,
    /// Its content.
    pub content: Content,
    /// The outcome since.
    pub outcome: Outcome,
    /// The environment whose comment shows the same difference.
    pub same_as: Option<Name>,
}

/// The content of a comment.
#[derive(Clone, Debug)]
pub enum Content {
    /// A plan.
    Plan(Box<PlanShown>),
    /// It cannot be planned; the error as dax says it, a line each.
    Failed(String),
    /// The program no longer has it.
    Removed {
        /// Approval rules that would go with it although something runs there.
        rules: Option<String>,
    },
    /// An earlier push changed it, and this one does not.
    NothingMore,
}

/// A plan with all that is known of it.
#[derive(Clone, Debug)]
pub struct PlanShown {
    /// The plan.
    pub plan: Plan,
    /// Its digest.
    pub digest: String,
    /// Blockers, and the progress of approvals.
    pub standing: Standing,
    /// Findings of policies, a line each; those that deny first.
    pub policies: Vec<String>,
    /// True when one of them denies it, or a merge queue does.
    pub denied: bool,
    /// True when a part of it was shown for none of the change requests in a merge queue.
    pub unseen: bool,
    /// Conditions that the change alters.
    pub conditions: Vec<Condition>,
    /// Approvals that count no longer.
    pub lapsed: Vec<Lapsed>,
    /// The plan that reviewers were shown before, by an earlier push.
    pub before: Option<Before>,
}

/// A condition that the change alters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// The condition: `approvals`, `team:sre`, `policy enough`.
    pub what: String,
    /// As it was; nothing where it is new.
    pub before: Option<String>,
    /// As it becomes; nothing where it goes.
    pub after: Option<String>,
    /// True when it asks less than before.
    pub loosens: bool,
    /// True when it is how new revisions of services take over.
    pub strategy: bool,
}

/// An approval that counts no longer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lapsed {
    /// The reviewer.
    pub who: String,
    /// The reason, as the rest of a sentence: `it was for another plan (a1b2c3d4e5f6) at 12:03`.
    pub why: String,
}

/// A plan that reviewers were shown before.
#[derive(Clone, Debug)]
pub struct Before {
    /// The commit.
    pub commit: String,
    /// The plan.
    pub plan: Plan,
    /// True when the plan of now does the same.
    pub same: bool,
}

/// The outcome of a plan: as this run says, and as the state says now.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The end that this run came to, if it tried.
    pub ending: Option<Ending>,
    /// The run that did what the plan says, as the state says now; it wins over any ending.
    pub deployed: Option<Deployed>,
}

/// The end that a run of the pipeline came to.
#[derive(Clone, Debug)]
pub enum Ending {
    /// It was applied.
    Applied(Deployed),
    /// It was not applied.
    NotApplied(NotApplied),
}

/// A run that did what a plan says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deployed {
    /// Its number.
    pub run: u64,
    /// The time of its end, in milliseconds since 1970.
    pub at_ms: u64,
    /// People whose approval it had.
    pub approved_by: Vec<String>,
}

/// The reason why something was not applied, and the remedy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NotApplied {
    /// The reason, in a sentence: `run 7 rolled back: web is not ready`.
    pub why: String,
    /// Since when, in milliseconds since 1970.
    pub since_ms: Option<u64>,
    /// The command that helps, or what else does; commands between backticks.
    pub remedy: Option<String>,
    /// Parts that are not as they were shown, a line each.
    pub lines: Vec<String>,
}

impl Outcome {
    /// The run that did what the plan says.
    pub(super) fn applied(&self) -> Option<&Deployed> {
        match (&self.deployed, &self.ending) {
            (Some(deployed), _) | (None, Some(Ending::Applied(deployed))) => Some(deployed),
            (None, _) => None,
        }
    }

    /// The reason why it was not applied; nothing where some run has done it all the same.
    pub(super) fn not_applied(&self) -> Option<&NotApplied> {
        match (&self.deployed, &self.ending) {
            (None, Some(Ending::NotApplied(why))) => Some(why),
            _ => None,
        }
    }
}

impl CommentInput {
    /// The plan, if there is one.
    pub fn plan(&self) -> Option<&PlanShown> {
        match &self.content {
            Content::Plan(shown) => Some(shown),
            Content::Failed(_) | Content::Removed { .. } | Content::NothingMore => None,
        }
    }
}
