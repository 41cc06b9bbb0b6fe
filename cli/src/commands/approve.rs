//! `dax approve`: somebody agrees.

use crate::args::ApproveArgs;
use crate::commands::environment;
use crate::exit::{CliError, Exit};
use crate::printer::Printer;
use dax_engine::{Approved, Engine, StepId, digest};
use std::path::Path;

pub(crate) fn run(
    args: &ApproveArgs,
    engine: &Engine,
    out: &mut Printer,
) -> Result<Exit, CliError> {
    let (name, what) = match (&args.plan, args.step) {
        (Some(text), _) if Path::new(text).is_file() => {
            let plan = engine.open_plan(Path::new(text))?;
            (plan.environment.to_string(), Approved::Plan(digest::digest(&plan)))
        }
        (Some(text), _) => (environment(&args.environment, engine)?, Approved::Plan(text.clone())),
        (None, step) => (
            environment(&args.environment, engine)?,
            Approved::Step(StepId(step.unwrap_or(1).saturating_sub(1))),
        ),
    };
    let (by, groups) = engine.approve(&name, &what, &args.reason, args.key.as_deref())?;
    let groups: Vec<&str> = groups.iter().map(|group| group.as_str()).collect();
    let of = if groups.is_empty() { String::new() } else { format!(" ({})", groups.join(", ")) };
    out.note(&format!(
        "`{by}`{of} agrees to {}{}",
        what_text(&what),
        if args.key.is_some() { ", signed" } else { "" }
    ));
    Ok(Exit::Done)
}

fn what_text(what: &Approved) -> String {
    match what {
        Approved::Plan(digest) => format!("the plan {}", &digest[..16.min(digest.len())]),
        Approved::Step(step) => format!("go on at step {step}"),
    }
}
