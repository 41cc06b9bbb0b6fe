//! The page about all environments: their decisions first, then each difference once.

use super::head;
use super::input::{CommentInput, Content, Frame};
use super::plan::{conditions, lines, share};
use super::{DIGITS, escaped, foot};
use dax_engine::render::{self, Block, Line, Tone};
use dax_engine::{Name, Plan};
use std::fmt::Write;

/// Bytes that the faults of the program may take of the page.
const FAULTS: usize = 15_000;
/// Bytes that the decisions may take of the page.
const DECISIONS: usize = 30_000;

/// The page about environments; of a single one its own comment without the marker.
pub fn page(
    inputs: &[CommentInput],
    faults: &[String],
    passed: usize,
    frame: &Frame<'_>,
) -> String {
    let mut out = String::new();
    if !faults.is_empty() {
        let title = Block::Heading(2, Line::at(0).with(Tone::Strong, "The program"));
        let blocks = [title, lines(Tone::Remove, faults)];
        out.push_str(&render::markdown(&blocks, frame.flavour, FAULTS.min(frame.budget / 4)));
    }
    let tests = if passed > 0 {
        format!("\n{passed} tests of the program passed\n")
    } else {
        String::new()
    };
    if let [one] = inputs {
        let budget = frame.budget.saturating_sub(out.len() + tests.len());
        let text = super::comment(one, &Frame { budget, ..*frame });
        out.push_str(text.split_once('\n').map_or("", |(_, rest)| rest));
        return out + &tests;
    }
    out.push_str(&decisions(inputs, frame));
    let foot = inputs.first().map_or_else(String::new, |one| last(one, frame));
    let room = frame.budget.saturating_sub(out.len() + foot.len() + tests.len() + 2);
    out.push_str(&render::markdown_folded(&differences(inputs), frame.flavour, room));
    out + &foot + &tests
}

fn last(one: &CommentInput, frame: &Frame<'_>) -> String {
    foot(&CommentInput { content: Content::Removed { rules: None }, ..one.clone() }, frame)
}

/// The decision about each environment, as long as there is room.
fn decisions(inputs: &[CommentInput], frame: &Frame<'_>) -> String {
    let mut out = String::new();
    let several = inputs.iter().any(|one| one.project != inputs[0].project);
    let room = DECISIONS.min(frame.budget / 2);
    for (at, one) in inputs.iter().enumerate() {
        let mut text = String::new();
        if several {
            let _ = writeln!(text, "{}  ", escaped(&one.project));
        }
        text.push_str(&head::head(one, frame));
        if let Some(shown) = one.plan() {
            text.push('\n');
            text.push_str(&conditions(&one.environment, shown, frame.flavour, share(room)));
        }
        if at > 0 && out.len() + text.len() > room {
            let more: Vec<&str> = inputs[at..].iter().map(|one| one.environment.as_str()).collect();
            let _ = writeln!(out, "_and {} more: {}_\n", more.len(), escaped(&names(&more)));
            break;
        }
        out.push_str(&text);
        out.push('\n');
    }
    out
}

fn names(all: &[&str]) -> String {
    const MOST: usize = 40;
    let shown = all[..all.len().min(MOST)].join(", ");
    if all.len() > MOST { format!("{shown} …") } else { shown }
}

/// Each difference once, under the environments that have it.
fn differences(inputs: &[CommentInput]) -> Vec<Block> {
    let mut blocks = Vec::new();
    for group in same(inputs) {
        let [first, ..] = group.as_slice() else { continue };
        let Some(shown) = inputs[*first].plan().filter(|shown| !shown.plan.is_empty()) else {
            continue;
        };
        let all: Vec<&str> = group.iter().map(|at| inputs[*at].environment.as_str()).collect();
        let digest: String = shown.digest.chars().take(DIGITS).collect();
        let title = if all.len() > 1 {
            format!("The same in {}", all.join(", "))
        } else {
            format!("{} ({digest})", all.join(", "))
        };
        blocks.push(Block::Heading(2, Line::at(0).with(Tone::Strong, title)));
        blocks.extend(render::details(&shown.plan));
    }
    blocks
}

/// Environments by their difference: those of one group change the same from the same.
pub(crate) fn same(inputs: &[CommentInput]) -> Vec<Vec<usize>> {
    let mut groups: Vec<(Option<String>, Vec<usize>)> = Vec::new();
    for (at, one) in inputs.iter().enumerate() {
        let key = one.plan().filter(|shown| !shown.plan.is_empty());
        let key = key.map(|shown| difference(&one.project, &shown.plan));
        match groups.iter_mut().find(|(other, _)| key.is_some() && *other == key) {
            Some((_, group)) => group.push(at),
            None => groups.push((key, vec![at])),
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}

/// The changes of a plan and their steps, as a key.
fn difference(project: &Name, plan: &Plan) -> String {
    let steps: Vec<_> = plan.steps.iter().map(|step| (&step.service, &step.task)).collect();
    format!("{project} {:?} {:?} {:?} {steps:?}", plan.mode, plan.changes, plan.deferred)
}
