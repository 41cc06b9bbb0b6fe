//! `dax doc`: the project as a static site.

use crate::args::DocArgs;
use crate::commands::params;
use crate::exit::{CliError, Exit};
use crate::printer::Printer;
use dax_engine::{Engine, Missing};

pub(crate) fn run(args: &DocArgs, engine: &Engine, out: &mut Printer) -> Result<Exit, CliError> {
    let files = engine.doc(&params(&args.params, Missing::Ignore))?;
    let io = |path: &std::path::Path| {
        let path = path.display().to_string();
        move |error: std::io::Error| CliError::World(format!("{path}: {error}"))
    };
    std::fs::create_dir_all(&args.output).map_err(io(&args.output))?;
    for (name, text) in &files {
        let path = args.output.join(name);
        std::fs::write(&path, text).map_err(io(&path))?;
    }
    out.note(&format!("{} pages: {}", files.len(), args.output.join("index.html").display()));
    Ok(Exit::Done)
}
