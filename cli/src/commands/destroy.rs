//! `dax destroy`: removes everything that dax made in an environment.

use crate::args::{DestroyArgs, PlanFormat};
use crate::commands::{approve, carry_out, environment};
use crate::exit::{CliError, Exit};
use crate::printer::Printer;
use dax_engine::{ApplyRequest, Engine};

pub(crate) fn run(args: &DestroyArgs, engine: &Engine, out: &mut Printer) -> Result<Exit, CliError> {
    let name = environment(&args.environment, engine)?;
    let plan = engine.plan_destroy(&name)?;
    if !out.quiet {
        out.plan(&plan, &[PlanFormat::Human]);
    }
    if plan.is_empty() {
        return Ok(Exit::Done);
    }
    if !approve(&args.run, "Destroy all of this?")? {
        out.note("nothing was changed");
        return Ok(Exit::Error);
    }
    let request = ApplyRequest { plan, expect: None, lock_timeout: args.run.lock_timeout };
    carry_out(out, |interrupts, progress| engine.apply(request, interrupts, progress))
}
