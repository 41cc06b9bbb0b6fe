//! `dax resume`: carries an unfinished run on.

use crate::args::ResumeArgs;
use crate::commands::{carry_out, steps};
use crate::exit::{CliError, Exit};
use crate::printer::Printer;
use dax_engine::{Decisions, Engine};

pub(crate) fn run(args: &ResumeArgs, engine: &Engine, out: &mut Printer) -> Result<Exit, CliError> {
    let environment = args.environment.environment.as_deref();
    let decisions = Decisions {
        again: steps(&args.again),
        done: steps(&args.done),
        keep: steps(&args.skip),
        abort: false,
        reason: args.reason.clone().unwrap_or_default(),
    };
    let open = engine.open_runs(environment)?;
    if let Some(run) = open.first() {
        out.signed = engine.wants_signatures(&run.environment)?;
    }
    carry_out(out, args.events.events.as_deref(), |interrupts, watch| {
        engine.resume(environment, &decisions, args.lock_timeout, interrupts, watch)
    })
}
