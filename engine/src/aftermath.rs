//! What became of the services of a run that went back: told from its journal, not from what usually happens.

use dax_core::ResourceAddr;
use dax_machine::Entry;
use dax_plan::{Plan, StepId};
use std::collections::{BTreeMap, BTreeSet};

/// What a journal tells of the steps of a plan.
#[derive(Default)]
struct Steps {
    done: BTreeSet<StepId>,
    undone: BTreeSet<StepId>,
    kept: BTreeMap<StepId, String>,
}

fn steps(journal: &[Entry]) -> Steps {
    let mut steps = Steps::default();
    for entry in journal {
        match entry {
            Entry::Done { step } => drop(steps.done.insert(*step)),
            Entry::Undone { step } | Entry::UndoForced { step, .. } => {
                steps.undone.insert(*step);
            }
            Entry::Kept { step, reason, .. } => drop(steps.kept.insert(*step, reason.clone())),
            _ => {}
        }
    }
    steps
}

fn names(services: &BTreeSet<&ResourceAddr>) -> String {
    services.iter().map(|addr| addr.name()).collect::<Vec<_>>().join(", ")
}

/// What became of the services, a sentence each.
pub(crate) fn aftermath(plan: &Plan, journal: &[Entry]) -> Vec<String> {
    let found = steps(journal);
    let changes = |id: &StepId| {
        plan.steps.get(id.0 as usize).filter(|step| !step.inverse.operations.is_empty())
    };
    let undone: BTreeSet<&ResourceAddr> =
        found.undone.iter().filter_map(changes).map(|step| &step.service).collect();
    let stays: BTreeSet<&ResourceAddr> = found
        .done
        .iter()
        .filter(|id| !found.undone.contains(*id) && !found.kept.contains_key(*id))
        .filter_map(changes)
        .map(|step| &step.service)
        .filter(|addr| !undone.contains(addr))
        .collect();
    let existed = |addr: &&ResourceAddr| {
        plan.changes.iter().any(|change| change.addr == **addr && change.from.is_some())
    };
    let (restored, removed): (BTreeSet<_>, BTreeSet<_>) = undone.iter().copied().partition(existed);
    let mut said = Vec::new();
    if !restored.is_empty() {
        said.push(format!("what ran before runs again: {}", names(&restored)));
    }
    if !removed.is_empty() {
        said.push(format!(
            "nothing ran before, and what was made was removed: {}",
            names(&removed)
        ));
    }
    if !stays.is_empty() {
        said.push(format!("not rolled back, because complete before: {}", names(&stays)));
    }
    said.extend(
        found
            .kept
            .iter()
            .filter(|(id, _)| changes(id).is_some())
            .map(|(id, reason)| format!("step {id} stays as it is: {reason}")),
    );
    if said.is_empty() {
        said.push("nothing had been changed".to_owned());
    }
    said
}
