//! What a plan's failures would lead to, as a table.

use crate::printer::Printer;
use dax_engine::{Plan, Rehearsal, rehearse, render};

pub(crate) fn show(plan: &Plan, seed: u64, out: &mut Printer) {
    let report = rehearse(plan, seed);
    let rows: Vec<Vec<String>> = report.runs.iter().map(|run| row(plan, run)).collect();
    out.data(&format!("\nSimulated, seed {}: each step fails in turn\n\n", report.seed));
    out.table(
        &[
            "step",
            "fails",
            "ends",
            "after",
            "way back",
            "stays changed",
            "least capacity",
            "most on new",
        ],
        &rows,
    );
}

/// What is past its rollback point and stays as the plan left it.
fn changed(run: &Rehearsal) -> String {
    let mut names: Vec<&str> =
        run.left.iter().filter_map(|left| left.split_once(": ")).map(|(name, _)| name).collect();
    names.dedup();
    names.join(", ")
}

fn row(plan: &Plan, run: &Rehearsal) -> Vec<String> {
    let seconds = |ms: u64| render::millis(ms.div_ceil(100) * 100);
    let (step, fails) = match run.step.and_then(|step| plan.steps.get(step.0 as usize)) {
        Some(step) => {
            (step.id.to_string(), format!("{}: {}", step.service, render::step_text(step)))
        }
        None => ("-".to_owned(), "nothing".to_owned()),
    };
    let capacity = run.capacity.as_ref();
    vec![
        step,
        fails,
        run.outcome.word().to_owned(),
        seconds(run.ends_ms),
        if run.step.is_some() { seconds(run.back_ms) } else { "-".to_owned() },
        if run.step.is_none() || run.left.is_empty() { "-".to_owned() } else { changed(run) },
        capacity.map_or_else(
            || "-".to_owned(),
            |capacity| format!("{} of {} ({})", capacity.least, capacity.before, capacity.object),
        ),
        format!("{}%", f64::from(run.exposed) / 100.0),
    ]
}
