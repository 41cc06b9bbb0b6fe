//! `dax check`: everything that is wrong with the program, in one run.

use crate::args::CheckArgs;
use crate::commands::params;
use crate::exit::{CliError, Exit};
use crate::printer::Printer;
use dax_engine::{Engine, Missing, diagnostic};

pub(crate) fn run(args: &CheckArgs, engine: &Engine, out: &mut Printer) -> Result<Exit, CliError> {
    let (loaded, environments, all) = engine.findings(&params(&args.params, Missing::Ignore))?;
    let (sources, all) = (&loaded.sources, &all);
    out.findings(sources, all, args.format);
    if diagnostic::has_errors(all) {
        // What only a policy forbids has an exit code of its own.
        let denied =
            all.iter().all(|finding| !finding.is_error() || dax_engine::is_policy(finding));
        return Ok(if denied { Exit::Denied } else { Exit::Error });
    }
    out.detail(&format!("{environments} environments, no errors"));
    Ok(Exit::Done)
}
