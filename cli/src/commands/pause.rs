//! `dax pause`: the run that is under way stops at the next safe place.

use crate::args::SignalArgs;
use crate::commands::environment;
use crate::exit::{CliError, Exit};
use crate::printer::Printer;
use dax_engine::{Engine, Heard, Wish};

pub(crate) fn run(args: &SignalArgs, engine: &Engine, out: &mut Printer) -> Result<Exit, CliError> {
    let name = environment(&args.environment, engine)?;
    match engine.signal(&name, Wish::Pause, &args.reason)? {
        Heard::Told => out.note(&format!(
            "told: the run stops at the next safe place; `dax resume -e {name}` carries it on"
        )),
        Heard::Nobody => out
            .note(&format!("nobody carries the run on at the moment; `dax resume -e {name}` does")),
    }
    Ok(Exit::Done)
}
