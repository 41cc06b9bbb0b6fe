//! `dax rollback`: back to an earlier state.

use crate::args::RollbackArgs;
use crate::commands::{environment, show_and_apply};
use crate::exit::{CliError, Exit};
use crate::printer::Printer;
use dax_engine::{Engine, Origin, Target};

pub(crate) fn run(
    args: &RollbackArgs,
    engine: &Engine,
    out: &mut Printer,
) -> Result<Exit, CliError> {
    let name = environment(&args.environment, engine)?;
    let target = match &args.to {
        None => Target::Before,
        Some(text) => text.parse().map_or_else(|_| Target::Named(text.clone()), Target::Serial),
    };
    engine.wait_for_others(&name, args.run.lock_timeout)?;
    let (plan, serial) = engine.plan_rollback(&name, &target)?;
    out.note(&format!("back to state {serial} of `{name}`"));
    let nothing = plan.is_empty();
    let origin = Origin::State(serial);
    let exit = show_and_apply(plan, None, "Roll back?", &args.run, origin, engine, out)?;
    if exit == Exit::Done && nothing {
        out.note(&format!("nothing differs from state {serial}; nothing was changed or pinned"));
    } else if exit == Exit::Done {
        out.note(&format!("`{name}` is pinned now, so that the next apply does not undo this: `dax unpin -e {name}` lets it go on"));
    }
    Ok(exit)
}
