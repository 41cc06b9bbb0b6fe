//! `dax abort`: the run that is under way is taken back.

use crate::args::AbortArgs;
use crate::commands::{carry_out, environment};
use crate::exit::{CliError, Exit};
use crate::printer::Printer;
use dax_engine::{Decisions, Engine, Heard, Wish};
use std::time::Duration;

pub(crate) fn run(args: AbortArgs, engine: &Engine, out: &mut Printer) -> Result<Exit, CliError> {
    let name = environment(&args.environment, engine)?;
    if engine.signal(&name, Wish::Abort, &args.reason)? == Heard::Told {
        out.note("told: whoever carries the run out takes it back; `dax history` shows when that is done");
        return Ok(Exit::Done);
    }
    let decisions = Decisions { abort: true, reason: args.reason, ..Decisions::default() };
    carry_out(out, args.events.events.as_deref(), |interrupts, watch| {
        engine.resume(Some(&name), &decisions, Duration::ZERO, interrupts, watch)
    })
}
