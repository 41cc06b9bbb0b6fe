//! `dax graph`: an environment's services and what they need, as a picture.

use crate::args::{GraphArgs, GraphFormat};
use crate::commands::{environment, params};
use crate::exit::{CliError, Exit};
use crate::printer::Printer;
use dax_engine::{Engine, EngineError, Missing, render};

pub(crate) fn run(args: &GraphArgs, engine: &Engine, out: &mut Printer) -> Result<Exit, CliError> {
    let name = environment(&args.environment, engine)?;
    let checked = engine.check(&params(&args.params, Missing::Report))?.sound()?;
    let known = || checked.graph.environments.keys().map(ToString::to_string).collect();
    let missing =
        || EngineError::UnknownEnvironment { name: name.clone(), meant: None, known: known() };
    let found = checked.graph.environments.get(name.as_str()).ok_or_else(missing)?;
    let text = match args.format {
        GraphFormat::Dot => render::graph::dot(found),
        GraphFormat::Mermaid => render::graph::mermaid(found),
        GraphFormat::Svg => render::graph::svg(found).map_err(CliError::World)?,
    };
    out.data(&text);
    Ok(Exit::Done)
}
