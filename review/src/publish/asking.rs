//! Reviews that count for the plans of a change request, and plans that a merge queue tries.

use crate::approving::{self, Lost, bound};
use crate::backing::{Backing, Candidate, Made, Shown, backing, distinct};
use crate::parts::words;
use crate::pending::Changes;
use crate::place::{Event, Place, same_commit};
use crate::plans::{self, Planned, Report, Verdict};
use crate::scope::{Options, Scope};
use crate::{Forge, ReviewError};
use dax_engine::{Engine, Excluded, Name, Provenance, Reviews};
use std::collections::BTreeSet;

/// Questions about the plans of a project to those who review it.
pub(super) struct Asking<'a> {
    pub(super) options: &'a Options,
    pub(super) place: &'a Place,
    pub(super) forge: &'a Forge,
    pub(super) engine: &'a Engine,
    pub(super) scope: &'a Scope,
    pub(super) changes: &'a Changes<'a>,
}

impl Asking<'_> {
    /// Fills in which approvals of the change request count for a plan; gives what could not be
    /// found out.
    pub(super) fn reviews(&self, report: &mut Report) -> Vec<String> {
        let (Event::Change { number, .. } | Event::Button { number, .. }) = self.place.event else {
            return Vec::new();
        };
        let environment = report.environment.clone();
        let Verdict::Plan(planned) = &mut report.verdict else { return Vec::new() };
        match self.counted(&environment, number, planned) {
            Ok(remarks) => remarks,
            // The plan is shown all the same; before it is applied the question is asked again.
            Err(error) => vec![format!("`{environment}`: who approved it is not known: {error}")],
        }
    }

    fn counted(
        &self,
        environment: &Name,
        number: u64,
        planned: &mut Planned,
    ) -> Result<Vec<String>, ReviewError> {
        let mut remarks = Vec::new();
        let kept = self.engine.shown_plans(environment, &self.place.change_key())?;
        // Whoever pushed approves nothing by a command either, where somebody did.
        let mut by_command = self.engine.has_approval(environment, &planned.digest)?;
        for earlier in &kept {
            let digest = dax_engine::digest::digest(&earlier.plan);
            by_command = by_command || self.engine.has_approval(environment, &digest)?;
        }
        let reviewed = self.changes.reviewed(number, by_command)?;
        let excluded: Vec<Excluded> = reviewed.excluded().collect();
        let shown: Vec<Shown> = kept.iter().map(approving::shown).collect();
        let wanted = planned.bound();
        let voices = approving::voices(
            self.forge,
            &reviewed,
            &[],
            &shown,
            &wanted,
            &BTreeSet::new(),
            &planned.asked(),
            &mut remarks,
        );
        let (mut approvals, mut lost) = (voices.approvals, voices.lost);
        let (plan, rules) = (&planned.plan, &planned.rules);
        let base = rules.base.as_ref();
        let own = self.engine.approvals_with(environment, &planned.digest, base, &excluded)?;
        lost.extend(own.refused.into_iter().map(Lost::by_command));
        for earlier in &kept {
            if bound(&earlier.plan, earlier.conditions.as_deref()) == wanted {
                let carried =
                    approving::carried(self.engine, &earlier.plan, plan, rules, &excluded)?;
                approvals.extend(carried.approvals);
                lost.extend(carried.refused.into_iter().map(Lost::by_command));
            }
        }
        let reviews = Reviews { approvals, excluded, brought: None };
        planned.standing = self.engine.standing_with(plan, &reviews, base)?;
        lost.sort();
        lost.dedup();
        planned.lost = lost;
        Ok(remarks)
    }

    /// In a merge queue, a plan must be made of what was reviewed: nobody looks at it again.
    pub(super) fn queue(&self, report: &mut Report) -> Result<(), ReviewError> {
        let Event::Queue { number: Some(number), .. } = self.place.event else { return Ok(()) };
        let environment = report.environment.clone();
        let Verdict::Plan(planned) = &mut report.verdict else { return Ok(()) };
        if planned.is_nothing() {
            return Ok(());
        }
        let touched = self.scope.environments.get(&environment);
        let applied = self.engine.last_applied(&environment)?.and_then(Provenance::commit);
        let base = match &applied {
            Some(commit) if dax_engine::is_ancestor(&self.options.folder, &commit.id, "HEAD")? => {
                Some(commit.id.as_str())
            }
            _ => touched.and_then(|touched| touched.base.as_deref()),
        };
        let pending = self.changes.queued(self.options, self.place, base, number)?;
        let sources = pending.sources(self.engine, &environment)?;
        let mut candidates = Vec::new();
        for (change, source) in sources.iter().enumerate() {
            let Some(request) = &source.change else { continue };
            let of_head = |plan: &&Shown| plan.certain && same_commit(&plan.commit, &request.head);
            for plan in distinct(&source.standing()).into_iter().filter(of_head) {
                let plan = plan.clone();
                candidates.push(Candidate { change, plan, made: Made::Before, approved: false });
            }
            if request.number == number {
                planned.before = plans::newest(source.plans.clone());
            }
        }
        let wanted = planned.rules.wanted(&planned.plan, &self.place.commit);
        if let Backing::Lacks(lacks) = backing(&wanted, &candidates) {
            let mut lines: Vec<String> =
                lacks.iter().filter_map(|part| words(part, &planned.plan)).collect();
            lines.dedup();
            planned.unseen = true;
            let what = if lines.is_empty() { "its steps".to_owned() } else { lines.join(", ") };
            let text = format!(
                "what would be applied was not shown for the {}s in the queue: {what}",
                self.forge.request()
            );
            planned.policies.insert(0, text);
        }
        Ok(())
    }
}
