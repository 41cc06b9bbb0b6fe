//! The way back of a plan in one line, as far as the model knows.
//!
//! Never calmer than the plan: whatever is irreversible or comes back without its data is named.

use super::names::names;
use crate::tree::{Line, Tone};
use dax_core::ResourceAddr;
use dax_model::Operation;
use dax_plan::model::{Action, InverseClass, Mode, OnFailure};
use dax_plan::{Plan, Task};

/// The way in which a plan comes back; nothing where nothing changes.
pub fn reversal(plan: &Plan) -> Option<Line> {
    if plan.is_empty() {
        return None;
    }
    let line = Line::at(0).with(Tone::Strong, "Rollback: ");
    if plan.steps.is_empty() {
        return Some(line.with(Tone::Dim, "nothing that runs changes, only the state"));
    }
    let failure = match plan.on_failure {
        OnFailure::Rollback => "by itself when a step fails",
        OnFailure::RollbackAll => "of the whole run by itself when a step fails",
        OnFailure::Hold => "when somebody says so (a failed step holds the run)",
        OnFailure::Continue => "by itself of the services whose steps fail",
    };
    let mut line = line.with(Tone::Plain, failure);
    if plan.mode != Mode::Rollback {
        line = line.with(
            Tone::Plain,
            format!("; later `dax rollback -e {}`", super::shell_word(&plan.environment)),
        );
    }
    for (tone, text) in exceptions(plan) {
        line = line.with(Tone::Plain, "; ").with(tone, text);
    }
    Some(line)
}

fn exceptions(plan: &Plan) -> Vec<(Tone, String)> {
    let mut said = Vec::new();
    let lost: Vec<String> =
        plan.points_of_no_return().map(|step| format!("step {}", step.id)).collect();
    if !lost.is_empty() {
        said.push((Tone::Remove, format!("irreversible: {}", super::shortened(&lost))));
    }
    let deleted = services(plan, Action::Delete);
    let (objects, gone): (Vec<&ResourceAddr>, Vec<&ResourceAddr>) =
        deleted.into_iter().partition(|addr| addr.kind() == "object");
    for (addrs, without) in [(gone, ", without data"), (objects, "")] {
        if !addrs.is_empty() {
            let verb = if addrs.len() == 1 { "comes" } else { "come" };
            let text = format!("{} {verb} back from the state{without}", names(&addrs));
            said.push((Tone::Remove, text));
        }
    }
    let replaced = services(plan, Action::Replace);
    if !replaced.is_empty() {
        let text = format!("the data of {} is gone", names(&replaced));
        said.push((Tone::Remove, text));
    }
    let compensated: Vec<String> = plan
        .steps
        .iter()
        .filter(|step| {
            matches!(step.task, Task::Call(Operation::Migrate { .. }))
                && step.inverse.class == InverseClass::Compensating
        })
        .map(|step| format!("step {}", step.id))
        .collect();
    if !compensated.is_empty() {
        let text = format!("compensating by a command: {}", super::shortened(&compensated));
        said.push((Tone::Warn, text));
    }
    said
}

fn services(plan: &Plan, action: Action) -> Vec<&ResourceAddr> {
    plan.changes
        .iter()
        .filter(|change| change.action == action && change.blocked.is_none())
        .map(|change| &change.addr)
        .collect()
}
