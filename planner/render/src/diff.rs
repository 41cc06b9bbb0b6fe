//! The difference between two plans: what a new push changed of what was approved.
//!
//! Whatever makes the digest another one is said in words: services, leaves, steps, conditions, the
//! state.

use crate::plan::{action_word, step_text, when};
use crate::shorten;
use crate::standing::Progress;
use crate::tree::{Block, Line, Tone};
use dax_core::ResourceAddr;
use dax_plan::model::{Change, Gate, LeafChange};
use dax_plan::{Plan, Step};
use std::collections::{BTreeMap, BTreeSet};

/// Steps of a service that are shown as others.
const STEPS: usize = 6;

/// The difference between two plans, both ways.
pub fn diff(old: &Plan, new: &Plan) -> Vec<Block> {
    let (old_digest, new_digest) = (dax_plan::digest::digest(old), dax_plan::digest::digest(new));
    let title = Line::at(0).with(Tone::Strong, format!("{} / {}: ", new.project, new.environment));
    if old_digest == new_digest {
        return vec![Block::Heading(1, title.with(Tone::Add, "the plans are the same"))];
    }
    let mut lines = Vec::new();
    let (before, after) = (by_addr(old), by_addr(new));
    let (steps_before, steps_after) = (by_service(old), by_service(new));
    let all: BTreeSet<&ResourceAddr> = before.keys().chain(after.keys()).copied().collect();
    let mut differing = 0;
    for addr in all {
        let more = match (before.get(addr), after.get(addr)) {
            (None, Some(new)) => vec![marked("+ now: ", Tone::Add, new)],
            (Some(old), None) => vec![marked("- no longer: ", Tone::Remove, old)],
            (Some(was), Some(now)) => {
                changed((was, own(&steps_before, addr)), (now, own(&steps_after, addr)))
            }
            (None, None) => Vec::new(),
        };
        differing += usize::from(!more.is_empty());
        lines.extend(more);
    }
    lines.extend(conditions(old, new));
    lines.extend(bases(old, new).into_iter().map(|text| Line::at(0).with(Tone::Dim, text)));
    let count = match differing {
        0 => "the same changes".to_owned(),
        1 => "1 change differs".to_owned(),
        count => format!("{} changes differ", shorten::grouped(count)),
    };
    let mut blocks = vec![Block::Heading(1, title.with(Tone::Change, count))];
    if lines.is_empty() {
        let text = "only places in the program or figures differ, nothing that is done";
        lines.push(Line::at(0).with(Tone::Dim, text));
    }
    blocks.push(Block::Lines(lines));
    blocks
}

/// The difference between the states that two plans are made from.
fn bases(old: &Plan, new: &Plan) -> Vec<String> {
    let (was, now) = (&old.base, &new.base);
    let mut said = Vec::new();
    if was.lineage != now.lineage {
        said.push("made from another state, of another lineage".to_owned());
    } else if was.serial != now.serial {
        said.push(format!("made from state {}, was made from {}", now.serial, was.serial));
    }
    if was.conditions != now.conditions {
        said.push("the conditions that were recorded with the last apply are others".to_owned());
    }
    said
}

/// Steps by service.
type Steps<'p> = BTreeMap<&'p ResourceAddr, Vec<&'p Step>>;
/// A change with its steps.
type Side<'p> = (&'p Change, Vec<&'p Step>);

fn by_service(plan: &Plan) -> Steps<'_> {
    let mut all: Steps<'_> = BTreeMap::new();
    for step in &plan.steps {
        all.entry(&step.service).or_default().push(step);
    }
    all
}

fn own<'p>(steps: &Steps<'p>, addr: &ResourceAddr) -> Vec<&'p Step> {
    steps.get(addr).cloned().unwrap_or_default()
}

fn by_addr(plan: &Plan) -> BTreeMap<&ResourceAddr, &Change> {
    plan.changes.iter().map(|change| (&change.addr, change)).collect()
}

fn marked(mark: &str, tone: Tone, change: &Change) -> Line {
    let mut text = format!("{} {}", action_word(change.action), change.addr);
    if let Some((name, kind)) = &change.strategy {
        let kind = if name == kind { String::new() } else { format!(" ({kind})") };
        text.push_str(&format!(" by {name}{kind}"));
    }
    if let Some(from) = &change.moved_from {
        text.push_str(&format!(", was {from}"));
    }
    if let Some(why) = &change.blocked {
        text.push_str(&format!(", blocked: {why}"));
    }
    Line::at(0).with(tone, mark).with(Tone::Plain, text)
}

fn changed((old, old_steps): Side<'_>, (new, new_steps): Side<'_>) -> Vec<Line> {
    let mut lines = Vec::new();
    let kind = |change: &Change| {
        (
            change.action,
            change.strategy.clone(),
            change.moved_from.clone(),
            change.blocked.clone(),
            change.replace.clone(),
        )
    };
    if kind(old) != kind(new) {
        lines.push(marked("- was: ", Tone::Remove, old));
        lines.push(marked("+ now: ", Tone::Add, new));
    }
    let (before, after) = (leaves(old), leaves(new));
    let paths: BTreeSet<&str> = before.keys().chain(after.keys()).copied().collect();
    for path in paths {
        let (was, now) = (before.get(path).copied(), after.get(path).copied());
        let sides = |leaf: Option<&LeafChange>| {
            leaf.map(|leaf| (leaf.before.clone(), leaf.after.clone(), leaf.live.clone()))
        };
        if sides(was) != sides(now) {
            lines.push(leaf(new, path, was, now));
        }
    }
    lines.extend(steps((old, old_steps), (new, new_steps), lines.is_empty()));
    lines
}

fn leaves(change: &Change) -> BTreeMap<&str, &LeafChange> {
    change.leaves.iter().map(|leaf| (leaf.path.as_str(), leaf)).collect()
}

fn leaf(change: &Change, path: &str, was: Option<&LeafChange>, now: Option<&LeafChange>) -> Line {
    let end = |leaf: Option<&LeafChange>| match leaf {
        None => "unchanged".to_owned(),
        Some(leaf) => leaf.after.as_ref().map_or_else(|| "nothing".to_owned(), shorten::value),
    };
    let from = |leaf: &LeafChange| {
        leaf.before.as_ref().map_or_else(|| "nothing".to_owned(), shorten::value)
    };
    let name = format!("{} {path}: ", change.addr.name());
    let line = Line::at(0).of_field().with(Tone::Change, "~ ").with(Tone::Plain, name);
    if let (Some(was), Some(now)) = (was, now)
        && was.after == now.after
    {
        let text =
            format!("still {}, from {} and not from {}", end(Some(now)), from(now), from(was));
        return line.with(Tone::Plain, text);
    }
    line.with(Tone::Remove, end(was)).with(Tone::Dim, " → ").with(Tone::Add, end(now))
}

/// Steps that are others; the names of revisions, which follow from the leaves, count for nothing.
fn steps((old, old_steps): Side<'_>, (new, new_steps): Side<'_>, alone: bool) -> Vec<Line> {
    let (was, now) = (texts(old, &old_steps), texts(new, &new_steps));
    let gone: Vec<&String> = was.iter().filter(|text| !now.contains(text)).collect();
    let come: Vec<&String> = now.iter().filter(|text| !was.contains(text)).collect();
    if was == now || (!alone && was.len() == now.len()) {
        return Vec::new();
    }
    let name = new.addr.name();
    let mut lines = vec![
        Line::at(0)
            .with(Tone::Change, "~ ")
            .with(Tone::Plain, format!("{name} steps: {} → {}", was.len(), now.len())),
    ];
    for (mark, tone, texts) in [("- ", Tone::Remove, gone), ("+ ", Tone::Add, come)] {
        let more = texts.len().saturating_sub(STEPS);
        for text in texts.into_iter().take(STEPS) {
            lines.push(Line::at(1).with(tone, mark).with(Tone::Plain, text));
        }
        if more > 0 {
            lines.push(Line::at(1).with(Tone::Dim, format!("{mark}{more} more")));
        }
    }
    lines
}

fn texts(change: &Change, steps: &[&Step]) -> Vec<String> {
    let text = |step: &&Step| {
        let mut text = step_text(step);
        for (id, name) in [(&change.from, "(old)"), (&change.to, "(new)")] {
            if let Some(id) = id.as_ref().filter(|id| !id.0.is_empty()) {
                text = text.replace(id.0.as_str(), name);
            }
        }
        text
    };
    steps.iter().map(text).collect()
}

/// Conditions that are others, before → after.
fn conditions(old: &Plan, new: &Plan) -> Vec<Line> {
    let rules = |plan: &Plan| -> String {
        let all: Vec<String> =
            plan.approvals.iter().map(|gate| Progress::none(gate).rule_text()).collect();
        if all.is_empty() { "nobody".to_owned() } else { all.join(" and ") }
    };
    let gates = |plan: &Plan| -> String {
        let all: Vec<String> = plan.gates.iter().flat_map(gate).collect();
        if all.is_empty() { "at any time".to_owned() } else { all.join("; ") }
    };
    let policy = |plan: &Plan| format!("{:?}", plan.on_failure).to_lowercase();
    let mut lines = Vec::new();
    for (what, was, now) in [
        ("approval of", rules(old), rules(new)),
        ("may be applied", gates(old), gates(new)),
        ("on failure", policy(old), policy(new)),
    ] {
        if was != now {
            let line = Line::at(0).with(Tone::Warn, format!("! {what}: "));
            lines.push(line.with(Tone::Remove, was).with(Tone::Dim, " → ").with(Tone::Add, now));
        }
    }
    lines
}

fn gate(gate: &Gate) -> Vec<String> {
    when(gate).into_iter().map(|(text, _)| text).collect()
}

#[cfg(test)]
mod tests {
    use super::diff;
    use crate::testing::{change, guarded};
    use crate::tree::Block;
    use dax_plan::Plan;
    use dax_plan::model::{Action, StateVersion};

    fn said(old: &StateVersion, new: &StateVersion) -> String {
        let plan = |base: &StateVersion| {
            let plan = guarded(vec![change("web", Action::Rollout, Vec::new())]);
            Plan { base: base.clone(), ..plan }
        };
        let blocks = diff(&plan(old), &plan(new));
        let lines = blocks.iter().filter_map(|block| match block {
            Block::Lines(lines) => Some(lines),
            _ => None,
        });
        lines.flatten().map(|line| line.plain()).collect::<Vec<_>>().join(" | ")
    }

    #[test]
    fn a_state_that_differs_says_in_what() {
        let old = StateVersion { serial: 3, ..StateVersion::default() };
        let conditions = StateVersion { conditions: Some("c0ffee".into()), ..old.clone() };
        let later = StateVersion { serial: 4, ..old.clone() };
        let other = StateVersion { lineage: "other".into(), ..old.clone() };
        let all = [conditions, later, other].map(|new| said(&old, &new));
        insta::assert_snapshot!(all.join("\n"), @r#"
the conditions that were recorded with the last apply are others
made from state 4, was made from 3
made from another state, of another lineage
"#);
    }
}
