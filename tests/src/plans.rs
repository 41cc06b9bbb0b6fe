//! Plans of the fixtures, each with the state and the world that it was made from.

use crate::world::now;
use crate::{Files, cases, load, params, plan};
use dax_core::ResourceAddr;
use dax_model::Operation;
use dax_plan::model::AppliedService;
use dax_plan::{LiveState, Plan, Task, digest, invariants};
use dax_store::audit::Actor;
use dax_store::{Holder, Sqlite, Store};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

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
        if let Some(operation) = step.task.operation() {
            invariants::advance(objects.entry(step.object.clone()).or_default(), operation);
        }
        if matches!(step.task, Task::Call(Operation::DeleteService)) {
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

/// The plan of a program upon what there is.
///
/// # Panics
/// The program has errors.
pub fn upon(files: &Files, applied: &Applied, live: &Live) -> Made {
    let (plan, problems) = plan(&load(files), &params(&[]), "dev", applied, live);
    assert!(problems.is_empty(), "{problems:?}");
    Made { plan, applied: applied.clone(), live: live.clone() }
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

/// Changes the plan of a file and gives it the digest of what it says then, as somebody would who may write there.
///
/// # Panics
/// It is no plan file.
pub fn forge(path: &Path, edit: impl FnOnce(&mut Json)) {
    let text = std::fs::read(path).expect("a plan file");
    let mut file: Json = serde_json::from_slice(&text).expect("JSON");
    edit(&mut file["plan"]);
    if let Ok(plan) = serde_json::from_value::<Plan>(file["plan"].clone()) {
        file["digest"] = digest::digest(&plan).into();
    }
    std::fs::write(path, file.to_string()).expect("written");
}

/// Begins a run of a plan in the state of a project, without looking at it, as somebody would who may write there.
///
/// # Panics
/// There is no such plan, or the state cannot be written.
pub fn force_run(project: &Path, saved: &Path, edit: impl FnOnce(&mut Plan)) {
    let text = std::fs::read(saved).expect("a plan file");
    let file: Json = serde_json::from_slice(&text).expect("JSON");
    let mut plan: Plan = serde_json::from_value(file["plan"].clone()).expect("a plan");
    edit(&mut plan);
    let blobs = Sqlite::open(&project.join(".dax/state.db")).expect("the state");
    let store = now(Store::open(Arc::new(blobs), None)).expect("the state");
    let nobody = Holder { name: "nobody".to_owned(), host: String::new(), pid: 0, started: 0 };
    let mut lease = now(store.acquire(&plan.environment, &nobody, 0, &|_| true)).expect("a lease");
    now(store.begin(&mut lease, &plan, Vec::new(), &Actor::default())).expect("a run");
    now(store.release(&mut lease)).expect("released");
}
