//! One environment of a run of the pipeline: planned, held against what was reviewed, carried out.

use super::{Carry, Ending, Run, Waiting, shown_name};
use crate::approving::{self, Asked, Reviewed};
use crate::comment::short;
use crate::deploying::Deploying;
use crate::pending::Pending;
use crate::plans::{self, Rules, Since};
use crate::{ReviewError, Say};
use dax_engine::digest::digest;
use dax_engine::model::Reason;
use dax_engine::{
    ApplyRequest, Approval, EngineError, Finished, Name, Origin, Outcome, Plan, Provenance,
    Standing,
};
use std::collections::BTreeSet;

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
        let pending = self.pending(&mut *say)?;
        let mut wanted = None;
        let mut ending = Ending::Nothing;
        for attempt in 1..=ATTEMPTS {
            ending = match self.planned() {
                Ok((plan, rules)) => {
                    // Reviews as they stand now: much may have been waited for.
                    let pending = self.run.changes.with_reviews(&pending)?;
                    let one = Wanted { plan, rules, pending };
                    let ending = self.decided(&one, &mut *carry, &mut remarks)?;
                    wanted = Some(one);
                    ending
                }
                Err(ReviewError::Engine(error)) => Ending::Failed(error),
                Err(error) => return Err(error),
            };
            // Somebody else applied between the plan and the run: what is left to do, if anything?
            let again = matches!(&ending, Ending::Failed(EngineError::Stale { .. }));
            if !again || attempt == ATTEMPTS {
                break;
            }
        }
        remarks.extend(self.tell(&ending, wanted.as_ref(), &pending, say)?);
        Ok((ending, remarks))
    }

    /// The change requests whose commits the environment has not got yet.
    fn pending(&self, say: Say<'_>) -> Result<Pending, ReviewError> {
        let options = &self.run.request.options;
        if let (true, Some(number)) = (self.is_preview(), self.run.place.number()) {
            let changes = vec![self.run.changes.change(number)?];
            return Ok(Pending { commits: BTreeSet::new(), changes, brought: Vec::new() });
        }
        let mut pending =
            self.run.changes.since(options, self.run.place, self.base(), &mut *say)?;
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
        for source in sources.iter().filter(|source| !source.plans.is_empty()) {
            if let Some(change) = &source.change {
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
            let accepted = self.run.engine.accept_conditions(plan, &behind.approvals, base);
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
        let kept = engine.approvals_with(self.name, &digest, wanted.rules.base.as_ref())?;
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
        Ok(self.run.engine.standing_with(&wanted.plan, approvals, base)?)
    }

    fn carried_out(
        &self,
        wanted: &Wanted,
        reviews: Vec<Approval>,
        carry: Carry<'_>,
        remarks: &mut Vec<String>,
    ) -> Result<Ending, ReviewError> {
        let (plan, run) = (&wanted.plan, self.run);
        let known = digest(plan);
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
            lock_timeout: run.request.lock_timeout,
            again: Some(plans::request(self.name, &run.request.options)),
            origin: Origin::Program,
            reviews,
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
