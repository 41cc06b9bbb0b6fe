//! `dax apply`: carries a plan out.

use crate::args::ApplyArgs;
use crate::commands::{plan_request, show_and_apply};
use crate::exit::{CliError, Exit};
use crate::printer::Printer;
use dax_engine::{Engine, Origin, diagnostic};

pub(crate) fn run(args: ApplyArgs, engine: &Engine, out: &mut Printer) -> Result<Exit, CliError> {
    let (plan, again) = match &args.file {
        Some(file) => (engine.open_plan_to_apply(file, args.run.expect.as_deref())?, None),
        None => {
            let request = plan_request(&args.environment, &args.params, &args.selection, engine)?;
            engine.wait_for_others(&request.environment, args.run.lock_timeout)?;
            let judged = engine.plan(&request)?;
            if !diagnostic::has_errors(&judged.findings) {
                out.diagnostics(&judged.sources, &judged.findings);
            }
            (judged.allowed()?, Some(request))
        }
    };
    show_and_apply(plan, again, "Apply this?", &args.run, Origin::Program, engine, out)
}
