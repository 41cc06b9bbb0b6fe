//! `dax init`: a working project that `dax apply` can run at once.

use crate::args::InitArgs;
use crate::exit::{CliError, Exit};
use crate::printer::Printer;
use dax_files::Beneath;
use std::path::Path;

const MAIN: &str = include_str!("init/main.dax");

pub(crate) fn run(args: &InitArgs, folder: &Path, out: &mut Printer) -> Result<Exit, CliError> {
    let target = args.dir.as_ref().map_or_else(|| folder.to_owned(), |dir| folder.join(dir));
    std::fs::create_dir_all(&target)?;
    let target = target.canonicalize()?;
    let name: String =
        target.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let name: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '-' })
        .collect();
    let name = if name.is_empty() { "project".to_owned() } else { name };
    let files = [
        ("dax.mod", format!("project = \"{name}\"\nedition = 2026\n")),
        ("main.dax", MAIN.to_owned()),
    ];
    if let Some((there, _)) =
        files.iter().find(|(file, _)| target.join(file).symlink_metadata().is_ok())
    {
        return Err(CliError::World(format!(
            "{} is there already; nothing was changed",
            target.join(there).display()
        )));
    }
    let folder = Beneath::open(&target)?;
    for (file, text) in files {
        folder.create(Path::new(file), text.as_bytes())?;
    }
    out.note(&format!("made {}", target.display()));
    out.note("next: `dax plan`, then `dax apply`");
    Ok(Exit::Done)
}
