//! Steps in words.

use super::details::words;
use crate::values::millis;
use dax_model::{Operation, Route};
use dax_plan::model::ApprovalGate;
use dax_plan::{Step, Task};

/// A step in a few words.
pub fn step_text(step: &Step) -> String {
    let (what, settings) =
        if step.service.kind() == "object" { ("object", "") } else { ("service", "'s settings") };
    match &step.task {
        Task::Call(Operation::CreateService { .. }) => format!("create the {what}"),
        Task::Call(Operation::UpdateService { .. }) => format!("update the {what}{settings}"),
        Task::Call(Operation::DeleteService) => format!("delete the {what}"),
        Task::Call(Operation::CreateRevision { revision, replicas, .. }) => {
            format!(
                "start revision {revision} with {replicas} {}",
                plural(usize::try_from(*replicas).unwrap_or(0), "replica")
            )
        }
        Task::Call(Operation::Roll { from, revision, replicas, surge, unavailable, .. }) => {
            let count = plural(usize::try_from(*replicas).unwrap_or(0), "replica");
            format!(
                "roll from {from} to {revision}: {replicas} {count}, {surge} more and {unavailable} fewer meanwhile"
            )
        }
        Task::Call(Operation::DeleteRevision { revision }) => format!("delete revision {revision}"),
        Task::Call(Operation::Scale { revision, replicas: 0 }) => {
            format!("scale revision {revision} to 0")
        }
        Task::Call(Operation::Scale { revision, replicas }) => {
            format!("scale revision {revision} to {replicas}")
        }
        Task::Call(Operation::AwaitReady { revision }) => {
            format!("wait until revision {revision} is ready")
        }
        Task::Call(Operation::ShiftTraffic { traffic }) if traffic.is_empty() => {
            "shift all traffic away".to_owned()
        }
        Task::Call(Operation::ShiftTraffic { traffic }) => {
            let shares: Vec<String> = traffic
                .iter()
                .map(|(id, share)| format!("{id} {}%", f64::from(*share) / 100.0))
                .collect();
            format!("shift traffic: {}", shares.join(", "))
        }
        Task::Hold { ms } => format!("hold for {}", millis(*ms)),
        Task::Analyse { revision, ms, analysis, against } => {
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
        Task::Call(Operation::Route { routes }) if routes.is_empty() => {
            "remove all routes".to_owned()
        }
        Task::Call(Operation::Route { routes }) => {
            let shown: Vec<String> = routes.iter().map(route_text).collect();
            format!("route {}", shown.join(", "))
        }
        Task::Gate { approval } => format!("wait for the approval of {}", people(approval)),
        Task::Call(Operation::Run { when, command, .. }) => {
            format!("run hook {when}: {}", words(command))
        }
        Task::Call(Operation::Migrate { command, .. }) => format!("migrate: {}", words(command)),
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
