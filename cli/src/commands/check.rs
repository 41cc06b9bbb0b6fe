//! `dax check`: everything that is wrong with the program, in one run.

use crate::args::{CheckArgs, DiagnosticFormat};
use crate::commands::params;
use crate::diagnostics;
use crate::exit::{CliError, Exit};
use crate::printer::Printer;
use dax_engine::{Engine, Missing, diagnostic};

pub(crate) fn run(args: &CheckArgs, engine: &Engine, out: &mut Printer) -> Result<Exit, CliError> {
    let checked = engine.check(&params(&args.params, Missing::Ignore))?;
    let (sources, all) = (&checked.loaded.sources, &checked.diagnostics);
    match args.format {
        DiagnosticFormat::Human => out.diagnostics(sources, all),
        DiagnosticFormat::Short => out.data(&diagnostics::short(sources, all)),
        DiagnosticFormat::Json => out.data(&diagnostics::json(sources, all)),
        DiagnosticFormat::Sarif => out.data(&diagnostics::sarif(sources, all)),
        DiagnosticFormat::Github => out.data(&diagnostics::github(sources, all)),
    }
    if diagnostic::has_errors(all) {
        return Ok(Exit::Error);
    }
    out.detail(&format!("{} environments, no errors", checked.graph.environments.len()));
    Ok(Exit::Done)
}
