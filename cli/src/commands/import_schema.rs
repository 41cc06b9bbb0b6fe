//! `dax import-schema`: schemas of others as types.

use crate::args::ImportSchemaArgs;
use crate::commands::{deliver, read_text};
use crate::exit::{CliError, Exit};
use crate::printer::Printer;

/// Largest schema, in bytes.
const MOST_BYTES: usize = 64 << 20;

pub(crate) fn run(args: &ImportSchemaArgs, out: &mut Printer) -> Result<Exit, CliError> {
    let name = args
        .file
        .file_stem()
        .map_or_else(|| "Schema".to_owned(), |stem| stem.to_string_lossy().into_owned());
    let text = read_text(&args.file)?;
    if text.len() > MOST_BYTES {
        return Err(CliError::World(format!("schemas have at most {MOST_BYTES} bytes")));
    }
    let written =
        dax_engine::import_schema(&text, args.name.as_deref().unwrap_or(&name), &args.only)
            .map_err(CliError::World)?;
    deliver(&written, args.output.as_deref(), out)
}
