//! Conditions recorded with what was applied under them.
//!
//! Invariant: conditions are recorded only for a plan that the former ones allowed, so that a rule
//! which one change removes is still asked when the next one uses that.

use super::{Base, Conditions, of_plan};
use crate::{Engine, EngineError, Params, Reviews, holder};
use dax_plan::Plan;
use dax_plan::model::Mode;
use dax_store::audit::Actor;
use dax_store::{Lease, Store};
use std::time::Duration;

impl Engine {
    /// Whether a plan that does nothing brings other conditions than were recorded with the last
    /// apply, so that [`Engine::accept_conditions`] records them.
    ///
    /// # Errors
    /// The program or the state cannot be read.
    pub fn brings_conditions(&self, plan: &Plan) -> Result<bool, EngineError> {
        if plan.mode != Mode::Apply || !plan.is_empty() {
            return Ok(false);
        }
        let store = self.store()?;
        let new = self.conditions(&plan.environment, &of_plan(plan))?;
        let recorded = self.recorded_in(&store, &plan.environment)?;
        let (_, version) = self.runtime.block_on(store.state(&plan.environment))?;
        // Where nothing was ever applied there is nothing to guard.
        Ok(recorded.map_or(version.serial > 0, |recorded| recorded.conditions != new))
    }

    /// Records the conditions of the program for an environment in which there is nothing else to
    /// do; says whether they were others, or none, before.
    ///
    /// # Errors
    /// [`EngineError::Stale`] where others were recorded since the plan was made;
    /// [`EngineError::Denied`] where the former conditions, or those of `base`, are loosened and
    /// not enough people approved; the state cannot be written.
    pub fn accept_conditions(
        &self,
        plan: &Plan,
        reviews: &Reviews,
        base: Option<&Base>,
    ) -> Result<bool, EngineError> {
        // Nobody has to be waited for where there is nothing to record.
        if !self.brings_conditions(plan)? {
            return Ok(false);
        }
        let store = self.store()?;
        let mut lease = self.acquire(&store, &plan.environment, Duration::from_secs(10))?;
        let result = self.accepted(&store, &mut lease, plan, reviews, base);
        self.release(&store, &mut lease, result)
    }

    /// The same under the lease, so that nobody records others in between.
    fn accepted(
        &self,
        store: &Store,
        lease: &mut Lease,
        plan: &Plan,
        reviews: &Reviews,
        base: Option<&Base>,
    ) -> Result<bool, EngineError> {
        let environment = &plan.environment;
        if let Some(open) = self.runtime.block_on(store.open_run(environment))? {
            let environment = environment.to_string();
            return Err(EngineError::Unfinished { run: open.id, environment });
        }
        let recorded = self.recorded_in(store, environment)?;
        // Where nothing was ever applied there is nothing to guard.
        let (_, version) = self.runtime.block_on(store.state(environment))?;
        if recorded.is_none() && version.serial == 0 {
            return Ok(false);
        }
        let new = self.own_conditions(environment, &of_plan(plan))?;
        if recorded.is_some_and(|recorded| recorded.conditions == new.conditions) {
            return Ok(false);
        }
        self.same_conditions(store, plan, Some(&new.conditions))?;
        let standing = self.standing_of(store, plan, Some(&new), reviews, base)?;
        if let Some(message) = crate::standing::denial(plan, &standing) {
            return Err(EngineError::Denied { message });
        }
        let actor = Actor {
            who: holder::who(),
            at_ms: store.now_ms(),
            commit: self.own_commit(),
            brought: reviews.brought.clone(),
            ..Actor::default()
        };
        self.record(store, lease, &new.conditions, &actor)?;
        Ok(true)
    }

    /// Approval rules that would go with an environment that the program no longer has, although
    /// something runs there: those that were recorded, else those of a commit. Nothing where nobody
    /// is named or nothing runs.
    ///
    /// # Errors
    /// The state or the commit cannot be read.
    pub fn rules_left(
        &self,
        environment: &str,
        base: Option<&str>,
        params: &Params,
    ) -> Result<Option<String>, EngineError> {
        let store = self.store()?;
        let (snapshot, _) = self.runtime.block_on(store.state(environment))?;
        if snapshot.services.is_empty() {
            return Ok(None);
        }
        let guards = match (self.recorded_in(&store, environment)?, base) {
            (Some(recorded), _) => Some(recorded.conditions),
            (None, Some(base)) => self.conditions_at(base, environment, params)?,
            (None, None) => None,
        };
        let guards = guards.filter(|one| one.approvals.iter().any(|rule| rule.count > 0));
        Ok(guards.map(|guards| guards.approvals_text()))
    }

    /// Records the program's conditions of an environment although nobody whom the former ones
    /// name approved them: the way on where none of these can any more. Who did it and why stands
    /// in the audit log. Returns whether they were new.
    ///
    /// # Errors
    /// There is no such environment, somebody else holds it, or the state cannot be written.
    pub fn reset_conditions(
        &self,
        environment: &str,
        params: &Params,
        reason: &str,
    ) -> Result<bool, EngineError> {
        let store = self.store()?;
        let new = self.conditions(environment, params)?;
        let recorded = self.recorded_in(&store, environment)?;
        if recorded.is_some_and(|recorded| recorded.conditions == new) {
            return Ok(false);
        }
        let mut lease = self.acquire(&store, environment, Duration::ZERO)?;
        let actor = Actor {
            who: holder::who(),
            why: reason.to_owned(),
            at_ms: store.now_ms(),
            commit: self.own_commit(),
            ..Actor::default()
        };
        let result = self.record(&store, &mut lease, &new, &actor);
        self.release(&store, &mut lease, result)?;
        Ok(true)
    }

    /// Records conditions where they are not those that were recorded already.
    pub(crate) fn record_new(
        &self,
        store: &Store,
        lease: &mut Lease,
        conditions: &Conditions,
        actor: &Actor,
    ) -> Result<(), EngineError> {
        let recorded = self.recorded_in(store, &lease.environment)?;
        if recorded.is_some_and(|recorded| recorded.conditions == *conditions) {
            return Ok(());
        }
        self.record(store, lease, conditions, actor)
    }

    fn record(
        &self,
        store: &Store,
        lease: &mut Lease,
        conditions: &Conditions,
        actor: &Actor,
    ) -> Result<(), EngineError> {
        let json = serde_json::to_value(conditions).map_err(|error| EngineError::Denied {
            message: format!("the conditions cannot be written: {error}"),
        })?;
        Ok(self.runtime.block_on(store.record_conditions(lease, &json, actor))?)
    }
}
