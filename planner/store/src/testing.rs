//! Helpers of the store's own tests: a store in memory, and a plan of nothing.

use super::Store;
use super::blobs::Blobs;
use dax_core::Name;
use dax_model::Traits;
use dax_plan::model::{Mode, StateVersion};
use dax_plan::{LiveState, Plan, Request, Selection, desired::Desired};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The value of a future that waits for nothing outside of this process.
pub(super) fn now<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(future)
}

/// A store without a memory of the machine.
pub(super) fn store(blobs: Arc<dyn Blobs>) -> Store {
    now(Store::open(blobs, None)).expect("a store")
}

/// A plan that does nothing.
pub(super) fn plan_of_nothing(environment: &str) -> Plan {
    let (applied, live) = (BTreeMap::new(), LiveState::new());
    let request = Request {
        project: Name::default(),
        environment: environment.into(),
        mode: Mode::Apply,
        params: BTreeMap::new(),
        providers: BTreeMap::new(),
        unreachable: BTreeSet::new(),
        sources: Name::default(),
        base: StateVersion::default(),
        applied: &applied,
        live: &live,
        traits: &|_| Traits::default(),
        selection: Selection::default(),
        locate: &|_| String::new(),
    };
    dax_plan::plan(&Desired::default(), &request).0
}
