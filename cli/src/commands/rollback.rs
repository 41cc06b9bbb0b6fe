//! `dax rollback`: back to an earlier state.

use crate::args::{PlanFormat, RollbackArgs};
use crate::commands::{approve, carry_out, environment};
use crate::exit::{CliError, Exit};
use crate::printer::Printer;
use dax_engine::{ApplyRequest, Engine};

pub(crate) fn run(args: &RollbackArgs, engine: &Engine, out: &mut Printer) -> Result<Exit, CliError> {
    let name = environment(&args.environment, engine)?;
    let plan = engine.plan_rollback(&name, args.to)?;
    if !out.quiet {
        out.plan(&plan, &[PlanFormat::Human]);
    }
    if plan.is_empty() {
        return Ok(Exit::Done);
    }
    if !approve(&args.run, "Roll back?")? {
        out.note("nothing was changed");
        return Ok(Exit::Error);
    }
    let request = ApplyRequest { plan, expect: None, lock_timeout: args.run.lock_timeout };
    carry_out(out, |interrupts, progress| engine.apply(request, interrupts, progress))
}
