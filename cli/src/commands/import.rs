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
    let ImportKubernetesArgs { environment, context, adopt, namespaces, .. } = args;
    let kubeconfig = args.kubeconfig.as_ref().map(|path| path.display().to_string());
    if !namespaces.is_empty() {
        texts.push(live(context, kubeconfig.as_deref(), namespaces)?);
    }
    let request = ImportRequest {
        texts: &texts,
        environment,
        context,
        kubeconfig: kubeconfig.as_deref(),
        adopt: *adopt,
    };
    let imported = import_kubernetes(&request).map_err(CliError::World)?;
    for left in &imported.left {
        out.note(left);
    }
    deliver(&imported.text, args.output.as_deref(), out)
}

/// What runs in namespaces of a cluster, as a list of objects.
fn live(
    context: &str,
    kubeconfig: Option<&str>,
    namespaces: &[String],
) -> Result<String, CliError> {
    let world = |error: &dyn std::error::Error| CliError::World(error.to_string());
    let root = std::env::current_dir().map_err(|error| world(&error))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| world(&error))?;
    let found = dax_provider_builtin::kubernetes_objects(context, kubeconfig, namespaces, &root);
    runtime.block_on(found).map_err(|error| world(&error))
}

/// The texts of a file, of standard input, or of the manifests of a folder and those below it.
fn read(path: &Path, texts: &mut Vec<String>) -> Result<(), CliError> {
    let world = |error: std::io::Error| CliError::World(format!("{}: {error}", path.display()));
    if path.is_dir() {
        let mut entries: Vec<_> =
            std::fs::read_dir(path).map_err(world)?.collect::<Result<_, _>>().map_err(world)?;
        entries.sort_by_key(std::fs::DirEntry::path);
        for entry in entries {
            let path = entry.path();
            let manifest = path.extension().is_some_and(|extension| {
                extension == "yaml" || extension == "yml" || extension == "json"
            });
            if path.is_dir() || manifest {
                read(&path, texts)?;
            }
        }
    } else {
        texts.push(read_text(path)?);
    }
    Ok(())
}
