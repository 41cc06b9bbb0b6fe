//! `dax import`: what other tools describe, as a program.

use crate::args::{ImportCommand, ImportKubernetesArgs};
use crate::commands::{deliver, read_text};
use crate::exit::{CliError, Exit};
use crate::printer::Printer;
use dax_engine::{ImportRequest, import_kubernetes};
use std::path::Path;

pub(crate) fn run(command: &ImportCommand, out: &mut Printer) -> Result<Exit, CliError> {
    let ImportCommand::Kubernetes(args) = command;
    kubernetes(args, out)
}

fn kubernetes(args: &ImportKubernetesArgs, out: &mut Printer) -> Result<Exit, CliError> {
    let mut texts = Vec::new();
    for file in &args.files {
        read(file, &mut texts)?;
    }
    let ImportKubernetesArgs { environment, context, adopt, .. } = args;
    let request = ImportRequest { texts: &texts, environment, context, adopt: *adopt };
    let imported = import_kubernetes(&request).map_err(CliError::World)?;
    for left in &imported.left {
        out.note(left);
    }
    deliver(&imported.text, args.output.as_deref(), out)
}

/// The texts of a file, of standard input, or of the manifests of a folder and those below it.
fn read(path: &Path, texts: &mut Vec<String>) -> Result<(), CliError> {
    let world = |error: std::io::Error| CliError::World(format!("{}: {error}", path.display()));
    if path.is_dir() {
        let mut entries: Vec<_> = std::fs::read_dir(path).map_err(world)?.collect::<Result<_, _>>().map_err(world)?;
        entries.sort_by_key(std::fs::DirEntry::path);
        for entry in entries {
            let path = entry.path();
            let manifest = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml" || extension == "json");
            if path.is_dir() || manifest {
                read(&path, texts)?;
            }
        }
    } else {
        texts.push(read_text(path)?);
    }
    Ok(())
}
