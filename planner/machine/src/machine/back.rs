//! The way back: step by step, the latest first, each by its inverse.

use super::{Command, Machine, Phase, Status, ids};
use crate::journal::{Entry, Outcome};
use dax_core::{Name, ResourceAddr};
use dax_plan::StepId;
use dax_plan::model::{InverseClass, OnFailure};
use std::collections::BTreeSet;

impl Machine {
    /// Whether everything goes back, whatever is past its rollback point.
    fn takes_all_back(&self) -> bool {
        self.plan.on_failure == OnFailure::RollbackAll || self.aborted
    }

    /// Which groups are not past their rollback point; all of them are not where everything is taken back.
    fn open_groups(&self, all: bool) -> Vec<bool> {
        let unfinished = |group: usize| {
            self.groups.steps(group).iter().any(|step| self.get(*step) != Status::Done)
        };
        (0..self.groups.count()).map(|group| all || unfinished(group)).collect()
    }

    /// Finds what is to be taken back.
    pub(super) fn plan_the_way_back(&mut self) {
        let open = self.open_groups(self.takes_all_back());
        let begun = |status| {
            matches!(
                status,
                Status::Done | Status::Failed | Status::Running | Status::Undoing | Status::Open
            )
        };
        let goes = |step: &StepId| {
            begun(self.get(*step)) && open.get(self.groups.with(*step)).is_some_and(|open| *open)
        };
        self.going_back = ids(self.plan.steps.len()).filter(goes).collect();
    }

    /// Takes back the next step.
    pub(super) fn go_back(&mut self, now_ms: u64, out: &mut Vec<Command>) {
        if let Some((step, message)) = self.stuck.take() {
            return self.finish(Outcome::Stuck { step, message }, out);
        }
        let Some(step) = self.going_back.pop() else {
            let (step, message) = self.failure.clone().unwrap_or_default();
            return self.finish(Outcome::RolledBack { step, message }, out);
        };
        let class = self.plan.step(step).map(|planned| planned.inverse.class);
        if class == Some(InverseClass::None) {
            self.set(step, Status::Kept);
            let reason = "it has no way back".to_owned();
            return out.push(Command::Write(Entry::Kept { step, by: None, reason }));
        }
        self.set(step, Status::Undoing);
        self.attempts.remove(&step);
        out.push(Command::Write(Entry::UndoIntent { step, at_ms: now_ms }));
        self.undo(step, 0, out);
    }

    pub(super) fn undo(&mut self, step: StepId, operation: usize, out: &mut Vec<Command>) {
        self.forced = false;
        let operations = self.plan.step(step).map_or(0, |planned| planned.inverse.operations.len());
        if operation < operations {
            self.undoing = Some((step, operation));
            out.push(Command::Undo(step, operation));
        } else {
            self.undoing = None;
            self.set(step, Status::Undone);
            out.push(Command::Write(Entry::Undone { step }));
        }
    }

    /// Leaves a step as it is because a person says so, while the run goes back. The entry to write comes back.
    pub fn keep(&mut self, step: StepId, by: &Name, reason: &str) -> Option<Entry> {
        if self.phase != Phase::Back || self.get(step) != Status::Undoing {
            return None;
        }
        let entry = Entry::Kept { step, by: Some(by.clone()), reason: reason.to_owned() };
        self.replay(&entry);
        Some(entry)
    }

    /// Services whose steps are all done and stay so: they are past their rollback point.
    pub fn complete_services(&self) -> BTreeSet<&ResourceAddr> {
        // With everything taken back nothing is complete, not even what had no steps.
        let open = self.open_groups(self.failure.is_some() && self.takes_all_back());
        self.plan
            .result
            .keys()
            .filter(|addr| {
                let group = self.groups.group_of(addr);
                !group.and_then(|group| open.get(group)).is_some_and(|open| *open)
            })
            .collect()
    }
}
