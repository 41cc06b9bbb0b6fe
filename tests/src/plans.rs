//! Plans of the fixtures, each with the state and the world that it was made from.

use crate::{Files, cases, load, params, plan};
use dax_core::ResourceAddr;
use dax_plan::model::AppliedService;
use dax_plan::{LiveState, Plan, StepKind, invariants};
use std::collections::BTreeMap;

/// What was applied.
pub type Applied = BTreeMap<ResourceAddr, AppliedService>;
/// What runs.
pub type Live = LiveState;

/// A plan, with the state and the world that it was made from.
#[derive(Clone, Debug)]
pub struct Made {
    /// The plan.
    pub plan: Plan,
    /// The state.
    pub applied: Applied,
    /// The world.
    pub live: Live,
}

/// What runs after a plan was carried out without a hitch.
pub fn after(plan: &Plan, applied: &Applied, live: &Live) -> (Applied, Live) {
    let (mut applied, mut live) = (applied.clone(), live.clone());
    for step in &plan.steps {
        let objects = live.entry(step.provider.clone()).or_default();
        invariants::advance(objects.entry(step.object.clone()).or_default(), &step.kind);
        if matches!(step.kind, StepKind::DeleteService) {
            objects.remove(&step.object);
        }
    }
    for from in plan.changes.iter().filter_map(|change| change.moved_from.as_ref()) {
        applied.remove(from);
    }
    for (addr, result) in &plan.result {
        match result {
            Some(result) => applied.insert(addr.clone(), result.clone()),
            None => applied.remove(addr),
        };
    }
    (applied, live)
}

/// Plans `before.dax` from nothing, carries it out, and plans `main.dax` upon it; then nothing is left to do.
///
/// # Panics
/// A program of the fixtures has errors, or is not done when its plan is.
pub fn two_worlds(files: &Files) -> (Made, Made) {
    let mut before = files.clone();
    if let Some(text) = before.0.remove("before.dax") {
        before.0.insert("main.dax".to_owned(), text);
    }
    let mut main = files.clone();
    main.0.remove("before.dax");
    let given = params(&[]);
    let (first, problems) = plan(&load(&before), &given, "dev", &Applied::new(), &Live::new());
    assert!(problems.is_empty(), "{problems:?}");
    let (applied, live) = after(&first, &Applied::new(), &Live::new());
    let loaded = load(&main);
    let (second, problems) = plan(&loaded, &given, "dev", &applied, &live);
    assert!(problems.is_empty(), "{}", crate::describe(&loaded.sources, &problems));
    let (then, world) = after(&second, &applied, &live);
    let (third, _) = plan(&loaded, &given, "dev", &then, &world);
    // What waits for more to be known and what is protected stays to be done.
    let rest = third.changes.iter().filter(|change| change.blocked.is_none()).count();
    assert!(
        rest == 0 && third.steps.is_empty(),
        "after the plan there is nothing left to do: {third:?}"
    );
    assert_eq!(third.deferred.len(), second.deferred.len());
    let first = Made { plan: first, applied: Applied::new(), live: Live::new() };
    (first, Made { plan: second, applied, live })
}

/// The plans of all fixtures, by a name that says which.
pub fn made() -> Vec<(String, Made)> {
    let mut all = Vec::new();
    for (case, folder) in cases("plan") {
        let (first, second) = two_worlds(&Files::read(&folder));
        all.push((format!("{case}, before"), first));
        all.push((case, second));
    }
    all
}
