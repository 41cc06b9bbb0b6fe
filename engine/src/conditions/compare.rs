//! Changes of conditions, in the words of a reviewer and with names.
//!
//! Invariant: a change that allows what was not allowed before loosens, and so does one of which
//! that cannot be told. What only tightens does not.

use super::change::{ConditionChange, ConditionKind, policy_name};
use super::{
    AfterRule, ApprovalRule, Conditions, StepGate, WindowRule, is_same, strategies, windows,
};
use dax_core::Name;
use std::collections::BTreeSet;

/// Changes from old conditions to new ones; none of equal ones.
pub fn compare(old: &Conditions, new: &Conditions) -> Vec<ConditionChange> {
    let mut all = Vec::new();
    approvals(old, new, &mut all);
    groups(old, new, &mut all);
    gates(old, new, &mut all);
    strategies::changes(old, new, &mut all);
    signers(old, new, &mut all);
    times(old, new, &mut all);
    after(old, new, &mut all);
    failure(old, new, &mut all);
    protection(old, new, &mut all);
    policies(old, new, &mut all);
    if old.preview != new.preview {
        let what = if new.preview {
            "it becomes a preview environment: made and removed with a change request"
        } else {
            "it is a preview environment no more"
        };
        all.push(ConditionChange {
            kind: ConditionKind::Preview,
            what: what.to_owned(),
            before: Some(old.preview.to_string()),
            after: Some(new.preview.to_string()),
            loosens: new.preview,
        });
    }
    all
}

/// Whether the people whom a new rule asks are all among those whom an old one asked.
fn is_covered(new: &Conditions, rule: &ApprovalRule, old: &Conditions, by: &ApprovalRule) -> bool {
    if by.of.is_empty() {
        return true;
    }
    let person = |who: &Name| {
        by.of.iter().any(|name| match old.groups.get(name) {
            Some(members) => members.iter().any(|member| is_same(member, who)),
            None => is_same(name, who),
        })
    };
    let covered = |name: &Name| match new.groups.get(name) {
        Some(members) => members.iter().all(person),
        None => person(name),
    };
    !rule.of.is_empty() && rule.of.iter().all(covered)
}

/// Whether whoever satisfies a new rule has satisfied an old one.
fn is_implied(old: &Conditions, by: &ApprovalRule, new: &Conditions, rule: &ApprovalRule) -> bool {
    rule.count >= by.count && is_covered(new, rule, old, by)
}

/// Whether whoever satisfies the new approval rules has satisfied an old one.
pub(super) fn is_kept(old: &Conditions, rule: &ApprovalRule, new: &Conditions) -> bool {
    rule.count == 0 || new.approvals.iter().any(|other| is_implied(old, rule, new, other))
}

/// Reports whether a gate of an old strategy still holds the service up, at no more traffic than
/// before. Each new gate stands for one old gate alone.
pub(super) fn is_gate_kept(old: &Conditions, gate: &StepGate, new: &Conditions) -> bool {
    let mut free: Vec<&StepGate> = new.gates.iter().collect();
    let mut left: Vec<&StepGate> = Vec::new();
    // Those that stay as they are stand for themselves.
    for one in &old.gates {
        let same =
            |other: &&StepGate| *other == one && is_implied(old, &one.rule, new, &other.rule);
        match free.iter().position(same) {
            Some(at) => drop(free.remove(at)),
            None => left.push(one),
        }
    }
    left.sort_by_key(|one| one.weight);
    left.retain(|one| {
        let holds = |other: &StepGate| {
            other.service == one.service
                && other.weight <= one.weight
                && is_implied(old, &one.rule, new, &other.rule)
        };
        let fits = (0..free.len()).filter(|at| holds(free[*at]));
        match fits.max_by_key(|at| free[*at].weight) {
            Some(at) => {
                free.remove(at);
                false
            }
            None => true,
        }
    });
    !left.contains(&gate)
}

/// A rule with the names of those whom it asks: `1 of team:sre (ann, bob)`.
pub(super) fn rule_text(conditions: &Conditions, rule: &ApprovalRule) -> String {
    let count = rule.count;
    if rule.of.is_empty() {
        return if count == 1 { "1 person".to_owned() } else { format!("{count} people") };
    }
    let of = rule.of.iter().map(|name| match conditions.groups.get(name) {
        Some(members) => format!("{name} ({})", row(members)),
        None => name.to_string(),
    });
    format!("{count} of {}", of.collect::<Vec<_>>().join(", "))
}

fn row<'n>(names: impl IntoIterator<Item = &'n Name>) -> String {
    let all: Vec<&str> = names.into_iter().map(Name::as_str).collect();
    if all.is_empty() { "nobody".to_owned() } else { all.join(", ") }
}

/// What one list has and the other has not, each as often as it has it more.
fn apart<'a, T: PartialEq>(one: &'a [T], other: &'a [T]) -> Vec<&'a T> {
    let mut left: Vec<&T> = other.iter().collect();
    let missing = one.iter().filter(|item| match left.iter().position(|known| known == item) {
        Some(at) => {
            left.remove(at);
            false
        }
        None => true,
    });
    missing.collect()
}

fn approvals(old: &Conditions, new: &Conditions, all: &mut Vec<ConditionChange>) {
    let gone = apart(&old.approvals, &new.approvals);
    let came = apart(&new.approvals, &old.approvals);
    for at in 0..gone.len().max(came.len()) {
        let (before, after) = (gone.get(at), came.get(at));
        all.push(ConditionChange {
            kind: ConditionKind::Approvals,
            what: "approvals".to_owned(),
            before: before.map(|rule| rule_text(old, rule)),
            after: after.map(|rule| rule_text(new, rule)),
            loosens: before.is_some_and(|rule| !is_kept(old, rule, new))
                || after.is_some_and(|rule| {
                    is_out_of_reach(new, rule) || is_of_strangers(old, new, rule)
                }),
        });
    }
}

/// Reports whether a rule asks for more approvals than there are people who may give them: it would
/// lock the environment, so those who guard it so far are asked.
fn is_out_of_reach(conditions: &Conditions, rule: &ApprovalRule) -> bool {
    let is_open = rule.of.is_empty() || rule.of.iter().any(|name| name.contains('/'));
    let known = conditions.members(&rule.of).len();
    !is_open && u32::try_from(known).is_ok_and(|known| known < rule.count)
}

/// Reports whether a new rule can be satisfied only with people whom no older rule names: names of
/// nobody would lock the environment, so those who guard it so far are asked.
fn is_of_strangers(old: &Conditions, new: &Conditions, rule: &ApprovalRule) -> bool {
    let guards = &old.approvals;
    if guards.is_empty() || rule.of.is_empty() || guards.iter().any(|one| one.of.is_empty()) {
        return false;
    }
    let same_team = |name: &Name| {
        name.contains('/') && guards.iter().any(|one| one.of.iter().any(|of| is_same(of, name)))
    };
    if rule.of.iter().any(same_team) {
        return false;
    }
    let known: BTreeSet<Name> = guards.iter().flat_map(|one| old.members(&one.of)).collect();
    let members = new.members(&rule.of);
    let met = members.iter().filter(|who| known.iter().any(|one| is_same(one, who))).count();
    u32::try_from(met).is_ok_and(|met| met < rule.count)
}

/// Whether rules name a group.
fn names(conditions: &Conditions, group: &Name) -> bool {
    conditions.rules().any(|rule| rule.of.contains(group))
}

fn groups(old: &Conditions, new: &Conditions, all: &mut Vec<ConditionChange>) {
    let named: BTreeSet<&Name> = old.groups.keys().chain(new.groups.keys()).collect();
    for group in named.into_iter().filter(|group| names(old, group) && names(new, group)) {
        let empty = BTreeSet::new();
        let before = old.groups.get(group).unwrap_or(&empty);
        let after = new.groups.get(group).unwrap_or(&empty);
        let lacks = |set: &BTreeSet<Name>, who: &&Name| !set.iter().any(|one| is_same(one, who));
        let gained: Vec<&Name> = after.iter().filter(|who| lacks(before, who)).collect();
        let lost: Vec<&Name> = before.iter().filter(|who| lacks(after, who)).collect();
        let mut said = Vec::new();
        if !gained.is_empty() {
            said.push(format!("gains {}", row(gained.iter().copied())));
        }
        if !lost.is_empty() {
            said.push(format!("loses {}", row(lost.iter().copied())));
        }
        let becomes = old.groups.contains_key(group) != new.groups.contains_key(group);
        if becomes {
            let is =
                if new.groups.contains_key(group) { "is a group of" } else { "is no group of" };
            said.push(format!("{is} dax.mod now"));
        }
        if !said.is_empty() {
            all.push(ConditionChange {
                kind: ConditionKind::Group,
                what: format!("{group} {}", said.join(" and ")),
                before: Some(row(before)),
                after: Some(row(after)),
                // A name that is no group means a person or a team.
                loosens: (!gained.is_empty() || becomes)
                    || (!lost.is_empty()
                        && new
                            .approvals
                            .iter()
                            .any(|rule| rule.of.contains(group) && is_out_of_reach(new, rule))),
            });
        }
    }
}

fn gates(old: &Conditions, new: &Conditions, all: &mut Vec<ConditionChange>) {
    let mut came = apart(&new.gates, &old.gates);
    for gate in apart(&old.gates, &new.gates) {
        let same = |other: &&StepGate| other.service == gate.service && other.step == gate.step;
        let other = came.iter().position(same).map(|at| came.remove(at));
        all.push(ConditionChange {
            kind: ConditionKind::StepGate,
            what: gate_name(gate),
            before: Some(gate_text(old, gate)),
            after: other.map(|other| gate_text(new, other)),
            loosens: !is_gate_kept(old, gate, new),
        });
    }
    all.extend(came.into_iter().map(|gate| ConditionChange {
        kind: ConditionKind::StepGate,
        what: gate_name(gate),
        before: None,
        after: Some(gate_text(new, gate)),
        loosens: false,
    }));
}

pub(super) fn gate_name(gate: &StepGate) -> String {
    format!("gate of {} of {}", gate.step, gate.service.name())
}

pub(super) fn gate_text(conditions: &Conditions, gate: &StepGate) -> String {
    let rule = rule_text(conditions, &gate.rule);
    match gate.weight {
        0 => rule,
        weight if weight % 100 == 0 => format!("{rule} at {} % of the traffic", weight / 100),
        weight => format!("{rule} at {}.{:02} % of the traffic", weight / 100, weight % 100),
    }
}

fn signers(old: &Conditions, new: &Conditions, all: &mut Vec<ConditionChange>) {
    let (what, loosens) = match (&old.signers, &new.signers) {
        (None, None) => return,
        (Some(_), None) => {
            ("approvals of `dax approve` need no signature any more".to_owned(), true)
        }
        (None, Some(_)) => ("approvals of `dax approve` must be signed".to_owned(), false),
        (Some(before), Some(after)) => {
            let gained = row_of_lines(after.difference(before));
            let lost = row_of_lines(before.difference(after));
            match (gained, lost) {
                (None, None) => return,
                (Some(gained), None) => (format!("the allowed signers gain {gained}"), true),
                (None, Some(lost)) => (format!("the allowed signers lose {lost}"), false),
                (Some(gained), Some(lost)) => {
                    (format!("the allowed signers gain {gained} and lose {lost}"), true)
                }
            }
        }
    };
    let count = |lines: &Option<BTreeSet<String>>| {
        lines.as_ref().map(|lines| format!("{} keys", lines.len()))
    };
    let (before, after) = (count(&old.signers), count(&new.signers));
    all.push(ConditionChange { kind: ConditionKind::Signers, what, before, after, loosens });
}

/// Principals and the ends of their keys; nothing of no lines.
fn row_of_lines<'l>(lines: impl Iterator<Item = &'l String>) -> Option<String> {
    let short = |line: &String| {
        let principals = line.split_whitespace().next().unwrap_or_default();
        let end: String = line.chars().rev().take(12).collect();
        let end: String = end.chars().rev().collect();
        format!("{principals} (…{end})")
    };
    let all: Vec<String> = lines.map(short).collect();
    (!all.is_empty()).then(|| all.join(", "))
}

fn times(old: &Conditions, new: &Conditions, all: &mut Vec<ConditionChange>) {
    if old.windows == new.windows {
        return;
    }
    let text = |windows: &[WindowRule]| {
        let all: Vec<String> = windows.iter().map(window_text).collect();
        if all.is_empty() { "at any time".to_owned() } else { all.join("; ") }
    };
    all.push(ConditionChange {
        kind: ConditionKind::Windows,
        what: "windows".to_owned(),
        before: Some(text(&old.windows)),
        after: Some(text(&new.windows)),
        loosens: !windows::is_within(&new.windows, &old.windows),
    });
}

pub(super) fn window_text(window: &WindowRule) -> String {
    let WindowRule { days, from, to, zone } = window;
    format!("{} {from}–{to} {zone}", days.join(", "))
}

fn after(old: &Conditions, new: &Conditions, all: &mut Vec<ConditionChange>) {
    let mut came = apart(&new.after, &old.after);
    for rule in apart(&old.after, &new.after) {
        let same = |other: &&AfterRule| other.environment == rule.environment;
        let other = came.iter().position(same).map(|at| came.remove(at));
        all.push(ConditionChange {
            kind: ConditionKind::After,
            what: format!("after {}", rule.environment),
            before: Some(after_text(rule)),
            after: other.map(after_text),
            loosens: !new.after.iter().any(|other| is_as_late(other, rule)),
        });
    }
    all.extend(came.into_iter().map(|rule| ConditionChange {
        kind: ConditionKind::After,
        what: format!("after {}", rule.environment),
        before: None,
        after: Some(after_text(rule)),
        loosens: false,
    }));
}

/// Whether one rule asks all that another one asks.
fn is_as_late(new: &AfterRule, old: &AfterRule) -> bool {
    let valid = old.valid_ms == 0 || (1..=old.valid_ms).contains(&new.valid_ms);
    new.environment == old.environment
        && new.soak_ms >= old.soak_ms
        && (new.verified || !old.verified)
        && valid
}

pub(super) fn after_text(rule: &AfterRule) -> String {
    let mut all = vec!["applied".to_owned()];
    if rule.soak_ms > 0 {
        all.push(format!("soaked {}", dax_render::millis(rule.soak_ms)));
    }
    if rule.verified {
        all.push("verified".to_owned());
    }
    if rule.valid_ms > 0 {
        all.push(format!("not longer ago than {}", dax_render::millis(rule.valid_ms)));
    }
    all.join(", ")
}

fn failure(old: &Conditions, new: &Conditions, all: &mut Vec<ConditionChange>) {
    let said = |conditions: &Conditions| match conditions.on_failure.as_str() {
        "" => "rollback".to_owned(),
        policy => policy.to_owned(),
    };
    let (before, after) = (said(old), said(new));
    if before == after {
        return;
    }
    // To hold leaves the service as it is, which is more or less than to take back.
    let tightens = before == "continue" || (before == "rollback" && after == "rollback_all");
    all.push(ConditionChange {
        kind: ConditionKind::OnFailure,
        what: "on failure".to_owned(),
        before: Some(before),
        after: Some(after),
        loosens: !tightens,
    });
}

fn protection(old: &Conditions, new: &Conditions, all: &mut Vec<ConditionChange>) {
    for addr in old.protected.symmetric_difference(&new.protected) {
        let was = old.protected.contains(addr);
        let said = Some("from destroy".to_owned());
        all.push(ConditionChange {
            kind: ConditionKind::Protect,
            what: format!("`protect` of {}", addr.name()),
            before: said.clone().filter(|_| was),
            after: said.filter(|_| !was),
            loosens: was,
        });
    }
}

fn policies(old: &Conditions, new: &Conditions, all: &mut Vec<ConditionChange>) {
    let mut came = apart(&new.policies, &old.policies);
    let text = |phase: &Name, digest: &Name| {
        let digits: String = digest.chars().take(12).collect();
        format!("on {phase}, {digits}")
    };
    for policy in apart(&old.policies, &new.policies) {
        let other = came.iter().position(|other| other.name == policy.name);
        let other = other.map(|at| came.remove(at));
        all.push(ConditionChange {
            kind: ConditionKind::Policy,
            what: policy_name(&policy.name),
            before: Some(text(&policy.phase, &policy.digest)),
            after: other.map(|other| text(&other.phase, &other.digest)),
            loosens: true,
        });
    }
    all.extend(came.into_iter().map(|policy| ConditionChange {
        kind: ConditionKind::Policy,
        what: policy_name(&policy.name),
        before: None,
        after: Some(text(&policy.phase, &policy.digest)),
        loosens: false,
    }));
}
