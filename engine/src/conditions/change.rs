//! A change of a condition, in the words of a reviewer.

use super::PolicyRule;
use dax_core::Name;
use std::fmt;

/// Kind of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConditionKind {
    /// Approval rules of a plan.
    Approvals,
    /// Members of a group.
    Group,
    /// Keys that sign approvals.
    Signers,
    /// When the environment may be changed.
    Windows,
    /// Environments that come first.
    After,
    /// The policy when a step fails.
    OnFailure,
    /// Protection of a service from being destroyed.
    Protect,
    /// Approval rules of a step of a strategy.
    StepGate,
    /// The way in which new revisions of a service take over.
    Strategy,
    /// A policy.
    Policy,
    /// The mark of a preview environment.
    Preview,
}

/// A change of a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConditionChange {
    /// Its kind.
    pub kind: ConditionKind,
    /// The condition: `approvals`, `team:sre`, `policy "enough"`.
    pub what: String,
    /// The condition before; nothing where there was none.
    pub before: Option<String>,
    /// The condition after; nothing where there is none.
    pub after: Option<String>,
    /// True when it allows what was not allowed before, or when that cannot be told.
    pub loosens: bool,
}

impl ConditionChange {
    /// Reports whether it is a change of a policy.
    pub(crate) fn is_of(&self, policy: &PolicyRule) -> bool {
        self.kind == ConditionKind::Policy && self.what == policy_name(&policy.name)
    }
}

/// The name of a policy as a change says it.
pub(super) fn policy_name(name: &Name) -> String {
    format!("policy `{name}`")
}

impl fmt::Display for ConditionChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, what, before, after, .. } = self;
        match (kind, before, after) {
            (ConditionKind::Group | ConditionKind::Signers | ConditionKind::Preview, ..) => {
                f.write_str(what)
            }
            (ConditionKind::Policy, Some(_), Some(_)) => write!(f, "{what} changed"),
            (ConditionKind::Policy | ConditionKind::Protect, Some(_), _) => {
                write!(f, "{what} removed")
            }
            (ConditionKind::Policy | ConditionKind::Protect, ..) => write!(f, "{what} added"),
            (ConditionKind::StepGate | ConditionKind::Strategy, Some(before), None) => {
                write!(f, "{what} removed: {before}")
            }
            (ConditionKind::StepGate | ConditionKind::Strategy, None, Some(after)) => {
                write!(f, "{what} added: {after}")
            }
            (_, before, after) => {
                let none = |text: &Option<String>| text.clone().unwrap_or_else(|| "none".into());
                write!(f, "{what}: {} → {}", none(before), none(after))
            }
        }
    }
}
