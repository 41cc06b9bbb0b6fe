//! Carrying plans out: lease, staleness, run, and what is left afterwards.

use crate::{Engine, EngineError, Outcome, Progress, holder, now_ms};
use dax_apply::{Driver, Entry, Lease, Providers, Store, StoreError};
use dax_core::Name;
use dax_plan::Plan;
use dax_plan::model::Mode;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// How often a held lease is asked for again.
const LEASE_POLL: Duration = Duration::from_millis(500);

/// What to apply, and how.
pub struct ApplyRequest {
    /// The plan.
    pub plan: Plan,
    /// The digest that was approved, if one was.
    pub expect: Option<String>,
    /// How long to wait for another holder.
    pub lock_timeout: Duration,
}

/// How a run ended.
pub struct Finished {
    /// The run.
    pub run: i64,
    /// Its plan.
    pub plan: Arc<Plan>,
    /// Its outcome.
    pub outcome: Outcome,
}

/// Where wishes to stop come from; a front end may send one at any time.
pub type Interrupts = mpsc::Receiver<()>;

impl Engine {
    /// Applies a plan.
    ///
    /// # Errors
    /// The plan is stale or not allowed, somebody else holds the environment, or the state cannot be written.
    pub fn apply(
        &self,
        request: ApplyRequest,
        interrupts: Interrupts,
        progress: &mut dyn FnMut(&Plan, Progress),
    ) -> Result<Finished, EngineError> {
        let found = dax_plan::digest::digest(&request.plan);
        if let Some(expected) = request.expect
            && !found.starts_with(&expected)
        {
            return Err(EngineError::OtherDigest { expected, found });
        }
        if let Some(gate) = request.plan.gates.iter().find_map(|gate| gate.blocked.clone()) {
            return Err(EngineError::Denied { message: gate });
        }
        self.ask_before_apply(&request.plan)?;
        let plan = Arc::new(request.plan);
        let environment = plan.environment.clone();
        let mut store = self.store()?;
        let lease = acquire(&mut store, &environment, request.lock_timeout)?;
        let result = self.run_plan(&mut store, &lease, plan, interrupts, progress);
        release(&mut store, &lease, result)
    }

    fn run_plan(
        &self,
        store: &mut Store,
        lease: &Lease,
        plan: Arc<Plan>,
        interrupts: Interrupts,
        progress: &mut dyn FnMut(&Plan, Progress),
    ) -> Result<Finished, EngineError> {
        let environment = &plan.environment;
        if let Some((run, ..)) = store.unfinished(environment)? {
            return Err(EngineError::Unfinished { run: run.id, environment: environment.to_string() });
        }
        let (_, base) = store.state(environment)?;
        if base.lineage != plan.base.lineage {
            let message = "it was made from another state".to_owned();
            return Err(EngineError::Stale { message });
        }
        let providers = self.plan_providers(&plan)?;
        if let Some(message) = self.runtime.block_on(dax_apply::stale(&plan, &providers))? {
            return Err(EngineError::Stale { message });
        }
        let mode = match plan.mode {
            Mode::Apply => "apply",
            Mode::Rollback => "rollback",
            Mode::Destroy => "destroy",
        };
        let run = store.begin(lease, &plan, mode, &holder::this().name, now_ms())?;
        self.drive(store, lease, run, plan, providers, &[], interrupts, progress)
    }

    /// Carries the unfinished run of an environment on, or of the only one that has any.
    ///
    /// # Errors
    /// There is none, somebody else holds it, or the state cannot be written.
    pub fn resume(
        &self,
        environment: Option<&str>,
        lock_timeout: Duration,
        interrupts: Interrupts,
        progress: &mut dyn FnMut(&Plan, Progress),
    ) -> Result<Finished, EngineError> {
        let mut store = self.store()?;
        let nothing = || EngineError::NothingToResume { environment: environment.map(str::to_owned) };
        let run = store.runs(environment)?.into_iter().find(|run| run.outcome.is_none()).ok_or_else(nothing)?;
        let lease = acquire(&mut store, &run.environment, lock_timeout)?;
        let result = match store.unfinished(&run.environment) {
            Err(error) => Err(error.into()),
            Ok(None) => Err(nothing()), // its holder ended it while we waited
            Ok(Some((run, plan, journal))) => self
                .plan_providers(&plan)
                .and_then(|providers| self.drive(&mut store, &lease, run.id, Arc::new(plan), providers, &journal, interrupts, progress)),
        };
        release(&mut store, &lease, result)
    }

    fn plan_providers(&self, plan: &Plan) -> Result<Providers, EngineError> {
        let from_steps = plan.steps.iter().map(|step| step.provider.clone());
        let sources = plan.steps.iter().filter_map(|step| match &step.kind {
            dax_plan::StepKind::Analyse { analysis, .. } => Some(analysis.from.clone()),
            _ => None,
        });
        self.providers(from_steps.chain(sources))
    }

    #[expect(clippy::too_many_arguments, reason = "each is a part of the run")]
    fn drive(
        &self,
        store: &mut Store,
        lease: &Lease,
        run: i64,
        plan: Arc<Plan>,
        providers: Providers,
        journal: &[Entry],
        interrupts: Interrupts,
        progress: &mut dyn FnMut(&Plan, Progress),
    ) -> Result<Finished, EngineError> {
        let (state, _) = store.state(&plan.environment)?;
        let shown = plan.clone();
        let driver = Driver {
            store,
            lease,
            run,
            plan: plan.clone(),
            state,
            providers: providers.clone(),
            clock: Arc::new(now_ms),
            progress: &mut |event| progress(&shown, event),
        };
        let outcome = self.runtime.block_on(driver.run(journal, interrupts))?;
        if !matches!(outcome, Outcome::Interrupted | Outcome::Stuck { .. }) {
            self.runtime.block_on(async {
                for platform in providers.platforms.values() {
                    platform.settle().await?;
                }
                Ok::<_, EngineError>(())
            })?;
        }
        Ok(Finished { run, plan, outcome })
    }
}

/// Takes the lease, waiting for another holder as long as allowed.
fn acquire(store: &mut Store, environment: &Name, patience: Duration) -> Result<Lease, EngineError> {
    let begun = Instant::now();
    loop {
        match store.acquire(environment, &holder::this(), now_ms(), &holder::is_gone) {
            Ok(lease) => return Ok(lease),
            Err(StoreError::Held { .. }) if begun.elapsed() < patience => std::thread::sleep(LEASE_POLL),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Gives the lease back; what went wrong before weighs more than what goes wrong with that.
fn release<T>(store: &mut Store, lease: &Lease, result: Result<T, EngineError>) -> Result<T, EngineError> {
    let released = store.release(lease);
    let value = result?;
    released?;
    Ok(value)
}
