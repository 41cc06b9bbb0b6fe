//! The order in which services change, as a picture.

use dax_core::ResourceAddr;
use dax_plan::Plan;
use dax_plan::model::Action;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// More services than this make no picture that anybody could read.
const MOST: usize = 60;

/// An SVG of what changes after what; nothing where that would show nothing.
pub(super) fn picture(plan: &Plan) -> Option<String> {
    if plan.changes.len() < 2 || plan.changes.len() > MOST {
        return None;
    }
    let number: BTreeMap<&ResourceAddr, usize> =
        plan.changes.iter().enumerate().map(|(at, change)| (&change.addr, at)).collect();
    let mut dot = "digraph plan {\n  rankdir=LR;\n  node [shape=box];\n".to_owned();
    for (at, change) in plan.changes.iter().enumerate() {
        let fill = match change.action {
            Action::Create => "#dafbe1",
            Action::Update | Action::Rollout | Action::Adopt => "#fff8c5",
            Action::Delete | Action::Replace => "#ffebe9",
            Action::Move | Action::Forget => "#f6f8fa",
        };
        let label = format!("{}\\n{}", change.addr.name(), super::word(change.action));
        let _ = writeln!(dot, "  n{at} [label=\"{label}\" style=filled fillcolor=\"{fill}\"];");
    }
    let mut edges: BTreeSet<(usize, usize)> = BTreeSet::new();
    for step in &plan.steps {
        for before in &step.after {
            let first =
                plan.steps.get(before.0 as usize).and_then(|before| number.get(&before.service));
            if let (Some(first), Some(then)) = (first, number.get(&step.service))
                && first != then
            {
                edges.insert((*first, *then));
            }
        }
    }
    for (first, then) in edges {
        let _ = writeln!(dot, "  n{first} -> n{then};");
    }
    dot.push_str("}\n");
    crate::graph::draw(&dot).ok()
}
