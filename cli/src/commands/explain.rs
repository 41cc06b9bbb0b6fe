//! `dax explain`: the page of a diagnostic code.

use crate::args::ExplainArgs;
use crate::exit::{CliError, Exit};
use crate::printer::Printer;

include!(concat!(env!("OUT_DIR"), "/pages.rs"));

pub(crate) fn run(args: &ExplainArgs, out: &mut Printer) -> Result<Exit, CliError> {
    let Some(code) = &args.code else {
        let rows: Vec<Vec<String>> = dax_engine::codes()
            .iter()
            .map(|code| vec![code.to_string(), code.summary.to_owned()])
            .collect();
        out.table(&["code", "summary"], &rows);
        return Ok(Exit::Done);
    };
    let wanted = code.to_uppercase();
    match PAGES.iter().find(|(name, _)| *name == wanted) {
        Some((_, page)) => {
            out.data(page);
            Ok(Exit::Done)
        }
        None => {
            Err(CliError::Usage(format!("there is no code `{code}`; `dax explain` lists them")))
        }
    }
}
