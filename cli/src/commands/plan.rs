//! `dax plan`: what `apply` would do.

use crate::args::PlanArgs;
use crate::commands::{environment, params};
use crate::exit::{CliError, Exit};
use crate::printer::Printer;
use dax_engine::{Engine, Missing};

pub(crate) fn run(args: &PlanArgs, engine: &Engine, out: &mut Printer) -> Result<Exit, CliError> {
    let name = environment(&args.environment, engine)?;
    let plan = engine.plan(&name, &params(&args.params, Missing::Report))?;
    out.plan(&plan, &args.format);
    if let Some(file) = &args.output {
        engine.save_plan(&plan, file)?;
        out.note(&format!("saved: apply just this with `dax apply {}`", file.display()));
    }
    let changes = args.detailed_exitcode && !plan.is_empty();
    Ok(if changes { Exit::Changes } else { Exit::Done })
}
