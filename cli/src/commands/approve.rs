//! `dax approve`: somebody approves a plan, or a step of a run.

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
            let own = plan.environment.to_string();
            if let Some(other) = args.environment.environment.as_ref().filter(|name| **name != own)
            {
                return Err(CliError::Usage(format!(
                    "{text} is a plan of `{own}`: -e {other} does not fit"
                )));
            }
            (own, Approved::Plan(digest::digest(&plan)))
        }
        (Some(text), _) => (environment(&args.environment, engine)?, Approved::Plan(text.clone())),
        (None, step) => (
            environment(&args.environment, engine)?,
            Approved::Step(StepId(step.unwrap_or(1).saturating_sub(1))),
        ),
    };
    let receipt = engine.approve(&name, &what, &args.reason, args.key.as_deref())?;
    let groups: Vec<&str> = receipt.groups.iter().map(|group| group.as_str()).collect();
    let of = if groups.is_empty() { String::new() } else { format!(" ({})", groups.join(", ")) };
    let signed = if args.key.is_some() { ", signed" } else { "" };
    out.note(&format!(
        "recorded: `{}`{of} approves {} of `{name}`{signed}",
        receipt.by,
        what_text(&what)
    ));
    if let Some(warning) = receipt.warning {
        out.alarm(&format!("warning: {warning}"));
    }
    Ok(Exit::Done)
}

fn what_text(what: &Approved) -> String {
    match what {
        Approved::Plan(digest) => format!("plan {}", &digest[..16.min(digest.len())]),
        Approved::Step(step) => format!("step {step} of the run"),
    }
}
