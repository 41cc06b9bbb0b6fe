//! The difference between two plans: what a new push changed of what was approved.

use crate::plan::change_head;
use crate::tree::{Block, Line, Tone};
use dax_core::ResourceAddr;
use dax_plan::Plan;
use dax_plan::model::{Change, LeafChange};
use std::collections::{BTreeMap, BTreeSet};

/// What the second plan does that the first did not, and the other way round.
pub fn diff(old: &Plan, new: &Plan) -> Vec<Block> {
    let (old_digest, new_digest) = (dax_plan::digest::digest(old), dax_plan::digest::digest(new));
    let title = Line::at(0).with(Tone::Strong, format!("{} / {}: ", new.project, new.environment));
    if old_digest == new_digest {
        return vec![Block::Heading(1, title.with(Tone::Add, "the plans are the same"))];
    }
    let mut lines = vec![
        Line::at(0)
            .with(Tone::Dim, format!("digest {} → {}", &old_digest[..16], &new_digest[..16])),
    ];
    if old.base != new.base {
        lines.push(Line::at(0).with(
            Tone::Warn,
            format!("made from another state: {} → {}", old.base.serial, new.base.serial),
        ));
    }
    let by_addr = |plan: &'_ Plan| -> BTreeMap<ResourceAddr, Change> {
        plan.changes.iter().map(|change| (change.addr.clone(), change.clone())).collect()
    };
    let (before, after) = (by_addr(old), by_addr(new));
    let all: BTreeSet<&ResourceAddr> = before.keys().chain(after.keys()).collect();
    let mut differing = 0;
    for addr in all {
        let more = match (before.get(addr), after.get(addr)) {
            (None, Some(new)) => vec![marked("+ now: ", Tone::Add, new)],
            (Some(old), None) => vec![marked("- no longer: ", Tone::Remove, old)],
            (Some(old), Some(new)) => changed(old, new),
            (None, None) => Vec::new(),
        };
        differing += usize::from(!more.is_empty());
        lines.extend(more);
    }
    let kinds = |plan: &Plan| {
        plan.steps.iter().map(|step| (step.service.clone(), step.kind.clone())).collect::<Vec<_>>()
    };
    if kinds(old) != kinds(new) {
        let (then, now) = (old.steps.len(), new.steps.len());
        let text = if then == now {
            "the steps are others".to_owned()
        } else {
            format!("steps: {then} → {now}")
        };
        lines.push(Line::at(0).with(Tone::Change, text));
    }
    if (&old.gates, &old.approvals, old.on_failure) != (&new.gates, &new.approvals, new.on_failure)
    {
        lines.push(
            Line::at(0).with(Tone::Warn, "the conditions under which it may be applied are others"),
        );
    }
    let word = if differing == 1 { "change differs" } else { "changes differ" };
    vec![
        Block::Heading(1, title.with(Tone::Change, format!("{differing} {word}"))),
        Block::Lines(lines),
    ]
}

fn marked(mark: &str, tone: Tone, change: &Change) -> Line {
    let mut line = Line::at(0).with(tone, mark);
    line.pieces.extend(change_head(change).pieces);
    line
}

fn changed(old: &Change, new: &Change) -> Vec<Line> {
    let mut lines = Vec::new();
    if (old.action, old.reason, &old.strategy, &old.from, &old.to)
        != (new.action, new.reason, &new.strategy, &new.from, &new.to)
    {
        lines.push(marked("- was: ", Tone::Remove, old));
        lines.push(marked("+ now: ", Tone::Add, new));
    }
    let leaves = |change: &Change| -> BTreeMap<dax_core::Name, LeafChange> {
        change.leaves.iter().map(|leaf| (leaf.path.clone(), leaf.clone())).collect()
    };
    let (before, after) = (leaves(old), leaves(new));
    let paths: BTreeSet<&dax_core::Name> = before.keys().chain(after.keys()).collect();
    let shown = |leaf: Option<&LeafChange>| match leaf {
        None => "unchanged".to_owned(),
        Some(leaf) => leaf.after.as_ref().map_or_else(|| "nothing".to_owned(), ToString::to_string),
    };
    for path in paths {
        let (was, now) = (before.get(path), after.get(path));
        if was.map(|leaf| (&leaf.before, &leaf.after))
            != now.map(|leaf| (&leaf.before, &leaf.after))
        {
            if lines.is_empty() {
                lines.push(Line::at(0).with(Tone::Strong, new.addr.as_str()));
            }
            let line = Line::at(1).with(Tone::Change, "~ ").with(Tone::Plain, format!("{path}: "));
            lines.push(
                line.with(Tone::Remove, shown(was))
                    .with(Tone::Dim, " → ")
                    .with(Tone::Add, shown(now)),
            );
        }
    }
    lines
}
