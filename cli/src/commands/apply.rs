//! `dax apply`: carries a plan out.

use crate::args::ApplyArgs;
use crate::commands::{environment, params, show_and_apply};
use crate::exit::{CliError, Exit};
use crate::printer::Printer;
use dax_engine::{Engine, Missing, diagnostic};

pub(crate) fn run(args: ApplyArgs, engine: &Engine, out: &mut Printer) -> Result<Exit, CliError> {
    let plan = match &args.file {
        Some(file) => engine.open_plan(file)?,
        None => {
            let name = environment(&args.environment, engine)?;
            let judged = engine.plan(&name, &params(&args.params, Missing::Report))?;
            if !diagnostic::has_errors(&judged.findings) {
                out.diagnostics(&judged.sources, &judged.findings);
            }
            judged.allowed()?
        }
    };
    show_and_apply(plan, "Apply this?", &args.run, args.expect, engine, out)
}
