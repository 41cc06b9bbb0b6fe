//! The decision who must approve: by the rules of the program, and by older ones that a change
//! loosens.
//!
//! Pure over plain data, so that a model of the whole protocol can ask it. Invariant: who guarded
//! an environment before a change of its conditions approves that change, or the change guards at
//! least as well; each set of conditions judges by its own groups who somebody is.

use super::compare::is_gate_kept;
use super::{ApprovalRule, ConditionChange, Conditions, compare};
use crate::signing::Principals;
use dax_apply::approvals::people;
use dax_plan::model::ApprovalGate;
use dax_render::{Progress, Rule};
use dax_store::Approval;
use std::collections::BTreeSet;

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
    let all = old.iter().map(|(_, conditions)| *conditions).chain([new]);
    let signers = all.filter_map(|conditions| conditions.signers.as_ref()).flatten();
    let principals = Principals::of(signers.map(String::as_str));
    let far = |rule: &ApprovalRule, whose: Rule, conditions: &Conditions| {
        far(rule, whose, conditions, approvals, &principals)
    };
    if !is_empty {
        let own = gates.iter().map(|gate| ApprovalRule { count: gate.count, of: gate.of.clone() });
        let mut rules: Vec<ApprovalRule> = Vec::new();
        for rule in own.chain(new.approvals.iter().cloned()) {
            if !rules.contains(&rule) {
                rules.push(rule);
            }
        }
        found.progress = rules.iter().map(|rule| far(rule, Rule::Program, new)).collect();
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
            let one = far(rule, *whose, before);
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
    principals: &Principals,
) -> Progress {
    // One person is one, however the name is written and whoever the key signs for.
    let names = |approval: &Approval| -> BTreeSet<String> {
        let own = approval.names().map(|name| name.to_ascii_lowercase());
        let all = own.flat_map(|name| {
            let beside: Vec<String> = principals.beside(&name).map(str::to_owned).collect();
            beside.into_iter().chain([name])
        });
        all.collect()
    };
    let counting = approvals.iter().filter(|approval| conditions.may_approve(&rule.of, approval));
    let approved = people(counting, &names).into_iter().map(|one| one.by.clone()).collect();
    Progress {
        needed: rule.count,
        of: rule.of.clone(),
        members: conditions.members(&rule.of).into_iter().collect(),
        approved,
        rule: whose,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dax_core::Name;

    fn approval(by: &str, names: &[&str]) -> Approval {
        Approval {
            digest: Name::default(),
            step: None,
            by: by.into(),
            groups: Vec::new(),
            reason: String::new(),
            at_ms: 0,
            signature: None,
            names: names.iter().map(|name| Name::new(*name)).collect(),
        }
    }

    #[test]
    fn the_principals_of_one_key_are_one_person() {
        let rule = ApprovalRule { count: 2, of: Vec::new() };
        let line = |names: &str| format!("{names} ssh-ed25519 AAAA1");
        let signers = |names: &str| Some(BTreeSet::from([line(names)]));
        let conditions = |signers| Conditions {
            approvals: vec![rule.clone()],
            signers,
            ..Conditions::default()
        };
        let by = |old: &Conditions, new: &Conditions, approvals: &[Approval]| {
            let old = [(Rule::Applied, old)];
            let question = Question { gates: &[], is_empty: false, new, old: &old, approvals };
            answer(&question).progress.iter().map(|one| one.approved.len()).max()
        };
        // A review by the login, and an approval under another name of the same line.
        let own = conditions(signers("ann@example.com,ann"));
        let both = [approval("ann", &[]), approval("ann@example.com", &[])];
        assert_eq!(by(&own, &own, &both), Some(1));
        // Also where only the older ones say so.
        assert_eq!(by(&own, &conditions(signers("ann")), &both), Some(1));
        let apart = conditions(signers("ann"));
        assert_eq!(by(&apart, &apart, &both), Some(2));
        // Other names of an account are that account.
        let none = conditions(None);
        let one = [approval("ann", &["id:7"]), approval("ID:7", &[])];
        assert_eq!(by(&none, &none, &one), Some(1));
    }
}
