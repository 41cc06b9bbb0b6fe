//! Steps in words.

use super::details::words;
use crate::values::millis;
use dax_model::Route;
use dax_plan::model::ApprovalGate;
use dax_plan::{Step, StepKind};

/// A step in a few words.
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
        StepKind::Scale { revision, replicas: 0 } => format!("scale revision {revision} to 0"),
        StepKind::Scale { revision, replicas } => {
            format!("scale revision {revision} to {replicas}")
        }
        StepKind::AwaitReady { revision } => format!("wait until revision {revision} is ready"),
        StepKind::ShiftTraffic { traffic } if traffic.is_empty() => {
            "shift all traffic away".to_owned()
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
        StepKind::Route { routes } if routes.is_empty() => "remove all routes".to_owned(),
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

/// An approval rule in words: `2 of team:sre, team:qa`.
pub(crate) fn people(gate: &ApprovalGate) -> String {
    crate::standing::Progress::none(gate).rule_text()
}

pub(super) fn plural(count: usize, word: &str) -> String {
    match (count, word) {
        (1, _) => word.to_owned(),
        (_, "leaf") => "leaves".to_owned(),
        _ => format!("{word}s"),
    }
}
