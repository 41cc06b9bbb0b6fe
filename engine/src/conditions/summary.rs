//! Conditions in one line, for whoever applied them.

use super::Conditions;
use super::compare::{after_text, gate_name, gate_text, rule_text, window_text};
use std::fmt;

impl Conditions {
    /// The approval rules in one line: `approve 1 of team:sre (ann, bob)`.
    pub(super) fn approvals_text(&self) -> String {
        let rules = self.approvals.iter();
        let all: Vec<String> =
            rules.map(|rule| format!("approve {}", rule_text(self, rule))).collect();
        all.join("; ")
    }
}

impl fmt::Display for Conditions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut all: Vec<String> = Vec::new();
        all.extend(Some(self.approvals_text()).filter(|text| !text.is_empty()));
        all.extend(
            self.after
                .iter()
                .map(|rule| format!("after {} ({})", rule.environment, after_text(rule))),
        );
        all.extend(self.windows.iter().map(|window| format!("window {}", window_text(window))));
        all.extend(
            self.gates.iter().map(|gate| format!("{}: {}", gate_name(gate), gate_text(self, gate))),
        );
        all.extend(self.protected.iter().map(|addr| format!("protect {}", addr.name())));
        all.extend(self.policies.iter().map(|policy| format!("policy `{}`", policy.name)));
        if let Some(signers) = &self.signers {
            all.push(format!("approvals signed by one of {} keys", signers.len()));
        }
        if self.preview {
            all.push("preview".to_owned());
        }
        if !self.on_failure.is_empty() {
            all.push(format!("on failure {}", self.on_failure));
        }
        f.write_str(&all.join("; "))
    }
}
