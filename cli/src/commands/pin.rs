//! `dax pin` and `dax unpin`: whether `apply` may change an environment.

use crate::args::SignalArgs;
use crate::commands::environment;
use crate::exit::{CliError, Exit};
use crate::printer::Printer;
use dax_engine::Engine;

pub(crate) fn run(
    args: &SignalArgs,
    pinned: bool,
    engine: &Engine,
    out: &mut Printer,
) -> Result<Exit, CliError> {
    let name = environment(&args.environment, engine)?;
    let changed = engine.pin(&name, pinned, &args.reason)?;
    out.note(&match (pinned, changed) {
        (true, true) => {
            format!("`{name}` is pinned: `dax apply` leaves it alone until `dax unpin -e {name}`")
        }
        (true, false) => format!("`{name}` was pinned already"),
        (false, true) => format!("`{name}` is no longer pinned"),
        (false, false) => format!("`{name}` was not pinned"),
    });
    Ok(Exit::Done)
}
