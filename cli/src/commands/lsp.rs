//! `dax lsp`: the language server.

use crate::args::LspArgs;
use crate::exit::{CliError, Exit};
use dax_lsp::{Ended, Way};

pub(crate) fn run(args: &LspArgs) -> Result<Exit, CliError> {
    let way = args.listen.map_or(Way::Stdio, Way::Listen);
    let ended = dax_lsp::serve(&way).map_err(|error| CliError::World(format!("the client cannot be reached: {error}")))?;
    Ok(if ended == Ended::Orderly { Exit::Done } else { Exit::Error })
}
