//! `dax import`: what other tools describe, as a program.

use crate::args::{ImportCommand, ImportKubernetesArgs};
use crate::commands::{deliver, read_text};
use crate::exit::{CliError, Exit};
use crate::printer::Printer;
use dax_engine::{ImportRequest, Manifests, import_kubernetes};
use dax_files::Beneath;
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
        let text = live(context, kubeconfig.as_deref(), namespaces)?;
        texts.push(Manifests { name: "the cluster".to_owned(), text });
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
fn read(path: &Path, texts: &mut Vec<Manifests>) -> Result<(), CliError> {
    if !path.is_dir() {
        let (name, text) = (path.display().to_string(), read_text(path)?);
        texts.push(Manifests { name, text });
        return Ok(());
    }
    let at = |inner: &str| path.join(inner).display().to_string();
    let failed = |inner: &str| {
        let shown = at(inner);
        move |error: std::io::Error| CliError::World(format!("{shown}: {error}"))
    };
    let folder = Beneath::open(path).map_err(failed(""))?;
    for name in manifests(&folder).map_err(failed(""))? {
        let found = folder.read(Path::new(&name), dax_files::LARGEST).map_err(failed(&name))?;
        let Some(bytes) = found else { continue };
        let text = dax_engine::text::decode(bytes)
            .map_err(|found| CliError::World(format!("{}: {found}", at(&name))))?;
        texts.push(Manifests { name: at(&name), text });
    }
    Ok(())
}

/// The paths of the manifests below a folder, in order; no link is followed to a folder.
fn manifests(folder: &Beneath) -> std::io::Result<Vec<String>> {
    let folder = folder.clone().without_links();
    let (mut found, mut open) = (Vec::new(), vec![String::new()]);
    while let Some(at) = open.pop() {
        for name in folder.list(Path::new(&at))?.unwrap_or_default() {
            let below = if at.is_empty() { name.clone() } else { format!("{at}/{name}") };
            match name.strip_suffix('/') {
                Some(inner) if [".git", ".dax"].contains(&inner) => {}
                Some(_) => open.push(below.trim_end_matches('/').to_owned()),
                None if [".yaml", ".yml", ".json"].iter().any(|end| name.ends_with(end)) => {
                    found.push(below);
                }
                None => {}
            }
        }
    }
    found.sort();
    Ok(found)
}
