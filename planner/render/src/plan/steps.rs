//! Steps in words.

use super::details::{self, words};
use crate::tree::{Line, Tone};
use crate::values::millis;
use dax_core::{Name, Route};
use dax_plan::model::{ApprovalGate, InverseClass};
use dax_plan::{Plan, Step, StepKind};

/// What a step does, in a few words.
pub fn step_text(step: &Step) -> String {
    let (what, settings) =
        if step.service.kind() == "object" { ("object", "") } else { ("service", "'s settings") };
    match &step.kind {
        StepKind::CreateService { .. } => format!("create the {what}"),
        StepKind::UpdateService { .. } => format!("update the {what}{settings}"),
        StepKind::DeleteService => format!("delete the {what}"),
        StepKind::CreateRevision { revision, replicas, .. } => {
            format!(
                "start revision {revision} with {replicas} {}",
                plural(usize::try_from(*replicas).unwrap_or(0), "replica")
            )
        }
        StepKind::Roll { from, revision, replicas, surge, unavailable, .. } => {
            let count = plural(usize::try_from(*replicas).unwrap_or(0), "replica");
            format!(
                "roll from {from} to {revision}: {replicas} {count}, {surge} more and {unavailable} fewer meanwhile"
            )
        }
        StepKind::DeleteRevision { revision } => format!("delete revision {revision}"),
        StepKind::Scale { revision, replicas: 0 } => format!("put revision {revision} to rest"),
        StepKind::Scale { revision, replicas } => {
            format!("scale revision {revision} to {replicas}")
        }
        StepKind::AwaitReady { revision } => format!("wait until revision {revision} is ready"),
        StepKind::ShiftTraffic { traffic } if traffic.is_empty() => {
            "take all traffic away".to_owned()
        }
        StepKind::ShiftTraffic { traffic } => {
            let shares: Vec<String> = traffic
                .iter()
                .map(|(id, share)| format!("{id} {}%", f64::from(*share) / 100.0))
                .collect();
            format!("shift traffic: {}", shares.join(", "))
        }
        StepKind::Hold { ms } => format!("hold for {}", millis(*ms)),
        StepKind::Analyse { revision, ms, analysis, against } => {
            let long = match (*ms, analysis.count) {
                (_, count) if count > 0 => format!("{count} times"),
                (ms, _) => format!("for {}", millis(ms)),
            };
            let against =
                against.as_ref().map_or_else(String::new, |old| format!(" against {old}"));
            format!(
                "watch revision {revision}{against} {long}, every {}",
                millis(analysis.every_ms)
            )
        }
        StepKind::Route { routes } if routes.is_empty() => "take all routes away".to_owned(),
        StepKind::Route { routes } => {
            let shown: Vec<String> = routes.iter().map(route_text).collect();
            format!("route {}", shown.join(", "))
        }
        StepKind::Gate { approval } => format!("wait for the approval of {}", people(approval)),
        StepKind::RunHook { when, command, .. } => format!("run hook {when}: {}", words(command)),
        StepKind::Migrate { command, .. } => format!("migrate: {}", words(command)),
    }
}

fn route_text(route: &Route) -> String {
    match route {
        Route::Header { name, is, revision } => format!("requests with {name}: {is} to {revision}"),
        Route::Mirror { share, revision } => {
            format!("copies of {}% of the requests to {revision}", f64::from(*share) / 100.0)
        }
    }
}

/// Who must agree, in words: `2 of team:sre, team:qa`.
pub(crate) fn people(gate: &ApprovalGate) -> String {
    let of: Vec<&str> = gate.of.iter().map(Name::as_str).collect();
    if of.is_empty() {
        format!("{} people", gate.count)
    } else {
        format!("{} of {}", gate.count, of.join(", "))
    }
}

/// The lines of the steps of one service.
pub(super) fn step_lines(plan: &Plan, steps: &[&Step]) -> Vec<Line> {
    let mut shown = Vec::new();
    let mut lines = Vec::new();
    for step in steps {
        let known = details::same_as(step, &shown).unwrap_or_default();
        lines.push(step_line(plan, step, &known));
        lines.extend(details::analysis(step, &mut shown));
    }
    lines
}

fn step_line(plan: &Plan, step: &Step, analysis: &str) -> Line {
    let mut line = Line::at(1)
        .with(Tone::Dim, format!("{:>3}. ", u64::from(step.id.0) + 1))
        .with(Tone::Plain, step_text(step));
    for more in [analysis, &details::command(step).unwrap_or_default()] {
        line = if more.is_empty() { line } else { line.with(Tone::Dim, more) };
    }
    let by = details::undo(step).unwrap_or_default();
    line = match step.inverse.class {
        InverseClass::Nothing => line,
        InverseClass::Exact => line.with(Tone::Dim, "  undo: exact"),
        InverseClass::Compensating => line.with(Tone::Warn, format!("  undo: compensating{by}")),
        InverseClass::None => line.with(Tone::Remove, "  undo: none"),
    };
    // Waiting for the step before it goes without saying.
    let foreign: Vec<String> = step
        .after
        .iter()
        .filter(|id| plan.step(**id).is_some_and(|before| before.service != step.service))
        .map(ToString::to_string)
        .collect();
    if !foreign.is_empty() {
        line = line.with(Tone::Dim, format!("  after step {}", foreign.join(", ")));
    }
    if step.rollback_point { line.with(Tone::Dim, "  rollback point before") } else { line }
}

pub(super) fn plural(count: usize, word: &str) -> String {
    match (count, word) {
        (1, _) => word.to_owned(),
        (_, "leaf") => "leaves".to_owned(),
        _ => format!("{word}s"),
    }
}
