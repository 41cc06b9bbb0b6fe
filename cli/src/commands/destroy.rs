//! `dax destroy`: removes everything that dax made in an environment.

use crate::args::DestroyArgs;
use crate::commands::{environment, show_and_apply};
use crate::exit::{CliError, Exit};
use crate::printer::Printer;
use dax_engine::{Engine, Origin};

pub(crate) fn run(
    args: &DestroyArgs,
    engine: &Engine,
    out: &mut Printer,
) -> Result<Exit, CliError> {
    let name = environment(&args.environment, engine)?;
    let plan = engine.plan_destroy(&name)?;
    show_and_apply(plan, None, "Destroy all of this?", &args.run, Origin::Program, engine, out)
}
