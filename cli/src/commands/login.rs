//! `dax login`: a token by a browser.

use crate::args::LoginArgs;
use crate::exit::{CliError, Exit};
use crate::printer::Printer;

pub(crate) fn run(args: &LoginArgs, out: &mut Printer) -> Result<Exit, CliError> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let streams = out.streams.clone();
    let show = |code: &str, place: &str| streams.message(&format!("open {place} and type {code}"));
    let server = args.server.trim_end_matches('/');
    let token = runtime.block_on(dax_provider_builtin::github_login(
        server,
        &args.client_id,
        &args.scopes,
        &show,
    ));
    let token = token.map_err(|error| CliError::World(error.to_string()))?;
    // The one thing that it is for: `GITHUB_TOKEN=$(dax login)`.
    out.data(&format!("{token}\n"));
    Ok(Exit::Done)
}
