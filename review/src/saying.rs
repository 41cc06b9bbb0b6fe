//! Reports and ends of runs as the input of comments.

use crate::applying::{Ending, Unreviewed};
use crate::approving::Lost;
use crate::comment::{
    self, Before, CommentInput, Condition, Content, Deployed, Lapsed, NotApplied, Outcome,
    PlanShown,
};
use crate::plans::{Planned, Report, Rules, Verdict};
use dax_engine::digest::digest;
use dax_engine::{Engine, Finished, Name, Outcome as Ended, Plan, Standing};

/// A report as a comment shows it.
pub(crate) fn input(report: &Report) -> CommentInput {
    let content = match &report.verdict {
        Verdict::Failed(why) => Content::Failed(why.clone()),
        Verdict::Removed { rules } => Content::Removed { rules: rules.clone() },
        Verdict::Plan(planned) if planned.is_nothing() && planned.before.is_some() => {
            Content::NothingMore
        }
        Verdict::Plan(planned) => Content::Plan(Box::new(plan_of(planned))),
    };
    CommentInput {
        project: report.project.clone(),
        environment: report.environment.clone(),
        content,
        outcome: Outcome::default(),
        same_as: None,
    }
}

impl Report {
    /// The decision about it in one line, as the comment says it: `shop / production · …`.
    pub fn headline(&self) -> String {
        format!("{} / {}", self.project, comment::headline(&input(self)))
    }
}

/// Inputs of several reports; of those that show one difference, the later ones name the first.
pub(crate) fn inputs<'r>(reports: impl IntoIterator<Item = &'r Report>) -> Vec<CommentInput> {
    let mut all: Vec<CommentInput> = reports.into_iter().map(input).collect();
    for group in comment::same(&all) {
        if let [first, rest @ ..] = group.as_slice() {
            let name = all[*first].environment.clone();
            rest.iter().for_each(|at| all[*at].same_as = Some(name.clone()));
        }
    }
    all
}

fn plan_of(planned: &Planned) -> PlanShown {
    let older =
        planned.older.iter().map(|line| format!("by the policy before this change: {line}"));
    PlanShown {
        plan: planned.plan.clone(),
        digest: planned.digest.clone(),
        standing: planned.standing.clone(),
        policies: older.chain(planned.policies.iter().cloned()).collect(),
        denied: planned.is_denied(),
        unseen: planned.unseen,
        conditions: conditions(&planned.rules),
        lapsed: lapsed(&planned.lost),
        before: planned.before.as_ref().map(|before| Before {
            commit: before.commit.to_string(),
            plan: before.plan.clone(),
            same: planned.same_as_before(),
        }),
    }
}

fn conditions(rules: &Rules) -> Vec<Condition> {
    let of = |change: &dax_engine::ConditionChange| Condition {
        what: change.what.clone(),
        before: change.before.clone(),
        after: change.after.clone(),
        loosens: change.loosens,
        strategy: change.kind == dax_engine::ConditionKind::Strategy,
    };
    rules.changes.iter().map(of).collect()
}

fn lapsed(lost: &[Lost]) -> Vec<Lapsed> {
    lost.iter().map(|one| Lapsed { who: one.who.clone(), why: one.why.clone() }).collect()
}

/// A plan after the merge, as a comment shows it.
pub(crate) fn merged(
    project: &Name,
    environment: &Name,
    planned: Option<(&Plan, Option<&Rules>, Standing)>,
    outcome: Outcome,
) -> CommentInput {
    let content = planned.map_or(Content::NothingMore, |(plan, rules, standing)| {
        Content::Plan(Box::new(PlanShown {
            plan: plan.clone(),
            digest: digest(plan),
            standing,
            policies: Vec::new(),
            denied: false,
            unseen: false,
            conditions: rules.map_or_else(Vec::new, conditions),
            lapsed: Vec::new(),
            before: None,
        }))
    });
    CommentInput {
        project: project.clone(),
        environment: environment.clone(),
        content,
        outcome,
        same_as: None,
    }
}

/// The outcome of a run, and of one that did the same before it.
pub(crate) fn outcome(
    ending: &Ending,
    deployed: Option<Deployed>,
    since_ms: Option<u64>,
) -> Outcome {
    let not = |why: String, lines: Vec<String>, remedy: Option<String>| {
        Some(comment::Ending::NotApplied(NotApplied { why, since_ms, remedy, lines }))
    };
    let ending = match ending {
        Ending::Nothing | Ending::Accepted => None,
        Ending::Ran(finished) if deployed.is_some() || finished.outcome == Ended::Succeeded => None,
        Ending::Ran(finished) => {
            let word = finished.outcome.word();
            let text = match message(&finished.outcome) {
                Some(message) => format!("run {} {word}: {message}", finished.run),
                None => format!("run {} {word}", finished.run),
            };
            not(text, finished.aftermath.clone(), None)
        }
        Ending::Other(unreviewed) => {
            let Unreviewed { lacks, help, never, .. } = unreviewed;
            let why = if *never {
                "no plan of this environment was shown for what was merged"
            } else {
                "what would be applied was not shown to reviewers"
            };
            not(why.to_owned(), lacks.clone(), Some(help.join(", or ")))
        }
        Ending::Waits(waiting) => {
            let mut lines = waiting.why.clone();
            let first = if lines.is_empty() { String::new() } else { lines.remove(0) };
            not(first, lines, None)
        }
        Ending::Failed(error) => not(error.to_string(), Vec::new(), None),
    };
    Outcome { ending, deployed }
}

/// The reason for an end that is no success.
fn message(outcome: &Ended) -> Option<&str> {
    match outcome {
        Ended::RolledBack { message, .. }
        | Ended::Stuck { message, .. }
        | Ended::Held { message, .. }
        | Ended::Diverged { message }
        | Ended::Abandoned { message } => Some(message),
        Ended::Succeeded | Ended::Interrupted => None,
    }
}

/// The run that brought an environment to where it is: that of now, or the last of its history.
pub(crate) fn deployed(
    engine: &Engine,
    environment: &Name,
    finished: Option<&Finished>,
) -> Result<Option<Deployed>, crate::ReviewError> {
    let history = engine.history(Some(environment))?;
    let succeeded = |run: &dax_engine::Run| {
        run.outcome == Some(dax_engine::Outcome::Succeeded) && run.mode == "apply"
    };
    let found = history
        .iter()
        .map(|entry| &entry.run)
        .find(|run| succeeded(run) && finished.is_none_or(|finished| finished.run == run.id));
    Ok(found.map(|run| Deployed {
        run: run.id,
        at_ms: run.ended_ms.unwrap_or(run.started_ms),
        approved_by: run.approved_by.iter().map(ToString::to_string).collect(),
    }))
}
