//! Programs, their rules, and what people and the pipeline leave at a change request.

use super::{Account, Part, Shown};
use crate::pending::is_unspent;
use dax_engine::Name;
use dax_engine::conditions::{ApprovalRule, Conditions};
use std::collections::{BTreeMap, BTreeSet};

/// People who must approve, and how many of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rules {
    pub(super) count: usize,
    pub(super) members: BTreeSet<Account>,
}

impl Rules {
    pub(super) fn lacks(&self, approvers: &BTreeSet<Account>) -> bool {
        approvers.intersection(&self.members).count() < self.count
    }

    /// The same as dax knows them.
    pub(super) fn conditions(&self) -> Conditions {
        let team = Name::from("team:sre");
        let members = self.members.iter().map(|who| Name::from(format!("p{who}"))).collect();
        Conditions {
            approvals: vec![self.rule()],
            groups: BTreeMap::from([(team, members)]),
            ..Conditions::default()
        }
    }

    pub(super) fn rule(&self) -> ApprovalRule {
        let count = u32::try_from(self.count).expect("few people");
        ApprovalRule { count, of: vec![Name::from("team:sre")] }
    }

    /// Reports whether some approve under these whom the older ones did not ask for.
    pub(super) fn loosens(&self, old: &Self) -> bool {
        old.count > 0 && (self.count < old.count || !self.members.is_subset(&old.members))
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Program {
    pub(super) fields: BTreeMap<u8, u64>,
    pub(super) rules: Rules,
}

/// The content of a plan as it is shown: its parts, and a digest of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) effect: String,
    pub(super) parts: BTreeSet<Part>,
}

#[derive(Clone, Debug)]
pub(super) struct Approved {
    pub(super) commit: String,
    pub(super) at_s: u64,
    /// The effect that stood in the comment at that moment, as a person reads it.
    pub(super) read: Option<Page>,
}

#[derive(Debug)]
pub(super) struct Change {
    pub(super) author: Account,
    pub(super) pushers: BTreeSet<Account>,
    pub(super) head: String,
    /// Fields that it sets, and the rules that it wants.
    pub(super) edits: BTreeMap<u8, u64>,
    pub(super) rules: Option<Rules>,
    pub(super) merged: Option<usize>,
    pub(super) plans: Vec<Shown>,
    pub(super) comment: Option<Page>,
    pub(super) approvals: BTreeMap<Account, Approved>,
    /// When it was carried out last, by the record of the pipeline.
    pub(super) spent_s: Option<u64>,
    /// When it came to run last, as people know it.
    pub(super) ran_s: Option<u64>,
}

impl Change {
    /// The plans that may stand behind an apply.
    pub(super) fn standing(&self) -> Vec<Shown> {
        let spent_ms = self.spent_s.map(|spent| spent * 1000);
        let stands = |plan: &&Shown| is_unspent(plan.at_ms, spent_ms);
        self.plans.iter().filter(stands).cloned().collect()
    }

    pub(super) fn brings(&self, to: &Program) -> Program {
        let mut program = to.clone();
        program.fields.extend(&self.edits);
        if let Some(rules) = &self.rules {
            program.rules = rules.clone();
        }
        program
    }
}
