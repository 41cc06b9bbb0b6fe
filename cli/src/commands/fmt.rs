//! `dax fmt`: the one canonical form.

use crate::args::FmtArgs;
use crate::exit::{CliError, Exit};
use crate::printer::Printer;
use std::io::Read;
use std::path::{Path, PathBuf};

pub(crate) fn run(args: &FmtArgs, folder: &Path, out: &mut Printer) -> Result<Exit, CliError> {
    if args.files == [PathBuf::from("-")] {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text)?;
        let formatted = dax_engine::format(&text);
        out.data(&formatted);
        return Ok(if args.check && formatted != text { Exit::Error } else { Exit::Done });
    }
    let mut files = Vec::new();
    if args.files.is_empty() {
        collect(folder, &mut files)?;
        files.sort();
    } else {
        files.extend(args.files.iter().map(|file| folder.join(file)));
    }
    let mut changed = 0;
    for file in files {
        let text = std::fs::read_to_string(&file)
            .map_err(|error| CliError::World(format!("{}: {error}", file.display())))?;
        let formatted = dax_engine::format(&text);
        if formatted != text {
            changed += 1;
            out.data(&format!("{}\n", file.display()));
            if !args.check {
                std::fs::write(&file, formatted)?;
            }
        }
    }
    Ok(if args.check && changed > 0 { Exit::Error } else { Exit::Done })
}

/// Every `.dax` file below a folder, hidden folders and build output left out.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), CliError> {
    for entry in std::fs::read_dir(folder)
        .map_err(|error| CliError::World(format!("{}: {error}", folder.display())))?
    {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type()?.is_dir() {
            if !name.starts_with('.') && name != "target" && name != "node_modules" {
                collect(&entry.path(), files)?;
            }
        } else if name.ends_with(".dax") || name == "dax.mod" {
            files.push(entry.path());
        }
    }
    Ok(())
}
