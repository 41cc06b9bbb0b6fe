//! Comments that reviewers read: one for each environment, brought up to date from the first plan
//! to the apply.
//!
//! Pure functions over plain input. The first two lines are the decision and what to do about it;
//! whatever else there is comes below, folded. Invariant: what an outcome says is what the state
//! says now, and no comment offers an approval that would not count.

mod finding;
mod head;
mod input;
mod marker;
mod page;
mod plan;
mod superseded;
mod times;

pub use input::{
    Before, CommentInput, Condition, Content, Deployed, Ending, Frame, Lapsed, NotApplied, Outcome,
    PlanShown,
};
pub(crate) use marker::{Subject, marked, prefix};
pub(crate) use page::same;
pub use page::{Page, page};
pub(crate) use superseded::is_superseded;
pub use superseded::superseded;

use dax_engine::printable;
use dax_engine::render::{self, Flavour};

/// A commit as people write it.
const SHORT: usize = 10;
/// Digits of a digest in a text.
const DIGITS: usize = 12;

/// The marker of an environment's comment.
pub(crate) fn marker_of(flavour: Flavour, project: &str, environment: &str) -> String {
    Subject::One(project.into(), environment.into()).marker(flavour)
}

/// Reports whether a comment was made for a commit, as its last lines say.
pub(crate) fn is_for(body: &str, commit: &str) -> bool {
    let words = format!(" for commit {} by dax ", short(commit));
    // Below the line that says it there may be the end of a fold, and the tests.
    let mut last = body.trim_end().lines().rev().take(5);
    last.any(|line| line.starts_with('_') && line.contains(&words))
}

/// A commit as people write it.
pub(crate) fn short(commit: &str) -> &str {
    commit.get(..SHORT).unwrap_or(commit)
}

/// The decision about an environment in one line, as checks and reports show it.
pub(crate) fn headline(input: &CommentInput) -> String {
    head::decision(input)
}

/// Bytes for the line beside the decision that says what was left out.
const NOTE: usize = 300;

/// A comment as it is written.
pub(crate) struct Written {
    /// Its text.
    pub(crate) text: String,
    /// The reason why whoever reads it was not shown the plan; nothing where it was.
    pub(crate) lacks: Option<String>,
}

/// The comment of an environment.
pub fn comment(input: &CommentInput, frame: &Frame<'_>) -> String {
    written(input, frame).text
}

/// The comment of an environment, with what it fails to show.
pub(crate) fn written(input: &CommentInput, frame: &Frame<'_>) -> Written {
    let marker = marker_of(frame.flavour, &input.project, &input.environment);
    let head = head::head(input, frame);
    let foot = foot(input, frame);
    let room = frame.budget.saturating_sub(marker.len() + head.len() + foot.len() + NOTE + 4);
    let (mut body, mut note, mut lacks) = (String::new(), String::new(), None);
    match &input.content {
        Content::Plan(shown) => {
            let part = plan::body(input, shown, frame, room);
            (body, note, lacks) = (part.text, left_out(part.cut.as_deref()), part.lacks);
        }
        Content::Failed(_) | Content::Removed { .. } | Content::NothingMore => {}
    }
    Written { text: format!("{marker}\n{head}{note}\n{body}{foot}"), lacks }
}

/// The line beside a decision that says what was left out below it.
fn left_out(cut: Option<&str>) -> String {
    cut.map_or_else(String::new, |cut| {
        format!("\n**Not shown below, for its length: {cut}.** The files of the run have it.\n")
    })
}

/// The plan, the commit and the run that it comes from.
fn foot(input: &CommentInput, frame: &Frame<'_>) -> String {
    let (figures, plan) = match &input.content {
        Content::Plan(shown) if !shown.plan.is_empty() => {
            let digest: String = shown.digest.chars().take(DIGITS).collect();
            let figures = inline(&render::figures(&shown.plan));
            (format!("{figures} · "), format!("Plan {digest} of {}", escaped(&input.project)))
        }
        _ => (String::new(), format!("Planned in {}", escaped(&input.project))),
    };
    let run = match frame.url {
        Some(url) => format!(" · [the run]({})", printable::Line::new(url)),
        None => String::new(),
    };
    let commit = printable::Line::new(short(frame.commit)).to_string();
    format!("_{figures}{plan} for commit {commit} by dax {}{run}_\n", env!("CARGO_PKG_VERSION"))
}

/// Text that means itself.
fn escaped(text: &str) -> String {
    render::escape(printable::Line::new(text).as_str())
}

/// Text that means itself, with what stands between backticks as code.
///
/// Code holds no backtick, so nothing in it ends it before its end.
fn inline(text: &str) -> String {
    let text = printable::Line::new(text);
    let parts: Vec<&str> = text.as_str().split('`').collect();
    let mut out = String::new();
    for (at, part) in parts.iter().enumerate() {
        match (at % 2 == 1, at + 1 == parts.len(), part.is_empty()) {
            (true, false, false) => out.push_str(&format!("`{part}`")),
            // A single backtick, or two without anything between them, are themselves.
            (true, _, _) => out.push_str(&format!("\\`{}", render::escape(part))),
            (false, ..) => out.push_str(&render::escape(part)),
        }
    }
    out
}

/// The code host's word for a change request.
pub(crate) const fn request(flavour: Flavour) -> &'static str {
    match flavour {
        Flavour::GitHub | Flavour::Bitbucket => "pull request",
        Flavour::GitLab => "merge request",
    }
}
