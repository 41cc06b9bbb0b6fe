//! Ending runs that nobody can carry on: their plan or their journal is not what a planner or a run would write.
//!
//! Nothing of such a run is done or taken back, because what it would do is not what anybody was shown. What became
//! of its services is for `dax status` and `dax drift` to find out.

use crate::{Engine, EngineError, Finished, Name};
use dax_machine::{Entry, Outcome};
use dax_model::Traits;
use dax_plan::model::{Mode, StateVersion};
use dax_plan::{LiveState, Plan, Request, Selection, desired::Desired, proof};
use dax_store::Ending;
use dax_store::audit::Actor;
use dax_store::{Lease, Store, StoreError};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A run of a state that cannot be carried on, and why.
pub(crate) struct Broken {
    pub(crate) run: u64,
    pub(crate) why: String,
}

/// A run that has not ended, with its plan, which is sound, and its journal; or why it cannot be carried on.
type Open = Result<(u64, Plan, Vec<Entry>), Broken>;

impl Engine {
    /// The run of an environment that has not ended, with its plan, which is sound, and its journal.
    ///
    /// # Errors
    /// The state cannot be read. What cannot be carried on is no error but comes back as such.
    pub(crate) fn sound_run(
        &self,
        store: &Store,
        environment: &str,
    ) -> Result<Option<Open>, EngineError> {
        let Some(open) = self.runtime.block_on(store.open_run(environment))? else {
            return Ok(None);
        };
        let broken = |why| Some(Err(Broken { run: open.id, why }));
        match self.runtime.block_on(store.unfinished(environment)) {
            Ok(None) => Ok(None),
            Ok(Some((run, plan, journal))) => Ok(match proof::prove(&plan).first() {
                None => Some(Ok((run, plan, journal))),
                Some(unsound) => broken(unsound.to_string()),
            }),
            Err(StoreError::Corrupt { message, .. }) => Ok(broken(message)),
            Err(error) => Err(error.into()),
        }
    }

    /// Ends a run that cannot be carried on: nothing is done, nothing is taken back, and the state stays.
    ///
    /// # Errors
    /// The lease was lost, or the state cannot be written.
    pub(crate) fn abandon(
        &self,
        store: &Store,
        lease: &mut Lease,
        broken: Broken,
        actor: Actor,
    ) -> Result<Finished, EngineError> {
        let message = format!("its plan cannot be trusted: {}", broken.why);
        let outcome = Outcome::Abandoned { message };
        let ending = Ending {
            outcome: &outcome,
            state: None,
            name: None,
            complete: Vec::new(),
            verified: false,
            gates: Vec::new(),
            pin: false,
        };
        let environment = lease.environment.clone();
        let actor = Actor { at_ms: store.now_ms(), ..actor };
        // A journal that cannot be read gets no entry more: the record of the end says it all.
        self.runtime.block_on(store.finish(lease, &[], ending, &actor))?;
        let plan = Arc::new(nothing(&environment));
        Ok(Finished {
            run: broken.run,
            plan,
            outcome,
            urls: Vec::new(),
            calls: BTreeMap::new(),
            aftermath: Vec::new(),
        })
    }
}

/// A plan that does nothing, in the place of one that is not to be looked at.
fn nothing(environment: &Name) -> Plan {
    let (applied, live) = (BTreeMap::new(), LiveState::new());
    let request = Request {
        project: Name::default(),
        environment: environment.clone(),
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
