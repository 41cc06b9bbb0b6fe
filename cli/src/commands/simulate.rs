//! What a plan's failures would lead to, as a table.

use crate::printer::Printer;
use dax_engine::{Plan, Rehearsal, rehearse, render};

pub(crate) fn show(plan: &Plan, seed: u64, out: &mut Printer) {
    let report = rehearse(plan, seed);
    let rows: Vec<Vec<String>> = report.runs.iter().map(|run| row(plan, run)).collect();
    out.data(&format!("\nSimulated, seed {}: each step fails in turn\n\n", report.seed));
    out.table(&["step", "fails", "ends", "after", "way back", "left behind", "least capacity", "most on new"], &rows);
    for run in report.runs.iter().filter(|run| !run.left.is_empty()) {
        let step = run.step.map_or_else(|| "-".to_owned(), |step| step.to_string());
        run.left.iter().for_each(|left| out.data(&format!("step {step} leaves {left}\n")));
    }
}

fn row(plan: &Plan, run: &Rehearsal) -> Vec<String> {
    let seconds = |ms: u64| render::millis(ms.div_ceil(100) * 100);
    let (step, fails) = match run.step.and_then(|step| plan.steps.get(step.0 as usize)) {
        Some(step) => (step.id.to_string(), format!("{}: {}", step.service, render::step_text(&step.kind))),
        None => ("-".to_owned(), "nothing".to_owned()),
    };
    let capacity = run.capacity.as_ref();
    vec![
        step,
        fails,
        run.outcome.word().to_owned(),
        seconds(run.ends_ms),
        if run.step.is_some() { seconds(run.back_ms) } else { "-".to_owned() },
        if run.step.is_none() { "-".to_owned() } else { run.left.len().to_string() },
        capacity.map_or_else(|| "-".to_owned(), |capacity| format!("{} of {} ({})", capacity.least, capacity.before, capacity.object)),
        format!("{}%", f64::from(run.exposed) / 100.0),
    ]
}
