//! Conditions of a plan: when it may be applied, what happens when a step fails, what is
//! irreversible.

use crate::tree::{Line, Tone};
use crate::values::millis;
use dax_core::ResourceAddr;
use dax_plan::Plan;
use dax_plan::model::{Gate, OnFailure, Window};

/// Conditions of a plan beside its approvals, a line each.
pub(super) fn conditions(plan: &Plan) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut say = |text: String, span: &str| {
        let line = Line::at(0).with(Tone::Warn, text);
        lines.push(if span.is_empty() { line } else { line.with(Tone::Dim, format!("  {span}")) });
    };
    for (text, span) in plan.gates.iter().flat_map(when) {
        say(text, span);
    }
    let policy = match plan.on_failure {
        OnFailure::Rollback => None,
        OnFailure::RollbackAll => Some("when a step fails, everything of this run is rolled back"),
        OnFailure::Hold => Some("when a step fails, the run holds until somebody decides"),
        OnFailure::Continue => Some("when a step fails, services that do not depend on it go on"),
    };
    if let Some(policy) = policy.filter(|_| !plan.steps.is_empty()) {
        say(policy.to_owned(), "");
    }
    for (name, services) in &plan.releases {
        let names: Vec<&str> = services.iter().map(ResourceAddr::name).collect();
        say(format!("release {name}: {} are rolled back together", names.join(", ")), "");
    }
    for step in plan.points_of_no_return() {
        say(format!("step {} is irreversible: it needs --acknowledge {}", step.id, step.id), "");
    }
    lines
}

/// Times at which a plan may be applied, with the places that say so.
pub(crate) fn when(gate: &Gate) -> Vec<(String, &str)> {
    match gate {
        Gate::After { environment, soak_ms, verified, valid_ms, span } => {
            let soak = if *soak_ms > 0 {
                format!(", which must have run for {}", millis(*soak_ms))
            } else {
                String::new()
            };
            let verified = if *verified { ", verified by an analysis" } else { "" };
            let valid = if *valid_ms > 0 {
                format!(", not longer than {} ago", millis(*valid_ms))
            } else {
                String::new()
            };
            vec![(format!("comes after `{environment}`{soak}{verified}{valid}"), span)]
        }
        Gate::Windows(windows) => {
            let one = |window: &'_ Window| format!("only {}", window_text(window));
            windows.iter().map(|window| (one(window), window.span.as_str())).collect()
        }
    }
}

fn window_text(window: &Window) -> String {
    let days: Vec<&str> = window.days.iter().map(dax_core::Name::as_str).collect();
    format!("{} from {} to {} {}", days.join(", "), window.from, window.to, window.zone)
}
