//! One environment of a run of the pipeline: planned, held against what was reviewed, carried out.

use super::behind::brings;
use super::{Carry, Ending, Run, Waiting, shown_name};
use crate::approving::{self, Asked, Reviewed};
use crate::comment::short;
use crate::deploying::Deploying;
use crate::pending::{Pending, Touch};
use crate::plans::{self, Rules, Since};
use crate::{ReviewError, Say};
use dax_engine::digest::digest;
use dax_engine::model::Reason;
use dax_engine::{
    ApplyRequest, Approval, Brought, EngineError, Excluded, Finished, Name, Origin, Outcome, Plan,
    Provenance, Reviews, Standing, StoreError,
};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// Plans that are made again because somebody else applied in between.
const ATTEMPTS: usize = 3;

/// One environment of a run of the pipeline.
pub(super) struct Environment<'e> {
    pub(super) run: &'e Run<'e>,
    pub(super) project: &'e Name,
    pub(super) name: &'e Name,
}

/// A plan with what is held against it.
pub(super) struct Wanted {
    pub(super) plan: Plan,
    pub(super) rules: Rules,
    pub(super) pending: Pending<Reviewed>,
    /// Fields that each pending commit changed.
    pub(super) touched: Vec<Touch>,
    /// People whose changes are in it: they approve it by no command either.
    pub(super) excluded: Vec<Excluded>,
}

impl<'e> Environment<'e> {
    pub(super) fn new(run: &'e Run<'e>, project: &'e Name, name: &'e Name) -> Self {
        Self { run, project, name }
    }

    /// Brings the environment up to date, as far as that was reviewed; says so where it was.
    pub(super) fn apply(
        &self,
        carry: Carry<'_>,
        say: Say<'_>,
    ) -> Result<(Ending, Vec<String>), ReviewError> {
        let mut remarks = Vec::new();
        let pending = match self.pending() {
            Err(ReviewError::Engine(error)) => return Ok((Ending::Failed(error), remarks)),
            pending => pending?,
        };
        let mut wanted = None;
        let (begun, mut attempt) = (Instant::now(), 1);
        let ending = loop {
            let ending = match self.planned() {
                Ok((plan, rules)) => {
                    let one = self.wanted(plan, rules, &pending)?;
                    let ending = self.decided(&one, &mut *carry, &mut remarks)?;
                    wanted = Some(one);
                    ending
                }
                Err(ReviewError::Engine(error)) => Ending::Failed(error),
                Err(error) => return Err(error),
            };
            let again = match &ending {
                // Somebody else applied between the plan and the run: what is left to do, if
                // anything?
                Ending::Failed(EngineError::Stale { .. }) => attempt < ATTEMPTS,
                // Somebody took the lease meanwhile: a review may be dismissed until it is free.
                Ending::Failed(EngineError::Store(StoreError::Held { .. })) => {
                    begun.elapsed() < self.run.request.lock_timeout
                }
                _ => false,
            };
            if !again {
                break ending;
            }
            attempt += 1;
        };
        remarks.extend(self.tell(&ending, wanted.as_ref(), &pending, say)?);
        Ok((ending, remarks))
    }

    /// A plan with the reviews as they stand now: much may have been waited for.
    fn wanted(&self, plan: Plan, rules: Rules, pending: &Pending) -> Result<Wanted, ReviewError> {
        let Run { changes, request, scope, engine, .. } = self.run;
        // Whoever pushed approves nothing by a command either, where somebody did.
        let mut digests = BTreeSet::from([digest(&plan)]);
        for source in pending.sources(engine, self.name)? {
            digests.extend(source.plans.iter().map(|kept| digest(&kept.plan)));
        }
        let mut by_command = false;
        for digest in &digests {
            by_command = by_command || engine.has_approval(self.name, digest)?;
        }
        let pending = changes.with_reviews(pending, by_command)?;
        let touched = changes.touched(&request.options, &scope.folder, self.name, &pending)?;
        let parts = rules.wanted(&plan, &self.run.place.commit).parts;
        let own = pending
            .changes
            .iter()
            .filter(|one| self.is_preview() || brings(&touched, one.change.number, &parts));
        let excluded = own.flat_map(|one| one.excluded()).collect();
        Ok(Wanted { plan, rules, pending, touched, excluded })
    }

    /// The change requests whose commits the environment has not got yet.
    fn pending(&self) -> Result<Pending, ReviewError> {
        let options = &self.run.request.options;
        if let (true, Some(number)) = (self.is_preview(), self.run.place.number()) {
            let changes = vec![self.run.changes.change(number)?];
            return Ok(Pending { commits: BTreeSet::new(), changes, brought: Vec::new() });
        }
        let mut pending = self.run.changes.since(options, self.run.place, self.base())?;
        if self.run.engine.last_applied(self.name)?.is_none() {
            // Of an environment that was never applied, everything that was merged is to come.
            let shown = self.run.engine.shown_changes(self.name)?;
            self.run.changes.before(options, self.run.place, &shown, &mut pending)?;
        }
        Ok(pending)
    }

    pub(super) fn is_preview(&self) -> bool {
        self.run.preview
    }

    /// The commit that was applied last, or that the change is held against.
    fn base(&self) -> Option<&str> {
        self.run.scope.environments.get(self.name).and_then(|touched| touched.base.as_deref())
    }

    fn planned(&self) -> Result<(Plan, Rules), ReviewError> {
        let options = &self.run.request.options;
        let request = plans::request(self.name, options);
        let engine = self.run.engine;
        // What is planned before another run has ended is stale after it.
        engine.wait_for_others(&request.environment, self.run.request.lock_timeout)?;
        let plan = engine.plan(&request)?.allowed()?;
        let since = if self.is_preview() { Since::First } else { Since::All };
        Ok((plan, Rules::of(engine, self.name, options, self.base(), since)?))
    }

    fn decided(
        &self,
        wanted: &Wanted,
        carry: Carry<'_>,
        remarks: &mut Vec<String>,
    ) -> Result<Ending, ReviewError> {
        let (plan, rules) = (&wanted.plan, &wanted.rules);
        if plan.is_empty() && rules.changes.is_empty() {
            return Ok(Ending::Nothing);
        }
        let asked = Asked { plan, conditions: rules.all() };
        let environment = self.shown_name();
        let released = self.run.forge.ask(|remote| remote.released(&environment))?;
        let sources = wanted.pending.sources(self.run.engine, self.name)?;
        let behind = match self.behind(wanted, &asked, &sources, &released, remarks)? {
            Ok(behind) => behind,
            Err(lacks) => return Ok(lacks),
        };
        let unapproved = !behind.lacking.is_empty();
        let mut blockers = behind.lacking;
        // Those who were shown nothing may look at the change itself.
        for source in &sources {
            let Some(change) = &source.change else { continue };
            let number = Some(change.change.number);
            let is_here = wanted.touched.iter().any(|touch| touch.number == number);
            if is_here || !source.plans.is_empty() {
                blockers.extend(approving::objections(self.run.forge, change, &asked, remarks));
            }
        }
        if !self.is_preview() && !released.passed {
            blockers.extend(self.protected(&released, &behind.groups, remarks)?);
        }
        blockers.extend(self.taken_over(wanted)?);
        if !blockers.is_empty() {
            return Ok(Ending::Waits(Waiting { why: blockers, early: false, unapproved }));
        }
        if !self.run.request.acknowledge
            && let Some(step) = plan.points_of_no_return().next()
        {
            let why = format!(
                "step {} cannot be taken back: say --acknowledge-reviewed when who agrees to the \
                 plan agrees to that",
                step.id
            );
            return Ok(Ending::Waits(Waiting::of(vec![why])));
        }
        let standing = self.standing(wanted, &behind.approvals)?;
        let mut why = standing.lacking();
        let unapproved = !why.is_empty();
        why.extend(standing.obstacles.iter().cloned());
        if !why.is_empty() {
            let early = standing.early && !unapproved;
            return Ok(Ending::Waits(Waiting { why, early, unapproved }));
        }
        if plan.is_empty() {
            let base = rules.base.as_ref();
            let brought = self.brought(wanted)?;
            let excluded = wanted.excluded.clone();
            let reviews = Reviews { approvals: behind.approvals, excluded, brought };
            let accepted = self.run.engine.accept_conditions(plan, &reviews, base);
            return Ok(match accepted {
                Ok(true) => Ending::Accepted,
                Ok(false) => Ending::Nothing,
                Err(error) => Ending::Failed(error),
            });
        }
        self.carried_out(wanted, behind.approvals, carry, remarks)
    }

    /// The blocker of a plan that takes over what runs, in an environment that was never applied:
    /// its rules are those of the change alone, and what runs may be another project's.
    fn taken_over(&self, wanted: &Wanted) -> Result<Option<String>, ReviewError> {
        let (plan, engine) = (&wanted.plan, self.run.engine);
        let adopted = plan.changes.iter().filter(|change| change.reason == Reason::Adopted);
        let names: Vec<&str> = adopted.map(|change| change.addr.name()).collect();
        if names.is_empty() || wanted.rules.applied.is_some() {
            return Ok(None);
        }
        let digest = digest(plan);
        let base = wanted.rules.base.as_ref();
        let kept = engine.approvals_with(self.name, &digest, base, &wanted.excluded)?.approvals;
        if kept.iter().any(|approval| approval.step.is_none()) {
            return Ok(None);
        }
        Ok(Some(format!(
            "`{}` was never applied and takes over {}, which runs already: whoever may write the \
             state has to agree, `dax approve -e {} {digest}`",
            self.name,
            names.join(", "),
            self.name
        )))
    }

    pub(super) fn standing(
        &self,
        wanted: &Wanted,
        approvals: &[Approval],
    ) -> Result<Standing, ReviewError> {
        let base = wanted.rules.base.as_ref();
        let excluded = wanted.excluded.clone();
        let reviews = Reviews { approvals: approvals.to_vec(), excluded, brought: None };
        Ok(self.run.engine.standing_with(&wanted.plan, &reviews, base)?)
    }

    /// The change requests that are carried out now, which need new approvals for another time.
    fn brought(&self, wanted: &Wanted) -> Result<Option<Brought>, ReviewError> {
        let changes: Vec<u64> =
            wanted.pending.changes.iter().map(|one| one.change.number).collect();
        // A preview environment is made as often as its change request has another commit.
        if self.is_preview() || changes.is_empty() {
            return Ok(None);
        }
        let at_ms = self.run.forge.ask(|remote| remote.clock())?;
        Ok(Some(Brought { changes, at_ms }))
    }

    fn carried_out(
        &self,
        wanted: &Wanted,
        approvals: Vec<Approval>,
        carry: Carry<'_>,
        remarks: &mut Vec<String>,
    ) -> Result<Ending, ReviewError> {
        let (plan, run) = (&wanted.plan, self.run);
        let known = digest(plan);
        let brought = self.brought(wanted)?;
        let name = self.shown_name();
        let deploying = Deploying::queue(run.forge, run.place, name, plan, &known);
        let acknowledged = if run.request.acknowledge {
            plan.points_of_no_return().map(|step| step.id).collect()
        } else {
            BTreeSet::new()
        };
        let request = ApplyRequest {
            plan: plan.clone(),
            expect: Some(known),
            acknowledged,
            why: self.why(&wanted.pending),
            name: None,
            // Nothing is waited for after the reviews were read.
            lock_timeout: Duration::ZERO,
            again: Some(plans::request(self.name, &run.request.options)),
            origin: Origin::Program,
            reviews: Reviews { approvals, excluded: wanted.excluded.clone(), brought },
            base: wanted.rules.base.clone(),
        };
        let result = carry(run.engine, request, &mut |told| deploying.hear(told));
        let is_back = |one: &Finished| matches!(one.outcome, Outcome::RolledBack { .. });
        let back = result.as_ref().is_ok_and(is_back);
        let restored = if back { self.running_commit()? } else { None };
        remarks.extend(deploying.end(result.as_ref(), restored.as_deref()));
        Ok(result.map_or_else(Ending::Failed, |finished| Ending::Ran(Box::new(finished))))
    }

    /// The commit that is known to run now.
    fn running_commit(&self) -> Result<Option<String>, ReviewError> {
        let applied = self.run.engine.last_applied(self.name)?;
        Ok(applied.and_then(Provenance::commit).map(|commit| commit.id.to_string()))
    }

    fn why(&self, pending: &Pending<Reviewed>) -> String {
        let request = self.run.forge.request();
        let changes: Vec<String> = pending
            .changes
            .iter()
            .map(|one| format!("{request} {}: {}", one.change.number, one.change.title))
            .collect();
        if changes.is_empty() {
            return format!("commit {}", short(&self.run.place.commit));
        }
        changes.join("; ")
    }

    /// The name of the environment at the code host.
    pub(super) fn shown_name(&self) -> String {
        shown_name(&self.run.scope.folder, self.project, self.name)
    }
}
