//! `dax vendor`: the packages of a project, brought here and locked.

use crate::args::VendorArgs;
use crate::exit::{CliError, Exit};
use crate::printer::Printer;
use dax_engine::Engine;

pub(crate) fn run(args: &VendorArgs, engine: &Engine, out: &mut Printer) -> Result<Exit, CliError> {
    let all = engine.vendor(!args.lock_only)?;
    let rows: Vec<Vec<String>> = all
        .iter()
        .map(|one| {
            vec![
                one.name.to_string(),
                one.at.to_string(),
                if one.fetched { "brought" } else { "was here" }.to_owned(),
            ]
        })
        .collect();
    if rows.is_empty() {
        out.note("the project requires no packages");
    } else {
        out.table(&["package", "at", ""], &rows);
    }
    Ok(Exit::Done)
}
