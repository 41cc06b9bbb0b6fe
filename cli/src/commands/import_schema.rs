//! `dax import-schema`: schemas of others as types.

use crate::args::ImportSchemaArgs;
use crate::exit::{CliError, Exit};
use crate::printer::Printer;
use std::io::Read;

/// Largest schema, in bytes.
const MOST_BYTES: usize = 64 << 20;

pub(crate) fn run(args: &ImportSchemaArgs, out: &mut Printer) -> Result<Exit, CliError> {
    let name = args.file.file_stem().map_or_else(|| "Schema".to_owned(), |stem| stem.to_string_lossy().into_owned());
    let text = if args.file.as_os_str() == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text)?;
        text
    } else {
        std::fs::read_to_string(&args.file).map_err(|error| CliError::World(format!("{}: {error}", args.file.display())))?
    };
    if text.len() > MOST_BYTES {
        return Err(CliError::World(format!("schemas have at most {MOST_BYTES} bytes")));
    }
    let written = dax_engine::import_schema(&text, args.name.as_deref().unwrap_or(&name), &args.only).map_err(CliError::World)?;
    match &args.output {
        Some(path) => {
            std::fs::write(path, written).map_err(|error| CliError::World(format!("{}: {error}", path.display())))?;
            out.note(&format!("written: {}", path.display()));
        }
        None => out.data(&written),
    }
    Ok(Exit::Done)
}
