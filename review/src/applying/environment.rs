//! One environment of a run of the pipeline: planned, held against what was reviewed, carried out.

use super::{Carry, Ending, Run, Unreviewed, Waiting, shown_name};
use crate::approving::{self, Asked, bound};
use crate::backing::{Backing, Candidate, Made, Shown, backing, distinct, made};
use crate::comment::short;
use crate::deploying::Deploying;
use crate::parts::words;
use crate::pending::{Pending, Source};
use crate::plans::{self, Rules};
use crate::{ReviewError, Say, previews, protecting};
use dax_engine::digest::digest;
use dax_engine::render;
use dax_engine::{
    ApplyRequest, Approval, EngineError, Finished, Name, Origin, Outcome, Plan, Standing,
};
use dax_provider_api::review::{Person, Released};
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
    pub(super) pending: Pending,
}

/// People and plans that stand behind a plan.
#[derive(Default)]
struct Behind {
    approvals: Vec<Approval>,
    people: Vec<Person>,
    /// Blockers: approvals that are lacking, by the change request that lacks them.
    lacking: Vec<String>,
    /// Approvals that do not count, a sentence each.
    lost: Vec<String>,
    /// Places of the sources that the plan is made of.
    sources: BTreeSet<usize>,
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
                    let one = Wanted { plan, rules, pending: pending.clone() };
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
            let change = self.run.changes.reviewed(number)?;
            return Ok(Pending { commits: BTreeSet::new(), changes: vec![change] });
        }
        self.run.changes.since(options, self.run.place, self.base(), say)
    }

    pub(super) fn is_preview(&self) -> bool {
        previews::number(self.name).is_some()
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
        let rules = Rules::of(engine, self.name, options, self.base())?;
        Ok((plan, rules))
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
        for change in behind.sources.iter().filter_map(|at| sources[*at].change.as_ref()) {
            blockers.extend(approving::objections(self.run.forge, change, &asked, remarks));
        }
        if !self.is_preview() && !released.passed {
            let author = wanted.pending.changes.last().map(|one| &one.change.author);
            blockers.extend(self.protected(&released, &behind.people, author, remarks)?);
        }
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

    fn standing(&self, wanted: &Wanted, approvals: &[Approval]) -> Result<Standing, ReviewError> {
        let base = wanted.rules.base.as_ref();
        Ok(self.run.engine.standing_with(&wanted.plan, approvals, base)?)
    }

    /// The reviewed plans behind a plan with the approvals of these, or the end where there are
    /// none.
    fn behind(
        &self,
        wanted: &Wanted,
        asked: &Asked<'_>,
        sources: &[Source],
        released: &Released,
        remarks: &mut Vec<String>,
    ) -> Result<Result<Behind, Ending>, ReviewError> {
        let (plan, rules) = (&wanted.plan, &wanted.rules);
        let now = digest(plan);
        // This very plan was approved by its digest: nothing has to be found out.
        let by_digest = self.run.engine.approvals(self.name, &now)?;
        let whole = by_digest.iter().any(|approval| approval.step.is_none());
        if whole && self.standing(wanted, &[])?.lacking().is_empty() {
            return Ok(Ok(Behind::default()));
        }
        if self.is_preview() {
            return Ok(Ok(self.of_preview(wanted, asked, sources, remarks)));
        }
        // What only asks for more than before is nothing that anybody would have to agree to.
        if plan.is_empty() && !rules.loosened() {
            return Ok(Ok(Behind::default()));
        }
        let shown = rules.wanted(plan, &self.run.place.commit);
        let (mut candidates, mut of) = (Vec::new(), Vec::new());
        for (at, source) in sources.iter().enumerate() {
            for earlier in distinct(&source.shown) {
                if let Some(candidate) =
                    self.candidate(wanted, asked, source, earlier, released, remarks)?
                {
                    candidates.push(Candidate {
                        change: at,
                        plan: earlier.clone(),
                        approved: candidate.lacking.is_empty(),
                    });
                    of.push(candidate);
                }
            }
        }
        match backing(&shown, &candidates) {
            Backing::By(by) => {
                let mut behind = Behind::default();
                for at in &by {
                    let one = std::mem::take(&mut of[*at]);
                    if !one.lacking.is_empty() {
                        remarks.extend(one.lost);
                    }
                    let many = by.len() > 1;
                    behind.lacking.extend(one.lacking.into_iter().map(|lacking| {
                        match &sources[candidates[*at].change].change {
                            Some(source) if many => {
                                format!("change request {}: {lacking}", source.change.number)
                            }
                            _ => lacking,
                        }
                    }));
                    behind.approvals.extend(one.approvals);
                    behind.people.extend(one.people);
                    behind.sources.insert(candidates[*at].change);
                }
                Ok(Ok(behind))
            }
            Backing::Lacks(_) if self.run.request.unreviewed => {
                let approvals = approving::released(
                    self.run.forge,
                    &released.by,
                    None,
                    &self.shown_name(),
                    asked,
                    remarks,
                );
                Ok(Ok(Behind { approvals, people: released.by.clone(), ..Behind::default() }))
            }
            Backing::Lacks(lacks) => Ok(Err(Ending::Other(self.unreviewed(
                wanted,
                sources,
                &lacks,
                !candidates.is_empty(),
            )))),
        }
    }

    /// The approvals of a plan that was shown; nothing for one that cannot stand behind anything.
    fn candidate(
        &self,
        wanted: &Wanted,
        asked: &Asked<'_>,
        source: &Source,
        earlier: &Shown,
        released: &Released,
        remarks: &mut Vec<String>,
    ) -> Result<Option<Behind>, ReviewError> {
        let commits = &wanted.pending.commits;
        let head = source.change.as_ref().map(|one| one.change.head.as_str());
        let same = source.shown.iter().filter(|one| one.effect == earlier.effect);
        let Some(made) = same.filter_map(|one| made(one, head, commits)).min() else {
            return Ok(None);
        };
        let mut behind = Behind::default();
        if let Some(reviewed) = &source.change {
            let forge = self.run.forge;
            let voices = approving::voices(
                forge,
                reviewed,
                &source.shown,
                &earlier.effect,
                commits,
                asked,
                remarks,
            );
            behind.lost.extend(voices.lost.iter().map(|one| format!("`{}` {}", one.who, one.why)));
            behind.approvals.extend(voices.approvals);
            behind.people.extend(voices.people);
        }
        if released.created_ms.is_some_and(|created| earlier.at_ms < created) {
            let environment = self.shown_name();
            let reviewed = source.change.as_deref();
            behind.approvals.extend(approving::released(
                self.run.forge,
                &released.by,
                reviewed,
                &environment,
                asked,
                remarks,
            ));
            behind.people.extend(released.by.iter().cloned());
        }
        let of_effect = source.plans.iter().zip(&source.shown);
        for (kept, _) in of_effect.filter(|(_, shown)| shown.effect == earlier.effect) {
            behind.approvals.extend(approving::carried(self.run.engine, &kept.plan, &wanted.plan)?);
        }
        let standing = self.standing(wanted, &behind.approvals)?;
        behind.lacking = standing.lacking();
        // Nobody agreed to a plan by merging that was made after the merge.
        if made == Made::After && behind.approvals.is_empty() {
            behind.lacking.push("it needs an approval of the plan of the merged commit".to_owned());
        }
        Ok(Some(behind))
    }

    /// The approvals of a preview environment, which is made while its change is reviewed.
    fn of_preview(
        &self,
        wanted: &Wanted,
        asked: &Asked<'_>,
        sources: &[Source],
        remarks: &mut Vec<String>,
    ) -> Behind {
        let effect = bound(&wanted.plan, Some(&wanted.rules.program.digest()));
        let mut behind = Behind::default();
        for (at, source) in sources.iter().enumerate() {
            let Some(reviewed) = &source.change else { continue };
            let voices = approving::voices(
                self.run.forge,
                reviewed,
                &source.shown,
                &effect,
                &wanted.pending.commits,
                asked,
                remarks,
            );
            behind.approvals.extend(voices.approvals);
            behind.people.extend(voices.people);
            behind.sources.insert(at);
        }
        behind
    }

    /// The parts of a plan that nobody was shown, with the ways on.
    fn unreviewed(
        &self,
        wanted: &Wanted,
        sources: &[Source],
        lacks: &BTreeSet<crate::parts::Part>,
        any: bool,
    ) -> Unreviewed {
        let mut lines: Vec<String> =
            lacks.iter().filter_map(|part| words(part, &wanted.plan)).collect();
        for change in &wanted.rules.changes {
            lines.push(change.to_string());
        }
        if lines.is_empty() {
            lines.push("the order or the kind of steps".to_owned());
        }
        lines.sort();
        lines.dedup();
        let newest = sources.iter().rev().find_map(|source| {
            source.plans.iter().rev().find(|plan| plan.shown).map(|plan| (source, plan))
        });
        let difference =
            newest.map_or_else(Vec::new, |(_, plan)| render::diff(&plan.plan, &wanted.plan));
        let mut help = Vec::new();
        if let Some(change) = wanted.pending.changes.last() {
            let number = change.change.number;
            if self.run.place.kind == "github" {
                help.push(format!(
                    "approve change request {number} once more, now that this plan is shown there, \
                     and run this job again"
                ));
            }
        } else {
            lines.insert(
                0,
                format!("commit {} came with no change request", short(&self.run.place.commit)),
            );
        }
        help.push(format!(
            "`dax approve -e {} {}`, and run this job again",
            self.name,
            digest(&wanted.plan)
        ));
        Unreviewed { lacks: lines, difference, help, never: !any }
    }

    /// Blockers by the rules that the code host keeps of the environment.
    fn protected(
        &self,
        released: &Released,
        people: &[Person],
        author: Option<&Person>,
        remarks: &mut Vec<String>,
    ) -> Result<Vec<String>, ReviewError> {
        let environment = self.shown_name();
        match self.run.forge.ask(|remote| remote.protection(&environment)) {
            Ok(None) => Ok(Vec::new()),
            Ok(Some(rules)) => protecting::blockers(
                self.run.place,
                self.run.forge,
                &rules,
                released,
                people,
                author,
                remarks,
            ),
            Err(error) => Ok(vec![error.to_string()]),
        }
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
        Ok(applied.map(|commit| commit.id.to_string()))
    }

    fn why(&self, pending: &Pending) -> String {
        let changes: Vec<String> = pending
            .changes
            .iter()
            .map(|one| format!("change request {}: {}", one.change.number, one.change.title))
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
