//! Outputs: what the world says of services, for those that use it.

use crate::Diagnostic;
use dax_core::{Code, Name, ResourceAddr, Value};
use dax_ir::{Data, Environment, Node};
use dax_plan::model::{Action, AppliedService};
use dax_plan::{LiveState, Plan};
use std::collections::{BTreeMap, BTreeSet};

/// A value that nothing makes known. Explained in docs/diagnostics/DAX5005.md.
pub const NEVER_KNOWN: Code = Code::error(5005, "the value never becomes known");

/// Outputs of what runs, by `service.name.output`.
pub(crate) fn outputs(
    applied: &BTreeMap<ResourceAddr, AppliedService>,
    live: &LiveState,
) -> BTreeMap<Name, Value> {
    let mut outputs: BTreeMap<Name, Value> = BTreeMap::new();
    for (addr, service) in applied {
        let runs =
            live.get(&service.provider).and_then(|objects| objects.get(service.object(addr)));
        if let Some(url) = runs.and_then(|runs| runs.url.clone()) {
            outputs.insert(format!("{addr}.url").into(), Value::Str(url));
        }
        outputs.insert(format!("{addr}.revision").into(), Value::Str(service.revision.0.clone()));
    }
    outputs
}

/// Outputs that the plan changes, so that what runs now says nothing of them.
pub(crate) fn unsettled(plan: &Plan) -> BTreeSet<Name> {
    let mut all = BTreeSet::new();
    for change in &plan.changes {
        let made = matches!(change.action, Action::Create | Action::Replace | Action::Delete);
        if made || change.leaves.iter().any(|leaf| leaf.path.starts_with("ports")) {
            all.insert(format!("{}.url", change.addr).into());
        }
        if made || change.to.is_some() {
            all.insert(format!("{}.revision", change.addr).into());
        }
    }
    all
}

/// Leaves that wait for what will never be said: the address of a service without ports.
pub(crate) fn never_known(environment: &Environment) -> Vec<Diagnostic> {
    let hopeless = |cause: &str| {
        let owner = cause.strip_suffix(".url").and_then(|addr| ResourceAddr::parse(addr).ok());
        let service = owner.and_then(|addr| environment.services.get(&addr));
        service.is_some_and(|service| {
            service
                .desired
                .get("ports")
                .is_none_or(|ports| ports.value().entries().next().is_none())
        })
    };
    let mut found = Vec::new();
    for service in environment.services.values() {
        collect(&service.desired, &hopeless, &mut found);
    }
    found
}

/// Leaves of services that a run has left waiting once more.
pub(crate) fn still_waiting(
    environment: &Environment,
    waiting: &BTreeSet<ResourceAddr>,
) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for service in environment.services.values().filter(|service| waiting.contains(&service.addr)) {
        collect(&service.desired, &|_| true, &mut found);
    }
    found
}

fn collect(node: &Node, wanted: &dyn Fn(&str) -> bool, found: &mut Vec<Diagnostic>) {
    match &node.data {
        Data::Leaf(Value::Unknown(unknown)) if wanted(&unknown.cause) => {
            let detail =
                format!("it waits for `{}`, which its platform does not tell", unknown.cause);
            let help = "give that service a port, or give the value as a parameter or a constant";
            found.push(Diagnostic::new(NEVER_KNOWN, node.origin.span, detail).help(help));
        }
        Data::Leaf(_) => {}
        Data::List(items) => items.iter().for_each(|item| collect(item, wanted, found)),
        Data::Map(map) => map.values().for_each(|item| collect(item, wanted, found)),
    }
}
