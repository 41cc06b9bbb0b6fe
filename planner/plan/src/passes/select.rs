//! `--target` and `--exclude`: a part of the environment that can be changed by itself.

use crate::NO_SUCH_TARGET;
use crate::desired::Desired;
use crate::model::AppliedService;
use dax_core::{Diagnostic, ResourceAddr, Span};
use std::collections::{BTreeMap, BTreeSet};

/// What to plan; everything when both are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// These, and what they need.
    pub targets: Vec<String>,
    /// Not these, and not what needs them.
    pub exclude: Vec<String>,
    /// What an earlier plan left out, and what needs it; those that there are no longer are fine.
    pub left_out: Vec<ResourceAddr>,
}

/// The addresses that a name of the command line means: `web`, `service.web`, or one instance `web[eu]`.
pub fn addressed<'a>(
    name: &str,
    known: impl IntoIterator<Item = &'a ResourceAddr>,
) -> BTreeSet<ResourceAddr> {
    let name = name.replace('"', "");
    let means = |addr: &&ResourceAddr| {
        addr.as_str() == name
            || addr.name() == name
            || addr.base() == name
            || name == format!("{}.{}", addr.kind(), addr.base())
    };
    known.into_iter().filter(means).cloned().collect()
}

/// The addresses that are planned, with what each name did not find.
pub(crate) fn select(
    selection: &Selection,
    desired: &Desired<'_>,
    applied: &BTreeMap<ResourceAddr, AppliedService>,
) -> (BTreeSet<ResourceAddr>, Vec<Diagnostic>) {
    let all: BTreeSet<&ResourceAddr> = desired.services.keys().chain(applied.keys()).collect();
    if selection == &Selection::default() {
        return (all.into_iter().cloned().collect(), Vec::new());
    }
    let mut problems = Vec::new();
    let mut find = |names: &[String]| {
        let mut found = BTreeSet::new();
        for name in names {
            let meant = addressed(name, all.iter().copied());
            if meant.is_empty() {
                problems.push(unknown(name, &all));
            }
            found.extend(meant);
        }
        found
    };
    let (targets, mut excluded) = (find(&selection.targets), find(&selection.exclude));
    excluded.extend(selection.left_out.iter().cloned());
    let edges = edges(desired, applied);
    let mut chosen: BTreeSet<ResourceAddr> = if selection.targets.is_empty() {
        all.into_iter().cloned().collect()
    } else {
        reach(targets, &edges.first)
    };
    for gone in reach(excluded, &edges.then) {
        chosen.remove(&gone);
    }
    (chosen, problems)
}

fn unknown(name: &str, all: &BTreeSet<&ResourceAddr>) -> Diagnostic {
    let found = Diagnostic::new(
        NO_SUCH_TARGET,
        Span::default(),
        format!("neither the program nor the state has `{name}`"),
    );
    match dax_core::suggest::nearest(name, all.iter().map(|addr| addr.name())) {
        Some(meant) => found.help(format!("did you mean `{meant}`?")),
        None => found.help("`dax status` lists what there is"),
    }
}

/// What must come before, and what must come after, each address.
struct Edges {
    first: BTreeMap<ResourceAddr, Vec<ResourceAddr>>,
    then: BTreeMap<ResourceAddr, Vec<ResourceAddr>>,
}

fn edges(desired: &Desired<'_>, applied: &BTreeMap<ResourceAddr, AppliedService>) -> Edges {
    let mut edges = Edges { first: BTreeMap::new(), then: BTreeMap::new() };
    let mut add = |first: &ResourceAddr, then: &ResourceAddr| {
        edges.first.entry(then.clone()).or_default().push(first.clone());
        edges.then.entry(first.clone()).or_default().push(then.clone());
    };
    for (addr, service) in &desired.services {
        service.needs.iter().for_each(|need| add(need, addr));
    }
    // What goes goes after those that still use it.
    for (addr, service) in applied {
        for need in service.needs.iter().filter(|need| !desired.services.contains_key(*need)) {
            add(addr, need);
        }
    }
    edges
}

fn reach(
    from: BTreeSet<ResourceAddr>,
    along: &BTreeMap<ResourceAddr, Vec<ResourceAddr>>,
) -> BTreeSet<ResourceAddr> {
    let mut found = from.clone();
    let mut open: Vec<ResourceAddr> = from.into_iter().collect();
    while let Some(addr) = open.pop() {
        for next in along.get(&addr).into_iter().flatten() {
            if found.insert(next.clone()) {
                open.push(next.clone());
            }
        }
    }
    found
}
