//! Steps: their numbers, their order, and that each is what its kind and its object make of it.

use super::{Findings, of_changes};
use crate::compile::{cause, retry};
use crate::model::{Idempotency, Plan, Step, StepId, Task};
use crate::passes::estimate;
use crate::sequence::{Draft, GRACE_MS, Sequence};
use dax_core::Name;
use dax_model::Operation;
use std::collections::BTreeSet;

/// Ids are indexes; each change has its steps together, one after another; the first of them waits for others only.
pub(super) fn order(plan: &Plan, found: &mut Findings) {
    for (at, step) in plan.steps.iter().enumerate() {
        if usize::try_from(step.id.0) != Ok(at) {
            found.say(format!("steps[{at}].id"), format!("is {}, and should be {at}", step.id.0));
        }
    }
    if !found.0.is_empty() {
        return;
    }
    let mut ends: BTreeSet<StepId> = BTreeSet::new();
    let mut count = 0;
    for ((first, steps), change) in of_changes(plan).into_iter().zip(&plan.changes) {
        let mut before: Option<StepId> = None;
        for (offset, step) in steps.iter().enumerate() {
            let field = format!("steps[{}]", first + offset);
            match before {
                None => {
                    let rising = step.after.windows(2).all(|pair| pair[0] < pair[1]);
                    if !rising || !step.after.iter().all(|id| ends.contains(id)) {
                        let message =
                            "must name last steps of services that change before, in order";
                        found.say(format!("{field}.after"), message);
                    }
                }
                Some(before) if step.after != [before] => {
                    let message = format!("must be the step before, {}, alone", before.0);
                    found.say(format!("{field}.after"), message);
                }
                Some(_) => {}
            }
            found.same(format!("{field}.rollback_point"), step.rollback_point, before.is_none());
            let caused = if before.is_none() { cause(change) } else { Vec::new() };
            if step.cause != caused {
                found.say(format!("{field}.cause"), "names other places than the leaves do");
            }
            before = Some(step.id);
        }
        ends.extend(before);
        count += steps.len();
    }
    if let Some(step) = plan.steps.get(count) {
        let message = format!("is {}, which does not change here", step.service);
        found.say(format!("steps[{count}].service"), message);
    }
}

/// Why a step cannot be taken from where the steps before leave its object; nothing when it can.
pub(super) fn misfit(sequence: &Sequence, kind: &Task) -> Option<&'static str> {
    let object = &sequence.object;
    let there = |revision| object.revisions.contains_key(revision);
    let (absent, lacks) =
        ("is about an object that is not there", "is about a revision that is not there");
    match kind {
        Task::Call(Operation::CreateService { .. }) => {
            sequence.exists.then_some("makes what is there already")
        }
        _ if !sequence.exists && !matches!(kind, Task::Call(Operation::Migrate { .. })) => {
            Some(absent)
        }
        Task::Call(Operation::CreateRevision { revision, .. }) => {
            there(revision).then_some("makes a revision that is there already")
        }
        Task::Call(Operation::Roll { from, revision, .. }) => (!there(from) || there(revision))
            .then_some("rolls between other revisions than there are"),
        Task::Call(Operation::Scale { revision, replicas }) => match object.revisions.get(revision)
        {
            None => Some(lacks),
            Some(there) => (there.replicas == *replicas).then_some("changes nothing"),
        },
        Task::Call(
            Operation::DeleteRevision { revision }
            | Operation::AwaitReady { revision }
            | Operation::Run { revision, .. },
        )
        | Task::Analyse { revision, .. } => (!there(revision)).then_some(lacks),
        Task::Call(Operation::ShiftTraffic { traffic }) if *traffic == object.traffic => {
            Some("changes nothing")
        }
        Task::Call(Operation::ShiftTraffic { traffic }) => {
            (!traffic.keys().all(there)).then_some(lacks)
        }
        Task::Call(Operation::Route { routes }) if *routes == object.routes => {
            Some("changes nothing")
        }
        Task::Call(Operation::Route { routes }) => {
            (!routes.iter().all(|route| there(route.revision()))).then_some(lacks)
        }
        Task::Call(
            Operation::UpdateService { .. } | Operation::DeleteService | Operation::Migrate { .. },
        )
        | Task::Hold { .. }
        | Task::Gate { .. } => None,
    }
}

/// Takes a step as the planner would, and holds it against the one that was read; says whether it could be taken.
pub(super) fn take(sequence: &mut Sequence, at: usize, step: &Step, found: &mut Findings) -> bool {
    let kind = format!("steps[{at}].task");
    if let Some(why) = misfit(sequence, &step.task) {
        found.say(kind, why);
        return false;
    }
    let undo: &[Name] = match (&step.task, step.inverse.operations.as_slice()) {
        (Task::Call(Operation::Migrate { .. }), [Operation::Migrate { command, .. }]) => command,
        _ => &[],
    };
    sequence.take(step.task.clone(), undo);
    if let Some(draft) = sequence.drafts.last() {
        compare(draft, at, step, found);
    }
    true
}

/// Holds steps against those that the planner makes for the same.
pub(super) fn equal(drafts: &[Draft], first: usize, steps: &[Step], found: &mut Findings) -> bool {
    let same = drafts.len() == steps.len()
        && drafts.iter().zip(steps).all(|(draft, step)| draft.task == step.task);
    if !same {
        let at =
            drafts.iter().zip(steps).take_while(|(draft, step)| draft.task == step.task).count();
        let message = "is not what removing this service takes";
        found.say(format!("steps[{}].task", first + at), message);
        return false;
    }
    for (offset, (draft, step)) in drafts.iter().zip(steps).enumerate() {
        compare(draft, first + offset, step, found);
    }
    true
}

fn compare(draft: &Draft, at: usize, step: &Step, found: &mut Findings) {
    let field = |name: &str| format!("steps[{at}].{name}");
    if draft.pre != step.pre {
        found.say(field("pre"), "is not what stands there before this step");
    }
    if draft.post != step.post {
        found.say(field("post"), "is not what this step leaves");
    }
    if draft.inverse.class != step.inverse.class {
        found.say(field("inverse.class"), "is not the class of its inverse");
    }
    if draft.inverse.operations != step.inverse.operations {
        found.say(field("inverse.operations"), "is not what undoes this step");
    }
    // A strategy says itself how long a command may take; the plan shows it.
    let own = matches!(step.task, Task::Call(Operation::Run { .. } | Operation::Migrate { .. }));
    if !own || step.timeout_ms < GRACE_MS {
        found.same(field("timeout_ms"), step.timeout_ms, draft.timeout_ms);
    }
    found.same(field("expected_ms"), step.expected_ms, draft.expected_ms);
    found.same(field("calls"), step.calls, estimate::calls(&step.task, step.expected_ms));
    if step.retry != retry(&step.task) {
        found.say(field("retry"), "is not how such a step is tried again");
    }
    if !idempotencies(&step.task).contains(&step.idempotency) {
        found.say(field("idempotency"), "is not how such a step is found out about");
    }
}

/// What a step of a kind may say of an outcome that is not known; for a migration the platform decides.
const fn idempotencies(kind: &Task) -> &'static [Idempotency] {
    match kind {
        Task::Call(Operation::AwaitReady { .. })
        | Task::Hold { .. }
        | Task::Gate { .. }
        | Task::Analyse { .. } => &[Idempotency::ReadToDecide],
        Task::Call(Operation::Migrate { .. }) => &[Idempotency::ByTag, Idempotency::Ask],
        Task::Call(
            Operation::CreateService { .. }
            | Operation::UpdateService { .. }
            | Operation::DeleteService
            | Operation::CreateRevision { .. }
            | Operation::Roll { .. }
            | Operation::DeleteRevision { .. }
            | Operation::Scale { .. }
            | Operation::ShiftTraffic { .. }
            | Operation::Route { .. }
            | Operation::Run { .. },
        ) => &[Idempotency::ByKey],
    }
}
