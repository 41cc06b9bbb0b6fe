//! `dax rollback`: back to an earlier state.

use crate::args::RollbackArgs;
use crate::commands::{environment, show_and_apply};
use crate::exit::{CliError, Exit};
use crate::printer::Printer;
use dax_engine::{Engine, Target};

pub(crate) fn run(
    args: &RollbackArgs,
    engine: &Engine,
    out: &mut Printer,
) -> Result<Exit, CliError> {
    let name = environment(&args.environment, engine)?;
    let target = match &args.to {
        None => Target::Before,
        Some(text) => text.parse().map_or_else(|_| Target::Named(text.clone()), Target::Serial),
    };
    let plan = engine.plan_rollback(&name, &target)?;
    let exit = show_and_apply(plan, None, "Roll back?", &args.run, None, None, engine, out)?;
    if exit == Exit::Done {
        out.note(&format!("`{name}` is pinned now, so that the next apply does not undo this: `dax unpin -e {name}` lets it go on"));
    }
    Ok(exit)
}
