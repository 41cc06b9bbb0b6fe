//! `dax lsp`: the language server.

use crate::args::LspArgs;
use crate::exit::{CliError, Exit};
use dax_lsp::{Ended, Way};

pub(crate) fn run(args: &LspArgs) -> Result<Exit, CliError> {
    let way = args.listen.map_or(Way::Stdio, Way::Listen);
    let log = match &args.log {
        Some(path) => Some(
            std::fs::File::create(path)
                .map_err(|error| CliError::World(format!("{}: {error}", path.display())))?,
        ),
        None => None,
    };
    let ended = dax_lsp::serve(&way, log)
        .map_err(|error| CliError::World(format!("the client cannot be reached: {error}")))?;
    Ok(if ended == Ended::Orderly { Exit::Done } else { Exit::Error })
}
