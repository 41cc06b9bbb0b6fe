//! Risks that are out of the ordinary: what every rollout does is none, or nobody reads the table.

use super::{RISKS, shortened};
use dax_model::Operation;
use dax_plan::model::{Action, InverseClass, Mode, OnFailure, Risk, Task};
use dax_plan::{Plan, Step};

/// A risk in the words of the glossary.
const fn words(risk: Risk) -> &'static str {
    match risk {
        Risk::PointOfNoReturn => "irreversible",
        Risk::Delete => "delete: its data is gone",
        Risk::Replace => "replace: its data is gone",
        Risk::Gap => "downtime",
        Risk::Adopt => "takes over an object that dax did not make",
        Risk::Exposure => "exposure change",
        Risk::Traffic => "traffic shift that a failure leaves as it is",
        Risk::Compensating => "compensating: another command undoes it",
        Risk::Drift => "out-of-band change is overwritten",
        Risk::Secrets => "other secrets",
        Risk::StateOnly => "",
    }
}

/// The rows of the table: risk, count, where.
pub(super) fn risks(plan: &Plan) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for risk in RISKS {
        let places = match risk {
            Risk::PointOfNoReturn => steps(plan, |step| step.inverse.class == InverseClass::None),
            Risk::Compensating => steps(plan, |step| {
                matches!(step.task, Task::Call(Operation::Migrate { .. }))
                    && step.inverse.class == InverseClass::Compensating
            }),
            Risk::Traffic => steps(plan, |step| stays(plan, step)),
            Risk::StateOnly => Vec::new(),
            Risk::Exposure => changes(plan, risk, |action| action != Action::Create),
            Risk::Delete
            | Risk::Replace
            | Risk::Gap
            | Risk::Adopt
            | Risk::Drift
            | Risk::Secrets => changes(plan, risk, |_| true),
        };
        rows.extend(row(words(risk), &places));
        if risk == Risk::Gap {
            let stopped = plan.changes.iter().filter(|change| super::stops(change));
            let stopped: Vec<String> = stopped.map(|change| change.addr.to_string()).collect();
            rows.extend(row("stopped: no replica is left", &stopped));
        }
    }
    rows
}

fn row(words: &str, places: &[String]) -> Option<Vec<String>> {
    let row = || vec![words.to_owned(), places.len().to_string(), shortened(places)];
    (!places.is_empty()).then(row)
}

/// Reports whether a failure leaves traffic divided as this step has divided it.
fn stays(plan: &Plan, step: &Step) -> bool {
    let Task::Call(Operation::ShiftTraffic { traffic }) = &step.task else { return false };
    plan.mode == Mode::Apply && plan.on_failure == OnFailure::Hold && traffic.len() > 1
}

fn steps(plan: &Plan, wanted: impl Fn(&Step) -> bool) -> Vec<String> {
    let steps = plan.steps.iter().filter(|step| wanted(step));
    steps.map(|step| format!("{} step {}", step.service, step.id)).collect()
}

fn changes(plan: &Plan, risk: Risk, wanted: impl Fn(Action) -> bool) -> Vec<String> {
    let bears = plan.changes.iter().filter(|one| one.risks.contains(&risk) && wanted(one.action));
    bears.map(|change| change.addr.to_string()).collect()
}
