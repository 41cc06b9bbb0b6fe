//! The part below the decision about a plan: loosened conditions, policies, the difference to what was shown,
//! and the plan itself, folded.

use super::finding;
use super::input::{Before, CommentInput, Condition, Ending, Frame, PlanShown};
use super::{inline, short};
use dax_engine::render::{self, Block, Flavour, Line, Section, Tone};
use std::fmt::Write;

/// Bytes that the difference to an earlier plan may take of a comment.
const DIFFERENCE: usize = 12_000;
/// Bytes that conditions and policies may take of a comment.
const CONDITIONS: usize = 12_000;

/// All below the decision.
pub(super) fn body(
    input: &CommentInput,
    shown: &PlanShown,
    frame: &Frame<'_>,
    room: usize,
) -> String {
    let mut out = String::new();
    let applied = input.outcome.applied().is_some();
    if !applied {
        out.push_str(&conditions(&input.environment, shown, frame.flavour));
        out.push_str(&policies(shown, frame.flavour));
        if let Some(Ending::NotApplied(not)) = &input.outcome.ending
            && !not.lines.is_empty()
        {
            let lines = lines(Tone::Warn, &not.lines);
            out.push_str(&render::markdown(&[lines], frame.flavour, CONDITIONS));
        }
        out.push_str(&since(shown, frame));
    }
    if let Some(other) = &input.same_as {
        let text = format!("The same change as in `{other}`, whose comment has the details.");
        let _ = writeln!(out, "{}\n", inline(&text));
        return out;
    }
    let room = room.saturating_sub(out.len());
    let blocks = if applied { bare(&shown.plan) } else { render::details(&shown.plan) };
    out.push_str(&render::markdown_folded(&blocks, frame.flavour, room));
    out
}

/// The details of a plan without what was to be thought of before.
fn bare(plan: &dax_engine::Plan) -> Vec<Block> {
    let blocks = render::details(plan).into_iter();
    blocks.filter(|block| matches!(block, Block::Section(_))).collect()
}

/// Lines of texts; those after the first of a text stand behind a bar, so that none passes for a
/// text of its own.
pub(super) fn lines(tone: Tone, texts: impl IntoIterator<Item = impl AsRef<str>>) -> Block {
    let mut lines = Vec::new();
    for text in texts {
        for (number, line) in text.as_ref().lines().enumerate() {
            let bar = if number > 0 { "  │ " } else { "" };
            lines.push(Line::at(0).with(tone, format!("{bar}{line}")));
        }
    }
    Block::Lines(lines)
}

/// Conditions that the change alters, before → after.
pub(super) fn conditions(environment: &str, shown: &PlanShown, flavour: Flavour) -> String {
    let mut out = String::new();
    let all = &shown.conditions;
    for loosens in [true, false] {
        let some: Vec<&Condition> = all.iter().filter(|one| one.loosens == loosens).collect();
        if some.is_empty() {
            continue;
        }
        let title = if loosens {
            format!("loosens the conditions of {environment}")
        } else {
            format!("changes the conditions of {environment}")
        };
        let is_old = |one: &render::Progress| one.rule != render::Rule::Program;
        let named = shown.standing.approvals.iter().any(is_old);
        out.push_str(&alert(&title, loosens, named, flavour));
        let lines: Vec<Line> = some.iter().flat_map(|one| condition(one)).collect();
        out.push_str(&render::markdown(&[Block::Lines(lines)], flavour, CONDITIONS));
    }
    out
}

/// A title; red where it is one to stop at.
fn alert(title: &str, loosens: bool, named: bool, flavour: Flavour) -> String {
    let title = super::escaped(title);
    let who = if named {
        "those of the old rule must approve it too"
    } else {
        "the old rules name nobody who would have to approve it"
    };
    match (loosens, flavour) {
        (true, Flavour::GitHub | Flavour::GitLab) => {
            format!("> [!CAUTION]\n> **{title}**: {who}\n\n")
        }
        (true, Flavour::Bitbucket) => format!("### {title}: {who}\n\n"),
        (false, _) => format!("### {title}\n\n"),
    }
}

fn condition(one: &Condition) -> Vec<Line> {
    let line = |tone: Tone, mark: &str, text: &str| {
        Line::at(0).with(tone, format!("{mark} {}: {text}", one.what))
    };
    match (&one.before, &one.after) {
        (None, None) => vec![Line::at(0).with(Tone::Warn, &one.what)],
        (Some(before), None) => {
            vec![line(Tone::Remove, "-", &format!("{before} (removed)"))]
        }
        (None, Some(after)) => vec![line(Tone::Add, "+", after)],
        (Some(before), Some(after)) => {
            vec![line(Tone::Remove, "-", before), line(Tone::Add, "+", after)]
        }
    }
}

fn policies(shown: &PlanShown, flavour: Flavour) -> String {
    if shown.policies.is_empty() {
        return String::new();
    }
    let (title, tone) = if shown.denied {
        ("Denied by a policy", Tone::Remove)
    } else {
        ("Policies warn", Tone::Warn)
    };
    let texts: Vec<String> = shown.policies.iter().map(|text| finding::plain(text)).collect();
    let heading = Block::Heading(2, Line::at(0).with(Tone::Strong, title));
    render::markdown(&[heading, lines(tone, &texts)], flavour, CONDITIONS)
}

/// The difference to what reviewers saw before.
fn since(shown: &PlanShown, frame: &Frame<'_>) -> String {
    let Some(Before { commit, plan, same }) = &shown.before else { return String::new() };
    let from = short(commit);
    if *same {
        let text = format!("It does the same as the plan for commit {from}, which you have seen.");
        return format!("{}\n\n", inline(&text));
    }
    let mut body = render::diff(plan, &shown.plan);
    let count = match body.first() {
        Some(Block::Heading(_, line)) => {
            line.plain().rsplit_once(": ").map_or_else(String::new, |(_, count)| count.to_owned())
        }
        _ => String::new(),
    };
    let body: Vec<Block> = body.drain(..).skip(1).collect();
    let head = Line::at(0).with(Tone::Change, format!("Since commit {from}: {count}"));
    let section = Section { head, body, steps: None, group: None, weight: u32::MAX };
    render::markdown(&[Block::Section(section)], frame.flavour, DIFFERENCE)
}
