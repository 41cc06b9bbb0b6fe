//! Blockers of a plan at this moment, and the progress of its approvals; the plan itself knows no
//! time.
//!
//! Invariant: an approval is counted here for the effect of the plan beside it, and for no other.

use crate::shorten;
use dax_core::Name;
use dax_plan::Plan;
use dax_plan::model::ApprovalGate;

/// Blockers of a plan at this moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Reasons why it may not be applied now, one sentence each; approvals stand in `approvals`.
    pub obstacles: Vec<String>,
    /// True when nothing but time blocks it.
    pub early: bool,
    /// Progress of each approval rule; empty means that nobody was asked yet.
    pub approvals: Vec<Progress>,
    /// Conditions that the program loosens, a line each.
    pub loosens: Vec<String>,
    /// Changes of strategies, a line each: those who guard the environment approve them as well.
    pub strategies: Vec<String>,
    /// Approvals that do not count, a sentence each, of people of whom none does.
    pub void: Vec<String>,
    /// Whether an approval of the state counts only when it is signed.
    pub signed: bool,
}

/// Conditions to which an approval rule belongs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rule {
    /// Those of the program that is planned.
    #[default]
    Program,
    /// Those of the commit that the change is made from.
    Base,
    /// Those that were recorded with the last apply.
    Applied,
}

/// Progress of an approval rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Approvals that it takes.
    pub needed: u32,
    /// Groups and people who may approve, as the rule names them; anybody when it is empty.
    pub of: Vec<Name>,
    /// People who may approve, as far as they are known.
    pub members: Vec<Name>,
    /// People whose approval counts.
    pub approved: Vec<Name>,
    /// Conditions that the rule belongs to.
    pub rule: Rule,
}

impl Progress {
    /// The progress of a rule of which nobody's approval is known.
    pub fn none(gate: &ApprovalGate) -> Self {
        Self { needed: gate.count, of: gate.of.clone(), ..Self::default() }
    }

    /// Approvals that are lacking.
    pub fn lacking(&self) -> u32 {
        self.needed.saturating_sub(u32::try_from(self.approved.len()).unwrap_or(u32::MAX))
    }

    /// The rule in words: `1 of team:sre`.
    pub fn rule_text(&self) -> String {
        let of: Vec<String> = self.of.iter().map(|name| shorten::name(name)).collect();
        let count = self.needed;
        let who = match (of.is_empty(), count) {
            (true, 1) => "1 person".to_owned(),
            (true, count) => format!("{count} people"),
            (false, count) => format!("{count} of {}", of.join(", ")),
        };
        match self.rule {
            Rule::Program => who,
            Rule::Base => format!("{who}, by the rule before this change"),
            Rule::Applied => format!("{who}, by the rule of the last apply"),
        }
    }

    /// The approvals that are lacking, with names: `1 of team:sre (ann, bob)`, `1 more of team:sre
    /// (1 of 2: ann; bob)`.
    pub fn lacking_text(&self) -> String {
        let waiting = names(self.members.iter().filter(|name| !self.approved.contains(name)));
        if self.approved.is_empty() {
            let who = self.rule_text();
            return if waiting.is_empty() { who } else { format!("{who} ({waiting})") };
        }
        let (rule, count) = (self.rule_text(), self.approved.len());
        let rest = match rule.split_once(' ').map_or("", |(_, rest)| rest) {
            "people" if self.lacking() == 1 => "person",
            rest => rest,
        };
        let waiting = if waiting.is_empty() { waiting } else { format!("; {waiting}") };
        let by = names(self.approved.iter());
        format!("{} more {rest} ({count} of {}: {by}{waiting})", self.lacking(), self.needed)
    }

    /// The progress in words: `0 of 1: ann, bob`, `1 of 1: approved by ann`.
    pub fn text(&self) -> String {
        let (count, needed) = (self.approved.len(), self.needed);
        let by = names(self.approved.iter());
        if count > needed as usize {
            return format!("approved by {by}");
        }
        let waiting = names(self.members.iter().filter(|name| !self.approved.contains(name)));
        let rest = match (self.approved.is_empty(), self.lacking() == 0 || waiting.is_empty()) {
            (true, true) => String::new(),
            (true, false) => format!(": {waiting}"),
            (false, true) => format!(": approved by {by}"),
            (false, false) => format!(": approved by {by}; waits for {waiting}"),
        };
        format!("{count} of {needed}{rest}")
    }
}

impl Standing {
    /// Reports whether conditions change in a way that those who guard the environment approve.
    pub fn is_loosened(&self) -> bool {
        !self.loosens.is_empty() || !self.strategies.is_empty()
    }

    /// The progress of each approval rule of a plan.
    pub fn progress(&self, plan: &Plan) -> Vec<Progress> {
        if self.approvals.is_empty() {
            return plan.approvals.iter().map(Progress::none).collect();
        }
        self.approvals.clone()
    }

    /// Rules of which an approval is lacking, a sentence each; then approvals that do not count.
    pub fn lacking(&self) -> Vec<String> {
        let lacking = self.approvals.iter().filter(|one| one.lacking() > 0);
        let mut all: Vec<String> =
            lacking.map(|one| format!("it needs the approval of {}", one.lacking_text())).collect();
        if !all.is_empty() {
            all.extend(self.void.iter().cloned());
        }
        all
    }
}

/// Names shown of many.
const NAMES: usize = 8;

/// Names in a row, so many of them.
fn names<'n>(names: impl Iterator<Item = &'n Name>) -> String {
    let all: Vec<String> = names.map(|name| shorten::name(name)).collect();
    let more = all.len().saturating_sub(NAMES);
    let shown = all[..all.len() - more].join(", ");
    if more > 0 { format!("{shown} and {more} more") } else { shown }
}

#[cfg(test)]
mod tests {
    use super::{Progress, Rule};

    fn two_of_sre(approved: &[&str]) -> Progress {
        Progress {
            needed: 2,
            of: vec!["team:sre".into()],
            members: ["ann", "bob", "cid"].map(Into::into).to_vec(),
            approved: approved.iter().map(|name| (*name).into()).collect(),
            rule: Rule::Program,
        }
    }

    #[test]
    fn progress_names_who_has_approved_and_who_may() {
        let texts: Vec<String> = [&[][..], &["ann"], &["ann", "bob"]]
            .into_iter()
            .map(two_of_sre)
            .map(|one| format!("{} | {}", one.text(), one.lacking_text()))
            .collect();
        insta::assert_snapshot!(texts.join("\n"), @r#"
    0 of 2: ann, bob, cid | 2 of team:sre (ann, bob, cid)
    1 of 2: approved by ann; waits for bob, cid | 1 more of team:sre (1 of 2: ann; bob, cid)
    2 of 2: approved by ann, bob | 0 more of team:sre (2 of 2: ann, bob; cid)
    "#);
    }

    #[test]
    fn a_rule_of_another_time_says_so() {
        let one = Progress { rule: Rule::Base, of: Vec::new(), ..two_of_sre(&[]) };
        insta::assert_snapshot!(one.lacking_text(), @r#"2 people, by the rule before this change (ann, bob, cid)"#);
    }
}
