//! `dax apply`: carries a plan out.

use crate::args::{ApplyArgs, PlanFormat};
use crate::commands::{approve, carry_out, environment, params};
use crate::exit::{CliError, Exit};
use crate::printer::Printer;
use dax_engine::{ApplyRequest, Engine, EngineError, Missing};

pub(crate) fn run(args: ApplyArgs, engine: &Engine, out: &mut Printer) -> Result<Exit, CliError> {
    let plan = match &args.file {
        Some(file) => engine.open_plan(file)?,
        None => {
            let name = environment(&args.environment, engine)?;
            engine.plan(&name, &params(&args.params, Missing::Report))?
        }
    };
    if !out.quiet {
        out.plan(&plan, &[PlanFormat::Human]);
    }
    if let Some(gate) = plan.gates.iter().find_map(|gate| gate.blocked.clone()) {
        return Err(EngineError::Denied { message: gate }.into());
    }
    if plan.is_empty() {
        return Ok(Exit::Done);
    }
    if !approve(&args.run, "Apply this?")? {
        out.note("nothing was changed");
        return Ok(Exit::Error);
    }
    let request = ApplyRequest { plan, expect: args.expect, lock_timeout: args.run.lock_timeout };
    carry_out(out, |interrupts, progress| engine.apply(request, interrupts, progress))
}
