//! What a reviewer must look at.

use crate::model::{Action, Change, InverseClass, Owner, ReplaceOrder, Risk, Step, Task};
use dax_core::Value;
use dax_model::Operation;

/// The risks of a change with these steps of its own, the worst first.
pub(crate) fn risks(change: &Change, steps: &[Step]) -> Vec<Risk> {
    let mut found = std::collections::BTreeSet::new();
    let own = || steps.iter();
    if own().any(|step| step.inverse.class == InverseClass::None) {
        found.insert(Risk::PointOfNoReturn);
    }
    match change.action {
        Action::Delete => drop(found.insert(Risk::Delete)),
        Action::Replace => drop(found.insert(Risk::Replace)),
        Action::Adopt => drop(found.insert(Risk::Adopt)),
        Action::Forget | Action::Move => drop(found.insert(Risk::StateOnly)),
        Action::Create | Action::Update | Action::Rollout => {}
    }
    if change.action == Action::Update && own().next().is_none() {
        found.insert(Risk::StateOnly);
    }
    if change.replace.as_ref().is_some_and(|replace| replace.order == ReplaceOrder::DeleteFirst) {
        found.insert(Risk::Gap);
    }
    let touches = |leaf: &crate::model::LeafChange| {
        [&leaf.before, &leaf.after].into_iter().flatten().any(holds_secret)
    };
    if change.action != Action::Create && change.leaves.iter().any(touches) {
        found.insert(Risk::Secrets);
    }
    if change.leaves.iter().any(|leaf| leaf.path.as_str().split('.').next() == Some("ports")) {
        found.insert(Risk::Exposure);
    }
    if change.from.is_some()
        && own().any(|step| matches!(step.task, Task::Call(Operation::ShiftTraffic { .. })))
    {
        found.insert(Risk::Traffic);
    }
    if own().any(|step| step.inverse.class == InverseClass::Compensating) {
        found.insert(Risk::Compensating);
    }
    if change.leaves.iter().any(|leaf| leaf.owner == Owner::Other) {
        found.insert(Risk::Drift);
    }
    found.into_iter().collect()
}

fn holds_secret(value: &Value) -> bool {
    let mut secrets = Vec::new();
    value.secrets(&mut secrets);
    !secrets.is_empty()
}
