//! Carrying plans out: lease, staleness, run, what is left afterwards, and what was put off until then.

use crate::abandoning::Broken;
use crate::aftermath::aftermath;
use crate::conditions::{Base, of_plan};
use crate::plan_file::expected;
use crate::providers::Wanted;
use crate::unfinished::Condition;
use crate::{
    Engine, EngineError, Judged, Outcome, PlanRequest, Progress, Reviews, diagnostic, holder,
    now_ms, planning, unknown,
};
use dax_apply::{Driver, Providers, world};
use dax_core::{Name, ResourceAddr};
use dax_machine::{Entry, How, Machine, live};
use dax_plan::model::{Idempotency, Mode};
use dax_plan::{Plan, StepId, proof};
use dax_store::audit::{Actor, Promoted};
use dax_store::{Lease, Store, StoreError};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// How often a held lease is asked for again.
const LEASE_POLL: Duration = Duration::from_millis(500);
/// How often deferred parts may be planned again after one another: chains of services are shorter.
const MOST_PARTS: usize = 100;

/// What to apply, and how.
pub struct ApplyRequest {
    /// The plan.
    pub plan: Plan,
    /// The digest that was approved, if one was.
    pub expect: Option<String>,
    /// Steps that cannot be taken back and that somebody agreed to.
    pub acknowledged: BTreeSet<StepId>,
    /// Why, for the record.
    pub why: String,
    /// What the state that it leaves is called.
    pub name: Option<Name>,
    /// How long to wait for another holder.
    pub lock_timeout: Duration,
    /// What the plan was made from: its deferred parts are planned again from that.
    pub again: Option<PlanRequest>,
    /// Where what it brings comes from.
    pub origin: Origin,
    /// Facts from a code host, read just now.
    pub reviews: Reviews,
    /// Conditions of the commit that the change is made from, where there is one: they are asked as
    /// well.
    pub base: Option<Base>,
}

/// Where what a run brings comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The program.
    Program,
    /// Another environment, where it was proved.
    Promoted(Promoted),
    /// An earlier state, by its number.
    State(u64),
}

/// How a run is to go on that waits for somebody.
#[derive(Clone, Debug, Default)]
pub struct Decisions {
    /// Steps to try again.
    pub again: Vec<StepId>,
    /// Steps that count as done.
    pub done: Vec<StepId>,
    /// Steps that stay as they are although the run goes back.
    pub keep: Vec<StepId>,
    /// Whether everything is to be taken back.
    pub abort: bool,
    /// Why.
    pub reason: String,
}

/// How a run ended.
pub struct Finished {
    /// The run.
    pub run: u64,
    /// Its plan.
    pub plan: Arc<Plan>,
    /// Its outcome.
    pub outcome: Outcome,
    /// Where the services that it changed are reached, as their platforms say.
    pub urls: Vec<(ResourceAddr, Name)>,
    /// Calls to providers that it took, where they are counted.
    pub calls: BTreeMap<Name, u64>,
    /// What became of the services where it went back, a sentence each.
    pub aftermath: Vec<String>,
}

/// Where wishes to stop come from; a front end may send one at any time.
pub type Interrupts = mpsc::Receiver<()>;

/// Told of each step of each plan that is carried out.
pub type Watch<'w> = &'w mut dyn FnMut(&Plan, u64, Told);

/// What a watcher is told.
pub enum Told {
    /// A run begins or goes on.
    Begins,
    /// Something happened in it.
    Progress(Progress),
    /// It ended, or waits.
    Ends(Outcome),
}

/// By whom, by whose approval and how a plan is applied.
struct Manner<'m> {
    actor: &'m Actor,
    name: Option<Name>,
    lock_timeout: Duration,
    reviews: &'m Reviews,
    base: Option<&'m Base>,
}

/// A run that is carried out.
struct Running<'r> {
    store: &'r Store,
    lease: &'r mut Lease,
    run: u64,
    plan: Arc<Plan>,
    name: Option<Name>,
    actor: Actor,
}

impl Engine {
    /// Applies a plan, and then what it put off.
    ///
    /// # Errors
    /// The plan is stale or not allowed, somebody else holds the environment, or the state cannot be written.
    pub fn apply(
        &self,
        request: ApplyRequest,
        interrupts: &mut Interrupts,
        watch: Watch<'_>,
    ) -> Result<Finished, EngineError> {
        let ApplyRequest {
            plan,
            expect,
            acknowledged,
            why,
            name,
            lock_timeout,
            again,
            origin,
            reviews,
            base,
        } = request;
        if let Some(digits) = &expect {
            expected(digits, &plan)?;
        }
        // What is applied in part is not what the commit says: the rest of it is still to come.
        let is_whole =
            plan.left_out.is_empty() && plan.unreachable.is_empty() && plan.deferred.is_empty();
        let commit = self.own_commit().filter(|_| is_whole);
        let brought = reviews.brought.clone().filter(|_| is_whole);
        let (promoted, restores) = match origin {
            Origin::Program => (None, None),
            Origin::Promoted(promoted) => (Some(promoted), None),
            Origin::State(serial) => (None, Some(serial)),
        };
        let at_ms = now_ms();
        let actor = Actor { who: holder::who(), why, at_ms, commit, promoted, restores, brought };
        let mut plan = plan;
        for _ in 0..MOST_PARTS {
            self.allowed(&plan, &acknowledged, &reviews, base.as_ref())?;
            let mut finished = None;
            if !plan.steps.is_empty() || !plan.changes.is_empty() {
                let manner = Manner {
                    actor: &actor,
                    name: name.clone(),
                    lock_timeout,
                    reviews: &reviews,
                    base: base.as_ref(),
                };
                let done = self.apply_one(Arc::new(plan.clone()), manner, interrupts, watch)?;
                if done.outcome != Outcome::Succeeded || plan.deferred.is_empty() {
                    return Ok(done);
                }
                finished = Some(done);
            }
            let before = planning::waiting(&plan);
            // Who approved a digest approved just that: what was put off needs a plan and an approval of its own.
            let alone = expect.is_some() || !plan.approvals.is_empty();
            let Some(again) = again.as_ref().filter(|_| !before.is_empty() && !alone) else {
                return finished.ok_or(EngineError::NothingToDo);
            };
            let judged = self.plan(again)?;
            if planning::waiting(&judged.plan) == before && judged.plan.steps.is_empty() {
                let diagnostics = judged
                    .environment
                    .as_ref()
                    .map_or_else(Vec::new, |found| unknown::still_waiting(found, &before));
                return Err(EngineError::Program { sources: judged.sources, diagnostics });
            }
            plan = judged.allowed()?;
            if plan.is_empty() {
                return finished.ok_or(EngineError::NothingToDo);
            }
        }
        Err(EngineError::Denied {
            message: "its parts wait for one another without an end".to_owned(),
        })
    }

    /// Whether a plan may be carried out now.
    fn allowed(
        &self,
        plan: &Plan,
        acknowledged: &BTreeSet<StepId>,
        reviews: &Reviews,
        base: Option<&Base>,
    ) -> Result<(), EngineError> {
        if let Some(blocked) = plan.changes.iter().find_map(|change| change.blocked.clone()) {
            return Err(EngineError::Denied { message: blocked });
        }
        if let Some(message) =
            crate::standing::denial(plan, &self.standing_with(plan, reviews, base)?)
        {
            return Err(EngineError::Denied { message });
        }
        let open: Vec<String> = plan
            .points_of_no_return()
            .filter(|step| !acknowledged.contains(&step.id))
            .map(|step| step.id.to_string())
            .collect();
        if !open.is_empty() {
            let flags: Vec<String> =
                open.iter().map(|step| format!("--acknowledge {step}")).collect();
            let message = format!(
                "step {} cannot be taken back: say {} to go on",
                open.join(", "),
                flags.join(" ")
            );
            return Err(EngineError::Denied { message });
        }
        self.ask_before_apply(plan)
    }

    fn apply_one(
        &self,
        plan: Arc<Plan>,
        manner: Manner<'_>,
        interrupts: &mut Interrupts,
        watch: Watch<'_>,
    ) -> Result<Finished, EngineError> {
        let Manner { actor, name, lock_timeout, reviews, base } = manner;
        let store = self.store()?;
        // Those under which it begins, whatever becomes of the folder meanwhile.
        let conditions = match plan.mode {
            Mode::Apply => Some(self.own_conditions(&plan.environment, &of_plan(&plan))?),
            Mode::Rollback | Mode::Destroy => None,
        };
        let mut lease = self.acquire(&store, &plan.environment, lock_timeout)?;
        let actor = Actor { at_ms: store.now_ms(), ..actor.clone() };
        // What somebody recorded while the lease was waited for is asked as well.
        let own = conditions.as_ref();
        let standing = self
            .same_conditions(&store, &plan, own.map(|own| &own.conditions))
            .and_then(|()| self.standing_of(&store, &plan, own, reviews, base));
        let conditions = own.map(|own| &own.conditions);
        let begun = standing.and_then(|standing| match crate::standing::denial(&plan, &standing) {
            Some(message) => Err(EngineError::Denied { message }),
            None => {
                // A preview environment is one from its first step on, however the run ends.
                if let Some(conditions) = conditions.filter(|one| one.preview) {
                    self.record_new(&store, &mut lease, conditions, &actor)?;
                }
                self.begin(&store, &mut lease, &plan, &actor, reviews)
            }
        });
        let result = begun.and_then(|(run, providers)| {
            let actor = actor.clone();
            let running = Running { store: &store, lease: &mut lease, run, plan, name, actor };
            self.drive(running, providers, &[], interrupts, watch)
        });
        let result = result.and_then(|finished| {
            if let (Outcome::Succeeded, Some(conditions)) = (&finished.outcome, conditions) {
                self.record_new(&store, &mut lease, conditions, &actor)?;
            }
            Ok(finished)
        });
        self.release(&store, &mut lease, result)
    }

    /// Makes sure that no earlier run waits for somebody; one that is being carried out by somebody else may end by itself.
    ///
    /// # Errors
    /// One does, or the state cannot be read.
    pub fn nothing_waits(&self, environment: &str) -> Result<(), EngineError> {
        let store = self.store()?;
        match self.open_run(&store, environment)? {
            Some(open) if !matches!(open.condition, Condition::InProgress(_)) => {
                let environment = environment.to_owned();
                Err(EngineError::Unfinished { run: open.run, environment })
            }
            _ => Ok(()),
        }
    }

    /// Begins a run: the plan fits to the state and to the world, nothing else is under way.
    fn begin(
        &self,
        store: &Store,
        lease: &mut Lease,
        plan: &Plan,
        actor: &Actor,
        reviews: &Reviews,
    ) -> Result<(u64, Providers), EngineError> {
        let environment = &plan.environment;
        if let Some(open) = self.runtime.block_on(store.open_run(environment))? {
            let environment = environment.to_string();
            return Err(EngineError::Unfinished { run: open.id, environment });
        }
        if let Some(unsound) = proof::prove(plan).into_iter().next() {
            return Err(EngineError::Unsound(unsound));
        }
        let (state, base) = self.runtime.block_on(store.state(environment))?;
        if base.lineage != plan.base.lineage {
            return Err(EngineError::Stale {
                message: "it was made from another state".to_owned(),
            });
        }
        if plan.base.serial > base.serial {
            let message = "it was made from a newer state than there is".to_owned();
            return Err(EngineError::Stale { message });
        }
        let providers = self.providers(&Wanted::of_plan(plan))?;
        let live = self.runtime.block_on(world::read(&providers, environment))?;
        if let Some(message) = live::moved_on(plan, &live) {
            return Err(EngineError::Stale { message });
        }
        for change in &plan.changes {
            let addr = change.moved_from.as_ref().unwrap_or(&change.addr);
            let now = state.services.get(addr).map(dax_plan::digest::fingerprint);
            if plan.known.get(&change.addr).is_some_and(|then| *then != now) {
                let message = format!(
                    "{addr} was applied anew since it was made (state {}, now {})",
                    plan.base.serial, base.serial
                );
                return Err(EngineError::Stale { message });
            }
        }
        if let Some(unsound) = proof::against(plan, &state.services, &live).into_iter().next() {
            return Err(EngineError::Unsound(unsound));
        }
        if let Some(unsound) = world::unable(plan, &providers) {
            return Err(EngineError::Unsound(unsound));
        }
        let digest = dax_plan::digest::digest(plan);
        let mut approved_by: Vec<Name> = Vec::new();
        let kept = self.approvals_with(environment, &digest, None, &reviews.excluded)?.approvals;
        let read = reviews.approvals.iter().filter(|one| one.digest == digest);
        for approval in kept.iter().chain(read) {
            if approval.step.is_none() && !approved_by.contains(&approval.by) {
                approved_by.push(approval.by.clone());
            }
        }
        let run = self.runtime.block_on(store.begin(lease, plan, approved_by, actor))?;
        Ok((run, providers))
    }

    /// Carries the unfinished run of an environment on, or of the only one that has any, as somebody decided.
    ///
    /// # Errors
    /// There is none, somebody else holds it, a decision does not fit, or the state cannot be written.
    pub fn resume(
        &self,
        environment: Option<&str>,
        decisions: &Decisions,
        lock_timeout: Duration,
        interrupts: &mut Interrupts,
        watch: Watch<'_>,
    ) -> Result<Finished, EngineError> {
        let store = self.store()?;
        let nothing =
            || EngineError::NothingToResume { environment: environment.map(str::to_owned) };
        let candidates: Vec<Name> = self.named_or_all(&store, environment)?;
        let mut open = None;
        for name in candidates {
            if self.runtime.block_on(store.open_run(&name))?.is_some() {
                open = Some(name);
                break;
            }
        }
        let environment = open.ok_or_else(nothing)?;
        let mut lease = self.acquire(&store, &environment, lock_timeout)?;
        let actor = Actor {
            who: holder::who(),
            why: decisions.reason.clone(),
            at_ms: store.now_ms(),
            ..Actor::default()
        };
        let result = match self.sound_run(&store, &environment) {
            Err(error) => Err(error),
            Ok(None) => Err(nothing()), // its holder ended it while we waited
            Ok(Some(Err(broken))) if decisions.abort => {
                self.abandon(&store, &mut lease, broken, actor)
            }
            Ok(Some(Err(Broken { run, why }))) => {
                Err(EngineError::Broken { run, environment: environment.to_string(), why })
            }
            Ok(Some(Ok((run, plan, mut journal)))) => {
                decide(&plan, &journal, decisions, &actor.who).and_then(|entries| {
                    self.runtime.block_on(store.note(
                        &mut lease,
                        &actor,
                        dax_store::What::Resume { run },
                    ))?;
                    self.runtime.block_on(store.append(&mut lease, &entries))?;
                    journal.extend(entries);
                    let providers = self.providers(&Wanted::of_plan(&plan))?;
                    let running = Running {
                        store: &store,
                        lease: &mut lease,
                        run,
                        plan: Arc::new(plan),
                        name: None,
                        actor,
                    };
                    self.drive(running, providers, &journal, interrupts, watch)
                })
            }
        };
        self.release(&store, &mut lease, result)
    }

    fn drive(
        &self,
        running: Running<'_>,
        providers: Providers,
        journal: &[Entry],
        interrupts: &mut Interrupts,
        watch: Watch<'_>,
    ) -> Result<Finished, EngineError> {
        let Running { store, lease, run, plan, name, actor } = running;
        let (state, _) = self.runtime.block_on(store.state(&plan.environment))?;
        let judge = self.step_judge(store, &plan)?;
        let shown = plan.clone();
        watch(&shown, run, Told::Begins);
        let clock = store.clone();
        let driver = Driver {
            store,
            lease,
            run,
            plan: plan.clone(),
            state,
            name,
            actor,
            providers: providers.clone(),
            clock: Arc::new(move || clock.now_ms()),
            counts: &|gate, approval| judge.counts(gate, approval, store.now_ms()),
            progress: &mut |event| watch(&shown, run, Told::Progress(event)),
        };
        let outcome = self.runtime.block_on(driver.run(journal, interrupts))?;
        watch(&shown, run, Told::Ends(outcome.clone()));
        let leaves = plan.result.values().any(Option::is_some);
        // Not to know where something is reached makes no run a failed one.
        let urls = if outcome == Outcome::Succeeded && leaves {
            self.urls(&plan, &providers).unwrap_or_default()
        } else {
            Vec::new()
        };
        let calls = crate::providers::calls(&providers);
        let aftermath = match &outcome {
            Outcome::RolledBack { .. } => {
                let journal = self.runtime.block_on(store.journal(&plan.environment, run))?;
                aftermath(&plan, &journal)
            }
            _ => Vec::new(),
        };
        // The last word to the platforms: one that runs nothing any more may end.
        self.runtime.block_on(async {
            for platform in providers.platforms.values() {
                platform.settle().await?;
            }
            Ok::<_, EngineError>(())
        })?;
        Ok(Finished { run, plan, outcome, urls, calls, aftermath })
    }

    fn urls(
        &self,
        plan: &Plan,
        providers: &Providers,
    ) -> Result<Vec<(ResourceAddr, Name)>, EngineError> {
        let live = self.runtime.block_on(world::read(providers, &plan.environment))?;
        let results =
            plan.result.iter().filter_map(|(addr, result)| Some((addr, result.as_ref()?)));
        let found = results.filter_map(|(addr, applied)| {
            let url = live.get(&applied.provider)?.get(applied.object(addr))?.url.clone()?;
            Some((addr.clone(), url))
        });
        Ok(found.collect())
    }

    /// Takes the lease, waiting for another holder as long as allowed.
    pub(crate) fn acquire(
        &self,
        store: &Store,
        environment: &str,
        patience: Duration,
    ) -> Result<Lease, EngineError> {
        let begun = Instant::now();
        loop {
            self.runtime.block_on(store.keep_time())?;
            match self.runtime.block_on(store.acquire(
                environment,
                &holder::this(),
                store.now_ms(),
                &holder::is_gone,
            )) {
                Ok(lease) => return Ok(lease),
                Err(StoreError::Held { .. }) if begun.elapsed() < patience => {
                    std::thread::sleep(LEASE_POLL)
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Gives the lease back; what went wrong before weighs more than what goes wrong with that.
    pub(crate) fn release<T>(
        &self,
        store: &Store,
        lease: &mut Lease,
        result: Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        let released = self.runtime.block_on(store.release(lease));
        let value = result?;
        released?;
        Ok(value)
    }
}

/// What somebody decided, as entries of the journal; what is open and harmless to try again is tried again.
fn decide(
    plan: &Plan,
    journal: &[Entry],
    decisions: &Decisions,
    by: &Name,
) -> Result<Vec<Entry>, EngineError> {
    let mut machine = Machine::new(Arc::new(plan.clone()), journal);
    let mut entries = Vec::new();
    let reason = decisions.reason.clone();
    if decisions.abort {
        entries.push(Entry::Abort { by: by.clone(), reason });
        return Ok(entries);
    }
    let open = machine.waits_for();
    let wrong = |step: StepId| EngineError::Denied {
        message: format!("step {step} does not wait for anybody"),
    };
    let decided = |step: StepId, how: How| Entry::Decided {
        step,
        how,
        by: by.clone(),
        reason: decisions.reason.clone(),
    };
    for (steps, how) in [(&decisions.again, How::Again), (&decisions.done, How::Done)] {
        for step in steps {
            if !open.contains(step) {
                return Err(wrong(*step));
            }
            entries.push(decided(*step, how));
        }
    }
    for step in &decisions.keep {
        entries.push(machine.keep(*step, by, &decisions.reason).ok_or_else(|| {
            EngineError::Denied {
                message: format!("step {step} is not one that could not be taken back"),
            }
        })?);
    }
    for step in open {
        let known = decisions.again.contains(&step) || decisions.done.contains(&step);
        if known {
            continue;
        }
        if plan.step(step).is_some_and(|step| step.idempotency == Idempotency::Ask) {
            let message =
                format!("see what became of step {step}, then say --done {step} or --again {step}");
            return Err(EngineError::Denied { message });
        }
        entries.push(decided(step, How::Again));
    }
    Ok(entries)
}

impl Judged {
    /// The plan, unless a policy forbids it.
    ///
    /// # Errors
    /// [`EngineError::Policy`] holds what forbids it.
    pub fn allowed(self) -> Result<Plan, EngineError> {
        if diagnostic::has_errors(&self.findings) {
            return Err(EngineError::Policy { sources: self.sources, diagnostics: self.findings });
        }
        Ok(self.plan)
    }
}
