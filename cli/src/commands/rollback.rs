//! `dax rollback`: back to an earlier state.

use crate::args::RollbackArgs;
use crate::commands::{environment, show_and_apply};
use crate::exit::{CliError, Exit};
use crate::printer::Printer;
use dax_engine::Engine;

pub(crate) fn run(args: &RollbackArgs, engine: &Engine, out: &mut Printer) -> Result<Exit, CliError> {
    let name = environment(&args.environment, engine)?;
    let plan = engine.plan_rollback(&name, args.to)?;
    show_and_apply(plan, "Roll back?", &args.run, None, engine, out)
}
