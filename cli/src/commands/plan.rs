//! `dax plan`: what `apply` would do.

use crate::args::{PlanArgs, PlanFormat};
use crate::commands::{plan_request, simulate};
use crate::exit::{CliError, Exit};
use crate::printer::Printer;
use dax_engine::{Engine, diagnostic};

pub(crate) fn run(args: &PlanArgs, engine: &Engine, out: &mut Printer) -> Result<Exit, CliError> {
    let judged =
        engine.plan(&plan_request(&args.environment, &args.params, &args.selection, engine)?)?;
    let plan = &judged.plan;
    out.plan(plan, &judged.standing, &args.shown);
    // People read it among the obstacles of the plan.
    if !args.shown.format.contains(&PlanFormat::Human) {
        for run in engine.open_runs(Some(&plan.environment))? {
            out.alarm(&run.text());
        }
    }
    if args.simulate {
        simulate::show(plan, args.seed, out);
    }
    out.calls(&judged.calls);
    out.diagnostics(&judged.sources, &judged.findings);
    let denied = diagnostic::has_errors(&judged.findings);
    if denied {
        return Ok(Exit::Denied);
    }
    if !plan.unreachable.is_empty() {
        return Ok(Exit::Error);
    }
    if let Some(file) = &args.output {
        engine.save_plan(plan, file)?;
        out.note(&format!("saved: apply just this with `dax apply {}`", file.display()));
    }
    let changes = args.detailed_exitcode && !plan.is_empty();
    Ok(if changes { Exit::Changes } else { Exit::Done })
}
