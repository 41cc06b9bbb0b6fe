//! `dax resume`: carries an unfinished run on.

use crate::args::ResumeArgs;
use crate::commands::carry_out;
use crate::exit::{CliError, Exit};
use crate::printer::Printer;
use dax_engine::Engine;

pub(crate) fn run(args: &ResumeArgs, engine: &Engine, out: &mut Printer) -> Result<Exit, CliError> {
    let environment = args.environment.environment.as_deref();
    carry_out(out, |interrupts, progress| engine.resume(environment, args.lock_timeout, interrupts, progress))
}
