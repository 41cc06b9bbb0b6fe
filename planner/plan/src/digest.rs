//! Canonical bytes and digests: equal values have equal bytes, whatever machine wrote them.

use crate::model::{AppliedService, Gate, Plan, Task};
use dax_core::Name;
use serde::Serialize;

/// JSON with sorted keys and no white space; every map of the plan is ordered, so one serialisation is enough.
pub(crate) fn canonical(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("plan values serialise: no map has keys that are not text")
}

/// The digest of a plan: BLAKE3 over its canonical bytes, as 64 hexadecimal digits.
pub fn digest(plan: &Plan) -> String {
    blake3::hash(&canonical(plan)).to_hex().to_string()
}

/// The digest of what a plan does: as [`digest`], but for the program's text and the places in it, how often the
/// state was written, which conditions were recorded then, and how many services stay as they are. Two plans with one
/// effect make the same calls under the same conditions and leave the same behind.
pub fn effect(plan: &Plan) -> String {
    let mut plan = plan.clone();
    plan.sources = Name::default();
    plan.base.serial = 0;
    plan.base.conditions = None;
    plan.unchanged = 0;
    for gate in &mut plan.gates {
        match gate {
            Gate::After { span, .. } => span.clear(),
            Gate::Windows(windows) => windows.iter_mut().for_each(|window| window.span.clear()),
        }
    }
    plan.approvals.iter_mut().for_each(|gate| gate.span.clear());
    plan.deferred.iter_mut().for_each(|one| one.span = None);
    for change in &mut plan.changes {
        change.span = None;
        change.leaves.iter_mut().for_each(|leaf| leaf.origin = None);
    }
    for step in &mut plan.steps {
        step.cause.clear();
        if let Task::Gate { approval } = &mut step.task {
            approval.span.clear();
        }
    }
    digest(&plan)
}

/// Tells what was applied from anything else; a plan remembers it so that it is noticed when the state has moved on.
pub fn fingerprint(applied: &AppliedService) -> Name {
    Name::new(&blake3::hash(&canonical(applied)).to_hex()[..16])
}
