//! Conditions of an environment: who approves, when, after what, by which policies, and what it
//! keeps when a step fails, and how new revisions take over.
//!
//! They are plain data, so that those of a commit, those recorded with the last apply and those of
//! the program can be held against each other. Invariant: what decides whether a plan may run, and
//! is no part of the plan's own effect, stands here.

pub mod asked;
mod change;
mod compare;
mod reading;
mod recording;
mod steps;
mod strategies;
mod summary;
mod windows;

#[cfg(test)]
mod stories;
#[cfg(test)]
mod tests;

pub use change::{ConditionChange, ConditionKind};
pub use compare::compare;
pub use reading::{Base, RecordedConditions};
pub(crate) use reading::{LARGEST_SIGNERS, OwnConditions, of_plan};

use dax_core::{Name, ResourceAddr};
use dax_ir::Environment;
use dax_project::Loaded;
use dax_store::Approval;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Conditions of an environment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Conditions {
    /// Approval rules, each of which must hold.
    pub approvals: Vec<ApprovalRule>,
    /// Members of each group that a rule names, as `dax.mod` lists them.
    pub groups: BTreeMap<Name, BTreeSet<Name>>,
    /// Lines of the allowed signers; approvals of the state need no signature without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signers: Option<BTreeSet<String>>,
    /// Times at which it may be changed; at any time without one.
    pub windows: Vec<WindowRule>,
    /// Environments that come first.
    pub after: Vec<AfterRule>,
    /// Policy when a step fails: `rollback`, `rollback_all`, `hold` or `continue`.
    pub on_failure: Name,
    /// Services that may not be destroyed.
    pub protected: BTreeSet<ResourceAddr>,
    /// Approval gates within the strategies of services.
    pub gates: Vec<StepGate>,
    /// Strategies of services without their gates, each once.
    pub strategies: Vec<StrategyRule>,
    /// Policies that hold for it.
    pub policies: Vec<PolicyRule>,
    /// Whether it is made and removed with a change request.
    pub preview: bool,
}

/// An approval rule: so many of these.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ApprovalRule {
    /// How many approvals it takes.
    pub count: u32,
    /// Groups, teams and people who may approve; anybody when it is empty.
    pub of: Vec<Name>,
}

/// A time at which an environment may be changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct WindowRule {
    /// Days of the week by their first three letters.
    pub days: Vec<Name>,
    /// Its first minute, `HH:MM`.
    pub from: Name,
    /// The minute after its last; not later than `from` means the next day.
    pub to: Name,
    /// The time zone by its IANA name.
    pub zone: Name,
}

/// An environment that comes first.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AfterRule {
    /// Which one.
    pub environment: Name,
    /// How long ago it was applied at least, in milliseconds.
    pub soak_ms: u64,
    /// Whether an analysis must have passed there.
    pub verified: bool,
    /// How long that counts, in milliseconds; zero for ever.
    pub valid_ms: u64,
}

/// An approval gate of a step of a strategy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct StepGate {
    /// The service.
    pub service: ResourceAddr,
    /// The step in words: `canary step 2`.
    pub step: String,
    /// Traffic of the new revision while it waits, in hundredths of a percent.
    pub weight: u32,
    /// Who approves.
    pub rule: ApprovalRule,
}

/// A strategy of services: how a new revision of them takes over.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct StrategyRule {
    /// Its kind: `canary`.
    pub kind: Name,
    /// Its fields as texts, item by item, approval gates left out.
    pub fields: BTreeMap<Name, Vec<String>>,
    /// The services.
    pub services: BTreeSet<ResourceAddr>,
}

/// A policy that holds for an environment.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PolicyRule {
    /// Its name; of an imported module with the module's path before it.
    pub name: Name,
    /// The phase in which it is asked.
    pub phase: Name,
    /// A digest of what decides about its answer.
    pub digest: Name,
}

/// Whether two names mean the same person or team: letter case does not count at code hosts.
pub(crate) fn is_same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}

impl Conditions {
    /// The conditions of an environment of a program; `signers` is the text of the file that
    /// `dax.mod` names.
    pub fn of(loaded: &Loaded, environment: &Environment, signers: Option<&str>) -> Self {
        let approvals = environment.approvals.iter();
        let mut found = Self {
            approvals: approvals
                .map(|one| ApprovalRule { count: one.count, of: one.of.clone() })
                .collect(),
            groups: BTreeMap::new(),
            signers: signers.map(signer_lines),
            windows: environment.windows.iter().map(window).collect(),
            after: environment.after.iter().map(after).collect(),
            on_failure: environment.on_failure.clone(),
            protected: BTreeSet::new(),
            gates: environment.services.values().flat_map(gates).collect(),
            strategies: strategies::rules(environment.services.values()),
            policies: loaded.policies(&environment.name).into_iter().map(policy).collect(),
            preview: environment.preview,
        };
        let protected = environment.services.values().filter(|service| service.protected);
        found.protected = protected.map(|service| service.addr.clone()).collect();
        found.groups = loaded
            .manifest
            .groups
            .iter()
            .filter(|(name, _)| found.rules().any(|rule| rule.of.iter().any(|of| of == *name)))
            .map(|(name, members)| (name.clone(), members.iter().cloned().collect()))
            .collect();
        found.approvals.sort();
        found.windows.sort();
        found.after.sort();
        found.gates.sort();
        found
    }

    /// A digest of all of them.
    pub fn digest(&self) -> Name {
        let bytes = serde_json::to_vec(self).unwrap_or_default();
        Name::new(blake3::hash(&bytes).to_hex().as_str())
    }

    /// The rules of approvals, those of steps included.
    pub(crate) fn rules(&self) -> impl Iterator<Item = &ApprovalRule> {
        self.approvals.iter().chain(self.gates.iter().map(|gate| &gate.rule))
    }

    /// Whether an approval is by one of those that a rule names.
    ///
    /// Who belongs to a group is what these conditions say; who belongs to a team of a code host,
    /// whose name has a `/`, was asked there and stands in the approval.
    pub fn may_approve(&self, of: &[Name], approval: &Approval) -> bool {
        let is_named = |name: &Name| match self.groups.get(name) {
            Some(members) => {
                approval.names().any(|by| members.iter().any(|member| is_same(member, by)))
            }
            None if name.contains('/') => approval.groups.iter().any(|team| is_same(team, name)),
            None => approval.names().any(|by| is_same(name, by)),
        };
        of.is_empty() || of.iter().any(is_named)
    }

    /// People who may approve by a rule, as far as they are known: members of its groups and people
    /// that it names.
    pub fn members(&self, of: &[Name]) -> BTreeSet<Name> {
        let mut all = BTreeSet::new();
        for name in of {
            match self.groups.get(name) {
                Some(members) => all.extend(members.iter().cloned()),
                None if !name.contains(['/', ':']) || name.starts_with("id:") => {
                    all.insert(name.clone());
                }
                None => {}
            }
        }
        all
    }

    /// The allowed signers as a text.
    pub(crate) fn signers_text(&self) -> Option<String> {
        let lines = self.signers.as_ref()?;
        Some(lines.iter().map(|line| format!("{line}\n")).collect())
    }
}

/// Lines of allowed signers that say something.
fn signer_lines(text: &str) -> BTreeSet<String> {
    let lines = text.lines().map(str::trim);
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect()
}

fn window(window: &dax_ir::Window) -> WindowRule {
    WindowRule {
        days: window.days.clone(),
        from: window.from.clone(),
        to: window.to.clone(),
        zone: window.zone.clone(),
    }
}

fn after(after: &dax_ir::After) -> AfterRule {
    AfterRule {
        environment: after.environment.clone(),
        soak_ms: after.soak_ms,
        verified: after.verified,
        valid_ms: after.valid_ms,
    }
}

fn policy(policy: dax_project::Policy) -> PolicyRule {
    PolicyRule { name: policy.name, phase: policy.phase, digest: policy.digest }
}

/// The gates of a service's strategy. Fields: `Step` and `Preview` of `std/strategy`.
fn gates(service: &dax_ir::Service) -> Vec<StepGate> {
    let config = service.strategy.config.value();
    let kind = &service.strategy.kind;
    let mut all = Vec::new();
    for list in ["step", "preview"] {
        let steps = config.get(list).map_or(&[][..], dax_core::Value::items);
        for (at, step) in steps.iter().enumerate() {
            let count = step.get("approve").and_then(dax_core::Value::as_int).unwrap_or(0);
            let Some(count) = u32::try_from(count).ok().filter(|count| *count > 0) else {
                continue;
            };
            let of = step.get("of").map_or(&[][..], dax_core::Value::items);
            let of = of.iter().filter_map(|name| Some(Name::new(name.as_str()?))).collect();
            let percent = step.get("weight").and_then(dax_core::Value::as_f64).unwrap_or(0.0);
            all.push(StepGate {
                service: service.addr.clone(),
                step: format!("{kind} {list} {}", at + 1),
                weight: hundredths(percent),
                rule: ApprovalRule { count, of },
            });
        }
    }
    all
}

/// A share in hundredths of a percent.
fn hundredths(percent: f64) -> u32 {
    let text = format!("{:.0}", (percent * 100.0).clamp(0.0, 10_000.0));
    text.parse().unwrap_or(10_000)
}
