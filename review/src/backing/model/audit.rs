//! The other side, kept apart from the pipeline: who read what, and under which rules.

use super::program::{Approved, Page, Rules};
use super::{Account, Shown, World};
use std::collections::BTreeSet;

impl World {
    /// The same by the model's own reading of the rules.
    pub(super) fn lacks(&self, rules: &Rules, approvers: &BTreeSet<Account>) -> bool {
        let old = &self.running.rules;
        rules.lacks(approvers) || (rules.loosens(old) && old.lacks(approvers))
    }

    /// The other side of the story: each part that is applied stood before the eyes of enough
    /// people, as they approved it, whom the rules from before and those of the change ask for;
    /// none of them wrote it.
    pub(super) fn audit(&self, page: &Page, rules: &Rules, only_rules: bool, pending: &[usize]) {
        let old = &self.running.rules;
        let lacks = |approvers: &BTreeSet<Account>| {
            (!only_rules && rules.lacks(approvers)) || (rules.loosens(old) && old.lacks(approvers))
        };
        for part in &page.parts {
            // Whoever was shown to bring it last: what was taken back and brought again is another
            // change.
            let brings = |at: &usize| {
                let change = &self.changes[*at];
                let own = |plan: &&Shown| plan.certain && plan.commit == change.head;
                change.plans.iter().filter(own).any(|plan| plan.parts.contains(part))
            };
            let last = pending.iter().rposition(brings).unwrap_or(0);
            let backed = pending[last..].iter().any(|at| {
                let change = &self.changes[*at];
                let read = |approval: &&Approved| {
                    approval.read.as_ref().is_some_and(|page| page.parts.contains(part))
                };
                let approvers: BTreeSet<Account> = change
                    .approvals
                    .iter()
                    .filter(|(who, approval)| {
                        // What came to run once and was taken back is agreed to anew.
                        read(approval)
                            && change.ran_s.is_none_or(|ran| approval.at_s > ran)
                            && !pending.iter().any(|at| {
                                let other = &self.changes[*at];
                                let shown = other.plans.iter().filter(|plan| plan.certain);
                                let is_theirs =
                                    other.author == **who || other.pushers.contains(*who);
                                is_theirs && shown.into_iter().any(|plan| plan.parts.contains(part))
                            })
                    })
                    .map(|(who, _)| *who)
                    .collect();
                let was_shown = change.plans.iter().any(|plan| plan.parts.contains(part));
                was_shown && !lacks(&approvers)
            });
            assert!(backed, "{part:?} was applied without an agreement to it");
        }
    }
}
