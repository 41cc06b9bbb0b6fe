//! Saved plans: what is read is refused or is sound, and nothing that a plan says makes a program fall over.

use dax_machine::machine::{Event, Failure, Machine};
use dax_machine::simulate::rehearse;
use dax_machine::{Entry, Outcome};
use dax_plan::{Plan, StepId, Task, proof};
use dax_render::{Flavour, Standing};
use std::sync::Arc;

/// More steps, or more measurements, are not walked through here.
const MOST_STEPS: usize = 24;
const MOST_MEASURED: u64 = 200;

/// Any bytes are refused or give a plan; one that is sound can be shown and carried out, one that is not does no harm.
pub fn saved_plan(bytes: &[u8]) {
    let Ok(plan) = serde_json::from_slice::<Plan>(bytes) else { return };
    let unsound = proof::prove(&plan);
    assert!(unsound.iter().all(|one| !one.field.is_empty() && !one.message.is_empty()));
    begin(&plan);
    let blocks = dax_render::plan(&plan, &Standing::default());
    let text = dax_render::terminal(&blocks, false);
    assert!(!text.is_empty());
    if unsound.is_empty() {
        dax_render::markdown(&blocks, Flavour::GitHub, Flavour::GitHub.budget());
        dax_render::html("plan", &blocks);
        if plan.steps.len() <= MOST_STEPS && quick(&plan) {
            let report = rehearse(&plan, 1);
            assert_eq!(report.runs[0].outcome, Outcome::Succeeded, "a sound plan leads to its end");
        }
    }
}

fn quick(plan: &Plan) -> bool {
    plan.steps.iter().all(|step| match &step.task {
        Task::Analyse { ms, analysis, .. } => {
            let every = analysis.every_ms.max(1);
            ms / every < MOST_MEASURED && u64::from(analysis.count) < MOST_MEASURED
        }
        _ => true,
    })
}

/// A machine takes whatever a plan and a journal say.
fn begin(plan: &Plan) {
    let journal = [
        Entry::Intent { step: StepId(0), at_ms: 5 },
        Entry::Done { step: StepId(u32::MAX) },
        Entry::Failed { step: StepId(7), message: String::new(), untouched: false },
        Entry::GoBack,
        Entry::UndoIntent { step: StepId(1), at_ms: 0 },
    ];
    for count in 0..=journal.len() {
        let mut machine = Machine::new(Arc::new(plan.clone()), &journal[..count]);
        machine.step(1, Event::Start);
        for id in [0, 1, u32::MAX] {
            machine.step(2, Event::Succeeded(StepId(id)));
            machine.step(3, Event::Timer(StepId(id)));
            machine.step(4, Event::Failed(StepId(id), Failure::refused(String::new())));
        }
        machine.waits_for();
        machine.complete_services();
    }
}
