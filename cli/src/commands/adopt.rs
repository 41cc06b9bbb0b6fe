//! `dax adopt`: takes over a service that runs already.

use crate::args::AdoptArgs;
use crate::commands::{environment, params, show_and_apply};
use crate::exit::{CliError, Exit};
use crate::printer::Printer;
use dax_engine::{Engine, Missing, Origin, PlanRequest, Selection};

pub(crate) fn run(args: &AdoptArgs, engine: &Engine, out: &mut Printer) -> Result<Exit, CliError> {
    let request = PlanRequest {
        environment: environment(&args.environment, engine)?,
        params: params(&args.params, Missing::Report),
        selection: Selection { targets: vec![args.service.clone()], ..Selection::default() },
        adopt: Some((args.service.clone(), args.from.clone())),
    };
    let plan = engine.plan(&request)?.allowed()?;
    show_and_apply(plan, Some(request), "Take it over?", &args.run, Origin::Program, engine, out)
}
