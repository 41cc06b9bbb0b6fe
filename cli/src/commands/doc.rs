//! `dax doc`: the project as a static site.

use crate::args::DocArgs;
use crate::commands::params;
use crate::exit::{CliError, Exit};
use crate::printer::Printer;
use dax_engine::{Engine, Missing};
use dax_files::Beneath;
use std::path::{Component, Path};

pub(crate) fn run(args: &DocArgs, engine: &Engine, out: &mut Printer) -> Result<Exit, CliError> {
    let files = engine.doc(&params(&args.params, Missing::Ignore))?;
    let io = |path: &Path| {
        let path = path.display().to_string();
        move |error: std::io::Error| CliError::World(format!("{path}: {error}"))
    };
    let folder = target(&args.output).map_err(io(&args.output))?;
    for (name, text) in &files {
        folder.write(Path::new(name), text.as_bytes()).map_err(io(&args.output.join(name)))?;
    }
    out.note(&format!("{} pages: {}", files.len(), args.output.join("index.html").display()));
    Ok(Exit::Done)
}

/// The folder for the pages. A link that leads out of the folder where dax runs is not followed,
/// because a checkout may bring one under the usual name; a path that is given as a whole is what
/// it says.
fn target(output: &Path) -> std::io::Result<Beneath> {
    let plain = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
    let folder = if output.components().all(plain) {
        Beneath::open(Path::new("."))?.make_folder(output)?
    } else {
        std::fs::create_dir_all(output)?;
        Beneath::open(output)?
    };
    Ok(folder.without_links())
}
