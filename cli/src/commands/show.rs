//! `dax show`: a saved plan, without a provider and without a network.

use crate::args::ShowArgs;
use crate::exit::{CliError, Exit};
use crate::printer::Printer;
use dax_engine::{Engine, Standing};

pub(crate) fn run(args: &ShowArgs, engine: &Engine, out: &mut Printer) -> Result<Exit, CliError> {
    let plan = engine.open_plan(&args.file)?;
    out.plan(&plan, &Standing::default(), &args.shown);
    Ok(Exit::Done)
}
