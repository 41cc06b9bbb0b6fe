//! The decision who must approve: by the rules of the program, and by older ones that a change
//! loosens.
//!
//! Pure over plain data, so that a model of the whole protocol can ask it. Invariant: who guarded
//! an environment before a change of its conditions approves that change, or the change guards at
//! least as well; each set of conditions judges by its own groups who somebody is.

use super::compare::is_gate_kept;
use super::{ApprovalRule, ConditionChange, Conditions, compare};
use dax_core::Name;
use dax_plan::model::ApprovalGate;
use dax_render::{Progress, Rule};
use dax_store::Approval;
use std::collections::BTreeMap;

/// A plan that somebody wants to apply, as far as approvals are concerned.
#[derive(Clone, Copy, Debug)]
pub struct Question<'q> {
    /// Approval gates of the plan; without any for a plan that does nothing.
    pub gates: &'q [ApprovalGate],
    /// Whether the plan does nothing, so that only its conditions may be new.
    pub is_empty: bool,
    /// Conditions of the program.
    pub new: &'q Conditions,
    /// Older conditions of the environment, with whose they are.
    pub old: &'q [(Rule, &'q Conditions)],
    /// Approvals of this plan as a whole: bound to its effect, and signed where they must be.
    pub approvals: &'q [Approval],
}

/// Approvals that it takes, and what must be looked at beside them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// Progress of each approval rule.
    pub progress: Vec<Progress>,
    /// Changes that loosen older conditions, each once.
    pub loosens: Vec<ConditionChange>,
    /// Older conditions that are loosened and that name nobody: their windows, order and policies
    /// must hold as well.
    pub recheck: Vec<Rule>,
}

impl Answer {
    /// Whether enough people have approved by every rule.
    pub fn is_approved(&self) -> bool {
        self.progress.iter().all(|one| one.lacking() == 0)
    }
}

/// Decides which approvals a plan takes, and how far each rule is.
pub fn answer(question: &Question<'_>) -> Answer {
    let Question { gates, is_empty, new, old, approvals } = *question;
    let mut found = Answer::default();
    if !is_empty {
        let own = gates.iter().map(|gate| ApprovalRule { count: gate.count, of: gate.of.clone() });
        let mut rules: Vec<ApprovalRule> = Vec::new();
        for rule in own.chain(new.approvals.iter().cloned()) {
            if !rules.contains(&rule) {
                rules.push(rule);
            }
        }
        found.progress =
            rules.iter().map(|rule| far(rule, Rule::Program, new, approvals)).collect();
    }
    for (whose, before) in old {
        let changes = compare(before, new).into_iter().filter(|change| change.loosens);
        let changes: Vec<ConditionChange> = changes.collect();
        if changes.is_empty() {
            continue;
        }
        for change in changes {
            if !found.loosens.contains(&change) {
                found.loosens.push(change);
            }
        }
        let rules = guards(before, new);
        if rules.is_empty() && !is_empty {
            found.recheck.push(*whose);
        }
        for rule in rules {
            let one = far(rule, *whose, before, approvals);
            let same = |known: &Progress| {
                known.needed == one.needed && known.of == one.of && known.members == one.members
            };
            // A rule of the program that stood there before is one that guards the change.
            match found.progress.iter_mut().find(|known| same(known)) {
                Some(known) if known.rule == Rule::Program => known.rule = *whose,
                Some(_) => {}
                None => found.progress.push(one),
            }
        }
    }
    found
}

/// Approval rules of older conditions that a change which loosens them must satisfy: those of the
/// environment, and those of steps of strategies that are gone or weaker.
fn guards<'c>(before: &'c Conditions, new: &Conditions) -> Vec<&'c ApprovalRule> {
    let own = before.approvals.iter().filter(|rule| rule.count > 0);
    let gates = before.gates.iter().filter(|gate| !is_gate_kept(before, gate, new));
    own.chain(gates.map(|gate| &gate.rule)).collect()
}

/// How far a rule is, by the groups of its own conditions.
fn far(
    rule: &ApprovalRule,
    whose: Rule,
    conditions: &Conditions,
    approvals: &[Approval],
) -> Progress {
    // One person is one, however the name is written.
    let by: BTreeMap<String, Name> = approvals
        .iter()
        .filter(|approval| conditions.may_approve(&rule.of, approval))
        .map(|approval| (approval.by.to_ascii_lowercase(), approval.by.clone()))
        .collect();
    Progress {
        needed: rule.count,
        of: rule.of.clone(),
        members: conditions.members(&rule.of).into_iter().collect(),
        approved: by.into_values().collect(),
        rule: whose,
    }
}
