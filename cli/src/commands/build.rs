//! `dax build`: the graph that the program denotes, as JSON.

use crate::args::BuildArgs;
use crate::commands::params;
use crate::exit::{CliError, Exit};
use crate::printer::Printer;
use dax_engine::{Engine, EngineError, Missing, to_json};

pub(crate) fn run(args: &BuildArgs, engine: &Engine, out: &mut Printer) -> Result<Exit, CliError> {
    let checked = engine.check(&params(&args.params, Missing::Report))?.sound()?;
    let only = args.environment.environment.as_deref();
    if let Some(name) = only
        && !checked.graph.environments.contains_key(name)
    {
        let known = checked.graph.environments.keys().map(ToString::to_string).collect();
        return Err(
            EngineError::UnknownEnvironment { name: name.to_owned(), meant: None, known }.into()
        );
    }
    let json = to_json(&checked.graph, &checked.loaded.sources, only);
    out.json(&json);
    Ok(Exit::Done)
}
